/*
 * Waiting for a pipe: readers, writers, poll, and the arrival of bytes from a disk.
 *
 * 1. Whoever needs bytes sleeps on `readable`. If the first slot is on its way, the pipe's one
 *    arrival waiter is armed on that slot's page, and the completion of the page's read wakes
 *    `readable`. The sleeper is woken for any change of the first slot and then starts over.
 * 2. The arrival waiter is armed under pipe->lock, while the slot holds the page, and then the page
 *    is asked again:
 *
 *	sleeper				interrupt
 *	confirm: on its way
 *					page is uptodate; no waiter is armed: wakes nobody
 *	arms, sleeps for ever
 *
 * 3. A slot that leaves the ring leaves the arrival waiter armed on its page. That costs a needless
 *    wakeup at most: the waiter does not touch the page. Arming it for the next first slot moves
 *    it; the last close disarms it.
 * 4. All sleepers share the first slot, so one waiter is enough: whoever arms it for a new first
 *    slot has seen the old one popped, and the pop has woken everybody who slept for the old one.
 * 5. Completions never take pipe->lock: they run in interrupts.
 */
#include "fs/pipe/pipe.h"
#include "fs/names/vfs.h"

static void arrived(struct page_waiter *waiter)
{
	wake_all(&container_of(waiter, struct pipe, arrival)->readable);
}

void pipe_arrival_init(struct pipe *pipe)
{
	list_init(&pipe->arrival.link);
	pipe->arrival.page = NULL;
	pipe->arrival.wake = arrived;
}

/*
 * Is the first slot on its way? If so, its arrival will wake `readable`. pipe->lock is held; the
 * ring is not empty.
 */
//BOOK: arrival
static bool first_on_its_way(struct pipe *pipe)
{
	struct pipe_slot *first = pipe_at(pipe, pipe->tail);

	lockdep_held(&pipe->lock);
	if (likely(slot_confirm(first) != -EAGAIN))
		return false;
	page_waiter_arm(&pipe->arrival, first->page);
	return slot_confirm(first) == -EAGAIN;
}

//BOOK: wait-readable
static bool can_read(struct pipe *pipe, enum pipe_need need)
{
	bool ready;

	spin_lock(&pipe->lock);
	if (pipe->head == pipe->tail)
		ready = pipe->writers == 0 && pipe->kept == pipe->tail;
	else
		ready = need == PIPE_NEED_SLOT || !first_on_its_way(pipe);
	spin_unlock(&pipe->lock);
	return ready;
}

static bool can_write(struct pipe *pipe)
{
	bool ready;

	spin_lock(&pipe->lock);
	ready = !pipe_full(pipe) || pipe->readers == 0;
	spin_unlock(&pipe->lock);
	return ready;
}

int pipe_wait_readable(struct pipe *pipe, enum pipe_need need, bool nonblock)
{
	if (nonblock)
		return -EAGAIN;
	return wait_once_interruptible(&pipe->readable, can_read(pipe, need));
}

int pipe_wait_writable(struct pipe *pipe, bool nonblock)
{
	if (nonblock)
		return -EAGAIN;
	return wait_once_interruptible(&pipe->writable, can_write(pipe));
}

int pipe_wait_room(struct pipe *pipe)
{
	return wait_event_killable(&pipe->writable, can_write(pipe));
}

static unsigned int poll_reader(struct file *file, struct pipe *pipe)
{
	if (pipe->head != pipe->tail) {
		if (first_on_its_way(pipe))
			return 0;
		return POLLIN | POLLRDNORM | (pipe->writers ? 0 : POLLHUP);
	}
	/*
	 * A FIFO that never had a writer since it was opened has not been hung up: see fs/pipe/fifo.c.
	 */
	if (pipe->writers == 0 && pipe->kept == pipe->tail && pipe->writer_opens != file->pos)
		return POLLHUP;
	return 0;
}

static unsigned int poll_writer(struct pipe *pipe)
{
	return (pipe_full(pipe) ? 0 : POLLOUT | POLLWRNORM) | (pipe->readers ? 0 : POLLERR);
}

/*
 * Is there nothing to read, and somebody who may write? Without the lock: the tail never passes the
 * head, so if the head is where the tail was, the ring was empty; and who is a writer after that
 * was one then.
 */
static inline bool looks_empty(const struct pipe *pipe)
{
	unsigned int tail = READ_ONCE(pipe->tail);

	barrier();
	if (pipe->head != tail)
		return false;
	barrier();
	return pipe->writers > 0;
}

static __attribute__((noinline)) unsigned int poll_locked(struct file *file,
							  struct poll_table *table)
{
	struct pipe *pipe = file->private;
	unsigned int events = 0;

	if (file->readable)
		poll_wait(table, &pipe->readable);
	if (file->writable)
		poll_wait(table, &pipe->writable);
	spin_lock(&pipe->lock);
	if (file->readable)
		events |= poll_reader(file, pipe);
	if (file->writable)
		events |= poll_writer(pipe);
	spin_unlock(&pipe->lock);
	return events;
}

unsigned int pipe_poll(struct file *file, struct poll_table *table)
{
	if (table || file->writable)
		return poll_locked(file, table);
	return looks_empty(file->private) ? 0 : poll_locked(file, NULL);
}
