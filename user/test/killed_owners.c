/*
 * A robust lock in a file that is mapped by several processes: its owner is killed while the page
 * with the lock is being written, or has left memory. The next owner must learn of that.
 */
#define _GNU_SOURCE
#include "background.h"
#include "gate.h"
#include <stddef.h>

#define FUTEX_WAIT	 0
#define FUTEX_WAITERS	 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u

static struct shared {
	struct {
		void *next;
		long offset;
		void *pending;
	} head; /* of the owner's list */
	void *link;
	volatile uint32_t word;
} * shared;

static int file;

static void begin(void)
{
	gate_mount_image("/test/data/blank-4k");
	CHECK_EQ(umount("/mnt"), 0);
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", 0, NULL), 0);
	file = open("/mnt/lock", O_RDWR | O_CREAT, 0600);
	CHECK(file >= 0);
	CHECK_EQ(ftruncate(file, 4096), 0);
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(shared != MAP_FAILED);
	shared->head.next = &shared->link;
	shared->head.offset = offsetof(struct shared, word) - offsetof(struct shared, link);
	shared->head.pending = NULL;
	shared->link = &shared->head;
	shared->word = 0;
}

static void end(void)
{
	CHECK_EQ(munmap(shared, 4096), 0);
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

static void own(void)
{
	CHECK_EQ(syscall(SYS_set_robust_list, &shared->head, sizeof(shared->head)), 0);
	shared->word = getpid() | FUTEX_WAITERS;
	pause();
}

static void wait_for_it(void)
{
	uint32_t word = shared->word;

	CHECK_EQ(syscall(SYS_futex, &shared->word, FUTEX_WAIT, word, NULL, NULL, 0), 0);
	CHECK_EQ(shared->word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
}

/* A child owns the lock, and another one waits for it. The function is called before the kill. */
static void kill_owner(void (*before)(void))
{
	pid_t owner, waiter;

	owner = asleep_in_background(own);
	waiter = asleep_in_background(wait_for_it);
	before();
	CHECK_EQ(kill(owner, SIGKILL), 0);
	test_sleep_ms(50);
	gate_control("open");
	CHECK_EQ(test_wait(owner), 128 + SIGKILL);
	CHECK_EQ(shared->word, FUTEX_OWNER_DIED | FUTEX_WAITERS);
	CHECK_EQ(test_wait(waiter), 0);
}

static void write_page(void)
{
	gate_control("close");
	CHECK_EQ(sync_file_range(file, 0, 4096, SYNC_FILE_RANGE_WRITE), 0);
}

static void drop_page(void)
{
	CHECK_EQ(fsync(file), 0);
	CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	gate_control("close");
}

BEYOND_TEST(written, 20, "the owner of a robust lock is killed while the lock's page is written",
	    NO_GATE)
{
	begin();
	kill_owner(write_page);
	end();
}

BEYOND_TEST(read, 20, "the same when the page must be read again", NO_GATE)
{
	begin();
	kill_owner(drop_page);
	end();
}
