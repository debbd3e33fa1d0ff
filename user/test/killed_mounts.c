/*
 * A task that mounts a file system for writing frees the files without names that a crash has left.
 * If it is killed meanwhile, the file system must lose nothing by that.
 */
#include "background.h"
#include "gate.h"
#include "text_files.h"

/* undone.h has a buffer of this name for its own files. */
#define back undone_back
#undef SEED
#include "undone.h"
#undef back
#include <sys/statfs.h>

#define FILES	    3
#define BETWEEN	    32		/* other files, so that no two of the inodes share a block */
#define FILE_SIZE   65536	/* so each has an indirect block, too */
#define STATE_AT    (1024 + 58) /* of the superblock's state; 1: clean */
#define IMAGE_MAX   (4 * MIB)
#define ALLOCATIONS 20 /* more than unmounting needs */

static char *crashed; /* the bytes of the disk */
static size_t size;
static struct statfs whole;

static void mount_for_writing(void)
{
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", 0, NULL), 0);
}

/*
 * Keep the bytes that the disk has when files without names are open, and the figures of the file
 * system after they have gone.
 */
static void crash(const char *image)
{
	int files[FILES];
	char name[16];

	gate_mount_image(image);
	CHECK_EQ(umount("/mnt"), 0);
	size = lseek(gate, 0, SEEK_CUR);
	CHECK(size <= IMAGE_MAX);
	crashed = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(crashed != MAP_FAILED);
	mount_for_writing();
	for (int i = 0; i < FILES; i++) {
		for (int j = 0; j < BETWEEN; j++) {
			snprintf(name, sizeof(name), "/mnt/%d-%d", i, j);
			CHECK_EQ(mknod(name, S_IFREG | 0600, 0), 0);
		}
		snprintf(name, sizeof(name), "/mnt/%d", i);
		files[i] = open(name, O_RDWR | O_CREAT, 0600);
		CHECK(files[i] >= 0);
		CHECK_EQ(pwrite(files[i], data, FILE_SIZE, 0), FILE_SIZE);
		CHECK_EQ(unlink(name), 0);
	}
	CHECK_EQ(syncfs(files[0]), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(gate, crashed, size, 0), size);
	for (int i = 0; i < FILES; i++)
		close(files[i]);
	sync(); /* blocks are free after a commit */
	CHECK_EQ(statfs("/mnt", &whole), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

/* Kill a child that calls the function when it waits for request n. Returns whether it waits. */
static int kill_child_at(int n, void (*function)(void))
{
	char command[16];
	pid_t child;
	int held;

	snprintf(command, sizeof(command), "pass %d", n);
	gate_control("close");
	gate_control(command);
	child = in_background(function);
	while (!(held = held_at_gate() > 0) && state_of(child) != 'Z')
		test_sleep_ms(1);
	CHECK_EQ(kill(child, SIGKILL), 0);
	test_sleep_ms(5); /* so that it may find that out before the request ends */
	gate_control("open");
	CHECK_EQ(test_wait(child), held ? 128 + SIGKILL : 0);
	return held;
}

/* If the child has mounted it, it is used like any other file system. */
static void use(void)
{
	int file = open("/mnt/used", O_RDWR | O_CREAT, 0600);

	if (file < 0)
		return;
	CHECK_EQ(unlink("/mnt/used"), 0);
	CHECK_EQ(close(file), 0);
}

static void nothing_is_lost(int n)
{
	struct statfs now;

	use();
	umount("/mnt");
	mount_for_writing();
	CHECK_EQ(statfs("/mnt", &now), 0);
	if (now.f_bfree != whole.f_bfree || now.f_ffree != whole.f_ffree)
		test_fail(__FILE__, __LINE__, "at request %d: %d blocks, %d files lost", n,
			  (int)(whole.f_bfree - now.f_bfree), (int)(whole.f_ffree - now.f_ffree));
	CHECK_EQ(umount("/mnt"), 0);
}

static int kill_mount_at(int n)
{
	CHECK_EQ(pwrite(gate, crashed, size, 0), size);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	return kill_child_at(n, mount_for_writing);
}

static void kill_everywhere(const char *image)
{
	int n = 0;

	crash(image);
	while (kill_mount_at(n))
		nothing_is_lost(n++);
	CHECK(n > 5);
	nothing_is_lost(n);
}

BEYOND_TEST(mounting, 60, "a task is killed at any moment while it mounts after a crash", NO_GATE)
{
	kill_everywhere("/test/data/blank-4k");
}

BEYOND_TEST(replaying, 60, "the same with a journal", NO_GATE)
{
	kill_everywhere("/test/data/journal-1k");
}

static void unmount_it(void)
{
	CHECK_EQ(umount("/mnt"), 0);
}

static void mount_cold(void)
{
	mount_for_writing();
	use();
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	drop_caches("1");
}

/* Whoever has unmounted it, the file system is clean. */
static void is_clean(int n)
{
	unsigned short state;

	umount("/mnt");
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(gate, &state, sizeof(state), STATE_AT), sizeof(state));
	if (state != 1)
		test_fail(__FILE__, __LINE__, "at %d: state %d", n, state);
}

BEYOND_TEST(unmounting, 60, "a task is killed at any moment while it unmounts", NO_GATE)
{
	int n = 0;

	gate_mount_image("/test/data/blank-4k");
	CHECK_EQ(umount("/mnt"), 0);
	mount_cold();
	while (kill_child_at(n, unmount_it)) {
		is_clean(n++);
		mount_cold();
	}
	is_clean(n);
	CHECK(n > 3);
}

BEYOND_TEST(unmounting_without_memory, 60, "a task finds no memory at any moment while it unmounts",
	    NO_NTH)
{
	gate_mount_image("/test/data/blank-4k");
	CHECK_EQ(umount("/mnt"), 0);
	for (int n = 1; n < ALLOCATIONS; n++) {
		mount_cold();
		set_nth(n);
		(void)umount("/mnt");
		set_nth(0);
		is_clean(n);
	}
}

BEYOND_TEST(mounting_clean, 60, "a task is killed while it mounts, and the mount fails", NO_GATE)
{
	int n = 0;

	gate_mount_image("/test/data/blank-4k");
	CHECK_EQ(umount("/mnt"), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	while (kill_child_at(n, mount_for_writing))
		is_clean(n++);
	is_clean(n);
	CHECK(n > 3);
}
