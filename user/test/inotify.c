/* inotify: which events come, in which order, with which names; watches, limits and errors. */
#include "epoll.h"
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

#define DIR    "/tmp/inotify"
#define FILE_A DIR "/a"
#define FILE_B DIR "/b"
#define SUB    DIR "/sub"
#define LIMIT  "/proc/sys/fs/inotify/"

static int in;
static char buf[65536];
static size_t at, end;

static void tidy(void)
{
	if (system("rm -rf " DIR) != 0)
		test_fail(__FILE__, __LINE__, "rm");
}

static void set_up(void)
{
	tidy();
	CHECK_EQ(mkdir(DIR, 0700), 0);
	in = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	CHECK(in >= 0);
	at = end = 0;
}

static int watch(const char *path, uint32_t mask)
{
	int wd = inotify_add_watch(in, path, mask);

	CHECK(wd > 0);
	return wd;
}

/* Takes the next event, which must be this one. Returns its cookie. */
static uint32_t comes(int line, int wd, uint32_t mask, const char *name)
{
	struct inotify_event *event;

	if (at == end) {
		ssize_t n = read(in, buf, sizeof(buf));

		if (n <= 0)
			test_fail(__FILE__, line, "no event, expected %x", mask);
		at = 0;
		end = n;
	}
	event = (void *)(buf + at);
	at += sizeof(*event) + event->len;
	if (event->wd != wd || event->mask != mask ||
	    strcmp(event->len ? event->name : "", name ? name : "") != 0)
		test_fail(__FILE__, line, "event %x of %d \"%s\", expected %x of %d \"%s\"",
			  event->mask, event->wd, event->len ? event->name : "", mask, wd,
			  name ? name : "");
	return event->cookie;
}
#define COMES(wd, mask, name) comes(__LINE__, wd, mask, name)

static void no_more(int line)
{
	errno = 0;
	if (at != end)
		test_fail(__FILE__, line, "event %x more",
			  ((struct inotify_event *)(buf + at))->mask);
	if (read(in, buf, sizeof(buf)) >= 0)
		test_fail(__FILE__, line, "event %x more", ((struct inotify_event *)buf)->mask);
	if (errno != EAGAIN)
		test_fail(__FILE__, line, "not EAGAIN");
}
#define NO_MORE() no_more(__LINE__)

static int make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	CHECK(fd >= 0);
	return fd;
}

TEST(file_calls, 5, "open, read, write, truncate, chmod and close of a file are told")
{
	int fd, wd;
	char byte;

	set_up();
	close(make(FILE_A));
	wd = watch(FILE_A, IN_ALL_EVENTS);
	fd = open(FILE_A, O_RDWR);
	COMES(wd, IN_OPEN, NULL);
	CHECK_EQ(write(fd, "abc", 3), 3);
	COMES(wd, IN_MODIFY, NULL);
	CHECK_EQ(pread(fd, &byte, 1, 0), 1);
	COMES(wd, IN_ACCESS, NULL);
	CHECK_EQ(pread(fd, &byte, 1, 10), 0);
	NO_MORE();
	CHECK_EQ(ftruncate(fd, 1), 0);
	COMES(wd, IN_MODIFY, NULL);
	CHECK_EQ(fchmod(fd, 0644), 0);
	COMES(wd, IN_ATTRIB, NULL);
	CHECK_EQ(close(fd), 0);
	COMES(wd, IN_CLOSE_WRITE, NULL);
	fd = open(FILE_A, O_RDONLY);
	CHECK_EQ(close(fd), 0);
	COMES(wd, IN_OPEN, NULL);
	COMES(wd, IN_CLOSE_NOWRITE, NULL);
	NO_MORE();
	CHECK_EQ(close(in), 0);
	tidy();
}

TEST(copies, 5,
     "bytes that go from file to file, through a pipe or without one, and fallocate are told")
{
	int from, to, wd_from, wd_to, ends[2];
	off_t start = 0;

	set_up();
	from = make(FILE_A);
	to = make(FILE_B);
	CHECK_EQ(write(from, "abc", 3), 3);
	CHECK_EQ(pipe(ends), 0);
	wd_from = watch(FILE_A, IN_ALL_EVENTS);
	wd_to = watch(FILE_B, IN_ALL_EVENTS);
	CHECK_EQ(sendfile(to, from, &start, 3), 3);
	COMES(wd_to, IN_MODIFY, NULL);
	COMES(wd_from, IN_ACCESS, NULL);
	COMES(wd_to, IN_MODIFY, NULL);
	CHECK_EQ(lseek(from, 0, SEEK_SET), 0);
	CHECK_EQ(syscall(SYS_copy_file_range, from, NULL, to, NULL, 3, 0), 3);
	COMES(wd_to, IN_MODIFY, NULL);
	COMES(wd_from, IN_ACCESS, NULL);
	COMES(wd_to, IN_MODIFY, NULL);
	NO_MORE();
	CHECK_EQ(write(ends[1], "xyz", 3), 3);
	CHECK_EQ(splice(ends[0], NULL, to, NULL, 3, 0), 3);
	COMES(wd_to, IN_MODIFY, NULL);
	NO_MORE();
	CHECK_EQ(fallocate(from, 0, 0, 100), 0);
	COMES(wd_from, IN_MODIFY, NULL);
	CHECK_ERR(fallocate(from, 0, 0, 0), EINVAL);
	NO_MORE();
	close(ends[0]);
	close(ends[1]);
	close(from);
	close(to);
	tidy();
}

TEST(names, 5, "a directory is told what happens to the files in it, with their names")
{
	int fd, wd;

	set_up();
	wd = watch(DIR, IN_ALL_EVENTS);
	fd = make(FILE_A);
	COMES(wd, IN_CREATE, "a");
	COMES(wd, IN_OPEN, "a");
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(close(fd), 0);
	COMES(wd, IN_MODIFY, "a");
	COMES(wd, IN_CLOSE_WRITE, "a");
	CHECK_EQ(mkdir(SUB, 0700), 0);
	COMES(wd, IN_CREATE | IN_ISDIR, "sub");
	CHECK_EQ(symlink("a", DIR "/a-name-of-sixteen"), 0);
	COMES(wd, IN_CREATE, "a-name-of-sixteen");
	CHECK_EQ(link(FILE_A, FILE_B), 0);
	COMES(wd, IN_CREATE, "b");
	CHECK_EQ(chmod(FILE_A, 0640), 0);
	COMES(wd, IN_ATTRIB, "a");
	CHECK_EQ(rmdir(SUB), 0);
	COMES(wd, IN_DELETE | IN_ISDIR, "sub");
	CHECK_EQ(unlink(FILE_B), 0);
	COMES(wd, IN_DELETE, "b");
	NO_MORE();
	tidy();
}

TEST(moves, 5, "the two halves of a rename have one cookie")
{
	int from, to, self;
	uint32_t first, second;

	set_up();
	close(make(FILE_A));
	CHECK_EQ(mkdir(SUB, 0700), 0);
	from = watch(DIR, IN_MOVE | IN_CREATE | IN_DELETE);
	to = watch(SUB, IN_MOVE | IN_CREATE | IN_DELETE);
	self = watch(FILE_A, IN_MOVE_SELF);
	CHECK_EQ(rename(FILE_A, SUB "/c"), 0);
	first = COMES(from, IN_MOVED_FROM, "a");
	CHECK(first != 0);
	CHECK_EQ(COMES(to, IN_MOVED_TO, "c"), first);
	COMES(self, IN_MOVE_SELF, NULL);
	CHECK_EQ(rename(SUB, DIR "/other"), 0);
	second = COMES(from, IN_MOVED_FROM | IN_ISDIR, "sub");
	CHECK(second != first);
	CHECK_EQ(COMES(from, IN_MOVED_TO | IN_ISDIR, "other"), second);
	NO_MORE();
	tidy();
}

TEST(goes, 5,
     "a file that is removed tells so when it is closed for the last time, and its watch ends")
{
	int fd, wd;

	set_up();
	fd = make(FILE_A);
	wd = watch(FILE_A, IN_ATTRIB | IN_DELETE_SELF | IN_CLOSE);
	CHECK_EQ(unlink(FILE_A), 0);
	COMES(wd, IN_ATTRIB, NULL);
	NO_MORE();
	CHECK_EQ(close(fd), 0);
	COMES(wd, IN_CLOSE_WRITE, NULL);
	COMES(wd, IN_DELETE_SELF, NULL);
	COMES(wd, IN_IGNORED, NULL);
	NO_MORE();
	CHECK_ERR(inotify_rm_watch(in, wd), EINVAL);
	CHECK_EQ(mkdir(SUB, 0700), 0);
	wd = watch(SUB, IN_DELETE_SELF);
	CHECK_EQ(rmdir(SUB), 0);
	COMES(wd, IN_DELETE_SELF, NULL);
	COMES(wd, IN_IGNORED, NULL);
	/* A file that is replaced goes, too. */
	close(make(FILE_A));
	close(make(FILE_B));
	wd = watch(FILE_B, IN_DELETE_SELF);
	CHECK_EQ(rename(FILE_A, FILE_B), 0);
	COMES(wd, IN_DELETE_SELF, NULL);
	COMES(wd, IN_IGNORED, NULL);
	NO_MORE();
	tidy();
}

TEST(removed_names, 5, "the removed file's own watch ends before its directory is told")
{
	int dir, wd;

	set_up();
	close(make(FILE_A));
	dir = watch(DIR, IN_DELETE);
	wd = watch(FILE_A, IN_DELETE_SELF);
	CHECK_EQ(unlink(FILE_A), 0);
	COMES(wd, IN_DELETE_SELF, NULL);
	COMES(wd, IN_IGNORED, NULL);
	COMES(dir, IN_DELETE, "a");
	NO_MORE();
	tidy();
}

TEST(watches, 5, "watches are numbered, changed, extended and removed")
{
	int first, second;

	set_up();
	close(make(FILE_A));
	close(make(FILE_B));
	first = watch(FILE_A, IN_OPEN);
	second = watch(FILE_B, IN_OPEN);
	CHECK_EQ(first, 1);
	CHECK_EQ(second, 2);
	CHECK_EQ(watch(FILE_A, IN_CLOSE_WRITE), first);
	close(make(FILE_A));
	COMES(first, IN_CLOSE_WRITE, NULL);
	CHECK_EQ(watch(FILE_A, IN_OPEN | IN_MASK_ADD), first);
	close(make(FILE_A));
	COMES(first, IN_OPEN, NULL);
	COMES(first, IN_CLOSE_WRITE, NULL);
	CHECK_ERR(inotify_add_watch(in, FILE_A, IN_OPEN | IN_MASK_CREATE), EEXIST);
	CHECK_EQ(inotify_rm_watch(in, first), 0);
	COMES(first, IN_IGNORED, NULL);
	close(make(FILE_A));
	NO_MORE();
	CHECK_ERR(inotify_rm_watch(in, first), EINVAL);
	CHECK_EQ(watch(FILE_A, IN_OPEN | IN_MASK_CREATE), 3);
	tidy();
}

TEST(once, 5, "a watch with IN_ONESHOT ends after one event")
{
	int wd;

	set_up();
	wd = watch(DIR, IN_CREATE | IN_ONESHOT);
	close(make(FILE_A));
	close(make(FILE_B));
	COMES(wd, IN_CREATE, "a");
	COMES(wd, IN_IGNORED, NULL);
	NO_MORE();
	CHECK_ERR(inotify_rm_watch(in, wd), EINVAL);
	CHECK_EQ(watch(DIR, IN_CREATE), wd + 1);
	tidy();
}

TEST(unlinked, 5, "IN_EXCL_UNLINK leaves out files whose names are gone")
{
	int fd, wd;

	set_up();
	fd = make(FILE_A);
	wd = watch(DIR, IN_MODIFY);
	CHECK_EQ(unlink(FILE_A), 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	COMES(wd, IN_MODIFY, "a");
	CHECK_EQ(watch(DIR, IN_MODIFY | IN_EXCL_UNLINK), wd);
	CHECK_EQ(write(fd, "abc", 3), 3);
	NO_MORE();
	tidy();
}

TEST(same_events, 5, "an event that equals the last one in the queue is dropped")
{
	int fd, wd, n = -1;

	set_up();
	fd = make(FILE_A);
	wd = watch(FILE_A, IN_MODIFY | IN_ACCESS);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(ioctl(in, FIONREAD, &n), 0);
	CHECK_EQ(n, 16);
	COMES(wd, IN_MODIFY, NULL);
	NO_MORE();
	tidy();
}

TEST(small_buffer, 5, "an event that does not fit is EINVAL and stays, and names are padded")
{
	struct inotify_event *event = (void *)buf;
	int n = -1, wd;

	set_up();
	wd = watch(DIR, IN_CREATE);
	close(make(FILE_A));
	CHECK_EQ(ioctl(in, FIONREAD, &n), 0);
	CHECK_EQ(n, 32);
	CHECK_ERR(read(in, buf, 31), EINVAL);
	CHECK_EQ(poll_now(in, POLLIN | POLLOUT), POLLIN);
	close(make(FILE_B));
	CHECK_EQ(read(in, buf, 63), 32);
	CHECK(event->wd == wd && event->len == 16 && !strcmp(event->name, "a"));
	CHECK_EQ(read(in, buf, 32), 32);
	CHECK(!strcmp(event->name, "b"));
	CHECK_EQ(poll_now(in, POLLIN), 0);
	tidy();
}

BEYOND_TEST(failed_read, 5, "a read whose memory is bad takes no event",
	    "its read takes the event before it copies")
{
	set_up();
	watch(DIR, IN_CREATE);
	close(make(FILE_A));
	CHECK_ERR(read(in, (void *)16, 32), EFAULT);
	CHECK_EQ(read(in, buf, sizeof(buf)), 32);
	tidy();
}

static void *create_later(void *unused)
{
	(void)unused;
	test_sleep_ms(100);
	close(make(FILE_A));
	return NULL;
}

TEST(waits, 10, "a read and an epoll wait for an event")
{
	int ep = make_epoll();
	pid_t child;

	set_up();
	watch(DIR, IN_CREATE);
	add(ep, in, EPOLLIN);
	child = fork();
	if (!child)
		_exit(create_later(NULL) != NULL);
	CHECK_EQ(epoll_wait(ep, got, 1, 5000), 1);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(read(in, buf, sizeof(buf)), 32);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(unlink(FILE_A), 0);
	CHECK_EQ(fcntl(in, F_SETFL, 0), 0);
	child = fork();
	if (!child)
		_exit(create_later(NULL) != NULL);
	CHECK_EQ(read(in, buf, sizeof(buf)), 32);
	CHECK_EQ(test_wait(child), 0);
	tidy();
}

static int limit(const char *name, int value)
{
	char path[64], text[16] = "";
	int fd, before;

	snprintf(path, sizeof(path), LIMIT "%s", name);
	fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	before = atoi(text);
	CHECK(pwrite(fd, text, snprintf(text, sizeof(text), "%d", value), 0) > 0);
	close(fd);
	return before;
}

TEST(limits, 10, "instances, watches and queued events are limited")
{
	int before, wd, more;

	set_up();
	before = limit("max_user_watches", 1);
	wd = watch(DIR, IN_CREATE);
	CHECK_ERR(inotify_add_watch(in, "/", IN_CREATE), ENOSPC);
	CHECK_EQ(inotify_rm_watch(in, wd), 0);
	COMES(wd, IN_IGNORED, NULL);
	wd = watch(DIR, IN_CREATE);
	limit("max_user_watches", before);
	before = limit("max_user_instances", 1);
	CHECK_ERR(inotify_init1(0), EMFILE);
	limit("max_user_instances", before);
	before = limit("max_queued_events", 2);
	more = inotify_init1(IN_NONBLOCK);
	close(in);
	in = more;
	wd = watch(DIR, IN_CREATE);
	close(make(FILE_A));
	close(make(FILE_B));
	close(make(DIR "/c"));
	close(make(DIR "/d"));
	limit("max_queued_events", before);
	COMES(wd, IN_CREATE, "a");
	COMES(wd, IN_CREATE, "b");
	COMES(-1, IN_Q_OVERFLOW, NULL);
	NO_MORE();
	tidy();
}

TEST(errors, 5, "the calls check their arguments")
{
	int other = make_epoll();

	set_up();
	close(make(FILE_A));
	CHECK_EQ(fcntl(in, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(inotify_init1(1), EINVAL);
	CHECK_ERR(inotify_add_watch(in, DIR, 0), EINVAL);
	CHECK_ERR(inotify_add_watch(in, DIR, IN_OPEN | 0x20000), EINVAL);
	CHECK_ERR(inotify_add_watch(-1, DIR, IN_OPEN), EBADF);
	CHECK_ERR(inotify_add_watch(other, DIR, IN_OPEN), EINVAL);
	CHECK_ERR(inotify_add_watch(in, DIR, IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
	CHECK_ERR(inotify_add_watch(in, DIR "/none", IN_OPEN), ENOENT);
	CHECK_ERR(inotify_add_watch(in, FILE_A, IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERR(inotify_add_watch(in, (void *)16, IN_OPEN), EFAULT);
	CHECK_ERR(inotify_rm_watch(-1, 1), EBADF);
	CHECK_ERR(inotify_rm_watch(other, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(in, 1), EINVAL);
	CHECK_ERR(inotify_rm_watch(in, -1), EINVAL);
	CHECK_ERR(write(in, buf, 16), EBADF);
	CHECK_EQ(syscall(SYS_inotify_init), other + 2);
	tidy();
}

TEST(unmounted, 10, "unmounting ends the watches of the file system")
{
	int wd;

	set_up();
	CHECK_EQ(mkdir(SUB, 0700), 0);
	CHECK_EQ(mount("none", SUB, "tmpfs", 0, NULL), 0);
	wd = watch(SUB, IN_ALL_EVENTS);
	CHECK_EQ(umount(SUB), 0);
	COMES(wd, IN_UNMOUNT | IN_ISDIR, NULL);
	COMES(wd, IN_IGNORED, NULL);
	NO_MORE();
	tidy();
}

TEST(truncated_open, 5, "O_TRUNC, utimes and readdir are told")
{
	struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	char entries[512];
	int fd, wd;

	set_up();
	close(make(FILE_A));
	wd = watch(FILE_A, IN_ALL_EVENTS);
	fd = open(FILE_A, O_WRONLY | O_TRUNC);
	COMES(wd, IN_MODIFY, NULL);
	COMES(wd, IN_OPEN, NULL);
	CHECK_EQ(futimens(fd, times), 0);
	COMES(wd, IN_ATTRIB, NULL);
	CHECK_EQ(close(fd), 0);
	COMES(wd, IN_CLOSE_WRITE, NULL);
	wd = watch(DIR, IN_OPEN | IN_ACCESS | IN_CLOSE);
	fd = open(DIR, O_RDONLY | O_DIRECTORY);
	COMES(wd, IN_OPEN | IN_ISDIR, NULL);
	CHECK(syscall(SYS_getdents64, fd, entries, sizeof(entries)) > 0);
	COMES(wd, IN_ACCESS | IN_ISDIR, NULL);
	CHECK_EQ(close(fd), 0);
	COMES(wd, IN_CLOSE_NOWRITE | IN_ISDIR, NULL);
	NO_MORE();
	tidy();
}
