/*
 * What the smallest calls cost: nanoseconds per operation; with tools/guest --icount, where a guest
 * nanosecond is an instruction, instructions. The empty loop is taken off.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 20000

static int ends[2];
static char byte;

static void nothing(void)
{
	__asm__ volatile("" ::: "memory");
}

static void parent_id(void)
{
	syscall(SYS_getppid);
}

static void one_byte(void)
{
	if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
		exit(1);
}

static void pipe_and_close(void)
{
	int p[2];

	if (pipe(p) < 0)
		exit(1);
	close(p[0]);
	close(p[1]);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static double cost(void (*operation)(void))
{
	uint64_t start;

	operation();
	start = now();
	for (int i = 0; i < ROUNDS; i++)
		operation();
	return (double)(now() - start) / ROUNDS;
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} rows[] = {
		{ "getppid", parent_id },
		{ "1 byte there and back in one task", one_byte },
		{ "pipe and close both", pipe_and_close },
	};
	double floor = cost(nothing);

	if (pipe(ends) < 0)
		return 1;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		printf("%-40s %8.0f\n", rows[i].name, cost(rows[i].run) - floor);
	return 0;
}
