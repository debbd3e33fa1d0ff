/*
 * The bytes of files of ext2, through the page cache. fs/ext2/ext2.h has the contract.
 *
 * 1. A page gets its blocks when a write to it begins, so that a full disk is told to the writer.
 *    It is marked dirty in the same operation: the commit that stores the blocks writes the page
 *    first, and waits for its lock, which the writer holds.
 * 2. Whole pages from a pipe that nobody else holds become pages of the file. They get their blocks
 *    in the same way, while they are locked in their new places.
 * 3. A write that begins behind the end of the file gets blocks before the file has its new size.
 *    own->reach is where the last of them begins, and stored as the size until then, because
 *    e2fsck finds fault with a block that begins behind the size. If the write fails,
 *    ext2_truncated() frees them.
 */
#include "fs/cache/writeback.h"
#include "fs/cache/pageio.h"
#include "fs/ext2/ext2.h"
#include "fs/file/generic.h"
#include "fs/splice/splice.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/vm/vm.h"

static void ext2_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct inode *inode = mapping->inode;

	pageio_read(inode->sb->device, mapping, ext2_fs(inode)->layout.block_shift,
		    ext2_lookup_block, pages, nr);
}

static int ext2_write_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct inode *inode = mapping->inode;

	return pageio_write(inode->sb->device, mapping, ext2_fs(inode)->layout.block_shift,
			    ext2_lookup_block, pages, nr);
}

/* Has the file all of its blocks [block, block + nr)? Returns 1, 0 or an error. */
static int has_blocks(struct inode *inode, uint64_t block, unsigned int nr)
{
	while (nr > 0) {
		uint64_t first;
		int n = ext2_lookup_block(inode, block, nr, &first);

		if (n < 0)
			return n;
		if (first == 0)
			return 0;
		block += n;
		nr -= n;
	}
	return 1;
}

/*
 * One operation: give the file the blocks [block, block + nr), in which the bytes of these
 * consecutive pages will be.
 */
static int give_blocks(struct inode *inode, struct page **pages, unsigned int nr_pages,
		       uint64_t block, unsigned int nr)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	file_off_t last = (block + nr - 1) << ext2_fs(inode)->layout.block_shift;
	uint32_t pointers[EXT2_POINTERS];
	uint64_t blocks;
	unsigned int added;
	int error = ext2_begin_in_page(fs);

	if (error)
		return error;
	memcpy(pointers, own->block, sizeof(pointers));
	blocks = inode->blocks;
	error = ext2_add_blocks(inode, block, nr, false, &added);
	if (error) {
		memcpy(own->block, pointers, sizeof(pointers));
		inode->blocks = blocks;
		WRITE_ONCE(own->space_seen, fs->blocks_came);
	} else {
		for (unsigned int i = 0; i < nr_pages; i++)
			page_set_dirty(pages[i]);
		if (last > inode_size(inode))
			own->reach = MAX(own->reach, last);
		ext2_changed(inode);
	}
	return ext2_end(fs, error);
}

/*
 * Make room for the bytes [from, to) of consecutive pages, which are in EXT2_GIVEN_MAX blocks at
 * most.
 */
static int make_room(struct inode *inode, struct page **pages, unsigned int nr_pages,
		     unsigned int from, unsigned int to)
{
	unsigned int shift = ext2_fs(inode)->layout.block_shift;
	uint64_t start = (uint64_t)pages[0]->index << PAGE_SHIFT, block = (start + from) >> shift;
	unsigned int nr = DIV_ROUND_UP(start + to, 1ull << shift) - block;
	int error = to > from ? has_blocks(inode, block, nr) : 1;

	if (error == 0)
		return give_blocks(inode, pages, nr_pages, block, nr);
	if (error < 0)
		return error;
	ext2_changed(inode); /* until the page has been written, the inode stays in memory */
	return 0;
}

static int ext2_begin_write(struct mapping *mapping, struct page *page, unsigned int from,
			    unsigned int to)
{
	return make_room(mapping->inode, &page, 1, from, to);
}

/*
 * Places of a direct write have no bytes yet. Those that get their blocks become dirty, and zeros
 * if the write fails, so none of them may have had a block before. Returns how many of the pages,
 * from the first on, have all their blocks, or have none; 0 if the first one has some; or an error.
 */
static int pages_alike(struct inode *inode, struct page **pages, unsigned int nr)
{
	unsigned int per_page = PAGE_SIZE >> ext2_fs(inode)->layout.block_shift, alike = 0;
	int blocks = 0, had;

	for (; alike < nr; alike++) {
		had = 0;
		for (unsigned int i = 0; i < per_page; i++) {
			int has =
				has_blocks(inode, (uint64_t)pages[alike]->index * per_page + i, 1);

			if (has < 0)
				return alike ? (int)alike : has;
			had += has;
		}
		if (alike == 0)
			blocks = had;
		if (had != blocks || (had > 0 && had < per_page))
			break;
	}
	return alike;
}

//BOOK: begin-add
/* Many pages get their blocks in one operation. If they do not all get them, one page may. */
static int ext2_begin_add(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct inode *inode = mapping->inode;
	unsigned int per_page = PAGE_SIZE >> ext2_fs(inode)->layout.block_shift, done = 0;
	int error = 0, n;

	for (; done < nr; done += n) {
		n = MIN(nr - done, EXT2_GIVEN_MAX / per_page);
		if (!page_has(pages[done], PG_UPTODATE))
			n = pages_alike(inode, pages + done, n);
		if (n <= 0) {
			error = n;
			break;
		}
		error = make_room(inode, pages + done, n, 0, n * PAGE_SIZE);
		if (error && n > 1) {
			n = 1;
			error = make_room(inode, pages + done, n, 0, PAGE_SIZE);
		}
		if (error)
			break;
	}
	return done ? (int)done : error;
}

static bool ext2_wait_for_room(struct mapping *mapping, struct room_wait *wait)
{
	struct ext2_inode *own = ext2_own(mapping->inode);
	struct ext2_lack lack = { .seen = READ_ONCE(own->space_seen), .wait = *wait };
	bool again = ext2_space_comes(ext2_fs(mapping->inode), &lack);

	*wait = lack.wait;
	return again;
}

static void ext2_store(const struct inode *inode, struct file_store *store)
{
	*store = (struct file_store){
		.device = inode->sb->device,
		.block_shift = ext2_fs(inode)->layout.block_shift,
		.lookup = ext2_lookup_block,
	};
}

static const struct direct_ops ext2_direct_ops = { .store = ext2_store };

#define EXT2_PAGES                                                                             \
	.read_pages = ext2_read_pages, .write_pages = ext2_write_pages,                        \
	.begin_write = ext2_begin_write, .begin_add = ext2_begin_add, .balance = ext2_balance, \
	.wait_for_room = ext2_wait_for_room, .direct = &ext2_direct_ops, .has_store = true

const struct mapping_ops ext2_mapping_ops = { EXT2_PAGES };
const struct mapping_ops ext2_small_mapping_ops = { EXT2_PAGES, .room_by_parts = true };

/* ---- size ---- */

int ext2_truncate(struct inode *inode, file_off_t size)
{
	struct ext2_fs *fs = ext2_fs(inode);
	int error;

	if (size >= inode->size || inode->blocks == 0)
		return 0;
	error = ext2_begin(fs);
	if (error)
		return error;
	ext2_add_orphan(inode);
	return ext2_end(fs, 0);
}

/* Free what lies behind the end. */
static int free_rest(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	uint64_t blocks = (inode->size + fs->layout.block_size - 1) >> fs->layout.block_shift;
	int error = inode->blocks ? ext2_free_from(inode, blocks) : 0;

	if (error || list_empty(&ext2_own(inode)->orphan) || inode->nr_links == 0)
		return error;
	error = ext2_begin_always(fs);
	if (error)
		return error;
	ext2_remove_orphan(inode);
	return ext2_end(fs, 0);
}

void ext2_truncated(struct inode *inode)
{
	ext2_own(inode)->reach = 0;
	if (S_ISREG(inode->mode)) /* an error of the disk leaves blocks that the next mount frees */
		(void)ext2_complete(inode, free_rest);
}

/* ---- symbolic links ---- */

ssize_t ext2_readlink(struct inode *inode, char *buf, size_t size)
{
	struct ext2_inode *own = ext2_own(inode);
	size_t len = inode->size;
	uint64_t first = 0;
	int error = 0;

	if (len >= size)
		return -ENAMETOOLONG;
	if (own->fast_symlink) {
		memcpy(buf, own->block, len);
	} else { /* the target is in a block of its own, and shorter than that */
		error = ext2_lookup_block(inode, 0, 1, &first);
		if (error >= 0 && first == 0)
			error = ext2_damaged(inode->sb, inode->number, "a link without a target");
		if (error >= 0)
			error = ext2_read(ext2_fs(inode), first, 0, buf, len);
	}
	if (error < 0)
		return error;
	buf[len] = '\0';
	return strlen(buf);
}

/* ---- open files ---- */

const struct file_ops ext2_file_ops = {
	.read = generic_file_read,
	.write = generic_file_write,
	.llseek = ext2_llseek,
	.mmap = generic_file_mmap,
	.fsync = generic_file_fsync,
	.splice_read = generic_splice_read,
	.splice_write = generic_splice_write,
};
