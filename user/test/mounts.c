/*
 * Mounts: which of them are busy, what they cover, and what they refuse.
 */
#include "names.h"
#include <sys/mount.h>
#include <sys/statfs.h>

TEST(mounts, 5, "busy mounts stay; what is mounted on cannot be removed or renamed")
{
	struct statfs fs;
	struct stat a, b;
	int fd;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	put("m/below", "b");
	CHECK_EQ(stat("m", &a), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=1M"), 0);
	CHECK_EQ(stat("m", &b), 0);
	CHECK(a.st_dev != b.st_dev);
	CHECK_EQ(b.st_mode & 07777, 01777);
	CHECK(!is_there("m/below"));
	CHECK_EQ(statfs("m", &fs), 0);
	CHECK_EQ(fs.f_type, 0x01021994);
	fd = open("m/f", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0);
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "n"), EBUSY);
	CHECK_ERR(rename("m/f", "f"), EXDEV);
	CHECK_ERR(link("m/f", "f"), EXDEV);
	close(fd);
	CHECK_EQ(chdir("m"), 0);
	CHECK_ERR(umount(DIR_NAME "/m"), EBUSY);
	CHECK_EQ(mkdir("inner", 0755), 0);
	CHECK_EQ(mount("none", "inner", "tmpfs", MS_RDONLY, NULL), 0);
	CHECK_ERR(open("inner/x", O_CREAT | O_WRONLY, 0644), EROFS);
	CHECK_ERR(mkdir("inner/x", 0755), EROFS);
	CHECK_EQ(chdir(DIR_NAME), 0);
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_EQ(umount("m/inner"), 0);
	CHECK_EQ(umount("m"), 0);
	CHECK(holds("m/below", "b"));
	CHECK_ERR(umount("m"), EINVAL);
	CHECK_ERR(umount("no"), ENOENT);
	CHECK_ERR(mount("none", "m/below", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "m", "nofs", 0, NULL), ENODEV);
	CHECK_ERR(mount("/dev/null", "m", "ext2", 0, NULL), ENOTBLK);
	/* One on top of the other. */
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	put("m/one", "1");
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK(!is_there("m/one"));
	CHECK_EQ(umount("m"), 0);
	CHECK(holds("m/one", "1"));
	CHECK_EQ(umount("m"), 0);
	leave();
}
