/*
 * Slots: what may be asked of them, and the three kinds that hold ordinary pages.
 *
 * 1. A slot holds one reference to its page and one count of `lent`, the promise that the bytes
 *    stay.
 * 2. anon: a page that write(2) filled. skb: one that send(2) filled. user: a page that vmsplice
 *    lent or was given. cache: a page of a file. If it was still being read, the slot holds the
 *    inode too, so that a failed read can be started again; a page that was there needs nothing
 *    more: what is in it stays. zero: the zero page.
 * 3. Nothing here sleeps, but for slot_retry and for the release of a removed file's last holder.
 */
#include "fs/pipe/pipe.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"

size_t slot_copy_pages(struct pipe_slot *slot, unsigned int at, size_t n, struct iter *to)
{
	size_t left = n, chunk, copied;

	do {
		void *from = slot_map(slot, at);

		chunk = MIN(left, PAGE_SIZE - ((uintptr_t)from & (PAGE_SIZE - 1)));
		copied = iter_copy_to_nofault(to, from, chunk);
		slot_unmap(slot, from);
		left -= copied;
		at += copied;
	} while (left > 0 && copied == chunk);
	return n - left;
}

/*
 * Nobody else holds the page, and the slot has left the ring: nobody can come to hold it. A count
 * of one that is ours cannot be raised by others: a reference is made from a reference.
 */
static bool page_slot_steal(struct pipe_slot *slot)
{
	struct page *page = slot->page;

	if (page->flags & (PG_HEAD | PG_RESERVED) || atomic_read(&page->refs) != 1)
		return false;
	page_unlend(page);
	return true;
}

const struct pipe_slot_ops anon_slot_ops = {
	.kind = "anon",
	.steal = page_slot_steal,
};

const struct pipe_slot_ops skb_slot_ops = {
	.kind = "skb",
	.steal = page_slot_steal,
};

const struct pipe_slot_ops user_slot_ops = {
	.kind = "user",
	.steal = page_slot_steal,
};

/* The zero page is never written, never freed and not counted: there is nothing to hold. */
static bool zero_slot_get(struct pipe_slot *slot)
{
	return true;
}

static void zero_slot_release(struct pipe_slot *slot)
{
}

const struct pipe_slot_ops zero_slot_ops = {
	.kind = "zero",
	.get = zero_slot_get,
	.release = zero_slot_release,
};

/*
 * One look at the flags: the completion sets UPTODATE or ERROR before it clears LOCKED. A locked
 * page that is uptodate is being written to, in place only if nobody holds a promise on it.
 */
//BOOK: confirm
static int coming_confirm(struct pipe_slot *slot)
{
	unsigned int flags = READ_ONCE(slot->page->flags);

	if (likely(flags & PG_UPTODATE))
		return 0;
	if (flags & PG_LOCKED)
		return -EAGAIN;
	return READ_ONCE(slot->page->mapping) ? -EIO : -ENODATA;
}

static bool coming_get(struct pipe_slot *slot)
{
	if (!page_slot_get(slot))
		return false;
	inode_get((struct inode *)slot->private);
	return true;
}

static void coming_release(struct pipe_slot *slot)
{
	page_slot_release(slot->page);
	inode_put((struct inode *)slot->private);
}

/* No steal: a cached page belongs to its file. */
const struct pipe_slot_ops cache_slot_ops = { .kind = "cache" };

const struct pipe_slot_ops coming_slot_ops = {
	.kind = "cache",
	.confirm = coming_confirm,
	.get = coming_get,
	.release = coming_release,
};

void slot_retry(struct pipe_slot *slot)
{
	if (slot->ops == &coming_slot_ops)
		page_read_again(slot->page);
}
