/*
 * The files of /proc/PID that tell how a process runs.
 */
#include "signals.h"
#include "text_files.h"

#include <sys/prctl.h>

TEST(sched, 5, "schedstat and sched tell the time on a CPU and the turns")
{
	unsigned long long ran, waited;
	unsigned int turns;

	test_sleep_ms(5);
	contents("/proc/self/schedstat");
	CHECK_EQ(sscanf(text, "%llu %llu %u", &ran, &waited, &turns), 3);
	CHECK(ran > 0 && turns > 0);
	contents("/proc/self/sched");
	CHECK(strstr(text, "nr_switches") && strstr(text, "nr_voluntary_switches") &&
	      strstr(text, "policy"));
}

TEST(timers, 5, "timers lists the POSIX timers")
{
	char want[64];
	timer_t timer;

	contents("/proc/self/timers");
	CHECK_EQ(text[0], '\0');
	CHECK_EQ(
		timer_create(CLOCK_MONOTONIC, &(struct sigevent){ .sigev_signo = SIGUSR1 }, &timer),
		0);
	contents("/proc/self/timers");
	CHECK(!strncmp(text, "ID: 0\nsignal: 10/", 17));
	snprintf(want, sizeof(want), "notify: signal/pid.%d\nClockID: 1\n", getpid());
	CHECK(strstr(text, want));
	timer_delete(timer);
}

TEST(slack, 5, "timerslack_ns is the slack of prctl, and can be written")
{
	int fd = open("/proc/self/timerslack_ns", O_WRONLY);

	CHECK_EQ(write(fd, "1234", 4), 4);
	close(fd);
	CHECK_EQ(prctl(PR_GET_TIMERSLACK), 1234);
	contents("/proc/self/timerslack_ns");
	CHECK(!strcmp(text, "1234\n"));
	CHECK_EQ(prctl(PR_SET_TIMERSLACK, 0), 0);
}

TEST(slack_of_others, 5, "only root reads or writes the slack of another process")
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/timerslack_ns", getppid());
	contents("%s", path);
	CHECK_EQ(setuid(1000), 0);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK_ERR(read(fd, text, sizeof(text)), EPERM);
	CHECK_ERR(write(fd, "1234", 4), EPERM);
	close(fd);
	fd = open("/proc/self/timerslack_ns", O_RDONLY);
	CHECK(read(fd, text, sizeof(text)) > 0);
	close(fd);
}

TEST(status, 5, "status tells the umask, the room for descriptors and the numbers")
{
	char want[64];

	umask(027);
	contents("/proc/self/status");
	CHECK(strstr(text, "\nUmask:\t0027\n") && strstr(text, "\nFDSize:\t"));
	snprintf(want, sizeof(want), "\nNStgid:\t%d\nNSpid:\t%d\n", getpid(), getpid());
	CHECK(strstr(text, want));
}
