/*
 * Loop devices: disks whose sectors are the bytes of a file, so that an image of a file system can
 * be mounted. The device is /dev/loopN, and its file is called the backing file.
 *
 * 1. A device without a file is unbound, and has no sectors. LOOP_CONFIGURE or LOOP_SET_FD binds
 *    it. Its sectors are then the bytes of the file from `offset` on, up to the end that the file
 *    has at that moment, or as many as `size_limit` says. The device is read-only if the file, or
 *    the device node, was opened for reading only, or if the file can only be appended to.
 * 2. Reads and writes go through the page cache of the backing file. They copy between its pages
 *    and the pages of the bio. A read beyond the end of a file that has become shorter finds zeros,
 *    and a write there makes the file longer again, as on Linux. A flush is an fsync of the backing
 *    file. So what a journal on the device has flushed is as durable as an fsync of that file.
 * 3. bio_submit() only puts the bio into a queue. A bound device has two kernel tasks: one for
 *    reads, and one for writes and flushes. Reads and writes are apart, since a write may wait for
 *    the lock of the backing file, and the holder of this lock may read from a mapping of a file
 *    that lies on the device:
 *
 *	a program			the task for writes
 *	locks the backing file
 *					waits for this lock
 *	faults: a page of its source
 *	must be read from the device	(with one task, nobody would read)
 *
 *    This does not help if that page is locked by a program that writes to it with O_DIRECT: the
 *    write waits for the lock of the backing file, and its holder for the page. Both wait until
 *    one of them is killed, as on Linux. Programs should not write to a backing file from a
 *    mapping of what lies on it.
 *
 * 4. Each task waits only for what is below it: the locks and pages of the backing file, the file
 *    system and disk that hold it, and memory. It never waits for pages of the device. A file can
 *    only be bound if all devices below it are bound, and the device itself is not among them, so
 *    there are no circles.
 * 5. Memory: pages that wait to be written through the device can be freed only by its tasks, so
 *    these must not wait for that. While a task has its reserve of pages, it does not ask that
 *    others write pages back or are killed. If it finds no memory, it frees the reserve, writes
 *    the dirty pages of the backing file, and tries again, as often as necessary. Meanwhile it
 *    may have a process killed, like any other task. A lack of memory is never an error of the
 *    device.
 * 6. Users are open files and mounted file systems. LOOP_CLR_FD by the only one unbinds the device.
 *    If there are others, the device unbinds when the last one closes it (LO_FLAGS_AUTOCLEAR).
 *    Unbinding writes the dirty pages, removes all pages, waits for the bios in the queues,
 *    and lets go of the backing file. So nothing of one file appears in the next one.
 *
 * Locks: loop->mutex serialises the calls that change a device, and is held while they sleep.
 * loops_lock, a plain spinlock, guards `exists`, `state`, `file`, `flags` and `users` of all
 * devices. A walk through devices that lie on each other holds it. The tasks use `file` and
 * `offset` without a lock: these change only while the queues are frozen, or while there are no
 * tasks. Order: mount_mutex < loop->mutex < inode->lock of the device < the locks of the backing
 * file. The reference to a backing file is dropped without loop->mutex, because that may unbind the
 * device below.
 */
#ifndef DRIVERS_DISK_LOOP_H
#define DRIVERS_DISK_LOOP_H

#include "drivers/disk/block.h"
#include "drivers/disk/loop_queue.h"
#include "fs/file/open_file.h"
#include "kernel/mutex.h"

#define LOOP_MAJOR     7
#define LOOP_NAME_SIZE 64 /* bytes of the name in struct loop_info64, with the NUL */

enum loop_state {
	LOOP_UNBOUND,
	LOOP_BINDING,	/* a file is being bound */
	LOOP_BOUND,	/* it has a file, and tasks */
	LOOP_UNBINDING, /* its last user is gone, or has asked for that */
};

enum loop_flags { /* linux/loop.h */
		  LO_FLAGS_READ_ONLY = 1,
		  LO_FLAGS_AUTOCLEAR = 4,
		  LO_FLAGS_PARTSCAN = 8,
		  LO_FLAGS_DIRECT_IO = 16,
};

struct loop {
	struct block_device device; /* `private` is the loop */
	unsigned int number;
	struct mutex mutex;
	/* Guarded by loops_lock. */
	bool exists; /* LOOP_CTL_REMOVE has not removed it */
	enum loop_state state;
	struct file *file; /* with a reference; NULL while the device is unbound */
	unsigned int flags;
	unsigned int users;
	/* Guarded by mutex, and while it is bound. */
	uint64_t offset, size_limit; /* bytes; a limit of 0 is none */
	char name[LOOP_NAME_SIZE];   /* what the program said that the file is called */
	struct loop_io io;
};

/* What LOOP_CONFIGURE and LOOP_SET_STATUS say about the file. */
struct loop_settings {
	uint64_t offset, size_limit;
	unsigned int flags;
	char name[LOOP_NAME_SIZE];
};

/* ---- drivers/disk/loop.c ---- */

#define NR_LOOPS 8u /* there are never more devices */
extern struct loop loops[NR_LOOPS];

/*
 * Bind a file, and take a reference to it. With `read_only` the device cannot be written to.
 * Returns 0, -EBUSY if the device is not unbound, -EBADF if the file lies on the device itself,
 * -EINVAL if it is not a regular file or disk with a page cache, or lies on a loop device that is
 * not bound, -ENOMEM, or -ERESTARTSYS. May sleep.
 */
int loop_bind(struct loop *loop, struct file *file, const struct loop_settings *settings,
	      bool read_only);
/*
 * LOOP_CLR_FD: unbind the device, or have its last user do so. Returns 0, -ENXIO if it is not
 * bound, or -ERESTARTSYS. May sleep.
 */
int loop_clear(struct loop *loop);
/*
 * Change the offset, the limit, the name and the flags. Returns 0, -ENXIO if the device is not
 * bound, -EAGAIN if the place of the bytes would change although the device is mounted, or has
 * pages that are in use, or -ERESTARTSYS. `alone`: the device is claimed by the caller's own node,
 * so it is not mounted. May sleep.
 */
int loop_set(struct loop *loop, const struct loop_settings *settings, bool alone);
/*
 * Replace the file of a read-only device by another one of the same size. Returns as loop_bind(),
 * -ENXIO if the device is not bound, and -EINVAL if it can be written or the sizes differ.
 */
int loop_change(struct loop *loop, struct file *file);
/*
 * Give the device the size that its file has now. Returns 0, -ENXIO, or -ERESTARTSYS. May sleep.
 */
int loop_resize(struct loop *loop);

/*
 * Add the device with that number, or the first one that is missing if `number` is negative.
 * Returns its number, -EEXIST, or -ENOSPC if there cannot be such a device. Never sleeps.
 */
int loop_add(int number);
/*
 * Remove a device. Its node stays, and cannot be opened. Returns 0, -ENODEV if there is none, or
 * -EBUSY if it has a file or a user. Never sleeps.
 */
int loop_remove(unsigned int number);
/*
 * Returns the number of the first device that is not bound. If all are, one is added. Returns
 * -ENOSPC if that is not possible. Never sleeps.
 */
int loop_get_free(void);

/* ---- drivers/disk/loop_file.c ---- */

/* loop_io.carry_out */
int loop_carry_out(struct loop_task *task, struct bio *bio);

/* ---- drivers/disk/loop_control.c ---- */

/* block_device_ops.ioctl */
long loop_ioctl(struct block_device *device, struct file *file, unsigned int command,
		unsigned long argument);

#endif
