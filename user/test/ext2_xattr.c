/*
 * Extended attributes of files on ext2, with blocks of all sizes. The inodes of blank-2k are large,
 * and have the first attributes in themselves. On the others every attribute is in a block.
 */
#include "ext2.h"
#include "random.h"
#include <sys/inotify.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define SEED	61
#define F	MNT "/file"
#define D	MNT "/dir"
#define L	MNT "/link"
#define NR	14 /* names of the model */
#define ROUNDS	120
#define FIEMAP	0xc020660b
#define BIG_MAX 5000

static char big[70000], got[70000];

static unsigned long long sectors(const char *path)
{
	return stat_of(path).st_blocks;
}

/* The attribute has exactly this value. */
static void has(const char *path, const char *name, const void *value, size_t size)
{
	ssize_t n = lgetxattr(path, name, got, sizeof(got));

	if (n != (ssize_t)size || memcmp(got, value, size))
		test_fail(__FILE__, __LINE__, "%s of %s has %zd bytes, and should have %zu", name,
			  path, n, size);
	CHECK_EQ(lgetxattr(path, name, NULL, 0), size);
}

static bool lists(const char *path, const char *name)
{
	ssize_t n = llistxattr(path, got, sizeof(got));

	CHECK(n >= 0);
	CHECK_EQ(llistxattr(path, NULL, 0), n);
	for (char *at = got; at < got + n; at += strlen(at) + 1)
		if (!strcmp(at, name))
			return true;
	return false;
}

/* ---- the calls ---- */

static void calls(int block)
{
	int fd = make_file(F, 100, SEED);

	CHECK_EQ(listxattr(F, got, 10), 0);
	CHECK_ERR(getxattr(F, "user.a", got, 10), ENODATA);
	CHECK_ERR(removexattr(F, "user.a"), ENODATA);
	CHECK_ERR(setxattr(F, "user.a", "one", 3, XATTR_REPLACE), ENODATA);
	CHECK_EQ(setxattr(F, "user.a", "one", 3, XATTR_CREATE), 0);
	has(F, "user.a", "one", 3);
	CHECK_ERR(setxattr(F, "user.a", "two", 3, XATTR_CREATE), EEXIST);
	CHECK_EQ(fsetxattr(fd, "user.a", "three", 5, XATTR_REPLACE), 0);
	has(F, "user.a", "three", 5);
	CHECK_ERR(getxattr(F, "user.a", got, 4), ERANGE);
	CHECK_EQ(fgetxattr(fd, "user.a", got, 5), 5);
	CHECK_EQ(setxattr(F, "user.empty", NULL, 0, 0), 0);
	has(F, "user.empty", "", 0);
	CHECK_EQ(setxattr(F, "trusted.b", "t", 1, 0), 0);
	CHECK_EQ(setxattr(F, "security.c", "s", 1, 0), 0);
	has(F, "user.a", "three", 5);
	has(F, "trusted.b", "t", 1);
	has(F, "security.c", "s", 1);
	CHECK_EQ(flistxattr(fd, got, sizeof(got)), 7 + 11 + 10 + 11);
	CHECK(lists(F, "user.a") && lists(F, "user.empty") && lists(F, "trusted.b") &&
	      lists(F, "security.c"));
	CHECK_ERR(listxattr(F, got, 38), ERANGE);
	CHECK_EQ(fremovexattr(fd, "user.empty"), 0);
	CHECK(!lists(F, "user.empty"));
	CHECK_ERR(getxattr(F, "user.empty", got, 10), ENODATA);
	CHECK_EQ(mkdir(D, 0755), 0);
	CHECK_EQ(setxattr(D, "user.dir", "d", 1, 0), 0);
	CHECK_EQ(symlink("file", L), 0);
	CHECK_EQ(setxattr(L, "user.through", "l", 1, 0), 0);
	CHECK_EQ(lsetxattr(L, "trusted.link", "self", 4, 0), 0);
	CHECK_EQ(setxattr(F, "user.t", "x", 1, 0), 0);
	CHECK_EQ(lremovexattr(F, "user.t"), 0);
	close(fd);
}

static void still_has(int block)
{
	has(F, "user.a", "three", 5);
	has(F, "trusted.b", "t", 1);
	has(F, "security.c", "s", 1);
	has(F, "user.through", "l", 1);
	has(D, "user.dir", "d", 1);
	has(L, "trusted.link", "self", 4);
	CHECK_EQ(listxattr(F, NULL, 0), 7 + 11 + 10 + 13);
	is_file(F, 100, SEED);
	CHECK_EQ(readlink(L, got, sizeof(got)), 4);
}

TEST(calls, 60, "attributes are set, read, listed and removed, and stay")
{
	on_all_sizes(calls, still_has);
}

/* ---- who may ---- */

static void special(int block)
{
	CHECK_EQ(mknod(MNT "/fifo", S_IFIFO | 0666, 0), 0);
	CHECK_EQ(mknod(MNT "/null", S_IFCHR | 0666, makedev(1, 3)), 0);
	CHECK_EQ(symlink("fifo", L), 0);
	for (int i = 0; i < 3; i++) {
		const char *path = i == 0 ? MNT "/fifo" : i == 1 ? MNT "/null" : L;

		CHECK_ERR(lsetxattr(path, "user.a", "x", 1, 0), EPERM);
		CHECK_ERR(lgetxattr(path, "user.a", got, 1), ENODATA);
		CHECK_ERR(lremovexattr(path, "user.a"), EPERM);
		CHECK_EQ(lsetxattr(path, "trusted.a", "x", 1, 0), 0);
		has(path, "trusted.a", "x", 1);
	}
	CHECK_EQ(mkdir(MNT "/sticky", 01777) | chmod(MNT "/sticky", 01777), 0);
	CHECK_EQ(mkdir(MNT "/open", 0777) | chmod(MNT "/open", 0777), 0);
	close(make_file(F, 10, SEED));
	CHECK_EQ(setxattr(F, "trusted.x", "1", 1, 0) | setxattr(F, "security.x", "1", 1, 0), 0);
	CHECK_EQ(setxattr(F, "user.x", "1", 1, 0) | chmod(F, 0640), 0);
	CHECK_EQ(setegid(1000) | seteuid(1000), 0);
	CHECK_ERR(setxattr(MNT "/sticky", "user.a", "x", 1, 0), EPERM);
	CHECK_ERR(getxattr(MNT "/sticky", "user.a", got, 1), ENODATA);
	CHECK_EQ(setxattr(MNT "/open", "user.a", "x", 1, 0), 0);
	CHECK_ERR(getxattr(F, "user.x", got, 1), EACCES);
	CHECK_ERR(setxattr(F, "user.x", "2", 1, 0), EACCES);
	CHECK_ERR(removexattr(F, "user.x"), EACCES);
	CHECK_ERR(getxattr(F, "trusted.x", got, 1), ENODATA);
	CHECK_ERR(setxattr(F, "trusted.x", "2", 1, 0), EPERM);
	CHECK_ERR(removexattr(F, "trusted.x"), EPERM);
	CHECK_EQ(getxattr(F, "security.x", got, 1), 1);
	/* Names are listed for everybody, but for those of trusted.*. */
	CHECK(lists(F, "user.x") && lists(F, "security.x") && !lists(F, "trusted.x"));
	CHECK_EQ(seteuid(0), 0);
	CHECK_EQ(setegid(0), 0);
	CHECK(lists(F, "trusted.x"));
	CHECK_EQ(unlink(MNT "/fifo") | unlink(MNT "/null") | unlink(L), 0);
}

TEST(permissions, 60, "who may set and read which attributes of which files")
{
	on_all_sizes(special, NULL);
}

static void security(int block)
{
	close(make_file(F, 10, SEED));
	CHECK_EQ(setxattr(F, "security.x", "1", 1, 0) | chmod(F, 0666), 0);
	CHECK_EQ(seteuid(1000), 0);
	CHECK_EQ(getxattr(F, "security.x", got, 1), 1);
	CHECK_ERR(setxattr(F, "security.x", "2", 1, 0), EPERM);
	CHECK_ERR(removexattr(F, "security.x"), EPERM);
	CHECK_EQ(seteuid(0), 0);
	has(F, "security.x", "1", 1);
	/* No program gets these, so they are not taken. */
	CHECK_ERR(setxattr(F, "security.capability", "\1\0\0\2", 20, 0), EOPNOTSUPP);
}

BEYOND_TEST(security, 60, "only root sets security attributes",
	    "its module for BPF answers in place of the check of capabilities")
{
	on_all_sizes(security, NULL);
}

static void arguments(int block)
{
	static char name[300];
	int fd = make_file(F, 10, SEED), ro;

	memset(name, 'n', sizeof(name) - 1);
	memcpy(name, "user.", 5);
	CHECK_ERR(setxattr(F, "user.", "x", 1, 0), EINVAL);
	CHECK_ERR(getxattr(F, "user.", got, 1), EINVAL);
	CHECK_ERR(removexattr(F, "user."), EINVAL);
	CHECK_ERR(setxattr(F, "user", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(setxattr(F, "other.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERR(getxattr(F, "other.a", got, 1), EOPNOTSUPP);
	CHECK_ERR(setxattr(F, name, "x", 1, 0), ERANGE);
	name[255] = '\0';
	CHECK_EQ(setxattr(F, name, "x", 1, 0), 0);
	has(F, name, "x", 1);
	CHECK_EQ(removexattr(F, name), 0);
	CHECK_ERR(setxattr(F, "user.a", "x", 1, 4), EINVAL);
	CHECK_ERR(setxattr(F, "user.a", "x", 1, XATTR_CREATE | XATTR_REPLACE), ENODATA);
	CHECK_ERR(setxattr(F, "user.a", big, 65537, 0), E2BIG);
	CHECK_ERR(setxattr(F, "user.a", (void *)1, 1, 0), EFAULT);
	CHECK_EQ(setxattr(F, "user.a", "value", 5, 0), 0);
	CHECK_ERR(getxattr(F, "user.a", (void *)1, 5), EFAULT);
	CHECK_ERR(listxattr(F, (void *)1, 100), EFAULT);
	CHECK_EQ(getxattr(F, "user.a", got, 1u << 30), 5);
	close(fd);
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
	CHECK_ERR(setxattr(F, "user.a", "x", 1, 4), EROFS);
	CHECK_ERR(removexattr(F, "user.none"), EROFS);
	CHECK_EQ(getxattr(F, "user.a", got, 5), 5);
	CHECK_EQ(mount(NULL, MNT, NULL, MS_REMOUNT | MS_BIND, NULL), 0);
	ro = open(F, O_RDONLY);
	CHECK_EQ(fsetxattr(ro, "user.a", "by", 2, 0), 0); /* the file's mode counts */
	close(ro);
}

TEST(arguments, 60, "what is refused, and in which order")
{
	on_all_sizes(arguments, NULL);
}

/* ---- what a change leaves ---- */

static int watch;

/* Which events have come since the last time? */
static unsigned int events(void)
{
	char bytes[4096];
	ssize_t n = read(watch, bytes, sizeof(bytes));
	unsigned int mask = 0;

	for (char *at = bytes; n > 0 && at < bytes + n;
	     at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len)
		mask |= ((struct inotify_event *)at)->mask;
	return mask;
}

static bool is_later(const struct stat *a, const struct stat *b)
{
	return a->st_ctim.tv_sec != b->st_ctim.tv_sec || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* Set or remove an attribute. Was the ctime set, and was there an event? */
static bool changes(const char *name, const char *value)
{
	struct stat old, new;
	unsigned int mask;

	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	old = stat_of(F);
	CHECK_EQ(value ? setxattr(F, name, value, strlen(value), 0) : removexattr(F, name), 0);
	new = stat_of(F);
	CHECK(old.st_mtim.tv_sec == new.st_mtim.tv_sec &&old.st_mtim.tv_nsec ==
	      new.st_mtim.tv_nsec);
	mask = events();
	CHECK_EQ(mask, IN_ATTRIB);
	return is_later(&new, &old);
}

/* Linux keeps the ctime in seconds where inodes are small. */
TEST(traces, 60, "a change sets the ctime and is an IN_ATTRIB; the same value sets no ctime")
{
	put_image("blank-2k");
	mount_writable();
	close(make_file(F, 10, SEED));
	watch = inotify_init1(IN_NONBLOCK);
	CHECK(inotify_add_watch(watch, F, IN_ALL_EVENTS) >= 0);
	CHECK(changes("user.a", "one"));
	CHECK(changes("user.a", "two"));
	CHECK(!changes("user.a", "two")); /* it has that value already */
	CHECK(changes("user.a", NULL));
	CHECK_ERR(removexattr(F, "user.a"), ENODATA);
	CHECK_EQ(getxattr(F, "user.a", got, 1), -1);
	CHECK_EQ(events(), 0);
	close(watch);
	unmount();
}

/* ---- room ---- */

static void room(int block)
{
	unsigned int unit = block / 512;
	unsigned long long before;
	int n;

	close(make_file(F, 3 * block, SEED));
	look_at_space();
	before = sectors(F);
	CHECK_EQ(setxattr(F, "user.big", big, 500, 0), 0);
	CHECK_EQ(sectors(F), before + unit);
	CHECK_EQ(setxattr(F, "user.big", big, 600, 0), 0);
	CHECK_EQ(sectors(F), before + unit);
	/* What does not fit is refused, and the old value stays. */
	CHECK_ERR(setxattr(F, "user.big", big, block, 0), ENOSPC);
	CHECK_ERR(setxattr(F, "user.other", big, 65536, 0), ENOSPC);
	has(F, "user.big", big, 600);
	n = block - 32 - 20 - 4; /* the header, the entry, and the end */
	CHECK_ERR(setxattr(F, "user.big", big, n + 1, 0), ENOSPC);
	CHECK_EQ(setxattr(F, "user.big", big, n, 0), 0);
	has(F, "user.big", big, n);
	CHECK_EQ(sectors(F), before + unit);
	CHECK_EQ(removexattr(F, "user.big"), 0);
	CHECK_EQ(sectors(F), before);
	space_is_whole();
	CHECK_EQ(setxattr(F, "user.big", big, n, 0), 0);
	CHECK_EQ(truncate(F, 0), 0);
	CHECK_EQ(sectors(F), unit);
	has(F, "user.big", big, n);
	CHECK_EQ(unlink(F), 0);
	close(make_file(F, 3 * block, SEED));
	space_is_whole();
}

TEST(room, 60, "a large value takes a block, which st_blocks counts; without room ENOSPC")
{
	memset(big, 'b', sizeof(big));
	on_all_sizes(room, NULL);
}

static void full(int block)
{
	static char more[65536], name[64];
	int fd = make_file(F, 10, SEED), fill = open(MNT "/fill", O_RDWR | O_CREAT, 0600), last[4];

	CHECK_EQ(setxattr(F, "user.big", big, 600, 0), 0);
	CHECK_EQ(setxattr(F, "user.small", "s", 1, 0), 0);
	close(make_file(MNT "/other", 10, SEED));
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), MNT "/last-%d", i);
		last[i] = make_file(name, 0, SEED);
	}
	while (write(fill, more, sizeof(more)) > 0)
		;
	while (write(fill, more, block) > 0)
		;
	for (int i = 0; i < 4; i++) /* without indirect blocks */
		while (write(last[i], more, block) > 0)
			;
	/* Another value than that of the file, whose block Linux would share. */
	CHECK_ERR(setxattr(MNT "/other", "user.big", big, 610, 0), ENOSPC);
	CHECK_EQ(listxattr(MNT "/other", NULL, 0), 0);
	CHECK_EQ(setxattr(F, "user.big", big, 601, 0), 0);
	CHECK_EQ(removexattr(F, "user.big"), 0);
	has(F, "user.small", "s", 1);
	/* What has just been freed can be used. */
	CHECK_EQ(ftruncate(fill, 0), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), MNT "/more-%d", i);
		close(make_file(name, 0, SEED));
		CHECK_EQ(setxattr(name, "user.big", big, 600, 0), 0);
	}
	for (int i = 0; i < 4; i++)
		close(last[i]);
	close(fill);
	close(fd);
}

TEST(full, 120, "on a full disk a block is refused, and attributes can be removed")
{
	memset(big, 'b', sizeof(big));
	on_all_sizes(full, NULL);
}

static void held(int block)
{
	int fd;

	close(make_file(MNT "/first", 10, SEED));
	look_at_space();
	fd = make_file(F, 3 * block, SEED);
	CHECK_EQ(unlink(F), 0);
	CHECK_EQ(fsetxattr(fd, "user.big", big, 600, 0), 0);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(fgetxattr(fd, "user.big", got, sizeof(got)), 600);
	CHECK_EQ(fsetxattr(fd, "user.a", big, 6, 0), 0);
	CHECK_EQ(fremovexattr(fd, "user.big"), 0);
	CHECK_EQ(fsetxattr(fd, "user.big", big, 650, 0), 0);
	close(fd);
	space_is_whole();
}

TEST(deleted, 60, "a file without a name has attributes, too, and its block is freed with it")
{
	memset(big, 'b', sizeof(big));
	on_all_sizes(held, NULL);
}

/* ---- the model ---- */

static struct attribute {
	bool there;
	size_t size;
	char bytes[BIG_MAX];
} model[NR];

static const char *name_of(int i)
{
	static char name[300];
	static const char *const kinds[] = { "user.", "trusted.", "security." };

	strcpy(name, kinds[i % 3]);
	memset(name + strlen(name), 'a' + i, 1 + i * i % 30);
	name[strlen(kinds[i % 3]) + 1 + i * i % 30] = '\0';
	return name;
}

static void agrees(void)
{
	ssize_t names = 0;

	for (int i = 0; i < NR; i++) {
		if (!model[i].there) {
			CHECK_ERR(getxattr(F, name_of(i), got, sizeof(got)), ENODATA);
			continue;
		}
		has(F, name_of(i), model[i].bytes, model[i].size);
		CHECK(lists(F, name_of(i)));
		names += strlen(name_of(i)) + 1;
	}
	CHECK_EQ(listxattr(F, NULL, 0), names);
}

static void change_one(int block)
{
	struct attribute *one = &model[random_below(NR)];
	const char *name = name_of(one - model);
	size_t size = random_below(4) ? random_below(60) : random_below(block);
	char byte = 'A' + random_below(26);

	if (random_below(4) == 0) {
		if (!one->there)
			CHECK_ERR(removexattr(F, name), ENODATA);
		else
			CHECK_EQ(removexattr(F, name), 0);
		one->there = false;
		return;
	}
	memset(big, byte, size);
	if (setxattr(F, name, big, size, one->there ? XATTR_REPLACE : XATTR_CREATE) < 0) {
		int error = errno;

		CHECK_EQ(error, ENOSPC);
		return;
	}
	one->there = true;
	one->size = size;
	memcpy(one->bytes, big, size);
}

static void play(int block)
{
	memset(model, 0, sizeof(model));
	random_state = SEED;
	close(make_file(F, 10, SEED));
	for (int i = 0; i < ROUNDS; i++) {
		change_one(block);
		if (i % 10 == 9)
			agrees();
		if (i % 40 == 39)
			forget();
	}
}

static void still_agrees(int block)
{
	agrees();
	is_file(F, 10, SEED);
}

TEST(model, 120, "random changes leave what a model says, also after a mount")
{
	on_all_sizes(play, still_agrees);
}

/* ---- where they are ---- */

#define ALL_ATTRIBUTES                                                   \
	{                                                                \
		.length = UINT64_MAX, .flags = 2 /* XATTR */, .count = 4 \
	}

struct map {
	uint64_t start, length;
	uint32_t flags, mapped, count, reserved;
	struct {
		uint64_t logical, physical, length, reserved64[2];
		uint32_t flags, reserved[3];
	} extents[4];
};

static void told(int block)
{
	struct map map = ALL_ATTRIBUTES;
	int fd = make_file(F, 10, SEED);

	CHECK_EQ(ioctl(fd, FIEMAP, &map), 0);
	CHECK_EQ(map.mapped, 0);
	CHECK_EQ(setxattr(F, "user.big", big, 600, 0), 0);
	map.flags = 2;
	CHECK_EQ(ioctl(fd, FIEMAP, &map), 0);
	CHECK_EQ(map.mapped, 1);
	CHECK_EQ(map.extents[0].logical, 0);
	CHECK_EQ(map.extents[0].length, block);
	CHECK_EQ(map.extents[0].physical % block, 0);
	CHECK_EQ(map.extents[0].flags, 1);
	CHECK_EQ(setxattr(F, "user.s", "x", 1, 0), 0);
	map.flags = 2;
	CHECK_EQ(ioctl(fd, FIEMAP, &map), 0);
	CHECK_EQ(map.mapped, 1);
	CHECK(map.extents[0].flags == 1 || map.extents[0].flags == 0x301);
	map.flags = 2;
	map.start = block;
	CHECK_EQ(ioctl(fd, FIEMAP, &map), 0);
	CHECK_EQ(map.mapped, 0);
	close(fd);
}

TEST(places, 60, "FIEMAP tells where a file's attributes are")
{
	on_all_sizes(told, NULL);
}

/* ---- damages ---- */

static const struct damage {
	unsigned int at, size;
	uint32_t value;
} damages[] = {
	{ 0, 4, 0 },	       /* the magic number */
	{ 8, 4, 7 },	       /* it has several blocks */
	{ 32, 1, 255 },	       /* an entry: the length of the name */
	{ 34, 2, 0xfffc },     /* where the value is */
	{ 34, 2, 0 },	       /* in the entries */
	{ 40, 4, 0x7fffffff }, /* its size */
};

/* Write to the block of the file's attributes, when the file system is not mounted. */
static void damage(const struct damage *what)
{
	struct map map = ALL_ATTRIBUTES;
	int fd;

	put_image("blank-1k");
	mount_writable();
	fd = make_file(F, 2000, SEED);
	CHECK_EQ(setxattr(F, "user.big", big, 730, 0), 0);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(ioctl(fd, FIEMAP, &map), 0);
	CHECK_EQ(map.mapped, 1);
	close(fd);
	unmount();
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pwrite(disk, &what->value, what->size, map.extents[0].physical + what->at),
		 what->size);
	CHECK_EQ(fsync(disk), 0);
	mount_writable();
}

/* The call has failed because of the damage. Linux has an error of its own for that. */
static void finds_damage(long result)
{
	int error = errno;

	CHECK_EQ(result, -1);
	CHECK(error == EIO || error == EUCLEAN);
}

TEST(damages, 60, "a damaged block of attributes is an error of the disk, and the file can be used")
{
	for (unsigned int i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		damage(&damages[i]);
		finds_damage(getxattr(F, "user.big", got, sizeof(got)));
		finds_damage(listxattr(F, got, sizeof(got)));
		finds_damage(setxattr(F, "user.other", "x", 1, 0));
		finds_damage(removexattr(F, "user.big"));
		is_file(F, 2000, SEED);
		CHECK_EQ(unlink(F), 0);
		unmount();
	}
}

/* Where on the disk the number of a file's block of attributes is. blank-1k has one group. */
static off_t place_of_number(const char *path)
{
	ino_t number = stat_of(path).st_ino;
	uint32_t table;

	CHECK_EQ(pread(disk, &table, sizeof(table), 2 * 1024 + 8), sizeof(table));
	return table * 1024ll + (number - 1) * 128 + 104;
}

TEST(not_attributes, 60, "a deleted file does not free another file's block as its attributes")
{
	static char more[65536];
	struct map map = { .length = UINT64_MAX, .count = 4 };
	uint32_t number;
	off_t place;
	int fd;

	put_image("blank-1k");
	mount_writable();
	fd = make_file(MNT "/other", 8000, SEED);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(ioctl(fd, FIEMAP, &map), 0);
	number = map.extents[0].physical / 1024;
	close(fd);
	close(make_file(F, 2000, SEED));
	CHECK_EQ(setxattr(F, "user.big", big, 730, 0), 0);
	place = place_of_number(F);
	unmount();
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pwrite(disk, &number, sizeof(number), place), sizeof(number));
	CHECK_EQ(fsync(disk), 0);
	mount_writable();
	finds_damage(getxattr(F, "user.big", got, sizeof(got)));
	is_file(F, 2000, SEED);
	CHECK_EQ(unlink(F), 0);
	sync();
	fd = open(MNT "/fill", O_RDWR | O_CREAT, 0600);
	while (write(fd, more, sizeof(more)) > 0)
		;
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	unmount();
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	mount_writable();
	is_file(MNT "/other", 8000, SEED);
	unmount();
}
