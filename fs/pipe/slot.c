/*
 * Slots: the kinds that hold ordinary pages. The contract is in fs/pipe/slot.h.
 *
 * 1. anon: a page that a write filled. skb: one that a packet was sent in. user: a page that
 *    vmsplice lent or was given. cache: a page of a file. If it was still being read, the slot holds
 *    the inode too, so that a failed read can be started again; a page that was there needs nothing
 *    more: what is in it stays. zero: the zero page, and a packet without bytes.
 * 2. Nothing here sleeps, except slot_retry and the release of a removed file's last holder.
 */
#include "fs/pipe/slot.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"

size_t slot_copy_to(struct pipe_slot *slot, size_t n, struct iter *to)
{
	size_t done = 0;

	while (done < n) {
		void *from = slot_map(slot, done);
		size_t chunk = MIN(n - done, PAGE_SIZE - ((uintptr_t)from & (PAGE_SIZE - 1)));
		size_t copied = iter_copy_to_nofault(to, from, chunk);

		slot_unmap(slot, from);
		done += copied;
		if (unlikely(copied < chunk))
			break;
	}
	return done;
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

/* No steal: a cached page belongs to its file. */
const struct pipe_slot_ops cache_slot_ops = { .kind = "cache" };

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

/* The new holder does not need the inode if the bytes have come meanwhile. */
static bool coming_get(struct pipe_slot *slot)
{
	if (!page_slot_get(slot))
		return false;
	if (READ_ONCE(slot->page->flags) & PG_UPTODATE) {
		slot->ops = &cache_slot_ops;
		slot->private = 0;
	} else {
		inode_get((struct inode *)slot->private);
	}
	return true;
}

static void coming_release(struct pipe_slot *slot)
{
	page_slot_release(slot->page);
	inode_put((struct inode *)slot->private);
}

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
