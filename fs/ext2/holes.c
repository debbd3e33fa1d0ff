/*
 * Holes in files of ext2: where they are (lseek), and punching them (fallocate). fs/ext2/ext2.h has
 * the contract of the file system.
 *
 * 1. A byte is data if its block has a place on the disk, and in a hole otherwise. A page gets its
 *    blocks before it is dirty, so the cache has no data that the pointers do not tell of.
 * 2. A punch holds inode->lock from its beginning to its end, so no call writes, truncates or
 *    punches the file meanwhile. Reads, faults, splice and write-back do not take that lock. They
 *    are kept away from a block that is being freed by the lock of its page.
 * 3. The places of the pages that lie in the hole as a whole are held (fs/cache/places.h) while
 *    their blocks are freed: a task that wants such a page waits, and then finds a hole. Dirty
 *    pages are written before that. If they were only dropped, a reader, or a crash after a commit,
 *    would find the old contents of their new blocks. Slots keep the pages. A store through a
 *    mapping that comes before its place is held is lost, as if it came before the call. One that
 *    comes later gets a new block.
 * 4. A page of which only a part lies in the hole is locked, and every mapping of it is
 *    write-protected. If it is lent, it is replaced by a copy. The part becomes zeros, the blocks
 *    that lie in the part are freed, and the page becomes dirty in the same transaction: the commit
 *    that stores the hole writes the zeros first. The next store through a mapping faults, and gets
 *    room for the page again. If there is no block in the part, nothing needs to be done.
 * 5. What can fail for lack of memory with these two pages comes first, when nothing has changed.
 *    After a later error, some of the bytes are zeros and the others as they were.
 * 6. Blocks are freed in several operations, each of which leaves the file whole, and in several
 *    transactions if the hole is large. A block is not used again before the commit that frees it
 *    has ended. So after a crash each byte of the range is what it was, or zero. A punch needs no
 *    room on the disk.
 * 7. The caller of ext2_begin_in_page() may hold page locks, so no operation here waits for a
 *    commit. ext2_balance() does, when no page is locked.
 */
#include "fs/cache/places.h"
#include "fs/cache/writeback.h"
#include "fs/ext2/ext2.h"
#include "fs/file/allocate.h"
#include "kernel/cpu/cpu.h"
#include "kernel/signals/signal.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vm/vm.h"

/*
 * Places that are held at once. No commit comes meanwhile, so the transaction must have room for
 * what freeing their blocks changes, even if each block lies in another group.
 */
#define PLACES_AT_ONCE 64u

/* ---- finding ---- */

int64_t ext2_find_block(struct inode *inode, int64_t block, int64_t end, bool data)
{
	while (block < end) {
		uint64_t first;
		int n = ext2_lookup_block(inode, block, MIN(end - block, (int64_t)INT32_MAX),
					  &first);

		if (n < 0)
			return n;
		if ((first != 0) == data)
			return block;
		block += n;
		if (kill_pending())
			return -EINTR;
		if (this_cpu()->need_resched)
			schedule();
	}
	return end;
}

/* Returns the offset from `offset` on where data or a hole begins, or an error. */
static file_off_t find_offset(struct inode *inode, file_off_t offset, bool data)
{
	unsigned int shift = ext2_fs(inode)->layout.block_shift;
	file_off_t size = inode->size;
	int64_t end = (size + (1u << shift) - 1) >> shift, found;

	if (offset < 0 || offset >= size)
		return -ENXIO;
	found = ext2_find_block(inode, offset >> shift, end, data);
	if (found < 0)
		return found;
	if (found == end)
		return data ? -ENXIO : size;
	return MAX(offset, found << shift);
}

file_off_t ext2_llseek(struct file *file, file_off_t offset, int whence)
{
	struct inode *inode = file->inode;
	int error;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return generic_llseek(file, offset, whence);
	error = mutex_lock_killable(&inode->lock);
	if (error)
		return error;
	offset = find_offset(inode, offset, whence == SEEK_DATA);
	mutex_unlock(&inode->lock);
	return offset < 0 ? offset : generic_llseek(file, offset, SEEK_SET);
}

/* ---- punching ---- */

/*
 * Get a page in order to zero its bytes [from, to) of the file, as page_begin_write() does. It gets
 * no room: bytes that have no block are zeros already. NULL: all of them are. Otherwise an error.
 */
static struct page *begin_edge(struct inode *inode, file_off_t from, file_off_t to)
{
	unsigned int shift = ext2_fs(inode)->layout.block_shift, at = from & (PAGE_SIZE - 1);
	int64_t end = (to + (1u << shift) - 1) >> shift, found;

	if (from >= to)
		return NULL;
	found = ext2_find_block(inode, from >> shift, end, true);
	if (found < 0)
		return ERR_PTR(found);
	return found < end ? page_begin_write(&inode->mapping, from >> PAGE_SHIFT, at, at) : NULL;
}

static int end_edge(struct inode *inode, struct page *page, file_off_t from, file_off_t to)
{
	unsigned int shift = ext2_fs(inode)->layout.block_shift;
	int error;

	if (!page)
		return 0;
	(void)mapping_protect_page(&inode->mapping, page); /* it becomes dirty in any case */
	page_zero(page, from & (PAGE_SIZE - 1), to - from);
	page_set_dirty(page);
	error = ext2_free_range(inode, (from + (1u << shift) - 1) >> shift, to >> shift);
	page_end_write(page);
	return error;
}

/* Free the blocks of up to `nr` pages. Returns how many were passed, or an error. */
static int punch_places(struct inode *inode, struct places *places, unsigned int first,
			unsigned int nr)
{
	unsigned int shift = PAGE_SHIFT - ext2_fs(inode)->layout.block_shift;
	int error, held;

	ext2_balance(&inode->mapping);
	held = places_hold(places, &inode->mapping, first, MIN(nr, PLACES_AT_ONCE), PLACES_WRITE);
	if (held < 0)
		return held;
	error = ext2_free_range(inode, (uint64_t)first << shift, (uint64_t)(first + held) << shift);
	places_release(places, 0);
	return error ? error : held;
}

/* Punch whole pages. What has no blocks is passed over. */
static int punch_pages(struct inode *inode, unsigned int first, unsigned int end)
{
	unsigned int shift = PAGE_SHIFT - ext2_fs(inode)->layout.block_shift;
	struct places *places = kmalloc(sizeof(*places), 0);
	int n = 0;

	if (!places)
		return -ENOMEM;
	while (n >= 0 && first < end) {
		int64_t found = ext2_find_block(inode, (int64_t)first << shift,
						(int64_t)end << shift, true);

		n = MIN(found, (int64_t)0);
		if (n < 0)
			break;
		first = found >> shift;
		if (first < end)
			n = punch_places(inode, places, first, end - first);
		first += MAX(n, 0);
	}
	kfree(places);
	return MIN(n, 0);
}

//BOOK: punch
static int punch(struct inode *inode, file_off_t start, file_off_t end)
{
	file_off_t first = (start + PAGE_SIZE - 1) >> PAGE_SHIFT, behind = end >> PAGE_SHIFT;
	file_off_t head_end = MIN(first << PAGE_SHIFT, end);
	file_off_t tail_start = MAX(behind << PAGE_SHIFT, head_end);
	struct page *head, *tail;
	int error, failed;

	ext2_balance(&inode->mapping);
	head = begin_edge(inode, start, head_end);
	if (IS_ERR(head))
		return PTR_ERR(head);
	tail = begin_edge(inode, tail_start, end);
	if (IS_ERR(tail)) {
		if (head)
			page_end_write(head); /* with the bytes that it had */
		return PTR_ERR(tail);
	}
	error = end_edge(inode, head, start, head_end);
	failed = end_edge(inode, tail, tail_start, end);
	error = error ? error : failed;
	return !error && first < behind ? punch_pages(inode, first, behind) : error;
}

/*
 * Linux does not touch a file whose end lies before the hole. If it lies in the hole, the rest of
 * its page belongs to the hole.
 */
int ext2_allocate(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end)
{
	if (mode != (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE) || !S_ISREG(inode->mode))
		return -EOPNOTSUPP;
	if (start >= inode->size)
		return 1;
	if (end > inode->size)
		end = (inode->size + PAGE_SIZE - 1) & ~(file_off_t)(PAGE_SIZE - 1);
	return punch(inode, start, end);
}
