/*
 * A task that has started to write pages of a file back is killed, or finds no memory, before the
 * disk has got its request: where a page is on the disk must be read first. The pages are dirty
 * again then, and nobody else may take them for written.
 */
#define _GNU_SOURCE
#include "background.h"
#include "gate.h"
#include "text_files.h"

#define AT    (12 * 4096) /* of the first page whose block an indirect block names */
#define NEW   (SEED + 1)
#define KIB64 65536

static int file;

static void mount_it(void)
{
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", 0, NULL), 0);
	file = open("/mnt/file", O_RDWR | O_CREAT, 0600);
	CHECK(file >= 0);
}

static void unmount(void)
{
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

/*
 * The file has a page that is dirty, and whose indirect block is not in memory. What a commit needs
 * is there: another inode is beside the file's.
 */
static void begin(void)
{
	gate_mount_image("/test/data/blank-4k");
	CHECK_EQ(umount("/mnt"), 0);
	mount_it();
	test_fill(data, KIB64, SEED, 0);
	CHECK_EQ(pwrite(file, data, KIB64, 0), KIB64);
	CHECK_EQ(mknod("/mnt/other", S_IFREG | 0600, 0), 0);
	unmount();
	mount_it();
	test_fill(data, 4096, NEW, AT);
	CHECK_EQ(pwrite(file, data, 4096, AT), 4096);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	drop_caches("1");
	CHECK_EQ(access("/mnt/other", F_OK), 0);
}

/* The page has reached the disk. */
static void end(void)
{
	gate_control("open");
	unmount();
	mount_it();
	CHECK_EQ(pread(file, back, 4096, AT), 4096);
	CHECK_EQ(test_differs(back, 4096, NEW, AT), 4096);
	unmount();
}

static void write_back(void)
{
	CHECK_EQ(sync_file_range(file, AT, 4096, SYNC_FILE_RANGE_WRITE), 0);
}

static void sync_it(void)
{
	CHECK_EQ(fsync(file), 0);
}

static void sync_range(void)
{
	CHECK_EQ(sync_file_range(file, AT, 4096,
				 SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
					 SYNC_FILE_RANGE_WAIT_AFTER),
		 0);
}

/* A child writes the page back and is killed, while another one waits until it is written. */
static void kill_writer(void (*sync)(void))
{
	pid_t writer, syncer;

	gate_control("close");
	writer = in_background(write_back);
	await_at_gate(0);
	syncer = in_background(sync);
	test_sleep_ms(100);
	CHECK_EQ(kill(writer, SIGKILL), 0);
	CHECK_EQ(test_wait(writer), 128 + SIGKILL);
	gate_control("open");
	CHECK_EQ(test_wait(syncer), 0);
}

BEYOND_TEST(fsync, 20, "a task that writes a page back is killed while fsync waits for the page",
	    NO_GATE)
{
	begin();
	kill_writer(sync_it);
	end();
}

BEYOND_TEST(range, 20, "the same with sync_file_range", NO_GATE)
{
	sync(); /* the root's pages count, too */
	begin();
	kill_writer(sync_range);
	CHECK_EQ(value_of("/proc/meminfo", "Dirty:"), 0);
	end();
}

BEYOND_TEST(commit, 20, "the same while a commit waits for the page, and then the file is closed",
	    NO_GATE)
{
	begin();
	kill_writer(sync);
	end();
}
