/* ptrace: fork, exec and exit of tracees, and stops of their process under SEIZE. */
#include "ptrace.h"
#include "background.h"
#include <sched.h>

#define EVENT(event) (SIGTRAP | (event) << 8)

static unsigned long message(pid_t pid)
{
	unsigned long value = 0;

	CHECK_EQ(TRACE(PTRACE_GETEVENTMSG, pid, 0, &value), 0);
	return value;
}

static void fork_once(void)
{
	pid_t child = fork();

	if (!child)
		_exit(3);
	_exit(test_wait(child));
}

static void vfork_once(void)
{
	pid_t child = vfork();

	if (!child)
		_exit(3);
	_exit(test_wait(child));
}

TEST(fork_event, 5,
     "TRACEFORK: an event with the child's number, and the child stops before it runs")
{
	pid_t parent = start_tracee(fork_once), child;

	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, parent, 0, PTRACE_O_TRACEFORK), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), EVENT(PTRACE_EVENT_FORK));
	CHECK_EQ(peek_user(parent, REGISTER_AT(eax)), -ENOSYS);
	child = message(parent);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(status_field(child, "TracerPid", NULL), getpid());
	CHECK_EQ(peek_user(child, REGISTER_AT(eax)), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(finish(child), 3);
	CHECK_EQ(next_stop(parent), SIGCHLD);
	CHECK_EQ(finish(parent), 3);
}

TEST(vfork_events, 5,
     "TRACEVFORK and VFORKDONE: an event before and one after the wait for the child")
{
	pid_t parent = start_tracee(vfork_once), child;

	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, parent, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE),
		 0);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), EVENT(PTRACE_EVENT_VFORK));
	child = message(parent);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(waitpid(parent, NULL, WNOHANG), 0);
	CHECK_EQ(finish(child), 3);
	CHECK_EQ(next_stop(parent), EVENT(PTRACE_EVENT_VFORK_DONE));
	CHECK_EQ(message(parent), child);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), SIGCHLD);
	CHECK_EQ(finish(parent), 3);
}

TEST(untraced_child, 5, "without an option, the child is not traced")
{
	pid_t parent = start_tracee(fork_once);

	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), SIGCHLD);
	CHECK_EQ(finish(parent), 3);
}

static void exec_true(void)
{
	char *argv[] = { "true", NULL };

	execve("/bin/true", argv, argv + 1);
	_exit(99);
}

TEST(exec_stop, 5, "without an option, exec ends with a SIGTRAP; with TRACEEXEC, with an event")
{
	pid_t child = start_tracee(exec_true);
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_code, SI_USER);
	CHECK_EQ(get_registers(child).eax, 0);
	CHECK_EQ(finish(child), 0);

	child = start_tracee(exec_true);
	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXEC), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(message(child), child);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_code, EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(finish(child), 0);
}

static void exit_five(void)
{
	_exit(5);
}

TEST(exit_event, 5, "TRACEEXIT: the tracee stops before it ends, with its memory and status")
{
	pid_t child = start_tracee(exit_five);
	long word;

	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message(child), 5 << 8);
	CHECK_EQ(TRACE(PTRACE_PEEKDATA, child, exit_five, &word), 0);
	CHECK_EQ(finish(child), 5);
}

TEST(exit_event_of_killed, 5, "TRACEEXIT: a killed tracee stops once more")
{
	pid_t child = start_tracee(exit_five);

	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACEEXIT), 0);
	kill(child, SIGKILL);
	CHECK_EQ(next_stop(child), EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message(child), SIGKILL);
	CHECK_EQ(finish(child), 128 + SIGKILL);
}

/* ---- SEIZE ---- */

static pid_t seize(unsigned long options)
{
	pid_t child = start_child(NULL);

	CHECK_EQ(TRACE(PTRACE_SEIZE, child, 0, options), 0);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	return child;
}

TEST(interrupt, 5, "SEIZE does not stop, INTERRUPT does")
{
	pid_t child = seize(0);
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_INTERRUPT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), EVENT(PTRACE_EVENT_STOP));
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_code, EVENT(PTRACE_EVENT_STOP));
	/* A call that was interrupted goes on: pause() does not return. */
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	test_sleep_ms(20);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	kill_tracee(child);
}

TEST(interrupt_of_attached, 5, "INTERRUPT and LISTEN are EIO for a tracee that was not seized")
{
	pid_t child = start_tracee(exit_five);

	CHECK_ERR(TRACE(PTRACE_INTERRUPT, child, 0, 0), EIO);
	CHECK_ERR(TRACE(PTRACE_LISTEN, child, 0, 0), EIO);
	CHECK_EQ(finish(child), 5);
}

TEST(group_stop, 5, "a group stop of a seized tracee is told as such, and LISTEN waits for SIGCONT")
{
	pid_t child = seize(0);
	siginfo_t info;

	kill(child, SIGSTOP);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGSTOP), 0);
	CHECK_EQ(next_stop(child), SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(TRACE(PTRACE_LISTEN, child, 0, 0), 0);
	CHECK_ERR(TRACE(PTRACE_CONT, child, 0, 0), ESRCH);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGCONT);
	CHECK_EQ(next_stop(child), EVENT(PTRACE_EVENT_STOP));
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGCONT);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGCONT), 0);
	kill_tracee(child);
}

TEST(listening_is_interrupted, 5, "INTERRUPT ends LISTEN")
{
	pid_t child = seize(0);

	kill(child, SIGSTOP);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGSTOP), 0);
	CHECK_EQ(next_stop(child), SIGSTOP | PTRACE_EVENT_STOP << 8);
	CHECK_EQ(TRACE(PTRACE_LISTEN, child, 0, 0), 0);
	CHECK_EQ(TRACE(PTRACE_INTERRUPT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGSTOP | PTRACE_EVENT_STOP << 8);
	kill_tracee(child);
}

TEST(attached_group_stop, 5, "a group stop of an attached tracee has no siginfo, and CONT ends it")
{
	pid_t child = start_child(NULL);
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_ATTACH, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGSTOP), 0);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_ERR(TRACE(PTRACE_GETSIGINFO, child, 0, &info), EINVAL);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	await_sleep(child);
	/* Without its tracer, it stops like the rest of its process. */
	kill(child, SIGUSR1);
	CHECK_EQ(next_stop(child), SIGUSR1);
	CHECK_EQ(TRACE(PTRACE_DETACH, child, 0, 0), 0);
	while (state_letter(child) != 'T')
		test_sleep_ms(1);
	kill(child, SIGCONT);
	kill_tracee(child);
}

TEST(seized_children, 5, "the child of a seized tracee stops with an event, not with SIGSTOP")
{
	pid_t parent = fork(), child;

	if (!parent) {
		raise(SIGSTOP);
		fork_once();
	}
	CHECK_EQ(waitpid(parent, NULL, WUNTRACED), parent);
	CHECK_EQ(TRACE(PTRACE_SEIZE, parent, 0, PTRACE_O_TRACEFORK), 0);
	CHECK_EQ(next_stop(parent), SIGSTOP | PTRACE_EVENT_STOP << 8);
	kill(parent, SIGCONT);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), EVENT(PTRACE_EVENT_STOP));
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), SIGCONT);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), EVENT(PTRACE_EVENT_FORK));
	child = message(parent);
	CHECK_EQ(next_stop(child), EVENT(PTRACE_EVENT_STOP));
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(finish(child), 3);
	CHECK_EQ(next_stop(parent), SIGCHLD);
	CHECK_EQ(finish(parent), 3);
}

static void clone_traced(void)
{
	pid_t child = syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0);

	if (!child)
		_exit(3);
	_exit(test_wait(child));
}

TEST(clone_ptrace, 5, "a child made with CLONE_PTRACE has its parent's tracer, without an event")
{
	pid_t parent = start_tracee(clone_traced), child;
	int status;

	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	child = waitpid(-1, &status, __WALL);
	CHECK(child > 0 && child != parent);
	CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
	CHECK_EQ(status_field(child, "TracerPid", NULL), getpid());
	CHECK_EQ(finish(child), 3);
	CHECK_EQ(next_stop(parent), SIGCHLD);
	CHECK_EQ(finish(parent), 3);
}

static void clone_untraced(void)
{
	pid_t child = syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

	if (!child)
		_exit(3);
	_exit(test_wait(child));
}

TEST(clone_untraced, 5, "no option gets a child that was made with CLONE_UNTRACED")
{
	pid_t parent = start_tracee(clone_untraced);

	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, parent, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK),
		 0);
	CHECK_EQ(TRACE(PTRACE_CONT, parent, 0, 0), 0);
	CHECK_EQ(next_stop(parent), SIGCHLD);
	CHECK_EQ(finish(parent), 3);
}
