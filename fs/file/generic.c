/*
 * Reading and writing files through the page cache.
 *
 * 1. Reading takes no lock. A page is read while it is uptodate and referenced, so a reader may see
 *    a part of a concurrent write.
 * 2. Writing holds inode->lock. A page is changed between page_begin_write() and page_end_write(),
 *    which hold its lock. User memory is copied with page faults disabled, because a fault on a
 *    mapping of the same page would wait for that lock.
 * 3. While a read waits for the disk, a SIGKILL interrupts it, but no other signal does.
 */
#include "drivers/disk/block.h"
#include "fs/file/direct.h"
#include "fs/file/generic.h"
#include "fs/file/seal.h"
#include "mm/vm/iter.h"
#include "fs/cache/lru.h"
#include "fs/cache/writeback.h"
#include "kernel/syscall.h"
#include "fs/file/open_file.h"
#include "fs/names/times.h"
#include "kernel/signals/signal.h"
#include "mm/kmap.h"

#define READ_BATCH 16u /* pages looked up at a time */

ssize_t generic_read_page(struct inode *inode, struct page *page, struct iter *to, file_off_t pos)
{
	unsigned int offset = pos & (PAGE_SIZE - 1);
	file_off_t left = inode_size(inode) - pos;
	size_t n = MIN(PAGE_SIZE - offset, to->left), copied;
	char *address;

	if (left <= 0)
		return 0;
	if ((file_off_t)n > left)
		n = left;
	address = kmap_local(page);
	copied = iter_copy_to(to, address + offset, n);
	kunmap_local(address);
	return copied == 0 ? -EFAULT : (ssize_t)copied;
}

/*
 * Read from up to READ_BATCH pages. Returns the number of bytes, 0 at the end, or an error if none.
 */
static ssize_t read_batch(struct file *file, struct iter *to, file_off_t pos)
{
	struct page *pages[READ_BATCH];
	unsigned int index = pos >> PAGE_SHIFT;
	unsigned int offset = pos & (PAGE_SIZE - 1);
	unsigned int wanted = MIN((offset + to->left - 1) / PAGE_SIZE + 1, READ_BATCH);
	int nr = mapping_start(&file->inode->mapping, file, index, wanted, pages, true);
	ssize_t done = 0, n = nr;

	for (int i = 0; i < nr; i++) {
		size_t asked = MIN(PAGE_SIZE - offset, to->left);

		if (n > 0) {
			int error = page_wait_read(pages[i]);

			n = error ? error
				  : generic_read_page(file->inode, pages[i], to, pos + done);
			if (n > 0)
				done += n;
			if (n < (ssize_t)asked) /* the end, or a fault: only put the other pages */
				n = MIN(n, 0);
		}
		offset = 0;
		page_put(pages[i]);
	}
	return done ? done : n;
}

ssize_t generic_cached_read(struct file *file, struct iter *to, file_off_t *pos)
{
	ssize_t done = 0;

	while (to->left > 0 && *pos < FILE_SIZE_MAX) {
		ssize_t n = read_batch(file, to, *pos);

		if (n == -ENODATA) /* the page was truncated: look again */
			continue;
		if (n < 0 && !done)
			return n;
		if (n <= 0)
			break;
		*pos += n;
		done += n;
	}
	file_accessed(file);
	return done;
}

/* Does the request go past the cache? Only a program's own memory can be pinned. */
static bool is_direct(const struct file *file, const struct iter *iter)
{
	return file->flags & O_DIRECT && iter->kind != ITER_KERNEL;
}

ssize_t generic_file_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return is_direct(file, to) ? direct_read(file, to, pos)
				   : generic_cached_read(file, to, pos);
}

int generic_write_limit(struct file *file, file_off_t *pos, size_t *len)
{
	struct inode *inode = file->inode;
	file_off_t end;
	int error = -EFBIG;

	if (sealed_against_writing(inode))
		return refuse(EPERM, "the file is sealed against writing");
	if (file->flags & O_APPEND || *pos == POS_APPEND)
		*pos = inode->size;
	if (S_ISBLK(inode->mode)) {
		end = inode->size;
		error = -ENOSPC;
	} else {
		end = file_size_limit(inode, *pos);
	}
	/*
	 * A write that would make the file longer still fills the whole pages in front of its end,
	 * as on Linux.
	 */
	if (*pos + (file_off_t)*len > inode->size && sealed_against_size(inode, *pos + *len)) {
		end = MIN(end, inode->size & ~(file_off_t)(PAGE_SIZE - 1));
		error = -EPERM;
	}
	if (*pos >= end)
		return error;
	if ((file_off_t)*len > end - *pos)
		*len = end - *pos;
	return 0;
}

/*
 * Readers take no lock. They treat a page that is not uptodate as a hole, and read an uptodate one
 * up to the size that they see. So the bytes must be there before the size grows:
 *
 *	reader				writer, in the wrong order
 *					grows the size
 *	sees the size, and a page that
 *	is not uptodate: reads zeros
 *					marks the page uptodate
 */
void generic_end_write(struct inode *inode, struct page *page, file_off_t end)
{
	file_off_t old = inode->size;

	set_bits(&page->flags, PG_UPTODATE);
	if (end > old)
		inode_set_size(inode, end);
	page_end_write(page);
	if (end > old) /* now, because the rest of the write may take long */
		mapping_grown(&inode->mapping, old);
}

void generic_grow(struct inode *inode, file_off_t end)
{
	file_off_t old = inode->size;

	if (end <= old)
		return;
	inode_set_size(inode, end);
	mapping_grown(&inode->mapping, old);
}

struct page *generic_begin_write(struct inode *inode, unsigned int index, unsigned int from,
				 unsigned int to)
{
	struct mapping *mapping = &inode->mapping;
	struct page *page;
	struct room_wait wait = { 0 };

	do
		page = page_begin_write(mapping, index, from, to);
	while (page == ERR_PTR(-ENOSPC) && mapping_room_comes(mapping, &wait));
	return page;
}

/*
 * Write *n bytes to one page. Returns the number of bytes written, or an error. If it returns 0,
 * the caller tries again: *n is then the number of bytes that the source really has.
 */
static ssize_t write_to_page(struct inode *inode, struct iter *from, file_off_t pos,
			     unsigned int *n)
{
	unsigned int offset = pos & (PAGE_SIZE - 1);
	struct iter saved = *from;
	struct page *page;
	char *address;
	size_t copied;

	if (iter_fault_in(from, *n, false, false) < 0)
		return -EFAULT;
	page = generic_begin_write(inode, pos >> PAGE_SHIFT, offset, offset + *n);
	if (IS_ERR(page))
		return PTR_ERR(page);
	address = kmap_local(page);
	copied = iter_copy_from_nofault(from, address + offset, *n);
	kunmap_local(address);
	/*
	 * The source was unmapped meanwhile, or a later segment of it never was mapped. A page that
	 * was to be overwritten completely has no other content, so it must not become uptodate.
	 */
	if (copied < *n && !page_has(page, PG_UPTODATE)) {
		*from = saved;
		page_abort_write(page);
		if (copied > 0)
			*n = copied;
		return 0;
	}
	generic_end_write(inode, page, pos + copied);
	return copied;
}

ssize_t generic_cached_write(struct inode *inode, struct iter *from, file_off_t *pos, size_t len)
{
	size_t done = 0;

	while (done < len) {
		unsigned int room = PAGE_SIZE - (*pos & (PAGE_SIZE - 1));
		unsigned int piece = MIN(room, len - done);
		ssize_t n;

		do
			n = write_to_page(inode, from, *pos, &piece);
		while (n == 0 && !kill_pending());
		if (n == 0)
			n = -ERESTARTSYS;
		if (n < 0)
			return done ? (ssize_t)done : n;
		*pos += n;
		done += n;
		page_balance_dirty(&inode->mapping);
	}
	return done;
}

void generic_forget_behind(struct inode *inode)
{
	/* A page that keeps its bytes would be taken to have its room still. */
	if (inode->mapping.ops->has_store)
		mapping_truncate(&inode->mapping, inode->size, NULL);
	if (inode->ops && inode->ops->truncated)
		inode->ops->truncated(inode);
}

void generic_written(struct inode *inode, size_t done, size_t wanted)
{
	if (done < wanted)
		generic_forget_behind(inode);
	if (done == 0)
		return;
	inode_modified(inode);
	inode_changed(inode);
}

static ssize_t write_and_unlock(struct file *file, struct iter *from, file_off_t *pos)
{
	struct inode *inode = file->inode;
	size_t len = from->left;
	ssize_t done;
	int error = mutex_lock_killable(&inode->lock);

	if (error)
		return error;
	done = generic_write_limit(file, pos, &len);
	if (done == 0) {
		inode_drop_privileges(inode);
		done = generic_cached_write(inode, from, pos, len);
		generic_written(inode, MAX(done, 0), len);
	}
	mutex_unlock(&inode->lock);
	return done;
}

ssize_t generic_file_write(struct file *file, struct iter *from, file_off_t *pos)
{
	file_off_t before = *pos;
	ssize_t done;
	int error;

	if (from->left == 0)
		return 0;
	done = is_direct(file, from) ? direct_write(file, from, pos)
				     : write_and_unlock(file, from, pos);
	if (done < 0)
		*pos = before; /* O_APPEND has moved it */
	if (done > 0 && file->flags & O_DSYNC) {
		error = generic_file_fsync(file);
		if (error)
			return error;
	}
	return done;
}
