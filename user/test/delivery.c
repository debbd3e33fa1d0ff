/*
 * Signals as a program receives them: handlers, masks, siginfo, faults, and what a switch leaves
 * alone.
 */
#include "test.h"
#include <sched.h>

static volatile int hits, last_signal;
static siginfo_t last_info;

static void on_signal(int sig)
{
	last_signal = sig;
	hits++;
}

static void on_siginfo(int sig, siginfo_t *info, void *context)
{
	(void)context;
	last_signal = sig;
	last_info = *info;
	hits++;
}

static void handle(int sig, void (*handler)(int), int flags)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	CHECK_EQ(sigaction(sig, &action, NULL), 0);
}

TEST(handlers, 5, "a handler runs with its signal blocked and returns to where it was")
{
	handle(SIGUSR1, on_signal, 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(hits, 1);
	handle(SIGUSR1, on_signal, SA_RESETHAND);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(hits, 2);
	{
		struct sigaction now;

		CHECK_EQ(sigaction(SIGUSR1, NULL, &now), 0);
		CHECK(now.sa_handler == SIG_DFL);
	}
	CHECK_ERR(sigaction(SIGKILL, &(struct sigaction){ .sa_handler = on_signal }, NULL), EINVAL);
	CHECK_ERR(kill(getpid(), 99), EINVAL);
}

static volatile int depth, deepest;
static void on_nested(int sig)
{
	if (++depth > deepest)
		deepest = depth;
	if (++hits < 3)
		raise(sig);
	depth--;
}

TEST(not_reentered, 5,
     "a signal that comes in its own handler waits for the end of that, but with SA_NODEFER")
{
	handle(SIGUSR1, on_nested, 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(hits, 3);
	CHECK_EQ(deepest, 1);
	hits = 0;
	handle(SIGUSR1, on_nested, SA_NODEFER);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(deepest, 3);
}

TEST(masks, 5, "a blocked signal waits; sigpending shows it, sigsuspend lets it in")
{
	sigset_t usr1, old, pending;

	handle(SIGUSR1, on_signal, 0);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &usr1, &old), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(raise(SIGUSR1), 0);
	CHECK_EQ(hits, 0);
	CHECK_EQ(sigpending(&pending), 0);
	CHECK(sigismember(&pending, SIGUSR1));
	CHECK_ERR(sigsuspend(&old), EINTR);
	CHECK_EQ(hits, 1);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &old, NULL), 0);
	CHECK_EQ(hits, 1);
}

TEST(siginfo, 5, "SA_SIGINFO says who sent it, and where a fault was")
{
	struct sigaction action = { .sa_sigaction = on_siginfo, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(SIGUSR2, &action, NULL), 0);
	CHECK_EQ(kill(getpid(), SIGUSR2), 0);
	CHECK_EQ(last_info.si_pid, getpid());
	CHECK_EQ(last_info.si_code, SI_USER);
	CHECK_EQ(last_info.si_signo, SIGUSR2);
}

static void *volatile fault_at;
static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	_exit(sig == SIGSEGV && info->si_addr == fault_at ? 33 : 34);
}

TEST(faults, 5, "bad memory is SIGSEGV with its address, division SIGFPE, a bad opcode SIGILL")
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	pid_t child = fork();

	if (!child) {
		sigaction(SIGSEGV, &action, NULL);
		fault_at = (void *)0x1234;
		*(volatile int *)fault_at = 1;
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 33);
	child = fork();
	if (!child) {
		fault_at = (void *)0x10;
		*(volatile int *)fault_at = 1;
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGSEGV);
	child = fork();
	if (!child) {
		__asm__ volatile("ud2");
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGILL);
	child = fork();
	if (!child) {
		__asm__ volatile("xorl %%edx, %%edx; xorl %%ecx, %%ecx; divl %%ecx" ::
					 : "eax", "ecx", "edx");
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGFPE);
	child = fork();
	if (!child) {
		__asm__ volatile("cli");
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 128 + SIGSEGV);
}

TEST(floating_point, 20, "floating point state survives switches and handlers")
{
	pid_t children[4];

	for (int c = 0; c < 4; c++) {
		if ((children[c] = fork()))
			continue;
		double x = c + 1, sum = 0;

		handle(SIGALRM, on_signal, SA_RESTART);
		for (int i = 0; i < 200000; i++) {
			sum += x / (i + 1);
			if (i % 20000 == 0)
				sched_yield();
		}
		for (int i = 199999; i >= 0; i--)
			sum -= x / (i + 1);
		_exit(!(sum < 1e-6 && sum > -1e-6));
	}
	for (int c = 0; c < 4; c++)
		CHECK_EQ(test_wait(children[c]), 0);
}
