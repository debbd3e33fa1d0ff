/*
 * FIFOs: pipes with a name.
 *
 * 1. All open files of a FIFO share one pipe, inode->pipe. The first open makes it. The last close
 *    frees it, and the bytes in it are lost.
 * 2. An open to read waits for an open to write, and the other way round. A partner that has closed
 *    the FIFO again meanwhile counts too. That is why reader_opens and writer_opens count opens.
 * 3. After the open, a FIFO is a pipe end like any other. A reader that did not wait although there
 *    was no writer keeps writer_opens in file->pos, which pipes do not use otherwise. As long as no
 *    writer has come since, poll shows no POLLHUP. In all other pipe files pos is 0, which
 *    writer_opens is not.
 * 4. An anonymous pipe can be opened again through /proc/PID/fd, and so through /dev/stdin. Such an
 *    open never waits, because no other process could open the other end. If all writers have gone,
 *    a reader reads the remaining bytes and then finds the end.
 */
#include "fs/pipe/pipe.h"
#include "fs/file/open_file.h"
#include "kernel/syscall.h"

/* Returns the FIFO's pipe, with one more use, or ERR_PTR(-ENOMEM). */
static struct pipe *fifo_pipe(struct inode *inode)
{
	struct pipe *pipe, *fresh = pipe_alloc(inode);

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	spin_lock(&pipes_lock);
	pipe = inode->pipe;
	if (pipe)
		pipe->users++;
	else
		pipe = inode->pipe = fresh;
	spin_unlock(&pipes_lock);
	if (pipe != fresh)
		pipe_put(fresh);
	return pipe;
}

static bool has_opened(struct pipe *pipe, const unsigned int *opens, unsigned int before)
{
	bool opened;

	spin_lock(&pipe->ring.lock);
	opened = *opens != before;
	spin_unlock(&pipe->ring.lock);
	return opened;
}

/*
 * Count the open, and wait for a partner if necessary. The counts change under pipe->ring.lock
 * before the queues are woken, and a sleeper reads them under that lock after it has joined its
 * queue.
 */
static int join(struct pipe *pipe, struct file *file)
{
	bool named = !pipe->inode->kind;
	bool nonblock = file->flags & O_NONBLOCK;
	bool wait_writer, wait_reader;
	unsigned int readers_before, writers_before;

	spin_lock(&pipe->ring.lock);
	if (named && !file->readable && nonblock && pipe->ring.readers == 0) {
		spin_unlock(&pipe->ring.lock);
		return refuse(ENXIO, "the FIFO has no reader");
	}
	readers_before = pipe->reader_opens;
	writers_before = pipe->writer_opens;
	if (file->readable) {
		WRITE_ONCE(pipe->ring.readers, pipe->ring.readers + 1);
		pipe->reader_opens++;
	}
	if (file->writable) {
		WRITE_ONCE(pipe->ring.writers, pipe->ring.writers + 1);
		WRITE_ONCE(pipe->writer_opens, pipe->writer_opens + 1);
	}
	if (named && pipe->ring.writers == 0 && nonblock)
		file->pos = writers_before;
	wait_writer = named && !file->writable && pipe->ring.writers == 0 && !nonblock;
	wait_reader = named && !file->readable && pipe->ring.readers == 0;
	spin_unlock(&pipe->ring.lock);
	/* Openers for reading sleep on `readable`, openers for writing on `writable`. */
	wake_all(&pipe->ring.readable);
	wake_all(&pipe->ring.writable);
	if (wait_writer)
		return wait_event_interruptible(
			&pipe->ring.readable,
			has_opened(pipe, &pipe->writer_opens, writers_before));
	if (wait_reader)
		return wait_event_interruptible(
			&pipe->ring.writable,
			has_opened(pipe, &pipe->reader_opens, readers_before));
	return 0;
}

static int fifo_open(struct inode *inode, struct file *file)
{
	struct pipe *pipe;
	int error;

	if (file->flags & O_DIRECT)
		return refuse(EINVAL, "a FIFO has no packet mode");
	pipe = fifo_pipe(inode);
	if (IS_ERR(pipe))
		return PTR_ERR(pipe);
	file->private = pipe;
	error = join(pipe, file);
	if (error == 0)
		file->ops = &pipe_file_ops;
	else if (error == -ENXIO)
		pipe_put(pipe);
	else
		pipe_release(file);
	return error;
}

const struct file_ops fifo_file_ops = {
	.open = fifo_open,
};
