/* The limits of a tmpfs on inodes and names, and its options. */
#include "tmpfs.h"

static const char *name_of(int i)
{
	static char name[64];

	snprintf(name, sizeof(name), DIR_NAME "/%d", i);
	return name;
}

/* Creates files until it fails; how many. */
static int create_files(int most)
{
	int made;

	for (made = 0; made < most; made++) {
		int fd = open(name_of(made), O_RDWR | O_CREAT | O_EXCL, 0600);

		if (fd < 0)
			break;
		close(fd);
	}
	return made;
}

TEST(inode_limit, 20, "nr_inodes= limits the inodes of a tmpfs, whatever their kind")
{
	struct statfs st;

	mount_here("size=1M,nr_inodes=20");
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_files, 20);
	CHECK_EQ(st.f_ffree, 19);
	CHECK_EQ(create_files(1000), 19);
	CHECK_ERR(open(name_of(100), O_RDWR | O_CREAT, 0600), ENOSPC);
	CHECK_ERR(mkdir(name_of(100), 0700), ENOSPC);
	CHECK_ERR(symlink("x", name_of(100)), ENOSPC);
	CHECK_ERR(mkfifo(name_of(100), 0600), ENOSPC);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_ffree, 0);
	CHECK_EQ(unlink(name_of(3)), 0);
	CHECK_EQ(symlink("x", name_of(100)), 0);
	CHECK_EQ(unlink(name_of(100)), 0);
	CHECK_EQ(mkdir(name_of(100), 0700), 0);
	unmount_here();
}

TEST(name_limit, 20, "each further name of a file counts as an inode does")
{
	struct statfs st;

	mount_here("nr_inodes=10");
	CHECK_EQ(create_files(1), 1);
	for (int i = 1; i < 9; i++)
		CHECK_EQ(link(name_of(0), strdup(name_of(i))), 0);
	CHECK_ERR(link(DIR_NAME "/0", name_of(9)), ENOSPC);
	CHECK_EQ(rename(DIR_NAME "/1", name_of(2)), 0);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	for (int i = 0; i < 9; i++)
		unlink(name_of(i));
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_ffree, 9);
	unmount_here();
}

TEST(removed_and_open, 20, "a removed file counts until it is closed")
{
	int fd;

	mount_here("nr_inodes=3");
	CHECK_EQ(create_files(10), 2);
	fd = open(name_of(0), O_RDWR);
	CHECK(fd >= 0);
	CHECK_EQ(unlink(name_of(0)), 0);
	CHECK_ERR(mkdir(name_of(5), 0700), ENOSPC);
	close(fd);
	CHECK_EQ(mkdir(name_of(5), 0700), 0);
	unmount_here();
}

TEST(default_inode_limit, 60, "a tmpfs has a limit on inodes if nr_inodes= is not given")
{
	struct statfs st;

	mount_here("size=64k");
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK(st.f_files > 100 && st.f_files < 1000000);
	unmount_here();
}

TEST(no_limits, 20, "size=0 and nr_inodes=0 are no limits, and none can be set later")
{
	struct statfs st;

	mount_here("size=0,nr_inodes=0");
	CHECK_EQ(create_files(50), 50);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_blocks, 0);
	CHECK_EQ(st.f_bfree, 0);
	CHECK_EQ(st.f_files, 0);
	CHECK_EQ(st.f_ffree, 0);
	CHECK_EQ(truncate(name_of(0), 1 << 20), 0);
	CHECK_ERR(mount("none", DIR_NAME, "tmpfs", MS_REMOUNT, "size=1M"), EINVAL);
	CHECK_ERR(mount("none", DIR_NAME, "tmpfs", MS_REMOUNT, "nr_inodes=1000"), EINVAL);
	CHECK_EQ(mount("none", DIR_NAME, "tmpfs", MS_REMOUNT, "size=0"), 0);
	unmount_here();
	mount_here("size=64K,nr_inodes=20");
	CHECK_EQ(create_files(1000), 19);
	CHECK_EQ(mount("none", DIR_NAME, "tmpfs", MS_REMOUNT, "nr_inodes=0"), 0);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_files, 0);
	CHECK_EQ(st.f_blocks, 16);
	CHECK_EQ(mkdir(name_of(100), 0700), 0);
	unmount_here();
}

TEST(bad_options, 10, "options of tmpfs that make no sense are refused")
{
	mkdir(DIR_NAME, 0755);
	CHECK_ERR(mount("none", DIR_NAME, "tmpfs", 0, "nr_inodes=x"), EINVAL);
	CHECK_ERR(mount("none", DIR_NAME, "tmpfs", 0, "size=1M,colour=red"), EINVAL);
	CHECK_EQ(rmdir(DIR_NAME), 0);
}
