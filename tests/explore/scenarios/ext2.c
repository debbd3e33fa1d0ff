/*
 * Commits of ext2 against operations: fs/ext2/metadata.c, commit.c and journal.c, with a disk that
 * writes at once. Each operation gives two blocks the same byte, and the numbers of operations
 * grow. With a journal, the two are equal after each write when the log has been replayed, as a
 * mount after a crash would do it.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/blocks.h"
#include "fs/ext2/journal.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "shim.h"

#define SUPER  1u /* the block of the superblock */
#define A      10u
#define B      12u
#define BLOCKS 16u /* those behind them are the journal's, and the first one is its superblock */
#define UNDONE 99  /* never lasts */
#define BYTE   7u  /* what a file gets */

static struct ext2_fs fs;
static struct super_block super;
static unsigned char stored[BLOCKS]; /* the first byte of each block on the disk */
static struct inode inode, other;
static struct ext2_inode own, own_of_other;

/* ---- the log on the disk ---- */

#define LOG_BLOCKS 13u /* of the largest log, and its superblock */
#define NAMED_MAX  4u

static struct log_block {
	uint32_t type, sequence; /* type 0: a copy */
	unsigned int nr_named;
	uint32_t named[NAMED_MAX]; /* by a descriptor */
	unsigned char byte;	   /* the first one */
} log_on_disk[LOG_BLOCKS];
static uint32_t log_start, log_sequence;
static bool crashes;		  /* after each write, it is as if there were a crash */
static bool ordered;		  /* the commit block comes after the bytes of the file */
static unsigned char stored_byte; /* of the file, on the disk */

ONE_STEP static void write_log_block(unsigned int block, const void *bytes)
{
	const struct journal_header *header = bytes;
	const struct journal_super *super = bytes;
	const struct journal_tag *tag = (const void *)(header + 1);
	struct log_block *to = &log_on_disk[block];

	ex_changes(&log_start, sizeof(log_start));
	ex_changes(&log_sequence, sizeof(log_sequence));
	ex_changes(to, sizeof(*to));
	if (block == 0) {
		log_start = big_endian(super->start);
		log_sequence = big_endian(super->sequence);
		return;
	}
	to->type = header->magic == big_endian(JOURNAL_MAGIC) ? big_endian(header->type) : 0;
	must(to->type != JOURNAL_COMMIT || !ordered || stored_byte == BYTE);
	to->sequence = big_endian(header->sequence);
	to->byte = *(const unsigned char *)bytes;
	to->nr_named = 0;
	while (to->type == JOURNAL_DESCRIPTOR && to->nr_named < NAMED_MAX) {
		bool last = big_endian(tag->flags) & JOURNAL_LAST;

		to->named[to->nr_named] = big_endian(tag->block);
		tag = (const void *)(tag + 1) + (to->nr_named == 0 ? JOURNAL_UUID_SIZE : 0);
		to->nr_named++;
		if (last)
			break;
	}
}

ONE_STEP static uint32_t next_in_log(uint32_t at)
{
	return at + 1 == fs.log.blocks ? fs.log.first : at + 1;
}

/*
 * Replay the transaction at a block of the log. Returns where the next one begins, or 0 if it is
 * not complete.
 */
ONE_STEP static uint32_t replay_one(uint32_t at, uint32_t sequence, unsigned char *bytes)
{
	unsigned char copies[BLOCKS];

	for (unsigned int i = 0; i < BLOCKS; i++)
		copies[i] = bytes[i];
	for (;;) {
		const struct log_block *block = &log_on_disk[at];

		if (block->type == 0 || block->sequence != sequence)
			return 0;
		at = next_in_log(at);
		if (block->type == JOURNAL_COMMIT)
			break;
		for (unsigned int i = 0; i < block->nr_named; i++, at = next_in_log(at))
			copies[block->named[i]] = log_on_disk[at].byte;
	}
	for (unsigned int i = 0; i < BLOCKS; i++)
		bytes[i] = copies[i];
	return at;
}

/* What a mount would find in a block after a crash. */
ONE_STEP static unsigned char lasting(unsigned int block)
{
	unsigned char bytes[BLOCKS];
	uint32_t sequence = log_sequence;

	for (unsigned int i = 0; i < BLOCKS; i++)
		bytes[i] = stored[i];
	for (uint32_t at = log_start; at != 0; sequence++)
		at = replay_one(at, sequence, bytes);
	return bytes[block];
}

/*
 * The device reads the page at some time before the request has ended. What it reads is a promise.
 */
static void write_block(unsigned int block, struct page *page)
{
	unsigned char *bytes = page_address_low(page), seen = *bytes;

	must(*bytes == seen);
	if (block == SUPER)
		return;
	if (block >= BLOCKS) {
		write_log_block(block - BLOCKS, bytes);
		return;
	}
	must(seen != UNDONE && seen >= stored[block]);
	stored[block] = seen;
}

static void submit(struct block_device *device, struct bio *bio)
{
	must(bio->write);
	for (unsigned int i = 0; i < bio->nr_segments; i++)
		write_block((bio->sector >> 1) + i, bio->segments[i].page);
	must(!crashes || lasting(A) == lasting(B));
	bio_complete(bio, 0);
}

static const struct block_device_ops device_ops = { .submit = submit }; /* without a cache */
static struct block_device device = { .ops = &device_ops, .sectors = 100 };

/* ---- the file system ---- */

/* A block that has been read. */
static void add_block(unsigned int block)
{
	bool fresh;
	struct page *page = mapping_find_or_add(&fs.metadata->mapping, block, &fresh);

	must(!IS_ERR(page) && fresh);
	page_zero(page, 0, PAGE_SIZE);
	page->flags |= PG_UPTODATE;
	page_unlock(page);
	page_put(page);
}

/* Task number `task` is the one that commits. */
static void mounted(int task)
{
	fs.sb = &super;
	super.private = &fs;
	super.device = &device;
	fs.layout = (struct ext2_layout){
		.block_size = 1024, .block_shift = 10, .first_data_block = SUPER, .blocks = BLOCKS
	};
	mutex_init(&fs.lock, "ext2");
	spin_init(&fs.changed_lock, "ext2 changed");
	list_init(&fs.orphans);
	list_init(&fs.changed);
	list_init(&fs.done);
	wait_queue_init(&fs.task_queue, "ext2 task");
	wait_queue_init(&fs.commit_queue, "ext2 commit");
	must(ext2_metadata_init(&fs) == 0);
	add_block(SUPER);
	add_block(A);
	add_block(B);
	must(ext2_commit_start(&fs) == 0);
	fs.task = &ex_tasks[task];
	fs.writable = true;
	ex_count_memory();
}

static void first_commits(void)
{
	mounted(0);
}

/* The timer has just fired, and finds nothing to commit. */
static void commit_is_due(void)
{
	first_commits();
	fs.due = true;
}

/* A file without bytes of its own. Its size is stored in a block. */
static void make_file(struct inode *inode, struct ext2_inode *own)
{
	inode->sb = &super;
	inode->private = own;
	inode->nr_links = 1;
	inode->size = 1;
	atomic_set(&inode->refs, 1);
	own->inode = inode;
	list_init(&own->changed);
	list_init(&own->committing);
	list_init(&own->orphan);
}

int ext2_store_inode(struct inode *file)
{
	unsigned char size = inode_size(file);

	return ext2_edit(&fs, file == &inode ? A : B, 0, &size, 1);
}

/* A file has changed, and somebody wants a commit. */
static void file_has_changed(void)
{
	make_file(&inode, &own);
	first_commits();
	ext2_touched(&inode);
	fs.wanted = fs.running->id;
}

/* ---- the journal ---- */

static struct inode journal;

int ext2_lookup_block(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first)
{
	must(inode == &journal && block < fs.log.blocks);
	*first = BLOCKS + block;
	return MIN(max, (unsigned int)(fs.log.blocks - block));
}

/* The log has so many blocks. */
static void open_log(unsigned int blocks)
{
	must(blocks < LOG_BLOCKS);
	fs.log.inode = &journal;
	fs.log.first = 1;
	fs.log.blocks = blocks + 1;
	add_block(BLOCKS);
	must(ext2_journal_open(&fs) == 0);
	ex_count_memory();
}

/*
 * A transaction of two blocks takes four in the log. Then more than half of it is used, and a
 * checkpoint follows.
 */
static void first_is_checkpointed(void)
{
	first_commits();
	open_log(12);
	fs.log.used = 3; /* by older transactions, which have been forgotten */
	crashes = true;
}

/* There is room for all transactions. */
static void log_is_open(void)
{
	first_commits();
	open_log(12);
	nr_frames =
		1u
		<< 16; /* otherwise memory would be so short that each commit is followed by a checkpoint */
	crashes = true;
}

/* More blocks change than a transaction takes that inodes join. */
static void fill_transaction(void)
{
	unsigned char byte = 1;

	must(ext2_begin(&fs) == 0);
	for (unsigned int block = B + 1; block < BLOCKS; block++)
		must(ext2_edit(&fs, block, 0, &byte, 1) == 0);
	must(ext2_end(&fs, 0) == 0);
}

/*
 * The same with another file, and the journal is so small that a transaction has room for one of
 * them.
 */
static void journal_is_small(void)
{
	make_file(&inode, &own);
	make_file(&other, &own_of_other);
	first_commits();
	ext2_touched(&other);
	for (unsigned int block = B + 1; block < BLOCKS; block++)
		add_block(block);
	open_log(7);
	fill_transaction();
	fs.wanted = fs.running->id;
}

/* ---- tasks ---- */

/* An operation. Returns the transaction that it belongs to. */
static uint32_t operate(unsigned char byte, int error)
{
	uint32_t id;

	must(ext2_begin(&fs) == 0);
	must(ext2_edit(&fs, A, 0, &byte, 1) == 0);
	must(ext2_edit(&fs, B, 0, &byte, 1) == 0);
	id = fs.running->id;
	must(ext2_end(&fs, error) == error);
	return id;
}

static void operation(int last)
{
	for (int byte = 1; byte <= last; byte++)
		(void)operate(byte, 0);
}

static void operation_and_undone_one(int byte)
{
	(void)operate(byte, 0);
	(void)operate(UNDONE, -ENOSPC);
}

/* Commit so many times, as the file system's task does for itself. */
static void commit(int times)
{
	while (times-- > 0) {
		must(ext2_commit_wait(&fs, 0) == 0);
		must(lasting(A) == lasting(B));
	}
}

static void run_ex_kernel_task(int unused)
{
	ex_kernel_task(&fs);
}

/* An operation that waits for its commit, and then the end. */
static void operate_and_wait(int unused)
{
	uint32_t id = operate(1, 0);

	must(ext2_commit_wait(&fs, id) == 0);
	must(stored[A] == 1 && stored[B] == 1);
	must(ext2_commit_stop(&fs) == 0);
}

/* An operation, then the timer of the task that commits, which is enough, and then the end. */
static void operate_until_due(int unused)
{
	uint32_t id = operate(1, 0);

	ex_tick();
	wait_event(&fs.commit_queue, (int32_t)(fs.committed - id) >= 0);
	must(stored[A] == 1 && stored[B] == 1);
	must(ext2_commit_stop(&fs) == 0);
}

/* Nothing is committed that nobody waits for, before its time has come. */
static void none_is_unwanted(void)
{
	must((int32_t)(fs.committed - fs.wanted) <= 0);
}

/* Make the file larger, as write(2) does, wait until that lasts, and end the task that commits. */
static void write_and_sync(int size)
{
	inode_set_size(&inode, size);
	ext2_touched(&inode);
	none_is_unwanted();
	must(ext2_fsync(&inode) == 0);
	must(lasting(A) == size);
	must(ext2_commit_stop(&fs) == 0);
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
		ext2_settle(&super);
	else
		must(ext2_sync(&super) == 0);
	must(lasting(A) == 2 && atomic_read(&inode.refs) == 1);
	must(ext2_commit_stop(&fs) == 0);
}

/* Make the file larger after a sync, and end the task that commits: this stores it as well. */
static void sync_and_write(int unused)
{
	must(ext2_sync(&super) == 0);
	inode_set_size(&inode, 2);
	ext2_touched(&inode);
	must(ext2_commit_stop(&fs) == 0);
	must(lasting(A) == 2);
}

/* The same with a transaction that somebody is promised, while the last commit goes on. */
static void wait_and_write(int unused)
{
	must(ext2_commit_wait(&fs, fs.wanted) == 0);
	inode_set_size(&inode, 2);
	ext2_touched(&inode);
	must(ext2_commit_stop(&fs) == 0);
	must(lasting(A) == 2);
}

/* A sync of somebody else's. */
static void only_sync(int unused)
{
	must(ext2_sync(&super) == 0);
	must(lasting(A) > 0);
}

/* ---- a file with bytes ---- */

static struct wait_queue bytes_queue;
static spinlock_t bytes_lock;
static struct page *in_flight; /* guarded by bytes_lock */
static unsigned int failing;   /* so many writes fail */

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
	must(ext2_commit_stop(&fs) == 0);
}

static void file_has_page(void)
{
	bool fresh;
	struct page *page;

	make_file(&inode, &own);
	mapping_init(&inode.mapping, &inode, &bytes_ops);
	wait_queue_init(&bytes_queue, "bytes");
	spin_init(&bytes_lock, "bytes");
	page = mapping_find_or_add(&inode.mapping, 0, &fresh);
	must(!IS_ERR(page) && fresh);
	page_unlock(page);
	page_put(page);
}

static void write_fails_once(void)
{
	file_has_page();
	log_is_open();
	crashes = false;
	ordered = true;
	failing = 1;
}

/* Somebody else wants a commit, while the file changes. */
static void file_changes_now(void)
{
	file_has_page();
	first_commits();
	ext2_touched(&inode);
	fs.wanted = fs.running->id;
}

/* ---- what holds in the end ---- */

static unsigned char byte_of(unsigned int block)
{
	unsigned char byte;

	must(ext2_read(&fs, block, 0, &byte, 1) == 0);
	return byte;
}

/* One more commit brings everything to the disk. Nothing is lent any more. */
static void lasts(unsigned char byte)
{
	must(byte_of(A) == byte && byte_of(B) == byte);
	if (!fs.stopped) {
		fs.task = current;
		commit(1);
	}
	must(lasting(A) == byte && lasting(B) == byte);
	if (fs.log.active)
		must(ext2_journal_close(&fs) == 0 && log_start == 0);
	must(stored[A] == byte && stored[B] == byte);
	must(list_empty(&fs.running->blocks) && fs.running->nr_blocks == 0 && !fs.committing);
	ex_must_have_freed();
}

static void one_lasts(void)
{
	lasts(1);
}

static void two_last(void)
{
	lasts(2);
}

SCENARIO(ext2_commit, "a commit lends two blocks that an operation changes", first_commits,
	 one_lasts, { "commit", commit, 1 }, { "operation", operation, 1 });

SCENARIO(ext2_two_commits, "two commits and two operations", first_commits, two_last,
	 { "commit", commit, 2 }, { "operations", operation, 2 });

SCENARIO(ext2_undone, "an operation is undone while another one is committed", first_commits,
	 one_lasts, { "commit", commit, 1 }, { "operations", operation_and_undone_one, 1 });

SCENARIO(ext2_journal,
	 "two operations while a commit goes through the journal, and a checkpoint follows",
	 first_is_checkpointed, two_last, { "commit", commit, 1 }, { "operations", operation, 2 });

SCENARIO(ext2_empty, "a commit that may find nothing to store, and an operation", log_is_open,
	 one_lasts, { "commit", commit, 1 }, { "operation", operation, 1 });

SCENARIO(ext2_checkpoint, "two commits, each with a checkpoint, and two operations",
	 first_is_checkpointed, two_last, { "commit", commit, 2 }, { "operations", operation, 2 });

static void size_lasts(void)
{
	if (fs.log.active)
		must(ext2_journal_close(&fs) == 0);
	must(stored[A] == 2 && atomic_read(&inode.refs) == 1);
	must(list_empty(&fs.running->blocks) && !fs.committing);
	ex_must_have_freed();
}

SCENARIO(ext2_fsync,
	 "a file grows while a commit stores it, and fsync waits until the new size lasts",
	 file_has_changed, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", write_and_sync, 2 });

SCENARIO(ext2_full, "the same, and the transaction has no room for the file any more",
	 journal_is_small, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", write_and_sync, 2 });

SCENARIO(ext2_wait, "an operation waits for its commit, and then the task that commits ends",
	 first_commits, one_lasts, { "task", run_ex_kernel_task, 0 },
	 { "operation", operate_and_wait, 0 });

SCENARIO(ext2_due, "an operation is committed when the timer fires, and nobody asks for it",
	 commit_is_due, one_lasts, { "task", run_ex_kernel_task, 0 },
	 { "operation", operate_until_due, 0 });

SCENARIO(ext2_sync, "the same with a sync, after which no commit keeps the file in memory",
	 file_has_changed, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", write_and_settle, 0 });

SCENARIO(ext2_settle, "the same, and the writer waits until the file system has settled",
	 file_has_changed, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", write_and_settle, 1 });

SCENARIO(ext2_sync_stop, "a file changes after a sync, and the task ends, which stores it",
	 file_has_changed, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", sync_and_write, 0 });

SCENARIO(ext2_wait_stop, "a file changes after a commit, and the task ends, which stores it",
	 file_has_changed, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", wait_and_write, 0 });

SCENARIO(ext2_two_syncs, "two syncs of a file that changes, and the end of the task",
	 file_has_changed, size_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", write_and_settle, 0 }, { "other", only_sync, 0 });

static void byte_lasts(void)
{
	must(!fs.error && stored_byte == BYTE && atomic_read(&inode.refs) == 1);
	if (fs.log.active)
		must(ext2_journal_close(&fs) == 0);
	ex_must_have_freed();
}

SCENARIO(ext2_bytes, "bytes of a file cannot be written at first, and the commit block waits",
	 write_fails_once, byte_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", store_and_sync, -EIO }, { "disk", serve_bytes, 2 });

SCENARIO(ext2_bytes_late, "a file gets a byte while a commit stores it, and is synced",
	 file_changes_now, byte_lasts, { "task", run_ex_kernel_task, 0 },
	 { "writer", store_and_sync, 0 }, { "disk", serve_bytes, 1 });
