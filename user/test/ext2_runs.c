/*
 * ext2 writes pages back together: pages whose blocks are neighbours on the disk go in one request,
 * and changes that nobody waits for go with a later commit.
 */
#include "ext2.h"

#define SEED 41
#define PAGE 4096
#define NR   256 /* pages of the file: 1 MiB */
#define FEW  60	 /* requests for all of them, and for what is stored with them */

/*
 * The write requests that the disk has ended, by /proc/diskstats: a line has the name, four numbers
 * of reads, and then they come.
 */
static unsigned long requests(void)
{
	FILE *file = fopen("/proc/diskstats", "r");
	char line[256], name[32];
	unsigned long writes = 0, n;
	int found = 0;

	CHECK(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*u %*u %31s %*u %*u %*u %*u %lu", name, &n) == 2 &&
		    !strcmp(name, strrchr(disk_path, '/') + 1)) {
			writes = n;
			found++;
		}
	fclose(file);
	CHECK_EQ(found, 1);
	return writes;
}

static void write_in_a_row(int block)
{
	unsigned long before = requests();
	int fd = make_file(MNT "/row", NR * PAGE, SEED);

	CHECK_EQ(fsync(fd), 0);
	if (requests() - before > FEW)
		test_fail(__FILE__, __LINE__, "%lu requests for %d pages", requests() - before, NR);
	close(fd);
}

static void row_is_there(int block)
{
	is_file(MNT "/row", NR * PAGE, SEED);
}

TEST(row, 60, "pages that are neighbours in the file and on the disk are written in one request")
{
	on_all_sizes(write_in_a_row, row_is_there);
}

/*
 * Where the blocks of neighbouring pages are far apart, and where only some pages of a row are
 * dirty, each page still gets to its own place.
 */
static void write_mixed(int block)
{
	int one = open(MNT "/one", O_RDWR | O_CREAT | O_EXCL, 0644), two;

	CHECK(one >= 0);
	two = open(MNT "/two", O_RDWR | O_CREAT | O_EXCL, 0644);
	CHECK(two >= 0);
	for (off_t at = 0, n; at < 100 * PAGE; at += n) {
		n = at % 3 ? block : 2 * block; /* so that the files alternate on the disk */
		test_fill(buf, n, SEED, at);
		CHECK_EQ(pwrite(one, buf, n, at), n);
		test_fill(buf, n, SEED + 1, at);
		CHECK_EQ(pwrite(two, buf, n, at), n);
	}
	CHECK_EQ(fsync(one) | fsync(two), 0);
	for (off_t at = 7 * PAGE; at < 100 * PAGE; at += (at / PAGE % 5 + 1) * PAGE) {
		test_fill(buf, PAGE, SEED + 2, at);
		CHECK_EQ(pwrite(one, buf, PAGE, at), PAGE);
	}
	CHECK_EQ(ftruncate(one, 100 * PAGE), 0);
	close(one);
	close(two);
}

static void mixed_is_there(int block)
{
	int one = open(MNT "/one", O_RDONLY), two = open(MNT "/two", O_RDONLY);
	off_t changed = 7 * PAGE;

	CHECK(one >= 0 && two >= 0);
	has_bytes(two, 0, 100 * PAGE, SEED + 1);
	for (off_t at = 0; at < 100 * PAGE; at += PAGE) {
		has_bytes(one, at, PAGE, at == changed ? SEED + 2 : SEED);
		if (at == changed)
			changed += (changed / PAGE % 5 + 1) * PAGE;
	}
	close(one);
	close(two);
}

TEST(mixed, 60,
     "files that alternate on the disk, of which some pages are dirty, keep their bytes apart")
{
	on_all_sizes(write_mixed, mixed_is_there);
}

/*
 * One file is synced, while another one changes all the time. With EXT2_DISK=DISK in the
 * environment this happens there, where a commit takes its time.
 */
static void change_and_sync(int block)
{
	int changed = make_file(MNT "/changed", block, SEED);
	int synced = make_file(MNT "/synced", block, SEED);
	pid_t writer = fork();
	unsigned long before;

	if (writer == 0)
		for (int i = 0;; i++)
			CHECK_EQ(fchmod(changed, i % 2 ? 0600 : 0644), 0);
	usleep(20000);
	CHECK_EQ(fsync(synced), 0);
	before = requests();
	usleep(500000);
	CHECK_EQ(kill(writer, SIGKILL), 0);
	CHECK_EQ(waitpid(writer, NULL, 0), writer);
	if (requests() - before > FEW)
		test_fail(__FILE__, __LINE__, "%lu requests after a sync", requests() - before);
	close(changed);
	close(synced);
}

TEST(synced, 30, "a sync of one file starts no commits of another one that goes on changing")
{
	on_all_sizes(change_and_sync, NULL);
}
