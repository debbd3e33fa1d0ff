/*
 * Pipes: rings of page slots. A slot is a promise: *these `len` bytes, which will not change,
 * though they may not have arrived.*
 *
 * 1. `consumer` serialises those who take, `producer` those who put; pipe->lock guards head, tail
 *    and a slot's offset and len, for a few lines. Neither mutex is held across a wait for data,
 *    room, disk, socket or page fault, but `consumer` while a splice writes to a file;
 *    `consumer` before `producer`, and nobody waits for a consumer while holding a producer.
 * 2. A slot is published and consumed whole, by struct assignment.
 * 3. Every publish, pop, resize and close wakes all sleepers of its queue; a pop wakes `readable`
 *    too.
 * 4. A write up to PIPE_BUF goes whole into one slot.
 * 5. The pipe has one arrival waiter, armed on the page of its first slot; the completion of that
 *    page wakes `readable`.
 * 6. An empty pipe holds no page.
 * 7. Splice into a file takes slots out of the ring while it writes, and may put some of them back:
 *    their places stay theirs (`kept`) until it has ended.
 * 8. Who holds `producer` may read head, and who holds `consumer` tail, kept and the first slot,
 *    without pipe->lock; either may look at one word of the other's: a slot is whole before the head
 *    moves over it, and a place is free before `kept` does, so what is seen late errs on the safe side.
 *    Such a word is written with WRITE_ONCE: the compiler neither splits the store nor moves it.
 */
#ifndef FS_PIPE_PIPE_H
#define FS_PIPE_PIPE_H

#include "mm/vm/iter.h"
#include "fs/cache/pagecache.h"
#include "fs/file/poll.h"
#include "fs/names/vfs.h"
#include "kernel/mutex.h"
#include "mm/kmap.h"

struct inode;
struct file;
struct file_ops;
struct iter;
struct text;

#define PIPE_BUF	   4096u
#define PIPE_DEFAULT_SLOTS 16u

//BOOK: slot
struct pipe_slot {
	struct page *page;	  /* the head; the bytes may run on into its followers */
	unsigned int offset, len; /* bytes; both may exceed PAGE_SIZE for a compound page */
	const struct pipe_slot_ops *ops;
	unsigned int flags;    /* SLOT_* */
	unsigned long private; /* the ops' own, e.g. the inode that a cache slot holds */
};

enum slot_flags {
	SLOT_MERGE = 1,	 /* write(2) may append behind the last byte; never leaves its pipe */
	SLOT_PACKET = 2, /* O_DIRECT: a read takes at most this slot, the rest is dropped */
};

/*
 * A NULL entry means the default for an ordinary page, in brackets.
 */
struct pipe_slot_ops {
	const char *kind; /* for /proc/pipes: "anon", "cache", "user", "skb", "mmio" */
	/*
	 * Are the bytes there? Never sleeps: 0, -EAGAIN on their way, -EIO the read failed,
	 * -ENODATA the page left its file before it was read. [0]
	 */
	int (*confirm)(struct pipe_slot *);
	/*
	 * Address of byte `at` (counted from the slot's offset), valid to the end of its page.
	 * After confirm said 0; never sleeps or fails. Unmapped in reverse order. [kmap_local]
	 */
	void *(*map)(struct pipe_slot *, unsigned int at);
	void (*unmap)(struct pipe_slot *, void *addr);
	/* One more holder; false: the count is full. [page reference and lent] */
	bool (*get)(struct pipe_slot *);
	/*
	 * One holder less. Called without a spinlock; sleeps only where the slot was the last
	 * holder of a removed file. [lent and page reference]
	 */
	void (*release)(struct pipe_slot *);
	/*
	 * Asked after the slot has left the ring: may the page become the caller's own? Yes only if
	 * nobody else holds it; the promise (lent) is then given back, and the reference is the
	 * caller's. [no]
	 */
	bool (*steal)(struct pipe_slot *);
};

/* fs/pipe/slot.c */
extern const struct pipe_slot_ops anon_slot_ops;  /* write(2) */
extern const struct pipe_slot_ops skb_slot_ops;	  /* send(2) */
extern const struct pipe_slot_ops user_slot_ops;  /* vmsplice */
extern const struct pipe_slot_ops zero_slot_ops;  /* the zero page: /dev/zero, a hole */
extern const struct pipe_slot_ops cache_slot_ops; /* splice from a file: the bytes were there */
/* The same, and they were on their way. private: the inode, referenced. */
extern const struct pipe_slot_ops coming_slot_ops;

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
static inline bool page_slot_get(struct pipe_slot *slot)
{
	struct page *page = slot->page;

	if (unlikely(!page_get_head(page)))
		return false;
	atomic_inc(&page->lent);
	return true;
}
static inline bool slot_get(struct pipe_slot *slot)
{
	return slot->ops->get ? slot->ops->get(slot) : page_slot_get(slot);
}
static inline void page_slot_release(struct page *page)
{
	page_unlend(page);
	page_put_head(page);
}
static inline void slot_release(struct pipe_slot *slot)
{
	if (slot->ops->release)
		slot->ops->release(slot);
	else
		page_slot_release(slot->page);
}
/* A failed slot that a reader reached: start the disk's read again. May wait for metadata. */
void slot_retry(struct pipe_slot *slot);
/*
 * Copy n bytes from byte `at` on to the iterator, without faulting pages in: how many were copied.
 * The bytes are there.
 */
size_t slot_copy_pages(struct pipe_slot *slot, unsigned int at, size_t n, struct iter *to);
static inline size_t slot_copy_to(struct pipe_slot *slot, unsigned int at, size_t n,
				  struct iter *to)
{
	void *from;
	size_t copied;

	if (unlikely(((slot->offset + at) & (PAGE_SIZE - 1)) + n > PAGE_SIZE))
		return slot_copy_pages(slot, at, n, to);
	from = slot_map(slot, at);
	copied = iter_copy_to_nofault(to, from, n);
	slot_unmap(slot, from);
	return copied;
}

struct pipe {
	struct mutex consumer;	 /* serialises those who take: read, splice out, tee's source */
	struct mutex producer;	 /* serialises those who put: write, splice in, tee's target */
	spinlock_t lock;	 /* plain: head, tail, bytes, nr_slots, slots[].offset and len */
	unsigned int head, tail; /* free-running; head - tail slots are full */
	uint64_t bytes;		 /* what these slots have together */
	unsigned int nr_slots;	 /* power of two */
	unsigned int
		kept; /* places before this are free: the tail, but while a splice has slots out */
	struct pipe_slot *slots;
	unsigned int readers, writers;		 /* lock; open ends */
	unsigned int reader_opens, writer_opens; /* lock; counts for FIFO open rules */
	struct wait_queue readable, writable;
	struct page_waiter arrival; /* the first slot's page; wakes readable */
	unsigned int users;	    /* pipes_lock; open files. The last one frees the pipe */
	struct inode *inode;
	struct pipe_user *user;	 /* whose pipe-user-pages-soft it counts against */
	unsigned int user_pages; /* and how much */
	struct list link;	 /* all pipes, for /proc/pipes; pipes_lock */
	struct pipe_slot
		first_slots[PIPE_DEFAULT_SLOTS]; /* storage for `slots`, until it is resized */
};

static inline unsigned int pipe_used(const struct pipe *pipe)
{
	return pipe->head - pipe->tail;
}
static inline bool pipe_full(const struct pipe *pipe)
{
	return pipe->head - READ_ONCE(pipe->kept) >= pipe->nr_slots;
}
static inline struct pipe_slot *pipe_at(struct pipe *pipe, unsigned int position)
{
	return &pipe->slots[position & (pipe->nr_slots - 1)];
}

/* Two files, flags of pipe2: 0, -EMFILE, -ENFILE, -ENOMEM, -EINVAL. */
int pipe_create(struct file *ends[2], unsigned int flags);

/* F_GETPIPE_SZ / F_SETPIPE_SZ: bytes, or -EBADF (no pipe), -EBUSY, -EPERM, -EINVAL, -ENOMEM. */
long pipe_get_size(struct file *file);
long pipe_set_size(struct file *file, unsigned long bytes);

/* ---- fs/pipe/pipe.c ---- */

/* A reader: copy to `to` what is there, as read(2) says. */
ssize_t pipe_take(struct pipe *pipe, struct iter *to, bool nonblock);
/* Drop `n` bytes of the first slot. `consumer` is held. */
void pipe_advance(struct pipe *pipe, struct pipe_slot *first, unsigned int n);
/*
 * The first slot has failed (-EIO) or gone (-ENODATA), and nothing was taken yet: start its read
 * again, or drop it. `consumer` is held, and given back. Returns the error.
 */
int pipe_report_failed(struct pipe *pipe, int error);
/* No reader is left: SIGPIPE to the task, unless it is a kernel task; -EPIPE. */
int pipe_broken(void);

/* ---- fs/pipe/wait.c ---- */

/*
 * Sleep until the first slot is there (and, if `need` says bytes, until they have arrived or
 * failed), or no writer is left; the caller holds neither mutex and starts over afterwards. 0,
 * -EAGAIN if nonblock, -ERESTARTSYS.
 */
enum pipe_need { PIPE_NEED_SLOT, PIPE_NEED_BYTES };
int pipe_wait_readable(struct pipe *pipe, enum pipe_need need, bool nonblock);
/* Sleep until there is room for a slot, or no reader is left. The same. */
int pipe_wait_writable(struct pipe *pipe, bool nonblock);
/* The same for slots that must find room: only a SIGKILL interrupts it. */
int pipe_wait_room(struct pipe *pipe);
void pipe_arrival_init(struct pipe *pipe);
unsigned int pipe_poll(struct file *file, struct poll_table *table);

/* ---- fs/pipe/open.c: pipes come and go ---- */

/* A pipe for `inode`, with one user, the caller; on the list of all pipes. NULL: no memory. */
struct pipe *pipe_alloc(struct inode *inode);
/* One user less; the last one frees the pipe and what is in it. No lock is held. */
void pipe_put(struct pipe *pipe);
/* A file that is open on the pipe is closed. */
void pipe_release(struct file *file);
extern spinlock_t pipes_lock; /* plain; taken before any pipe->lock */
extern struct list all_pipes;
/* May the current user see what is in the pipe, in /proc/pipes? */
bool pipe_shown_to_current(const struct pipe *pipe);
extern unsigned int pipe_user_pages_soft; /* /proc/sys/fs/pipe-user-pages-soft */

extern const struct file_ops pipe_file_ops; /* for pipe ends and, after their open, FIFOs */
/* The pipe of an open file (pipe end or FIFO), or NULL. */
static inline struct pipe *file_pipe(struct file *file)
{
	return file->ops == &pipe_file_ops ? file->private : NULL;
}
extern const struct file_ops
	fifo_file_ops;		    /* of a FIFO's inode: its open finds or makes the pipe */
extern unsigned int pipe_max_bytes; /* /proc/sys/fs/pipe-max-size */

#endif
