/*
 * Pipes: rings of page slots. A slot is a promise: *these `len` bytes, which will not change, though
 * they may not have arrived.*
 *
 * 1. `consumer` serialises those who take, `producer` those who put; pipe->lock guards head, tail and a slot's
 *    offset and len, for a few lines. Neither mutex is held across a wait for data, room, disk, socket or page
 *    fault; `consumer` before `producer`, and nobody waits for a consumer while holding a producer.
 * 2. A slot is published and consumed whole, by struct assignment.
 * 3. Every publish, pop, resize and close wakes all sleepers of its queue; a pop wakes `readable` too.
 * 4. A write up to PIPE_BUF goes whole into one slot.
 * 5. The pipe has one arrival waiter, armed on the page of its first slot; the completion of that page wakes
 *    `readable`.
 * 6. An empty pipe holds no page.
 */
#ifndef FS_PIPE_H
#define FS_PIPE_H

#include "fs/pagecache.h"
#include "fs/poll.h"
#include "kernel/mutex.h"

struct inode;
struct file;
struct file_ops;
struct iter;
struct text;

#define PIPE_BUF		4096u
#define PIPE_DEFAULT_SLOTS	16u
#define PIPE_MIN_SLOTS		1u

struct pipe_slot {
	struct page *page;		/* first page; the bytes may run on into its followers */
	unsigned int offset, len;	/* bytes; both may exceed PAGE_SIZE for a compound page */
	const struct pipe_slot_ops *ops;
	unsigned int flags;		/* SLOT_* */
	unsigned long private;		/* the ops' own, e.g. the inode that a cache slot holds */
};

enum slot_flags {
	SLOT_MERGE  = 1,		/* write(2) may append behind the last byte; never leaves its pipe */
	SLOT_PACKET = 2,		/* O_DIRECT: a read takes at most this slot, the rest is dropped */
	SLOT_GIFT   = 4,		/* vmsplice gave the page away; never leaves its pipe */
};

/*
 * A NULL entry means the default for an ordinary page, in brackets.
 */
struct pipe_slot_ops {
	const char *kind;		/* for /proc/pipes: "anon", "cache", "user", "skb", "mmio" */
	/* Are the bytes there? Never sleeps: 0, -EAGAIN on their way, -EIO the read failed, -ENODATA the page
	 * left its file before it was read. [0] */
	int   (*confirm)(struct pipe_slot *);
	/* Address of byte `at` (counted from the slot's offset), valid to the end of its page. After confirm said 0;
	 * never sleeps or fails. Unmapped in reverse order. [kmap_local] */
	void *(*map)(struct pipe_slot *, unsigned int at);
	void  (*unmap)(struct pipe_slot *, void *addr);
	/* One more holder; false: the count is full. [page reference and lent] */
	bool  (*get)(struct pipe_slot *);
	/* One holder less; never sleeps. [lent and page reference] */
	void  (*release)(struct pipe_slot *);
	/* Asked after the slot has left the ring: may the page become the caller's own? Yes only if nobody
	 * else holds it; the promise (lent) is then given back, and the reference is the caller's. [no] */
	bool  (*steal)(struct pipe_slot *);
};

extern const struct pipe_slot_ops anon_slot_ops;	/* write(2): fs/pipe.c */
extern const struct pipe_slot_ops cache_slot_ops;	/* splice from a file: fs/splice.c; private: the inode, referenced */

static inline int slot_confirm(struct pipe_slot *slot)
{
	return slot->ops->confirm ? slot->ops->confirm(slot) : 0;
}
void *slot_map(struct pipe_slot *slot, unsigned int at);
void slot_unmap(struct pipe_slot *slot, void *addr);
bool slot_get(struct pipe_slot *slot);
void slot_release(struct pipe_slot *slot);
/* A failed slot that a reader reached: start the disk's read again. */
void slot_retry(struct pipe_slot *slot);

struct pipe {
	struct mutex		 consumer;	/* serialises those who take: read, splice out, tee's source */
	struct mutex		 producer;	/* serialises those who put: write, splice in, tee's target */
	spinlock_t		 lock;		/* plain: head, tail, nr_slots, slots[].offset and len */
	unsigned int		 head, tail;	/* free-running; head - tail slots are full */
	unsigned int		 nr_slots;	/* power of two */
	struct pipe_slot	*slots;
	unsigned int		 readers, writers;	/* lock; open ends */
	unsigned int		 reader_opens, writer_opens; /* lock; counts for FIFO open rules */
	struct wait_queue	 readable, writable;
	struct page_waiter	 arrival;	/* the first slot's page; wakes readable */
	unsigned int		 users;		/* lock; open files. The last one frees the pipe */
	struct inode		*inode;
	struct list		 link;		/* all pipes, for /proc/pipes; pipes_lock */
};

static inline unsigned int pipe_used(const struct pipe *pipe)	{ return pipe->head - pipe->tail; }
static inline bool pipe_full(const struct pipe *pipe)		{ return pipe_used(pipe) >= pipe->nr_slots; }
static inline struct pipe_slot *pipe_at(struct pipe *pipe, unsigned int position)
{
	return &pipe->slots[position & (pipe->nr_slots - 1)];
}

/* The pipe of an open file (pipe end or FIFO), or NULL. */
struct pipe *file_pipe(struct file *file);

/* Two files, flags of pipe2: 0, -EMFILE, -ENFILE, -ENOMEM, -EINVAL. */
int pipe_create(struct file *ends[2], unsigned int flags);

/* F_GETPIPE_SZ / F_SETPIPE_SZ: bytes, or -EBADF (no pipe), -EBUSY, -EPERM, -EINVAL, -ENOMEM. */
long pipe_get_size(struct file *file);
long pipe_set_size(struct file *file, unsigned long bytes);

/*
 * For splice: sleep until the first slot's bytes are there (or failed), or `need` is met; the caller holds
 * neither mutex and starts over afterwards. 0, -EAGAIN if nonblock, -ERESTARTSYS.
 */
enum pipe_need { PIPE_NEED_SLOT, PIPE_NEED_BYTES };
int pipe_wait_readable(struct pipe *pipe, enum pipe_need need, bool nonblock);
int pipe_wait_writable(struct pipe *pipe, bool nonblock);

extern const struct file_ops pipe_file_ops;	/* for pipe ends and, after their open, FIFOs */
extern const struct file_ops fifo_file_ops;	/* of a FIFO's inode: its open finds or makes the pipe */
extern unsigned int pipe_max_bytes;		/* /proc/sys/fs/pipe-max-size */

#endif
