/*
 * Splice: files as sources and as sinks of slots. The contract is in fs/splice/splice.h.
 *
 * 1. To make a slot of a cached page, the page is lent. No byte is copied, and the page may still
 *    be being read.
 * 2. A whole aligned page without any other holder becomes the file's own page. Everything else is
 *    copied.
 * 3. A sink removes from its list exactly the bytes that it has taken. The rest of the list is
 *    unchanged.
 */
#include "fs/cache/writeback.h"
#include "fs/splice/splice.h"
#include "fs/file/generic.h"
#include "fs/names/times.h"
#include "lib/string.h"
#include "mm/kmap.h"

void slot_list_consume(struct slot_list *slots, unsigned int n)
{
	struct pipe_slot *first = slots->slots;

	first->offset += n;
	first->len -= n;
	slots->bytes -= n;
	if (first->len > 0)
		return;
	slot_release(first);
	slots->slots++;
	slots->nr--;
}

void slot_list_release(struct slot_list *slots)
{
	struct pipe_slot *end = slots->slots + slots->nr;

	for (struct pipe_slot *slot = slots->slots; slot < end; slot++)
		slot_release(slot);
	slots->nr = 0;
	slots->bytes = 0;
}

/* ---- sources ---- */

/*
 * Lend pages[0..nr) of the inode, and make a slot of each. A slot covers the whole page. Returns
 * how many pages, from the first on, could be lent, or an error if that is none.
 */
static int lend_pages(struct inode *inode, struct page **pages, int nr, struct pipe_slot *slots)
{
	for (int i = 0; i < nr; i++, slots++) {
		struct page *page = pages[i];
		int error = page_lend(page);

		if (error)
			return i ? i : error;
		*slots = (struct pipe_slot){ page, 0, PAGE_SIZE, &cache_slot_ops, 0, 0, NULL };
		if (unlikely(!page_has(page, PG_UPTODATE))) {
			slots->ops = &coming_slot_ops;
			slots->private = (unsigned long)inode;
			inode_get(inode);
		}
	}
	return nr;
}

//BOOK: splice-read
ssize_t generic_splice_read(struct file *file, file_off_t *pos, size_t len, struct slot_list *slots)
{
	struct inode *inode = file->inode;
	unsigned int offset = *pos & (PAGE_SIZE - 1);
	struct pipe_slot *first = slots->slots + slots->nr, *last;
	struct page *pages[SLOT_LIST_MAX];
	unsigned int wanted;
	file_off_t left;
	int had, lent;

	do {
		left = inode_size(inode) - *pos;
		if (left <= 0 || len == 0)
			return 0;
		if ((file_off_t)len > left)
			len = left;
		wanted = MIN((offset + len - 1) / PAGE_SIZE + 1, slots->max - slots->nr);
		had = mapping_start(&inode->mapping, file, *pos >> PAGE_SHIFT, wanted, pages,
				    false);
		if (had <= 0)
			return had;
		lent = lend_pages(inode, pages, had, first);
		for (int i = MAX(lent, 0); i < had; i++)
			page_put(pages[i]);
		/*
		 * The first page has left the file because it was truncated or replaced. Look it
		 * up again.
		 */
	} while (lent == -ENODATA);
	if (lent < 0)
		return lent;
	slots->nr += lent;
	last = first + lent - 1;
	len = MIN(len, (size_t)lent * PAGE_SIZE - offset);
	last->len = ((offset + len - 1) & (PAGE_SIZE - 1)) + 1;
	first->offset = offset;
	first->len -= offset;
	*pos += len;
	file_accessed(file);
	return len;
}

/* ---- sinks ---- */

ssize_t null_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	size_t bytes = slots->bytes;

	slot_list_release(slots);
	return bytes;
}

/*
 * Move the pages of the first slots to the file: those that are whole, have no other holder, and
 * fit into a hole of the file or replace one page. Returns the number of bytes moved, at most len,
 * or 0 if the first slot must be copied. inode->lock is held.
 */
static ssize_t steal_pages(struct file *file, file_off_t *pos, size_t len, struct slot_list *slots)
{
	struct mapping *mapping = &file->inode->mapping;
	unsigned int index = *pos >> PAGE_SHIFT, max = MIN(len >> PAGE_SHIFT, slots->nr), nr, hole;
	struct page *pages[SLOT_LIST_MAX];

	if (!slots->slots->ops->steal || max == 0 || *pos & (PAGE_SIZE - 1) ||
	    !mapping->ops->begin_add || file->flags & O_DSYNC)
		return 0;
	hole = mapping_hole(mapping, index, MIN(max, SLOT_LIST_MAX));
	max = MAX(hole, 1u);
	for (nr = 0; nr < max; nr++) {
		struct pipe_slot *slot = slots->slots + nr;

		if (slot->offset != 0 || slot->len != PAGE_SIZE || !slot->ops->steal ||
		    !slot->ops->steal(slot))
			break;
		pages[nr] = slot->page;
	}
	if (nr == 0)
		return 0;
	max = hole > 0 ? mapping_add_pages(mapping, index, pages, nr)
		       : page_overwrite(mapping, index, *pages) == 0;
	/* There was no room, or an error. Lend the pages again. The copy will return the error. */
	while (nr > max)
		atomic_inc(&pages[--nr]->lent);
	slots->slots += nr;
	slots->nr -= nr;
	slots->bytes -= nr * PAGE_SIZE;
	*pos += nr * PAGE_SIZE;
	if (nr > 0)
		generic_grow(file->inode, *pos);
	return nr * PAGE_SIZE;
}

/*
 * Copy those bytes of the first slot that are in one page and fit into one page of the file.
 * Returns their number, at most len, or an error. inode->lock is held.
 */
static ssize_t copy_piece(struct inode *inode, file_off_t *pos, size_t len, struct slot_list *slots)
{
	struct pipe_slot *first = slots->slots;
	unsigned int at = *pos & (PAGE_SIZE - 1);
	unsigned int n = MIN(first->len, PAGE_SIZE - (first->offset & (PAGE_SIZE - 1)));
	struct page *page;
	void *from, *to;

	n = MIN(MIN(n, len), PAGE_SIZE - at);
	page = generic_begin_write(inode, *pos >> PAGE_SHIFT, at, at + n);
	if (IS_ERR(page))
		return PTR_ERR(page);
	from = slot_map(first, 0);
	to = kmap_local(page);
	memcpy(to + at, from, n);
	kunmap_local(to);
	slot_unmap(first, from);
	*pos += n;
	generic_end_write(inode, page, *pos);
	slot_list_consume(slots, n);
	return n;
}

ssize_t generic_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	struct inode *inode = file->inode;
	size_t len = slots->bytes, done = 0;
	ssize_t n = mutex_lock_killable(&inode->lock);

	if (n)
		return n;
	n = generic_write_limit(file, pos, &len);
	if (n >= 0)
		inode_drop_privileges(inode);
	while (n >= 0 && done < len) {
		n = steal_pages(file, pos, len - done, slots);
		if (n == 0)
			n = copy_piece(inode, pos, len - done, slots);
		done += MAX(n, 0);
		page_balance_dirty(&inode->mapping);
	}
	generic_written(inode, done, len);
	mutex_unlock(&inode->lock);
	if (done > 0 && file->flags & O_DSYNC) {
		int error = generic_file_fsync(file);

		return error ? error : (ssize_t)done;
	}
	return done ? (ssize_t)done : n;
}
