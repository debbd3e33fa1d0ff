/*
 * Queued signals: real-time signals, their values and limits, and taking them without a handler.
 */
#include "signals.h"
#include "text_files.h"
#include <pthread.h>
#include <sys/resource.h>

#define RT   40 /* a real-time signal that the C library does not use itself */
#define MANY 20

static int got[MANY], got_signal[MANY], nr_got;
static siginfo_t last;

static void keep(int sig, siginfo_t *info, void *context)
{
	last = *info;
	if (nr_got < MANY) {
		got_signal[nr_got] = sig;
		got[nr_got++] = info->si_value.sival_int;
	}
}

static int queue(pid_t pid, int sig, int value)
{
	return sigqueue(pid, sig, (union sigval){ .sival_int = value });
}

#define WAIT 421 /* rt_sigtimedwait_time64: the C library's timespec has 64-bit seconds */

/* sigtimedwait for one signal. The C library starts it over after a signal, the call does not. */
static int take(int sig, siginfo_t *info, int ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000l };
	sigset_t set = set_of(sig);

	return syscall(WAIT, &set, info, ms < 0 ? NULL : &wait, 8);
}

TEST(order, 5, "real-time signals are queued: by number, and then as they were sent")
{
	handle(RT, keep, SA_SIGINFO);
	handle(RT + 1, keep, SA_SIGINFO);
	handle(SIGUSR1, keep, SA_SIGINFO);
	for (int sig = RT; sig <= RT + 1; sig++)
		block(sig);
	block(SIGUSR1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(queue(getpid(), RT + 1, 10 + i), 0);
		CHECK_EQ(queue(getpid(), SIGUSR1, 30 + i), 0);
		CHECK_EQ(queue(getpid(), RT, 20 + i), 0);
	}
	siginfo_t info;

	/* The first of the standard signals is the one that stays. */
	CHECK_EQ(take(SIGUSR1, &info, 0), SIGUSR1);
	CHECK_EQ(info.si_value.sival_int, 30);
	CHECK_ERR(take(SIGUSR1, &info, 0), EAGAIN);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(take(RT, &info, 0), RT);
		CHECK_EQ(info.si_value.sival_int, 20 + i);
		CHECK_EQ(info.si_code, SI_QUEUE);
		CHECK_EQ(info.si_pid, getpid());
		CHECK_EQ(info.si_uid, getuid());
	}
	for (int i = 0; i < 3; i++) {
		sigset_t pending;

		CHECK_EQ(sigpending(&pending), 0);
		CHECK(sigismember(&pending, RT + 1));
		CHECK_EQ(take(RT + 1, &info, 0), RT + 1);
		CHECK_EQ(info.si_value.sival_int, 10 + i);
	}
	CHECK_ERR(take(RT + 1, &info, 0), EAGAIN);
}

TEST(handled, 5, "handlers get every one, the lowest number last begun and first run")
{
	sigset_t none, set;

	handle(RT, keep, SA_SIGINFO);
	handle(RT + 1, keep, SA_SIGINFO);
	sigfillset(&set);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &set, NULL), 0);
	for (int i = 0; i < 4; i++) {
		CHECK_EQ(queue(getpid(), RT, i), 0);
		CHECK_EQ(queue(getpid(), RT + 1, 10 + i), 0);
	}
	sigemptyset(&none);
	CHECK_EQ(sigprocmask(SIG_SETMASK, &none, NULL), 0);
	CHECK_EQ(nr_got, 8);
	int next[2] = { 0, 10 };

	for (int i = 0; i < 8; i++)
		CHECK_EQ(got[i], next[got_signal[i] - RT]++);
}

TEST(limit, 10, "RLIMIT_SIGPENDING: sigqueue fails with EAGAIN, kill does not")
{
	struct rlimit limit = { 3, 3 };
	siginfo_t info;
	sigset_t pending;
	int sent = 0;

	CHECK_EQ(setuid(12345), 0);
	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
	block(RT);
	block(RT + 1);
	block(SIGUSR1);
	while (sent < 3)
		CHECK_EQ(queue(getpid(), RT, sent++), 0);
	CHECK_ERR(queue(getpid(), RT, 3), EAGAIN);
	/* A standard signal needs no place, and kill makes do without. */
	CHECK_EQ(queue(getpid(), SIGUSR1, 7), 0);
	CHECK_EQ(kill(getpid(), RT + 1), 0);
	CHECK_ERR(syscall(SYS_tgkill, getpid(), getpid(), RT + 1), EAGAIN);
	CHECK_EQ(sigpending(&pending), 0);
	CHECK(sigismember(&pending, SIGUSR1) && sigismember(&pending, RT + 1));
	CHECK_EQ(take(RT, &info, 0), RT);
	CHECK_EQ(info.si_value.sival_int, 0);
	CHECK_EQ(queue(getpid(), RT, 3), 0);
	CHECK_ERR(queue(getpid(), RT, 4), EAGAIN);
	for (int i = 1; i <= 3; i++) {
		CHECK_EQ(take(RT, &info, 0), RT);
		CHECK_EQ(info.si_value.sival_int, i);
	}
	CHECK_EQ(take(RT + 1, &info, 0), RT + 1);
	CHECK_EQ(info.si_code, SI_USER);
	CHECK_ERR(take(RT + 1, &info, 0), EAGAIN);
}

TEST(forgotten, 5, "queued signals are gone when they are ignored, and their places are free")
{
	struct rlimit limit = { 3, 3 };
	siginfo_t info;

	CHECK_EQ(setuid(12345), 0);
	CHECK_EQ(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
	block(RT);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3; i++)
			CHECK_EQ(queue(getpid(), RT, i), 0);
		CHECK_ERR(queue(getpid(), RT, 3), EAGAIN);
		signal(RT, SIG_IGN);
		CHECK_ERR(take(RT, &info, 0), EAGAIN);
		signal(RT, SIG_DFL);
	}
	for (int i = 0; i < 3; i++)
		CHECK_EQ(queue(getpid(), RT, i), 0);
	pid_t child = fork();

	/* What is pending for the parent is not pending for the child, which counts on its own. */
	if (child == 0) {
		CHECK_ERR(take(RT, &info, 0), EAGAIN);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

TEST(spoof, 5,
     "only to itself may a task send the codes of the kernel; the words arrive as they were")
{
	siginfo_t info = { .si_code = SI_QUEUE }, back;
	pid_t child;

	block(RT);
	child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	CHECK_EQ(syscall(SYS_rt_sigqueueinfo, child, 0, &info), 0);
	info.si_code = SI_USER;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, RT, &info), EPERM);
	info.si_code = SI_KERNEL;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, 0, &info), EPERM);
	info.si_code = SI_TKILL;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, 0, &info), EPERM);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, child, child, 0, &info), EPERM);
	info.si_code = SI_QUEUE;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, 65, &info), EINVAL);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, 99999999, RT, &info), ESRCH);
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, child, RT, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, 0, child, RT, &info), EINVAL);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, child, -1, RT, &info), EINVAL);
	CHECK_ERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), child, RT, &info), ESRCH);
	kill(child, SIGKILL);
	CHECK_EQ(WTERMSIG(wait_status(child)), SIGKILL);

	for (int i = 0; i < 8; i++)
		((int *)&info)[i] = 100 + i;
	info.si_code = SI_USER;
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), RT, &info), 0);
	memset(&back, 0xff, sizeof(back));
	CHECK_EQ(take(RT, &back, 0), RT);
	CHECK_EQ(back.si_signo, RT);
	CHECK_EQ(back.si_code, SI_USER);
	for (int i = 0; i < 32; i++)
		if (i == 1 || (i > 2 && i < 8))
			CHECK_EQ(((int *)&back)[i], 100 + i);
		else if (i >= 8)
			CHECK_EQ(((int *)&back)[i], 0);
	info.si_code = -100;
	CHECK_EQ(syscall(SYS_rt_sigqueueinfo, getpid(), RT, &info), 0);
	((int *)&info)[20] = 1;
	CHECK_ERR(syscall(SYS_rt_sigqueueinfo, getpid(), RT, &info), E2BIG);
}

static void *send_later(void *arg)
{
	test_sleep_ms(100);
	CHECK_EQ(queue(getpid(), (int)(intptr_t)arg, 5), 0);
	return NULL;
}

TEST(waits, 10, "sigtimedwait sleeps for its signal and its time; other signals interrupt it")
{
	siginfo_t info;
	pid_t child;
	long long start = test_ms();

	block(RT);
	handle(SIGALRM, on_signal, SA_RESTART);
	CHECK_ERR(take(RT, &info, 200), EAGAIN);
	CHECK(test_ms() - start >= 199);
	/* A thread that ends would wake the others, so the sender is a process. */
	child = fork();
	if (child == 0) {
		test_sleep_ms(100);
		_exit(queue(getppid(), RT, 5) == 0 ? 0 : 1);
	}
	CHECK_EQ(take(RT, &info, -1), RT);
	CHECK_EQ(info.si_value.sival_int, 5);
	CHECK_EQ(test_wait(child), 0);
	alarm(1);
	CHECK_ERR(take(RT, &info, -1), EINTR);
	CHECK_EQ(hits, 1);
	/* It may wait for a signal that is not blocked, too, although that is not reliable. */
	CHECK_EQ(take(RT, NULL, 0), -1);
	sigset_t set = set_of(RT);
	struct timespec bad = { 0, 1000000000 };
	const int narrow[2] = { 0, 1000000 };

	CHECK_ERR(syscall(WAIT, &set, NULL, &bad, 8), EINVAL);
	CHECK_ERR(syscall(WAIT, &set, NULL, NULL, 4), EINVAL);
	CHECK_ERR(syscall(WAIT, NULL, NULL, NULL, 8), EFAULT);
	CHECK_EQ(queue(getpid(), RT, 1), 0);
	CHECK_ERR(syscall(WAIT, &set, (void *)8, NULL, 8), EFAULT);
	CHECK_ERR(take(RT, NULL, 0), EAGAIN);
	CHECK_ERR(syscall(177, &set, NULL, narrow, 8), EAGAIN);
}

TEST(wait_default, 10, "a blocked signal that would end the process, or be ignored, is taken")
{
	siginfo_t info;
	pthread_t id;
	pid_t child;

	block(SIGTERM);
	block(SIGCHLD);
	CHECK_EQ(pthread_create(&id, NULL, send_later, (void *)SIGTERM), 0);
	CHECK_EQ(take(SIGTERM, &info, -1), SIGTERM);
	pthread_join(id, NULL);
	child = fork();
	if (child == 0) {
		test_sleep_ms(100);
		_exit(7);
	}
	CHECK_EQ(take(SIGCHLD, &info, -1), SIGCHLD);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_pid, child);
	CHECK_EQ(info.si_status, 7);
	wait_status(child);
}

static void *take_them(void *arg)
{
	siginfo_t info;
	long sum = 0;

	while (take(RT, &info, 3000) == RT && info.si_value.sival_int)
		sum += info.si_value.sival_int;
	return (void *)sum;
}

TEST(shared, 20, "threads that wait for the same signals take each of them once")
{
	enum { THREADS = 3, EACH = 200 };
	pthread_t ids[THREADS];
	long sum = 0;

	block(RT);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&ids[i], NULL, take_them, NULL), 0);
	for (int i = 1; i <= EACH; i++)
		CHECK_EQ(queue(getpid(), RT, i), 0);
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(queue(getpid(), RT, 0), 0);
	for (int i = 0; i < THREADS; i++) {
		void *part;

		pthread_join(ids[i], &part);
		sum += (long)part;
	}
	CHECK_EQ(sum, EACH * (EACH + 1) / 2);
}

TEST(to_thread, 10, "a signal to one thread is that thread's alone")
{
	siginfo_t info = { .si_code = SI_QUEUE }, back;
	pthread_t id;
	void *sum;

	block(RT);
	info.si_value.sival_int = 4;
	CHECK_EQ(pthread_create(&id, NULL, take_them, NULL), 0);
	CHECK_EQ(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), RT, &info), 0);
	test_sleep_ms(100);
	CHECK_EQ(take(RT, &back, 0), RT);
	CHECK_EQ(back.si_value.sival_int, 4);
	CHECK_EQ(queue(getpid(), RT, 0), 0);
	pthread_join(id, &sum);
	CHECK_EQ((long)sum, 0);
}

/* Returns what the file says of a set of signals. */
static unsigned long long set_in_status(const char *name)
{
	return strtoull(named_line(contents("/proc/self/status"), name), NULL, 16);
}

#define BIT(sig) (1ull << ((sig)-1))

TEST(status, 5,
     "/proc/PID/status shows what is pending, blocked, ignored and caught, and how much is queued")
{
	unsigned long long queued = set_in_status("SigQ");

	handle(SIGUSR1, on_signal, 0);
	signal(SIGUSR2, SIG_IGN);
	block(RT);
	block(SIGUSR1);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(queue(getpid(), RT, i), 0);
	CHECK_EQ(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1), 0);
	CHECK_EQ(set_in_status("SigPnd"), BIT(SIGUSR1));
	CHECK_EQ(set_in_status("ShdPnd"), BIT(RT));
	CHECK_EQ(set_in_status("SigBlk"), BIT(RT) | BIT(SIGUSR1));
	CHECK_EQ(set_in_status("SigIgn") & BIT(SIGUSR2), BIT(SIGUSR2));
	CHECK_EQ(set_in_status("SigCgt") & (BIT(SIGUSR1) | BIT(SIGUSR2)), BIT(SIGUSR1));
	CHECK(set_in_status("SigQ") >= queued + 2);
}
