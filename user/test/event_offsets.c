/*
 * lseek on files that have no position: some refuse it, and some take it for nothing.
 */
#include "test.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

/* Checks lseek, and that pread and pwrite are refused in any case. */
static void check_file(int fd, bool refused)
{
	char byte = 0;

	CHECK(fd >= 0);
	for (int whence = SEEK_SET; whence <= SEEK_HOLE; whence++) {
		if (refused)
			CHECK_ERR(lseek(fd, 3, whence), ESPIPE);
		else
			CHECK_EQ(lseek(fd, 3, whence), 0);
	}
	CHECK_ERR(lseek(fd, 0, SEEK_HOLE + 1), EINVAL);
	CHECK_ERR(pread(fd, &byte, 1, 0), ESPIPE);
	CHECK_ERR(pwrite(fd, &byte, 1, 0), ESPIPE);
	close(fd);
}

TEST(events, 5, "on files that tell of events, lseek does nothing and succeeds")
{
	sigset_t set;

	sigemptyset(&set);
	check_file(eventfd(0, EFD_NONBLOCK), false);
	check_file(epoll_create1(0), false);
	check_file(signalfd(-1, &set, SFD_NONBLOCK), false);
	check_file(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), false);
	check_file(inotify_init1(IN_NONBLOCK), false);
}

TEST(streams, 5, "pipes, sockets, terminals and pidfds refuse lseek")
{
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	check_file(ends[0], true);
	check_file(ends[1], true);
	check_file(socket(AF_UNIX, SOCK_STREAM, 0), true);
	check_file(open("/dev/ptmx", O_RDWR | O_NONBLOCK), true);
	check_file(syscall(SYS_pidfd_open, getpid(), 0), true);
}

TEST(printed, 5, "files of /proc have positions, but no end to count from")
{
	const char *const names[] = { "/proc/self/stat", "/proc/self/maps", "/proc/mounts",
				      "/proc/self/mem" };

	for (int i = 0; i < 4; i++) {
		int fd = open(names[i], O_RDONLY);

		CHECK(fd >= 0);
		CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
		CHECK_EQ(lseek(fd, 2, SEEK_CUR), 4);
		CHECK_ERR(lseek(fd, 0, SEEK_END), EINVAL);
		CHECK_ERR(lseek(fd, 0, SEEK_DATA), EINVAL);
		close(fd);
	}
}
