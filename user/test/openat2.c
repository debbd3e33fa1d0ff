/*
 * openat2(2): how a walk can be restricted, and what the structure may hold.
 */
#include "names.h"
#include <sys/mount.h>
#include <sys/syscall.h>

struct how {
	uint64_t flags, mode, resolve;
};

#define NO_XDEV	      0x01
#define NO_MAGICLINKS 0x02
#define NO_SYMLINKS   0x04
#define BENEATH	      0x08
#define IN_ROOT	      0x10
#define CACHED	      0x20

static long open_how(const char *name, const void *how, size_t size)
{
	return syscall(SYS_openat2, AT_FDCWD, name, how, size);
}

/* Open for reading, restricted. */
static long open_restricted(const char *name, uint64_t resolve)
{
	const struct how how = { .resolve = resolve };

	return open_how(name, &how, sizeof(how));
}

/* The file that is opened has this text. */
static bool leads_to(const char *name, uint64_t resolve, const char *text)
{
	char buf[64];
	long fd = open_restricted(name, resolve);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n);
}

TEST(structure, 5, "the structure grows by zeros, and nothing in it is ignored")
{
	char large[4104] = { 0 };
	struct how how = { .flags = O_CREAT | O_RDWR, .mode = 0600 };
	int fd;

	enter();
	fd = open_how("f", &how, sizeof(how));
	CHECK(fd >= 0);
	close(fd);
	CHECK_ERR(open_how("f", &how, sizeof(how) - 1), EINVAL);
	CHECK_ERR(open_how("f", large, sizeof(large)), E2BIG);
	fd = open_how("f", large, 64);
	CHECK(fd >= 0);
	close(fd);
	large[63] = 1;
	CHECK_ERR(open_how("f", large, 64), E2BIG);
	CHECK_ERR(open_how("f", NULL, sizeof(how)), EFAULT);
	how = (struct how){ .mode = 0600 };
	CHECK_ERR(open_how("f", &how, sizeof(how)), EINVAL);
	how = (struct how){ .flags = O_CREAT, .mode = 010000 };
	CHECK_ERR(open_how("f", &how, sizeof(how)), EINVAL);
	how = (struct how){ .flags = 1ull << 40 };
	CHECK_ERR(open_how("f", &how, sizeof(how)), EINVAL);
	how = (struct how){ .flags = O_PATH | O_RDWR };
	CHECK_ERR(open_how("f", &how, sizeof(how)), EINVAL);
	CHECK_ERR(open_restricted("f", 0x40), EINVAL);
	CHECK_ERR(open_restricted("f", BENEATH | IN_ROOT), EINVAL);
	CHECK_ERR(open_restricted("no", 0), ENOENT);
	leave();
}

/* d holds a file, a directory and links; beside it is another file. */
static void make_tree(void)
{
	enter();
	put("f", "outside");
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(mkdir("d/e", 0755), 0);
	put("d/f", "inside");
	CHECK_EQ(symlink("../f", "d/up"), 0);
	CHECK_EQ(symlink("f", "d/beside"), 0);
	CHECK_EQ(symlink("/f", "d/absolute"), 0);
	CHECK_EQ(symlink("/proc/self/cwd/f", "d/magic"), 0);
	CHECK_EQ(chdir("d"), 0);
}

static void leave_tree(void)
{
	CHECK_EQ(chdir(DIR_NAME), 0);
	leave();
}

TEST(beneath, 5, "RESOLVE_BENEATH: a path that leaves the directory is EXDEV")
{
	make_tree();
	CHECK(leads_to("up", 0, "outside"));
	CHECK(leads_to("e/../f", BENEATH, "inside"));
	CHECK(leads_to("beside", BENEATH, "inside"));
	CHECK_ERR(open_restricted("../f", BENEATH), EXDEV);
	CHECK_ERR(open_restricted("../d/f", BENEATH), EXDEV);
	CHECK_ERR(open_restricted("up", BENEATH), EXDEV);
	CHECK_ERR(open_restricted("absolute", BENEATH), EXDEV);
	CHECK_ERR(open_restricted(DIR_NAME "/d/f", BENEATH), EXDEV);
	leave_tree();
}

TEST(in_root, 5, "RESOLVE_IN_ROOT: the directory is the root of the walk")
{
	make_tree();
	CHECK(leads_to("up", IN_ROOT, "inside"));
	CHECK(leads_to("absolute", IN_ROOT, "inside"));
	CHECK(leads_to("/f", IN_ROOT, "inside"));
	CHECK(leads_to("../../e/../../f", IN_ROOT, "inside"));
	CHECK_ERR(open_restricted("magic", IN_ROOT), ENOENT);
	leave_tree();
}

TEST(links, 5, "RESOLVE_NO_SYMLINKS and RESOLVE_NO_MAGICLINKS: a link is ELOOP")
{
	make_tree();
	CHECK(leads_to("f", NO_SYMLINKS, "inside"));
	CHECK_ERR(open_restricted("beside", NO_SYMLINKS), ELOOP);
	CHECK_ERR(open_restricted("/proc/self/cwd/f", NO_SYMLINKS), ELOOP);
	CHECK(leads_to("beside", NO_MAGICLINKS, "inside"));
	CHECK(leads_to("magic", 0, "inside"));
	CHECK_ERR(open_restricted("magic", NO_MAGICLINKS), ELOOP);
	leave_tree();
}

TEST(one_mount, 5, "RESOLVE_NO_XDEV: a walk stays in its mount")
{
	make_tree();
	CHECK_EQ(mount("e", "e", "", MS_BIND, NULL), 0);
	put("e/g", "bound");
	CHECK(leads_to("e/g", 0, "bound"));
	CHECK(leads_to("f", NO_XDEV, "inside"));
	CHECK_ERR(open_restricted("e/g", NO_XDEV), EXDEV);
	CHECK_EQ(chdir("e"), 0);
	CHECK(leads_to("g", NO_XDEV, "bound"));
	CHECK_ERR(open_restricted("../f", NO_XDEV), EXDEV);
	CHECK_EQ(chdir(".."), 0);
	CHECK_EQ(umount("e"), 0);
	leave_tree();
}

TEST(cached, 5, "RESOLVE_CACHED: a name that is in memory is found, and nothing is made")
{
	struct how how = { .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = CACHED };

	make_tree();
	CHECK(leads_to("f", 0, "inside"));
	CHECK(leads_to("f", CACHED, "inside"));
	CHECK_ERR(open_restricted("unknown", CACHED), EAGAIN);
	CHECK_ERR(open_how("new", &how, sizeof(how)), EAGAIN);
	leave_tree();
}
