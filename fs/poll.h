/*
 * poll, ppoll, select, pselect: one table of waiters for all queues that the files name.
 */
#ifndef FS_POLL_H
#define FS_POLL_H

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

#endif
