/* ptrace: how a tracee stops, how its tracer is told, and how it goes on. */
#include "ptrace.h"
#include "background.h"
#include <pthread.h>

static void nothing(void)
{
}

static void one_call(void)
{
	syscall(SYS_getppid);
}

static volatile sig_atomic_t caught;

static void count(int signo)
{
	caught = signo;
}

TEST(traceme, 5, "a child that asks for it stops for its parent, and can be seen to do so")
{
	pid_t child = start_tracee(nothing);

	CHECK_EQ(state_letter(child), 't');
	CHECK_EQ(status_field(child, "TracerPid", NULL), getpid());
	CHECK_EQ(finish(child), 0);
}

TEST(traceme_once, 5, "a task has one tracer: a second TRACEME is EPERM")
{
	pid_t child = fork();

	if (!child) {
		CHECK_EQ(TRACE(PTRACE_TRACEME, 0, 0, 0), 0);
		CHECK_ERR(TRACE(PTRACE_TRACEME, 0, 0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
}

static void raise_two(void)
{
	signal(SIGUSR1, count);
	raise(SIGUSR1);
	if (caught)
		_exit(1);
	raise(SIGUSR1);
	_exit(caught == SIGUSR2 ? 0 : 2);
}

static void raise_two_handlers(void)
{
	signal(SIGUSR2, count);
	raise_two();
}

TEST(signals_pass_the_tracer, 5, "the tracer may suppress a signal, or replace it by another one")
{
	pid_t child = start_tracee(raise_two_handlers);
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGUSR1);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_signo, SIGUSR1);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGUSR1);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGUSR2), 0);
	CHECK_EQ(test_wait(child), 0);
}

static siginfo_t handled;

static void keep_info(int signo, siginfo_t *info, void *context)
{
	handled = *info;
}

static void queue_one(void)
{
	struct sigaction action = { .sa_sigaction = keep_info, .sa_flags = SA_SIGINFO };

	sigaction(SIGUSR1, &action, NULL);
	sigqueue(getpid(), SIGUSR1, (union sigval){ .sival_int = 7 });
	_exit(handled.si_value.sival_int);
}

TEST(siginfo_is_changed, 5, "SETSIGINFO changes what the handler gets")
{
	pid_t child = start_tracee(queue_one);
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGUSR1);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_value.sival_int, 7);
	info.si_value.sival_int = 42;
	CHECK_EQ(TRACE(PTRACE_SETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 42);
}

static void raise_ignored(void)
{
	signal(SIGUSR1, SIG_IGN);
	raise(SIGUSR1);
}

TEST(ignored_signals_stop, 5, "the tracer sees signals that the tracee ignores, too")
{
	pid_t child = start_tracee(raise_ignored);

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGUSR1);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 0);
}

static void die(void)
{
	raise(SIGTERM);
}

TEST(fatal_signals_stop, 5, "a signal that would end the tracee stops it first")
{
	pid_t child = start_tracee(die);
	int status;

	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTERM);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, SIGTERM), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, SIGTERM);
}

TEST(kill_ends_a_stopped_tracee, 5, "SIGKILL and PTRACE_KILL end a stopped tracee")
{
	pid_t child = start_tracee(nothing);

	kill_tracee(child);
	child = start_tracee(nothing);
	CHECK_EQ(TRACE(PTRACE_KILL, child, 0, 0), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_ERR(TRACE(PTRACE_CONT, child, 0, 0), ESRCH);
}

TEST(syscalls_stop_twice, 5, "PTRACE_SYSCALL stops at the beginning and the end of a call")
{
	pid_t child = start_tracee(one_call);
	struct user_regs_struct regs;
	siginfo_t info;

	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD), 0);
	do {
		CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
		CHECK_EQ(next_stop(child), SYSGOOD_TRAP);
		regs = get_registers(child);
	} while (regs.orig_eax != SYS_getppid);
	CHECK_EQ(regs.eax, -ENOSYS);
	CHECK_EQ(TRACE(PTRACE_GETSIGINFO, child, 0, &info), 0);
	CHECK_EQ(info.si_signo, SIGTRAP);
	CHECK_EQ(info.si_code, SYSGOOD_TRAP);
	CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SYSGOOD_TRAP);
	CHECK_EQ(get_registers(child).eax, getpid());
	CHECK_EQ(get_registers(child).orig_eax, SYS_getppid);
	CHECK_EQ(finish(child), 0);
}

static void ask_parent(void)
{
	_exit(syscall(SYS_getppid) == 77 ? 0 : 1);
}

/* Lets the tracee run to the beginning of the call. */
static void run_to_call(pid_t child, long number)
{
	do {
		CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
		CHECK_EQ(next_stop(child), SIGTRAP);
	} while (peek_user(child, REGISTER_AT(orig_eax)) != number);
}

TEST(calls_are_changed, 5,
     "a tracer changes the number of a call, leaves it out, or changes its result")
{
	pid_t child = start_tracee(ask_parent);

	run_to_call(child, SYS_getppid);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(orig_eax), SYS_getpid), 0);
	CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP);
	CHECK_EQ(peek_user(child, REGISTER_AT(eax)), child);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eax), 77), 0);
	CHECK_EQ(finish(child), 0);

	child = start_tracee(ask_parent);
	run_to_call(child, SYS_getppid);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(orig_eax), -1), 0);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eax), 77), 0);
	CHECK_EQ(finish(child), 0);
}

TEST(emulated_calls, 5, "PTRACE_SYSEMU stops at a call and leaves it out")
{
	pid_t child = start_tracee(ask_parent);

	do {
		CHECK_EQ(TRACE(PTRACE_SYSEMU, child, 0, 0), 0);
		CHECK_EQ(next_stop(child), SIGTRAP);
	} while (peek_user(child, REGISTER_AT(orig_eax)) != SYS_getppid);
	CHECK_EQ(TRACE(PTRACE_POKEUSER, child, REGISTER_AT(eax), 77), 0);
	CHECK_EQ(finish(child), 0);
}

struct call_info { /* struct ptrace_syscall_info */
	uint8_t op, pad[3];
	uint32_t arch;
	uint64_t ip, sp, words[8];
};
#define GET_SYSCALL_INFO 0x420e

static void close_bad(void)
{
	close(999);
}

TEST(syscall_info, 5, "GET_SYSCALL_INFO tells number, arguments and result")
{
	pid_t child = start_tracee(close_bad);
	struct call_info info;

	CHECK_EQ(TRACE(GET_SYSCALL_INFO, child, sizeof(info), &info), 24);
	CHECK_EQ(info.op, 0);
	CHECK_EQ(info.arch, 0x40000003);
	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD), 0);
	do {
		CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
		CHECK_EQ(next_stop(child), SYSGOOD_TRAP);
		CHECK_EQ(TRACE(GET_SYSCALL_INFO, child, sizeof(info), &info),
			 peek_user(child, REGISTER_AT(eax)) == -ENOSYS ? 80 : 33);
	} while (info.op != 1 || info.words[0] != SYS_close);
	CHECK_EQ(info.words[1], 999);
	CHECK_EQ(info.ip, (uint32_t)get_registers(child).eip);
	CHECK_EQ(TRACE(PTRACE_SYSCALL, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SYSGOOD_TRAP);
	memset(&info, 0xff, sizeof(info));
	CHECK_EQ(TRACE(GET_SYSCALL_INFO, child, sizeof(info), &info), 33);
	CHECK_EQ(info.op, 2);
	CHECK_EQ((int64_t)info.words[0], -EBADF);
	CHECK_EQ(info.words[1] & 0xff, 1);
	CHECK_EQ(info.words[1] >> 8 & 0xff, 0xff);
	/* A buffer that is too small gets as much as it holds. */
	memset(&info, 0, sizeof(info));
	CHECK_EQ(TRACE(GET_SYSCALL_INFO, child, 8, &info), 33);
	CHECK_EQ(info.ip, 0);
	CHECK_EQ(finish(child), 0);
}

TEST(attach, 5, "ATTACH stops a process that runs or sleeps, and DETACH lets it go")
{
	pid_t child = start_child(NULL);

	CHECK_EQ(TRACE(PTRACE_ATTACH, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(state_letter(child), 't');
	CHECK_ERR(TRACE(PTRACE_ATTACH, child, 0, 0), EPERM);
	CHECK_ERR(TRACE(PTRACE_DETACH, child, 0, 65), EIO);
	CHECK_EQ(TRACE(PTRACE_DETACH, child, 0, 0), 0);
	CHECK_EQ(status_field(child, "TracerPid", NULL), 0);
	CHECK_ERR(TRACE(PTRACE_CONT, child, 0, 0), ESRCH);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	kill_tracee(child);
}

TEST(detach_with_signal, 5, "DETACH hands over a signal")
{
	pid_t child = start_child(NULL);

	CHECK_EQ(TRACE(PTRACE_ATTACH, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGSTOP);
	CHECK_EQ(TRACE(PTRACE_DETACH, child, 0, SIGTERM), 0);
	CHECK_EQ(test_wait(child), 128 + SIGTERM);
}

TEST(attach_to_stopped, 5, "ATTACH to a stopped process: its stop is there at once")
{
	pid_t child = start_child(NULL);
	int status;

	kill(child, SIGSTOP);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_EQ(TRACE(PTRACE_ATTACH, child, 0, 0), 0);
	CHECK_EQ(waitpid(child, &status, WNOHANG), child);
	CHECK_EQ(status, SIGSTOP << 8 | 0x7f);
	CHECK_EQ(TRACE(PTRACE_DETACH, child, 0, 0), 0);
	kill(child, SIGCONT);
	kill_tracee(child);
}

TEST(waiting, 5, "waitpid and waitid tell of a stop once, WNOWAIT leaves it")
{
	pid_t child = start_tracee(die);
	siginfo_t info;
	int status;

	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(waitid(P_PID, child, &info, WEXITED | WSTOPPED | WNOWAIT), 0);
	CHECK_EQ(info.si_code, CLD_TRAPPED);
	CHECK_EQ(info.si_status, SIGTERM);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(waitid(P_ALL, 0, &info, WEXITED), 0);
	CHECK_EQ(info.si_code, CLD_TRAPPED);
	CHECK_EQ(waitpid(child, &status, WNOHANG | WUNTRACED), 0);
	CHECK_EQ(finish(child), 0);
}

static siginfo_t told;

static void keep_told(int signo, siginfo_t *info, void *context)
{
	told = *info;
}

TEST(sigchld, 5, "the tracer gets SIGCHLD with CLD_TRAPPED")
{
	struct sigaction action = { .sa_sigaction = keep_told, .sa_flags = SA_SIGINFO };
	pid_t child;

	sigaction(SIGCHLD, &action, NULL);
	child = start_tracee(die);
	CHECK_EQ(told.si_code, CLD_TRAPPED);
	CHECK_EQ(told.si_status, SIGSTOP);
	CHECK_EQ(told.si_pid, child);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTERM);
	CHECK_EQ(told.si_status, SIGTERM);
	CHECK_EQ(finish(child), 0);
}

TEST(errors, 5, "requests to what is not a stopped tracee are ESRCH, unknown ones EIO")
{
	pid_t child = start_child(NULL);

	CHECK_ERR(TRACE(PTRACE_CONT, child, 0, 0), ESRCH);
	CHECK_ERR(TRACE(PTRACE_KILL, child, 0, 0), ESRCH);
	CHECK_ERR(TRACE(PTRACE_ATTACH, 999999, 0, 0), ESRCH);
	CHECK_ERR(TRACE(PTRACE_ATTACH, getpid(), 0, 0), EPERM);
	CHECK_ERR(TRACE(PTRACE_SEIZE, child, 1, 0), EIO);
	CHECK_ERR(TRACE(PTRACE_SEIZE, child, 0, 1 << 30), EIO);
	CHECK_EQ(TRACE(PTRACE_SEIZE, child, 0, 0), 0);
	CHECK_ERR(TRACE(PTRACE_CONT, child, 0, 0), ESRCH);
	CHECK_EQ(TRACE(PTRACE_INTERRUPT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP | PTRACE_EVENT_STOP << 8);
	CHECK_ERR(TRACE(0x1234, child, 0, 0), EIO);
	CHECK_ERR(TRACE(PTRACE_CONT, child, 0, 65), EIO);
	CHECK_ERR(TRACE(PTRACE_SETOPTIONS, child, 0, 1 << 30), EINVAL);
	kill_tracee(child);
}

TEST(tracer_ends, 5, "the tracer's end lets its tracees go, or kills them if it has asked for that")
{
	pid_t child = start_child(NULL), killed = start_child(NULL), tracer = fork();

	if (!tracer) {
		CHECK_EQ(TRACE(PTRACE_ATTACH, child, 0, 0), 0);
		CHECK_EQ(next_stop(child), SIGSTOP);
		CHECK_EQ(TRACE(PTRACE_SEIZE, killed, 0, PTRACE_O_EXITKILL), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(tracer), 0);
	CHECK_EQ(test_wait(killed), 128 + SIGKILL);
	CHECK_EQ(status_field(child, "TracerPid", NULL), 0);
	CHECK_EQ(waitpid(child, NULL, WNOHANG | WUNTRACED), 0);
	await_sleep(child);
	kill_tracee(child);
}

TEST(tracer_waits_first, 5,
     "the end of another's child is told to its tracer first, then to its parent")
{
	pid_t child = start_child(NULL), tracer;
	int go[2], status;
	char byte;

	CHECK(pipe(go) == 0);
	tracer = fork();
	if (!tracer) {
		CHECK_EQ(TRACE(PTRACE_SEIZE, child, 0, 0), 0);
		kill(child, SIGKILL);
		CHECK_EQ(waitid(P_PID, child, &told, WEXITED | WNOWAIT), 0);
		CHECK_EQ(write(go[1], "x", 1), 1);
		CHECK_EQ(read(go[0], &byte, 0), 0);
		await_sleep(getppid());
		CHECK_EQ(waitpid(child, &status, __WALL), child);
		CHECK_EQ(status, SIGKILL);
		CHECK_ERR(waitpid(child, &status, __WALL), ECHILD);
		_exit(0);
	}
	CHECK_EQ(read(go[0], &byte, 1), 1);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, SIGKILL);
	CHECK_EQ(test_wait(tracer), 0);
}

static void *sleep_on(void *arg)
{
	while (pause() < 0)
		;
	return arg;
}

static void with_thread(void)
{
	pthread_t thread;

	CHECK(pthread_create(&thread, NULL, sleep_on, NULL) == 0);
}

static pid_t other_thread(pid_t pid)
{
	char path[32];

	for (pid_t tid = pid + 1; tid < pid + 200; tid++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, tid);
		if (access(path, F_OK) == 0)
			return tid;
	}
	test_fail(__FILE__, __LINE__, "there is no second thread");
	return 0;
}

TEST(threads_are_traced_alone, 5,
     "each thread is attached to, and ends, by its own number; the leader last")
{
	pid_t child = start_child(NULL), thread;
	int status;

	kill_tracee(child);
	child = start_tracee(with_thread);
	CHECK_EQ(TRACE(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE), 0);
	CHECK_EQ(TRACE(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(next_stop(child), SIGTRAP | PTRACE_EVENT_CLONE << 8);
	thread = other_thread(child);
	CHECK_EQ(next_stop(thread), SIGSTOP);
	kill(child, SIGKILL);
	test_sleep_ms(50); /* both may have ended before the first is waited for */
	CHECK_EQ(waitpid(-1, &status, __WALL), thread);
	CHECK_EQ(status, SIGKILL);
	CHECK_EQ(waitpid(-1, &status, __WALL), child);
	CHECK_EQ(status, SIGKILL);
	CHECK_ERR(waitpid(-1, &status, __WALL), ECHILD);
}
