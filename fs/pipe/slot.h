/*
 * Slots. A slot is a promise: *these `len` bytes, which will not change, though they may not have
 * arrived.*
 *
 * 1. A slot holds one reference to its page and one count of `lent`. The latter is the promise that
 *    the bytes do not change.
 * 2. A slot is published and consumed whole, by struct assignment.
 * 3. The right to append (SLOT_MERGE) belongs to the ring for which the page was filled. Only the
 *    flag of a ring's last slot counts, so it may stay set when another slot comes behind. It is
 *    cleared in the last of the slots that are moved or tee'd elsewhere.
 * 4. confirm only reports whether the bytes are there. The ring waits for them (fs/pipe/wait.h).
 *    map neither sleeps nor fails.
 */
#ifndef FS_PIPE_SLOT_H
#define FS_PIPE_SLOT_H

#include "mm/vm/iter.h"
#include "fs/cache/pagecache.h"
#include "kernel/atomic.h"
#include "mm/kmap.h"

/*
 * What a socket sends along with the bytes of a message: its sender and open files. The ring only
 * holds and releases envelopes. A pipe's slots have none.
 */
struct envelope {
	struct atomic refs;
	void (*free)(struct envelope *); /* called for the last reference; may sleep */
	bool apart;			 /* its bytes are not read together with those behind */
};

//BOOK: slot
struct pipe_slot {
	struct page *page;	  /* the first page; the bytes may extend into the next ones */
	unsigned int offset, len; /* bytes; both may exceed PAGE_SIZE for a compound page */
	const struct pipe_slot_ops *ops;
	unsigned int flags;	   /* SLOT_* */
	unsigned long private;	   /* belongs to ops, e.g. the inode that a cache slot holds */
	struct envelope *envelope; /* a reference, or NULL; a packet's is in its first slot */
};

enum slot_flags {
	SLOT_MERGE = 1,	  /* a write may append behind the last byte; never leaves its ring */
	SLOT_PACKET = 2,  /* a read takes at most this packet, and the rest of it is dropped */
	SLOT_GOES_ON = 4, /* the packet has at least one more slot */
};

/*
 * The operations of a slot. NULL means the default for an ordinary page, which stands in brackets.
 */
struct pipe_slot_ops {
	const char *kind; /* for /proc/pipes: "anon", "cache", "user", "skb", "mmio" */
	/*
	 * Are the bytes there? Never sleeps. Returns 0 if they are, -EAGAIN if they are on their
	 * way, -EIO if the read failed, -ENODATA if the page left its file before it was read,
	 * -ENOMEM if the read was not started although nothing was wrong with the disk. [0]
	 */
	int (*confirm)(struct pipe_slot *);
	/*
	 * Returns the address of byte `at`, counted from the slot's offset. It is valid to the end
	 * of that byte's page. Called after confirm has returned 0. Never sleeps or fails. Mappings
	 * are unmapped in reverse order. [kmap_local]
	 */
	void *(*map)(struct pipe_slot *, unsigned int at);
	void (*unmap)(struct pipe_slot *, void *addr);
	/*
	 * The slot is a copy. Take a reference for it, or return false if the count is full. May
	 * change the copy to a simpler kind. [page reference and lent]
	 */
	bool (*get)(struct pipe_slot *);
	/*
	 * Drop the slot's references. Called without a spinlock. Sleeps only if the slot was the
	 * last holder of a removed file. [lent and page reference]
	 */
	void (*release)(struct pipe_slot *);
	/*
	 * May the page become the caller's own? Called after the slot has left the ring. Returns
	 * true only if the page has no other holder. Then its `lent` count has been dropped, and
	 * the reference is the caller's. [false]
	 */
	bool (*steal)(struct pipe_slot *);
};

extern const struct pipe_slot_ops anon_slot_ops;  /* write(2) */
extern const struct pipe_slot_ops skb_slot_ops;	  /* send(2) of a packet */
extern const struct pipe_slot_ops zero_slot_ops;  /* the zero page: a hole, an empty packet */
extern const struct pipe_slot_ops user_slot_ops;  /* vmsplice */
extern const struct pipe_slot_ops cache_slot_ops; /* splice from a file: the bytes are there */
/*
 * Splice from a file whose bytes were still being read. `private` is the inode, with a reference.
 */
extern const struct pipe_slot_ops coming_slot_ops;

/* Take one more reference, and return the envelope. Ignores NULL. */
static inline struct envelope *envelope_get(struct envelope *envelope)
{
	if (envelope)
		atomic_inc(&envelope->refs);
	return envelope;
}
/* Drop a reference. Ignores NULL. May sleep, because the last one may close files. */
static inline void envelope_put(struct envelope *envelope)
{
	if (envelope && atomic_dec_and_test(&envelope->refs))
		envelope->free(envelope);
}

/* Call the operations of a slot. The contracts are in struct pipe_slot_ops. */
static inline int slot_confirm(struct pipe_slot *slot)
{
	return slot->ops->confirm ? slot->ops->confirm(slot) : 0;
}
static inline void *slot_map(struct pipe_slot *slot, unsigned int at)
{
	unsigned int byte = slot->offset + at;

	if (unlikely(slot->ops->map))
		return slot->ops->map(slot, at);
	/* The other pages of a compound page follow its first one in mem_map. */
	return (char *)kmap_local(slot->page + (byte >> PAGE_SHIFT)) + (byte & (PAGE_SIZE - 1));
}
static inline void slot_unmap(struct pipe_slot *slot, void *addr)
{
	if (unlikely(slot->ops->unmap))
		slot->ops->unmap(slot, addr);
	else
		kunmap_local(addr);
}
/* The defaults of get and release, for ops tables. */
static inline bool page_slot_get(struct pipe_slot *slot)
{
	struct page *page = slot->page;

	if (unlikely(!page_get_head(page)))
		return false;
	atomic_inc(&page->lent);
	return true;
}
static inline void page_slot_release(struct page *page)
{
	page_unlend(page);
	page_put_head(page);
}
/*
 * Take references for a copy of a slot, except for its envelope. Returns false if a count is full.
 */
static inline bool slot_get(struct pipe_slot *slot)
{
	return slot->ops->get ? slot->ops->get(slot) : page_slot_get(slot);
}
/*
 * Drop the references of a slot, including that to its envelope. If the caller holds a lock, it
 * must have another reference to the envelope, whose last envelope_put() may sleep.
 */
static inline void slot_release(struct pipe_slot *slot)
{
	if (slot->ops->release)
		slot->ops->release(slot);
	else
		page_slot_release(slot->page);
	if (unlikely(slot->envelope))
		envelope_put(slot->envelope);
}

/* ---- fs/pipe/slot.c ---- */

/* Start the disk's read of a failed slot again. May sleep to wait for metadata. */
void slot_retry(struct pipe_slot *slot);
/*
 * Copy the first n bytes of a slot, which have arrived, to the iterator, without faulting user
 * pages in. Returns how many bytes were copied. That is fewer than n if a user page is missing.
 */
size_t slot_copy_to(struct pipe_slot *slot, size_t n, struct iter *to);

#endif
