/*
 * The kinds of slots that hold ordinary pages. The contract is in fs/pipe/slot.h.
 *
 * 1. An anon slot has a page that a write filled, an skb slot one that was sent in a packet, a user
 *    slot one that vmsplice lent or took as a gift, and a zero slot the zero page. A cache slot has
 *    a page of a file. If that page was still being read, the slot also holds the inode, so that a
 *    failed read can be started again.
 * 2. Nothing here sleeps, except slot_retry() and a release that drops the last holder of a removed
 *    file.
 */
#include "fs/pipe/slot.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"

size_t slot_copy_to(struct pipe_slot *slot, size_t n, struct iter *to)
{
	size_t done = 0, chunk, copied;

	do {
		void *from = slot_map(slot, done);

		chunk = MIN(n - done, PAGE_SIZE - ((uintptr_t)from & (PAGE_SIZE - 1)));
		copied = iter_copy_to_nofault(to, from, chunk);
		slot_unmap(slot, from);
		done += copied;
	} while (copied == chunk && done < n);
	return done;
}

/*
 * The slot has left the ring. If it has the only reference to the page, no other task can get one,
 * because a reference is only made from another one.
 */
static bool page_slot_steal(struct pipe_slot *slot)
{
	struct page *page = slot->page;

	if (page_has(page, PG_HEAD | PG_RESERVED) || atomic_read(&page->refs) != 1)
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

/* The zero page is never written or freed, and has no counts, so there is nothing to do. */
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

/* There is no steal, because a cached page belongs to its file. */
const struct pipe_slot_ops cache_slot_ops = { .kind = "cache" };

/*
 * Reading the flags once is enough: the completion sets UPTODATE or ERROR before it clears LOCKED.
 * A page that is both locked and uptodate is being written, but never in place while it is lent.
 */
//BOOK: confirm
static int coming_confirm(struct pipe_slot *slot)
{
	unsigned int flags = READ_ONCE(slot->page->flags);

	if (likely(flags & PG_UPTODATE))
		return 0;
	if (flags & PG_LOCKED)
		return -EAGAIN;
	if (!READ_ONCE(slot->page->mapping))
		return -ENODATA;
	return flags & PG_NOT_READ ? -ENOMEM : -EIO;
}

/* If the bytes have arrived meanwhile, the copy does not need the inode. */
static bool coming_get(struct pipe_slot *slot)
{
	if (!page_slot_get(slot))
		return false;
	if (page_has(slot->page, PG_UPTODATE)) {
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
