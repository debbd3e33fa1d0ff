/* Processes: fork, exec, wait, groups, signals, threads, under load too. */
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

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

TEST(exit_status, 5, "wait gives the exit status, its low eight bits")
{
	static const int codes[] = { 0, 1, 7, 125, 255, 256 + 3 };

	for (unsigned int i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		pid_t child = fork();

		if (!child)
			_exit(codes[i]);
		CHECK_EQ(test_wait(child), codes[i] & 255);
	}
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, 0), ECHILD);
}

TEST(memory_is_copied, 5, "after fork each side has its own memory")
{
	static int value = 1;
	int *heap = malloc(sizeof(*heap));
	pid_t child;

	*heap = 10;
	child = fork();
	if (!child) {
		value = 2;
		*heap = 20;
		_exit(value + *heap);
	}
	CHECK_EQ(test_wait(child), 22);
	CHECK_EQ(value, 1);
	CHECK_EQ(*heap, 10);
}

TEST(offset_is_shared, 5, "after fork both sides share the file offset")
{
	char buf[4];
	int fd = open("/etc/passwd", O_RDONLY);
	pid_t child = fork();

	CHECK(fd >= 0);
	if (!child)
		_exit(read(fd, buf, 3) != 3);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

TEST(exec_arguments, 5, "exec passes arguments and environment, empty strings too")
{
	char *argv[] = { "sh",
			 "-c",
			 "[ $# = 3 ] && [ \"$1\" = '' ] && [ \"$2\" = 'a b' ] && [ \"$V\" = x ]",
			 "0",
			 "",
			 "a b",
			 "$HOME",
			 NULL };
	char *env[] = { "V=x", NULL };
	pid_t child = fork();

	if (!child) {
		execve("/bin/sh", argv, env);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(exec_errors, 5, "exec: ENOENT, EACCES, ENOEXEC, E2BIG, EFAULT; the caller lives on")
{
	char *argv[] = { "x", NULL }, *env[] = { NULL };
	static char *many[70000];
	int fd = open("/tmp/not-a-program", O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK_EQ(write(fd, "\177ELFgarbage", 11), 11);
	close(fd);
	CHECK_ERR(execve("/nonexistent", argv, env), ENOENT);
	CHECK_ERR(execve("/etc/passwd", argv, env), EACCES);
	CHECK_ERR(execve("/tmp", argv, env), EACCES);
	CHECK_ERR(execve("/tmp/not-a-program", argv, env), ENOEXEC);
	for (int i = 0; i < 69999; i++)
		many[i] = "0123456789012345678901234567890123456789012345678901234567890123456789";
	CHECK_ERR(execve("/bin/sh", many, env), E2BIG);
	CHECK_ERR(syscall(SYS_execve, (char *)8, argv, env), EFAULT);
	CHECK_ERR(syscall(SYS_execve, "/bin/sh", (char **)8, env), EFAULT);
	CHECK_EQ(unlink("/tmp/not-a-program"), 0);
}

TEST(script, 5, "#! runs its interpreter with one argument and the script's path")
{
	int fd = open("/tmp/script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
	static const char text[] =
		"#!/bin/sh -e\n[ \"$0\" = /tmp/script ] && [ \"$1\" = one ] && exit 42\n";
	pid_t child;

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	child = fork();
	if (!child) {
		execl("/tmp/script", "anything", "one", NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 42);
	CHECK_EQ(unlink("/tmp/script"), 0);
}

TEST(close_on_exec, 5, "FD_CLOEXEC descriptors are closed by exec, others stay")
{
	int keep = open("/dev/null", O_RDONLY), shut = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char command[100];
	pid_t child;

	snprintf(command, sizeof(command), "[ -e /proc/self/fd/%d ] && [ ! -e /proc/self/fd/%d ]",
		 keep, shut);
	child = fork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(vfork_waits, 5, "vfork's parent goes on after exec or exit of the child")
{
	static volatile int seen;
	pid_t child = vfork();

	if (!child) {
		seen = 1;
		_exit(3);
	}
	CHECK_EQ(seen, 1);
	CHECK_EQ(test_wait(child), 3);
}

/* A group whose leader has been waited for: its number is still in use. Returns the other member. */
static pid_t group_without_leader(pid_t *leader)
{
	int ends[2];
	pid_t member;

	CHECK_EQ(pipe(ends), 0);
	*leader = fork();
	if (!*leader) {
		setpgid(0, 0);
		member = fork();
		if (!member)
			for (;;)
				pause();
		_exit(write(ends[1], &member, sizeof(member)) != sizeof(member));
	}
	CHECK_EQ(read(ends[0], &member, sizeof(member)), sizeof(member));
	CHECK_EQ(test_wait(*leader), 0);
	close(ends[0]);
	close(ends[1]);
	return member;
}

TEST(numbers_in_use, 240, "process numbers go in a circle, past those of processes and of groups")
{
	pid_t leader, member = group_without_leader(&leader), before = 0;
	int circles = 0;

	for (int i = 0; i < 33000; i++) {
		pid_t child = vfork();

		if (!child)
			_exit(0);
		CHECK(child > 1);
		CHECK(child != before && child != leader && child != member && child != getpid());
		circles += child < before;
		before = child;
		CHECK_EQ(test_wait(child), 0);
	}
	CHECK(circles > 0);
	CHECK_EQ(kill(member, SIGKILL), 0);
}

TEST(fork_storm, 60, "five hundred children, each waited for")
{
	for (int round = 0; round < 10; round++) {
		pid_t children[50];

		for (int i = 0; i < 50; i++) {
			children[i] = fork();
			CHECK(children[i] >= 0);
			if (!children[i])
				_exit(i);
		}
		for (int i = 49; i >= 0; i--)
			CHECK_EQ(test_wait(children[i]), i);
	}
}

TEST(exec_storm, 90, "a hundred programs started and waited for, four at a time")
{
	for (int round = 0; round < 25; round++) {
		pid_t children[4];

		for (int i = 0; i < 4; i++) {
			children[i] = fork();
			if (!children[i]) {
				execl("/bin/busybox", "true", NULL);
				_exit(99);
			}
		}
		for (int i = 0; i < 4; i++)
			CHECK_EQ(test_wait(children[i]), 0);
	}
}

TEST(orphans, 10, "a child whose parent is gone belongs to another and is reaped")
{
	int p[2];
	pid_t middle, grandchild;
	char byte;

	CHECK_EQ(pipe(p), 0);
	middle = fork();
	if (!middle) {
		if (!(grandchild = fork())) {
			close(p[0]);
			while (getppid() == middle)
				test_sleep_ms(10);
			test_sleep_ms(100);
			_exit(write(p[1], "x", 1) != 1);
		}
		_exit(0);
	}
	close(p[1]);
	CHECK_EQ(test_wait(middle), 0);
	CHECK_EQ(read(p[0], &byte, 1), 1);
}

TEST(wait_nohang, 5, "WNOHANG: 0 while the child runs; the child's pid once it is gone")
{
	pid_t child = fork();
	int status;

	if (!child) {
		pause();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK_ERR(kill(child, 0), ESRCH);
}

TEST(wait_kinds, 5, "__WALL waits for any child, __WCLONE for none that fork has made")
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(3);
	CHECK_ERR(waitpid(child, &status, __WCLONE), ECHILD);
	CHECK_EQ(waitpid(child, &status, __WALL | __WCLONE), child);
	CHECK_EQ(status, 3 << 8);
	CHECK_ERR(waitpid(-1, &status, __WALL), ECHILD);
	CHECK_ERR(waitpid(-1, &status, 0x100), EINVAL);
}

TEST(stop_and_continue, 10, "SIGSTOP, SIGCONT, WUNTRACED, WCONTINUED")
{
	pid_t child = fork();
	int status;

	if (!child)
		for (;;)
			pause();
	CHECK_EQ(kill(child, SIGSTOP), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

TEST(groups, 5, "process groups and sessions")
{
	pid_t child = fork();

	if (!child) {
		CHECK_EQ(setpgid(0, 0), 0);
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERR(setsid(), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (!child) {
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgid(0), getpid());
		CHECK_ERR(setpgid(0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_ERR(getpgid(999999), ESRCH);
}

TEST(kill_group, 10, "a signal to a group reaches all of it")
{
	pid_t first = fork(), second;

	if (!first) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(first, first);
	second = fork();
	if (!second) {
		setpgid(0, first);
		for (;;)
			pause();
	}
	setpgid(second, first);
	CHECK_EQ(kill(-first, SIGTERM), 0);
	CHECK_EQ(test_wait(first), 128 + SIGTERM);
	CHECK_EQ(test_wait(second), 128 + SIGTERM);
	CHECK_ERR(kill(-first, SIGTERM), ESRCH);
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

TEST(alarms, 10, "alarm interrupts a sleep; nanosleep says what was left; so does setitimer")
{
	struct timespec wait = { 5, 0 }, left = { 0, 0 };
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } };
	long long start = test_ms();

	handle(SIGALRM, on_signal, 0);
	CHECK_EQ(alarm(1), 0);
	CHECK_ERR(nanosleep(&wait, &left), EINTR);
	CHECK(test_ms() - start >= 990 && test_ms() - start < 3000);
	CHECK(left.tv_sec == 3 || left.tv_sec == 4);
	CHECK_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0);
	hits = 0;
	while (!hits)
		test_sleep_ms(1);
}

TEST(sleep_takes_its_time, 10, "nanosleep sleeps as long as asked, and not much longer")
{
	long long start = test_ms();

	test_sleep_ms(300);
	CHECK(test_ms() - start >= 300 && test_ms() - start < 2000);
}

TEST(ignored_children, 5, "SIGCHLD ignored: children vanish by themselves, wait says ECHILD")
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (!fork())
			_exit(0);
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *count_up(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return (char *)arg + 1;
}

TEST(threads, 60, "threads share memory; mutexes and join work")
{
	pthread_t threads[4];
	void *result;

	for (long i = 0; i < 4; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count_up, (void *)i), 0);
	for (long i = 0; i < 4; i++) {
		CHECK_EQ(pthread_join(threads[i], &result), 0);
		CHECK_EQ((long)result, i + 1);
	}
	CHECK_EQ(counter, 80000);
}

static void *sleeper(void *arg)
{
	while (arg == NULL)
		pause();
	return arg;
}

TEST(exit_with_threads, 10, "exit ends all threads, exec too")
{
	pthread_t thread;
	pid_t child = fork();

	if (!child) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleeper, NULL);
		exit(5);
	}
	CHECK_EQ(test_wait(child), 5);
	child = fork();
	if (!child) {
		for (int i = 0; i < 3; i++)
			pthread_create(&thread, NULL, sleeper, NULL);
		execl("/bin/sh", "sh", "-c", "exit 6", NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 6);
}

TEST(limits, 5, "getrlimit and setrlimit; a limit may not be raised above the hard one")
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK(limit.rlim_cur >= 256);
	CHECK_ERR(getrlimit(99, &limit), EINVAL);
	limit.rlim_cur = 100;
	limit.rlim_max = 50;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
}

TEST(unknown_calls, 5, "a number without a system call is ENOSYS")
{
	CHECK_ERR(syscall(511), ENOSYS);
	CHECK_ERR(syscall(100000), ENOSYS);
	CHECK_ERR(syscall(-1), ENOSYS);
}
