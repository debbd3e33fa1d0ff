/*
 * The files of /proc/PID that tell how a process runs.
 */
#include "signals.h"

#include <sys/prctl.h>

static void get(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, text, size - 1);

	CHECK(n >= 0);
	text[n] = '\0';
	close(fd);
}

TEST(sched, 5, "schedstat and sched tell the time on a CPU and the turns")
{
	unsigned long long ran, waited;
	char text[4096];
	unsigned int turns;

	test_sleep_ms(5);
	get("/proc/self/schedstat", text, sizeof(text));
	CHECK_EQ(sscanf(text, "%llu %llu %u", &ran, &waited, &turns), 3);
	CHECK(ran > 0 && turns > 0);
	get("/proc/self/sched", text, sizeof(text));
	CHECK(strstr(text, "nr_switches") && strstr(text, "nr_voluntary_switches") &&
	      strstr(text, "policy"));
}

TEST(timers, 5, "timers lists the POSIX timers")
{
	char text[1024], want[64];
	timer_t timer;

	get("/proc/self/timers", text, sizeof(text));
	CHECK_EQ(text[0], '\0');
	CHECK_EQ(
		timer_create(CLOCK_MONOTONIC, &(struct sigevent){ .sigev_signo = SIGUSR1 }, &timer),
		0);
	get("/proc/self/timers", text, sizeof(text));
	CHECK(!strncmp(text, "ID: 0\nsignal: 10/", 17));
	snprintf(want, sizeof(want), "notify: signal/pid.%d\nClockID: 1\n", getpid());
	CHECK(strstr(text, want));
	timer_delete(timer);
}

TEST(slack, 5, "timerslack_ns is the slack of prctl, and can be written")
{
	char text[64];
	int fd = open("/proc/self/timerslack_ns", O_WRONLY);

	CHECK_EQ(write(fd, "1234", 4), 4);
	close(fd);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1234);
	get("/proc/self/timerslack_ns", text, sizeof(text));
	CHECK(!strcmp(text, "1234\n"));
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
}

TEST(status, 5, "status tells the umask, the room for descriptors and the numbers")
{
	char text[4096], want[64];

	umask(027);
	get("/proc/self/status", text, sizeof(text));
	CHECK(strstr(text, "\nUmask:\t0027\n") && strstr(text, "\nFDSize:\t"));
	snprintf(want, sizeof(want), "\nNStgid:\t%d\nNSpid:\t%d\n", getpid(), getpid());
	CHECK(strstr(text, want));
}
