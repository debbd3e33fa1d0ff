/*
 * The calls for signals of the first Linux, with sets of 32 bits.
 */
#include "signals.h"

enum {
	NR_SIGNAL = 48,
	NR_SIGACTION = 67,
	NR_SGETMASK = 68,
	NR_SSETMASK = 69,
	NR_SIGSUSPEND = 72,
	NR_SIGPENDING = 73,
	NR_SIGPROCMASK = 126,
};

struct old_action {
	unsigned int handler, mask, flags, restorer;
};

static unsigned int bit(int sig)
{
	return 1u << (sig - 1);
}

TEST(actions, 5, "sigaction and signal set and tell an action; that of signal works once")
{
	struct old_action action = { (uintptr_t)on_signal, bit(SIGUSR2), 0, 0 }, told;

	CHECK_EQ(syscall(NR_SIGACTION, SIGUSR1, &action, NULL), 0);
	hits = 0;
	raise(SIGUSR1);
	CHECK_EQ(hits, 1);
	CHECK_EQ(syscall(NR_SIGACTION, SIGUSR1, NULL, &told), 0);
	CHECK(told.handler == action.handler && told.mask == action.mask && told.flags == 0);
	CHECK_EQ(syscall(NR_SIGNAL, SIGUSR2, on_signal), 0);
	CHECK_EQ(syscall(NR_SIGNAL, SIGUSR2, on_signal), (uintptr_t)on_signal);
	raise(SIGUSR2);
	CHECK_EQ(hits, 2);
	CHECK_EQ(syscall(NR_SIGACTION, SIGUSR2, NULL, &told), 0);
	CHECK_EQ(told.handler, 0);
	CHECK_ERR(syscall(NR_SIGNAL, SIGKILL, on_signal), EINVAL);
	CHECK_ERR(syscall(NR_SIGNAL, 65, on_signal), EINVAL);
	CHECK_ERR(syscall(NR_SIGACTION, 0, NULL, NULL), EINVAL);
	CHECK_ERR(syscall(NR_SIGACTION, SIGUSR1, 1, NULL), EFAULT);
	CHECK_ERR(syscall(NR_SIGACTION, SIGUSR1, NULL, 1), EFAULT);
}

TEST(masks, 10, "sigprocmask, sigpending, sigsuspend, sgetmask and ssetmask")
{
	unsigned int set = bit(SIGUSR1), old;
	sigset_t wide;

	handle(SIGUSR1, on_signal, 0);
	sigemptyset(&wide);
	sigaddset(&wide, SIGRTMIN + 5);
	sigprocmask(SIG_BLOCK, &wide, NULL);
	CHECK_EQ(syscall(NR_SIGPROCMASK, SIG_BLOCK, &set, &old), 0);
	CHECK_EQ(old, 0);
	hits = 0;
	raise(SIGUSR1);
	CHECK_EQ(hits, 0);
	CHECK_EQ(syscall(NR_SIGPENDING, &old), 0);
	CHECK_EQ(old, bit(SIGUSR1));
	CHECK_EQ(syscall(NR_SGETMASK), bit(SIGUSR1));
	CHECK_ERR(syscall(NR_SIGSUSPEND, 0, 0, bit(SIGUSR2)), EINTR);
	CHECK_EQ(hits, 1);
	CHECK_EQ(syscall(NR_SGETMASK), bit(SIGUSR1));
	/* The upper half stays. */
	set = bit(SIGUSR2);
	CHECK_EQ(syscall(NR_SIGPROCMASK, SIG_SETMASK, &set, NULL), 0);
	sigprocmask(SIG_BLOCK, NULL, &wide);
	CHECK(sigismember(&wide, SIGRTMIN + 5) && sigismember(&wide, SIGUSR2));
	CHECK(!sigismember(&wide, SIGUSR1));
	CHECK_EQ(syscall(NR_SSETMASK, bit(SIGHUP)), bit(SIGUSR2));
	sigprocmask(SIG_BLOCK, NULL, &wide);
	CHECK(!sigismember(&wide, SIGRTMIN + 5) && sigismember(&wide, SIGHUP));
	CHECK_ERR(syscall(NR_SIGPROCMASK, 3, &set, NULL), EINVAL);
	CHECK_ERR(syscall(NR_SIGPROCMASK, SIG_BLOCK, 1, NULL), EFAULT);
	CHECK_ERR(syscall(NR_SIGPENDING, 1), EFAULT);
	CHECK_EQ(syscall(NR_SSETMASK, 0), bit(SIGHUP));
}
