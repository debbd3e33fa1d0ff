/*
 * Signals: restarted calls, what a handler sees and changes, and a storm of them.
 */
#include "signals.h"
#include <ucontext.h>

TEST(restart, 10, "a read is restarted with SA_RESTART and fails with EINTR without")
{
	int fds[2];
	char c;

	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		CHECK(pipe(fds) == 0);
		handle(SIGUSR1, on_signal, flags);
		pid_t parent = getpid(), child = fork();

		if (child == 0) {
			test_sleep_ms(100);
			kill(parent, SIGUSR1);
			test_sleep_ms(100);
			write(fds[1], "x", 1);
			_exit(0);
		}
		if (flags)
			CHECK(read(fds[0], &c, 1) == 1);
		else
			CHECK(read(fds[0], &c, 1) == -1 && errno == EINTR);
		CHECK(wait_status(child) == 0);
		close(fds[0]);
		close(fds[1]);
	}
	CHECK(hits == 2);
}

TEST(stop_restarts_sleep, 10,
     "a sleep that is stopped and continued goes on for what is left of it")
{
	pid_t child = fork();

	if (child == 0) {
		struct timespec ts = { 0, 600000000 };

		_exit(nanosleep(&ts, NULL) == 0 ? 0 : errno);
	}
	test_sleep_ms(100);
	kill(child, SIGSTOP);
	int status;

	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	kill(child, SIGCONT);
	CHECK(wait_status(child) == 0);
}

static int deep(int n)
{
	volatile char room[4096];

	room[0] = n;
	return n < 0 ? 0 : deep(n + 1) + room[0];
}

TEST(stack_overflow, 10, "a stack that overflows is SIGSEGV, handled or not")
{
	pid_t child = fork();

	if (child == 0) {
		handle(SIGSEGV, on_signal, 0);
		_exit(deep(0));
	}
	CHECK(WTERMSIG(wait_status(child)) == SIGSEGV);
	child = fork();
	if (child == 0)
		_exit(deep(0));
	CHECK(WTERMSIG(wait_status(child)) == SIGSEGV);
}

static void change_context(int sig, siginfo_t *info, void *data)
{
	ucontext_t *context = data;

	context->uc_mcontext.gregs[REG_EAX] = 1234;
	sigaddset(&context->uc_sigmask, SIGUSR2);
}

TEST(context, 5, "what a handler writes into its context is what the program goes on with")
{
	sigset_t now;
	int result;

	handle(SIGUSR1, change_context, SA_SIGINFO);
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "0"(SYS_tkill), "b"(syscall(SYS_gettid)), "c"(SIGUSR1)
			 : "memory");
	CHECK(result == 1234);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR2) == 1);
}

static void spoil(int sig, siginfo_t *info, void *data)
{
	ucontext_t *context = data;

	switch (hits) {
	case 0:
		context->uc_mcontext.gregs[REG_CS] = 8;
		break;
	case 1:
		context->uc_mcontext.gregs[REG_SS] = 0x10;
		break;
	case 2:
		context->uc_mcontext.gregs[REG_DS] = 0x10;
		break;
	case 3:
		context->uc_mcontext.gregs[REG_FS] = 0x28;
		break;
	case 4:
		context->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x20000 | 0x4000;
		break;
	case 5:
		context->uc_mcontext.fpregs = (void *)0xc0000000;
		break;
	case 6:
		((unsigned int *)context->uc_mcontext.fpregs)[28 + 6] = 0xffffffff;
		break;
	}
}

TEST(bad_context, 10,
     "a spoiled context ends the program with SIGSEGV, or is put right; the kernel does not mind")
{
	for (int i = 0; i <= 6; i++) {
		pid_t child = fork();

		if (child == 0) {
			unsigned int flags;

			hits = i;
			handle(SIGUSR1, spoil, SA_SIGINFO);
			syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1);
			__asm__ volatile("pushfl; popl %0" : "=r"(flags));
			_exit(flags & 0x23000 ? 1 : 0);
		}
		int status = wait_status(child);

		if (i >= 2 && i != 5)
			CHECK(status == 0 || WTERMSIG(status) == SIGSEGV);
		else
			CHECK(WIFSIGNALED(status));
	}
}

TEST(nodefer_resethand, 5,
     "SA_NODEFER lets a handler be interrupted by its own signal; SA_RESETHAND makes it run once")
{
	handle(SIGUSR1, on_signal, SA_RESETHAND);
	raise(SIGUSR1);
	CHECK(hits == 1);
	struct sigaction now;

	CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
	pid_t child = fork();

	if (child == 0) {
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK(WTERMSIG(wait_status(child)) == SIGUSR1);
}

TEST(ignored_is_forgotten, 5,
     "a pending signal is forgotten when it is ignored; exec keeps SIG_IGN and the mask")
{
	sigset_t set = set_of(SIGUSR1), pending;

	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	sigpending(&pending);
	CHECK(sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, SIG_IGN);
	sigpending(&pending);
	CHECK(!sigismember(&pending, SIGUSR1));
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

TEST(signal_storm, 60, "three processes send nine hundred signals to a fourth, one at a time each")
{
	int go[2];
	sigset_t set = set_of(SIGUSR1), none;
	pid_t parent = getpid();
	char c;

	CHECK(pipe(go) == 0);
	sigemptyset(&none);
	sigprocmask(SIG_BLOCK, &set, NULL);
	handle(SIGUSR1, on_signal, 0);
	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			for (int j = 0; j < 300; j++)
				if (kill(parent, SIGUSR1) < 0 || read(go[0], &c, 1) != 1)
					_exit(1);
			_exit(0);
		}
	}
	/* Signals that meet are one; of three that are let go on, one at least has more to send. */
	for (int round = 1; round <= 300; round++) {
		sigsuspend(&none);
		CHECK(hits == round);
		CHECK(write(go[1], "xxx", 3) == 3);
	}
	for (int i = 0; i < 3; i++) {
		int status;

		while (wait(&status) < 0)
			CHECK(errno == EINTR);
		CHECK(status == 0);
	}
}
