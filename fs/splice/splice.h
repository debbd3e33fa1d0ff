/*
 * Splice: moving slots.
 *
 * 1. A source (file_ops.splice_read) appends slots to a list without waiting for data; a sink
 *    (file_ops.splice_write) consumes slots whose bytes have arrived. From ring to ring slots move
 *    and nobody asks for their bytes.
 * 2. A slot list belongs to one task and has no lock. It is how slots travel between a file and a
 *    ring, and the ring that lives on the stack for the one call of sendfile and copy_file_range.
 * 3. splice from a file looks up pages, lends them and starts bios before it takes the pipe's
 *    producer; it publishes what fits and releases the rest. The file offset advances only by what
 *    was published.
 */
#ifndef FS_SPLICE_SPLICE_H
#define FS_SPLICE_SPLICE_H

#include "fs/file/file.h"
#include "fs/pipe/pipe.h"
#include "fs/names/vfs.h"

#define SPLICE_F_MOVE	  1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE	  4
#define SPLICE_F_GIFT	  8
#define SPLICE_F_ALL	  15

#define SLOT_LIST_MAX	  16u

struct slot_list {
	unsigned int nr, max; /* slots in use; room (file_ops.splice_read fills no more) */
	struct pipe_slot *slots;
	size_t bytes;  /* of all slots; counted by who calls the source */
	bool nonblock; /* a source that is a stream does not wait for its first bytes */
};

/* What slots[0..nr) have together. */
static inline size_t slots_bytes(const struct pipe_slot *slots, unsigned int nr)
{
	size_t bytes = 0;

	while (nr > 0)
		bytes += slots[--nr].len;
	return bytes;
}

/* ---- sources and sinks: fs/splice/file.c ---- */

/*
 * For sinks: the first n bytes of the first slot are taken; releases and removes it when it has no
 * more.
 */
void slot_list_consume(struct slot_list *slots, unsigned int n);
/* Release what is left. */
void slot_list_drop(struct slot_list *slots);
static inline void slot_list_release(struct slot_list *slots)
{
	if (slots->nr > 0)
		slot_list_drop(slots);
}

/* For files whose data lives in the page cache: file_ops.splice_read. */
ssize_t generic_splice_read(struct file *file, int64_t *pos, size_t len, struct slot_list *slots);
/*
 * For files written through the page cache: file_ops.splice_write: steals whole pages that nobody
 * else holds, copies the rest.
 */
ssize_t generic_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/*
 * file_ops.splice_write for what is written by file_ops.write (terminals): maps each slot and
 * writes it.
 */
ssize_t copy_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/*
 * file_ops.splice_read for what is read by file_ops.read (/proc files, terminals): fresh anon
 * pages; one at a time if the file has no llseek, since a stream may have no more than that for
 * now.
 */
ssize_t copy_splice_read(struct file *file, int64_t *pos, size_t len, struct slot_list *slots);
/* /dev/null: releases the slots unread. It takes slots that have not arrived, too. */
ssize_t null_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/* Must the bytes have arrived before the file's splice_write gets them? */
static inline bool sink_needs_bytes(const struct file *file)
{
	return file->ops->splice_write != null_splice_write && !file->ops->splice_wait;
}

/*
 * ---- between splice, sendfile, tee and vmsplice; each returns what read(2) and write(2) would
 * ----
 */

#define SPLICE_MAX_BYTES 0x7ffff000u /* of one call, as for read(2) */

/* The ring that a file's bytes come out of, or go into; NULL, ERR_PTR: see struct file_ops. */
static inline struct ring *file_source_ring(struct file *file)
{
	return file->ops->source_ring ? file->ops->source_ring(file) : NULL;
}
static inline struct ring *file_sink_ring(struct file *file)
{
	return file->ops->sink_ring ? file->ops->sink_ring(file) : NULL;
}

/*
 * Slots of a file to a ring, until the ring is full or the file ends. `until`: how long to wait for
 * the first room, and for the first bytes of a file that is a stream. fs/splice/splice.c
 */
ssize_t splice_file_to_ring(struct file *in, int64_t *pos, struct ring *ring, size_t len,
			    uint64_t until);
/*
 * Publish the slots of the list as far as there is room; those that found none stay in it. Returns
 * bytes, or -EPIPE, -ERESTARTSYS.
 */
ssize_t splice_publish(struct ring *ring, struct slot_list *slots);
/*
 * Publish all of them, waiting for room: they cannot go back where they came from. Returns bytes;
 * the rest is released.
 */
ssize_t splice_publish_all(struct ring *ring, struct slot_list *slots);
/*
 * Wait until there is room. Returns how many slots, or -EPIPE, -EAGAIN, -ERESTARTSYS. No mutex is
 * held.
 */
int splice_wait_room(struct ring *ring, uint64_t until);
/*
 * Slots of one ring to another, where they stay in the first one, too, if `keep`: then the rings are
 * pipes'. Waits until then for the first slot and for room. Returns bytes, 0 at the end.
 */
ssize_t splice_between(struct ring *from, struct ring *to, size_t len, uint64_t until, bool keep);

/*
 * fs/splice/sendfile.c: move len bytes from a file to a file or device through a ring on the stack.
 * *pos_in advances only by what `out` took. Returns bytes, 0 at the end, or an error. Sleeps.
 */
ssize_t splice_through_ring(struct file *in, int64_t *pos_in, struct file *out, int64_t *pos_out,
			    size_t len);

#endif
