/*
 * poll and ppoll: an array of descriptors and what is wanted of them. The machinery is in
 * fs/poll.c.
 *
 * 1. A poll that a signal interrupted goes on, if no handler runs, until the time that it was first
 *    given.
 * 2. ppoll writes back what is left of its time-out, and is restarted with that.
 */
#include "fs/poll_table.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "kernel/time.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

struct pollfd {
	int32_t fd; /* negative: passed over */
	uint16_t events, revents;
};

#define POLLFD_FEW 16u /* these have room on the stack */

/* How many are ready. Once one is, no further queue is joined. */
static int look(struct pollfd *fds, unsigned int nr, struct poll_table *table)
{
	int ready = 0;

	for (unsigned int i = 0; i < nr; i++) {
		unsigned int events = poll_fd(fds[i].fd, table);

		if (events)
			events &= fds[i].fd < 0 ? 0 : fds[i].events | POLLERR | POLLHUP | POLLNVAL;
		fds[i].revents = events;
		if (events) {
			ready++;
			table = NULL;
		}
	}
	return ready;
}

/* How many are ready; 0: the time has passed; -EINTR, -ENOMEM. */
static int poll_until(struct pollfd *fds, unsigned int nr, uint64_t deadline)
{
	bool in_time = deadline != 0;
	struct poll_table table;
	int ready;

	poll_table_init(&table);
	ready = look(fds, nr, in_time ? &table : NULL);
	while (ready == 0 && in_time) {
		ready = table.error;
		if (ready == 0 && signal_pending())
			ready = -EINTR;
		if (ready)
			break;
		in_time = poll_sleep(&table, deadline);
		ready = look(fds, nr, NULL);
	}
	poll_table_leave(&table);
	return ready;
}

static int poll_user(struct pollfd __user *user, unsigned int nr, uint64_t deadline)
{
	struct pollfd few[POLLFD_FEW], *fds = few;
	int ready;

	if (nr > current->process->limits[RLIMIT_NOFILE].soft)
		return refuse(EINVAL, "more than RLIMIT_NOFILE descriptors");
	if (nr > POLLFD_FEW) {
		fds = kmalloc(nr * sizeof(*fds), 0);
		if (!fds)
			return -ENOMEM;
	}
	ready = copy_from_user(fds, user, nr * sizeof(*fds));
	if (ready == 0) {
		ready = poll_until(fds, nr, deadline);
		if (ready >= 0 && copy_to_user(user, fds, nr * sizeof(*fds)))
			ready = -EFAULT;
	}
	if (fds != few)
		kfree(fds);
	return ready;
}

static long poll_restartable(struct task *task)
{
	int ready = poll_user(task->restart_arg, task->restart_value, task->restart_deadline);

	if (ready != -EINTR)
		return ready;
	task->restart = poll_restartable;
	return -ERESTART_RESTARTBLOCK;
}

long sys_poll(struct pollfd __user *fds, unsigned int nr, int milliseconds)
{
	struct task *task = current;

	task->restart_arg = fds;
	task->restart_value = nr;
	task->restart_deadline = UINT64_MAX;
	if (milliseconds == 0)
		task->restart_deadline = 0;
	else if (milliseconds > 0)
		task->restart_deadline = deadline_after((uint64_t)milliseconds * NSEC_PER_MSEC);
	return poll_restartable(task);
}

static long ppoll(struct pollfd __user *fds, unsigned int nr, enum poll_time form,
		  void __user *timeout, const sigmask_t __user *mask, size_t mask_size)
{
	uint64_t deadline;
	int ready = poll_get_deadline(form, timeout, &deadline);

	if (!ready)
		ready = poll_block_signals(mask, mask_size);
	if (ready)
		return ready;
	ready = poll_user(fds, nr, deadline);
	poll_put_rest(form, timeout, deadline);
	return ready == -EINTR ? -ERESTARTNOHAND : ready;
}

long sys_ppoll(struct pollfd __user *fds, unsigned int nr, void __user *timeout,
	       const sigmask_t __user *mask, size_t mask_size)
{
	return ppoll(fds, nr, POLL_TIMESPEC, timeout, mask, mask_size);
}

long sys_ppoll_time64(struct pollfd __user *fds, unsigned int nr, void __user *timeout,
		      const sigmask_t __user *mask, size_t mask_size)
{
	return ppoll(fds, nr, POLL_TIMESPEC64, timeout, mask, mask_size);
}
