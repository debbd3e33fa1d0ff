/*
 * Splice of files that are not read and written through the page cache: terminals, /proc files and
 * devices. Their bytes are copied with file_ops.read and file_ops.write, to or from the pages of
 * slots. The contract is in fs/splice/copy.h.
 */
#include "fs/splice/copy.h"
#include "mm/kmap.h"

ssize_t copy_splice_read(struct file *file, file_off_t *pos, size_t len, struct slot_list *slots)
{
	bool stream = !file->ops->llseek;
	ssize_t n = 0, done = 0;

	while (slots->nr < slots->max && len > 0) {
		size_t asked = MIN(len, (size_t)PAGE_SIZE);
		struct page *page = page_alloc(0, ALLOC_HIGH);
		struct iter to;
		void *address;

		if (!page)
			return done ? done : -ENOMEM;
		address = kmap_local(page);
		iter_init_kernel(&to, address, asked);
		n = file->ops->read(file, &to, pos);
		kunmap_local(address);
		if (n <= 0) {
			page_put(page);
			break;
		}
		atomic_set(&page->lent, 1);
		slots->slots[slots->nr++] =
			(struct pipe_slot){ page, 0, n, &anon_slot_ops, 0, 0, NULL };
		done += n;
		len -= n;
		if (stream || n < (ssize_t)asked)
			break;
	}
	return done ? done : n;
}

/* Write those bytes of the first slot that are in one page. Returns their number, or an error. */
static ssize_t write_piece(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	struct pipe_slot *first = slots->slots;
	unsigned int n = MIN(first->len, PAGE_SIZE - (first->offset & (PAGE_SIZE - 1)));
	void *address = slot_map(first, 0);
	struct iter from;
	ssize_t written;

	iter_init_kernel(&from, address, n);
	written = file->ops->write(file, &from, pos);
	slot_unmap(first, address);
	if (written > 0)
		slot_list_consume(slots, written);
	return written;
}

ssize_t copy_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	ssize_t n = 0, done = 0;

	while (slots->nr > 0) {
		n = write_piece(file, pos, slots);
		if (n <= 0)
			break;
		done += n;
	}
	return done ? done : n;
}
