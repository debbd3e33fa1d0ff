/*
 * Splice: moving slots.
 *
 * 1. A source (file_ops.splice_read) appends slots to a list without waiting for data; a sink
 *    (file_ops.splice_write) consumes slots whose bytes have arrived. Pipe to pipe moves slots and asks nothing.
 * 2. A slot list belongs to one task and has no lock. It is how slots travel between a file and a ring, and
 *    the ring that lives on the stack for the one call of sendfile and copy_file_range.
 * 3. splice from a file looks up pages, lends them and starts bios before it takes the pipe's producer; it
 *    publishes what fits and releases the rest. The file offset advances only by what was published.
 */
#ifndef FS_SPLICE_H
#define FS_SPLICE_H

#include "fs/pipe.h"

#define SPLICE_F_MOVE	  1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE	  4
#define SPLICE_F_GIFT	  8

#define SLOT_LIST_MAX	16u

struct slot_list {
	unsigned int	nr, max;		/* slots in use; room (file_ops.splice_read fills no more) */
	struct pipe_slot *slots;
};

/* For files whose data lives in the page cache: file_ops.splice_read. */
ssize_t generic_splice_read(struct file *file, int64_t *pos, size_t len, struct slot_list *slots);
/* For files written through the page cache: file_ops.splice_write: steals whole pages that nobody else holds,
 * copies the rest. */
ssize_t generic_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/* file_ops.splice_write for what is written by file_ops.write (terminals): maps each slot and writes it. */
ssize_t copy_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/* file_ops.splice_read for what is read by file_ops.read (/proc files, terminals): fresh anon pages. */
ssize_t copy_splice_read(struct file *file, int64_t *pos, size_t len, struct slot_list *slots);
/* /dev/null: releases the slots unread. It takes slots that have not arrived, too. */
ssize_t null_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);

#endif
