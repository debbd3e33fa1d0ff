/*
 * Extended attributes of files in memory, which have trusted.* and security.* only: what is
 * checked, and what programs are told. user/test/ext2_xattr.c has the same for a disk.
 */
#include "test.h"
#include <sys/xattr.h>

#define PATH "/tmp/xattr"
#define LINK "/tmp/xattr-link"

static char value[70000];

static int set_up(void)
{
	int fd;

	unlink(PATH);
	unlink(LINK);
	fd = open(PATH, O_RDWR | O_CREAT | O_EXCL, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(symlink("xattr", LINK), 0);
	return fd;
}

TEST(user, 5, "user attributes are not supported; the list is empty")
{
	int fd = set_up();

	CHECK_ERR(setxattr(PATH, "user.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(fsetxattr(fd, "user.a", "x", 1, XATTR_CREATE), EOPNOTSUPP);
	CHECK_ERR(getxattr(PATH, "user.a", value, 10), EOPNOTSUPP);
	CHECK_ERR(getxattr(LINK, "user.a", value, 10), EOPNOTSUPP);
	CHECK_ERR(fgetxattr(fd, "user.a", NULL, 0), EOPNOTSUPP);
	CHECK_ERR(removexattr(PATH, "user.a"), EOPNOTSUPP);
	CHECK_ERR(fremovexattr(fd, "user.a"), EOPNOTSUPP);
	CHECK_EQ(listxattr(PATH, value, sizeof(value)), 0);
	CHECK_EQ(listxattr(LINK, NULL, 0), 0);
	CHECK_EQ(flistxattr(fd, value, 1), 0);
	unlink(PATH);
	unlink(LINK);
}

TEST(links, 5, "a link itself has no user attributes")
{
	set_up();
	CHECK_ERR(lsetxattr(LINK, "user.a", "x", 1, 0), EPERM);
	CHECK_ERR(lgetxattr(LINK, "user.a", value, 10), ENODATA);
	CHECK_ERR(lremovexattr(LINK, "user.a"), EPERM);
	CHECK_EQ(llistxattr(LINK, value, 10), 0);
	unlink(PATH);
	unlink(LINK);
}

TEST(arguments, 5, "what is refused first: ENOENT, EBADF, EINVAL, ERANGE, E2BIG, EFAULT")
{
	static char name[300];
	int fd = set_up();

	memset(name, 'a', sizeof(name) - 1);
	CHECK_ERR(getxattr("/tmp/no-such-file", "user.a", NULL, 0), ENOENT);
	CHECK_ERR(fgetxattr(999, "user.a", NULL, 0), EBADF);
	CHECK_ERR(listxattr("/tmp/no-such-file", NULL, 0), ENOENT);
	CHECK_ERR(flistxattr(999, NULL, 0), EBADF);
	CHECK_ERR(fsetxattr(fd, "user.a", "x", 1, 4), EINVAL);
	CHECK_ERR(fsetxattr(fd, "", "x", 1, 0), ERANGE);
	CHECK_ERR(fgetxattr(fd, name, NULL, 0), ERANGE);
	CHECK_ERR(fgetxattr(fd, (char *)1, NULL, 0), EFAULT);
	CHECK_ERR(fsetxattr(fd, "user.a", value, sizeof(value), 0), E2BIG);
	CHECK_ERR(fsetxattr(fd, "user.a", (void *)1, 1, 0), EFAULT);
	unlink(PATH);
	unlink(LINK);
}

TEST(permissions, 5, "who may not read or write the file learns nothing: EACCES")
{
	int fd = set_up();

	CHECK_EQ(chmod(PATH, 0600), 0);
	CHECK_EQ(setegid(1000) | seteuid(1000), 0);
	CHECK_ERR(getxattr(PATH, "user.a", NULL, 0), EACCES);
	CHECK_ERR(setxattr(PATH, "user.a", "x", 1, 0), EACCES);
	CHECK_ERR(fgetxattr(fd, "trusted.a", NULL, 0), ENODATA);
	CHECK_ERR(fsetxattr(fd, "trusted.a", "x", 1, 0), EPERM);
	CHECK_EQ(seteuid(0), 0);
	unlink(PATH);
	unlink(LINK);
}

static void has(const char *name, const char *wanted)
{
	CHECK_EQ(lgetxattr(PATH, name, value, sizeof(value)), strlen(wanted));
	CHECK(!memcmp(value, wanted, strlen(wanted)));
	CHECK_EQ(lgetxattr(PATH, name, NULL, 0), strlen(wanted));
}

TEST(root, 5, "trusted and security attributes are set, read, listed and removed")
{
	int fd = set_up();

	CHECK_ERR(getxattr(PATH, "trusted.a", value, 10), ENODATA);
	CHECK_ERR(setxattr(PATH, "trusted.a", "one", 3, XATTR_REPLACE), ENODATA);
	CHECK_ERR(setxattr(PATH, "trusted.", "one", 3, 0), EINVAL);
	CHECK_EQ(setxattr(PATH, "trusted.a", "one", 3, XATTR_CREATE), 0);
	CHECK_ERR(setxattr(PATH, "trusted.a", "two", 3, XATTR_CREATE), EEXIST);
	CHECK_EQ(fsetxattr(fd, "security.b", "", 0, 0), 0);
	CHECK_EQ(setxattr(PATH, "trusted.a", "three", 5, 0), 0);
	has("trusted.a", "three");
	has("security.b", "");
	CHECK_ERR(getxattr(PATH, "trusted.a", value, 4), ERANGE);
	CHECK_EQ(listxattr(PATH, value, sizeof(value)), 10 + 11);
	CHECK(!memcmp(value, "security.b\0trusted.a", 21));
	CHECK_ERR(listxattr(PATH, value, 20), ERANGE);
	CHECK_EQ(lsetxattr(LINK, "trusted.link", value, 60000, 0), 0);
	CHECK_EQ(lgetxattr(LINK, "trusted.link", value, sizeof(value)), 60000);
	CHECK_EQ(removexattr(PATH, "trusted.a"), 0);
	CHECK_ERR(removexattr(PATH, "trusted.a"), ENODATA);
	CHECK_EQ(chmod(PATH, 0644) | setegid(1000) | seteuid(1000), 0);
	CHECK_EQ(fgetxattr(fd, "security.b", value, 10), 0);
	CHECK_EQ(seteuid(0), 0);
	unlink(PATH);
	CHECK_EQ(flistxattr(fd, NULL, 0), 11);
	unlink(LINK);
}

/* Has the ctime changed since the last call, which left it in *old? */
static bool has_changed(int fd, struct stat *old)
{
	struct timespec before = old->st_ctim;

	CHECK_EQ(fstat(fd, old), 0);
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	return old->st_ctim.tv_sec != before.tv_sec || old->st_ctim.tv_nsec != before.tv_nsec;
}

TEST(ctime, 5, "each change sets the ctime, and no call that fails")
{
	int fd = set_up();
	struct stat old = { 0 };

	CHECK(has_changed(fd, &old));
	CHECK_EQ(setxattr(PATH, "trusted.a", "one", 3, 0), 0);
	CHECK(has_changed(fd, &old));
	CHECK_EQ(setxattr(PATH, "trusted.a", "two", 3, 0), 0);
	CHECK(has_changed(fd, &old));
	CHECK_ERR(setxattr(PATH, "trusted.a", "two", 3, XATTR_CREATE), EEXIST);
	CHECK_ERR(removexattr(PATH, "trusted.b"), ENODATA);
	CHECK_EQ(getxattr(PATH, "trusted.a", value, 3), 3);
	CHECK(!has_changed(fd, &old));
	CHECK_EQ(removexattr(PATH, "trusted.a"), 0);
	CHECK(has_changed(fd, &old));
	close(fd);
	unlink(PATH);
	unlink(LINK);
}
