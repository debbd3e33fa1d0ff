/*
 * ext2 is written, and there is no memory. What has failed has changed nothing.
 */
#include "ext2_undone.h"

static long create_it(void)
{
	int fd = open(OTHER_1, O_RDWR | O_CREAT, 0600);

	return fd < 0 ? fd : close(fd);
}

static long mkdir_it(void)
{
	return mkdir(OTHER_1, 0700);
}

static char target[200];

static long symlink_it(void)
{
	return symlink(target, OTHER_1);
}

static long link_it(void)
{
	return link(FILE, OTHER_1);
}

static long rename_it(void)
{
	return rename(FILE, OTHER_1);
}

static long nameless_it(void)
{
	int fd = open(MNT "/dir", O_TMPFILE | O_RDWR, 0600);

	return fd < 0 ? fd : close(fd);
}

BEYOND_TEST(made, 120, "without memory a name is made as a whole or not at all", NO_NTH)
{
	start("blank-1k");
	memset(target, 't', sizeof(target) - 1); /* now, since its page is an allocation, too */
	until_it_succeeds(create_it, nothing_has_changed);
	CHECK_EQ(unlink(OTHER_1), 0);
	forget();
	until_it_succeeds(mkdir_it, nothing_has_changed);
	CHECK_EQ(rmdir(OTHER_1), 0);
	forget();
	until_it_succeeds(symlink_it, nothing_has_changed);
	CHECK_EQ(unlink(OTHER_1), 0);
	forget();
	until_it_succeeds(link_it, nothing_has_changed);
	CHECK_EQ(unlink(OTHER_1), 0);
	forget();
	until_it_succeeds(nameless_it, nothing_has_changed);
	forget();
	nothing_has_changed();
	until_it_succeeds(rename_it, nothing_has_changed);
	is_file(OTHER_1, 20000, SEED);
	is_not_there(FILE);
	finish();
}

/* Fill the blocks of 1 KiB of a directory, so that another name needs one more. */
static void fill_blocks(const char *dir, unsigned int nr)
{
	char path[300];

	for (unsigned int i = 0; i < 4 * nr; i++) {
		int len = i == 3 ? 224 : 247; /* "." and ".." take 24 bytes of the first block */

		snprintf(path, sizeof(path), "%s/%0*u", dir, len, i);
		close(make_file(path, 0, SEED));
	}
	CHECK_EQ(stat_of(dir).st_size, nr * 1024);
}

BEYOND_TEST(large_directory, 120, "nor is a large directory longer than before", NO_NTH)
{
	int dir;

	start("blank-1k");
	fill_blocks(MNT "/dir", 6);
	dir = open(MNT "/dir",
		   O_RDONLY); /* it stays in memory, with all that is known of its names */
	CHECK_EQ(statfs(MNT, &before), 0);
	until_it_succeeds(rename_it, nothing_has_changed);
	is_file(OTHER_1, 20000, SEED);
	is_not_there(FILE);
	CHECK_EQ(stat_of(MNT "/dir").st_size, 7 * 1024);
	close(dir);
	finish();
}

static long unlink_it(void)
{
	return unlink(FILE);
}

static long replace_it(void)
{
	return rename(FILE, MNT "/replaced");
}

static void replaced_is_there(void)
{
	is_file(FILE, 20000, SEED);
	is_file(MNT "/replaced", 5000, SEED + 1);
}

static long rmdir_it(void)
{
	return rmdir(MNT "/dir");
}

static void dir_is_there(void)
{
	CHECK_EQ(stat_of(MNT).st_nlink, 4);
	CHECK_EQ(stat_of(MNT "/dir").st_nlink, 2);
	forget();
}

BEYOND_TEST(removed, 120, "without memory a name is removed as a whole or not at all", NO_NTH)
{
	start("blank-2k");
	close(make_file(MNT "/replaced", 5000, SEED + 1));
	forget();
	until_it_succeeds(replace_it, replaced_is_there);
	CHECK_EQ(rename(MNT "/replaced", FILE), 0);
	nothing_has_changed();
	until_it_succeeds(unlink_it, nothing_has_changed);
	is_not_there(FILE);
	forget();
	until_it_succeeds(rmdir_it, dir_is_there);
	CHECK_EQ(stat_of(MNT).st_nlink, 3);
	finish();
}

static int fd;

static long write_it(void)
{
	int error;
	long n;

	fd = open(FILE, O_RDWR);
	if (fd < 0)
		return fd;
	test_fill(buf, 3000, SEED, 300000);
	n = pwrite(fd, buf, 3000, 300000);
	error = errno;
	close(fd);
	errno = error;
	return n;
}

static long truncate_it(void)
{
	return truncate(FILE, 1500);
}

BEYOND_TEST(bytes, 120, "without memory a write behind the end and a truncate change nothing",
	    NO_NTH)
{
	start("blank-1k");
	CHECK_EQ(until_it_succeeds(write_it, nothing_has_changed), 3000);
	fd = open(FILE, O_RDWR);
	has_bytes(fd, 300000, 3000, SEED);
	has_bytes(fd, 0, 20000, SEED);
	has_zeros(fd, 20000, 280000);
	CHECK_EQ(ftruncate(fd, 20000), 0);
	close(fd);
	forget();
	until_it_succeeds(truncate_it, nothing_has_changed);
	is_file(FILE, 1500, SEED);
	CHECK_EQ(unlink(FILE) | rmdir(MNT "/dir"), 0);
	finish();
}

/* ---- attributes ---- */

static size_t note_size; /* of the file's attribute */

static void note_is_as_it_was(void)
{
	nothing_has_changed();
	note_is(note_size);
}

static long grow_it(void)
{
	return setxattr(FILE, "user.note", note, sizeof(note), 0);
}

static long shrink_it(void)
{
	return setxattr(FILE, "user.note", note, 10, 0);
}

static long remove_it(void)
{
	return removexattr(FILE, "user.note");
}

BEYOND_TEST(attributes, 120, "without memory an attribute is changed as a whole or not at all",
	    NO_NTH)
{
	/* On the second one the value moves between the inode and a block. */
	static const char *const images[] = { "blank-1k", "blank-2k" };

	memset(note, 'n', sizeof(note));
	for (int i = 0; i < 2; i++) {
		start(images[i]);
		CHECK_EQ(shrink_it(), 0);
		forget();
		CHECK_EQ(statfs(MNT, &before), 0);
		note_size = 10;
		until_it_succeeds(grow_it, note_is_as_it_was);
		note_is(600);
		forget();
		CHECK_EQ(statfs(MNT, &before), 0);
		note_size = 600;
		until_it_succeeds(shrink_it, note_is_as_it_was);
		note_is(10);
		forget();
		CHECK_EQ(statfs(MNT, &before), 0);
		note_size = 10;
		until_it_succeeds(remove_it, note_is_as_it_was);
		CHECK_EQ(listxattr(FILE, NULL, 0), 0);
		finish();
	}
}

/* ---- commits without memory ---- */

/* A commit waits for memory, and stores everything. */
static void commit_without_memory(const char *image)
{
	start(image);
	for (int n = 1; n < 60; n++) {
		int file = make_file(MNT "/dir/new", 5000 + n, SEED);
		int error;

		set_nth_any(n);
		error = fsync(file) < 0 ? errno : 0;
		set_nth_any(0);
		CHECK(error == 0 || error == ENOMEM);
		close(file);
		forget();
		is_file(MNT "/dir/new", 5000 + n, SEED);
		CHECK_EQ(unlink(MNT "/dir/new"), 0);
	}
	nothing_has_changed();
	finish();
}

BEYOND_TEST(commits, 120, "when memory is short, a commit waits until there is some", NO_NTH)
{
	commit_without_memory("blank-1k");
	commit_without_memory("journal-1k");
}

/* ---- holes ---- */

#define HOLE	 1000
#define HOLE_END 19000

static long punch_it(void)
{
	int fd = open(FILE, O_RDWR);
	long result;

	if (fd < 0)
		return fd;
	result = fallocate(fd, 3 /* PUNCH_HOLE | KEEP_SIZE */, HOLE, HOLE_END - HOLE);
	close(fd);
	return result;
}

/* Each byte is what it was, or a zero of the hole. */
static void some_is_punched(void)
{
	static char wanted[20000];
	int fd = open(FILE, O_RDONLY);

	test_fill(wanted, sizeof(wanted), SEED, 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 0), sizeof(wanted));
	for (unsigned int i = 0; i < sizeof(wanted); i++)
		CHECK(buf[i] == wanted[i] || (buf[i] == 0 && i >= HOLE && i < HOLE_END));
	close(fd);
}

BEYOND_TEST(punched, 60, "without memory each byte of a hole is what it was, or zero", NO_NTH)
{
	int fd;

	start("blank-1k");
	until_it_succeeds(punch_it, some_is_punched);
	fd = open(FILE, O_RDWR);
	for (int i = 0; i < 2; i++) {
		has_bytes(fd, 0, HOLE, SEED);
		has_zeros(fd, HOLE, HOLE_END - HOLE);
		has_bytes(fd, HOLE_END, 20000 - HOLE_END, SEED);
		CHECK_EQ(stat_of(FILE).st_blocks,
			 2 * (1 + 2 + 1)); /* the edges, and an indirect block */
		forget();
	}
	close(fd);
	CHECK_EQ(unlink(FILE), 0);
	before.f_bfree += 20 + 1;
	before.f_ffree++;
	space_is_whole();
	finish();
}

/* ---- O_DIRECT over bytes and holes ---- */

#define PAGES 4 /* the odd ones are holes, and so is the second half of the third */
#define NEW   0x5a

static _Alignas(PAGE) char new_bytes[PAGES * PAGE], now_bytes[PAGES * PAGE];

/* Is byte i of the file one of the old bytes, and no hole? */
static bool is_old(int i)
{
	return i / PAGE == 0 || (i / PAGE == 2 && i % PAGE < PAGE / 2);
}

static int make_with_holes(void)
{
	int fd = open(MNT "/dir/holes", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(ftruncate(fd, PAGES * PAGE), 0);
	test_fill(buf, PAGES * PAGE, SEED, 0);
	for (int at = 0; at < PAGES * PAGE; at += PAGE / 2)
		if (is_old(at))
			CHECK_EQ(pwrite(fd, buf + at, PAGE / 2, at), PAGE / 2);
	return fd;
}

/* `done` bytes have been written. Each of the others is new, or what it was. */
static void old_or_new(int fd, int done)
{
	CHECK_EQ(pread(fd, now_bytes, sizeof(now_bytes), 0), sizeof(now_bytes));
	for (int i = 0; i < PAGES * PAGE; i++) {
		char old = is_old(i) ? buf[i] : 0;

		if (now_bytes[i] != NEW && (i < done || now_bytes[i] != old))
			test_fail(__FILE__, __LINE__, "byte %d is %d, and was %d; %d written", i,
				  now_bytes[i], old, done);
	}
}

/* Write with the nth allocation failing. Returns how many bytes were written, or 0. */
static int write_over(int nth)
{
	int fd = make_with_holes(), direct = open(MNT "/dir/holes", O_RDWR | O_DIRECT), done;
	ssize_t n;

	CHECK(direct >= 0);
	forget();
	set_nth(nth);
	n = pwrite(direct, new_bytes, sizeof(new_bytes), 0);
	set_nth(0);
	if (n < 0 && errno != ENOMEM)
		test_fail(__FILE__, __LINE__, "allocation %d: errno %d", nth, errno);
	test_fill(buf, PAGES * PAGE, SEED, 0);
	done = n < 0 ? 0 : n;
	old_or_new(fd, done);
	forget();
	old_or_new(fd, done);
	close(direct);
	close(fd);
	return done;
}

static void write_over_all(const char *image)
{
	start(image);
	memset(new_bytes, NEW, sizeof(new_bytes));
	/* The call goes on after some failures, so its first success is not the end. */
	for (int n = 1; n < 40; n++)
		write_over(n);
	CHECK_EQ(write_over(MAX_NTH), PAGES * PAGE);
	CHECK_EQ(unlink(MNT "/dir/holes"), 0);
	nothing_has_changed();
	finish();
}

BEYOND_TEST(direct_over_holes, 60,
	    "without memory a direct write over bytes and holes leaves what it has not written",
	    NO_NTH)
{
	write_over_all("blank-4k");
	write_over_all("blank-2k");
	write_over_all("blank-1k");
}
