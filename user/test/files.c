/* Files: paths, directories, links, descriptors, tmpfs, mounts. */
#include "test.h"
#include <dirent.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

static char buf[70000], back[70000];

static void enter(void)
{
	CHECK_EQ(chdir("/tmp"), 0);
	if (mkdir("files-test", 0755) < 0)
		CHECK_EQ(system("rm -rf /tmp/files-test; mkdir /tmp/files-test"), 0);
	CHECK_EQ(chdir("files-test"), 0);
}

static void leave(void)
{
	CHECK_EQ(chdir("/tmp"), 0);
	CHECK_EQ(rmdir("files-test"), 0);
}

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static bool holds(const char *name, const char *text)
{
	int fd = open(name, O_RDONLY);
	ssize_t n = read(fd, back, sizeof(back));

	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(back, text, n);
}

TEST(write_and_read, 10, "what is written at any offset is read there; holes are zero")
{
	int fd;

	enter();
	fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	CHECK_ERR(open("f", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
	test_fill(buf, 60000, 1, 0);
	CHECK_EQ(pwrite(fd, buf, 60000, 5000), 60000);
	CHECK_EQ(pread(fd, back, 70000, 0), 65000);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(back[i], 0);
	CHECK_EQ(test_differs(back + 5000, 60000, 1, 0), 60000);
	CHECK_EQ(lseek(fd, -10, SEEK_END), 64990);
	CHECK_EQ(read(fd, back, 100), 10);
	CHECK_EQ(read(fd, back, 100), 0);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 99), EINVAL);
	CHECK_EQ(ftruncate(fd, 6000), 0);
	CHECK_EQ(ftruncate(fd, 7000), 0);
	CHECK_EQ(pread(fd, back, 7000, 0), 7000);
	CHECK_EQ(test_differs(back + 5000, 1000, 1, 0), 1000);
	CHECK_EQ(back[6500], 0);
	close(fd);
	CHECK_EQ(unlink("f"), 0);
	leave();
}

TEST(bad_segment, 5, "writev up to a segment that is not there writes what stands before it")
{
	struct iovec segments[] = { { buf, 100 }, { NULL, 1000 } };
	struct stat st;
	int fd;

	enter();
	test_fill(buf, 100, 5, 0);
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(writev(fd, segments, 2), 100);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 100);
	CHECK_EQ(pread(fd, back, sizeof(back), 0), 100);
	CHECK_EQ(test_differs(back, 100, 5, 0), 100);
	CHECK_ERR(writev(fd, segments + 1, 1), EFAULT);
	close(fd);
	CHECK_EQ(unlink("f"), 0);
	leave();
}

TEST(append, 5, "O_APPEND writes go to the end, wherever the offset is")
{
	int fd;

	enter();
	put("f", "one");
	fd = open("f", O_RDWR | O_APPEND);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(write(fd, "two", 3), 3);
	CHECK(holds("f", "onetwo"));
	close(fd);
	CHECK_EQ(unlink("f"), 0);
	leave();
}

TEST(unlinked_file_lives, 5, "a file without name lives while it is open")
{
	struct stat st;
	int fd;

	enter();
	put("f", "data");
	fd = open("f", O_RDWR);
	CHECK_EQ(unlink("f"), 0);
	CHECK_ERR(open("f", O_RDONLY), ENOENT);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(read(fd, back, 10), 4);
	close(fd);
	leave();
}

TEST(directories, 5, "mkdir, rmdir, link counts, ENOTEMPTY, `.` and `..`")
{
	struct stat st;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_EQ(mkdir("d/e", 0755), 0);
	CHECK_EQ(stat("d", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQ(st.st_nlink, 3);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(rmdir("d/e/."), EINVAL);
	CHECK_EQ(rmdir("d/e"), 0);
	CHECK_EQ(rmdir("d/"), 0);
	CHECK_ERR(rmdir("d"), ENOENT);
	CHECK_ERR(mkdir("no/d", 0755), ENOENT);
	put("f", "");
	CHECK_ERR(mkdir("f/d", 0755), ENOTDIR);
	CHECK_ERR(rmdir("f"), ENOTDIR);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_EQ(unlink("f"), 0);
	leave();
}

TEST(listing, 10, "readdir names every entry just once")
{
	bool seen[300] = { false };
	struct dirent *entry;
	int n = 0, special = 0;
	DIR *dir;

	enter();
	for (int i = 0; i < 300; i++) {
		char name[32];

		snprintf(name, sizeof(name), "entry-%d", i);
		put(name, "");
	}
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		int i;

		if (sscanf(entry->d_name, "entry-%d", &i) == 1) {
			CHECK(!seen[i]);
			seen[i] = true;
			n++;
		} else {
			special++;
		}
	}
	closedir(dir);
	CHECK_EQ(n, 300);
	CHECK_EQ(special, 2);
	CHECK_EQ(system("rm -f /tmp/files-test/entry-*"), 0);
	leave();
}

TEST(hard_links, 5, "link gives one file two names")
{
	struct stat a, b;

	enter();
	put("a", "x");
	CHECK_EQ(link("a", "b"), 0);
	CHECK_ERR(link("a", "b"), EEXIST);
	CHECK_ERR(link(".", "c"), EPERM);
	CHECK_EQ(stat("a", &a), 0);
	CHECK_EQ(stat("b", &b), 0);
	CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
	put("b", "yy");
	CHECK(holds("a", "yy"));
	CHECK_EQ(unlink("a"), 0);
	CHECK(holds("b", "yy"));
	CHECK_EQ(unlink("b"), 0);
	leave();
}

TEST(symbolic_links, 5, "symlinks: followed, not followed, dangling, in a loop")
{
	enter();
	put("target", "t");
	CHECK_EQ(symlink("target", "s"), 0);
	CHECK(holds("s", "t"));
	CHECK_EQ(readlink("s", back, 100), 6);
	CHECK(!memcmp(back, "target", 6));
	CHECK_ERR(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(readlink("target", back, 100), EINVAL);
	CHECK_EQ(symlink("loop", "loop"), 0);
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	CHECK_EQ(symlink("nowhere", "dangling"), 0);
	CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
	CHECK_ERR(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK_EQ(symlink("..", "up"), 0);
	CHECK(holds("up/files-test/s", "t"));
	CHECK_EQ(unlink("s") + unlink("loop") + unlink("dangling") + unlink("up") +
			 unlink("target"),
		 0);
	leave();
}

TEST(renames, 5, "rename replaces, moves, refuses loops and mixed kinds")
{
	enter();
	put("a", "A");
	put("b", "B");
	CHECK_EQ(rename("a", "b"), 0);
	CHECK(holds("b", "A"));
	CHECK_ERR(rename("a", "b"), ENOENT);
	CHECK_EQ(mkdir("d", 0755) + mkdir("e", 0755), 0);
	CHECK_EQ(rename("b", "d/c"), 0);
	CHECK(holds("d/c", "A"));
	CHECK_ERR(rename("d", "d/x"), EINVAL);
	CHECK_ERR(rename("e", "d"), ENOTEMPTY);
	CHECK_ERR(rename("d/c", "e"), EISDIR);
	CHECK_ERR(rename("e", "d/c"), ENOTDIR);
	CHECK_EQ(rename("d", "e"), 0);
	CHECK(holds("e/c", "A"));
	CHECK_EQ(rename("e/c", "e/c"), 0);
	CHECK_EQ(unlink("e/c") + rmdir("e"), 0);
	CHECK_ERR(rename("/tmp/files-test", "/etc/x"), EXDEV);
	leave();
}

TEST(long_names, 5, "ENAMETOOLONG for a component over 255 and a path over 4095 bytes")
{
	char name[5000];

	enter();
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	put(name, "long");
	CHECK(holds(name, "long"));
	CHECK_EQ(unlink(name), 0);
	name[255] = 'n';
	name[256] = '\0';
	CHECK_ERR(open(name, O_RDONLY | O_CREAT, 0600), ENAMETOOLONG);
	for (int i = 0; i < 4998; i += 2)
		memcpy(name + i, "./", 2);
	name[4998] = '\0';
	CHECK_ERR(open(name, O_RDONLY), ENAMETOOLONG);
	CHECK_ERR(open("", O_RDONLY), ENOENT);
	leave();
}

TEST(dot_dot, 5, "`..` at the root and over a mount point; getcwd")
{
	struct stat root, up, dev, dev_up;

	CHECK_EQ(stat("/", &root), 0);
	CHECK_EQ(stat("/../..", &up), 0);
	CHECK_EQ(root.st_ino, up.st_ino);
	CHECK_EQ(stat("/dev", &dev), 0);
	CHECK(dev.st_dev != root.st_dev);
	CHECK_EQ(stat("/dev/..", &dev_up), 0);
	CHECK(dev_up.st_dev == root.st_dev && dev_up.st_ino == root.st_ino);
	CHECK_EQ(chdir("/dev"), 0);
	CHECK(getcwd(back, 100) && !strcmp(back, "/dev"));
	CHECK_EQ(chdir(".."), 0);
	CHECK(getcwd(back, 100) && !strcmp(back, "/"));
	CHECK_ERR(syscall(SYS_getcwd, back, 1), ERANGE);
}

TEST(ioctls_of_all, 5, "FIONBIO, FIOCLEX and FIONCLEX, on every kind of file")
{
	int ends[2], fds[3], on = 1, off = 0;

	CHECK_EQ(pipe(ends), 0);
	fds[0] = ends[0];
	fds[1] = open("/tmp/ioctls", O_RDWR | O_CREAT | O_APPEND, 0600);
	fds[2] = open("/dev/null", O_RDONLY);
	for (int i = 0; i < 3; i++) {
		int flags = fcntl(fds[i], F_GETFL);

		CHECK_EQ(ioctl(fds[i], FIONBIO, &on), 0);
		CHECK_EQ(fcntl(fds[i], F_GETFL), flags | O_NONBLOCK);
		CHECK_ERR(ioctl(fds[i], FIONBIO, NULL), EFAULT);
		if (i == 0)
			CHECK_ERR(read(ends[0], &on, 1), EAGAIN);
		CHECK_EQ(ioctl(fds[i], FIONBIO, &off), 0);
		CHECK_EQ(fcntl(fds[i], F_GETFL), flags);
		CHECK_EQ(ioctl(fds[i], FIOCLEX), 0);
		CHECK_EQ(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
		CHECK_EQ(ioctl(fds[i], FIONCLEX), 0);
		CHECK_EQ(fcntl(fds[i], F_GETFD), 0);
	}
	CHECK_ERR(ioctl(99, FIOCLEX), EBADF);
	CHECK_ERR(ioctl(99, FIONBIO, &on), EBADF);
	CHECK_EQ(unlink("/tmp/ioctls"), 0);
}

TEST(descriptors, 5, "dup, dup2, dup3, fcntl and the lowest free number")
{
	int fd = open("/etc/passwd", O_RDONLY), copy = dup(fd), high;

	CHECK_EQ(copy, fd + 1);
	CHECK_EQ(read(fd, back, 5), 5);
	CHECK_EQ(lseek(copy, 0, SEEK_CUR), 5);
	CHECK_EQ(dup2(fd, 50), 50);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERR(dup3(fd, fd, 0), EINVAL);
	CHECK_EQ(dup3(fd, 51, O_CLOEXEC), 51);
	CHECK_EQ(fcntl(51, F_GETFD), FD_CLOEXEC);
	high = fcntl(fd, F_DUPFD, 40);
	CHECK_EQ(high, 40);
	close(copy);
	CHECK_EQ(dup(fd), copy);
	CHECK_ERR(close(60), EBADF);
	CHECK_ERR(dup2(60, 61), EBADF);
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	CHECK_ERR(write(fd, "x", 1), EBADF);
}

TEST(truncating_open, 5, "O_TRUNC empties; O_DIRECTORY and writes to directories are refused")
{
	enter();
	put("f", "something");
	close(open("f", O_WRONLY | O_TRUNC));
	CHECK(holds("f", ""));
	CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open(".", O_WRONLY), EISDIR);
	CHECK_ERR(read(open(".", O_RDONLY), back, 1), EISDIR);
	CHECK_EQ(unlink("f"), 0);
	leave();
}

#define NEITHER 3

TEST(neither, 5, "the access mode 3 opens a file for neither reading nor writing")
{
	int fd = open("/tmp/neither", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct stat st;
	char c = 'x';

	CHECK_EQ(write(fd, "text", 4), 4);
	close(fd);
	fd = open("/tmp/neither", NEITHER);
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & 3, 3);
	CHECK_ERR(read(fd, &c, 1), EBADF);
	CHECK_ERR(write(fd, &c, 1), EBADF);
	CHECK_ERR(pread(fd, &c, 1, 0), EBADF);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 4);
	close(fd);
	close(open("/tmp/neither", NEITHER | O_TRUNC));
	CHECK_EQ(stat("/tmp/neither", &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_ERR(open("/tmp", NEITHER), EISDIR);
	CHECK(open("/dev/null", NEITHER) >= 0);
	CHECK_EQ(mkfifo("/tmp/neither-fifo", 0600), 0);
	CHECK_ERR(open("/tmp/neither-fifo", NEITHER | O_NONBLOCK), EINVAL);
	CHECK_EQ(unlink("/tmp/neither-fifo"), 0);
	CHECK_EQ(chmod("/tmp/neither", 0444) | chown("/tmp/neither", 65534, 0), 0);
	CHECK_EQ(seteuid(65534), 0);
	CHECK_ERR(open("/tmp/neither", NEITHER), EACCES); /* it may not be written */
	CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(unlink("/tmp/neither"), 0);
}

TEST(permissions, 5, "chmod, access and umask; another user is kept out")
{
	struct stat st;
	pid_t child;

	enter();
	umask(027);
	put("f", "x");
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_EQ(chmod("f", 0600), 0);
	child = fork();
	if (!child) {
		CHECK_EQ(setgid(1000), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(open("/tmp/files-test/f", O_RDONLY), EACCES);
		CHECK_ERR(access("/tmp/files-test/f", R_OK), EACCES);
		CHECK_ERR(chmod("/tmp/files-test/f", 0666), EPERM);
		CHECK_ERR(setuid(0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(unlink("f"), 0);
	leave();
}

TEST(devices, 5, "null, zero, full, urandom")
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR),
	    full = open("/dev/full", O_RDWR);
	int random = open("/dev/urandom", O_RDONLY);

	CHECK(null >= 0 && zero >= 0 && full >= 0 && random >= 0);
	CHECK_EQ(read(null, back, 100), 0);
	CHECK_EQ(write(null, buf, 70000), 70000);
	memset(back, 1, 5000);
	CHECK_EQ(read(zero, back, 5000), 5000);
	for (int i = 0; i < 5000; i++)
		CHECK_EQ(back[i], 0);
	CHECK_ERR(write(full, buf, 1), ENOSPC);
	CHECK_EQ(read(full, back, 10), 10);
	CHECK_EQ(read(random, back, 1000), 1000);
	CHECK_EQ(read(random, buf, 1000), 1000);
	CHECK(memcmp(back, buf, 1000) != 0);
}

TEST(proc_files, 5, "/proc tells of memory, CPUs, mounts and this process")
{
	char path[64];
	FILE *file;
	long kb = 0;

	file = fopen("/proc/meminfo", "r");
	CHECK(file && fscanf(file, "MemTotal: %ld kB", &kb) == 1 && kb > 1000);
	fclose(file);
	CHECK(readlink("/proc/self/exe", path, sizeof(path)) == 11 &&
	      !memcmp(path, "/test/files", 11));
	snprintf(path, sizeof(path), "/proc/%d/stat", getpid());
	file = fopen(path, "r");
	{
		int pid;
		char name[64], state;

		CHECK(file && fscanf(file, "%d (%63[^)]) %c", &pid, name, &state) == 3);
		CHECK(pid == getpid() && !strcmp(name, "files") && state == 'R');
	}
	fclose(file);
	CHECK(access("/proc/mounts", R_OK) == 0 && access("/proc/cpuinfo", R_OK) == 0);
	CHECK(access("/proc/uptime", R_OK) == 0 && access("/proc/self/maps", R_OK) == 0);
	CHECK_ERR(open("/proc/999999/stat", O_RDONLY), ENOENT);
}

TEST(tmpfs_fills_up, 20, "a tmpfs of limited size: ENOSPC, and the room comes back")
{
	ssize_t n;
	int fd, total = 0;

	CHECK_EQ(mkdir("/tmp/small", 0755), 0);
	CHECK_EQ(mount("tmpfs", "/tmp/small", "tmpfs", 0, "size=256k"), 0);
	fd = open("/tmp/small/f", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	while ((n = write(fd, buf, 4096)) > 0)
		total += n;
	{
		int error = errno;

		CHECK_EQ(error, ENOSPC);
	}
	CHECK(total >= 200 * 1024 && total <= 256 * 1024);
	CHECK_ERR(umount("/tmp/small"), EBUSY);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(pwrite(fd, buf, 4096, 0), 4096);
	close(fd);
	CHECK_EQ(umount("/tmp/small"), 0);
	CHECK_ERR(access("/tmp/small/f", F_OK), ENOENT);
	CHECK_EQ(rmdir("/tmp/small"), 0);
}

TEST(mount_refusals, 5, "mount and umount refuse what is not there")
{
	CHECK_ERR(mount("none", "/nonexistent", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERR(mount("none", "/tmp", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERR(umount("/etc"), EINVAL);
	CHECK_ERR(mount("/dev/null", "/mnt", "ext2", 0, NULL), ENOTBLK);
}

TEST(read_from_disk, 20, "a file from the disk reads the same cold, warm and in small pieces")
{
	int fd = open("/bin/busybox", O_RDONLY);
	off_t size = lseek(fd, 0, SEEK_END);
	char *whole = malloc(size), *again = malloc(size);

	CHECK(fd >= 0 && size > 100000 && whole && again);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(pread(fd, whole, size, 0), size);
	CHECK(!memcmp(whole, "\177ELF", 4));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	for (off_t at = 0; at < size; at += 3000) {
		ssize_t n = read(fd, again + at, 3000);

		CHECK_EQ(n, size - at < 3000 ? size - at : 3000);
	}
	CHECK(!memcmp(whole, again, size));
	CHECK_EQ(read(fd, again, 1), 0);
}
