/*
 * eventfd: a counter of 64 bits that is read and written as a file.
 *
 * 1. A write of 8 bytes adds to the counter, and waits while the sum would exceed EVENTFD_MAX. A
 *    read returns the counter and sets it to 0. With EFD_SEMAPHORE it returns 1 and subtracts 1. A
 *    read waits while the counter is 0.
 * 2. `lock`, a plain spinlock, guards the counter. The 8 bytes are copied to the reader under it,
 *    without faulting pages in. A read that fails therefore takes nothing.
 * 3. Each change of the counter comes before the wakeup, and a sleeper reads the counter under the
 *    lock after it has joined its queue:
 *
 *	reader				writer
 *	counter == 0
 *					adds 1; nobody is on `readable`: wakes nobody
 *	joins `readable`
 *	counter == 1: does not sleep
 */
#include "fs/events/event_file.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/syscalls.h"
#include "lib/print.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"

#define EFD_SEMAPHORE 1u

#define EVENTFD_MAX   (UINT64_MAX - 1)

struct eventfd {
	spinlock_t lock;
	uint64_t counter; /* guarded by lock */
	bool semaphore;
	struct wait_queue readable, writable;
};

SLAB_CACHE(eventfd_cache, "eventfd", struct eventfd, 0);

static uint64_t counter_now(struct eventfd *event)
{
	uint64_t counter;

	spin_lock(&event->lock);
	counter = event->counter;
	spin_unlock(&event->lock);
	return counter;
}

/* Take the value of a read. Returns 0, -EAGAIN if there is none, or -EFAULT. */
static int take(struct eventfd *event, struct iter *to)
{
	int error = -EAGAIN;
	uint64_t value;

	spin_lock(&event->lock);
	value = event->semaphore && event->counter ? 1 : event->counter;
	if (value) {
		size_t copied = iter_copy_to_nofault(to, &value, sizeof(value));

		error = copied == sizeof(value) ? 0 : -EFAULT;
		if (error)
			iter_rewind(to, copied);
		else
			event->counter -= value;
	}
	spin_unlock(&event->lock);
	return error;
}

static ssize_t eventfd_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct eventfd *event = file->private;
	int error;

	if (to->left < sizeof(uint64_t))
		return refuse(EINVAL, "fewer than 8 bytes");
	while ((error = take(event, to)) != 0) {
		if (error == -EFAULT)
			error = iter_fault_in(to, sizeof(uint64_t), true, true);
		else if (!(file->flags & O_NONBLOCK))
			error = wait_event_interruptible(&event->readable, counter_now(event) > 0);
		if (error)
			return error;
	}
	wake_all(&event->writable);
	return sizeof(uint64_t);
}

/* Returns 0, or -EAGAIN if the counter would become too large. */
static int add(struct eventfd *event, uint64_t value)
{
	int error = -EAGAIN;

	spin_lock(&event->lock);
	if (value <= EVENTFD_MAX - event->counter) {
		event->counter += value;
		error = 0;
	}
	spin_unlock(&event->lock);
	return error;
}

static ssize_t write_one(struct file *file, struct iter *from)
{
	struct eventfd *event = file->private;
	uint64_t value;
	int error;

	if (iter_piece(from) < sizeof(value))
		return refuse(EINVAL, "fewer than 8 bytes");
	if (iter_copy_from(from, &value, sizeof(value)) < sizeof(value))
		return -EFAULT;
	if (value > EVENTFD_MAX)
		return refuse(EINVAL, "the counter cannot become that large");
	while ((error = add(event, value)) != 0) {
		if (!(file->flags & O_NONBLOCK))
			error = wait_event_interruptible(&event->writable,
							 value <= EVENTFD_MAX - counter_now(event));
		if (error)
			return error;
	}
	wake_all(&event->readable);
	return sizeof(value);
}

/* Each segment of a writev is a write of its own, up to the first that has more than 8 bytes. */
static ssize_t eventfd_write(struct file *file, struct iter *from, file_off_t *pos)
{
	ssize_t done = 0, n;
	bool whole;

	do {
		whole = iter_piece(from) == sizeof(uint64_t);
		n = write_one(file, from);
		if (n > 0)
			done += n;
	} while (n > 0 && whole && from->left > 0);
	return done ? done : n;
}

static unsigned int eventfd_poll(struct file *file, struct poll_table *table)
{
	struct eventfd *event = file->private;
	uint64_t counter;

	poll_wait(table, &event->readable, POLLIN);
	poll_wait(table, &event->writable, POLLOUT);
	counter = counter_now(event);
	return (counter > 0 ? POLLIN : 0) | (counter < EVENTFD_MAX ? POLLOUT : 0);
}

static void eventfd_release(struct file *file)
{
	slab_free(eventfd_cache, file->private);
}

static void eventfd_show(struct file *file, struct text *text)
{
	text_printf(text, "eventfd-count: %16llx\n",
		    (unsigned long long)counter_now(file->private));
}

static const struct file_ops eventfd_file_ops = {
	.ignores_seek = true,
	.release = eventfd_release,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.show = eventfd_show,
};

/* Returns an open file, or ERR_PTR(-ENFILE, -ENOMEM). */
static struct file *eventfd_make(unsigned int initial, unsigned int flags)
{
	struct eventfd *event = slab_alloc(eventfd_cache, 0);
	struct file *file;

	if (!event)
		return ERR_PTR(-ENOMEM);
	spin_init(&event->lock, "eventfd");
	event->counter = initial;
	event->semaphore = flags & EFD_SEMAPHORE;
	wait_queue_init(&event->readable, "eventfd readable");
	wait_queue_init(&event->writable, "eventfd writable");
	file = event_file("[eventfd]", &eventfd_file_ops, event, O_RDWR | (flags & O_NONBLOCK));
	if (IS_ERR(file))
		slab_free(eventfd_cache, event);
	return file;
}

long sys_eventfd2(unsigned int initial, unsigned int flags)
{
	struct file *file;

	if (flags & ~(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return refuse(EINVAL, "an unknown flag");
	file = eventfd_make(initial, flags);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & O_CLOEXEC);
}

long sys_eventfd(unsigned int initial)
{
	return sys_eventfd2(initial, 0);
}
