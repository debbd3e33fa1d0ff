/*
 * Writing to a ring. The contract is in fs/pipe/io.h.
 *
 * A write copies its bytes to fresh pages, one after another. If the last page of the ring has room
 * left, the write appends to it (SLOT_MERGE), unless the write must stay whole and does not fit
 * there.
 */
#include "fs/pipe/io.h"

/*
 * Copy n bytes to the page. Returns how many were copied. A write that must stay whole copies
 * everything or returns 0.
 */
static inline size_t fill_page(struct iter *from, bool whole, struct page *page,
			       unsigned int offset, size_t n)
{
	char *to = kmap_local(page);
	size_t copied = iter_copy_from_nofault(from, to + offset, n);

	kunmap_local(to);
	if (unlikely(copied < n && whole)) {
		iter_rewind(from, copied);
		return 0;
	}
	return copied;
}

/* Add a slot to the ring, which has room for it. ring->lock is held. */
static inline void push(struct ring *ring, struct ring_write *write, struct page *page,
			unsigned int offset, unsigned int len)
{
	*ring_at(ring, ring->head) = (struct pipe_slot){
		.page = page,
		.offset = offset,
		.len = len,
		.ops = &anon_slot_ops,
		.flags = write->packets ? SLOT_PACKET : SLOT_MERGE,
		.private = 0,
		.envelope = envelope_get(write->envelope),
	};
	ring_fill_places(ring, 1, len);
}

/* The place behind the last slot's bytes. */
struct behind {
	struct page *page; /* with a reference; NULL: nothing may be appended */
	unsigned int end;  /* offset in the page */
	size_t n;	   /* how many bytes to write there */
};

/*
 * Find out whether the next bytes can be appended to the last slot, whose envelope must be that of
 * the write.
 */
static struct behind look_behind(struct ring *ring, struct ring_write *write, bool whole)
{
	struct behind behind = { NULL };
	struct pipe_slot *last;

	if (write->packets || ring->head == READ_ONCE(ring->tail))
		return behind;
	last = ring_at(ring, ring->head - 1);
	/* While the lock is held, the slot keeps its reference to the page. */
	spin_lock(&ring->lock);
	if (ring->head != ring->tail && last->flags & SLOT_MERGE &&
	    last->envelope == write->envelope) {
		behind.end = last->offset + last->len;
		behind.n = MIN(write->from->left, (size_t)PAGE_SIZE - behind.end);
		if (behind.n > 0 && (!whole || behind.n == write->from->left) &&
		    page_get(last->page))
			behind.page = last->page;
	}
	spin_unlock(&ring->lock);
	return behind;
}

/*
 * Append to the last slot. The bytes behind its end belong to no slot: only the ring for which the
 * page was filled may append, and this task is its only producer. Meanwhile a consumer may read,
 * move or drop the slot. If the slot has left the ring, the new bytes become one of their own.
 * Returns 0, -EFAULT, -EPIPE, or -EAGAIN if a splice has all slots out and may put them back.
 */
//BOOK: merge
static int merge(struct ring *ring, struct ring_write *write, bool whole, struct behind behind)
{
	size_t copied = fill_page(write->from, whole, behind.page, behind.end, behind.n);
	struct pipe_slot *last;
	bool stands;
	int room;

	if (unlikely(copied == 0)) {
		page_put(behind.page);
		return -EFAULT;
	}
	last = ring_at(ring, ring->head - 1);
	spin_lock(&ring->lock);
	stands = ring->head != ring->tail;
	room = ring_room(ring);
	if (stands) {
		/* The consumer reads it without the lock. */
		WRITE_ONCE(last->len, last->len + copied);
		ring->bytes += copied;
	} else if (room > 0) {
		/* Our reference is the new slot's. */
		atomic_inc(&behind.page->lent);
		push(ring, write, behind.page, behind.end, copied);
	}
	spin_unlock(&ring->lock);
	if (stands || room <= 0)
		page_put(behind.page);
	if (!stands && room <= 0) {
		iter_rewind(write->from, copied);
		return room ? room : -EAGAIN;
	}
	wake_all(&ring->readable);
	return 0;
}

/* Add a new slot with the next bytes. The ring has room for it. Returns 0, -EFAULT or -ENOMEM. */
//BOOK: append
static int append(struct ring *ring, struct ring_write *write, bool whole)
{
	struct page *page = write->spare;
	size_t copied;

	if (!page)
		page = page_alloc(0, ALLOC_HIGH | ALLOC_ATOMIC);
	if (!page)
		return -ENOMEM;
	copied = fill_page(write->from, whole, page, 0, MIN(write->from->left, (size_t)PAGE_SIZE));
	write->spare = copied ? NULL : page;
	if (unlikely(copied == 0))
		return -EFAULT;
	atomic_set(&page->lent, 1);
	spin_lock(&ring->lock);
	push(ring, write, page, 0, copied);
	spin_unlock(&ring->lock);
	wake_all(&ring->readable);
	return 0;
}

/*
 * Put one piece into the ring. `producer` is held. Returns 0, -EPIPE if no reader is left, -EAGAIN
 * if there is no room, -EFAULT if user memory must be brought in, or -ENOMEM if no page could be
 * allocated without waiting.
 */
//BOOK: put-piece
static int put_piece(struct ring *ring, struct ring_write *write, bool whole)
{
	int room = ring_room(ring);
	struct behind behind;

	if (room < 0)
		return room;
	behind = look_behind(ring, write, whole);
	if (behind.page)
		return merge(ring, write, whole, behind);
	return room ? append(ring, write, whole) : -EAGAIN;
}

/* With neither mutex held, get what put_piece() lacked. Returns 0 to start over, or an error. */
static int after_failed_put(struct ring *ring, struct ring_write *write, bool whole, int error)
{
	switch (error) {
	case -EAGAIN:
		return ring_wait_writable(ring, write->until);
	case -EFAULT:
		return iter_fault_in(write->from, write->from->left, whole, false);
	case -ENOMEM:
		write->spare = page_alloc(0, ALLOC_HIGH);
		return write->spare ? 0 : -ENOMEM;
	default:
		return error;
	}
}

//BOOK: ring-write
ssize_t ring_write(struct ring *ring, struct ring_write *write)
{
	size_t wanted = write->from->left;
	bool whole = wanted <= PIPE_BUF;
	int error = 0;

	do {
		error = mutex_lock_killable(&ring->producer);
		if (error)
			break;
		do
			error = put_piece(ring, write, whole);
		while (error == 0 && write->from->left > 0);
		mutex_unlock(&ring->producer);
		if (error == 0)
			break;
		error = after_failed_put(ring, write, whole, error);
	} while (error == 0);
	if (unlikely(write->spare))
		page_put(write->spare);
	return write->from->left < wanted ? wanted - write->from->left : error;
}
