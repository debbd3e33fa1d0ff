/*
 * What poll, ppoll, select and pselect share: one table of waiters for all wait queues of the
 * files.
 */
#ifndef FS_FILE_POLL_H
#define FS_FILE_POLL_H

#include "kernel/signals/signal.h"
#include "kernel/wait.h"

#define POLLIN	   0x0001
#define POLLPRI	   0x0002
#define POLLOUT	   0x0004
#define POLLERR	   0x0008
#define POLLHUP	   0x0010
#define POLLNVAL   0x0020
#define POLLRDNORM 0x0040
#define POLLMSG	   0x0400
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLWRBAND 0x0200
#define POLLRDHUP  0x2000

/* A pointer to it may be NULL: do not join any queue. */
struct poll_table {
	void (*join)(struct poll_table *table, struct wait_queue *queue, unsigned int events);
	struct process *process; /* during a call of `join`: the queue is this process's; or NULL */
	bool own;		 /* join only queues that are woken for this file alone */
};

/*
 * For file_ops.poll: join `queue`, before the file checks its condition. The queue exists as long
 * as the file is open. Wakeups with WAKE_EVENT announce these events there, and those with
 * WAKE_STATE any. Without memory nothing is joined, and the poll call returns -ENOMEM. May sleep.
 */
static inline void poll_wait(struct poll_table *table, struct wait_queue *queue,
			     unsigned int events)
{
	if (table)
		table->join(table, queue, events);
}
/* The same for a queue that exists as long as the process. */
static inline void poll_wait_process(struct poll_table *table, struct process *process,
				     struct wait_queue *queue, unsigned int events)
{
	if (!table)
		return;
	table->process = process;
	table->join(table, queue, events);
	table->process = NULL;
}

/* ---- shared by poll and select ---- */

struct pollfd {
	int32_t fd; /* ignored if negative */
	uint16_t events, revents;
};

/*
 * Wait until a file has one of its `events`, or one of the events in `always`, and set all revents.
 * Returns the number of files that are ready, 0 if the deadline has passed, -EINTR or -ENOMEM.
 * `deadline` is a time_now() in nanoseconds, 0 for no waiting at all, or UINT64_MAX for ever. May
 * sleep.
 */
int poll_until(struct pollfd *fds, unsigned int nr, unsigned int always, uint64_t deadline);
/*
 * Read a timeout from user memory, and set *deadline to the time at which it ends: 0 if the timeout
 * is 0, UINT64_MAX if `from` is NULL. With `timeval` it is a struct timeval, otherwise a timespec
 * of the size that the system call uses. Returns 0, -EFAULT or -EINVAL. May sleep.
 */
int poll_get_deadline(bool timeval, const void __user *from, uint64_t *deadline);
/*
 * Write the time that is left until the deadline to user memory, in the same form. Ignores a page
 * fault, because the call itself has succeeded.
 */
void poll_put_rest(bool timeval, void __user *to, uint64_t deadline);
/*
 * For ppoll and pselect: replace the set of blocked signals until the call has returned. Does
 * nothing if `mask` is NULL. Returns 0, -EFAULT or -EINVAL.
 */
int poll_block_signals(const sigmask_t __user *mask, size_t size);

#endif
