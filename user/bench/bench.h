/*
 * The frame of every benchmark. A benchmark is an ordinary program. Each of its rows says what it
 * counts.
 *
 *	prog [-i] [PATTERN]	measures the rows with PATTERN in their names
 *	prog -f PATTERN		repeats the first such row for ever, for tools/profile
 *
 * 1. The program prints a line for each row, with fields separated by tabs: the name, the figure
 *    for one operation (`-` if this kernel has no such call), the goal in instructions (0 if there
 *    is none), and a sentence that says what is counted.
 * 2. The figure is in nanoseconds. Under tools/guest --icount a guest nanosecond is an instruction,
 *    so the figure is in instructions. It is the lowest of RUNS runs, each with a fixed number of
 *    rounds. A run before them warms the caches, and the cost of an empty round is subtracted.
 * 3. Each row has its own process, and the children that it starts end with it.
 * 4. With -i the time in which all tasks wait for the disk is not counted. A process fills this
 *    time by counting, and what it has counted is subtracted. Without -i the time is part of the
 *    figure.
 */
#ifndef USER_BENCH_BENCH_H
#define USER_BENCH_BENCH_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUNS 5

struct row { //BOOK: bench-row
	const char *name, *counts;
	unsigned int reach;	/* instructions per operation */
	unsigned int rounds;	/* in a run */
	unsigned int per_round; /* operations; 0 is 1 */
	bool (*setup)(void);	/* called once; returns false if the kernel has no such call */
	void (*prepare)(void);	/* called before each round, not counted */
	void (*once)(void);	/* a round */
	void (*finish)(void);	/* waits for the work of a run to end; counted */
	bool waits;		/* the row waits for the disk */
};

static volatile uint32_t
	*idled; /* rounds of the process that fills the time; of two instructions */

/* Ends the row with a message if something failed that it needs. */
static inline void need(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline void bench_nothing(void)
{
	__asm__ volatile("" ::: "memory");
}

static inline uint64_t bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Starts a child that ends when its parent does. Returns 0 in the child. */
static inline pid_t bench_child(void)
{
	pid_t pid = fork();

	need(pid >= 0, "fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static inline void fill_idle_time(void)
{
	//BOOK: bench-idle
	idled = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(idled != MAP_FAILED, "mmap");
	if (bench_child() == 0) {
		setpriority(PRIO_PROCESS, 0, 19);
		__asm__ volatile("1: incl (%0); jmp 1b" ::"r"(idled));
	}
}

static inline uint64_t spent_since(uint64_t start, uint32_t idle_start)
{
	uint64_t spent = bench_now() - start;

	return idled ? spent - 2ull * (*idled - idle_start) : spent;
}

static inline uint64_t bench_run(const struct row *row, void (*once)(void), void (*finish)(void))
{
	uint64_t start = bench_now(), sum = 0;
	uint32_t idle = idled ? *idled : 0;

	for (unsigned int i = 0; i < row->rounds; i++) {
		if (row->prepare) {
			row->prepare();
			idle = idled ? *idled : 0;
			start = bench_now();
		}
		once();
		if (row->prepare)
			sum += spent_since(start, idle);
	}
	if (finish)
		finish();
	return row->prepare ? sum : spent_since(start, idle);
}

static inline double bench_lowest(const struct row *row, void (*once)(void), void (*finish)(void))
{
	uint64_t lowest = bench_run(row, once, finish);

	for (int i = 0; i < RUNS; i++) {
		uint64_t spent = bench_run(row, once, finish);

		if (i == 0 || spent < lowest)
			lowest = spent;
	}
	return (double)lowest / row->rounds;
}

static inline void bench_row(const struct row *row, bool instructions, bool forever)
{
	char figure[32] = "-";

	if (row->setup && !row->setup())
		goto print;
	while (forever)
		bench_run(row, row->once, row->finish);
	if (instructions && row->waits)
		fill_idle_time();
	snprintf(figure, sizeof(figure), "%.0f",
		 (bench_lowest(row, row->once, row->finish) -
		  bench_lowest(row, bench_nothing, NULL)) /
			 (row->per_round ? row->per_round : 1));
print:
	printf("%-40s\t%8s\t%6u\t%s\n", row->name, figure, row->reach, row->counts);
	fflush(stdout);
}

/*
 * Runs the rows that the command line asks for. Returns 1 if one failed, and 2 if there was none.
 */
static inline int bench_main(int argc, char **argv, struct row *rows, unsigned int nr)
{
	bool instructions = false, forever = false;
	int option, status, found = 0, failed = 0;

	while ((option = getopt(argc, argv, "if")) != -1) {
		if (option == '?')
			return 2;
		instructions |= option == 'i';
		forever |= option == 'f';
	}
	for (struct row *row = rows; row < rows + nr; row++) {
		pid_t pid;

		if (optind < argc && !strstr(row->name, argv[optind]))
			continue;
		found++;
		pid = bench_child();
		if (pid == 0) {
			bench_row(row, instructions, forever);
			exit(0);
		}
		waitpid(pid, &status, 0);
		failed |= status != 0;
	}
	return !found ? 2 : failed;
}

#endif
