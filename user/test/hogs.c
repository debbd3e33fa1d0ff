/*
 * What goes on beside a program that never sleeps: tasks that wait for a moment or for the disk,
 * and what the kernel does for them. All are on one CPU.
 */
#include "ext2.h"
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define ROUNDS 100

static pid_t hog;

static void start(void (*run)(void))
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	CHECK_EQ(sched_setaffinity(0, sizeof(set), &set), 0);
	hog = fork();
	CHECK(hog >= 0);
	if (hog == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (hog == 0)
		run();
}

static void nothing(void)
{
}

static void start_hog(void)
{
	start(nothing);
}

/* Returns the hog's time of the CPU in microseconds. */
static long long stop_hog(void)
{
	struct rusage used;

	CHECK_EQ(kill(hog, SIGKILL), 0);
	CHECK_EQ(wait4(hog, NULL, 0, &used), hog);
	return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000ll + used.ru_utime.tv_usec +
	       used.ru_stime.tv_usec;
}

static long long now_us(void)
{
	struct timespec now;

	CHECK_EQ(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return now.tv_sec * 1000000ll + now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

TEST(sleepers, 20, "a task that has slept for a moment goes on at once")
{
	int took[ROUNDS];

	start_hog();
	for (int i = 0; i < ROUNDS; i++) {
		long long start = now_us();

		CHECK_EQ(usleep(1000), 0);
		took[i] = now_us() - start;
	}
	stop_hog();
	/* The host may be busy, so only the fast half counts. A turn lasts 10 ms or more. */
	qsort(took, ROUNDS, sizeof(*took), compare);
	CHECK(took[0] >= 1000);
	CHECK(took[ROUNDS / 2] < 8000);
}

TEST(kernel_tasks, 30, "the kernel's own tasks are as important as an ordinary program")
{
	int fd;

	put_image("blank-1k");
	mount_writable();
	fd = open(MNT "/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	start_hog();
	for (int i = 0; i < 20; i++) {
		long long start = now_us();

		for (int part = 0; part < 32; part++)
			CHECK_EQ(pwrite(fd, buf, sizeof(buf), part * sizeof(buf)), sizeof(buf));
		sync(); /* the file's bytes are written by the task that commits */
		CHECK(now_us() - start < 5000000);
	}
	stop_hog();
	close(fd);
	unmount();
}

/* Pieces of work that the hog has done. */
static volatile long *hog_work;

static void work(void)
{
	for (volatile int i = 0; i < 200; i++)
		;
}

static void count_work(void)
{
	work();
	++*hog_work;
}

/* How many pieces of work take a millisecond if nothing else runs: the best of some tries. */
static long work_of_a_ms(void)
{
	long most = 0;

	for (int i = 0; i < 50; i++) {
		long done = 0;

		for (long long end = now_us() + 1000; now_us() < end; done++)
			work();
		most = done > most ? done : most;
	}
	return most;
}

/*
 * How much of the work of the two a task does, in per cent, that sleeps for a moment after so many
 * pieces. What the host takes away does not count.
 */
static int share(long burst, long all)
{
	long before = *hog_work, own = 0;

	while (own + *hog_work - before < all) {
		CHECK_EQ(usleep(50), 0);
		for (long i = 0; i < burst; i++)
			work();
		own += burst;
	}
	return own * 100 / (own + *hog_work - before);
}

TEST(shares, 30, "a task that often sleeps for a moment gets its share, and no more")
{
	int briefly, at_length;
	long ms;

	hog_work = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(hog_work != MAP_FAILED);
	ms = work_of_a_ms();
	start(count_work);
	briefly = share(2 * ms, 1500 * ms);
	at_length = share(7 * ms, 1500 * ms);
	stop_hog();
	CHECK(briefly > 30 && briefly < 65);
	CHECK(at_length > 30 && at_length < 65);
}

/* What the host takes away does not count: see share(). */
TEST(short_children, 30, "a hog has time while a program starts one short child after the other")
{
	long before, own = 0, all;

	hog_work = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(hog_work != MAP_FAILED);
	all = 1500 * work_of_a_ms();
	start(count_work);
	before = *hog_work;
	while (own + *hog_work - before < all) {
		pid_t child = fork();

		CHECK(child >= 0);
		for (long i = 0; child == 0 && i < all / 500; i++)
			work();
		if (child == 0)
			_exit(0);
		CHECK_EQ(test_wait(child), 0);
		own += all / 500;
	}
	CHECK(own * 100 / (own + *hog_work - before) < 85);
	stop_hog();
}

/* Each of the two runs for so few cycles at a time that these alone cost nothing. */
TEST(short_turns, 30, "a hog has time while two tasks wake each other all the time")
{
	int to[2], from[2];
	long long start, all;
	pid_t other;
	char byte = 0;

	CHECK_EQ(pipe(to), 0);
	CHECK_EQ(pipe(from), 0);
	start_hog();
	start = now_us();
	other = fork();
	CHECK(other >= 0);
	while (other == 0) {
		if (read(to[0], &byte, 1) != 1 || write(from[1], &byte, 1) != 1)
			_exit(0);
	}
	do {
		CHECK_EQ(write(to[1], &byte, 1), 1);
		CHECK_EQ(read(from[0], &byte, 1), 1);
		all = now_us() - start;
	} while (all < 1000000);
	CHECK(stop_hog() > all * 15 / 100);
	CHECK_EQ(kill(other, SIGKILL), 0);
	CHECK_EQ(test_wait(other), 128 + SIGKILL);
}
