/*
 * How processes stop and end, by themselves, by a thread or by a signal, and what their parent
 * hears of it.
 */
#include "signals.h"
#include <pthread.h>
#include <spawn.h>
#include <sys/resource.h>

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
	test_sleep_ms(50);
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
		test_sleep_ms(20);
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
