/*
 * Pinning: a program's memory as the source or the target of a disk, without a copy.
 *
 *	n = iter_pin(&iter, len, true, parts, max, &nr);
 *	... the device fills the parts
 *	n = iter_unpin(&iter, n, parts, nr, true);
 *
 * 1. A pinned page has a reference, so it stays in memory whatever becomes of the address space:
 *    munmap, exec, the end of the process.
 * 2. A device that only reads (`fill` is false) needs no more than that. If the program writes to
 *    the page meanwhile, the device gets the old bytes, the new ones, or some of each.
 * 3. A page that a device fills must remain the program's own until the device is done.
 *    page->private counts those pins of a page of private memory. Code that would give the program
 *    another page, or hand this one to others, asks page_pins() (mm/vm/tables.h):
 *
 *	fork			the child gets a copy at once, and the parent keeps the page
 *	a write after mprotect	the entry's reference and the pins are no reason for a copy
 *	vmsplice		the slot gets a copy, for the bytes of a slot do not change
 *
 *    Pins are added with mm->lock and mm->table_lock held, and removed without a lock.
 * 4. Shared memory and huge pages are not filled by a device: their bytes may be promised to slots,
 *    and may be written back, at any time. A page of the kernel stands in for such a page
 *    (`stand_in`), and is copied when the device is done.
 */
#ifndef MM_VM_PIN_H
#define MM_VM_PIN_H

#include "mm/vm/iter.h"

struct page;

/* A piece of memory that lies in one page. */
struct pin {
	struct page *page;
	uint16_t offset, len;
	bool stand_in;
};

/*
 * Pin the memory that the next n bytes of the iterator lie in, page by page, in at most `max` > 0
 * parts. Sets *nr to their number. The iterator does not move. With `fill` a device may write into
 * the parts, and otherwise read them. Returns how many bytes the parts have, or if there are none
 * -EFAULT, -ENOMEM, or -ERESTARTSYS after a SIGKILL. The iterator describes memory of the current
 * process. May sleep; takes mm->lock.
 */
ssize_t iter_pin(const struct iter *iter, size_t n, bool fill, struct pin *parts, unsigned int max,
		 unsigned int *nr);
/*
 * Release the parts, with the same `fill` as before. The first n bytes of them have been moved: the
 * iterator advances by as many, and what is in pages that stood in is copied to the program.
 * Returns n, or how many bytes there are before one that cannot be copied, or -EFAULT if there are
 * none. May sleep. No page lock is held.
 */
ssize_t iter_unpin(struct iter *iter, size_t n, struct pin *parts, unsigned int nr, bool fill);
/*
 * The same without the iterator, for a task that has no access to the program's memory. Never
 * sleeps.
 */
void pins_release(struct pin *parts, unsigned int nr, bool fill);
#endif
