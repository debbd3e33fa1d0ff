/*
 * What protects users from the links of others, and the options of a tmpfs.
 */
#include "names.h"
#include <sys/mount.h>

#define USER 1000

/* Run a check as an ordinary user. */
static void as_user(void (*check)(void))
{
	pid_t pid = fork();

	if (pid == 0) {
		CHECK_EQ(setgid(USER) | setuid(USER), 0);
		check();
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
}

static void set_switch(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, value, 1), 1);
	close(fd);
}

static void follow_as_user(void)
{
	CHECK_EQ(open("shared/of_root", O_RDONLY) >= 0, true); /* as the directory */
	CHECK_EQ(open("shared/own", O_RDONLY) >= 0, true);
	CHECK_ERR(open("shared/of_other", O_RDONLY), EACCES);
	CHECK_ERR(open("shared/of_other", O_RDWR | O_CREAT, 0600), EACCES);
	CHECK_EQ(open("shared/dir_of_other/file", O_RDONLY) >= 0,
		 true); /* not the end of the path */
	CHECK_EQ(open("private/of_other", O_RDONLY) >= 0, true);
}

TEST(symbolic_links, 5, "another user's symbolic link in a shared directory is not followed")
{
	enter();
	set_switch("protected_symlinks", "1");
	umask(0);
	put("file", "x");
	CHECK_EQ(mkdir("shared", 0777) | chmod("shared", 01777) | mkdir("private", 0777), 0);
	CHECK_EQ(symlink("../file", "shared/of_root") | symlink("../file", "shared/own") |
			 symlink("../file", "shared/of_other") |
			 symlink("..", "shared/dir_of_other") |
			 symlink("../file", "private/of_other"),
		 0);
	CHECK_EQ(lchown("shared/own", USER, USER) | lchown("shared/of_other", 5, 5) |
			 lchown("shared/dir_of_other", 5, 5) | lchown("private/of_other", 5, 5),
		 0);
	as_user(follow_as_user);
	/* Not even by root. */
	CHECK_ERR(open("shared/of_other", O_RDONLY), EACCES);
	set_switch("protected_symlinks", "0");
	CHECK(open("shared/of_other", O_RDONLY) >= 0);
	set_switch("protected_symlinks", "1");
	leave();
}

static void link_as_user(void)
{
	CHECK_ERR(link("readable", "l"), EPERM);
	CHECK_ERR(link("special", "l"), EPERM);
	CHECK_ERR(link("fifo", "l"), EPERM);
	CHECK_ERR(link("readable", "own"), EEXIST);
	CHECK_EQ(link("writable", "l1") | link("own", "l2"), 0);
}

TEST(hard_links, 5, "a user gives other users' files no names, unless they are harmless")
{
	enter();
	set_switch("protected_hardlinks", "1");
	umask(0);
	CHECK_EQ(chmod(".", 0777), 0);
	put("readable", "x");
	put("writable", "x");
	put("special", "x");
	put("own", "x");
	CHECK_EQ(mkfifo("fifo", 0666) | chmod("writable", 0666) | chmod("special", 04666) |
			 chown("own", USER, USER),
		 0);
	as_user(link_as_user);
	CHECK_EQ(link("readable", "l"), 0);
	leave();
}

TEST(tmpfs_options, 5, "mode=, uid= and gid= are those of a new tmpfs's root directory")
{
	struct stat st;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=1M,mode=2750,uid=5,gid=6,nr_inodes=100"), 0);
	CHECK_EQ(stat("m", &st), 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 02750);
	CHECK_EQ(st.st_uid, 5);
	CHECK_EQ(st.st_gid, 6);
	CHECK_EQ(umount("m"), 0);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "mode=8"), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "uid="), EINVAL);
	CHECK_ERR(mount("none", "m", "tmpfs", 0, "color=1"), EINVAL);
	leave();
}
