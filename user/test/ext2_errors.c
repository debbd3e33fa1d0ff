/*
 * A disk that fails while a file system with a journal is written: each request of a commit, of a
 * checkpoint, of an unmount and of a mount after a crash, one after the other.
 *
 * With EXT2_DUMP=DISK in the environment, the disk is copied to the next JOURNAL_SIZE bytes of DISK
 * each time that the failures have ended. tests/guest-tool/ext2 lets e2fsck judge these copies.
 */
#include "ext2.h"
#include <arpa/inet.h>
#include <sys/xattr.h>

#define NO_GATE	  "lacks /proc/gate: Linux has no disk that fails when a test says so"
#define SEED	  61
#define JOURNAL	  "journal-1k"
#define EVER	  1000000 /* requests: all that are to come */
#define OLD	  MNT "/old"
#define OLD_N	  20000
#define NAME	  MNT "/dir/%d"
#define NAME_N	  700 /* bytes of each file with such a name; with an indirect block, 14000 */
#define BESIDE	  MNT "/dir/beside-%d"
#define NOTE	  "user.note" /* an attribute of each of them, in a block of its own */
#define NOTE_N	  600
#define STATE	  (1024 + 58) /* of the superblock on the disk: bit 0 says that it is clean */
#define MAX_NTH	  200
#define MAX_FILES 400

/* ---- the disk's failures ---- */

static bool armed;

static void fail_after(unsigned int skip, unsigned int fail)
{
	char text[32];

	armed = fail > 0;
	snprintf(text, sizeof(text), "skip %u", skip);
	gate_control(text);
	snprintf(text, sizeof(text), "fail %u", fail);
	gate_control(text);
}

static unsigned int gate_number(const char *name)
{
	FILE *file = fopen("/proc/gate", "r");
	char line[64];
	unsigned int number = 0;

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), "%u", &number);
	fclose(file);
	return number;
}

/* How many requests have passed since fail_after(EVER, 0). */
static unsigned int requests(void)
{
	return EVER - gate_number("skip");
}

/* ---- what is written ---- */

static unsigned int synced, tried; /* files with numbers */

static size_t size_of(int i)
{
	return i % 8 == 3 ? 20 * NAME_N : NAME_N;
}

static const char *name_of(const char *format, int i)
{
	static char name[64];

	snprintf(name, sizeof(name), format, i);
	return name;
}

static void begin(const char *image)
{
	int fd;

	gate_control("open");
	fail_after(0, 0);
	put_image(image);
	mount_writable();
	CHECK_EQ(mkdir(MNT "/dir", 0700), 0);
	fd = make_file(OLD, OLD_N, SEED);
	CHECK_EQ(syncfs(fd), 0);
	close(fd);
	synced = tried = 0;
}

/* All calls that write fail. */
static void has_turned_read_only(int fd)
{
	CHECK_ERR(syncfs(fd), EIO);
	CHECK_ERR(fsync(fd), EIO);
	CHECK_ERR(pwrite(fd, "x", 1, 900000), EROFS);
	CHECK_ERR(mkdir(MNT "/more", 0700), EROFS);
	CHECK_ERR(fsetxattr(fd, NOTE, "x", 1, 0), EROFS);
	CHECK_ERR(unlink(OLD), EROFS);
	CHECK_ERR(rename(OLD, MNT "/dir/old"), EROFS);
	CHECK_ERR(open(MNT "/more", O_RDWR | O_CREAT, 0600), EROFS);
}

/*
 * Make a file with an attribute, and a symbolic link. Returns the file, or -1 with EIO if a block
 * that it takes could not be read.
 */
static int make_pair(int i)
{
	int fd = open(name_of(NAME, i), O_RDWR | O_CREAT, 0644);

	test_fill(buf, size_of(i), SEED + i, 0);
	if (fd >= 0 && pwrite(fd, buf, size_of(i), 0) == (ssize_t)size_of(i) &&
	    fsetxattr(fd, NOTE, buf, NOTE_N, 0) == 0 && symlink("beside", name_of(BESIDE, i)) == 0)
		return fd;
	if (errno != EIO)
		test_fail(__FILE__, __LINE__, "the pair cannot be made");
	if (fd >= 0)
		close(fd);
	return -1;
}

/*
 * Make a pair, and wait for its commit. Returns false if that failed. Two errors are none of a
 * commit, and only of that moment: a block cannot be read, and the file's own bytes cannot be
 * written, which the next fsync does once more.
 */
static bool make_one(void)
{
	unsigned int left = armed ? gate_number("fail") : 0;
	int fd = make_pair(tried), error = 0;
	bool told = fd < 0;

	if (fd < 0)
		fd = make_pair(tried);
	tried++;
	if (fd < 0)
		return false;
	if (fsync(fd) < 0) {
		error = errno;
		CHECK(error == EIO);
		told = true;
		if (fsync(fd) == 0)
			error = 0;
	}
	/* No request fails and nobody learns of it. */
	CHECK(!armed || told || gate_number("fail") == left);
	if (error)
		has_turned_read_only(fd);
	else
		synced = tried;
	close(fd);
	return !error;
}

static void is_pair(unsigned int i)
{
	static char note[NOTE_N];
	struct stat st;

	is_file(name_of(NAME, i), size_of(i), SEED + i);
	CHECK_EQ(getxattr(name_of(NAME, i), NOTE, note, NOTE_N), NOTE_N);
	CHECK_EQ(test_differs(note, NOTE_N, SEED + i, 0), NOTE_N);
	CHECK_EQ(lstat(name_of(BESIDE, i), &st), 0);
}

/* What was synced is there, and of the rest a transaction or nothing. */
static void all_is_there(bool journal)
{
	struct stat st;

	is_file(OLD, OLD_N, SEED);
	for (unsigned int i = 0; i < synced; i++)
		is_pair(i);
	if (synced == tried || !journal)
		return;
	if (lstat(name_of(NAME, synced), &st) == 0)
		is_pair(synced);
	else
		CHECK_ERR(lstat(name_of(BESIDE, synced), &st), ENOENT);
}

/* ---- judging ---- */

static void dump(void)
{
	static int copies = -1;
	static off_t place;
	static char base[sizeof(buf)];
	const char *name = getenv("EXT2_DUMP");
	int image;

	if (!name)
		return;
	if (copies < 0)
		copies = open(name, O_WRONLY);
	image = open(DATA JOURNAL, O_RDONLY);
	CHECK(copies >= 0 && image >= 0);
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	/* DISK is full of copies of the image, so only what differs is written. */
	for (off_t at = 0; at < JOURNAL_SIZE; at += sizeof(buf)) {
		CHECK_EQ(pread(disk, buf, sizeof(buf), at), sizeof(buf));
		CHECK_EQ(pread(image, base, sizeof(base), at), sizeof(base));
		if (memcmp(buf, base, sizeof(buf)))
			CHECK_EQ(pwrite(copies, buf, sizeof(buf), place + at), sizeof(buf));
	}
	place += JOURNAL_SIZE;
	CHECK_EQ(fsync(copies), 0);
	close(image);
}

static void is_clean(bool clean)
{
	uint16_t state;

	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(disk, &state, sizeof(state), STATE), sizeof(state));
	CHECK_EQ(state & 1, clean);
}

/*
 * The failures have ended, and the disk is not mounted. It is mounted again, and is as good as it
 * was.
 */
static void judge(void)
{
	unsigned int had = synced;
	int fd;

	dump();
	mount_writable();
	all_is_there(true);
	/* The number may be in use or not. */
	fd = make_file(MNT "/after", NAME_N, SEED);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	synced = had;
	unmount();
	is_clean(true);
}

/* ---- commits ---- */

/*
 * Make `before` files, and then `more` while the nth request of the disk fails, and `fail - 1`
 * after it. Unmount. Returns whether a request has failed.
 */
static bool fail_nth(unsigned int before, unsigned int more, unsigned int nth, unsigned int fail)
{
	bool failed;

	begin(JOURNAL);
	while (before-- > 0)
		CHECK(make_one());
	fail_after(nth - 1, fail);
	while (more-- > 0 && make_one())
		;
	/* If the disk fails for ever, it does so while the file system is unmounted, too. */
	unmount();
	failed = gate_number("fail") < fail;
	fail_after(0, 0);
	judge();
	return failed;
}

/*
 * Every request fails, and if `ever`, all that come after it, until none is left. Returns how many
 * they were.
 */
static unsigned int fail_each(unsigned int before, unsigned int more, bool ever)
{
	unsigned int nth = 1;

	while (fail_nth(before, more, nth, ever ? EVER : 1))
		CHECK(++nth < MAX_NTH);
	return nth - 1;
}

BEYOND_TEST(commit, 60,
	    "an error at any step of a commit or an unmount: EIO, then EROFS, and nothing is lost",
	    NO_GATE)
{
	/* Each of the commits has bytes, the log, a flush, the commit block, and a flush. */
	CHECK(fail_each(0, 2, false) > 10);
}

BEYOND_TEST(dead, 60,
	    "a disk that is silent from some step on: EIO, then EROFS, and nothing is lost",
	    NO_GATE)
{
	CHECK(fail_each(0, 2, true) > 10);
}

/* How many files have to be made until a commit has more requests than those before it. */
static unsigned int until_checkpoint(void)
{
	unsigned int usual = 0, n = 0, last;

	begin(JOURNAL);
	do {
		CHECK(n++ < MAX_FILES);
		fail_after(EVER, 0);
		CHECK(make_one());
		last = requests();
		usual = n <= 8 && last > usual ? last : usual;
	} while (last <= usual);
	unmount();
	return n;
}

BEYOND_TEST(checkpoint, 120, "the same at any step of a checkpoint", NO_GATE)
{
	unsigned int n = until_checkpoint();

	CHECK(fail_each(n - 1, 1, false) > 10);
	CHECK(fail_each(n - 1, 1, true) > 10);
}

/* ---- mounts after a crash ---- */

static char crashed[JOURNAL_SIZE];

/* The disk as a dead one leaves it, with transactions in its journal. */
static void crash(void)
{
	begin(JOURNAL);
	for (int i = 0; i < 2; i++)
		CHECK(make_one());
	fail_after(0, EVER);
	CHECK(!make_one());
	unmount();
	fail_after(0, 0);
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(disk, crashed, JOURNAL_SIZE, 0), JOURNAL_SIZE);
}

BEYOND_TEST(replay, 60, "the same at any step of a mount that replays the journal", NO_GATE)
{
	unsigned int nth = 0;
	bool failed;
	int error;

	crash();
	do {
		CHECK(nth++ < MAX_NTH);
		CHECK_EQ(pwrite(disk, crashed, JOURNAL_SIZE, 0), JOURNAL_SIZE);
		CHECK_EQ(fsync(disk) | ioctl(disk, BLKFLSBUF, 0), 0);
		fail_after(nth - 1, 1);
		error = mount(disk_path, MNT, "ext2", 0, NULL) < 0 ? errno : 0;
		CHECK(error == 0 || error == EIO);
		failed = error != 0;
		CHECK_EQ(gate_number("fail"), !failed);
		fail_after(0, 0);
		if (!failed)
			unmount();
		judge();
	} while (failed);
	CHECK(nth > 10);
}

/* ---- no journal ---- */

/*
 * Blocks are written where they belong, so a part of a transaction may be there. What was synced is
 * not touched by that.
 */
BEYOND_TEST(no_journal, 60, "without a journal, the same for what was synced", NO_GATE)
{
	unsigned int nth = 0;
	bool failed, has;

	do {
		CHECK(nth++ < MAX_NTH);
		begin("blank-1k");
		CHECK(make_one());
		fail_after(nth - 1, 1);
		has = make_one();
		failed = gate_number("fail") == 0;
		fail_after(0, 0);
		unmount();
		is_clean(has);
		CHECK_EQ(mount(disk_path, MNT, "ext2", MS_RDONLY, NULL), 0);
		all_is_there(false);
		unmount();
	} while (failed);
	CHECK(nth > 3);
}

/* ---- damaged journals ---- */

/*
 * Fields of the superblock (The Second Extended File System, 3.1) and of the journal's one, which
 * is big-endian.
 */
#define JOURNAL_INODE  (1024 + 224)
#define JOURNAL_NUMBER 8
#define INODE_BYTES    128
#define INODE_BLOCKS   40
enum {
	MAGIC,
	TYPE = 4,
	BLOCK_SIZE = 12,
	BLOCKS = 16,
	FIRST = 20,
	START = 28,
	INCOMPATIBLE = 40,
	READ_ONLY = 44
};

static uint32_t disk_word(off_t at)
{
	uint32_t word;

	CHECK_EQ(pread(disk, &word, sizeof(word), at), sizeof(word));
	return word;
}

/* Where the inode of the journal is, and its superblock. */
static off_t journal_inode(void)
{
	return (off_t)disk_word(2048 + 8) * 1024 + (JOURNAL_NUMBER - 1) * INODE_BYTES;
}

static off_t journal_super(void)
{
	return (off_t)disk_word(journal_inode() + INODE_BLOCKS) * 1024;
}

/*
 * With another word at a place of the disk, it cannot be mounted for writing, and with the old one
 * it can.
 */
static void cannot_be(off_t at, uint32_t word)
{
	uint32_t old = disk_word(at);

	CHECK_EQ(pwrite(disk, &word, sizeof(word), at), sizeof(word));
	CHECK_EQ(fsync(disk) | ioctl(disk, BLKFLSBUF, 0), 0);
	if (mount(disk_path, MNT, "ext3", 0, NULL) == 0)
		test_fail(__FILE__, __LINE__, "it is mounted with %#x at %lld", word,
			  (long long)at);
	CHECK_EQ(pwrite(disk, &old, sizeof(old), at), sizeof(old));
	CHECK_EQ(fsync(disk) | ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(mount(disk_path, MNT, "ext3", 0, NULL), 0);
	unmount();
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
}

TEST(bad_journal, 60,
     "a file system whose journal is damaged, too small or not known is not mounted")
{
	off_t super;

	put_image(JOURNAL);
	super = journal_super();
	cannot_be(JOURNAL_INODE, 11); /* a folder */
	cannot_be(JOURNAL_INODE, 40); /* not in use */
	cannot_be(journal_inode() + INODE_BLOCKS, 0);
	cannot_be(super + MAGIC, 0);
	cannot_be(super + TYPE, htonl(5));
	cannot_be(super + BLOCK_SIZE, htonl(4096));
	cannot_be(super + BLOCKS, htonl(200));
	cannot_be(super + BLOCKS, htonl(100000));
	cannot_be(super + FIRST, 0);
	cannot_be(super + INCOMPATIBLE, htonl(0x8000));
	cannot_be(super + READ_ONLY, htonl(1));
}

BEYOND_TEST(old_journal, 60, "a journal that cannot revoke is refused",
	    "Linux writes to journals of the first version, too")
{
	put_image(JOURNAL);
	cannot_be(journal_super() + TYPE, htonl(3));
}

/* A transaction in the log with a copy of a block that the disk does not have. */
TEST(bad_log, 30, "a journal that names a block behind the end of the disk is not replayed")
{
	uint32_t descriptor[256] = { htonl(0xc03b3998), htonl(1), 0, htonl(0x7fffffff), htonl(8) };
	uint32_t commit[256] = { htonl(0xc03b3998), htonl(2), 0 }, word;
	off_t super;

	put_image(JOURNAL);
	super = journal_super();
	descriptor[2] = commit[2] = disk_word(super + 24);
	CHECK_EQ(disk_word(super + START), 0);
	word = htonl(1);
	CHECK_EQ(pwrite(disk, &word, 4, super + START), 4);
	/* The first blocks of the journal follow each other. */
	CHECK_EQ(pwrite(disk, descriptor, 1024, super + 1024), 1024);
	CHECK_EQ(pwrite(disk, commit, 1024, super + 3 * 1024), 1024);
	word = disk_word(1024 + 96) | 4; /* the feature RECOVER */
	CHECK_EQ(pwrite(disk, &word, 4, 1024 + 96), 4);
	CHECK_EQ(fsync(disk) | ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK(mount(disk_path, MNT, "ext3", 0, NULL) < 0);
	CHECK(mount(disk_path, MNT, "ext3", MS_RDONLY, NULL) < 0);
}
