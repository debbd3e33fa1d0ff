/*
 * Path descriptors (O_PATH), which stand for a place in the tree, and AT_EMPTY_PATH, which lets a
 * call work on the file of a descriptor.
 */
#include "names.h"
#include <dirent.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif

static const char *fd_name(int fd)
{
	static char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return name;
}

static int access_at(int dir, const char *name, int mode, int flags)
{
	return syscall(SYS_faccessat2, dir, name, mode, flags);
}

TEST(refused, 5, "calls that use a file answer EBADF for a path descriptor")
{
	struct pollfd p = { .events = POLLIN | POLLOUT };
	struct timespec times[2] = { { 1, 0 }, { 2, 0 } };
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char buf[64];
	int fd, out, n, ends[2];
	loff_t pos = 0;

	enter();
	put("f", "text");
	fd = open("f", O_PATH | O_RDWR | O_APPEND | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0);
	CHECK(holds("f", "text"));
	out = open("out", O_RDWR | O_CREAT, 0600);
	CHECK(out >= 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(read(fd, buf, 1), EBADF);
	CHECK_ERR(write(fd, buf, 1), EBADF);
	CHECK_ERR(pread(fd, buf, 1, 0), EBADF);
	CHECK_ERR(pwrite(fd, buf, 1, 0), EBADF);
	CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EBADF);
	CHECK_ERR(syscall(SYS_fchmod, fd, 0600), EBADF); /* musl has a way round */
	CHECK_ERR(syscall(SYS_fchown32, fd, 0, 0), EBADF);
	CHECK_ERR(syscall(SYS_utimensat, fd, NULL, times, 0), EBADF);
	CHECK_ERR(fsync(fd), EBADF);
	CHECK_ERR(flock(fd, LOCK_EX), EBADF);
	CHECK_ERR(fcntl(fd, F_SETLK, &lock), EBADF);
	CHECK_ERR(fcntl(fd, F_SETFL, O_APPEND), EBADF);
	CHECK_ERR(ioctl(fd, FIONREAD, &n), EBADF);
	CHECK_ERR(ioctl(fd, FIOCLEX), EBADF);
	CHECK_ERR(fgetxattr(fd, "user.x", buf, 1), EBADF);
	CHECK_ERR((intptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), EBADF);
	CHECK_ERR(sendfile(out, fd, NULL, 4), EBADF);
	CHECK_ERR(sendfile(fd, out, NULL, 4), EBADF);
	CHECK_ERR(splice(fd, &pos, ends[1], NULL, 4, 0), EBADF);
	CHECK_ERR(splice(ends[0], NULL, fd, &pos, 4, 0), EBADF);
	CHECK_ERR(tee(fd, ends[1], 4, 0), EBADF);
	p.fd = fd;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLNVAL);
	CHECK_EQ(close(fd), 0);
	CHECK_ERR(close(fd), EBADF);
	fd = open(".", O_PATH);
	CHECK_ERR(syscall(SYS_getdents64, fd, buf, sizeof(buf)), EBADF);
	leave();
}

TEST(accepted, 5, "stat, statfs, dup, fchdir, flags and the at-calls accept a path descriptor")
{
	struct stat st, named;
	struct statfs fs;
	int dir, fd, copy;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	put("d/f", "text");
	fd = open("d/f", O_PATH);
	dir = open("d", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0 && dir >= 0);
	CHECK_ERR(open("d/f", O_PATH | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open("none", O_PATH | O_CREAT, 0600), ENOENT);
	CHECK_EQ(stat("d/f", &named), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_ino, named.st_ino);
	CHECK_EQ(fstatfs(fd, &fs), 0);
	CHECK_EQ(fcntl(fd, F_GETFL), O_PATH);
	CHECK_EQ(fcntl(dir, F_GETFL) & ~O_CLOEXEC, O_PATH | O_DIRECTORY);
	CHECK_EQ(fcntl(dir, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(dir, F_SETFD, 0), 0);
	copy = fcntl(fd, F_DUPFD, 20);
	CHECK_EQ(copy, 20);
	CHECK_EQ(close(copy), 0);
	CHECK_EQ(dup2(fd, 21), 21);
	CHECK_ERR(read(21, &st, 1), EBADF);
	CHECK_EQ(fstatat(dir, "f", &st, 0), 0);
	CHECK_ERR(fstatat(fd, "f", &st, 0), ENOTDIR);
	copy = openat(dir, "f", O_RDONLY);
	CHECK(copy >= 0);
	CHECK_EQ(mkdirat(dir, "e", 0755), 0);
	CHECK_EQ(renameat(dir, "e", dir, "g"), 0);
	CHECK_EQ(unlinkat(dir, "g", AT_REMOVEDIR), 0);
	CHECK_EQ(fchdir(dir), 0);
	CHECK(holds("f", "text"));
	CHECK_ERR(fchdir(fd), ENOTDIR);
	leave();
}

TEST(reopened, 5,
     "a path descriptor is opened and changed through /proc/self/fd, with the rights of its user")
{
	char buf[64];
	struct stat st;
	int fd, file;
	pid_t child;

	enter();
	put("f", "text");
	CHECK_EQ(chmod("f", 0), 0);
	CHECK_EQ(chown("f", 1000, 1000), 0);
	fd = open("f", O_PATH);
	CHECK(fd >= 0);
	CHECK_EQ(lstat(fd_name(fd), &st), 0);
	CHECK_EQ(st.st_mode, S_IFLNK);
	file = open(fd_name(fd), O_RDWR);
	CHECK(file >= 0);
	CHECK_EQ(read(file, buf, sizeof(buf)), 4);
	CHECK_EQ(chmod(fd_name(fd), 0640), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(readlink(fd_name(fd), buf, sizeof(buf)), strlen(DIR_NAME "/f"));
	CHECK_EQ(chmod(DIR_NAME, 0755), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setgid(2000), 0);
		CHECK_EQ(setuid(2000), 0);
		/* A path descriptor needs no permission for the file, but using it does. */
		fd = open("f", O_PATH);
		CHECK(fd >= 0);
		CHECK_ERR(open(fd_name(fd), O_RDONLY), EACCES);
		CHECK_ERR(chmod(fd_name(fd), 0666), EPERM);
		CHECK_ERR(linkat(fd, "", AT_FDCWD, "new", AT_EMPTY_PATH), ENOENT);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	leave();
}

TEST(links, 5, "O_PATH with O_NOFOLLOW stands for a symbolic link itself")
{
	char buf[64];
	struct stat st;
	int fd, file;

	enter();
	put("f", "text");
	CHECK_EQ(symlink("f", "link"), 0);
	CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(open("link", O_PATH | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
	fd = open("link", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL), O_PATH | O_NOFOLLOW);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(stat(fd_name(fd), &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_ERR(open(fd_name(fd), O_RDONLY), ELOOP);
	CHECK_EQ(readlinkat(fd, "", buf, sizeof(buf)), 1);
	CHECK_EQ(buf[0], 'f');
	CHECK_EQ(fchownat(fd, "", 7, 8, AT_EMPTY_PATH), 0);
	CHECK_EQ(lstat("link", &st), 0);
	CHECK_EQ(st.st_uid, 7);
	CHECK_EQ(stat("link", &st), 0);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(linkat(fd, "", AT_FDCWD, "link2", AT_EMPTY_PATH), 0);
	CHECK_EQ(lstat("link2", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(st.st_nlink, 2);
	file = open("link", O_PATH);
	CHECK_EQ(fstat(file, &st), 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERR(readlinkat(file, "", buf, sizeof(buf)), ENOENT);
	CHECK_ERR(readlinkat(AT_FDCWD, "", buf, sizeof(buf)), ENOENT);
	CHECK_ERR(readlinkat(AT_FDCWD, "f", buf, sizeof(buf)), EINVAL);
	CHECK_ERR(readlinkat(99, "", buf, sizeof(buf)), EBADF);
	leave();
}

TEST(empty_paths, 5,
     "AT_EMPTY_PATH: the call is about the descriptor, or about the current directory")
{
	struct timespec times[2] = { { 111, 0 }, { 222, 0 } };
	struct timespec omit[2] = { { 0, UTIME_OMIT }, { 0, UTIME_OMIT } };
	struct stat st, here;
	int fd, path;

	enter();
	put("f", "text");
	fd = open("f", O_RDONLY);
	path = open("f", O_PATH);
	CHECK_EQ(stat(".", &here), 0);
	CHECK_EQ(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH), 0);
	CHECK_EQ(st.st_ino, here.st_ino);
	CHECK_ERR(fstatat(AT_FDCWD, "", &st, 0), ENOENT);
	CHECK_ERR(fstatat(99, "", &st, AT_EMPTY_PATH), EBADF);
	CHECK_ERR(fstatat(path, "x", &st, AT_EMPTY_PATH), ENOTDIR);
	CHECK_EQ(utimensat(path, "", times, AT_EMPTY_PATH), 0);
	CHECK_EQ(fstat(path, &st), 0);
	CHECK_EQ(st.st_atime, 111);
	CHECK_EQ(st.st_mtime, 222);
	CHECK_ERR(utimensat(path, "", times, 0), ENOENT);
	CHECK_ERR(utimensat(path, "", times, 0x10000), EINVAL);
	CHECK_EQ(utimensat(99, "no/such", omit, 0), 0);
	CHECK_EQ(fchownat(fd, "", 5, -1, AT_EMPTY_PATH), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_uid, 5);
	CHECK_ERR(fchownat(fd, "", 5, -1, 0), ENOENT);
	CHECK_EQ(access_at(path, "", R_OK | W_OK, AT_EMPTY_PATH), 0);
	CHECK_ERR(access_at(path, "", X_OK, AT_EMPTY_PATH), EACCES);
	CHECK_ERR(access_at(path, "", R_OK, 0), ENOENT);
	CHECK_ERR(access_at(99, "", R_OK, AT_EMPTY_PATH), EBADF);
	CHECK_ERR(access_at(path, "", R_OK, 0x10000), EINVAL);
	CHECK_ERR(access_at(path, "", 8, 0), EINVAL);
	CHECK_EQ(access_at(AT_FDCWD, "", X_OK, AT_EMPTY_PATH), 0);
	CHECK_EQ(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH), 0);
	CHECK(holds("g", "text"));
	CHECK_EQ(linkat(AT_FDCWD, fd_name(path), AT_FDCWD, "h", AT_SYMLINK_FOLLOW), 0);
	CHECK(holds("h", "text"));
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "i", 0), ENOENT);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "i", AT_REMOVEDIR), EINVAL);
	CHECK_ERR(linkat(AT_FDCWD, "", AT_FDCWD, "i", AT_EMPTY_PATH), EPERM);
	CHECK_EQ(unlink("f") | unlink("g") | unlink("h"), 0);
	CHECK_ERR(linkat(fd, "", AT_FDCWD, "f", AT_EMPTY_PATH), ENOENT);
	leave();
}

TEST(passed, 5, "a path descriptor can be sent to another process and stays one")
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 'x';
	struct iovec data = { &byte, 1 };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);
	int fd, ends[2];

	enter();
	put("f", "text");
	fd = open("f", O_PATH);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	CHECK_EQ(sendmsg(ends[0], &message, 0), 1);
	CHECK_EQ(close(fd), 0);
	CHECK_EQ(recvmsg(ends[1], &message, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	CHECK_EQ(fcntl(fd, F_GETFL), O_PATH);
	CHECK_ERR(read(fd, &byte, 1), EBADF);
	CHECK(open(fd_name(fd), O_RDONLY) >= 0);
	leave();
}

TEST(locks_stay, 5,
     "closing a path descriptor drops no lock that another descriptor has on the file")
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd, path;
	pid_t child;

	enter();
	put("f", "text");
	fd = open("f", O_RDWR);
	path = open("f", O_PATH);
	CHECK_EQ(fcntl(fd, F_SETLK, &lock), 0);
	CHECK_EQ(close(path), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(fcntl(fd, F_GETLK, &lock), 0);
		_exit(lock.l_type == F_WRLCK ? 0 : 1);
	}
	CHECK_EQ(test_wait(child), 0);
	leave();
}

TEST(not_opened, 5, "a path descriptor of a FIFO or of a device does not open it")
{
	struct stat st;
	int fd;

	enter();
	CHECK_EQ(mkfifo("fifo", 0600), 0);
	fd = open("fifo", O_PATH); /* waits for nobody */
	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
	CHECK_EQ(mknod("device", S_IFCHR | 0600, 250 << 8), 0);
	CHECK_ERR(open("device", O_RDONLY), ENXIO);
	fd = open("device", O_PATH);
	CHECK(fd >= 0);
	leave();
}
