/*
 * Loop devices: binding files to them, and their sizes. The contract is in drivers/disk/loop.h.
 *
 * A task that changes `state` to LOOP_BINDING or LOOP_UNBINDING is the only one that changes the
 * device until it has changed the state again.
 */
#include "drivers/disk/loop.h"
#include "fs/cache/writeback.h"
#include "fs/dev/device.h"
#include "kernel/init.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/vm/vm.h"

struct loop loops[NR_LOOPS];

#define RETRY_NS (10 * NSEC_PER_MSEC) /* between two tries to write */

static spinlock_t loops_lock = SPINLOCK_INIT("loops");

/* ---- the size, and cached pages ---- */

static uint64_t sectors_of(struct file *file, uint64_t offset, uint64_t limit)
{
	uint64_t size = inode_size(file->inode);
	uint64_t bytes = size > offset ? size - offset : 0;

	return (limit > 0 ? MIN(bytes, limit) : bytes) >> SECTOR_SHIFT;
}

/* The page is locked. */
static void write_and_remove(struct mapping *mapping, struct page *page)
{
	if (mapping_unmap_page(mapping, page))
		page_set_dirty(page);
	(void)page_write_locked(mapping, page);
	page_wait(page, PG_WRITEBACK, TASK_UNINTERRUPTIBLE);
	mapping_remove_page(mapping, page, true);
}

/* Write a page of the device if it is dirty, and remove it. No signal ends the waits. */
static void drop_page(struct mapping *mapping, unsigned int index)
{
	struct page *page = mapping_find(mapping, index);

	if (!page)
		return;
	page_lock(page, TASK_UNINTERRUPTIBLE);
	if (page->mapping == mapping)
		write_and_remove(mapping, page);
	page_unlock(page);
	page_put(page);
}

/*
 * Change the size. The page in which the device ends is dropped, since it holds zeros in place of
 * the sectors that may come, or sectors that are gone. Bios must be carried out meanwhile.
 */
static void set_sectors(struct loop *loop, uint64_t sectors)
{
	struct inode *inode = loop->device.inode;
	uint64_t old = loop->device.sectors, last = MIN(old, sectors) / (PAGE_SIZE / SECTOR_SIZE);

	sectors = MIN(sectors, (uint64_t)FILE_SIZE_MAX >> SECTOR_SHIFT);
	if (sectors == old)
		return;
	mutex_lock(&inode->lock);
	if (sectors > old)
		loop->device.sectors = sectors;
	inode_set_size(inode, sectors << SECTOR_SHIFT);
	drop_page(&inode->mapping, last);
	if (sectors < old)
		mapping_remove_range(&inode->mapping, last, UINT32_MAX);
	loop->device.sectors = sectors;
	mutex_unlock(&inode->lock);
}

/* ---- binding ---- */

/* Returns the disk that holds the file's bytes, or NULL: they are in memory only. */
static struct block_device *disk_of_file(const struct file *file)
{
	return S_ISBLK(file->inode->mode) ? file->inode->private : file->inode->sb->device;
}

static struct loop *loop_of(struct block_device *device)
{
	if (device && device->whole)
		device = device->whole;
	return device && device->major == LOOP_MAJOR ? device->private : NULL;
}

/* May the file be bound? Returns 0, -EBADF or -EINVAL. */
static int check_file(const struct loop *loop, struct file *file)
{
	const struct inode *inode = file->inode;
	const struct loop *below = loop_of(disk_of_file(file));

	lockdep_held(&loops_lock);
	if ((!S_ISREG(inode->mode) && !S_ISBLK(inode->mode)) || !inode->mapping.ops ||
	    !file->ops->read)
		return refuse(EINVAL, "not a regular file or a disk");
	for (; below; below = loop_of(disk_of_file(below->file))) {
		if (below == loop)
			return -EBADF;
		if (below->state != LOOP_BOUND)
			return refuse(EINVAL, "the file is on a loop device without a file");
	}
	return 0;
}

static void set_file(struct loop *loop, struct file *file)
{
	const struct block_device *below = disk_of_file(file);

	lockdep_held(&loops_lock);
	file_get(file);
	loop->file = file;
	loop->device.depth = below ? below->depth + 1 : 1;
}

static int begin_binding(struct loop *loop, struct file *file)
{
	int error = -EBUSY;

	spin_lock(&loops_lock);
	if (loop->state == LOOP_UNBOUND)
		error = check_file(loop, file);
	if (!error) {
		loop->state = LOOP_BINDING;
		set_file(loop, file);
	}
	spin_unlock(&loops_lock);
	return error;
}

/* Let go of the file. Returns it. */
static struct file *end_unbinding(struct loop *loop)
{
	struct file *file = loop->file;

	loop->offset = loop->size_limit = 0;
	memset(loop->name, 0, sizeof(loop->name));
	spin_lock(&loops_lock);
	loop->file = NULL;
	loop->flags = 0;
	loop->device.read_only = false;
	loop->device.depth = 0;
	loop->state = LOOP_UNBOUND;
	spin_unlock(&loops_lock);
	return file;
}

int loop_bind(struct loop *loop, struct file *file, const struct loop_settings *settings,
	      bool read_only)
{
	int error = mutex_lock_killable(&loop->mutex);

	if (error)
		return error;
	error = begin_binding(loop, file);
	if (error)
		goto unlock;
	error = loop_tasks_start(&loop->io, loop->device.name);
	if (error) {
		file_put(end_unbinding(loop)); /* the caller has a reference, too */
		goto unlock;
	}
	loop->offset = settings->offset;
	loop->size_limit = settings->size_limit;
	memcpy(loop->name, settings->name, sizeof(loop->name));
	loop->device.read_only = read_only;
	set_sectors(loop, sectors_of(file, loop->offset, loop->size_limit));
	spin_lock(&loops_lock);
	loop->flags = (settings->flags & LO_FLAGS_AUTOCLEAR) | (read_only ? LO_FLAGS_READ_ONLY : 0);
	loop->state = LOOP_BOUND;
	spin_unlock(&loops_lock);
unlock:
	mutex_unlock(&loop->mutex);
	return error;
}

/*
 * Write all dirty pages, since nobody is left to write them again. Without memory, or if the
 * current task is killed while it waits, some have not been tried yet. One whose write fails is
 * lost.
 */
static void write_all(struct mapping *mapping)
{
	static struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	while (mapping_write(mapping))
		(void)__wait_event(&nobody, false, TASK_UNINTERRUPTIBLE, time_now() + RETRY_NS);
}

/* The state is LOOP_UNBINDING. Returns the file, whose reference the caller drops. */
static struct file *unbind(struct loop *loop)
{
	struct mapping *mapping = &loop->device.inode->mapping;

	write_all(mapping);
	set_sectors(loop, 0);
	loop_tasks_stop(&loop->io);
	(void)mapping_take_error(mapping);
	mapping->failed_for_commit = false;
	return end_unbinding(loop);
}

int loop_clear(struct loop *loop)
{
	struct file *file = NULL;
	bool last = false;
	int error = mutex_lock_killable(&loop->mutex);

	if (error)
		return error;
	spin_lock(&loops_lock);
	if (loop->state != LOOP_BOUND) {
		error = -ENXIO;
	} else if (loop->users > 1) {
		loop->flags |= LO_FLAGS_AUTOCLEAR;
	} else {
		loop->state = LOOP_UNBINDING;
		last = true;
	}
	spin_unlock(&loops_lock);
	if (last)
		file = unbind(loop);
	mutex_unlock(&loop->mutex);
	if (file)
		file_put(file);
	return error;
}

/* ---- changing a device that has a file ---- */

/* Take the mutex of a bound device. Returns 0, -ENXIO or -ERESTARTSYS. */
static int lock_bound(struct loop *loop)
{
	int error = mutex_lock_killable(&loop->mutex);

	if (!error && READ_ONCE(loop->state) != LOOP_BOUND) {
		mutex_unlock(&loop->mutex);
		error = -ENXIO;
	}
	return error;
}

int loop_set(struct loop *loop, const struct loop_settings *settings, bool alone)
{
	struct mapping *mapping = &loop->device.inode->mapping;
	bool moves;
	int error = lock_bound(loop);

	if (error)
		return error;
	moves = settings->offset != loop->offset || settings->size_limit != loop->size_limit;
	if (moves) {
		(void)mapping_sync(mapping);
		mapping_drop_clean(mapping, 0, UINT32_MAX);
	}
	loop_freeze(&loop->io);
	/* A file system keeps bytes of the device in memory, too. */
	if (moves && (READ_ONCE(mapping->pages.count) > 0 || (loop->device.claimed && !alone))) {
		error = -EAGAIN;
	} else {
		loop->offset = settings->offset;
		loop->size_limit = settings->size_limit;
		memcpy(loop->name, settings->name, sizeof(loop->name));
		spin_lock(&loops_lock);
		loop->flags = (loop->flags & ~LO_FLAGS_AUTOCLEAR) |
			      (settings->flags & LO_FLAGS_AUTOCLEAR);
		spin_unlock(&loops_lock);
	}
	loop_thaw(&loop->io);
	if (moves && !error)
		set_sectors(loop, sectors_of(loop->file, loop->offset, loop->size_limit));
	mutex_unlock(&loop->mutex);
	return error;
}

int loop_change(struct loop *loop, struct file *file)
{
	struct file *old;
	int error = lock_bound(loop);

	if (error)
		return error;
	old = loop->file;
	loop_freeze(&loop->io);
	spin_lock(&loops_lock);
	if (!(loop->flags & LO_FLAGS_READ_ONLY))
		error = refuse(EINVAL, "the device can be written");
	else
		error = check_file(loop, file);
	if (!error && sectors_of(file, loop->offset, loop->size_limit) !=
			      sectors_of(old, loop->offset, loop->size_limit))
		error = refuse(EINVAL, "the files have different sizes");
	if (!error)
		set_file(loop, file);
	spin_unlock(&loops_lock);
	loop_thaw(&loop->io);
	if (!error)
		mapping_drop_clean(&loop->device.inode->mapping, 0, UINT32_MAX);
	mutex_unlock(&loop->mutex);
	if (!error)
		file_put(old);
	return error;
}

int loop_resize(struct loop *loop)
{
	int error = lock_bound(loop);

	if (error)
		return error;
	set_sectors(loop, sectors_of(loop->file, loop->offset, loop->size_limit));
	mutex_unlock(&loop->mutex);
	return 0;
}

/* ---- which devices there are ---- */

int loop_add(int number)
{
	int error = -ENOSPC;

	spin_lock(&loops_lock);
	for (unsigned int i = 0; i < NR_LOOPS && error == -ENOSPC; i++)
		if (number < 0 ? !loops[i].exists : (unsigned int)number == i)
			error = loops[i].exists ? -EEXIST : (int)i;
	if (error >= 0)
		loops[error].exists = true;
	spin_unlock(&loops_lock);
	return error;
}

int loop_remove(unsigned int number)
{
	int error = -ENODEV;

	spin_lock(&loops_lock);
	if (number < NR_LOOPS && loops[number].exists) {
		error = loops[number].state != LOOP_UNBOUND || loops[number].users > 0 ? -EBUSY : 0;
		loops[number].exists = error != 0;
	}
	spin_unlock(&loops_lock);
	return error;
}

int loop_get_free(void)
{
	int number = -1;

	spin_lock(&loops_lock);
	for (unsigned int i = 0; i < NR_LOOPS && number < 0; i++)
		if (loops[i].exists && loops[i].state == LOOP_UNBOUND)
			number = i;
	spin_unlock(&loops_lock);
	return number >= 0 ? number : loop_add(-1);
}

/* ---- operations of the disk ---- */

static void submit(struct block_device *device, struct bio *bio)
{
	struct loop *loop = device->private;

	loop_submit(&loop->io, bio);
}

static int flush(struct block_device *device)
{
	return device->sectors > 0 ? block_flush_by_bio(device) : 0;
}

static int opened(struct block_device *device)
{
	struct loop *loop = device->private;
	int error;

	spin_lock(&loops_lock);
	error = loop->exists ? 0 : -ENXIO;
	loop->users += !error;
	spin_unlock(&loops_lock);
	return error;
}

static void closed(struct block_device *device)
{
	struct loop *loop = device->private;
	bool last;

	spin_lock(&loops_lock);
	last = --loop->users == 0 && loop->state == LOOP_BOUND && loop->flags & LO_FLAGS_AUTOCLEAR;
	if (last)
		loop->state = LOOP_UNBINDING;
	spin_unlock(&loops_lock);
	if (last)
		file_put(unbind(loop));
}

static const struct block_device_ops loop_ops = {
	.submit = submit,
	.flush = flush,
	.opened = opened,
	.closed = closed,
	.ioctl = loop_ioctl,
};

static int loop_probe(void)
{
	for (unsigned int i = 0; i < NR_LOOPS; i++) {
		struct loop *loop = &loops[i];

		loop->number = i;
		loop->exists = true;
		mutex_init(&loop->mutex, "loop");
		loop_io_init(&loop->io, loop_carry_out);
		loop->device = (struct block_device){
			.major = LOOP_MAJOR,
			.minor = i,
			.ops = &loop_ops,
			.private = loop,
			.queue_depth = 1,
		};
		snprintf(loop->device.name, sizeof(loop->device.name), "loop%u", i);
		block_register(&loop->device);
	}
	return 0;
}
DRIVER(loop, loop_probe);
