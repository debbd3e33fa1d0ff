/*
 * The ring: slots go in at the head and come out at the tail. A pipe has one ring. A connection of
 * sockets has one for each direction. This file has the structure and its arithmetic.
 *
 * 1. head and tail only grow, and wrap at 2^32. Only their difference and their low bits are used,
 *    so nr_slots is a power of two.
 * 2. The mutex `consumer` serialises tasks that take slots, and `producer` those that put slots.
 *    ring->lock guards head, tail, bytes, and a slot's offset and len, for a few lines at a time.
 * 3. Neither mutex is held while waiting for data, room, disk or a page fault, with one exception:
 *    splice holds `consumer` while it writes to a file. `consumer` is taken before `producer`. No
 *    task waits for a `consumer` while it holds a `producer`.
 * 4. Every publish, pop, resize and close wakes all sleepers of its queue. A pop wakes `readable`
 *    too, because the sleepers there may have to wait for another page now.
 * 5. The ring has one arrival waiter, which is armed on a page of its first packet. When that
 *    page's read completes, it wakes `readable`.
 * 6. A slot that is taken out of the ring stays in its place, which is not free before the slot has
 *    been released (`kept`). Splice into a file takes slots out while it writes, and may put some
 *    of them back.
 * 7. The holder of `producer` may read head without ring->lock, because no other task changes it.
 *    In the same way, the holder of `consumer` may read tail, kept, and the slots in the ring,
 *    except the len of the last one. Each side may also read what the other side changes where an
 *    old value does no harm: then a producer sees too little room, or a consumer too few slots, but
 *    never too many.
 * 8. Nothing in this file sleeps, allocates or accesses a page's bytes, so it also runs in a
 *    program on the host.
 */
#ifndef FS_PIPE_RING_H
#define FS_PIPE_RING_H

#include "fs/pipe/slot.h"
#include "kernel/mutex.h"
#include "lib/string.h"

struct process;

struct ring {
	struct mutex consumer;	 /* serialises read, splice out, and tee's source */
	struct mutex producer;	 /* serialises write, splice in, and tee's target */
	spinlock_t lock;	 /* plain; all up to `writers` */
	unsigned int head, tail; /* free-running; head - tail slots are full */
	unsigned int kept;	 /* free up to here; equals tail unless slots are out; `consumer` */
	unsigned int nr_slots;	 /* places in `slots`; a power of two */
	unsigned int max_slots;	 /* no more are filled: a socket's limit may be below nr_slots */
	size_t bytes;		 /* of the slots from the tail to the head */
	struct pipe_slot *slots;
	unsigned int readers, writers; /* open ends */
	struct wait_queue readable, writable;
	struct page_waiter arrival; /* of the first packet; wakes readable */
	bool encloses;		    /* a socket's: slots may have envelopes */

	/* fs/pipe/owners.h */
	struct process *owner; /* the process that made it; a reference, or NULL */
	struct list all_link;
};

/*
 * Initialise an empty ring with nr places, a power of two, and no readers or writers.
 * fs/pipe/wait.c
 */
void ring_init(struct ring *ring, struct pipe_slot *slots, unsigned int nr, const char *name);

/* Returns how many slots are full. ring->lock is held. */
static inline unsigned int ring_used(const struct ring *ring)
{
	return ring->head - ring->tail;
}
/* Returns the place of a position. */
static inline struct pipe_slot *ring_at(const struct ring *ring, unsigned int position)
{
	return &ring->slots[position & (ring->nr_slots - 1)];
}
/*
 * Returns how many slots may be added, 0 if the ring is full, or -EPIPE if it has no readers. For
 * the holder of `producer` the number can only grow. Without `producer` and ring->lock the result
 * is a hint.
 */
static inline int ring_room(const struct ring *ring)
{
	unsigned int places = READ_ONCE(ring->head) - load_acquire(&ring->kept);
	unsigned int max = READ_ONCE(ring->max_slots);

	if (unlikely(READ_ONCE(ring->readers) == 0))
		return -EPIPE;
	return places < max ? max - places : 0;
}
/*
 * Is there a slot at a position from the tail on? Returns 0, -EAGAIN if there is none yet, or
 * -EPIPE if there will be none. Without `consumer` the result is a hint.
 */
static inline int ring_look(const struct ring *ring, unsigned int at)
{
	/* Read this first, because a writer closes after it has published its last slot. */
	unsigned int writers = READ_ONCE(ring->writers);

	if (likely(at != load_acquire(&ring->head)))
		return 0;
	return writers ? -EAGAIN : -EPIPE;
}

/*
 * Make places hold slots. All places from kept to head are in use. ring->lock is held.
 */
static inline void ring_fill_places(struct ring *ring, unsigned int n, size_t bytes)
{
	ring->bytes += bytes;
	store_release(&ring->head, ring->head + n);
}

/*
 * Take the first n slots, which have so many bytes in all. The slots stay in their places, which
 * are kept, and belong to the caller until it frees the places. `consumer` and ring->lock are held.
 */
static inline void ring_take(struct ring *ring, unsigned int n, size_t bytes)
{
	WRITE_ONCE(ring->tail, ring->tail + n);
	ring->bytes -= bytes;
}
/*
 * Put the last n of the taken slots, which have so many bytes in all, back into the ring.
 * `consumer` and ring->lock are held.
 */
static inline void ring_put_back(struct ring *ring, unsigned int n, size_t bytes)
{
	WRITE_ONCE(ring->tail, ring->tail - n);
	ring->bytes += bytes;
}
/* Free the places of the slots that are out. `consumer` is held. */
static inline void ring_free_places(struct ring *ring)
{
	store_release(&ring->kept, ring->tail);
}
/* Returns how many of n slots, from a position on, are adjacent in memory. */
static inline unsigned int ring_run(const struct ring *ring, unsigned int position, unsigned int n)
{
	return MIN(n, ring->nr_slots - (position & (ring->nr_slots - 1)));
}

/* ---- fs/pipe/ring.c ---- */

/*
 * Returns how many of the first slots, at most max, have no more than len bytes together and the
 * same envelope as the first one, and sets *bytes to their bytes. The ring has at least max slots.
 * ring->lock is held.
 */
unsigned int ring_whole_slots(const struct ring *ring, unsigned int max, size_t len, size_t *bytes);
/*
 * Copy n slots to the places behind the head, from an array, or from position `at` of another ring.
 * They are invisible until the head has moved. There are at least n free places. `producer` is
 * held, and the lock of the other ring.
 */
void ring_copy_array(struct ring *ring, const struct pipe_slot *slots, unsigned int n);
void ring_copy_slots(struct ring *ring, const struct ring *from, unsigned int at, unsigned int n);
/*
 * The n slots behind the head are copies of slots that stay in their ring. Take a reference for
 * each copy. Returns how many copies, from the first on, got one. That is fewer than n if a page's
 * reference count is full. `producer` is held, and the lock of the ring with the originals.
 */
unsigned int ring_share_copies(struct ring *ring, unsigned int n);

/*
 * Returns the number of slots of a ring for so many bytes, PAGE_SIZE in each slot: a power of two,
 * at least 1, or 0 if no ring can be that large.
 */
unsigned int ring_slots_for(unsigned long bytes);
/*
 * Move the slots of the ring to the array `slots`, which has room for them, and use it from now on.
 * All of its places may be filled, so this sets max_slots too. The old array is the caller's. Both
 * mutexes and ring->lock are held.
 */
void ring_resize(struct ring *ring, struct pipe_slot *slots, unsigned int nr_slots);

#endif
