/*
 * Several processes fill the smallest journal at once: they make, write, rename and delete files,
 * and wait for each commit. With EXT2_DISK=DISK in the environment they do so there, perhaps for
 * EXT2_MS=MS milliseconds, and tests/guest-tool/ext2 lets e2fsck judge it.
 */
#include "ext2.h"

#define WRITERS 4
#define SLOTS	6
#define MOST	12000 /* bytes of a file */
#define MS	2500

/*
 * What each writer has promised: the number of the round in which a file was written last, or 0 if
 * it is deleted.
 */
static unsigned int (*rounds)[SLOTS];

static const char *path_of(int writer, const char *format, int slot)
{
	static char path[64];
	int n = snprintf(path, sizeof(path), MNT "/writer-%d/", writer);

	snprintf(path + n, sizeof(path) - n, format, slot);
	return path;
}

static size_t size_in(unsigned int round)
{
	return 1 + round * 7919 % MOST;
}

static unsigned int seed_in(int writer, unsigned int round)
{
	return round * WRITERS + writer;
}

/* Make a file under another name, wait until it lasts, and give it the name of the old one. */
static void replace(int writer, int slot, unsigned int round)
{
	char new[64];
	int fd;

	strcpy(new, path_of(writer, "new", 0));
	fd = make_file(new, size_in(round), seed_in(writer, round));
	CHECK_EQ(fsync(fd), 0);
	close(fd);
	CHECK_EQ(rename(new, path_of(writer, "file-%d", slot)), 0);
	rounds[writer][slot] = round;
}

static void remove_it(int writer, int slot)
{
	if (rounds[writer][slot] > 0)
		CHECK_EQ(unlink(path_of(writer, "file-%d", slot)), 0);
	rounds[writer][slot] = 0;
}

/* Folders come and go, so that their blocks become blocks of files, and have to be revoked. */
static void change_folders(int writer, int slot)
{
	int fd;

	if (mkdir(path_of(writer, "folder-%d", slot), 0700) == 0)
		return;
	CHECK_EQ(rmdir(path_of(writer, "folder-%d", slot)), 0);
	fd = open(path_of(writer, ".", 0), O_RDONLY);
	CHECK_EQ(fsync(fd), 0);
	close(fd);
}

static void write_until(int writer, long long end)
{
	CHECK_EQ(mkdir(path_of(writer, "", 0), 0700), 0);
	for (unsigned int round = 1; test_ms() < end; round++) {
		int slot = round * 5 / 2 % SLOTS;

		if (round % 5 == 4)
			remove_it(writer, slot);
		else
			replace(writer, slot, round);
		if (round % 3 == 0)
			change_folders(writer, slot);
	}
}

static void all_is_there(void)
{
	struct stat st;

	for (int writer = 0; writer < WRITERS; writer++)
		for (int slot = 0; slot < SLOTS; slot++) {
			const char *path = path_of(writer, "file-%d", slot);
			unsigned int round = rounds[writer][slot];

			if (round > 0)
				is_file(path, size_in(round), seed_in(writer, round));
			else
				CHECK_ERR(lstat(path, &st), ENOENT);
		}
}

TEST(together, 60, "several writers fill the journal at once, and all they have written lasts")
{
	const char *ms = getenv("EXT2_MS");
	long long end;

	rounds = mmap(NULL, sizeof(*rounds) * WRITERS, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(rounds != MAP_FAILED);
	put_image("journal-1k");
	CHECK_EQ(mount(disk_path, MNT, "ext3", 0, NULL), 0);
	end = test_ms() + (ms ? atoi(ms) : MS);
	for (int writer = 0; writer < WRITERS; writer++)
		if (fork() == 0) {
			write_until(writer, end);
			_exit(0);
		}
	for (int writer = 0; writer < WRITERS; writer++)
		CHECK_EQ(test_wait(-1), 0);
	all_is_there();
	unmount();
	CHECK_EQ(mount(disk_path, MNT, "ext3", 0, NULL), 0);
	all_is_there();
	unmount();
}
