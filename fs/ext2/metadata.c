/*
 * Blocks of metadata, and the operations that change them. fs/ext2/ext2.h has the contract.
 *
 * A block that has changed since the last commit is in the list of the running transaction. Its
 * page is PG_DIRTY, and page->private leads to its struct ext2_block, which has a reference to the
 * page.
 *
 * The pages of the blocks that operations have used last are kept until the commit, so that
 * operations which use the same blocks look them up once. A page leaves these visits before it
 * leaves fs->metadata.
 */
#include "drivers/disk/block.h"
#include "fs/ext2/blocks.h"
#include "fs/ext2/journal.h"
#include "kernel/log.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define MAX_REPORTS	 20   /* lines in the log for one mount */
#define REVOKES_IN_BLOCK 128u /* or more, of the log */
#define BLOCKS_MAX	 1024 /* a transaction with more blocks is committed before it grows */
#define FREED_PART	 4u   /* so is one that has freed this part of the free blocks */
#define ROOM_MIN	 16u /* blocks that can be used: more than an operation takes which is no write */

int ext2_damaged(const struct super_block *sb, uint64_t inode_number, const char *what)
{
	struct ext2_fs *fs = sb->private;
	int nr = atomic_add_return(&fs->damages, 1);

	if (nr <= MAX_REPORTS)
		log_error("ext2: %s: inode %llu: %s%s", sb->device->name,
			  (unsigned long long)inode_number, what,
			  nr == MAX_REPORTS ? " (and so on)" : "");
	else
		atomic_dec(&fs->damages);
	return -EIO;
}

/* ---- reading ---- */

static void read_complete(struct bio *bio)
{
	for (unsigned int i = 0; i < bio->nr_segments; i++)
		page_read_done(bio->segments[i].page, bio->error == 0);
	bio_free(bio);
}

static void metadata_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	const struct ext2_fs *fs = mapping->inode->private;
	unsigned int shift = fs->layout.block_shift;
	struct bio *bio = NULL;

	for (unsigned int i = 0; i < nr; i++) {
		if (bio && bio_add(bio, pages[i], 0, 1u << shift))
			continue;
		if (bio)
			bio_submit(bio);
		bio = bio_alloc(fs->sb->device, (uint64_t)pages[i]->index << (shift - SECTOR_SHIFT),
				false, 0);
		if (bio) {
			bio->complete = read_complete;
			bio_add(bio, pages[i], 0, 1u << shift);
		} else {
			set_bits(&pages[i]->flags, PG_NOT_READ);
			page_read_done(pages[i], false);
		}
	}
	if (bio)
		bio_submit(bio);
}

static int metadata_begin_write(struct mapping *mapping, struct page *page, unsigned int from,
				unsigned int to)
{
	return 0; /* every block has its place */
}

static const struct mapping_ops metadata_ops = {
	.read_pages = metadata_read_pages,
	.begin_write = metadata_begin_write,
	.has_store = true,
};

int ext2_metadata_init(struct ext2_fs *fs)
{
	struct inode *inode = inode_anonymous(S_IFREG, "ext2 metadata");

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode->private = fs;
	inode->size = (file_off_t)fs->layout.blocks << PAGE_SHIFT;
	mapping_init(&inode->mapping, inode, &metadata_ops);
	fs->metadata = inode;
	fs->sb->metadata = &inode->mapping;
	return 0;
}

/* ---- the blocks that operations use ---- */

static struct ext2_visit *find_visit(struct ext2_fs *fs, uint32_t block)
{
	for (unsigned int i = 0; i < fs->nr_visits; i++)
		if (fs->visits[i].block == block)
			return &fs->visits[i];
	return NULL;
}

static void end_visit(struct ext2_fs *fs, struct ext2_visit *visit)
{
	page_put(visit->page);
	*visit = fs->visits[--fs->nr_visits];
}

void ext2_end_visits(struct ext2_fs *fs)
{
	while (fs->nr_visits > 0)
		page_put(fs->visits[--fs->nr_visits].page);
}

/* Keep a page, with a reference of its own. */
static void keep_page(struct ext2_fs *fs, uint32_t block, struct page *page)
{
	struct ext2_visit *visit;

	if (fs->nr_visits < EXT2_VISITS) {
		visit = &fs->visits[fs->nr_visits++];
	} else {
		visit = &fs->visits[fs->next_visit++ % EXT2_VISITS];
		page_put(visit->page);
	}
	page_ref(page);
	*visit = (struct ext2_visit){ block, page };
}

/* Nearly always the page is there, and is found in one step. */
static struct page *read_page(struct ext2_fs *fs, uint32_t block)
{
	struct page *page = mapping_find(&fs->metadata->mapping, block);

	if (page && page_has(page, PG_UPTODATE)) {
		page_mark_used(page);
		return page;
	}
	if (page)
		page_put(page);
	return mapping_read_page(&fs->metadata->mapping, block);
}

struct page *ext2_page(struct ext2_fs *fs, uint32_t block)
{
	bool locked = mutex_held(&fs->lock);
	struct ext2_visit *visit = locked ? find_visit(fs, block) : NULL;
	struct page *page;

	if (visit) {
		page_ref(visit->page);
		return visit->page;
	}
	page = read_page(fs, block);
	if (locked && !IS_ERR(page))
		keep_page(fs, block, page);
	return page;
}

int ext2_read(struct ext2_fs *fs, uint32_t block, unsigned int offset, void *to, unsigned int len)
{
	struct page *page = ext2_page(fs, block);
	char *address;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	memcpy(to, address + offset, len);
	kunmap_local(address);
	page_put(page);
	return 0;
}

/* ---- operations ---- */

unsigned int ext2_blocks_waiting(const struct ext2_fs *fs)
{
	const struct ext2_transaction *committing = READ_ONCE(fs->committing);

	return READ_ONCE(READ_ONCE(fs->running)->nr_freed) +
	       (committing ? READ_ONCE(committing->nr_freed) : 0);
}

/* Are so many of the free blocks waiting for a commit that another operation might find none? */
static bool blocks_wait(const struct ext2_fs *fs)
{
	unsigned int freed = ext2_blocks_waiting(fs), free = READ_ONCE(fs->free_blocks);

	return freed > 0 && (freed >= free / FREED_PART || free < freed + ROOM_MIN);
}

static int make_room(struct ext2_fs *fs)
{
	const struct ext2_transaction *running = READ_ONCE(fs->running);
	unsigned int max = READ_ONCE(fs->log.active) ? ext2_journal_room(fs) : BLOCKS_MAX;
	unsigned int revokes = READ_ONCE(running->nr_revoked) / REVOKES_IN_BLOCK;

	if (READ_ONCE(running->nr_blocks) + revokes + READ_ONCE(fs->nr_unstored_orphans) < max &&
	    !blocks_wait(fs))
		return 0;
	return ext2_commit_wait(fs, READ_ONCE(running->id));
}

//BOOK: ext2-operation
/* fs->lock has been taken: begin, or let go of it. */
static int begin_locked(struct ext2_fs *fs)
{
	struct ext2_undo *undo = &fs->undo;

	if (!fs->writable || fs->error ||
	    (fs->only && fs->only != current && fs->task != current)) {
		mutex_unlock(&fs->lock);
		return refuse(EROFS, "the file system cannot be written, or has failed");
	}
	undo->nr_edits = undo->nr_bytes = undo->nr_made = 0;
	undo->free_blocks = fs->free_blocks;
	undo->free_inodes = fs->free_inodes;
	return 0;
}

void ext2_balance(struct mapping *mapping)
{
	(void)make_room(ext2_fs(mapping->inode));
}

int ext2_begin_in_page(struct ext2_fs *fs)
{
	int error = mutex_lock_killable(&fs->lock);

	return error ? error : begin_locked(fs);
}

int ext2_begin(struct ext2_fs *fs)
{
	int error = make_room(fs);

	return error && error != -EIO ? error : ext2_begin_in_page(fs);
}

int ext2_begin_always(struct ext2_fs *fs)
{
	(void)make_room(fs);
	mutex_lock(&fs->lock);
	return begin_locked(fs);
}

/* Make a locked page, whose block is about to change, part of the running transaction. */
static int join(struct ext2_fs *fs, struct page *page)
{
	struct ext2_block *block;

	if (page->private)
		return 0;
	block = kmalloc(sizeof(*block), 0);
	if (!block)
		return -ENOMEM;
	page_ref(page);
	block->page = page;
	page->private = (unsigned long)block;
	list_add_tail(&fs->running->blocks, &block->link);
	WRITE_ONCE(fs->running->nr_blocks, fs->running->nr_blocks + 1);
	return 0;
}

void ext2_block_free(struct ext2_block *block)
{
	list_del(&block->link);
	page_put(block->page);
	kfree(block);
}

/* Take a locked page out of the running transaction. */
static void leave(struct ext2_fs *fs, struct page *page)
{
	struct ext2_block *block = (struct ext2_block *)page->private;

	if (!block)
		return;
	page->private = 0;
	ext2_block_free(block);
	WRITE_ONCE(fs->running->nr_blocks, fs->running->nr_blocks - 1);
}

/* Keep the old bytes for ext2_end(). There is always room: see the sizes in struct ext2_undo. */
static void save(struct ext2_undo *undo, uint32_t block, unsigned int offset, const char *bytes,
		 unsigned int len)
{
	assert(undo->nr_edits < ARRAY_SIZE(undo->edits) &&
	       undo->nr_bytes + len <= sizeof(undo->bytes));
	undo->edits[undo->nr_edits].block = block;
	undo->edits[undo->nr_edits].offset = offset;
	undo->edits[undo->nr_edits++].len = len;
	memcpy(undo->bytes + undo->nr_bytes, bytes, len);
	undo->nr_bytes += len;
}

/*
 * Make a locked page, which is in no visit, part of the running transaction, and unlock it. From
 * now on fs->lock is enough to change it: a page of the running transaction is dirty and not lent,
 * and only operations take it out of its file. Returns 0 or -ENOMEM.
 */
static int join_and_keep(struct ext2_fs *fs, uint32_t block, struct page *page)
{
	int error = join(fs, page);

	if (error) {
		page_abort_write(page);
		return error;
	}
	keep_page(fs, block, page);
	page_end_write(page);
	return 0;
}

/*
 * The page of a block, which is part of the running transaction. Returns it without a reference, or
 * ERR_PTR.
 */
static struct page *page_to_change(struct ext2_fs *fs, uint32_t block)
{
	struct ext2_visit *visit = find_visit(fs, block);
	struct page *page;
	int error;

	if (visit && visit->page->private)
		return visit->page;
	if (visit)
		end_visit(fs, visit);
	page = page_begin_write(&fs->metadata->mapping, block, 0, 1);
	if (IS_ERR(page))
		return page;
	error = join_and_keep(fs, block, page);
	return error ? ERR_PTR(error) : page;
}

void *ext2_edit_begin(struct ext2_fs *fs, uint32_t block, unsigned int offset, unsigned int len)
{
	struct page *page;
	char *address;

	assert(mutex_held(&fs->lock) && len < PAGE_SIZE);
	page = page_to_change(fs, block);
	if (IS_ERR(page))
		return page;
	address = kmap_local(page);
	save(&fs->undo, block, offset, address + offset, len);
	return address + offset;
}

int ext2_edit(struct ext2_fs *fs, uint32_t block, unsigned int offset, const void *from,
	      unsigned int len)
{
	char *address = ext2_edit_begin(fs, block, offset, len);

	if (IS_ERR(address))
		return PTR_ERR(address);
	memcpy(address, from, len);
	kunmap_local(address);
	return 0;
}

int ext2_note_feature(struct ext2_fs *fs, unsigned int word, uint32_t feature)
{
	struct ext2_place place = ext2_super_place(&fs->layout);
	unsigned int at = place.offset + word;
	uint32_t features;
	int error = ext2_read(fs, place.block, at, &features, sizeof(features));

	if (error || features & feature)
		return error;
	features |= feature;
	return ext2_edit(fs, place.block, at, &features, sizeof(features));
}

int ext2_make_block(struct ext2_fs *fs, uint32_t block)
{
	struct ext2_visit *visit = find_visit(fs, block);
	struct page *page;
	int error;

	if (visit)
		end_visit(fs, visit);
	page = page_begin_write(&fs->metadata->mapping, block, 0, PAGE_SIZE);
	if (IS_ERR(page))
		return PTR_ERR(page);
	page_zero(page, 0, PAGE_SIZE);
	error = join_and_keep(fs, block, page);
	if (error)
		return error;
	assert(fs->undo.nr_made < ARRAY_SIZE(fs->undo.made));
	fs->undo.made[fs->undo.nr_made++] = block;
	return 0;
}

/* Take a block out of the running transaction and of memory. */
static void drop_block(struct ext2_fs *fs, uint32_t block)
{
	struct mapping *mapping = &fs->metadata->mapping;
	struct ext2_visit *visit = find_visit(fs, block);
	struct page *page = mapping_find(mapping, block);

	if (visit)
		end_visit(fs, visit);
	if (!page)
		return;
	/* It is not being read: what is freed has been read before. */
	page_lock(page, TASK_UNINTERRUPTIBLE);
	if (page->mapping == mapping) {
		mapping_remove_page(mapping, page, true);
		leave(fs, page);
	}
	page_unlock(page);
	page_put(page);
}

void ext2_forget(struct ext2_fs *fs, uint32_t block)
{
	drop_block(fs, block);
	ext2_note_revoked(fs, block);
}

/* Put the old bytes of one edit back. */
static int put_back_edit(struct ext2_fs *fs, unsigned int i, const char *bytes)
{
	struct page *page = page_to_change(fs, fs->undo.edits[i].block);
	char *address;

	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	memcpy(address + fs->undo.edits[i].offset, bytes, fs->undo.edits[i].len);
	kunmap_local(address);
	return 0;
}

/*
 * The edited blocks are in the running transaction, which has references to their pages, and no
 * commit can lend them before fs->lock is free. So putting bytes back neither reads nor allocates.
 */
static void put_back(struct ext2_fs *fs)
{
	struct ext2_undo *undo = &fs->undo;

	while (undo->nr_edits > 0) {
		unsigned int i = --undo->nr_edits;

		undo->nr_bytes -= undo->edits[i].len;
		if (put_back_edit(fs, i, undo->bytes + undo->nr_bytes))
			ext2_damaged(fs->sb, 0, "an operation could not be undone");
	}
	while (undo->nr_made > 0)
		drop_block(fs, undo->made[--undo->nr_made]);
	WRITE_ONCE(fs->free_blocks, undo->free_blocks);
	WRITE_ONCE(fs->free_inodes, undo->free_inodes);
}

int ext2_end(struct ext2_fs *fs, int error)
{
	if (error)
		put_back(fs);
	mutex_unlock(&fs->lock);
	return error;
}
