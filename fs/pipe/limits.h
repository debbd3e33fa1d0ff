/*
 * How many slots a pipe may have.
 *
 * 1. Slots count against their user, by real user id: past pipe-user-pages-soft a pipe starts with
 *    two slots, and only root may make one larger.
 * 2. Only root's pipes may have more slots than pipe-max-size.
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
 * A new pipe counts against the current user. Returns how many slots it has, at most `wanted`; 0 if
 * there is no memory.
 */
unsigned int pipe_user_attach(struct pipe *pipe, unsigned int wanted);
/* It counts no more. */
void pipe_user_detach(struct pipe *pipe);
/* May the current user see what is in the pipe, in /proc/pipes? */
bool pipe_shown_to_current(const struct pipe *pipe);
/* Free an array of slots, unless it is the pipe's own. */
void pipe_free_slots(struct pipe *pipe, struct pipe_slot *slots);

/*
 * F_GETPIPE_SZ and F_SETPIPE_SZ. Return bytes, or -EBADF (no pipe), -EBUSY, -EPERM, -EINVAL, -ENOMEM.
 * The second one may sleep.
 */
long pipe_get_size(struct file *file);
long pipe_set_size(struct file *file, unsigned long bytes);

#endif
