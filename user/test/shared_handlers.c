/*
 * CLONE_SIGHAND without CLONE_THREAD: two processes that have their signal handlers in common.
 */
#include "signals.h"
#include <sched.h>
#include <sys/prctl.h>

#define KCMP_SIGHAND 4
#define SHARED	     (CLONE_VM | CLONE_SIGHAND | SIGCHLD)

static char stack[65536] __attribute__((aligned(16)));
static int begun[2], finish[2];

static pid_t start(int (*run)(void *), int flags)
{
	pid_t child = clone(run, stack + sizeof(stack), flags, NULL);

	CHECK(child > 0);
	return child;
}

static void *handler_of(int signo)
{
	struct sigaction action;

	CHECK(sigaction(signo, NULL, &action) == 0);
	return action.sa_handler;
}

static int set_handlers(void *unused)
{
	(void)unused;
	if (handler_of(SIGUSR1) != on_signal)
		return 1;
	handle(SIGUSR2, on_signal, 0);
	signal(SIGUSR1, SIG_IGN);
	return 0;
}

TEST(common, 10, "what one process does with a signal, the other one does, too")
{
	handle(SIGUSR1, on_signal, 0);
	CHECK_EQ(test_wait(start(set_handlers, SHARED)), 0);
	CHECK(handler_of(SIGUSR1) == SIG_IGN);
	CHECK(handler_of(SIGUSR2) == on_signal);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, 0);
	kill(getpid(), SIGUSR2);
	CHECK_EQ(hits, 1);
}

static int do_everything(void *unused)
{
	signal(SIGUSR1, SIG_IGN);
	return set_handlers(unused) || chdir("/proc") || close(begun[0]);
}

TEST(everything, 10, "memory, files, directory and handlers in common")
{
	char name[64];

	CHECK(pipe(begun) == 0);
	handle(SIGUSR1, on_signal, 0);
	CHECK_EQ(test_wait(start(do_everything, SHARED | CLONE_FS | CLONE_FILES)), 1);
	CHECK(handler_of(SIGUSR1) == SIG_IGN);
	CHECK_EQ(fcntl(begun[0], F_GETFD), 0);
	handle(SIGUSR1, on_signal, 0);
	CHECK_EQ(test_wait(start(set_handlers, SHARED | CLONE_FS | CLONE_FILES)), 0);
	CHECK(getcwd(name, sizeof(name)) != NULL);
}

/* Says that it is there, and waits for the end of the case's pipe. */
static int wait_for_end(void *unused)
{
	char byte = 0;

	(void)unused;
	write_full(begun[1], &byte, 1);
	return read(finish[0], &byte, 1) != 1;
}

static pid_t start_waiting(void)
{
	char byte;
	pid_t child;

	CHECK(pipe(begun) == 0 && pipe(finish) == 0);
	child = start(wait_for_end, SHARED);
	CHECK_EQ(read(begun[0], &byte, 1), 1);
	return child;
}

TEST(two_processes, 10, "a signal goes to one of the processes, and kills only that one")
{
	pid_t child = start_waiting();

	CHECK(child != getpid());
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(test_wait(child), 128 + SIGTERM);
	handle(SIGUSR1, on_signal, 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(hits, 1);
}

TEST(told_apart, 10, "kcmp says that they are common; unshare cannot separate them")
{
	pid_t child = start_waiting();

	CHECK_EQ(syscall(SYS_kcmp, getpid(), child, KCMP_SIGHAND, 0, 0), 0);
	CHECK_ERR(unshare(CLONE_SIGHAND), EINVAL);
	CHECK_EQ(write(finish[1], "", 1), 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(unshare(CLONE_SIGHAND), 0);
	child = fork();
	if (child == 0)
		_exit(syscall(SYS_kcmp, getpid(), getppid(), KCMP_SIGHAND, 0, 0) == 0);
	CHECK_EQ(test_wait(child), 0);
}

static int exec_shell(void *unused)
{
	(void)unused;
	execl("/bin/sh", "sh", "-c", "trap : USR1; kill -USR1 $$; exit 3", NULL);
	return 1;
}

TEST(exec_separates, 10, "exec gives a program handlers of its own")
{
	handle(SIGUSR1, on_signal, 0);
	signal(SIGUSR2, SIG_IGN);
	CHECK_EQ(test_wait(start(exec_shell, SHARED)), 3);
	CHECK(handler_of(SIGUSR1) == on_signal);
	CHECK(handler_of(SIGUSR2) == SIG_IGN);
	kill(getpid(), SIGUSR1);
	CHECK_EQ(hits, 1);
}

TEST(flags_go_together, 5, "handlers need the memory in common, and threads need the handlers")
{
	CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_VM, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, 0, 0, 0, 0), EINVAL);
}
