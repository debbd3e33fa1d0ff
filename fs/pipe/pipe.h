/*
 * Pipes: a ring with two kinds of open files, those that read it and those that write it.
 *
 * 1. A pipe lives as long as a file that is open on it (`users`). The last close finds no operation
 *    in flight, since an operation holds its file.
 * 2. pipes_lock (plain) guards the list of all pipes, `users`, and inode->pipe of FIFOs. It is taken
 *    before any ring's lock, which guards the counts of readers, writers and opens.
 * 3. An empty pipe holds no page.
 * 4. What pipes may hold is in fs/pipe/limits.h.
 */
#ifndef FS_PIPE_PIPE_H
#define FS_PIPE_PIPE_H

#include "fs/file/poll.h"
#include "fs/pipe/io.h"
#include "fs/names/vfs.h"

#define PIPE_DEFAULT_SLOTS 16u

struct pipe {
	struct ring ring;			 /* ring.readers, ring.writers: open ends */
	unsigned int reader_opens, writer_opens; /* ring.lock; counts for FIFO open rules */
	unsigned int users;			 /* pipes_lock; open files */
	struct inode *inode;
	struct pipe_user *user;	 /* whose pipe-user-pages-soft it counts against */
	unsigned int user_pages; /* and how much; both mutexes of the ring */
	struct list link;	 /* all pipes, for /proc/pipes; pipes_lock */
	struct pipe_slot
		first_slots[PIPE_DEFAULT_SLOTS]; /* storage for ring.slots, until it is resized */
};

/* Two files, flags of pipe2. Returns 0, -EMFILE, -ENFILE, -ENOMEM, -EINVAL. */
int pipe_create(struct file *ends[2], unsigned int flags);
/* A pipe for `inode`, with one user, the caller; on the list of all pipes. NULL: no memory. */
struct pipe *pipe_alloc(struct inode *inode);
/* One user less; the last one frees the pipe and what is in it. No lock is held. */
void pipe_put(struct pipe *pipe);
/* A file that is open on the pipe is closed. May sleep. */
void pipe_release(struct file *file);
/* No reader is left: send SIGPIPE to the task, unless it is a kernel task. Returns -EPIPE. */
int pipe_broken(void);

extern spinlock_t pipes_lock;
extern struct list all_pipes;

extern const struct file_ops pipe_file_ops; /* for pipe ends and, after their open, FIFOs */
extern const struct file_ops
	fifo_file_ops; /* of a FIFO's inode: its open finds or makes the pipe */

/* The pipe of an open file (pipe end or FIFO), or NULL. */
static inline struct pipe *file_pipe(struct file *file)
{
	return file->ops == &pipe_file_ops ? file->private : NULL;
}
/* Until when a call on the file may wait. */
static inline uint64_t file_wait(const struct file *file)
{
	return file->flags & O_NONBLOCK ? WAIT_NOT : WAIT_FOREVER;
}

#endif
