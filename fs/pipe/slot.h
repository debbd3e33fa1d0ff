/*
 * Slots. A slot is a promise: *these `len` bytes, which will not change, though they may not have
 * arrived.*
 *
 * 1. A slot holds one reference to its page and one count of `lent`, the promise that the bytes
 *    stay.
 * 2. A slot is published and consumed whole, by struct assignment.
 * 3. The right to append (SLOT_MERGE) belongs to the ring that the page was filled for. It is
 *    cleared in the last slot of all that are moved or tee'd elsewhere.
 * 4. confirm only reports, the ring waits (fs/pipe/wait.h), and map neither sleeps nor fails.
 */
#ifndef FS_PIPE_SLOT_H
#define FS_PIPE_SLOT_H

#include "mm/vm/iter.h"
#include "fs/cache/pagecache.h"
#include "kernel/atomic.h"
#include "mm/kmap.h"

/*
 * What a socket encloses with a message: its sender, and the descriptors that travel with it. The
 * ring only holds and releases it. A pipe's slots have none.
 */
struct envelope {
	struct atomic refs;
	void (*free)(struct envelope *); /* the last reference has gone; may sleep */
};

//BOOK: slot
struct pipe_slot {
	struct page *page;	  /* the head; the bytes may run on into its followers */
	unsigned int offset, len; /* bytes; both may exceed PAGE_SIZE for a compound page */
	const struct pipe_slot_ops *ops;
	unsigned int flags;	   /* SLOT_* */
	unsigned long private;	   /* the ops' own, e.g. the inode that a cache slot holds */
	struct envelope *envelope; /* a reference, or NULL; of a packet, in its first slot */
};

enum slot_flags {
	SLOT_MERGE = 1,	  /* a write may append behind the last byte; never leaves its ring */
	SLOT_PACKET = 2,  /* a read takes at most this packet, and the rest of it is dropped */
	SLOT_GOES_ON = 4, /* the packet has at least one more slot */
};

/*
 * A NULL entry means the default for an ordinary page, in brackets.
 */
struct pipe_slot_ops {
	const char *kind; /* for /proc/pipes: "anon", "cache", "user", "skb", "mmio" */
	/*
	 * Are the bytes there? Never sleeps. Returns 0 if they are, -EAGAIN if they are on their
	 * way, -EIO if the read failed, -ENODATA if the page left its file before it was read. [0]
	 */
	int (*confirm)(struct pipe_slot *);
	/*
	 * Returns the address of byte `at`, counted from the slot's offset. It is valid to the end
	 * of that byte's page. Called after confirm said 0; never sleeps or fails. Mappings are
	 * undone in reverse order. [kmap_local]
	 */
	void *(*map)(struct pipe_slot *, unsigned int at);
	void (*unmap)(struct pipe_slot *, void *addr);
	/*
	 * The slot is a copy: one more holder, or false if the count is full. May make the copy one
	 * of a simpler kind. [page reference and lent]
	 */
	bool (*get)(struct pipe_slot *);
	/*
	 * One holder less. Called without a spinlock; sleeps only where the slot was the last
	 * holder of a removed file. [lent and page reference]
	 */
	void (*release)(struct pipe_slot *);
	/*
	 * Asked after the slot has left the ring: may the page become the caller's own? True only if
	 * nobody else holds it; the promise (lent) is then given back, and the reference is the
	 * caller's. [false]
	 */
	bool (*steal)(struct pipe_slot *);
};

extern const struct pipe_slot_ops anon_slot_ops; /* write(2) */
extern const struct pipe_slot_ops skb_slot_ops;	 /* send(2) of a packet */
extern const struct pipe_slot_ops
	zero_slot_ops; /* the zero page: /dev/zero, a hole, an empty packet */
extern const struct pipe_slot_ops user_slot_ops;  /* vmsplice */
extern const struct pipe_slot_ops cache_slot_ops; /* splice from a file: the bytes were there */
/* Splice from a file whose bytes were on their way. private: the inode, referenced. */
extern const struct pipe_slot_ops coming_slot_ops;

static inline struct envelope *envelope_get(struct envelope *envelope)
{
	if (envelope)
		atomic_inc(&envelope->refs);
	return envelope;
}
/* NULL is fine. The last reference may close files, and so sleep: no lock is held. */
static inline void envelope_put(struct envelope *envelope)
{
	if (envelope && atomic_dec_and_test(&envelope->refs))
		envelope->free(envelope);
}

/* The operations of a slot, as `struct pipe_slot_ops` says. */
static inline int slot_confirm(struct pipe_slot *slot)
{
	return slot->ops->confirm ? slot->ops->confirm(slot) : 0;
}
static inline void *slot_map(struct pipe_slot *slot, unsigned int at)
{
	unsigned int byte = slot->offset + at;

	if (unlikely(slot->ops->map))
		return slot->ops->map(slot, at);
	/* The followers of a compound page stand behind it in mem_map. */
	return (char *)kmap_local(slot->page + (byte >> PAGE_SHIFT)) + (byte & (PAGE_SIZE - 1));
}
static inline void slot_unmap(struct pipe_slot *slot, void *addr)
{
	if (unlikely(slot->ops->unmap))
		slot->ops->unmap(slot, addr);
	else
		kunmap_local(addr);
}
/* For ops tables: the defaults of get and release. */
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
/* One more holder of what the slot holds. Its envelope is not counted. */
static inline bool slot_get(struct pipe_slot *slot)
{
	return slot->ops->get ? slot->ops->get(slot) : page_slot_get(slot);
}
/*
 * One holder less, of the envelope too. The caller has another reference to the envelope unless it
 * holds no lock.
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

/* A reader has reached a slot that failed: start the disk's read again. May wait for metadata. */
void slot_retry(struct pipe_slot *slot);
/*
 * Copy the first n bytes, which are there, to the iterator, without faulting user pages in. Returns
 * how many were copied; fewer than n means that a user page is missing.
 */
size_t slot_copy_to(struct pipe_slot *slot, size_t n, struct iter *to);

#endif
