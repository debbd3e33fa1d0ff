/*
 * Calls about the system as a whole: the kernel's log, the kinds of file systems, and
 * Ctrl-Alt-Delete.
 */
#include "signals.h"

#include <sys/klog.h>
#include <sys/reboot.h>

enum { NR_SYSFS = 135 };

static char text[1 << 20];

TEST(log, 10, "syslog reads the log, from the last clearing on; only root may do more")
{
	int size = klogctl(10, NULL, 0), got;

	CHECK(size > 0 && size <= (int)sizeof(text));
	CHECK_EQ(klogctl(1, NULL, 0), 0);
	got = klogctl(3, text, sizeof(text));
	CHECK(got > 0); /* on Linux with the times, so it may be more than the size of the buffer */
	CHECK_EQ(klogctl(3, text, 0), 0);
	CHECK_EQ(klogctl(4, text, sizeof(text)), got);
	CHECK(klogctl(3, text, sizeof(text)) < got);
	CHECK(klogctl(9, NULL, 0) >= 0);
	CHECK(klogctl(2, text, 10) > 0);
	CHECK_EQ(klogctl(6, NULL, 0), 0);
	CHECK_EQ(klogctl(7, NULL, 0), 0);
	CHECK_EQ(klogctl(8, NULL, 4), 0);
	CHECK_EQ(klogctl(5, NULL, 0), 0);
	CHECK_EQ(klogctl(0, NULL, 0), 0);
	CHECK_ERR(klogctl(11, NULL, 0), EINVAL);
	CHECK_ERR(klogctl(-1, NULL, 0), EINVAL);
	CHECK_ERR(klogctl(2, NULL, 5), EINVAL);
	CHECK_ERR(klogctl(3, NULL, 5), EINVAL);
	CHECK_ERR(klogctl(3, text, -1), EINVAL);
	CHECK_ERR(klogctl(8, NULL, 0), EINVAL);
	CHECK_ERR(klogctl(8, NULL, 9), EINVAL);
	pid_t child = fork();

	if (child == 0) {
		setuid(1000);
		CHECK_ERR(klogctl(2, text, 0), EPERM);
		CHECK_ERR(klogctl(5, NULL, 0), EPERM);
		CHECK_ERR(klogctl(8, NULL, 7), EPERM);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

TEST(sysfs, 5, "sysfs numbers the kinds of file systems")
{
	int nr = syscall(NR_SYSFS, 3), proc = syscall(NR_SYSFS, 1, "proc");
	char name[64];

	CHECK(nr > 0);
	CHECK(proc >= 0 && proc < nr);
	CHECK_EQ(syscall(NR_SYSFS, 2, proc, name), 0);
	CHECK(!strcmp(name, "proc"));
	CHECK_ERR(syscall(NR_SYSFS, 1, "no such system"), EINVAL);
	CHECK_ERR(syscall(NR_SYSFS, 1, 1), EFAULT);
	CHECK_ERR(syscall(NR_SYSFS, 2, nr, name), EINVAL);
	CHECK_ERR(syscall(NR_SYSFS, 2, proc, 1), EFAULT);
	CHECK_ERR(syscall(NR_SYSFS, 4), EINVAL);
}

TEST(keys, 5, "reboot decides what Ctrl-Alt-Delete does")
{
	CHECK_EQ(reboot(RB_DISABLE_CAD), 0);
	CHECK_EQ(reboot(RB_ENABLE_CAD), 0);
	CHECK_ERR(reboot(1), EINVAL);
	pid_t child = fork();

	if (child == 0) {
		setuid(1000);
		CHECK_ERR(reboot(RB_DISABLE_CAD), EPERM);
		_exit(0);
	}
	CHECK_EQ(wait_status(child), 0);
}

BEYOND_TEST(config, 10, "/proc/config.gz says in Linux's words what the kernel has",
	    "lacks /proc/config.gz: Debian has it as a file in /boot")
{
	int fd = test_open_own("/proc/config.gz", O_RDONLY);

	close(fd);
	CHECK_EQ(system("zcat /proc/config.gz >/tmp/config"), 0);
	CHECK_EQ(system("grep -q '^CONFIG_SYSVIPC=y$' /tmp/config"), 0);
	unlink("/tmp/config");
}
