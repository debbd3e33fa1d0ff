/*
 * Running out of memory: which process has to give way.
 */
#include "text_files.h"

#include <sys/mount.h>
#include <sys/resource.h>

#define PAGE  4096
#define USER  1000
#define CHUNK (1u << 20)

/* Touches memory until it is killed, or its address space is full. Never returns. */
static void devour(void)
{
	for (;;) {
		char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		if (chunk == MAP_FAILED)
			pause();
		for (unsigned int at = 0; at < CHUNK; at += PAGE)
			chunk[at] = 1;
	}
}

static pid_t fork_greedy(unsigned int uid)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		if (uid)
			CHECK(setgid(uid) == 0 && setuid(uid) == 0);
		devour();
	}
	return pid;
}

/* A process that has some memory, and touches new pages all the time. */
static pid_t fork_bystander(int done)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	for (;;) {
		struct pollfd end = { done, POLLIN, 0 };
		char *chunk = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(chunk != MAP_FAILED);
		for (unsigned int at = 0; at < 16 * PAGE; at += PAGE)
			chunk[at] = 1;
		munmap(chunk, 16 * PAGE);
		if (poll(&end, 1, 10) > 0)
			_exit(7);
	}
}

/* How a greedy child ends: one process cannot have more than 3 GiB, so two may be needed. */
static int greedy_status(unsigned int uid)
{
	pid_t pids[2] = { fork_greedy(uid), fork_greedy(uid) };
	int status;
	pid_t first = wait(&status);

	CHECK(first == pids[0] || first == pids[1]);
	kill(first == pids[0] ? pids[1] : pids[0], SIGKILL);
	while (wait(NULL) > 0)
		;
	return status;
}

TEST(greedy_gives_way, 120, "the process that fills memory is killed, and not the others")
{
	int done[2], status;
	pid_t bystander, greedy[2], first;

	CHECK_EQ(pipe(done), 0);
	bystander = fork_bystander(done[0]);
	greedy[0] = fork_greedy(0);
	greedy[1] = fork_greedy(0);
	first = wait(&status);
	CHECK(first == greedy[0] || first == greedy[1]);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	kill(greedy[first == greedy[0]], SIGKILL);
	CHECK(waitpid(greedy[first == greedy[0]], &status, 0) > 0);
	CHECK_EQ(write(done[1], "x", 1), 1);
	CHECK_EQ(test_wait(bystander), 7);
}

/* Takes memory until only `left` KiB are available or it has 2 GiB, says so, and holds it. */
static pid_t fork_holder(int ready, long left)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	for (unsigned int taken = 0; taken < 2048 && meminfo("MemAvailable") > left; taken++) {
		char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		CHECK(chunk != MAP_FAILED);
		memset(chunk, 1, CHUNK);
	}
	CHECK_EQ(write(ready, "x", 1), 1);
	for (;;)
		pause();
}

TEST(holder_gives_way, 120,
     "a small process that needs memory gets it, and the one that holds most is killed")
{
	long left = meminfo("MemTotal") / 6;
	pid_t holders[2], killed = 0;
	int ready[2], status;
	char byte;

	CHECK_EQ(pipe(ready), 0);
	for (int i = 0; i < 2; i++) {
		holders[i] = fork_holder(ready[1], left);
		CHECK_EQ(read(ready[0], &byte, 1), 1);
	}
	for (long taken = 0; taken < 2 * left && killed == 0; taken += CHUNK / 1024) {
		char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		CHECK(chunk != MAP_FAILED);
		memset(chunk, 1, CHUNK);
		killed = waitpid(-1, &status, WNOHANG);
	}
	if (killed == 0)
		killed = wait(&status);
	CHECK(killed == holders[0] || killed == holders[1]);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	kill(holders[killed == holders[0]], SIGKILL);
	CHECK(wait(NULL) > 0);
}

/* Fills pipes of 1 MiB until only `left` KiB are available, says so, and holds them. */
static pid_t fork_pipe_filler(int ready, long left)
{
	static char block[64 * 1024];
	struct rlimit files = { 8192, 65536 };
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);
	while (meminfo("MemAvailable") > left) {
		int fds[2];

		CHECK_EQ(pipe(fds), 0);
		CHECK_EQ(fcntl(fds[1], F_SETPIPE_SZ, CHUNK), CHUNK);
		for (unsigned int done = 0; done < CHUNK; done += sizeof(block))
			CHECK_EQ(write(fds[1], block, sizeof(block)), sizeof(block));
	}
	CHECK_EQ(write(ready, "x", 1), 1);
	for (;;)
		pause();
}

BEYOND_TEST(pipes_count, 120, "what a process has put into pipes counts when memory runs out",
	    "lacks /proc/leaks: Linux counts only what a process has mapped")
{
	long left = meminfo("MemTotal") / 6;
	int ready[2], status;
	pid_t filler;
	char byte;

	close(test_open_own("/proc/leaks", O_RDONLY));
	CHECK_EQ(pipe(ready), 0);
	filler = fork_pipe_filler(ready[1], left);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	for (long taken = 0; taken < 2 * left; taken += CHUNK / 1024) {
		char *chunk = mmap(NULL, CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				   -1, 0);

		CHECK(chunk != MAP_FAILED);
		memset(chunk, 1, CHUNK);
	}
	CHECK_EQ(waitpid(filler, &status, WNOHANG), filler);
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
}

TEST(programs_start, 120, "another process can fork and run programs while memory is filled")
{
	pid_t greedy[2] = { fork_greedy(USER), fork_greedy(USER) };

	for (int i = 0; i < 20; i++) {
		pid_t pid;

		test_sleep_ms(100);
		pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			dup2(open("/dev/null", O_WRONLY), 1);
			execl("/proc/self/exe", "oom", "--list", NULL);
			_exit(1);
		}
		CHECK_EQ(test_wait(pid), 0);
	}
	for (int i = 0; i < 2; i++)
		kill(greedy[i], SIGKILL);
	while (wait(NULL) > 0)
		;
}

/* A child that sleeps, with this oom_score_adj. */
static pid_t fork_adjusted(const char *adjustment)
{
	pid_t pid = fork();
	int fd;

	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	CHECK_EQ(write(fd, adjustment, strlen(adjustment)), strlen(adjustment));
	for (;;)
		pause();
}

TEST(offered_gives_way, 120,
     "a process that is offered by oom_score_adj is killed before a larger one")
{
	pid_t offered = fork_adjusted("1000"), other = fork_adjusted("0");
	pid_t greedy[2] = { fork_greedy(0), fork_greedy(0) };
	int status;

	/*
	 * The first one that ends. Those who fill memory go on, and are too large a moment later.
	 */
	CHECK_EQ(wait(&status), offered);
	CHECK_EQ(status, SIGKILL);
	kill(greedy[0], SIGKILL);
	kill(greedy[1], SIGKILL);
	CHECK_EQ(waitpid(other, &status, WNOHANG), 0);
	kill(other, SIGKILL);
	while (wait(NULL) > 0)
		;
}

TEST(greedy_again, 120, "memory that a killed process had is there for the next one")
{
	for (int i = 0; i < 2; i++) {
		int status = greedy_status(USER);

		CHECK(WIFSIGNALED(status));
		CHECK_EQ(WTERMSIG(status), SIGKILL);
	}
}

#define FAIL_NTH "/proc/sys/vm/fail_nth"

/* The write itself may be what finds no memory, and then it is done again. */
static void write_text(int fd, const char *text)
{
	ssize_t n;

	do
		n = pwrite(fd, text, strlen(text), 0);
	while (n < 0 && errno == ENOMEM);
	CHECK_EQ(n, (ssize_t)strlen(text));
}

/* Touches and reads a page of a file that is not cached, while the nth allocation fails. */
static void use_cold_pages(const char *nth)
{
	int file = open("/bin/busybox", O_RDONLY), fail = test_open_own(FAIL_NTH, O_WRONLY);
	int drop = test_open_own("/proc/sys/vm/drop_caches", O_WRONLY);
	char *map = mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, file, 100 * PAGE), byte;
	ssize_t n;
	int error;

	CHECK(file >= 0 && map != MAP_FAILED);
	write_text(drop, "1");
	write_text(fail, nth);
	byte = ((volatile char *)map)[8 * PAGE];
	write_text(fail, "0");
	write_text(drop, "1");
	write_text(fail, nth);
	n = pread(file, &byte, 1, 200 * PAGE);
	error = errno;
	CHECK(n == 1 || error == ENOMEM);
	write_text(fail, "0");
}

BEYOND_TEST(cold_pages, 60, "a page that finds no memory for its read is no error of the disk",
	    "lacks /proc/sys/vm/fail_nth: Linux has no such file")
{
	close(test_open_own(FAIL_NTH, O_WRONLY));
	for (int nth = 1; nth <= 20; nth++) {
		char text[16];
		pid_t pid = fork();

		CHECK(pid >= 0);
		snprintf(text, sizeof(text), "%d", nth);
		if (pid == 0) {
			use_cold_pages(text);
			_exit(0);
		}
		CHECK_EQ(test_wait(pid), 0);
	}
}
