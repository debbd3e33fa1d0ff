/*
 * Commits of ext2 against files that change: fs/ext2/sync.c and commit.c, and how long commits keep
 * an inode.
 */
#include "fs/cache/writeback.h"
#include "mm/kmap.h"
#include "small_ext2.h"

#define BYTE 7u /* what a file gets */

static struct inode inode, other;
static struct ext2_inode own, own_of_other;

/* ---- files without bytes ---- */

/* A file has changed, and somebody wants a commit. */
static void file_has_changed(void)
{
	small_make_file(&inode, &own, SMALL_A);
	small_mounted();
	ext2_touched(&inode);
	small_fs.wanted = small_fs.running->id;
}

/* More blocks change than a transaction takes that inodes join. */
static void fill_transaction(void)
{
	unsigned char byte = 1;

	must(ext2_begin(&small_fs) == 0);
	for (unsigned int block = SMALL_B + 1; block < SMALL_BLOCKS; block++)
		must(ext2_edit(&small_fs, block, 0, &byte, 1) == 0);
	must(ext2_end(&small_fs, 0) == 0);
}

/*
 * The same with another file, and the journal is so small that a transaction has room for one of
 * them.
 */
static void journal_is_small(void)
{
	small_make_file(&inode, &own, SMALL_A);
	small_make_file(&other, &own_of_other, SMALL_B);
	small_mounted();
	ext2_touched(&other);
	for (unsigned int block = SMALL_B + 1; block < SMALL_BLOCKS; block++)
		small_add_block(block);
	small_open_log(7);
	fill_transaction();
	small_fs.wanted = small_fs.running->id;
}

/* Nothing is committed that nobody waits for, before its time has come. */
static void none_is_unwanted(void)
{
	must((int32_t)(small_fs.committed - small_fs.wanted) <= 0);
}

/* Make the file larger, as write(2) does, wait until that lasts, and end the task that commits. */
static void write_and_sync(int size)
{
	inode_set_size(&inode, size);
	ext2_touched(&inode);
	none_is_unwanted();
	must(ext2_fsync(&inode) == 0);
	must(small_lasting(SMALL_A) == size);
	must(ext2_commit_stop(&small_fs) == 0);
}

/*
 * Make the file larger, and wait until a sync has stored it, or the file system has settled. Then
 * nothing else keeps it in memory.
 */
static void write_and_settle(int settle)
{
	inode_set_size(&inode, 2);
	ext2_touched(&inode);
	if (settle)
		ext2_settle(&small_super);
	else
		must(ext2_sync(&small_super) == 0);
	must(small_lasting(SMALL_A) == 2 && atomic_read(&inode.refs) == 1);
	must(ext2_commit_stop(&small_fs) == 0);
}

/* Make the file larger after a sync, and end the task that commits: this stores it as well. */
static void sync_and_write(int unused)
{
	must(ext2_sync(&small_super) == 0);
	inode_set_size(&inode, 2);
	ext2_touched(&inode);
	must(ext2_commit_stop(&small_fs) == 0);
	must(small_lasting(SMALL_A) == 2);
}

/* The same with a transaction that somebody is promised, while the last commit goes on. */
static void wait_and_write(int unused)
{
	must(ext2_commit_wait(&small_fs, small_fs.wanted) == 0);
	inode_set_size(&inode, 2);
	ext2_touched(&inode);
	must(ext2_commit_stop(&small_fs) == 0);
	must(small_lasting(SMALL_A) == 2);
}

/* A sync of somebody else's. */
static void only_sync(int unused)
{
	must(ext2_sync(&small_super) == 0);
	must(small_lasting(SMALL_A) > 0);
}

static void size_lasts(void)
{
	small_is_idle();
	must(small_stored[SMALL_A] == 2 && atomic_read(&inode.refs) == 1);
}

SCENARIO(ext2_fsync,
	 "a file grows while a commit stores it, and fsync waits until the new size lasts",
	 file_has_changed, size_lasts, { "task", small_task, 0 }, { "writer", write_and_sync, 2 });

SCENARIO(ext2_full, "the same, and the transaction has no room for the file any more",
	 journal_is_small, size_lasts, { "task", small_task, 0 }, { "writer", write_and_sync, 2 });

SCENARIO(ext2_sync, "a file grows, and after a sync no commit keeps it in memory any more",
	 file_has_changed, size_lasts, { "task", small_task, 0 },
	 { "writer", write_and_settle, 0 });

SCENARIO(ext2_settle, "the same, and the writer waits until the file system has settled",
	 file_has_changed, size_lasts, { "task", small_task, 0 },
	 { "writer", write_and_settle, 1 });

SCENARIO(ext2_sync_stop, "a file changes after a sync, and the task ends, which stores it",
	 file_has_changed, size_lasts, { "task", small_task, 0 }, { "writer", sync_and_write, 0 });

SCENARIO(ext2_wait_stop, "a file changes after a commit, and the task ends, which stores it",
	 file_has_changed, size_lasts, { "task", small_task, 0 }, { "writer", wait_and_write, 0 });

SCENARIO(ext2_two_syncs, "two syncs of a file that changes, and the end of the task",
	 file_has_changed, size_lasts, { "task", small_task, 0 }, { "writer", write_and_settle, 0 },
	 { "other", only_sync, 0 });

/* ---- a file with bytes ---- */

static struct wait_queue bytes_queue;
static spinlock_t bytes_lock;
static struct page *in_flight;	  /* guarded by bytes_lock */
static unsigned int failing;	  /* so many writes fail */
static unsigned char stored_byte; /* on the disk */

static int write_bytes(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	must(nr == 1);
	spin_lock(&bytes_lock);
	must(!in_flight);
	in_flight = pages[0];
	spin_unlock(&bytes_lock);
	wake_all(&bytes_queue);
	return 0;
}

static int begin_write(struct mapping *mapping, struct page *page, unsigned int from,
		       unsigned int to)
{
	ext2_touched(mapping->inode);
	return 0;
}

static const struct mapping_ops bytes_ops = {
	.begin_write = begin_write,
	.write_pages = write_bytes,
	.has_store = true,
};

static struct page *take_page(void)
{
	struct page *page;

	spin_lock(&bytes_lock);
	page = in_flight;
	in_flight = NULL;
	spin_unlock(&bytes_lock);
	return page;
}

static void serve_bytes(int n)
{
	struct page *page;

	while (n-- > 0) {
		bool fails = failing > 0;

		wait_event(&bytes_queue, (page = take_page()) != NULL);
		failing -= fails;
		if (!fails)
			stored_byte = *(unsigned char *)page_address_low(page);
		page_write_done(page, fails ? -EIO : 0);
	}
}

static void store_byte(void)
{
	struct page *page = page_begin_write(&inode.mapping, 0, 0, PAGE_SIZE);

	must(!IS_ERR(page));
	*(unsigned char *)page_address_low(page) = BYTE;
	page_end_write(page);
}

static void store_and_sync(int expected)
{
	store_byte();
	must(ext2_fsync(&inode) == expected);
	must(stored_byte == BYTE);
	must(ext2_commit_stop(&small_fs) == 0);
}

static void file_has_page(void)
{
	bool fresh;
	struct page *page;

	small_make_file(&inode, &own, SMALL_A);
	mapping_init(&inode.mapping, &inode, &bytes_ops);
	wait_queue_init(&bytes_queue, "bytes");
	spin_init(&bytes_lock, "bytes");
	page = mapping_find_or_add(&inode.mapping, 0, &fresh);
	must(!IS_ERR(page) && fresh);
	page_unlock(page);
	page_put(page);
}

/* The commit block comes after the bytes of the file. */
ONE_STEP static void byte_is_stored(void)
{
	must(stored_byte == BYTE);
}

static void write_fails_once(void)
{
	file_has_page();
	small_log_is_open();
	small_crashes = false;
	small_at_commit_block = byte_is_stored;
	failing = 1;
}

/* Somebody else wants a commit, while the file changes. */
static void file_changes_now(void)
{
	file_has_page();
	small_mounted();
	ext2_touched(&inode);
	small_fs.wanted = small_fs.running->id;
}

static void byte_lasts(void)
{
	must(!small_fs.error && stored_byte == BYTE && atomic_read(&inode.refs) == 1);
	small_is_idle();
}

SCENARIO(ext2_bytes, "bytes of a file cannot be written at first, and the commit block waits",
	 write_fails_once, byte_lasts, { "task", small_task, 0 },
	 { "writer", store_and_sync, -EIO }, { "disk", serve_bytes, 2 });

SCENARIO(ext2_bytes_late, "a file gets a byte while a commit stores it, and is synced",
	 file_changes_now, byte_lasts, { "task", small_task, 0 }, { "writer", store_and_sync, 0 },
	 { "disk", serve_bytes, 1 });
