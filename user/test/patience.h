/*
 * How long a program in a guest may take: some seconds, and the same again a few times if the guest
 * has been busy, since its host is slow then or has other work. A program that hangs leaves the
 * guest idle, and one that spins comes to the end of its periods.
 */
#ifndef USER_TEST_PATIENCE_H
#define USER_TEST_PATIENCE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#define PATIENCE_PERIODS 4 /* how often a guest that is busy gets the seconds once more */

static struct {
	int seconds, periods; /* what is left: periods of so many seconds */
	double busy;	      /* when the current one began */
} patience;

/*
 * Returns for how many seconds the guest's CPUs have been busy since it started, all taken
 * together.
 */
static double patience_busy(void)
{
	char line[64] = "";
	double up = 0, idle = 0;
	int fd = open("/proc/uptime", O_RDONLY);

	if (fd >= 0 && read(fd, line, sizeof(line) - 1) > 0)
		sscanf(line, "%lf %lf", &up, &idle);
	close(fd);
	return up * sysconf(_SC_NPROCESSORS_ONLN) - idle;
}

/* Begin. The caller sets an alarm for so many seconds. */
static void patience_begin(int seconds)
{
	patience.seconds = seconds;
	patience.periods = PATIENCE_PERIODS;
	patience.busy = patience_busy();
}

/* The alarm has come. Returns whether the program gets another period, with the next alarm set. */
static bool patience_goes_on(void)
{
	double busy = patience_busy(), before = patience.busy;

	if (patience.periods-- <= 0 || busy - before <= patience.seconds / 2.0)
		return false;
	patience.busy = busy;
	alarm(patience.seconds);
	return true;
}

#endif
