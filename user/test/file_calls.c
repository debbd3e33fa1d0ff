/*
 * Smaller calls on descriptors and names: close_range, renameat2, preadv2 and pwritev2, O_TMPFILE,
 * readahead and the like.
 */
#include "names.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define UNSHARE	  2u
#define CLOEXEC	  4u

#define NOREPLACE 1u
#define EXCHANGE  2u
#define WHITEOUT  4u

#define HIPRI	  1u
#define DSYNC	  2u
#define SYNC	  4u
#define NOWAIT	  8u
#define APPEND	  16u

static int close_from_to(unsigned int first, unsigned int last, unsigned int flags)
{
	return syscall(SYS_close_range, first, last, flags);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* ---- close_range ---- */

TEST(range, 5, "close_range closes the descriptors of a range, or marks them")
{
	for (int fd = 10; fd < 60; fd++)
		CHECK_EQ(dup2(0, fd), fd);
	CHECK_EQ(close_from_to(12, 14, 0), 0);
	CHECK(is_open(11) && !is_open(12) && !is_open(13) && !is_open(14) && is_open(15));
	CHECK_EQ(close_from_to(12, 14, 0), 0);
	CHECK_EQ(close_from_to(15, 20, CLOEXEC), 0);
	CHECK_EQ(fcntl(15, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(20, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(21, F_GETFD), 0);
	CHECK_EQ(close_from_to(12, 12, CLOEXEC), 0);
	CHECK_EQ(dup(0), 3); /* a free place is not marked */
	CHECK_EQ(close_from_to(58, UINT32_MAX, 0), 0);
	CHECK(is_open(57) && !is_open(58) && !is_open(59));
	CHECK_ERR(close_from_to(5, 4, 0), EINVAL);
	CHECK_ERR(close_from_to(4, 5, 1), EINVAL);
	CHECK_ERR(close_from_to(4, 5, 8), EINVAL);
	CHECK_EQ(close_from_to(100000, UINT32_MAX, 0), 0);
}

static void *unshare_range(void *argument)
{
	CHECK_EQ(close_from_to(20, 30, UNSHARE), 0);
	CHECK(!is_open(25) && is_open(31));
	CHECK_EQ(dup2(0, 40), 40);
	return NULL;
}

TEST(range_of_a_thread, 5, "with UNSHARE a thread closes descriptors of a table of its own")
{
	pthread_t thread;

	for (int fd = 20; fd < 35; fd++)
		CHECK_EQ(dup2(0, fd), fd);
	CHECK_EQ(pthread_create(&thread, NULL, unshare_range, NULL), 0);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK(is_open(25));
	CHECK(!is_open(40));
}

/* ---- renameat2 ---- */

static int rename2(const char *from, const char *to, unsigned int flags)
{
	return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

TEST(no_replace, 5, "RENAME_NOREPLACE moves a name, but not over another one")
{
	enter();
	put("a", "A");
	put("b", "B");
	CHECK_EQ(symlink("nowhere", "link"), 0);
	CHECK_ERR(rename2("a", "b", NOREPLACE), EEXIST);
	CHECK_ERR(rename2("a", "a", NOREPLACE), EEXIST);
	CHECK_ERR(rename2("a", "link", NOREPLACE), EEXIST);
	CHECK_ERR(rename2("a", ".", NOREPLACE), EEXIST);
	CHECK_ERR(rename2("a", ".", 0), EBUSY);
	CHECK_ERR(rename2("none", "b", NOREPLACE), ENOENT);
	CHECK_EQ(rename2("a", "c", NOREPLACE), 0);
	CHECK(holds("c", "A") && holds("b", "B") && !is_there("a"));
	CHECK_ERR(rename2("b", "d", 8), EINVAL);
	CHECK_ERR(rename2("b", "c", NOREPLACE | EXCHANGE), EINVAL);
	CHECK_ERR(rename2("b", "c", EXCHANGE | WHITEOUT), EINVAL);
	CHECK_EQ(rename2("b", "c", 0), 0);
	CHECK(holds("c", "B"));
	leave();
}

static ino_t number(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_ino;
}

static long links(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_nlink;
}

TEST(exchange, 5, "RENAME_EXCHANGE lets two names change places, whatever they are")
{
	char cwd[64];
	ino_t file, dir;

	enter();
	CHECK_EQ(mkdir("x", 0755) | mkdir("y", 0755) | mkdir("x/dir", 0755), 0);
	put("y/file", "F");
	put("x/dir/inside", "I");
	put("a", "A");
	put("b", "B");
	CHECK_EQ(rename2("a", "b", EXCHANGE), 0);
	CHECK(holds("a", "B") && holds("b", "A"));
	file = number("y/file");
	dir = number("x/dir");
	CHECK_EQ(rename2("x/dir", "y/file", EXCHANGE), 0);
	CHECK_EQ(number("x/dir"), file);
	CHECK_EQ(number("y/file"), dir);
	CHECK(holds("x/dir", "F") && holds("y/file/inside", "I"));
	CHECK_EQ(links("x"), 2);
	CHECK_EQ(links("y"), 3);
	CHECK_EQ(chdir("y/file"), 0);
	CHECK(holds("../../a", "B"));
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, DIR_NAME "/y/file"));
	CHECK_EQ(chdir(DIR_NAME), 0);
	CHECK_ERR(rename2("a", "none", EXCHANGE), ENOENT);
	CHECK_ERR(rename2("none", "a", EXCHANGE), ENOENT);
	CHECK_ERR(rename2("y", "y/file", EXCHANGE), EINVAL);
	CHECK_ERR(rename2("y/file", "y", EXCHANGE), EINVAL);
	CHECK_ERR(rename2("y", "a/", EXCHANGE), ENOTDIR);
	CHECK_EQ(rename2("a", "a", EXCHANGE), 0);
	CHECK_EQ(unlink("x/dir"), 0);
	CHECK_EQ(unlink("y/file/inside"), 0);
	CHECK_EQ(rmdir("y/file"), 0);
	leave();
}

static bool is_whiteout(const char *path)
{
	struct stat st;

	CHECK_EQ(lstat(path, &st), 0);
	return st.st_mode == S_IFCHR && st.st_rdev == 0 && st.st_nlink == 1 && st.st_size == 0;
}

TEST(whiteout, 5, "RENAME_WHITEOUT leaves a character device without a number at the old name")
{
	enter();
	CHECK_EQ(mkdir("x", 0755) | mkdir("y", 0755) | mkdir("x/dir", 0755), 0);
	put("a", "A");
	put("b", "B");
	CHECK_EQ(rename2("a", "c", WHITEOUT), 0);
	CHECK(is_whiteout("a") && holds("c", "A"));
	CHECK_ERR(open("a", O_RDONLY), ENXIO);
	CHECK_ERR(rename2("c", "b", WHITEOUT | NOREPLACE), EEXIST);
	CHECK_EQ(rename2("c", "b", WHITEOUT), 0);
	CHECK(is_whiteout("c") && holds("b", "A"));
	CHECK_EQ(rename2("x/dir", "y/dir", WHITEOUT), 0);
	CHECK(is_whiteout("x/dir"));
	CHECK_EQ(links("x"), 2);
	CHECK_EQ(links("y"), 3);
	CHECK_ERR(rename2("x/dir", "y/dir", WHITEOUT), EISDIR);
	CHECK_ERR(rename2("y", "x", WHITEOUT), ENOTEMPTY);
	CHECK_EQ(rename2("a", "c", WHITEOUT), 0); /* a whiteout is a name like others */
	CHECK(is_whiteout("a") && is_whiteout("c"));
	CHECK_EQ(link("b", "d"), 0);
	CHECK_EQ(rename2("b", "d", WHITEOUT), 0); /* names of the same file: nothing happens */
	CHECK(holds("b", "A") && holds("d", "A"));
	CHECK_EQ(unlink("a") | unlink("c") | unlink("d") | unlink("x/dir") | rmdir("y/dir"), 0);
	leave();
}

TEST(whiteout_has_no_room, 5, "a rename that cannot leave a whiteout does nothing")
{
	enter();
	CHECK_EQ(mkdir("full", 0755), 0);
	CHECK_EQ(mount("none", "full", "tmpfs", 0, "nr_inodes=3"), 0);
	put("full/a", "A");
	put("full/b", "B");
	CHECK_ERR(rename2("full/a", "full/b", WHITEOUT), ENOSPC);
	CHECK_ERR(rename2("full/a", "full/c", WHITEOUT), ENOSPC);
	CHECK(holds("full/a", "A") && holds("full/b", "B") && !is_there("full/c"));
	CHECK_EQ(umount("full") | rmdir("full"), 0);
	leave();
}

/* ---- preadv2 and pwritev2 ---- */

static long move2(long number, int fd, const struct iovec *iov, long long pos, unsigned int flags)
{
	return syscall(number, fd, iov, 1, (long)pos, (long)(pos >> 32), flags);
}

#define PREADV2	 378
#define PWRITEV2 379

TEST(vectors, 5, "preadv2 and pwritev2: with an offset, at the position, appending")
{
	char text[8] = "abcd", got[8];
	struct iovec from = { text, 4 }, to = { got, 4 };
	int fd, ends[2];

	enter();
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(move2(PWRITEV2, fd, &from, 0, 0), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(move2(PWRITEV2, fd, &from, -1, DSYNC), 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(move2(PWRITEV2, fd, &from, 1, APPEND | SYNC), 4);
	CHECK(holds("f", "abcdabcd"));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(move2(PWRITEV2, fd, &from, -1, APPEND), 4);
	CHECK(holds("f", "abcdabcdabcd"));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 12);
	CHECK_EQ(move2(PREADV2, fd, &to, 1, HIPRI), 4);
	CHECK(!memcmp(got, "bcda", 4));
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(move2(PREADV2, fd, &to, -1, 0), 4);
	CHECK(!memcmp(got, "cdab", 4));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(move2(PWRITEV2, ends[1], &from, -1, APPEND), 4);
	CHECK_EQ(move2(PREADV2, ends[0], &to, -1, 0), 4);
	CHECK_ERR(move2(PREADV2, ends[0], &to, 0, 0), ESPIPE);
	CHECK_ERR(move2(PWRITEV2, fd, &from, -2, 0), EINVAL);
	CHECK_ERR(move2(PREADV2, fd, &to, 0, 0x100), EOPNOTSUPP);
	CHECK_ERR(move2(PWRITEV2, fd, &from, 0, 0x100), EOPNOTSUPP);
	CHECK_ERR(move2(PREADV2, fd, &to, 0, NOWAIT), EOPNOTSUPP);
	CHECK_ERR(move2(PWRITEV2, fd, &from, 0, NOWAIT), EOPNOTSUPP);
	CHECK_ERR(move2(PREADV2, 99, &to, 0, 0), EBADF);
	CHECK_ERR(move2(PWRITEV2, 99, &from, 0, APPEND), EBADF);
	CHECK_ERR(move2(PWRITEV2, open("f", O_RDONLY), &from, 0, APPEND), EBADF);
	from.iov_base = (void *)16;
	CHECK_ERR(move2(PWRITEV2, fd, &from, 0, APPEND), EFAULT);
	leave();
}

TEST(first_errors, 5, "a descriptor, its offset, the vector and its access come before flags")
{
	struct iovec to = { NULL, 1 };
	int64_t before = -1;
	int fd, writer, ends[2];

	enter();
	put("f", "abc");
	CHECK((fd = open("f", O_RDWR)) >= 0 && (writer = open("f", O_WRONLY)) >= 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(move2(PREADV2, 99, &to, 0, 0x100), EBADF);
	CHECK_ERR(move2(PREADV2, ends[0], &to, 0, 0x100), ESPIPE);
	CHECK_ERR(move2(PREADV2, writer, (void *)1, 0, 0x100), EFAULT);
	CHECK_ERR(move2(PREADV2, writer, &to, 0, 0x100), EBADF);
	CHECK_ERR(move2(PREADV2, fd, &to, 0, 0x100), EOPNOTSUPP);
	to.iov_len = 0;
	CHECK_EQ(move2(PREADV2, fd, &to, 0, 0x100), 0);
	CHECK_ERR(copy_file_range(99, NULL, 98, NULL, 1, 1), EBADF);
	CHECK_ERR(copy_file_range(fd, (void *)1, fd, NULL, 1, 1), EFAULT);
	CHECK_ERR(copy_file_range(fd, NULL, writer, NULL, 1, 1), EINVAL);
	CHECK_ERR(syscall(SYS_sendfile64, writer, fd, NULL, -1), EINVAL);
	CHECK_ERR(syscall(SYS_sendfile64, writer, fd, &before, 1), EINVAL);
	CHECK_EQ(syscall(SYS_readahead, fd, -1, -1, 1), 0);
	leave();
}

/* ---- O_TMPFILE ---- */

TEST(nameless, 5, "O_TMPFILE makes a file without a name, which linkat may give it")
{
	char name[32], text[64] = "", expected[64];
	struct stat st;
	int fd, closed;

	enter();
	umask(027);
	fd = open(".", O_TMPFILE | O_RDWR, 0666);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "text", 4), 4);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	snprintf(expected, sizeof(expected), DIR_NAME "/#%lu (deleted)", (unsigned long)st.st_ino);
	CHECK(readlink(name, text, sizeof(text)) > 0);
	CHECK(!strcmp(text, expected));
	CHECK_EQ(rmdir("d"), -1);
	CHECK_EQ(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0);
	CHECK(holds("named", "text"));
	CHECK_EQ(links("named"), 1);
	CHECK_EQ(linkat(fd, "", AT_FDCWD, "again", AT_EMPTY_PATH), 0);
	CHECK_EQ(links("named"), 2);
	CHECK_EQ(unlink("named") | unlink("again"), 0);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "late", AT_EMPTY_PATH), ENOENT);
	closed = open(".", O_TMPFILE | O_WRONLY | O_EXCL, 0600);
	CHECK(closed >= 0);
	CHECK_ERR(linkat(closed, "", AT_FDCWD, "named", AT_EMPTY_PATH), ENOENT);
	put("f", "");
	CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	CHECK_ERR(open(".", O_TMPFILE | O_CREAT | O_RDWR, 0600), EINVAL);
	CHECK_ERR(open(".", (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, 0600), EINVAL);
	CHECK_ERR(open("f", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	CHECK_ERR(open("none", O_TMPFILE | O_RDWR, 0600), ENOENT);
	CHECK_ERR(open("/proc", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	fd = open(".", O_TMPFILE | O_RDWR, 0); /* whatever the mode says */
	CHECK(fd >= 0);
	CHECK_EQ(chmod(".", 0555), 0);
	if (fork() == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(open(".", O_TMPFILE | O_RDWR, 0600), EACCES);
		_exit(0);
	}
	CHECK(wait(&closed) > 0);
	CHECK_EQ(closed, 0);
	leave();
}

/* ---- hints, and what no file system here has ---- */

TEST(hints, 5, "readahead, sync_file_range, syncfs, and handles of files")
{
	struct {
		unsigned int bytes;
		int type;
		char text[64];
	} handle = { .bytes = sizeof(handle.text) };
	int fd, writer, ends[2], mount_number;

	enter();
	put("f", "text");
	fd = open("f", O_RDONLY);
	writer = open("f", O_WRONLY);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(readahead(fd, 0, 100), 0);
	CHECK_EQ(readahead(fd, 1000, 100), 0);
	CHECK_EQ(readahead(open("/bin/busybox", O_RDONLY), 0, 100000), 0);
	CHECK_ERR(readahead(writer, 0, 100), EBADF);
	CHECK_ERR(readahead(99, 0, 100), EBADF);
	CHECK_ERR(readahead(ends[0], 0, 100), EINVAL);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED), 0);
	CHECK_EQ(sync_file_range(writer, 0, 0, 7), 0);
	CHECK_EQ(sync_file_range(writer, 0, 4, 0), 0);
	CHECK_ERR(sync_file_range(writer, 0, 4, 8), EINVAL);
	CHECK_ERR(sync_file_range(writer, -1, 4, 0), EINVAL);
	CHECK_ERR(sync_file_range(writer, 0, -1, 0), EINVAL);
	CHECK_ERR(sync_file_range(ends[1], 0, 0, 0), ESPIPE);
	CHECK_ERR(sync_file_range(99, 0, 0, 0), EBADF);
	CHECK_EQ(syncfs(fd), 0);
	CHECK_ERR(syncfs(99), EBADF);
	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "/proc", &handle, &mount_number, 0),
		  EOPNOTSUPP);
	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "none", &handle, &mount_number, 0),
		  ENOENT);
	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "/proc", &handle, &mount_number, 1),
		  EINVAL);
	leave();
}

TEST(copies, 5, "copy_file_range stays within one file system")
{
	int in, out;

	enter();
	put("f", "text");
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	in = open("f", O_RDONLY);
	out = open("m/g", O_RDWR | O_CREAT, 0600);
	CHECK_ERR(copy_file_range(in, NULL, out, NULL, 4, 0), EXDEV);
	CHECK_ERR(copy_file_range(in, NULL, out, NULL, 4, 1), EINVAL);
	close(out);
	out = open("g", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(copy_file_range(in, NULL, out, NULL, 4, 0), 4);
	CHECK(holds("g", "text"));
	CHECK_EQ(umount("m"), 0);
	leave();
}
