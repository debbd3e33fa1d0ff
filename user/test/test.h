/*
 * The frame of every guest test. A test is an ordinary POSIX program. Each of its cases says what
 * it shows and how many seconds it may take.
 *
 *	TEST(write_is_atomic, 10, "a write up to PIPE_BUF goes whole or not at all")
 *	{
 *		CHECK(write(fd, buf, 100) == 100);
 *	}
 *
 * 1. `prog` runs all cases and `prog CASE` one of them. The output is TAP. `prog --list` prints a
 *    line for each case, with fields separated by tabs: its name, its seconds, `-` or the reason
 *    why Linux fails it, and what it shows.
 * 2. Each case runs in a child process with its own process group. When its time is over, the whole
 *    group is killed. In a guest that is busy, a case may take longer: its host may be slow.
 * 3. A failed CHECK says where and why it failed, and ends the case.
 * 4. The exit status of `prog CASE` says how it failed, see user/test/status.h.
 */
#ifndef USER_TEST_TEST_H
#define USER_TEST_TEST_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "patience.h"
#include "status.h"

#ifndef F_SETPIPE_SZ
#define F_SETPIPE_SZ 1031
#define F_GETPIPE_SZ 1032
#endif

struct test_case {
	const char *name, *shows, *beyond;
	int seconds;
	void (*run)(void);
	struct test_case *next;
};

static struct test_case *test_first, **test_last = &test_first;

/*
 * A BEYOND_TEST is a case that Sluice promises and Linux does not, with the reason. On Linux one of
 * its checks must fail or, if the reason is "lacks PATH: why", test_open_own(PATH) must.
 */
#define BEYOND_TEST(id, limit, text, reason)                                            \
	static void test_##id(void);                                                    \
	static struct test_case case_##id = { #id, text, reason, limit, test_##id, 0 }; \
	__attribute__((constructor)) static void register_##id(void)                    \
	{                                                                               \
		*test_last = &case_##id;                                                \
		test_last = &case_##id.next;                                            \
	}                                                                               \
	static void test_##id(void)
#define TEST(id, limit, text) BEYOND_TEST(id, limit, text, NULL)

__attribute__((format(printf, 3, 4), noreturn, unused)) static void test_fail(const char *file,
									      int line,
									      const char *format,
									      ...)
{
	char text[512], cause[80] = "";
	va_list args;
	int error = errno;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (error)
		snprintf(cause, sizeof(cause), " (errno %d: %s)", error, strerror(error));
	dprintf(1, "# %s:%d: %s%s\n", file, line, text, cause);
	_exit(error == ENOSYS ? TEST_DIED : TEST_FAILED);
}

#define CHECK(cond)                                                 \
	do {                                                        \
		errno = 0;                                          \
		if (!(cond))                                        \
			test_fail(__FILE__, __LINE__, "%s", #cond); \
	} while (0)

/* Both sides are integers. If they differ, the values are printed. */
#define CHECK_EQ(a, b)                                                                          \
	do {                                                                                    \
		errno = 0;                                                                      \
		long long _a = (a), _b = (b);                                                   \
		if (_a != _b)                                                                   \
			test_fail(__FILE__, __LINE__, "%s is %lld, expected %s = %lld", #a, _a, \
				  #b, _b);                                                      \
	} while (0)

/* The call must fail with exactly this error. */
#define CHECK_ERR(call, error)                                                                  \
	do {                                                                                    \
		errno = 0;                                                                      \
		long long _r = (call);                                                          \
		if (_r != -1 || errno != (error))                                               \
			test_fail(__FILE__, __LINE__, "%s is %lld, expected -1 with %s", #call, \
				  _r, #error);                                                  \
	} while (0)

/* Opens a file that only Sluice has. On another kernel the case ends here. */
__attribute__((unused)) static int test_open_own(const char *path, int flags)
{
	int fd = open(path, flags);

	if (fd < 0 && errno == ENOENT) {
		dprintf(1, "# there is no %s\n", path);
		_exit(TEST_LACKS);
	}
	if (fd < 0)
		test_fail(__FILE__, __LINE__, "%s cannot be opened", path);
	return fd;
}

/* Give the gate device a command; the case ends where there is no gate. */
__attribute__((unused)) static void gate_control(const char *command)
{
	int fd = test_open_own("/proc/gate", O_WRONLY);

	CHECK_EQ(write(fd, command, strlen(command)), strlen(command));
	close(fd);
}

/* The events of a descriptor at this moment. */
__attribute__((unused)) static short poll_now(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

/* Returns milliseconds on the monotonic clock. */
__attribute__((unused)) static long long test_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ll + now.tv_nsec / 1000000;
}

__attribute__((unused)) static void test_sleep_ms(int ms)
{
	struct timespec wait = { ms / 1000, ms % 1000 * 1000000l };

	while (nanosleep(&wait, &wait) < 0 && errno == EINTR)
		;
}

/* Reads exactly n bytes, or fewer if the end comes first. */
__attribute__((unused)) static ssize_t read_full(int fd, void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = read(fd, (char *)buf + done, n - done);

		if (got <= 0)
			return done ? (ssize_t)done : got;
		done += got;
	}
	return done;
}

__attribute__((unused)) static ssize_t write_full(int fd, const void *buf, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t put = write(fd, (const char *)buf + done, n - done);

		if (put <= 0)
			return done ? (ssize_t)done : put;
		done += put;
	}
	return done;
}

/*
 * Returns byte i of the stream that belongs to a seed. The stream has no short period, so a shifted
 * or doubled page does not go unnoticed.
 */
__attribute__((unused)) static unsigned char test_byte(unsigned int seed, size_t i)
{
	uint32_t x = (uint32_t)i * 2654435761u + seed * 40503u;

	x ^= x >> 15;
	x *= 2246822519u;
	return x >> 24 ^ x >> 8;
}

__attribute__((unused)) static void test_fill(void *buf, size_t n, unsigned int seed, size_t from)
{
	for (size_t i = 0; i < n; i++)
		((unsigned char *)buf)[i] = test_byte(seed, from + i);
}

/*
 * Returns the index of the first byte that test_fill would not have written, or n if there is none.
 */
__attribute__((unused)) static size_t test_differs(const void *buf, size_t n, unsigned int seed,
						   size_t from)
{
	size_t i = 0;

	while (i < n && ((const unsigned char *)buf)[i] == test_byte(seed, from + i))
		i++;
	return i;
}

/* Returns the exit status of a child as a shell does: its status, or 128 + the signal. */
__attribute__((unused)) static int test_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t test_child;
static bool test_is_over; /* its time is */

/*
 * The case's time is over. If it gets no more, kill its processes. On Sluice, the kernel's log
 * first gets a report of where they sleep.
 */
static void test_time_over(int sig)
{
	int fd;

	(void)sig;
	if (patience_goes_on())
		return;
	test_is_over = true;
	fd = access("/proc/gate", F_OK) == 0 ? open("/proc/sysrq-trigger", O_WRONLY) : -1;
	if (fd >= 0 && write(fd, "t", 1) == 1)
		close(fd);
	if (test_child > 0)
		kill(-test_child, SIGKILL);
}

static enum test_status test_run(struct test_case *test, int number)
{
	struct sigaction action = { .sa_handler = test_time_over };
	long long start = test_ms();
	int status = 0;

	sigaction(SIGALRM, &action, NULL);
	fflush(stdout);
	/*
	 * Before there is a child: a case that counts allocations must be the only one that makes
	 * any.
	 */
	test_is_over = false;
	patience_begin(test->seconds);
	test_child = fork();
	if (test_child == 0) {
		signal(SIGALRM, SIG_DFL);
		setpgid(0, 0);
		test->run();
		_exit(0);
	}
	setpgid(test_child, test_child);
	alarm(test->seconds);
	while (waitpid(test_child, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	kill(-test_child, SIGKILL); /* what the case left behind */
	if (WIFSIGNALED(status) && test_is_over)
		printf("# timeout after %lld s; Sluice's log has a report of what hung\n",
		       (test_ms() - start) / 1000);
	else if (WIFSIGNALED(status))
		printf("# killed by signal %d\n", WTERMSIG(status));
	printf("%s %d - %s\n", status ? "not ok" : "ok", number, test->name);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > TEST_LACKS)
		return TEST_DIED;
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	int status = TEST_PASSED, number = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct test_case *test = test_first; test; test = test->next) {
		if (argc > 1 && !strcmp(argv[1], "--list"))
			printf("%s\t%d\t%s\t%s\n", test->name, test->seconds,
			       test->beyond ? test->beyond : "-", test->shows);
		else if (argc < 2 || !strcmp(argv[1], test->name))
			status |= test_run(test, ++number);
	}
	if (argc > 1 && !strcmp(argv[1], "--list"))
		return 0;
	if (!number) {
		fprintf(stderr, "%s: no such case: %s\n", argv[0], argc > 1 ? argv[1] : "");
		return TEST_NO_CASE;
	}
	printf("1..%d\n", number);
	return status;
}

#endif
