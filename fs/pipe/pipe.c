/*
 * The pipe: read and write. The contract is in fs/pipe/pipe.h.
 *
 * 1. What is written goes into pages of the pipe's own, page by page; a write up to PIPE_BUF goes
 *    whole into one slot. A page with room behind its last byte is written on to (SLOT_MERGE).
 * 2. User memory is copied with one of the mutexes held and page faults off. Where a page is not
 *    there, or memory for a new one is short, the mutex is given back, the page is brought in, and
 *    the operation starts over.
 * 3. Bytes leave the pipe when they have been copied, not before.
 * 4. Sleepers of either queue look at the ring under pipe->lock after they have joined the queue,
 *    and every change is made under pipe->lock before the queue is woken. So
 *
 *	reader				writer
 *	joins `readable`
 *	lock: empty; unlock
 *					lock: head++; unlock
 *					`readable` has a waiter: wakes it
 *	schedule(): goes on
 *
 *    and if the writer's section comes first, the reader sees the slot. The writer may look at
 *    `readable` without its lock: taking pipe->lock is a full barrier between the reader's joining
 *    and that look.
 */
#include "fs/pipe/ring.h"
#include "fs/names/vfs.h"
#include "kernel/process/signal.h"
#include "mm/kmap.h"
#include "mm/vm/uaccess.h"

int pipe_broken(void)
{
	if (current->process)
		signal_send_task(current, SIGPIPE, NULL);
	return -EPIPE;
}

/* ---- putting ---- */

/* A write(2) on its way. */
struct write {
	struct pipe *pipe;
	struct iter *from;
	bool whole;	    /* up to PIPE_BUF: into one slot, all of it */
	bool packet;	    /* O_DIRECT */
	struct page *spare; /* a page that was allocated and not used yet */
};

/*
 * Copy n bytes to the page: how many were. What a small write could not copy whole is not taken: 0.
 */
static inline size_t fill_page(struct write *write, struct page *page, unsigned int offset,
			       size_t n)
{
	char *to = kmap_local(page);
	size_t copied = iter_copy_from_nofault(write->from, to + offset, n);

	kunmap_local(to);
	if (unlikely(copied < n && write->whole)) {
		iter_rewind(write->from, copied);
		return 0;
	}
	return copied;
}

/*
 * Write behind the end of the last slot, whose page we hold a reference to. The bytes there are
 * nobody's: only the pipe that write(2) gave the page to has the right to append, and we are its
 * one producer. Meanwhile a consumer may read, move or drop the slot: what was the end of its bytes
 * is the beginning of ours all the same.
 */
//BOOK: merge
static int merge(struct write *write, struct page *page, unsigned int end, size_t n)
{
	struct pipe *pipe = write->pipe;
	size_t copied = fill_page(write, page, end, n);

	if (unlikely(copied == 0)) {
		page_put(page);
		return -EFAULT;
	}
	spin_lock(&pipe->lock);
	if (likely(pipe->head != pipe->tail)) {
		struct pipe_slot *last = pipe_at(pipe, pipe->head - 1);

		WRITE_ONCE(last->len, last->len + copied);
		pipe->bytes += copied;
		spin_unlock(&pipe->lock);
		/* The slot has its own reference. */
		page_put(page);
	} else if (pipe_full(pipe)) {
		/* A splice has all of the slots out and may put them back. */
		spin_unlock(&pipe->lock);
		page_put(page);
		iter_rewind(write->from, copied);
		return -EAGAIN;
	} else {
		atomic_inc(&page->lent);
		ring_push(pipe,
			  (struct pipe_slot){ page, end, copied, &anon_slot_ops, SLOT_MERGE, 0 });
		spin_unlock(&pipe->lock);
	}
	wake_all(&pipe->readable);
	return 0;
}

/* A slot of its own for the next bytes. There is room for it. */
//BOOK: append
static int append(struct write *write)
{
	struct pipe *pipe = write->pipe;
	struct page *page = write->spare;
	unsigned int flags = write->packet ? SLOT_PACKET : SLOT_MERGE;
	size_t copied;

	if (!page) {
		page = page_alloc(0, ALLOC_HIGH | ALLOC_ATOMIC);
		if (!page)
			return -ENOMEM;
	}
	copied = fill_page(write, page, 0, MIN(write->from->left, (size_t)PAGE_SIZE));
	if (unlikely(copied == 0)) {
		write->spare = page;
		return -EFAULT;
	}
	write->spare = NULL;
	atomic_set(&page->lent, 1);
	spin_lock(&pipe->lock);
	ring_push(pipe, (struct pipe_slot){ page, 0, copied, &anon_slot_ops, flags, 0 });
	spin_unlock(&pipe->lock);
	wake_all(&pipe->readable);
	return 0;
}

/* Write behind the last slot's bytes, if they may be appended to. 0, an error; 1: a slot of its own. */
static int append_to_last(struct write *write)
{
	struct pipe *pipe = write->pipe;
	struct page *page = NULL;
	unsigned int end = 0;
	size_t n = 0;

	spin_lock(&pipe->lock);
	if (pipe->head != pipe->tail) {
		struct pipe_slot *last = pipe_at(pipe, pipe->head - 1);

		end = last->offset + last->len;
		n = last->flags & SLOT_MERGE ? MIN(write->from->left, (size_t)PAGE_SIZE - end) : 0;
		/* A reference of our own, while the slot surely has one. */
		if (n > 0 && (n == write->from->left || !write->whole) && page_get(last->page))
			page = last->page;
	}
	spin_unlock(&pipe->lock);
	return page ? merge(write, page, end, n) : 1;
}

/*
 * Put one piece into the pipe; `producer` is held. 0; -EPIPE no reader, -EAGAIN no room, -EFAULT
 * user memory to be brought in, -ENOMEM a page is to be had only with patience.
 */
//BOOK: put-piece
static int put_piece(struct write *write)
{
	struct pipe *pipe = write->pipe;

	if (unlikely(READ_ONCE(pipe->readers) == 0))
		return -EPIPE;
	if (READ_ONCE(pipe->tail) != pipe->head && !write->packet) {
		int error = append_to_last(write);

		if (error <= 0)
			return error;
	}
	/* Only producers fill places, so what is free now stays so. */
	return pipe_full(pipe) ? -EAGAIN : append(write);
}

/* Neither mutex is held: get what put_piece missed. 0: start over. */
static int after_failed_put(struct write *write, int error, bool nonblock)
{
	switch (error) {
	case -EAGAIN:
		return pipe_wait_writable(write->pipe, nonblock);
	case -EFAULT:
		return iter_fault_in(write->from, write->from->left, write->whole, false);
	case -ENOMEM:
		write->spare = page_alloc(0, ALLOC_HIGH);
		return write->spare ? 0 : -ENOMEM;
	default:
		return pipe_broken();
	}
}

//BOOK: pipe-write
static ssize_t pipe_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct write write = {
		.pipe = file->private,
		.from = from,
		.whole = from->left <= PIPE_BUF,
		.packet = file->flags & O_DIRECT,
	};
	size_t wanted = from->left;
	int error = 0;

	while (from->left > 0 && (error = mutex_lock_killable(&write.pipe->producer)) == 0) {
		do
			error = put_piece(&write);
		while (error == 0 && from->left > 0);
		mutex_unlock(&write.pipe->producer);
		if (likely(error == 0))
			break;
		error = after_failed_put(&write, error, file->flags & O_NONBLOCK);
		if (error)
			break;
	}
	if (unlikely(write.spare))
		page_put(write.spare);
	return from->left < wanted ? wanted - from->left : error;
}

/* ---- taking ---- */

//BOOK: advance
__attribute__((always_inline)) inline void pipe_advance(struct pipe *pipe, struct pipe_slot *first,
							unsigned int n)
{
	struct pipe_slot gone;
	struct page *page = first->page;
	bool plain = !first->ops->release;

	spin_lock(&pipe->lock);
	pipe->bytes -= n;
	first->offset += n;
	first->len -= n;
	/* A writer may just have made it longer. */
	if (first->len > 0) {
		spin_unlock(&pipe->lock);
		return;
	}
	if (unlikely(!plain))
		gone = *first;
	WRITE_ONCE(pipe->tail, pipe->tail + 1);
	WRITE_ONCE(pipe->kept, pipe->tail);
	spin_unlock(&pipe->lock);
	/*
	 * Readers too: they may wait for the arrival of the page that was first, and now another
	 * one is.
	 */
	wake_all(&pipe->writable);
	wake_all(&pipe->readable);
	if (likely(plain))
		page_slot_release(page);
	else
		slot_release(&gone);
}

//BOOK: failed
int pipe_report_failed(struct pipe *pipe, int error)
{
	struct pipe_slot *first = pipe_at(pipe, pipe->tail), failed;
	bool held;

	if (error == -ENODATA) {
		pipe_advance(pipe, first, first->len);
		mutex_unlock(&pipe->consumer);
		return error;
	}
	spin_lock(&pipe->lock);
	failed = *first;
	held = slot_get(&failed);
	spin_unlock(&pipe->lock);
	/* Starting a read may wait for a block map: not with the mutex held. */
	mutex_unlock(&pipe->consumer);
	if (held) {
		slot_retry(&failed);
		slot_release(&failed);
	}
	return error;
}

/* `consumer` is held. *error: 0 end of file, or -EAGAIN. */
static __noinline bool is_empty(struct pipe *pipe, int *error)
{
	bool empty;

	spin_lock(&pipe->lock);
	empty = pipe->head == pipe->tail;
	*error = pipe->writers ? -EAGAIN : 0;
	spin_unlock(&pipe->lock);
	return empty;
}

/*
 * Copy from the first slot; `consumer` is held, so that the slot stays where it is and nobody but a
 * merging writer changes it: its len grows. Bytes copied; 0 end of file; -EAGAIN nothing there yet;
 * -EIO, -ENODATA; -EFAULT user memory to be brought in. *packet: the bytes are a packet's, and the
 * read ends with them: how many are to be copied whole; 0 if they are none.
 */
//BOOK: take-piece
static ssize_t take_piece(struct pipe *pipe, struct iter *to, size_t *packet)
{
	struct pipe_slot *first = pipe_at(pipe, pipe->tail);
	size_t n, copied;
	int error;

	if (READ_ONCE(pipe->head) == pipe->tail && is_empty(pipe, &error))
		return error;
	barrier();
	n = MIN(READ_ONCE(first->len), to->left);
	error = slot_confirm(first);
	if (unlikely(error))
		return error;
	copied = slot_copy_to(first, 0, n, to);
	*packet = first->flags & SLOT_PACKET ? n : 0;
	if (unlikely(copied == 0 || (*packet && copied < n))) {
		iter_rewind(to, copied);
		return -EFAULT;
	}
	pipe_advance(pipe, first, *packet ? first->len : copied);
	return copied;
}

ssize_t pipe_take(struct pipe *pipe, struct iter *to, bool nonblock)
{
	size_t wanted = to->left;
	size_t packet = 0;
	ssize_t r = 0;

	if (wanted == 0)
		return 0;
	while (r == 0 && (r = mutex_lock_killable(&pipe->consumer)) == 0) {
		do
			r = take_piece(pipe, to, &packet);
		while (r > 0 && to->left > 0 && !packet);
		if (unlikely(r < 0 && r != -EFAULT && r != -EAGAIN && to->left == wanted))
			return pipe_report_failed(pipe, r);
		mutex_unlock(&pipe->consumer);
		if (likely(r >= 0 || (r != -EFAULT && to->left < wanted)))
			break;
		r = r == -EFAULT ? iter_fault_in(to, packet ? packet : to->left, packet, true)
				 : pipe_wait_readable(pipe, PIPE_NEED_BYTES, nonblock);
	}
	return to->left < wanted ? wanted - to->left : r;
}

static ssize_t pipe_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return pipe_take(file->private, to, file->flags & O_NONBLOCK);
}

/* ---- the rest of a pipe's file ---- */

#define FIONREAD 0x541b

/* Bytes that a read could have now: up to the first slot that has not arrived. */
static unsigned int arrived_bytes(struct pipe *pipe)
{
	unsigned int at, bytes = 0;

	spin_lock(&pipe->lock);
	for (at = pipe->tail; at != pipe->head && slot_confirm(pipe_at(pipe, at)) == 0; at++)
		bytes += pipe_at(pipe, at)->len;
	spin_unlock(&pipe->lock);
	return bytes;
}

static long pipe_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	if (command != FIONREAD)
		return -ENOTTY;
	return put_user_u32(arrived_bytes(file->private), (void __user *)argument);
}

const struct file_ops pipe_file_ops = {
	.release = pipe_release,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
};
