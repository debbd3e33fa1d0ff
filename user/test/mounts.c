/*
 * Mounts: which of them are busy, what they cover, and what they refuse.
 */
#include "names.h"
#include <sys/mount.h>
#include <sys/sysmacros.h>
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
	CHECK_ERR(mount("none", "m", "", 0, NULL), ENODEV);
	CHECK_ERR(mount("none", "m", NULL, 0, NULL), EINVAL);
	CHECK_ERR(mount("", "m", "ext2", 0, NULL), EINVAL);
	CHECK_ERR(mount(NULL, "m", "ext2", 0, NULL), EINVAL);
	CHECK_EQ(mount("none", "m", "tmpfs", MS_MANDLOCK | MS_LAZYTIME, NULL), 0);
	CHECK_EQ(umount("m"), 0);
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

struct mount {
	unsigned int id, parent, major, minor;
	char root[64], point[128], options[64], type[32], source[64];
};

/* Find what is mounted on a point, or has this number if the point is NULL. */
static bool find_mount(const char *point, unsigned int id, struct mount *found)
{
	FILE *info = fopen("/proc/self/mountinfo", "r");
	bool there = false;
	char line[512], *rest;

	CHECK(info != NULL);
	while (!there && fgets(line, sizeof(line), info)) {
		CHECK_EQ(sscanf(line, "%u %u %u:%u %63s %127s %63s", &found->id, &found->parent,
				&found->major, &found->minor, found->root, found->point,
				found->options),
			 7);
		rest = strstr(line, " - ");
		CHECK(rest != NULL);
		CHECK_EQ(sscanf(rest, " - %31s %63s", found->type, found->source), 2);
		there = point ? strcmp(found->point, point) == 0 : found->id == id;
	}
	fclose(info);
	return there;
}

TEST(mountinfo, 5, "/proc/self/mountinfo tells each mount's number, parent, device, point and type")
{
	struct mount outer, inner, parent;
	struct stat stats;

	enter();
	CHECK_EQ(mkdir("a b", 0755), 0);
	CHECK_EQ(mount("outer", "a b", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("a b/in", 0755), 0);
	CHECK_EQ(mount("inner", "a b/in", "tmpfs", MS_RDONLY, NULL), 0);
	CHECK(find_mount(DIR_NAME "/a\\040b", 0, &outer));
	CHECK(find_mount(DIR_NAME "/a\\040b/in", 0, &inner));
	CHECK_EQ(inner.parent, outer.id);
	CHECK(find_mount(NULL, outer.parent, &parent));
	CHECK(strncmp(DIR_NAME, parent.point, strlen(parent.point)) == 0);
	CHECK(strcmp(outer.type, "tmpfs") == 0 && strcmp(outer.source, "outer") == 0);
	CHECK(strncmp(outer.options, "rw,", 3) == 0 && strncmp(inner.options, "ro,", 3) == 0);
	CHECK_EQ(stat("a b", &stats), 0);
	CHECK(stats.st_dev == makedev(outer.major, outer.minor));
	CHECK_EQ(umount("a b/in"), 0);
	CHECK(!find_mount(DIR_NAME "/a\\040b/in", 0, &inner));
	CHECK_EQ(umount("a b"), 0);
	leave();
}

TEST(root, 5, "unmounting the root of a process makes its file system read-only")
{
	pid_t child;
	int fd;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(chroot("m"), 0);
		CHECK_EQ(chdir("/"), 0);
		fd = open("f", O_CREAT | O_RDWR, 0644);
		CHECK(fd >= 0);
		CHECK_ERR(umount2("/", MNT_EXPIRE), EINVAL);
		CHECK_ERR(umount2("/", 0), EBUSY);
		close(fd);
		CHECK_EQ(umount2("/", 0), 0);
		CHECK_ERR(open("g", O_CREAT | O_RDWR, 0644), EROFS);
		CHECK_EQ(umount2("/", MNT_FORCE), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(umount("m"), 0);
	leave();
}

TEST(devices_of_users, 5, "mknod of a device by a user looks at the path first")
{
	pid_t child;

	enter();
	CHECK_EQ(mkdir("d", 0777), 0);
	CHECK_EQ(chmod("d", 0777), 0);
	CHECK_EQ(mkdir("closed", 0755), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(mknod("none/x", S_IFBLK | 0600, makedev(8, 1)), ENOENT);
		CHECK_ERR(mknod("d", S_IFCHR | 0600, makedev(1, 3)), EEXIST);
		CHECK_ERR(mknod("closed/x", S_IFCHR | 0600, makedev(1, 3)), EACCES);
		CHECK_ERR(mknod("d/x", S_IFCHR | 0600, makedev(1, 3)), EPERM);
		CHECK_ERR(mknod("d/x", S_IFBLK | 0600, 0), EPERM);
		CHECK_EQ(mknod("d/x", S_IFCHR | 0600, 0), 0);
		CHECK_ERR(open("d/x", O_RDONLY), ENXIO);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	leave();
}
