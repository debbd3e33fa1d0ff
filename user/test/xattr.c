/*
 * Extended attributes, which no file system here has: what is checked, and what programs are told.
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

TEST(none, 5, "user attributes are not supported; the list is empty")
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
