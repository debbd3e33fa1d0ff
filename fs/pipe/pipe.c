/*
 * A pipe's open files: read, write, poll, FIONREAD. Bytes go through the ring (fs/pipe/io.h).
 */
#include "fs/pipe/pipe.h"
#include "kernel/signals/signal.h"
#include "mm/vm/uaccess.h"

#define FIONREAD 0x541b

int pipe_broken(void)
{
	if (current->process)
		signal_send_self(SIGPIPE);
	return -EPIPE;
}

static ssize_t pipe_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct pipe *pipe = file->private;
	struct ring_read read = { .to = to, .until = file_wait(file) };

	return to->left ? ring_read(&pipe->ring, &read) : 0;
}

//BOOK: pipe-write
static ssize_t pipe_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct pipe *pipe = file->private;
	struct ring_write write = {
		.from = from,
		.until = file_wait(file),
		.packets = file->flags & O_DIRECT,
	};
	ssize_t n;

	n = from->left ? ring_write(&pipe->ring, &write) : 0;
	return n == -EPIPE ? pipe_broken() : n;
}

static unsigned int poll_reader(struct file *file, struct pipe *pipe)
{
	switch (ring_first(&pipe->ring)) {
	case RING_READY:
		return POLLIN | POLLRDNORM | (READ_ONCE(pipe->ring.writers) ? 0 : POLLHUP);
	case RING_ENDED:
		/*
		 * No POLLHUP for a FIFO that has had no writer since it was opened
		 * (fs/pipe/fifo.c).
		 */
		return READ_ONCE(pipe->writer_opens) != file->pos ? POLLHUP : 0;
	default:
		return 0;
	}
}

static unsigned int poll_writer(struct ring *ring)
{
	unsigned int places = READ_ONCE(ring->head) - READ_ONCE(ring->kept);
	unsigned int out = POLLOUT | POLLWRNORM;
	int room = ring_room(ring);

	if (room >= 0)
		return room ? out : 0;
	/*
	 * A pipe that nobody reads is writable as well if it is not full: the write fails at once.
	 */
	return POLLERR | (places < READ_ONCE(ring->max_slots) ? out : 0);
}

static unsigned int pipe_poll(struct file *file, struct poll_table *table)
{
	struct pipe *pipe = file->private;
	struct ring *ring = &pipe->ring;
	unsigned int events = 0;

	if (file->readable) {
		poll_wait(table, &ring->readable, POLLIN | POLLRDNORM);
		events |= poll_reader(file, pipe);
	}
	if (file->writable) {
		poll_wait(table, &ring->writable, POLLOUT | POLLWRNORM);
		events |= poll_writer(ring);
	}
	return events;
}

static long pipe_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct pipe *pipe = file->private;

	if (command != FIONREAD)
		return -ENOTTY;
	return put_user_u32(ring_arrived_bytes(&pipe->ring, false), (void __user *)argument);
}

static struct ring *pipe_ring(struct file *file)
{
	struct pipe *pipe = file->private;

	return &pipe->ring;
}

const struct file_ops pipe_file_ops = {
	.async = ASYNC_AT_ONCE,
	.release = pipe_release,
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.source_ring = pipe_ring,
	.sink_ring = pipe_ring,
};
