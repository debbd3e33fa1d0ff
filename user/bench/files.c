/*
 * What files cost on a disk that keeps them: an ext3 file system with its journal, on /dev/vdb.
 *
 * The work of the tasks that write behind the program is counted, too.
 */
#define _GNU_SOURCE
#include "bench.h"
#include <sys/mount.h>
#include <sys/stat.h>

#define LARGE 65536
#define NAMES 10000

static char buffer[LARGE];
static int file = -1, source = -1, ends[2];

static bool on_disk(void)
{
	need(mount("/dev/vdb", "/mnt", "ext3", 0, NULL) == 0 || errno == EBUSY, "mount");
	return true;
}

static bool file_to_write(void)
{
	on_disk();
	file = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	need(file >= 0, "/mnt/file");
	for (int i = 0; i < 16; i++)
		need(pwrite(file, buffer, 4096, i * 4096) == 4096, "pwrite");
	need(fsync(file) == 0, "fsync");
	return true;
}

static bool source_and_pipe(void)
{
	file_to_write();
	source = open("/mnt/source", O_RDWR | O_CREAT, 0600);
	need(source >= 0 && pwrite(source, buffer, LARGE, 0) == LARGE && fsync(source) == 0,
	     "source");
	need(pipe(ends) == 0, "pipe");
	return true;
}

static void create_and_unlink(void)
{
	int fd = open("/mnt/name", O_RDWR | O_CREAT | O_EXCL, 0600);

	need(fd >= 0 && close(fd) == 0 && unlink("/mnt/name") == 0, "create and unlink");
}

/* The other names lead to one file, because making so many files would take long. */
static bool large_directory(void)
{
	char name[32];

	on_disk();
	need(mkdir("/mnt/large", 0700) == 0 || errno == EEXIST, "mkdir");
	source = open("/mnt/large/file", O_RDWR | O_CREAT, 0600);
	need(source >= 0, "/mnt/large/file");
	for (int i = 0; i < NAMES; i++) {
		sprintf(name, "/mnt/large/%d", i);
		need(link("/mnt/large/file", name) == 0, "link");
	}
	return true;
}

static void create_among_many(void)
{
	int fd = open("/mnt/large/name", O_RDWR | O_CREAT | O_EXCL, 0600);

	need(fd >= 0 && close(fd) == 0 && unlink("/mnt/large/name") == 0, "create and unlink");
}

static void write_and_sync(void)
{
	need(pwrite(file, buffer, 4096, 0) == 4096 && fsync(file) == 0, "pwrite and fsync");
}

static void splice_to_file(void)
{
	loff_t from = 0, to = 0;

	need(splice(source, &from, ends[1], NULL, LARGE, 0) == LARGE, "splice from a file");
	need(splice(ends[0], NULL, file, &to, LARGE, SPLICE_F_MOVE) == LARGE, "splice to a file");
}

static void pipe_to_file(void)
{
	loff_t to = 0;

	need(write(ends[1], buffer, LARGE) == LARGE, "write to a pipe");
	need(splice(ends[0], NULL, file, &to, LARGE, SPLICE_F_MOVE) == LARGE, "splice to a file");
}

static struct row rows[] = {
	{ "create and unlink on ext3", "open with O_CREAT, close, unlink", .reach = 12000,
	  .rounds = 300, .setup = on_disk, .once = create_and_unlink },
	{ "create and unlink among 10,000 names", "the same in a directory with 10,000 other names",
	  .reach = 24000, .rounds = 300, .setup = large_directory, .once = create_among_many },
	{ "4 KiB pwrite and fsync on ext3",
	  "both calls, and the task that commits; not the waiting", .reach = 15000, .rounds = 50,
	  .setup = file_to_write, .once = write_and_sync, .waits = true },
	{ "cached file -> pipe -> ext3 file, 64 KiB", "two splices, over the same 16 pages",
	  .reach = 26000, .rounds = 100, .setup = source_and_pipe, .once = splice_to_file },
	{ "written pipe -> ext3 file, 64 KiB", "write and splice, over the same 16 pages",
	  .reach = 42000, .rounds = 100, .setup = source_and_pipe, .once = pipe_to_file },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
