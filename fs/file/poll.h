/*
 * poll, ppoll, select, pselect: one table of waiters for all queues that the files name.
 */
#ifndef FS_FILE_POLL_H
#define FS_FILE_POLL_H

#include "kernel/process/signal.h"
#include "kernel/wait.h"

#define POLLIN	   0x0001
#define POLLPRI	   0x0002
#define POLLOUT	   0x0004
#define POLLERR	   0x0008
#define POLLHUP	   0x0010
#define POLLNVAL   0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLWRBAND 0x0200
#define POLLRDHUP  0x2000

struct poll_table; /* NULL: just ask, join nothing */

/*
 * For file_ops.poll: join `queue`. Joins before the file checks its condition. Never fails (no
 * memory: the poll is told and returns -ENOMEM).
 */
void poll_join(struct poll_table *table, struct wait_queue *queue);
static inline void poll_wait(struct poll_table *table, struct wait_queue *queue)
{
	if (table)
		poll_join(table, queue);
}

/* ---- what poll has in common with select ---- */

struct pollfd {
	int32_t fd; /* negative: passed over */
	uint16_t events, revents;
};

/*
 * Wait until an event of `events`, or one of those that are told of `always`, holds for a file, and
 * fill in all revents. How many files are ready; 0: the deadline has passed (0: do not wait);
 * -EINTR, -ENOMEM.
 */
int poll_until(struct pollfd *fds, unsigned int nr, unsigned int always, uint64_t deadline);
/*
 * Time-outs in user memory: a struct timeval, or a timespec as the call has it. The point in time
 * at which it ends: 0 for none at all (do not wait), UINT64_MAX for ever (from is NULL). 0, -EFAULT,
 * -EINVAL.
 */
int poll_get_deadline(bool timeval, const void __user *from, uint64_t *deadline);
/*
 * Tell the program what is left of it. A fault is not an error: the call has done what it should.
 */
void poll_put_rest(bool timeval, void __user *to, uint64_t deadline);
/* ppoll, pselect: block these signals until the call has returned. 0, -EFAULT, -EINVAL. */
int poll_block_signals(const sigmask_t __user *mask, size_t size);

#endif
