/*
 * Signals, threads, futexes and the ends of processes, beyond the first steps that `process` tests.
 */
#include "user/test/test.h"
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#define FUTEX_WAIT	     0
#define FUTEX_WAKE	     1
#define FUTEX_REQUEUE	     3
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_CLOCK_REALTIME 256

static volatile int hits, order[8], nr_order;

static void on_signal(int sig)
{
	hits++;
	if (nr_order < 8)
		order[nr_order++] = sig;
}

static void handle(int sig, void *handler, int flags)
{
	struct sigaction action = { .sa_flags = flags };

	if (flags & SA_SIGINFO)
		action.sa_sigaction = handler;
	else
		action.sa_handler = handler;
	CHECK(sigaction(sig, &action, NULL) == 0);
}

static sigset_t set_of(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	return set;
}

static void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

static int wait_status(pid_t pid)
{
	int status = -1;

	CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

TEST(restart, 10, "a read is restarted with SA_RESTART and fails with EINTR without")
{
	int fds[2];
	char c;

	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		CHECK(pipe(fds) == 0);
		handle(SIGUSR1, on_signal, flags);
		pid_t parent = getpid(), child = fork();

		if (child == 0) {
			sleep_ms(100);
			kill(parent, SIGUSR1);
			sleep_ms(100);
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
	sleep_ms(100);
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

TEST(wait_stops, 10, "waitpid tells stops, continues and ends apart, each once")
{
	pid_t child = fork();
	int status;

	if (child == 0)
		for (;;)
			pause();
	CHECK(waitpid(child, &status, WUNTRACED | WCONTINUED | WNOHANG) == 0);
	kill(child, SIGTSTP);
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) &&
	      WSTOPSIG(status) == SIGTSTP);
	CHECK(waitpid(child, &status, WUNTRACED | WNOHANG) == 0);
	kill(child, SIGCONT);
	CHECK(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
	CHECK(waitpid(child, &status, WCONTINUED | WNOHANG) == 0);
	kill(child, SIGTERM);
	CHECK(waitpid(-1, &status, 0) == child && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGTERM);
	CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
	CHECK(waitpid(-1, &status, 0x1000) == -1 && errno == EINVAL);
}

TEST(stopped_ignores_term, 10, "SIGTERM waits for a stopped process to go on; SIGKILL does not")
{
	pid_t child = fork();
	int status;

	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	kill(child, SIGTERM);
	sleep_ms(50);
	CHECK(waitpid(child, &status, WNOHANG) == 0);
	kill(child, SIGCONT);
	CHECK(WTERMSIG(wait_status(child)) == SIGTERM);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child);
	kill(child, SIGKILL);
	CHECK(WTERMSIG(wait_status(child)) == SIGKILL);
}

TEST(orphaned_group, 15, "a stopped group that becomes orphaned gets SIGHUP and SIGCONT")
{
	int fds[2];
	char c = 0;

	CHECK(pipe(fds) == 0);
	pid_t leader = fork();

	if (leader == 0) {
		/* A session of its own, whose leader leaves a stopped job behind. */
		setsid();
		pid_t job = fork();

		if (job == 0) {
			setpgid(0, 0);
			handle(SIGHUP, on_signal, 0);
			raise(SIGSTOP);
			c = hits ? 'y' : 'n';
			write(fds[1], &c, 1);
			_exit(0);
		}
		int status;

		waitpid(job, &status, WUNTRACED);
		_exit(0);
	}
	close(fds[1]);
	CHECK(wait_status(leader) == 0);
	CHECK(read(fds[0], &c, 1) == 1 && c == 'y');
}

TEST(cld_stop_flags, 10, "SA_NOCLDSTOP: no SIGCHLD for a stop; SA_NOCLDWAIT: no zombie")
{
	int status;
	pid_t child;

	handle(SIGCHLD, on_signal, SA_NOCLDSTOP);
	child = fork();
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	CHECK(waitpid(child, &status, WUNTRACED) == child && hits == 0);
	kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0)
		CHECK(errno == EINTR);
	CHECK(hits == 1);
	handle(SIGCHLD, on_signal, SA_NOCLDWAIT | SA_RESTART);
	child = fork();
	if (child == 0)
		_exit(0);
	CHECK(waitpid(child, &status, 0) == -1 && errno == ECHILD);
}

TEST(spawn, 10, "posix_spawn starts a program, and reports that there is none")
{
	extern char **environ;
	char *argv[] = { "sh", "-c", "exit 5", NULL };
	pid_t pid;

	CHECK(posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ) == 0);
	CHECK(wait_status(pid) == 5 << 8);
	CHECK(posix_spawn(&pid, "/bin/nothing", NULL, NULL, argv, environ) == ENOENT);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turns, turn;

static void *take_turns(void *arg)
{
	int me = (int)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mutex);
		while (turn != me)
			pthread_cond_wait(&cond, &mutex);
		turn = (turn + 1) % 4;
		turns++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(condition_variables, 60, "four threads take turns by a condition variable, two thousand times")
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&threads[i], NULL, take_turns, (void *)i) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(turns == 2000);
}

TEST(condition_timeout, 10, "pthread_cond_timedwait times out when it should")
{
	struct timespec ts, before, after;

	clock_gettime(CLOCK_REALTIME, &ts);
	clock_gettime(CLOCK_MONOTONIC, &before);
	ts.tv_nsec += 200000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mutex);
	CHECK(pthread_cond_timedwait(&cond, &mutex, &ts) == ETIMEDOUT);
	pthread_mutex_unlock(&mutex);
	clock_gettime(CLOCK_MONOTONIC, &after);
	long ms =
		(after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;

	CHECK(ms >= 195 && ms < 1500);
}

TEST(shared_futex, 20, "a futex in shared memory is one for two processes, wherever it is mapped")
{
	int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	CHECK(word != MAP_FAILED);
	pid_t child = fork();

	if (child == 0) {
		while (*(volatile int *)word == 0)
			syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*word);
	}
	sleep_ms(200);
	*word = 9;
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
	CHECK(waitpid(child, &status, 0) == child && status == 9 << 8);
}

static int futex_word;
static volatile int woken;
static void *futex_waiter(void *arg)
{
	if (syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET | 128, 0, NULL, NULL,
		    (unsigned int)arg) == 0)
		__sync_fetch_and_add(&woken, 1);
	return NULL;
}

TEST(futex_bits, 20,
     "FUTEX_WAKE_BITSET wakes by bits; REQUEUE moves waiters; wrong values are EAGAIN")
{
	static int other;
	pthread_t threads[3];

	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT, 1, NULL) == -1 && errno == EAGAIN);
	CHECK(syscall(SYS_futex, (char *)&futex_word + 1, FUTEX_WAIT, 0, NULL) == -1 &&
	      errno == EINVAL);
	CHECK(syscall(SYS_futex, NULL, FUTEX_WAIT, 0, NULL) == -1 && errno == EFAULT);
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, futex_waiter, (void *)(1 << i));
	sleep_ms(300);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE_BITSET | 128, 99, NULL, NULL, 2) == 1);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_REQUEUE | 128, 0, 9, &other, 0) == 2);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE | 128, 9, NULL, NULL, 0) == 0);
	CHECK(syscall(SYS_futex, &other, FUTEX_WAKE | 128, 9, NULL, NULL, 0) == 2);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CHECK(woken == 3);
}

/* Waits with a time limit of 50 ms by that clock: how long it took, in ms; errno is ETIMEDOUT. */
static long wait_until(clockid_t clock, int flags)
{
	struct timespec start, end;
	long long ns;

	clock_gettime(CLOCK_MONOTONIC, &start);
	clock_gettime(clock, &end);
	ns = end.tv_nsec + 50000000ll;
	/* The call's own struct has 32 bits each. */
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAIT_BITSET | 128 | flags, 0,
		      &(long[2]){ end.tv_sec + ns / 1000000000, ns % 1000000000 }, NULL, 1) == -1 &&
	      errno == ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
}

TEST(futex_clocks, 20, "FUTEX_WAIT_BITSET waits until a time of the clock that it names")
{
	long ms = wait_until(CLOCK_MONOTONIC, 0);

	CHECK(ms >= 49 && ms < 5000);
	ms = wait_until(CLOCK_REALTIME, FUTEX_CLOCK_REALTIME);
	CHECK(ms >= 49 && ms < 5000);
	CHECK(syscall(SYS_futex, &futex_word, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 1) == -1 &&
	      errno == ENOSYS);
}

static volatile pthread_t signalled;
static void note_thread(int sig)
{
	signalled = pthread_self();
	hits++;
}

static volatile int stop_threads;
static void *spin(void *arg)
{
	sigset_t set = set_of(SIGUSR2);

	if (arg)
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (!stop_threads)
		;
	return NULL;
}

TEST(signals_to_threads, 20,
     "pthread_kill reaches its thread; a signal to the process one that lets it in")
{
	sigset_t set = set_of(SIGUSR2);
	pthread_t a, b;

	handle(SIGUSR1, note_thread, 0);
	handle(SIGUSR2, note_thread, 0);
	CHECK(pthread_create(&a, NULL, spin, NULL) == 0);
	CHECK(pthread_create(&b, NULL, spin, (void *)1) == 0);
	sleep_ms(100);
	CHECK(pthread_kill(b, SIGUSR1) == 0);
	while (hits < 1)
		sched_yield();
	CHECK(pthread_equal(signalled, b));
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGUSR2);
	while (hits < 2)
		sched_yield();
	CHECK(pthread_equal(signalled, a));
	stop_threads = 1;
	pthread_join(a, NULL);
	pthread_join(b, NULL);
}

static void *exec_away(void *arg)
{
	execl("/bin/sh", "sh", "-c", "exit 6", NULL);
	return NULL;
}

TEST(exec_by_thread, 20,
     "exec by a thread that is not the first: the process keeps its number and its parent")
{
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();

		if (child == 0) {
			pthread_t thread;

			pthread_create(&thread, NULL, spin, NULL);
			pthread_create(&thread, NULL, spin, NULL);
			pthread_create(&thread, NULL, exec_away, NULL);
			for (;;)
				pause();
		}
		CHECK(wait_status(child) == 6 << 8);
	}
}

static void *exit_in_thread(void *arg)
{
	_exit(8);
}

TEST(exit_by_thread, 20, "exit_group by any thread, while others spin, sleep, and exit")
{
	for (int i = 0; i < 20; i++) {
		pid_t child = fork();

		if (child == 0) {
			pthread_t thread;

			pthread_create(&thread, NULL, spin, NULL);
			pthread_create(&thread, NULL, exit_in_thread, NULL);
			if (i & 1)
				pthread_exit(NULL);
			for (;;)
				pause();
		}
		CHECK(wait_status(child) == 8 << 8);
	}
}

TEST(kill_threads, 20, "a fatal signal ends all threads of a process, stopped ones too")
{
	int status;

	for (int i = 0; i < 6; i++) {
		pid_t child = fork();

		if (child == 0) {
			pthread_t thread;

			for (int j = 0; j < 3; j++)
				pthread_create(&thread, NULL, spin, NULL);
			for (;;)
				pause();
		}
		sleep_ms(20);
		if (i & 1) {
			kill(child, SIGSTOP);
			CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
			kill(child, SIGKILL);
		} else {
			kill(child, SIGTERM);
		}
		CHECK(WTERMSIG(wait_status(child)) == (i & 1 ? SIGKILL : SIGTERM));
	}
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

TEST(fork_tree, 60, "three processes fork and wait at the same time")
{
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();

		if (child == 0) {
			for (int j = 0; j < 60; j++) {
				pid_t grandchild = fork();

				if (grandchild == 0)
					_exit(j & 0x7f);
				if (wait_status(grandchild) != (j & 0x7f) << 8)
					_exit(1);
			}
			_exit(0);
		}
	}
	for (int i = 0; i < 3; i++) {
		int status;

		CHECK(wait(&status) > 0 && status == 0);
	}
}

static void *create_one(void *arg)
{
	return arg;
}

TEST(thread_storm, 60, "five hundred threads made and joined")
{
	for (int i = 0; i < 500; i++) {
		pthread_t thread;
		void *result;

		CHECK(pthread_create(&thread, NULL, create_one, (void *)i) == 0);
		CHECK(pthread_join(thread, &result) == 0 && result == (void *)i);
	}
}

TEST(clone_errors, 5, "clone refuses flags that do not go together")
{
	CHECK(syscall(SYS_clone, 0x800, 0, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_clone, 0x10000, 0, 0, 0, 0) == -1 && errno == EINVAL);
	CHECK(syscall(SYS_clone, 0x10800, 0, 0, 0, 0) == -1 && errno == EINVAL);
}

TEST(ids, 5, "set*id for root and for others, saved ids, groups")
{
	pid_t child = fork();
	gid_t groups[2] = { 5, 6 }, got[2];

	if (child == 0) {
		int bad = 0;

		bad |= setgroups(2, groups) || getgroups(2, got) != 2 || got[1] != 6;
		bad |= setresuid(100, 200, 300) || getuid() != 100 || geteuid() != 200;
		bad |= setuid(400) != -1 || errno != EPERM;
		bad |= seteuid(300) || geteuid() != 300;
		bad |= setresuid(-1, 200, -1) != -1 || errno != EPERM;
		bad |= setuid(100) || geteuid() != 100;
		bad |= setgroups(1, groups) != -1 || errno != EPERM;
		bad |= kill(1, SIGTERM) != -1 || errno != EPERM;
		_exit(bad);
	}
	CHECK(wait_status(child) == 0);
}

TEST(timers, 10, "setitimer tells what is left; alarm rounds; SIGALRM ends who has no handler")
{
	struct itimerval value = { { 0, 0 }, { 5, 0 } }, old;

	CHECK(setitimer(ITIMER_REAL, &value, NULL) == 0);
	CHECK(setitimer(ITIMER_REAL, &value, &old) == 0 && old.it_value.tv_sec == 4 &&
	      old.it_interval.tv_sec == 0);
	CHECK(alarm(0) == 5);
	CHECK(alarm(0) == 0);
	pid_t child = fork();

	if (child == 0) {
		struct itimerval soon = { { 0, 0 }, { 0, 20000 } };

		setitimer(ITIMER_REAL, &soon, NULL);
		for (;;)
			;
	}
	CHECK(WTERMSIG(wait_status(child)) == SIGALRM);
}

TEST(clocks, 5, "clocks go forward; CPU time counts only what was used; absolute sleeps")
{
	struct timespec a, b, ts;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
	ts = a;
	ts.tv_nsec += 100000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == 0);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
	CHECK(b.tv_sec > ts.tv_sec || (b.tv_sec == ts.tv_sec && b.tv_nsec >= ts.tv_nsec));
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a) == 0 && a.tv_sec == 0);
	sleep_ms(200);
	CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b) == 0);
	CHECK((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000 < 100);
	CHECK(clock_gettime(77, &a) == -1 && errno == EINVAL);
	ts.tv_nsec = 1000000000;
	CHECK(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL) == EINVAL);
}

TEST(rusage, 10, "a child's CPU time is its parent's to see after the wait")
{
	struct rusage usage;
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct timespec ts;

		do {
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
		} while (ts.tv_nsec < 300000000);
		_exit(0);
	}
	CHECK(wait4(child, &status, 0, &usage) == child);
	long ms = usage.ru_utime.tv_usec / 1000 + usage.ru_stime.tv_usec / 1000 +
		  usage.ru_utime.tv_sec * 1000;

	CHECK(ms >= 250 && ms < 2000);
}

/* ---- registers ---- */

struct registers {
	unsigned char bytes[8][16];
};

static void load_registers(const struct registers *from)
{
	__asm__ volatile("movups (%0), %%xmm0\n movups 16(%0), %%xmm1\n"
			 "movups 32(%0), %%xmm2\n movups 48(%0), %%xmm3\n"
			 "movups 64(%0), %%xmm4\n movups 80(%0), %%xmm5\n"
			 "movups 96(%0), %%xmm6\n movups 112(%0), %%xmm7\n" ::"r"(from)
			 : "memory");
}

static void store_registers(struct registers *to)
{
	__asm__ volatile("movups %%xmm0, (%0)\n movups %%xmm1, 16(%0)\n"
			 "movups %%xmm2, 32(%0)\n movups %%xmm3, 48(%0)\n"
			 "movups %%xmm4, 64(%0)\n movups %%xmm5, 80(%0)\n"
			 "movups %%xmm6, 96(%0)\n movups %%xmm7, 112(%0)\n" ::"r"(to)
			 : "memory");
}

/* A long read or write, of memory that is not there yet, with registers full of `byte`. */
static bool move_keeps(int fd, bool out, int byte)
{
	const size_t size = 40000;
	struct registers before, after;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t done = 0;

	memset(&before, byte, sizeof(before));
	load_registers(&before);
	while (done < size) {
		ssize_t n = out ? write(fd, memory + done, size - done)
				: read(fd, memory + done, size - done);

		if (n <= 0)
			return false;
		done += n;
	}
	store_registers(&after);
	munmap(memory, size);
	return memcmp(&before, &after, sizeof(before)) == 0;
}

TEST(registers_stay, 20, "long copies and switches leave a program's vector registers as they were")
{
	int fds[2];
	pid_t child;

	CHECK(pipe(fds) == 0);
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 50; i++)
			if (!move_keeps(fds[1], true, 100 + i))
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < 50; i++)
		CHECK(move_keeps(fds[0], false, i));
	CHECK(wait_status(child) == 0);
}

TEST(names, 5, "prctl sets and gets the name")
{
	char name[16];

	CHECK(prctl(PR_SET_NAME, "a-long-name-that-is-cut", 0, 0, 0) == 0);
	CHECK(prctl(PR_GET_NAME, name, 0, 0, 0) == 0 && strcmp(name, "a-long-name-tha") == 0);
	CHECK(prctl(12345, 0, 0, 0, 0) == -1 && errno == EINVAL);
}
