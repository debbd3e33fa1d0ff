/*
 * Block devices as files. The raw device is read and written through its own page cache.
 *
 * 1. Each device has one inode on the pseudo file system. It is made when it is first used, and
 *    stays. Its page cache holds the raw device for all /dev nodes and for the metadata of file
 *    systems.
 * 2. Opening a /dev node puts that inode into the open file, in place of the node's own. The file's
 *    path still leads to the node. So fstat describes the node, and reads and writes reach the
 *    device.
 * 3. The size of the file is the size of the device. Reads end there, and writes beyond it return
 *    -ENOSPC.
 * 4. Closing a file that was open for writing writes the dirty pages to the device.
 * 5. A splice into the file makes bios directly from the slots, submits many at once, and waits for
 *    them. So bytes that have been written have left the pipe, and errors are reported. Positions
 *    and lengths must be multiples of a sector, or -EINVAL is returned. The places of the range are
 *    held meanwhile (fs/cache/places.h). The bytes of slots of device memory are copied into the
 *    cache instead. If the task is killed before the disk has answered, a kernel task keeps the
 *    slots and the places until it has.
 * 6. A file that is open with O_DIRECT is read and written by fs/file/direct.h.
 * 7. blockdev_lock guards the creation of device->inode.
 */
#include "fs/dev/device.h"
#include "drivers/disk/block.h"
#include "fs/cache/writeback.h"
#include "fs/file/generic.h"
#include "fs/cache/pageio.h"
#include "fs/cache/places.h"
#include "fs/splice/copy.h"
#include "fs/file/open_file.h"
#include "kernel/capability.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

/* ioctl commands of Linux/i386, <linux/fs.h>. */
#define BLKROGET	0x125e
#define BLKGETSIZE	0x1260
#define BLKFLSBUF	0x1261
#define BLKSSZGET	0x1268
#define BLKBSZGET	0x80041270
#define BLKGETSIZE64	0x80041272

#define DIRECT_BIOS	16u /* in flight for one splice, at most */
#define DIRECT_SEGMENTS 16u /* in one bio */
#define DIRECT_BYTES	(1u << 20)

static struct mutex blockdev_lock = MUTEX_INIT(blockdev_lock);

static void blockdev_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	pageio_read(mapping->inode->private, mapping, SECTOR_SHIFT, NULL, pages, nr);
}

static int blockdev_write_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	return pageio_write(mapping->inode->private, mapping, SECTOR_SHIFT, NULL, pages, nr);
}

static int blockdev_begin_write(struct mapping *mapping, struct page *page, unsigned int from,
				unsigned int to)
{
	const struct block_device *device = mapping->inode->private;

	/* Every page has its place. A loop device may have become read-only since it was opened. */
	return device->read_only ? -EPERM : 0;
}

static void blockdev_store(const struct inode *inode, struct file_store *store)
{
	*store = (struct file_store){ .device = inode->private, .block_shift = SECTOR_SHIFT };
}

static const struct direct_ops blockdev_direct_ops = { .store = blockdev_store };

static const struct mapping_ops blockdev_mapping_ops = {
	.read_pages = blockdev_read_pages,
	.write_pages = blockdev_write_pages,
	.begin_write = blockdev_begin_write,
	.balance = disk_is_dirty,
	.direct = &blockdev_direct_ops,
	.has_store = true,
};

struct inode *block_inode(struct block_device *device)
{
	struct inode *inode;

	mutex_lock(&blockdev_lock);
	inode = device->inode;
	if (!inode) {
		inode = inode_anonymous(S_IFBLK | 0600, "block");
		if (!IS_ERR(inode)) {
			inode->rdev = MAKEDEV(device->major, device->minor);
			inode->private = device;
			inode->size =
				MIN((file_off_t)(device->sectors << SECTOR_SHIFT), FILE_SIZE_MAX);
			mapping_init(&inode->mapping, inode, &blockdev_mapping_ops);
			device->inode = inode;
		}
	}
	mutex_unlock(&blockdev_lock);
	return inode;
}

/* ---- file operations ---- */

static int blockdev_open(struct inode *inode, struct file *file)
{
	struct block_device *device = block_find_number(MAJOR(inode->rdev), MINOR(inode->rdev));
	struct inode *data;
	int error;

	if (!device)
		return -ENXIO;
	if (file->writable && device->read_only)
		return -EACCES;
	data = block_inode(device);
	if (IS_ERR(data))
		return PTR_ERR(data);
	error = block_open(device);
	if (error)
		return error;
	if (file->exclusive && !block_claim(device)) {
		block_close(device);
		return -EBUSY;
	}
	/*
	 * A file system writes to its disk without this cache. Who opens the disk sees what it has
	 * written so far.
	 */
	if (device->claimed && !file->exclusive)
		mapping_drop_clean(&data->mapping, 0, UINT32_MAX);
	inode_get(data);
	inode_put(file->inode);
	file->inode = data;
	return 0;
}

static void blockdev_release(struct file *file)
{
	if (file->writable) /* a page that fails stays dirty, and the next fsync tries again */
		(void)mapping_sync(&file->inode->mapping);
	if (file->exclusive)
		block_unclaim(file->inode->private);
	block_close(file->inode->private);
}

/* ---- from slots to the disk ---- */

/*
 * A write in flight. It belongs to the task that splices, or to the kernel task that took it over.
 */
struct direct_write {
	struct places places;
	struct bio *bios[DIRECT_BIOS];
	unsigned int nr;
	struct atomic left; /* bios that have not ended */
	/* Of a kernel task: the slots that the bios write, held once more. */
	struct pipe_slot *slots;
	unsigned int nr_slots;
};

/*
 * Make bios from the slots, from the first one on, for at most `room` bytes. Makes none if the
 * first slot cannot be written this way or there is no memory.
 */
//BOOK: direct-bios
static void make_bios(struct direct_write *write, struct block_device *device, uint64_t sector,
		      const struct slot_list *slots, uint64_t room)
{
	struct bio *bio = NULL;

	for (unsigned int i = 0; i < slots->nr && room > 0; i++) {
		const struct pipe_slot *slot = &slots->slots[i];
		unsigned int n = MIN(slot->len, room);

		if ((slot->offset | slot->len) % SECTOR_SIZE || page_has(slot->page, PG_DEVICE) ||
		    slot->ops->map)
			break;
		if (!bio || bio->nr_segments == DIRECT_SEGMENTS) {
			if (write->nr == DIRECT_BIOS)
				break;
			bio = bio_alloc(device, sector, true, 0);
			if (!bio)
				break;
			write->bios[write->nr++] = bio;
		}
		bio_add(bio, slot->page + (slot->offset >> PAGE_SHIFT),
			slot->offset & (PAGE_SIZE - 1), n);
		sector += n >> SECTOR_SHIFT;
		room -= n;
	}
}

/*
 * All bios have ended: free the write and give the places back. Returns the number of bytes before
 * the first error, and sets *error to it.
 */
static ssize_t end_write(struct direct_write *write, int *error)
{
	ssize_t done = 0;

	for (unsigned int i = 0; i < write->nr; i++) {
		struct bio *bio = write->bios[i];

		*error = *error ? *error : bio->error;
		done += *error ? 0 : bio->total;
		bio_free(bio);
	}
	places_release(&write->places, 0);
	kfree(write);
	return done;
}

static void release_held_slots(struct direct_write *write)
{
	while (write->nr_slots > 0)
		slot_release(&write->slots[--write->nr_slots]);
	kfree(write->slots);
}

/* The kernel task that has taken over a write. */
static void end_write_of_killed(void *arg)
{
	struct direct_write *write = arg;
	int error = 0; /* nobody is left to be told */

	bio_wait_all_always(&write->left);
	release_held_slots(write);
	(void)end_write(write, &error);
}

/* Hold the slots that the bios write once more. Returns false if that is not possible. */
static bool hold_slots(struct direct_write *write, const struct slot_list *slots)
{
	unsigned int nr = MIN(slots->nr, DIRECT_BIOS * DIRECT_SEGMENTS);

	write->slots = kmalloc(nr * sizeof(struct pipe_slot), 0);
	while (write->slots && write->nr_slots < nr) {
		struct pipe_slot *slot = &write->slots[write->nr_slots];

		*slot = slots->slots[write->nr_slots];
		slot->envelope = NULL;
		if (!slot_get(slot))
			return false;
		write->nr_slots++;
	}
	return write->slots;
}

/*
 * The task has been killed, and the disk is still reading the slots' pages. Returns true if a
 * kernel task has taken over the write, and false if there is no memory for that.
 */
static bool hand_over(struct direct_write *write, const struct slot_list *slots)
{
	if (hold_slots(write, slots) &&
	    !IS_ERR(kernel_task_start("disk write", end_write_of_killed, write)))
		return true;
	release_held_slots(write);
	return false;
}

/* Can the slots be written at `pos`? Returns 0 or an error. */
static int check_place(struct inode *inode, file_off_t pos, const struct slot_list *slots)
{
	if (pos % SECTOR_SIZE || slots->slots->len % SECTOR_SIZE)
		return refuse(EINVAL, "a disk is written in whole sectors");
	return pos >= inode_size(inode) ? -ENOSPC : 0;
}

/*
 * Write the slots that can be made into bios. Returns the number of bytes, and sets *error if an
 * error has ended the write. If it returns 0 without an error, the first slot must be copied.
 */
static ssize_t write_slots(struct inode *inode, file_off_t pos, const struct slot_list *slots,
			   int *error)
{
	file_off_t end = MIN(inode_size(inode), pos + (file_off_t)MIN(slots->bytes, DIRECT_BYTES));
	struct direct_write *write = end > pos ? kzalloc(sizeof(*write), 0) : NULL;
	unsigned int first = pos >> PAGE_SHIFT;
	int held;

	if (end <= pos) /* a loop device may have become shorter meanwhile */
		*error = -ENOSPC;
	if (!write)
		return 0;
	held = places_hold(&write->places, &inode->mapping, first,
			   MIN(((end - 1) >> PAGE_SHIFT) + 1 - first, (file_off_t)PLACES_MAX),
			   PLACES_WRITE);
	if (held < 0) {
		*error = held == -ENOMEM ? 0 : held;
		kfree(write);
		return 0;
	}
	end = MIN(end, (file_off_t)(first + held) << PAGE_SHIFT);
	make_bios(write, inode->private, pos >> SECTOR_SHIFT, slots, end - pos);
	if (write->nr > 0) {
		bio_submit_all(write->bios, write->nr, &write->left);
		*error = bio_wait_all(&write->left);
		if (*error && hand_over(write, slots))
			return 0;
		bio_wait_all_always(&write->left);
		*error = 0;
	}
	return end_write(write, error);
}

/* The sink has taken the first n bytes. */
static void consume(struct slot_list *slots, size_t n)
{
	while (n > 0) {
		unsigned int taken = MIN(n, slots->slots->len);

		slot_list_consume(slots, taken);
		n -= taken;
	}
}

/* Copy the first slot into the cache. */
static ssize_t copy_slot(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	unsigned int rest = slots->nr - 1;
	ssize_t n;

	slots->nr = 1;
	n = copy_splice_write(file, pos, slots);
	slots->nr += rest;
	return n;
}

static ssize_t blockdev_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots)
{
	ssize_t done = 0;
	int error = 0;

	while (slots->nr > 0 && !error) {
		ssize_t n = 0;

		error = check_place(file->inode, *pos, slots);
		if (!error)
			n = write_slots(file->inode, *pos, slots, &error);
		if (n > 0) {
			consume(slots, n);
			*pos += n;
		} else if (!error) {
			n = copy_slot(file, pos, slots);
		}
		if (n > 0)
			done += n;
		else if (!error)
			error = n;
	}
	if (done > 0 && file->flags & O_DSYNC && generic_file_fsync(file) < 0)
		return -EIO;
	return done ? done : error;
}

static file_off_t blockdev_llseek(struct file *file, file_off_t offset, int whence)
{
	file_off_t before = file->pos, pos = generic_llseek(file, offset, whence);

	if (pos <= file->inode->size)
		return pos;
	file->pos = before;
	return refuse(EINVAL, "beyond the end of the device");
}

static long flush_buffers(struct block_device *device)
{
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EACCES;
	error = block_sync(device);
	mapping_drop_clean(&device->inode->mapping, 0, UINT32_MAX);
	return error;
}

static long blockdev_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct block_device *device = file->inode->private;
	uint64_t bytes = device->sectors << SECTOR_SHIFT;

	switch (command) {
	case BLKROGET:
		return put_user_u32(device->read_only, (void __user *)argument);
	case BLKGETSIZE:
		if (device->sectors > UINT32_MAX)
			return -EFBIG;
		return put_user_u32(device->sectors, (void __user *)argument);
	case BLKGETSIZE64:
		return copy_to_user((void __user *)argument, &bytes, sizeof(bytes));
	case BLKSSZGET:
		return put_user_u32(SECTOR_SIZE, (void __user *)argument);
	case BLKBSZGET:
		return put_user_u32(PAGE_SIZE, (void __user *)argument);
	case BLKFLSBUF:
		return flush_buffers(device);
	default:
		return device->ops->ioctl ? device->ops->ioctl(device, file, command, argument)
					  : -ENOTTY;
	}
}

const struct file_ops block_file_ops = {
	.open = blockdev_open,
	.release = blockdev_release,
	.read = generic_file_read,
	.write = generic_file_write,
	.llseek = blockdev_llseek,
	.mmap = generic_file_mmap,
	.ioctl = blockdev_ioctl,
	.fsync = generic_file_fsync,
	.splice_read = generic_splice_read,
	.splice_write = blockdev_splice_write,
};
