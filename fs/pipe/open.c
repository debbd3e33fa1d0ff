/*
 * Making and closing pipes. The contract is in fs/pipe/pipe.h.
 */
#include "fs/pipe/pipe.h"
#include "fs/file/file.h"
#include "fs/pipe/limits.h"
#include "fs/pipe/owners.h"
#include "kernel/init.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"

#define O_NOTIFICATION_PIPE O_EXCL /* linux/watch_queue.h */

spinlock_t pipes_lock = SPINLOCK_INIT("pipes");
struct list all_pipes = LIST_INIT(all_pipes);

SLAB_CACHE(pipe_cache, "pipe", struct pipe, 0);

struct pipe *pipe_alloc(struct inode *inode)
{
	struct pipe *pipe = slab_alloc(pipe_cache, 0);
	unsigned int nr;

	if (!pipe)
		return NULL;
	nr = pipe_user_attach(pipe, PIPE_DEFAULT_SLOTS);
	if (nr == 0) {
		slab_free(pipe_cache, pipe);
		return NULL;
	}
	ring_init(&pipe->ring, pipe->first_slots, nr, "pipe");
	ring_register(&pipe->ring);
	pipe->users = 1;
	pipe->reader_opens = pipe->writer_opens = 1;
	pipe->inode = inode;
	spin_lock(&pipes_lock);
	list_add_tail(&all_pipes, &pipe->link);
	spin_unlock(&pipes_lock);
	return pipe;
}

/* Free a pipe that is no longer in all_pipes. */
static void pipe_free(struct pipe *pipe)
{
	ring_empty(&pipe->ring);
	ring_unregister(&pipe->ring);
	pipe_user_detach(pipe);
	pipe_free_slots(pipe, pipe->ring.slots);
	slab_free(pipe_cache, pipe);
}

void pipe_put(struct pipe *pipe)
{
	bool last;

	spin_lock(&pipes_lock);
	last = --pipe->users == 0;
	if (last) {
		list_del(&pipe->link);
		if (pipe->inode->pipe == pipe)
			pipe->inode->pipe = NULL;
	}
	spin_unlock(&pipes_lock);
	if (last)
		pipe_free(pipe);
}

/*
 * A sleeper that joins its queue after the wakeup checks the ring after the counts have changed,
 * and so sees the new counts. The use of the file being closed keeps the pipe until both queues
 * have been woken.
 */
void pipe_release(struct file *file)
{
	struct pipe *pipe = file->private;
	struct ring *ring = &pipe->ring;

	spin_lock(&ring->lock);
	if (file->readable)
		WRITE_ONCE(ring->readers, ring->readers - 1);
	if (file->writable)
		WRITE_ONCE(ring->writers, ring->writers - 1);
	spin_unlock(&ring->lock);
	wake_all_for(&ring->readable, WAKE_STATE);
	wake_all_for(&ring->writable, WAKE_STATE);
	pipe_put(pipe);
}

int pipe_create(struct file *ends[2], unsigned int flags)
{
	unsigned int nonblock = flags & O_NONBLOCK;
	struct inode *inode;
	struct pipe *pipe;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_NOTIFICATION_PIPE))
		return refuse(EINVAL, "an unknown pipe2 flag");
	if (flags & O_NOTIFICATION_PIPE)
		return refuse(ENOPKG, "the kernel sends no notifications");
	inode = inode_anonymous(S_IFIFO | 0600, "pipe");
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	pipe = pipe_alloc(inode);
	if (!pipe) {
		inode_put(inode);
		return -ENOMEM;
	}
	pipe->ring.readers = pipe->ring.writers = 1;
	/* It can be opened again through /proc/self/fd, as a FIFO is opened. */
	inode->file_ops = &fifo_file_ops;
	inode->pipe = pipe;
	/* Each end has a reference to the inode. */
	inode_get(inode);
	ends[0] = file_alloc(inode, &pipe_file_ops, O_RDONLY | nonblock);
	if (IS_ERR(ends[0])) {
		pipe_put(pipe);
		inode_put(inode);
		return PTR_ERR(ends[0]);
	}
	ends[0]->private = pipe;
	ends[1] = file_alloc(inode, &pipe_file_ops, O_WRONLY | nonblock | (flags & O_DIRECT));
	if (IS_ERR(ends[1])) {
		file_put(ends[0]);
		return PTR_ERR(ends[1]);
	}
	ends[1]->private = pipe;
	pipe->users = 2;
	return 0;
}

long sys_pipe2(int32_t __user *fds, unsigned int flags)
{
	struct file *ends[2];
	int error = pipe_create(ends, flags);

	return error ? error : fd_add_pair(ends, flags & O_CLOEXEC, fds);
}

long sys_pipe(int32_t __user *fds)
{
	return sys_pipe2(fds, 0);
}
