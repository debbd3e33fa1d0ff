/*
 * The table of waiters behind poll and select (fs/poll.c), for the two that use it.
 */
#ifndef FS_POLL_TABLE_H
#define FS_POLL_TABLE_H

#include "fs/file.h"
#include "fs/poll.h"

struct file;
struct poll_table;

#define POLL_FEW   8u  /* waiters in the table itself */
#define POLL_BLOCK 72u /* in a block of (nearly) 2 KiB */

struct poll_waiter {
	struct waiter waiter;
	struct wait_queue *queue;
	struct poll_table *table;
	struct file *file; /* a reference; NULL: nobody else can close it */
};

struct poll_block {
	struct poll_block *next;
	unsigned int nr;
	struct poll_waiter waiters[POLL_BLOCK];
};

struct poll_table {
	struct task *task;
	bool woken;	   /* by a waker, in an interrupt perhaps */
	int error;	   /* -ENOMEM: a queue could not be joined */
	struct file *file; /* being asked; NULL: needs no reference */
	unsigned int nr_few;
	struct poll_waiter few[POLL_FEW];
	struct poll_block *blocks;
};

void poll_table_init(struct poll_table *table);
/* Leave all queues. */
void poll_table_leave(struct poll_table *table);
/*
 * What is true of a descriptor now: POLL* bits, POLLNVAL if it is none. table NULL: just ask, join
 * nothing.
 */
static inline unsigned int poll_fd(int number, struct poll_table *table)
{
	struct fd fd = fd_get(number);
	unsigned int events = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

	if (unlikely(!fd.file))
		return POLLNVAL;
	if (fd.file->ops->poll) {
		if (table)
			table->file = fd.counted ? fd.file : NULL;
		events = fd.file->ops->poll(fd.file, table);
	}
	fd_put(fd);
	return events;
}
/*
 * Sleep until a queue of the table is woken, a signal comes (true) or the deadline has passed
 * (false).
 */
bool poll_sleep(struct poll_table *table, uint64_t deadline);

/* The forms of a time-out in user memory. */
enum poll_time { POLL_TIMEVAL, POLL_TIMESPEC, POLL_TIMESPEC64 };
/*
 * The point in time at which it ends: 0 for none at all (do not wait), UINT64_MAX for ever (from is
 * NULL). 0, -EFAULT, -EINVAL.
 */
int poll_get_deadline(enum poll_time form, const void __user *from, uint64_t *deadline);
/*
 * Tell the program what is left of it. A fault is not an error: the call has done what it should.
 */
void poll_put_rest(enum poll_time form, void __user *to, uint64_t deadline);
/* ppoll, pselect: block these signals until the call has returned. 0, -EFAULT, -EINVAL. */
int poll_block_signals(const sigmask_t __user *mask, size_t size);

#endif
