/*
 * The block layer: finding devices by name and number, and passing bios to drivers.
 *
 * 1. One CPU adds the devices while drivers probe, before any program runs, and they never go away. So
 *    the list needs no lock, and a device that has been found stays valid.
 * 2. Each bio is checked here, so that a driver gets only bios that lie within its device.
 * 3. bio_complete() runs the submitter's function without any lock of ours, perhaps in an
 *    interrupt.
 */
#include "drivers/disk/block.h"
#include "kernel/task.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

struct list block_devices = LIST_INIT(block_devices);

#define MAX_LETTERS 26

SLAB_CACHE(bio_cache, "bio", struct bio, 0);

/* Tasks in bio_wait_all(), bio_wait_all_always() and bio_flush_wait(). */
static struct wait_queue done_queue = WAIT_QUEUE_INIT(done_queue);

/* ---- devices ---- */

void block_register(struct block_device *device)
{
	/* So that its size in bytes is a file size. */
	device->sectors = MIN(device->sectors, (uint64_t)INT64_MAX >> SECTOR_SHIFT);
	list_add_tail(&block_devices, &device->link);
}

int block_register_next(struct block_device *device, const char *prefix, unsigned int major)
{
	struct block_device *other;
	unsigned int nr = 0;

	list_for_each(other, &block_devices, link)
		if (other->major == major && !other->whole)
			nr++;
	if (nr == MAX_LETTERS) {
		log_warning("more than %u disks of the kind %sa; the others are not used", nr,
			    prefix);
		return -ENOSPC;
	}
	snprintf(device->name, sizeof(device->name), "%s%c", prefix, 'a' + nr);
	device->major = major;
	device->minor = nr * MINORS_PER_DISK;
	device->may_have_partitions = true;
	block_register(device);
	return 0;
}

struct block_device *block_find(const char *name)
{
	struct block_device *device;

	if (!strncmp(name, "/dev/", 5))
		name += 5;
	list_for_each(device, &block_devices, link)
		if (!strcmp(device->name, name))
			return device;
	return NULL;
}

struct block_device *block_find_number(unsigned int major, unsigned int minor)
{
	struct block_device *device;

	list_for_each(device, &block_devices, link)
		if (device->major == major && device->minor == minor)
			return device;
	return NULL;
}

/* ---- bios ---- */

struct bio *bio_alloc(struct block_device *device, uint64_t sector, bool write, unsigned int flags)
{
	struct bio *bio = slab_alloc(bio_cache, flags);

	if (!bio)
		return NULL;
	memset(bio, 0, offsetof(struct bio, segments));
	bio->device = device;
	bio->sector = sector;
	bio->write = write;
	list_init(&bio->link);
	return bio;
}

void bio_free(struct bio *bio)
{
	slab_free(bio_cache, bio);
}

bool bio_add(struct bio *bio, struct page *page, unsigned int offset, unsigned int len)
{
	if (bio->nr_segments == BIO_MAX_SEGMENTS)
		return false;
	bio->segments[bio->nr_segments++] = (struct bio_segment){ page, offset, len };
	bio->total += len;
	return true;
}

static bool bio_is_valid(const struct bio *bio)
{
	const struct block_device *device = bio->device;
	uint64_t sectors = bio->total >> SECTOR_SHIFT;

	if (bio->write && device->read_only)
		return false;
	if (bio->nr_segments == 0)
		return device->ops->flush != NULL;
	return !(bio->total & (SECTOR_SIZE - 1)) && bio->sector <= device->sectors &&
	       sectors <= device->sectors - bio->sector;
}

static struct block_device *disk_of(struct block_device *device)
{
	return device->whole ? device->whole : device;
}

static void count_start(struct block_device *device)
{
	int in_flight = atomic_add_return(&device->in_flight, 1);

	/* With two CPUs here at once the maximum may come out too low by one. */
	if (in_flight > atomic_read(&device->max_in_flight))
		atomic_set(&device->max_in_flight, in_flight);
}

static void start(struct bio *bio)
{
	struct block_device *device = bio->device, *disk = disk_of(device);
	bool valid = bio_is_valid(bio);

	count_start(device);
	if (disk != device)
		count_start(disk);
	bio->sector += device->first;
	if (valid)
		disk->ops->submit(disk, bio);
	else
		bio_complete(bio, -EIO);
}

static void kick(struct block_device *device)
{
	struct block_device *disk = disk_of(device);

	if (disk->ops->kick)
		disk->ops->kick(disk);
}

void bio_submit(struct bio *bio)
{
	struct block_device *device = bio->device;

	start(bio);
	kick(device);
}

static void count_end(struct block_device *device, const struct bio *bio)
{
	atomic_inc(bio->write ? &device->writes : &device->reads);
	atomic_add_return(bio->write ? &device->sectors_written : &device->sectors_read,
			  bio->total / SECTOR_SIZE);
	if (bio->error)
		atomic_inc(&device->errors);
	atomic_dec(&device->in_flight);
}

void bio_complete(struct bio *bio, int error)
{
	struct block_device *device = bio->device;

	bio->error = error;
	if (error)
		log_debug("%s: %s of %u bytes at sector %llu failed", device->name,
			  bio->write ? "write" : "read", bio->total,
			  (unsigned long long)(bio->sector - device->first));
	count_end(device, bio);
	if (device->whole)
		count_end(device->whole, bio);
	bio->complete(bio);
}

void bio_end(struct bio *bio, int error, struct list *done)
{
	bio->error = error;
	list_add_tail(done, &bio->link);
}

void bio_end_all(struct list *bios, int error, struct list *done)
{
	struct bio *bio, *next;

	list_for_each_safe(bio, next, bios, link) {
		list_del(&bio->link);
		bio_end(bio, error, done);
	}
}

void bio_complete_all(struct list *done)
{
	struct bio *bio, *next;

	list_for_each_safe(bio, next, done, link) {
		list_del(&bio->link);
		bio_complete(bio, bio->error);
	}
}

phys_addr_t bio_bytes(const struct bio *bio, const struct bio_place *at, unsigned int *len)
{
	const struct bio_segment *segment = &bio->segments[at->segment];

	*len = segment->len - at->offset;
	return page_phys(segment->page) + segment->offset + at->offset;
}

void bio_advance(const struct bio *bio, struct bio_place *at, unsigned int len)
{
	at->offset += len;
	at->sector += len >> SECTOR_SHIFT;
	if (at->offset == bio->segments[at->segment].len) {
		at->segment++;
		at->offset = 0;
	}
}

int bio_copy(struct bio *bio, uint64_t base,
	     struct page *(*page_at)(unsigned int index, bool write))
{
	uint64_t at = base + (bio->sector << SECTOR_SHIFT);

	for (unsigned int i = 0; i < bio->nr_segments; i++) {
		const struct bio_segment *segment = &bio->segments[i];
		unsigned int byte = segment->offset, end = byte + segment->len, len;

		for (; byte < end; byte += len, at += len) {
			unsigned int here = byte & (PAGE_SIZE - 1), there = at & (PAGE_SIZE - 1);
			struct page *page = page_at(at >> PAGE_SHIFT, bio->write);
			char *ours, *disk;

			if (!page)
				return -EIO;
			len = MIN(end - byte, PAGE_SIZE - MAX(here, there));
			ours = kmap_local(segment->page + (byte >> PAGE_SHIFT)) + here;
			disk = kmap_local(page) + there;
			memcpy(bio->write ? disk : ours, bio->write ? ours : disk, len);
			kunmap_local(disk);
			kunmap_local(ours);
		}
	}
	return 0;
}

/*
 * The locked decrement comes before the look at the queue, and the waiter joins the queue before it looks
 * at the count. So one of the two sees the other.
 */
static void complete_wait(struct bio *bio)
{
	atomic_dec(bio->private);
	/* The waiter may be gone by now, and the bio with it. The queue is static. */
	wake_all(&done_queue);
}

void bio_submit_all(struct bio **bios, unsigned int nr, struct atomic *left)
{
	atomic_set(left, nr);
	for (unsigned int i = 0; i < nr; i++) {
		bios[i]->private = left;
		bios[i]->complete = complete_wait;
		start(bios[i]);
	}
	kick(bios[0]->device);
}

int bio_wait_all(struct atomic *left)
{
	return wait_event_killable(&done_queue, atomic_read(left) == 0);
}

void bio_wait_all_always(struct atomic *left)
{
	wait_event(&done_queue, atomic_read(left) == 0);
}

/* What bio->private says of a flush: each side exchanges it once, and the later one frees the bio. */
enum { FLUSH_RUNS, FLUSH_DONE, FLUSH_LEFT };

static void complete_flush(struct bio *bio)
{
	/* As soon as this says FLUSH_DONE, the waiter may free the bio. */
	if (__atomic_exchange_n(&bio->private, (void *)FLUSH_DONE, __ATOMIC_SEQ_CST) ==
	    (void *)FLUSH_LEFT)
		bio_free(bio);
	else
		wake_all(&done_queue);
}

int bio_flush_wait(struct bio *bio)
{
	int error;

	assert(bio->nr_segments == 0);
	bio->private = (void *)FLUSH_RUNS;
	bio->complete = complete_flush;
	bio_submit(bio);
	error = wait_event_killable(&done_queue, READ_ONCE(bio->private) == (void *)FLUSH_DONE);
	if (error && __atomic_exchange_n(&bio->private, (void *)FLUSH_LEFT, __ATOMIC_SEQ_CST) !=
			     (void *)FLUSH_DONE)
		return error;
	error = bio->error;
	bio_free(bio);
	return error;
}

int block_flush_by_bio(struct block_device *device)
{
	struct bio *bio;

	if (device->read_only)
		return 0;
	bio = bio_alloc(device, 0, true, 0);
	return bio ? bio_flush_wait(bio) : -ENOMEM;
}
