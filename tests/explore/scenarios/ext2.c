/*
 * Commits of ext2 against operations: fs/ext2/metadata.c and commit.c, with a disk that writes at once and no
 * journal. Each operation gives two blocks the same byte, and the numbers of operations grow.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/blocks.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "shim.h"

#define SUPER  1u /* the block of the superblock */
#define A      10u
#define B      12u
#define BLOCKS 16u
#define UNDONE 99 /* never lasts */

static struct ext2_fs fs;
static struct super_block super;
static const struct block_device_ops device_ops; /* it has no cache of its own */
static struct block_device device = { .ops = &device_ops };
static unsigned char stored[BLOCKS]; /* the first byte of each block on the disk */
static struct inode inode, other;
static struct ext2_inode own, own_of_other;
static void (*commit_task)(void *);

struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg)
{
	commit_task = function;
	return NULL;
}

/* ---- the disk ---- */

struct bio *bio_alloc(struct block_device *device, uint64_t sector, bool write, unsigned int flags)
{
	struct bio *bio = kmalloc(sizeof(*bio), flags);

	must(bio && write);
	bio->sector = sector;
	bio->nr_segments = 0;
	bio->error = 0;
	return bio;
}

bool bio_add(struct bio *bio, struct page *page, unsigned int offset, unsigned int len)
{
	bio->segments[bio->nr_segments++] = (struct bio_segment){ page, offset, len };
	return true;
}

/* The device reads the page at some time before the request has ended. What it reads is a promise. */
static void write_block(unsigned int block, struct page *page)
{
	unsigned char *bytes = page_address_low(page), seen = *bytes;

	must(*bytes == seen);
	if (block == SUPER)
		return;
	must(seen != UNDONE && seen >= stored[block]);
	stored[block] = seen;
}

void bio_submit_all(struct bio **bios, unsigned int nr, struct atomic *left)
{
	for (unsigned int i = 0; i < nr; i++)
		for (unsigned int j = 0; j < bios[i]->nr_segments; j++)
			write_block((bios[i]->sector >> 1) + j, bios[i]->segments[j].page);
}

int bio_wait_all(struct atomic *left)
{
	return 0;
}

void bio_free(struct bio *bio)
{
	kfree(bio);
}

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

/* The same with another file, and the journal is so small that a transaction has room for one of them. */
static void journal_is_small(void)
{
	make_file(&inode, &own);
	make_file(&other, &own_of_other);
	first_commits();
	ext2_touched(&other);
	fs.log.active = true;
	fs.wanted = fs.running->id;
}

unsigned int ext2_journal_room(const struct ext2_fs *fs)
{
	return 0;
}

/* It does not matter here how the blocks get to the disk. */
int ext2_journal_write(struct ext2_fs *fs, struct ext2_transaction *transaction)
{
	struct ext2_block *block;

	list_for_each(block, &transaction->blocks, link)
		write_block(block->page->index, block->page);
	return 0;
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
		must(stored[A] == stored[B]);
	}
}

static void run_commit_task(int unused)
{
	commit_task(&fs);
}

/* An operation that waits for its commit, and then the end. */
static void operate_and_wait(int unused)
{
	uint32_t id = operate(1, 0);

	must(ext2_commit_wait(&fs, id) == 0);
	must(stored[A] == 1 && stored[B] == 1);
	must(ext2_commit_stop(&fs) == 0);
}

/* Make the file larger, as write(2) does, wait until that lasts, and end the task that commits. */
static void write_and_sync(int size)
{
	inode_set_size(&inode, size);
	ext2_touched(&inode);
	must(ext2_fsync(&inode) == 0);
	must(stored[A] == size);
	must(ext2_commit_stop(&fs) == 0);
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

static void size_lasts(void)
{
	must(stored[A] == 2 && atomic_read(&inode.refs) == 1);
	must(list_empty(&fs.running->blocks) && !fs.committing);
	ex_must_have_freed();
}

SCENARIO(ext2_fsync,
	 "a file grows while a commit stores it, and fsync waits until the new size lasts",
	 file_has_changed, size_lasts, { "task", run_commit_task, 0 },
	 { "writer", write_and_sync, 2 });

SCENARIO(ext2_full, "the same, and the transaction has no room for the file any more",
	 journal_is_small, size_lasts, { "task", run_commit_task, 0 },
	 { "writer", write_and_sync, 2 });

SCENARIO(ext2_wait, "an operation waits for its commit, and then the task that commits ends",
	 first_commits, one_lasts, { "task", run_commit_task, 0 },
	 { "operation", operate_and_wait, 0 });
