/*
 * Limits on the number of slots of a pipe.
 *
 * 1. Each slot counts as a page of the user (by real user id) who made the pipe. Once a user has
 *    pipe-user-pages-soft pages, new pipes get two slots, and only root may make one larger.
 * 2. Only root may make a pipe larger than pipe-max-size.
 */
#ifndef FS_PIPE_LIMITS_H
#define FS_PIPE_LIMITS_H

#include "lib/types.h"

struct pipe;
struct pipe_slot;
struct file;

extern unsigned int pipe_max_bytes;	  /* /proc/sys/fs/pipe-max-size */
extern unsigned int pipe_user_pages_soft; /* /proc/sys/fs/pipe-user-pages-soft */

/*
 * Count the slots of a new pipe for the current user. Returns how many slots it gets, at most
 * `wanted`, or 0 if there is no memory. May sleep.
 */
unsigned int pipe_user_attach(struct pipe *pipe, unsigned int wanted);
/* Stop counting the slots of a pipe, which is about to be freed. */
void pipe_user_detach(struct pipe *pipe);
/* May /proc/pipes show the content of the pipe to the current user? */
bool pipe_shown_to_current(const struct pipe *pipe);
/* Free an array of slots, unless it is the pipe's own. */
void pipe_free_slots(struct pipe *pipe, struct pipe_slot *slots);

/*
 * Implement F_GETPIPE_SZ and F_SETPIPE_SZ. Return the size in bytes, -EBADF if the file is not a
 * pipe, -EBUSY, -EPERM, -EINVAL or -ENOMEM. pipe_set_size() may sleep.
 */
long pipe_get_size(struct file *file);
long pipe_set_size(struct file *file, unsigned long bytes);

#endif
