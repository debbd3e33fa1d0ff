/*
 * Splice: moving slots.
 *
 * 1. A source (file_ops.splice_read) appends slots to a list without waiting for data. A sink
 *    (file_ops.splice_write) consumes slots whose bytes have arrived. From ring to ring, slots move
 *    whether or not their bytes have arrived.
 * 2. A slot list belongs to one task and has no lock. It carries slots between a file and a ring,
 *    and between the two files of sendfile and copy_file_range.
 * 3. splice from a file looks up pages, lends them and starts bios before it takes the pipe's
 *    producer mutex. Then it publishes the slots that fit and releases the rest. The file offset
 *    advances only by the bytes that were published.
 */
#ifndef FS_SPLICE_SPLICE_H
#define FS_SPLICE_SPLICE_H

#include "fs/file/file.h"
#include "fs/pipe/pipe.h"
#include "fs/file/open_file.h"

#define SPLICE_F_MOVE	  1
#define SPLICE_F_NONBLOCK 2
#define SPLICE_F_MORE	  4
#define SPLICE_F_GIFT	  8
#define SPLICE_F_ALL	  15

#define SLOT_LIST_MAX	  16u

struct slot_list {
	unsigned int nr, max; /* slots in use, and the most that splice_read may fill */
	struct pipe_slot *slots;
	size_t bytes;  /* of all slots; set by the caller of the source */
	bool nonblock; /* a source that is a stream must not wait for its first bytes */
};

/* Returns the number of bytes of slots[0..nr). */
static inline size_t slots_bytes(const struct pipe_slot *slots, unsigned int nr)
{
	size_t bytes = 0;

	while (nr > 0)
		bytes += slots[--nr].len;
	return bytes;
}

/* ---- sources and sinks: fs/splice/file.c ---- */

/*
 * For sinks: remove the first n bytes of the first slot. If none are left, the slot is released and
 * removed from the list. May sleep.
 */
void slot_list_consume(struct slot_list *slots, unsigned int n);
/* Release all slots that are left. May sleep. */
void slot_list_release(struct slot_list *slots);

/* file_ops.splice_read of files whose data is in the page cache. Never waits for the data. */
ssize_t generic_splice_read(struct file *file, int64_t *pos, size_t len, struct slot_list *slots);
/*
 * file_ops.splice_write of files that are written through the page cache. It steals whole pages
 * that have no other holder, and copies the rest. May sleep.
 */
ssize_t generic_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/* file_ops.splice_write of /dev/null: releases the slots, even if their bytes have not arrived. */
ssize_t null_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/* Must the bytes of slots have arrived before they are passed to the file's splice_write? */
static inline bool sink_needs_bytes(const struct file *file)
{
	return file->ops->splice_write != null_splice_write && !file->ops->splice_wait;
}

/* ---- shared by splice, sendfile, tee, vmsplice; results as for read(2) and write(2) ---- */

#define SPLICE_MAX_BYTES 0x7ffff000u /* of one call, as for read(2) */

/* Return the ring of a file, NULL or ERR_PTR. The contract is in struct file_ops. */
static inline struct ring *file_source_ring(struct file *file)
{
	return file->ops->source_ring ? file->ops->source_ring(file) : NULL;
}
static inline struct ring *file_sink_ring(struct file *file)
{
	return file->ops->sink_ring ? file->ops->sink_ring(file) : NULL;
}

/*
 * Move slots of a file to a ring, until the ring is full or the file ends. Waits until then for
 * the first room, and unless that is WAIT_NOT, for the first bytes if the file is a stream. May
 * sleep. fs/splice/splice.c
 */
ssize_t splice_file_to_ring(struct file *in, int64_t *pos, struct ring *ring, size_t len,
			    uint64_t until);
/*
 * Move slots of a ring to a file, as far as their bytes have arrived. With `wait`, waits for the
 * first of them. Returns the number of bytes, 0 at the end, or an error. May sleep.
 * fs/splice/splice.c
 */
ssize_t splice_ring_to_file(struct ring *ring, struct file *out, int64_t *pos, size_t len,
			    bool wait);
/*
 * Publish as many slots of the list as the ring has room for. The others stay in the list. Returns
 * the number of bytes published, -EPIPE or -ERESTARTSYS.
 */
ssize_t splice_publish(struct ring *ring, struct slot_list *slots);
/*
 * Publish all slots of the list, and wait for room, because they cannot be put back into their
 * source. Returns the number of bytes published. After an error the rest is released. May sleep.
 */
ssize_t splice_publish_all(struct ring *ring, struct slot_list *slots);
/*
 * Returns the number of free slots. If there are none, waits for room until then, and returns an
 * error of ring_wait_writable(). Also returns -EPIPE. No mutex is held.
 */
int splice_wait_room(struct ring *ring, uint64_t until);
/*
 * Move slots from one ring to another. With `keep` they stay in the first one as well; both rings
 * are then those of pipes. Waits for the first slot until `slots_until`, and for room until
 * `room_until`. Returns the number of bytes, 0 at the end, or an error. May sleep.
 */
ssize_t splice_between(struct ring *from, struct ring *to, size_t len, uint64_t slots_until,
		       uint64_t room_until, bool keep);

/*
 * fs/splice/sendfile.c: move up to len bytes from a file to a file or device, through a ring
 * on the stack. *pos_in advances only by the bytes that `out` took. Returns the number of bytes, 0
 * at the end, or an error. May sleep.
 */
ssize_t splice_through_ring(struct file *in, int64_t *pos_in, struct file *out, int64_t *pos_out,
			    size_t len);

/* ---- after an error: fs/splice/refused.c ---- */

/*
 * Returns the error of a sendfile whose descriptors cannot be used for it: what is wrong with the
 * input, its offset or the size comes before a bad output.
 */
long sendfile_refused(int fd_in, const int64_t *offset, size_t count);
/* Returns the error of a splice that has failed with `error`, or -EFAULT if an offset is bad. */
long splice_refused(long error, const int64_t __user *off_in, const int64_t __user *off_out);

#endif
