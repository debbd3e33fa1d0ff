/*
 * Pipes: a ring with open files that read it and open files that write it.
 *
 * 1. A pipe exists as long as a file is open on it (`users`). An operation holds its file, so none
 *    is in progress at the last close.
 * 2. pipes_lock, a plain spinlock, guards the list of all pipes, `users`, and inode->pipe of FIFOs.
 *    It is taken before a ring's lock, which guards the counts of readers, writers and opens.
 * 3. An empty pipe holds no page.
 * 4. fs/pipe/limits.h limits the size of pipes.
 */
#ifndef FS_PIPE_PIPE_H
#define FS_PIPE_PIPE_H

#include "fs/file/poll.h"
#include "fs/pipe/io.h"
#include "fs/file/open_file.h"

#define PIPE_DEFAULT_SLOTS 16u

struct pipe {
	struct ring ring;			 /* ring.readers and ring.writers count open ends */
	unsigned int reader_opens, writer_opens; /* number of opens so far; ring.lock */
	unsigned int users;			 /* open files; pipes_lock */
	struct inode *inode;
	struct pipe_user *user; /* whose pipe-user-pages-soft its places count against */
	struct list link;	/* all pipes, for /proc/pipes; pipes_lock */
	struct pipe_slot
		first_slots[PIPE_DEFAULT_SLOTS]; /* storage for ring.slots, until it is resized */
};

/*
 * Make a pipe with a read end, ends[0], and a write end, ends[1]. The flags are those of pipe2(2).
 * Returns 0, -ENFILE, -ENOMEM or -EINVAL. May sleep.
 */
int pipe_create(struct file *ends[2], unsigned int flags);
/*
 * Allocate a pipe for `inode`, with the caller as its one user, and add it to all_pipes. Returns
 * NULL if there is no memory. May sleep.
 */
struct pipe *pipe_alloc(struct inode *inode);
/* Drop a use. The last one frees the pipe and its bytes. May sleep. */
void pipe_put(struct pipe *pipe);
/* Close a file that is open on a pipe (file_ops.release). May sleep. */
void pipe_release(struct file *file);
/*
 * Called when no reader is left. Sends SIGPIPE to the current task unless it is a kernel task.
 * Returns -EPIPE.
 */
int pipe_broken(void);

extern spinlock_t pipes_lock;
extern struct list all_pipes;

extern const struct file_ops pipe_file_ops; /* for pipe ends and, after their open, FIFOs */
extern const struct file_ops
	fifo_file_ops; /* of a FIFO's inode: its open finds or makes the pipe */

/* Returns the pipe of an open file, or NULL if the file is not a pipe or FIFO. */
static inline struct pipe *file_pipe(struct file *file)
{
	return file->ops == &pipe_file_ops ? file->private : NULL;
}
/* Returns until when a caller waits that waits either for ever or not at all. */
static inline uint64_t wait_until(bool wait)
{
	return wait ? WAIT_FOREVER : WAIT_NOT;
}
/* May a call on the file wait, and until when? Not if it is open with O_NONBLOCK. */
static inline bool file_waits(const struct file *file)
{
	return !(file->flags & O_NONBLOCK);
}
static inline uint64_t file_wait(const struct file *file)
{
	return wait_until(file_waits(file));
}
/* The same for a splice that reads from the ring of the file, or writes to it. */
static inline uint64_t file_ring_wait(struct file *file, bool write)
{
	return file->ops->ring_wait ? file->ops->ring_wait(file, write) : file_wait(file);
}

#endif
