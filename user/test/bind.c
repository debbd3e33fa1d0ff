/*
 * Bind mounts, moved and remounted ones, what a mount forbids, and unmounting in its forms.
 */
#include "names.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

/* A fresh tmpfs at t, where the cases work. */
static void enter_tmpfs(void)
{
	enter();
	CHECK_EQ(mkdir("t", 0755), 0);
	CHECK_EQ(mount("t", "t", "tmpfs", 0, NULL), 0);
	CHECK_EQ(chdir("t"), 0);
	CHECK_EQ(mkdir("a", 0755), 0);
	CHECK_EQ(mkdir("b", 0755), 0);
}

static void leave_tmpfs(void)
{
	CHECK_EQ(chdir(DIR_NAME), 0);
	CHECK_EQ(umount("t"), 0);
	leave();
}

/* Is there a line with this root and point in mountinfo? */
static bool is_shown(const char *root, const char *point)
{
	FILE *info = fopen("/proc/self/mountinfo", "r");
	char line[512], at_root[128], at_point[128];
	bool shown = false;

	CHECK(info != NULL);
	while (fgets(line, sizeof(line), info)) {
		CHECK_EQ(sscanf(line, "%*u %*u %*s %127s %127s", at_root, at_point), 2);
		shown |= strcmp(at_root, root) == 0 && strcmp(at_point, point) == 0;
	}
	fclose(info);
	return shown;
}

TEST(bound, 5,
     "a bind mount shows the same files at another place, and each place has its own way up")
{
	char text[128];

	enter_tmpfs();
	put("a/f", "one");
	CHECK_EQ(mount("a", "b", "", MS_BIND, NULL), 0);
	CHECK(holds("b/f", "one"));
	put("b/g", "two");
	CHECK(holds("a/g", "two"));
	CHECK(is_shown("/a", DIR_NAME "/t/b"));
	CHECK_EQ(mkdir("a/d", 0755), 0);
	CHECK_EQ(chdir("b/d"), 0);
	CHECK(getcwd(text, sizeof(text)) && strcmp(text, DIR_NAME "/t/b/d") == 0);
	CHECK_EQ(chdir("../.."), 0);
	CHECK(getcwd(text, sizeof(text)) && strcmp(text, DIR_NAME "/t") == 0);
	CHECK_ERR(rename("a/f", "b/h"), EXDEV);
	CHECK_ERR(link("a/f", "b/h"), EXDEV);
	CHECK_ERR(rmdir("b"), EBUSY);
	CHECK_ERR(mount("no", "b", "", MS_BIND, NULL), ENOENT);
	CHECK_ERR(mount("", "b", "", MS_BIND, NULL), EINVAL);
	CHECK_ERR(mount("a/f", "b", "", MS_BIND, NULL), ENOTDIR);
	CHECK_EQ(umount("b"), 0);
	CHECK(!is_there("b/f"));
	leave_tmpfs();
}

TEST(covered, 5, "what is mounted on a directory covers it in one mount, and not in another")
{
	enter_tmpfs();
	CHECK_EQ(mkdir("a/in", 0755), 0);
	put("a/in/below", "b");
	CHECK_EQ(mount("a", "b", "", MS_BIND, NULL), 0);
	CHECK_EQ(mount("x", "a/in", "tmpfs", 0, NULL), 0);
	CHECK(!is_there("a/in/below"));
	CHECK(holds("b/in/below", "b"));
	CHECK_ERR(rename("b/in", "b/out"), EBUSY);
	CHECK_ERR(umount("b/in"), EINVAL);
	CHECK_EQ(umount("a/in"), 0);
	CHECK_EQ(umount("b"), 0);
	leave_tmpfs();
}

TEST(recursive, 5, "MS_REC binds what is mounted below too")
{
	enter_tmpfs();
	CHECK_EQ(mkdir("a/in", 0755), 0);
	CHECK_EQ(mount("x", "a/in", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("a/in/deep", 0755), 0);
	CHECK_EQ(mount("y", "a/in/deep", "tmpfs", 0, NULL), 0);
	put("a/in/deep/f", "deep");
	CHECK_EQ(mount("a", "b", "", MS_BIND, NULL), 0);
	CHECK(!is_there("b/in/deep"));
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(mount("a", "b", "", MS_BIND | MS_REC, NULL), 0);
	CHECK(holds("b/in/deep/f", "deep"));
	CHECK_EQ(umount("a/in/deep"), 0);
	CHECK_EQ(umount("a/in"), 0);
	CHECK(holds("b/in/deep/f", "deep"));
	CHECK_ERR(umount("b"), EBUSY);
	/* A tree may be bound into itself. */
	CHECK_EQ(mkdir("b/self", 0755), 0);
	CHECK_EQ(mount("b", "b/self", "", MS_BIND | MS_REC, NULL), 0);
	CHECK(holds("b/self/in/deep/f", "deep"));
	CHECK_EQ(umount2("b", MNT_DETACH), 0);
	CHECK(!is_there("b/self"));
	leave_tmpfs();
}

TEST(bound_file, 5, "a file can be bound on a file")
{
	enter_tmpfs();
	put("f", "one");
	put("g", "two");
	CHECK_ERR(mount("f", "a", "", MS_BIND, NULL), ENOTDIR);
	CHECK_EQ(mount("f", "g", "", MS_BIND, NULL), 0);
	CHECK(holds("g", "one"));
	CHECK_ERR(unlink("g"), EBUSY);
	CHECK_EQ(unlink("f"), 0);
	CHECK(holds("g", "one"));
	CHECK(is_shown("/f//deleted", DIR_NAME "/t/g"));
	CHECK_EQ(umount("g"), 0);
	CHECK(holds("g", "two"));
	leave_tmpfs();
}

TEST(moved, 5, "MS_MOVE moves a mount with what is on it, but not into itself")
{
	enter_tmpfs();
	CHECK_EQ(mount("x", "a", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mount("", "a", "", MS_PRIVATE, NULL), 0);
	CHECK_EQ(mkdir("a/in", 0755), 0);
	CHECK_EQ(mount("y", "a/in", "tmpfs", 0, NULL), 0);
	put("a/in/f", "f");
	CHECK_ERR(mount("a", "a/in", "", MS_MOVE, NULL), ELOOP);
	CHECK_ERR(mount("a/in/f", "b", "", MS_MOVE, NULL), EINVAL);
	CHECK_EQ(mount("a", "b", "", MS_MOVE, NULL), 0);
	CHECK(holds("b/in/f", "f"));
	CHECK(!is_there("a/in"));
	CHECK_EQ(rmdir("a"), 0);
	CHECK_EQ(umount("b/in"), 0);
	CHECK_EQ(umount("b"), 0);
	leave_tmpfs();
}

TEST(read_only, 5, "a read-only mount lets nothing be changed, and another mount of the files does")
{
	struct timespec now[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };
	struct statfs fs;
	int fd;

	enter_tmpfs();
	put("a/f", "one");
	CHECK_EQ(symlink("f", "a/l"), 0);
	CHECK_EQ(mkfifo("a/fifo", 0666), 0);
	CHECK_EQ(mount("a", "b", "", MS_BIND, NULL), 0);
	fd = open("b/f", O_RDWR);
	CHECK(fd >= 0);
	CHECK_ERR(mount("", "b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK_EQ(mount("", "b", "", MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	CHECK_EQ(statfs("b", &fs), 0);
	CHECK(fs.f_flags & ST_RDONLY);
	CHECK_EQ(statfs("a", &fs), 0);
	CHECK(!(fs.f_flags & ST_RDONLY));
	CHECK_ERR(open("b/f", O_WRONLY), EROFS);
	CHECK_ERR(open("b/f", O_RDONLY | O_TRUNC), EROFS);
	CHECK_ERR(open("b/new", O_RDONLY | O_CREAT, 0644), EROFS);
	CHECK_ERR(open("b", O_RDWR | O_TMPFILE, 0644), EROFS);
	CHECK_ERR(mkdir("b/new", 0755), EROFS);
	CHECK_ERR(mkdir("b/f", 0755), EEXIST);
	CHECK_ERR(symlink("x", "b/new"), EROFS);
	CHECK_ERR(link("b/f", "b/new"), EROFS);
	CHECK_ERR(unlink("b/f"), EROFS);
	CHECK_ERR(unlink("b/no"), EROFS);
	CHECK_ERR(rename("b/f", "b/new"), EROFS);
	CHECK_ERR(chmod("b/f", 0600), EROFS);
	CHECK_ERR(chown("b/f", 0, 0), EROFS);
	CHECK_ERR(truncate("b/f", 0), EROFS);
	CHECK_ERR(utimensat(AT_FDCWD, "b/f", now, 0), EROFS);
	CHECK_ERR(access("b/f", W_OK), EROFS);
	CHECK_EQ(access("b/fifo", W_OK), 0);
	fd = open("b/f", O_RDONLY | O_CREAT, 0644);
	CHECK(fd >= 0);
	CHECK_ERR(fchmod(fd, 0600), EROFS);
	close(fd);
	fd = open("b/fifo", O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	put("a/f", "two");
	CHECK(holds("b/f", "two"));
	CHECK_EQ(mount("", "b", "", MS_REMOUNT | MS_BIND, NULL), 0);
	put("b/f", "three");
	CHECK_EQ(umount("b"), 0);
	leave_tmpfs();
}

TEST(remounted, 5, "a remount makes the file system read-only in all its mounts")
{
	int fd;

	enter_tmpfs();
	CHECK_EQ(mount("x", "a", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mount("a", "b", "", MS_BIND, NULL), 0);
	fd = open("b/f", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0);
	CHECK_ERR(mount("", "a", "", MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK_EQ(mount("", "a", "", MS_REMOUNT | MS_RDONLY, NULL), 0);
	CHECK_ERR(mkdir("b/new", 0755), EROFS);
	CHECK_EQ(mount("", "a", "", MS_REMOUNT, NULL), 0);
	CHECK_EQ(mkdir("b/new", 0755), 0);
	CHECK_ERR(mount("", "b/new", "", MS_REMOUNT, NULL), EINVAL);
	CHECK_EQ(umount("b"), 0);
	CHECK_EQ(umount("a"), 0);
	leave_tmpfs();
}

TEST(forbidding, 5,
     "nodev, noexec and nosuid: no device is opened, no file run or mapped to be run")
{
	char *const arguments[] = { "f", NULL };
	struct statfs fs;
	int fd;
	void *at;

	enter_tmpfs();
	CHECK_EQ(mount("x", "a", "tmpfs", MS_NODEV | MS_NOEXEC | MS_NOSUID, NULL), 0);
	CHECK_EQ(statfs("a", &fs), 0);
	CHECK_EQ(fs.f_flags & (ST_NODEV | ST_NOEXEC | ST_NOSUID), ST_NODEV | ST_NOEXEC | ST_NOSUID);
	CHECK_EQ(mknod("a/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	CHECK_ERR(open("a/null", O_RDWR), EACCES);
	put("a/f", "#!/bin/sh\n");
	CHECK_EQ(chmod("a/f", 0755), 0);
	CHECK_ERR(execv("a/f", arguments), EACCES);
	CHECK_ERR(access("a/f", X_OK), EACCES);
	fd = open("a/f", O_RDONLY);
	CHECK_ERR((long)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0), EPERM);
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(at != MAP_FAILED);
	CHECK_ERR(mprotect(at, 4096, PROT_READ | PROT_EXEC), EACCES);
	munmap(at, 4096);
	close(fd);
	CHECK_EQ(mount("", "a", "", MS_REMOUNT | MS_BIND, NULL), 0);
	fd = open("a/null", O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(umount("a"), 0);
	leave_tmpfs();
}

TEST(lazily, 5, "MNT_DETACH takes a mount away at once, and its open files stay")
{
	char text[128];
	int fd;

	enter_tmpfs();
	CHECK_EQ(mount("x", "a", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("a/in", 0755), 0);
	CHECK_EQ(mkdir("a/in/d", 0755), 0);
	put("a/in/d/f", "f");
	fd = open("a/in/d/f", O_RDONLY);
	CHECK_EQ(chdir("a/in/d"), 0);
	CHECK_ERR(umount(DIR_NAME "/t/a"), EBUSY);
	CHECK_EQ(umount2(DIR_NAME "/t/a", MNT_DETACH), 0);
	CHECK(!is_there(DIR_NAME "/t/a/in"));
	CHECK_EQ(read(fd, text, sizeof(text)), 1);
	CHECK(syscall(SYS_getcwd, text, sizeof(text)) > 0);
	CHECK(strcmp(text, "(unreachable)/in/d") == 0);
	CHECK(holds("../d/f", "f"));
	CHECK_EQ(chdir("../../../.."), 0); /* does not leave the mount */
	CHECK(holds("in/d/f", "f"));
	CHECK_ERR(umount2(".", MNT_DETACH), EINVAL);
	close(fd);
	leave_tmpfs();
}

TEST(expired, 5, "MNT_EXPIRE unmounts what nobody has used since the last time")
{
	int fd;

	enter_tmpfs();
	CHECK_EQ(mount("x", "a", "tmpfs", 0, NULL), 0);
	fd = open("a", O_RDONLY);
	CHECK_ERR(umount2("a", MNT_EXPIRE), EBUSY);
	close(fd);
	CHECK_ERR(umount2("a", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECK_ERR(umount2("a", MNT_EXPIRE), EAGAIN);
	put("a/f", "used");
	CHECK_ERR(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK_EQ(umount2("a", MNT_EXPIRE), 0);
	CHECK_ERR(umount2("a", 0x10), EINVAL);
	CHECK_EQ(mount("x", "a", "tmpfs", 0, NULL), 0);
	CHECK_EQ(symlink("a", "l"), 0);
	CHECK_ERR(umount2("l", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_EQ(umount2("l", MNT_FORCE), 0);
	leave_tmpfs();
}

/* Walk into the mount and out of it until the parent closes the pipe. */
static void walk_in_and_out(int until)
{
	struct pollfd ended = { .fd = until, .events = POLLIN };
	int fd;

	while (poll(&ended, 1, 0) == 0) {
		fd = open("a/in/../f", O_RDONLY);
		if (fd < 0 && errno != ENOENT)
			_exit(1);
		close(fd);
		fd = open("a/../a/in", O_RDONLY | O_DIRECTORY);
		if (fd < 0 && errno != ENOENT)
			_exit(2);
		close(fd);
	}
	_exit(0);
}

TEST(walked, 20, "mounts come and go while another process walks through them")
{
	int until[2], status;
	pid_t pid;

	enter_tmpfs();
	CHECK_EQ(pipe(until), 0);
	pid = fork();
	if (pid == 0) {
		close(until[1]);
		walk_in_and_out(until[0]);
	}
	close(until[0]);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(mount("x", "a", "tmpfs", 0, NULL), 0);
		put("a/f", "f");
		CHECK_EQ(mkdir("a/in", 0755), 0);
		CHECK_EQ(mount("a", "b", "", MS_BIND, NULL), 0);
		if (i % 2 == 0 || umount("a") < 0)
			CHECK_EQ(umount2("a", MNT_DETACH), 0);
		CHECK(holds("b/f", "f"));
		CHECK_EQ(umount("b"), 0);
	}
	close(until[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	leave_tmpfs();
}
