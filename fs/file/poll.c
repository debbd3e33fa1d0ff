/*
 * poll and select: sleep until one of many files is ready.
 *
 * 1. The first look at each file joins the file's wait queues (poll_wait). Later looks only check
 *    the files. The waiters of a call are in its table: a few on the stack, more in blocks of their
 *    own.
 * 2. A wakeup sets call->woken and wakes the task. The task clears `woken` before each look at the
 *    files. It sleeps only if `woken` is still clear after the task's state has become sleeping:
 *
 *	poller				waker
 *	looks: not ready
 *					makes it ready, woken = true; the task runs: nothing to wake
 *	state = sleeping
 *	woken? yes: does not sleep
 *
 *    The store of the state is a full barrier, and so is task_wake(). So at least one of the two
 *    sees what the other has stored.
 * 3. Another thread may close a descriptor while this task sleeps on its file's queue. If the file
 *    table is shared, the poll table therefore holds a reference to the file.
 * 4. A timeout is kept as a point in time. The task's own timer wakes it exactly then.
 * 5. A poll that a signal has interrupted continues until its first deadline, unless a handler
 *    runs. ppoll writes back the rest of its timeout, and is restarted with that.
 */
#include "fs/file/poll.h"
#include "fs/file/file.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
#include "kernel/process/personality.h"
#include "kernel/process/timecalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "mm/vmalloc.h"

#define WAITERS_FEW   8u  /* waiters in the table itself */
#define WAITERS_BLOCK 72u /* in a block of (nearly) 2 KiB */

struct poll_waiter {
	struct waiter waiter;
	struct wait_queue *queue;
	struct poll_call *call;
	struct file *file; /* a reference; NULL: no other task can close it */
};

struct poll_block {
	struct poll_block *next;
	unsigned int nr;
	struct poll_waiter waiters[WAITERS_BLOCK];
};

struct poll_call {
	struct poll_table table;
	struct task *task;
	bool woken;	   /* by a waker, in an interrupt perhaps */
	int error;	   /* -ENOMEM: a queue could not be joined */
	struct file *file; /* that the waiters keep while it is polled; NULL: needs no reference */
	unsigned int nr_few;
	struct poll_waiter few[WAITERS_FEW];
	struct poll_block *blocks;
};

#define POLLFD_FEW 16u /* this many have room on the stack */

static bool poll_woken(struct waiter *waiter, enum wake_reason reason)
{
	struct poll_call *call = container_of(waiter, struct poll_waiter, waiter)->call;

	WRITE_ONCE(call->woken, true);
	task_wake(call->task);
	return false;
}

static struct poll_waiter *new_waiter(struct poll_call *call)
{
	struct poll_block *block = call->blocks;

	if (call->nr_few < WAITERS_FEW)
		return &call->few[call->nr_few++];
	if (!block || block->nr == WAITERS_BLOCK) {
		block = kmalloc(sizeof(*block), 0);
		if (!block) {
			call->error = -ENOMEM;
			return NULL;
		}
		block->nr = 0;
		block->next = call->blocks;
		call->blocks = block;
	}
	return &block->waiters[block->nr++];
}

static void poll_join(struct poll_table *table, struct wait_queue *queue, unsigned int events)
{
	struct poll_call *call = container_of(table, struct poll_call, table);
	struct poll_waiter *waiter = new_waiter(call);

	if (!waiter)
		return;
	waiter->call = call;
	waiter->queue = queue;
	waiter->file = call->file;
	if (waiter->file)
		file_get(waiter->file);
	waiter->waiter.task = NULL;
	waiter->waiter.wake = poll_woken;
	waiter->waiter.exclusive = false;
	wait_add(queue, &waiter->waiter);
}

static void leave(struct poll_waiter *waiters, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		wait_remove(waiters[i].queue, &waiters[i].waiter);
		if (waiters[i].file)
			file_put(waiters[i].file);
	}
}

/* Leave all queues. */
static void leave_all(struct poll_call *call)
{
	struct poll_block *block;

	leave(call->few, call->nr_few);
	while ((block = call->blocks) != NULL) {
		call->blocks = block->next;
		leave(block->waiters, block->nr);
		kfree(block);
	}
}

/*
 * Sleep until a queue of the table is woken or a signal arrives. Returns false if the deadline has
 * passed first.
 */
static bool poll_sleep_until(struct poll_call *call, uint64_t deadline)
{
	bool in_time = true;

	(void)__atomic_exchange_n(&current->state, TASK_INTERRUPTIBLE, __ATOMIC_SEQ_CST);
	if (!READ_ONCE(call->woken) && !signal_pending())
		in_time = schedule_until(deadline);
	current->state = TASK_RUNNING;
	/*
	 * Clear `woken` before the next look at the files. That look sees everything that earlier
	 * wakeups were about, and a later wakeup sets `woken` again.
	 */
	(void)__atomic_exchange_n(&call->woken, false, __ATOMIC_SEQ_CST);
	return in_time;
}

/* Returns the events that hold for a file now, and joins its queues unless `table` is NULL. */
static inline unsigned int ask(struct file *file, struct poll_table *table)
{
	if (likely(file->ops->poll))
		return file->ops->poll(file, table);
	return POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
}

/* The same for a descriptor in a table that other tasks use, too. */
static __noinline unsigned int ask_shared(int number, struct poll_call *call)
{
	struct fd fd = fd_get(number);
	unsigned int events = POLLNVAL;

	if (fd.file) {
		if (call)
			call->file = fd.counted ? fd.file : NULL;
		events = ask(fd.file, call ? &call->table : NULL);
	}
	fd_put(fd);
	return events;
}

/* Returns how many files are ready. Joins no more queues after the first one that is. */
static int look(struct pollfd *fds, unsigned int nr, unsigned int always, struct poll_call *call)
{
	struct file_table *files = current->files;
	bool shared = file_table_is_shared(files);
	struct pollfd *end = fds + nr;
	int ready = 0;

	for (; fds < end; fds++) {
		struct file *file = shared ? NULL : file_table_at(files, fds->fd);
		unsigned int events = POLLNVAL;

		if (likely(file))
			events = ask(file, call ? &call->table : NULL);
		else if (shared)
			events = ask_shared(fds->fd, call);
		if (events)
			events &= fds->fd < 0 ? 0 : fds->events | always;
		fds->revents = events;
		if (events) {
			ready++;
			call = NULL;
		}
	}
	return ready;
}

int poll_until(struct pollfd *fds, unsigned int nr, unsigned int always, uint64_t deadline)
{
	bool in_time = deadline != 0;
	struct poll_call call;
	int ready;

	call.table = (struct poll_table){ .join = poll_join };
	call.task = current;
	call.woken = false;
	call.error = 0;
	call.file = NULL;
	call.nr_few = 0;
	call.blocks = NULL;
	ready = look(fds, nr, always, in_time ? &call : NULL);
	while (ready == 0 && in_time) {
		ready = call.error;
		if (ready == 0 && signal_pending())
			ready = -EINTR;
		if (ready)
			break;
		in_time = poll_sleep_until(&call, deadline);
		ready = look(fds, nr, always, NULL);
	}
	leave_all(&call);
	return ready;
}

/* ---- timeouts in user memory ---- */

int poll_get_deadline(bool timeval, const void __user *from, uint64_t *deadline)
{
	struct timeval32 old;
	uint64_t ns;
	int error;

	*deadline = UINT64_MAX;
	if (!from)
		return 0;
	if (timeval) {
		error = copy_from_user(&old, from, sizeof(old));
		/* select takes any number of microseconds that is not negative. */
		if (!error && (old.sec < 0 || old.usec < 0))
			error = refuse(EINVAL, "a negative time");
		ns = old.sec * NSEC_PER_SEC + old.usec * 1000ull;
	} else {
		error = time_from_user(&ns, from, call_has_time64());
	}
	if (error)
		return error;
	*deadline = ns == 0 ? 0 : deadline_after(ns);
	return 0;
}

void poll_put_rest(bool timeval, void __user *to, uint64_t deadline)
{
	uint64_t now = time_now();
	uint64_t left = deadline > now ? deadline - now : 0;
	struct timeval32 old = timeval_from_ns(left);

	if (!to || current->personality & STICKY_TIMEOUTS)
		return;
	if (timeval)
		(void)copy_to_user(to, &old, sizeof(old));
	else
		(void)time_to_user(left, to, call_has_time64());
}

int poll_block_signals(const sigmask_t __user *mask, size_t size)
{
	sigmask_t blocked;

	if (!mask)
		return 0;
	if (size != sizeof(blocked))
		return refuse(EINVAL, "a signal mask of the wrong size");
	if (copy_from_user(&blocked, mask, sizeof(blocked)))
		return -EFAULT;
	signal_set_blocked_temporarily(blocked);
	return 0;
}

/* ---- poll and ppoll ---- */

static int poll_user(struct pollfd __user *user, unsigned int nr, uint64_t deadline)
{
	struct pollfd few[POLLFD_FEW], *fds = few;
	int ready;

	if (nr > current->process->limits[RLIMIT_NOFILE].soft)
		return refuse(EINVAL, "more than RLIMIT_NOFILE descriptors");
	if (nr > POLLFD_FEW) {
		fds = buffer_alloc(nr * sizeof(*fds), 0);
		if (!fds)
			return -ENOMEM;
	}
	ready = copy_from_user(fds, user, nr * sizeof(*fds));
	if (ready == 0) {
		ready = poll_until(fds, nr, POLLERR | POLLHUP | POLLNVAL, deadline);
		if (ready >= 0 && copy_to_user(user, fds, nr * sizeof(*fds)))
			ready = -EFAULT;
	}
	if (fds != few)
		buffer_free(fds, nr * sizeof(*fds));
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

long sys_ppoll(struct pollfd __user *fds, unsigned int nr, void __user *timeout,
	       const sigmask_t __user *mask, size_t mask_size)
{
	uint64_t deadline;
	int ready = poll_get_deadline(false, timeout, &deadline);

	if (!ready)
		ready = poll_block_signals(mask, mask_size);
	if (ready)
		return ready;
	ready = poll_user(fds, nr, deadline);
	poll_put_rest(false, timeout, deadline);
	return ready == -EINTR ? -ERESTARTNOHAND : ready;
}
