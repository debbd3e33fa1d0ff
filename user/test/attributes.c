/*
 * The attributes of a file: permissions, owners, modes and times.
 */
#include "names.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>

static int as_nobody(void (*function)(void))
{
	pid_t child = fork();

	if (!child) {
		CHECK_EQ(setgid(65534), 0);
		CHECK_EQ(setuid(65534), 0);
		function();
		_exit(0);
	}
	return test_wait(child);
}

static void nobody_tries(void)
{
	struct stat st;

	CHECK_ERR(open("private", O_RDONLY), EACCES);
	CHECK_ERR(open("readable", O_WRONLY), EACCES);
	CHECK_ERR(open("readable", O_RDONLY | O_TRUNC), EACCES);
	CHECK(holds("readable", "r"));
	CHECK_ERR(stat("closed/x", &st), EACCES);
	CHECK_ERR(unlink("readable"), EACCES);
	CHECK_ERR(mkdir("x", 0755), EACCES);
	CHECK_ERR(rename("readable", "x"), EACCES);
	CHECK_ERR(chmod("readable", 0777), EPERM);
	CHECK_ERR(chown("readable", 65534, 65534), EPERM);
	CHECK_ERR(truncate("readable", 0), EACCES);
	CHECK_ERR(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	CHECK_ERR(access("private", R_OK), EACCES);
	CHECK_EQ(access("readable", R_OK), 0);
	CHECK_ERR(access("readable", X_OK), EACCES);
	CHECK_EQ(access("readable", F_OK), 0);
	CHECK_ERR(chdir("closed"), EACCES);
	CHECK_ERR(unlink("sticky/theirs"), EPERM);
	CHECK_ERR(rename("sticky/theirs", "sticky/mine"), EPERM);
	CHECK_EQ(mkdir("sticky/own", 0700), 0);
	CHECK_EQ(rmdir("sticky/own"), 0);
	CHECK_ERR(mount("none", ".", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(umount("/tmp"), EPERM);
	CHECK_ERR(mknod("sticky/dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
}

TEST(permissions, 5, "what somebody else may not do")
{
	enter();
	umask(0);
	put("private", "p");
	CHECK_EQ(chmod("private", 0600), 0);
	put("readable", "r");
	CHECK_EQ(chmod("readable", 0644), 0);
	CHECK_EQ(mkdir("closed", 0700), 0);
	put("closed/x", "x");
	CHECK_EQ(mkdir("sticky", 01777), 0);
	put("sticky/theirs", "t");
	CHECK_EQ(as_nobody(nobody_tries), 0);
	/* Root may all that, but executes only what somebody may. */
	CHECK(holds("private", "p"));
	CHECK_ERR(access("readable", X_OK), EACCES);
	leave();
}

TEST(access_asks_for_real_ids, 5,
     "access(2) speaks for the real user, faccessat with AT_EACCESS for the effective one")
{
	pid_t child;

	enter();
	put("private", "p");
	CHECK_EQ(chmod("private", 0600), 0);
	child = fork();
	if (!child) {
		CHECK_EQ(setresuid(65534, 0, 0), 0);
		CHECK_ERR(access("private", R_OK), EACCES);
		CHECK_EQ(syscall(SYS_faccessat2, AT_FDCWD, "private", R_OK, AT_EACCESS), 0);
		CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "private", 8, 0), EINVAL);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	leave();
}

TEST(modes_and_owners, 5, "umask, chmod, chown, and what chown clears")
{
	struct stat st;
	int fd;

	enter();
	umask(027);
	fd = open("f", O_CREAT | O_RDWR, 0777);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0750);
	CHECK_EQ(umask(022), 027);
	CHECK_EQ(fchmod(fd, 06755), 0);
	CHECK_EQ(chown("f", 1000, -1), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(st.st_gid, 0);
	CHECK_EQ(st.st_mode & 07777, 0755);
	CHECK_EQ(fchown(fd, -1, 70000), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_gid, 70000);
	CHECK_EQ(symlink("f", "link"), 0);
	CHECK_EQ(lchown("link", 5, 6), 0);
	CHECK_EQ(lstat("link", &st), 0);
	CHECK_EQ(st.st_uid, 5);
	CHECK_EQ(stat("link", &st), 0);
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(mkdir("group", 02775), 0);
	CHECK_EQ(chown("group", 0, 42), 0);
	CHECK_EQ(chmod("group", 02775), 0);
	CHECK_EQ(mkdir("group/d", 0755), 0);
	CHECK_EQ(stat("group/d", &st), 0);
	CHECK_EQ(st.st_gid, 42);
	CHECK((st.st_mode & S_ISGID) != 0);
	close(fd);
	leave();
}

TEST(times, 5, "utimensat with given, present and kept times")
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 6 } };
	struct stat st;

	enter();
	put("f", "x");
	CHECK_EQ(utimensat(AT_FDCWD, "f", times, 0), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5);
	CHECK(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 6);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK_EQ(utimensat(AT_FDCWD, "f", times, 0), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 1000000);
	times[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
	/* Before 1970, by the call whose seconds have 64 bits. */
	CHECK_EQ(syscall(SYS_utimensat_time64, AT_FDCWD, "f",
			 (int64_t[2][2]){ { -5, 0 }, { -5, 0 } }, 0),
		 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_mtim.tv_sec, -5);
	leave();
}
