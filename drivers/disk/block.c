/*
 * The block layer: finding devices by name and number, and passing bios to drivers.
 *
 * 1. One CPU adds the devices while drivers probe, before any program runs, and they never go away.
 *    So the list needs no lock, and a device that has been found stays valid.
 * 2. claim_lock guards which devices are claimed.
 * 3. Each bio is checked here, so that a driver gets only bios that lie within its device.
 * 4. bio_complete() runs the submitter's function without any lock of ours, perhaps in an
 *    interrupt.
 */
#include "drivers/disk/block.h"
#include "kernel/init.h"
#include "kernel/task.h"
#include "kernel/wait.h"
#include "lib/errno.h"
#include "lib/print.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

struct list block_devices = LIST_INIT(block_devices);

#define MAX_LETTERS 26

static spinlock_t claim_lock = SPINLOCK_INIT("claim");

SLAB_CACHE(bio_cache, "bio", struct bio, 0);

/*
 * Tasks in bio_wait_all(), bio_wait_all_always(), bio_do_in_turn() and bio_flush_wait(). They share
 * a few queues, by the address of what they wait for, which may be gone when they are woken. A task
 * may be woken for another one's bio, and looks again.
 */
#define QUEUES 64u
static struct wait_queue done_queues[QUEUES];

/* Some addresses are in slabs, and others in stacks, at the same place in each. */
static struct wait_queue *queue_of(const void *address)
{
	uintptr_t at = (uintptr_t)address;

	return &done_queues[(at / PAGE_SIZE + at / 64) % QUEUES];
}

static void done_queues_init(void)
{
	for (unsigned int i = 0; i < QUEUES; i++)
		wait_queue_init(&done_queues[i], "bio waiters");
}
INITCALL(1, done_queues_init);

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

//BOOK: claim
bool block_claim(struct block_device *device)
{
	struct block_device *whole = device->whole;
	bool free;

	spin_lock(&claim_lock);
	free = !device->claimed && device->claimed_parts == 0 && !(whole && whole->claimed);
	if (free) {
		device->claimed = true;
		if (whole)
			whole->claimed_parts++;
	}
	spin_unlock(&claim_lock);
	return free;
}

void block_unclaim(struct block_device *device)
{
	spin_lock(&claim_lock);
	device->claimed = false;
	if (device->whole)
		device->whole->claimed_parts--;
	spin_unlock(&claim_lock);
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

int block_open(struct block_device *device)
{
	return device->ops->opened ? device->ops->opened(device) : 0;
}

void block_close(struct block_device *device)
{
	if (device->ops->closed)
		device->ops->closed(device);
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
	if (!bio->write)
		current->io.stored[0] += bio->total;
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
 * The locked decrement comes before the look at the queue, and the waiter joins the queue before it
 * looks at the count. So one of the two sees the other.
 */
static void complete_wait(struct bio *bio)
{
	struct atomic *left = bio->private;

	atomic_dec(left);
	/* The waiter may be gone by now, and the bio with it. The queue is static. */
	wake_all(queue_of(left));
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
	return wait_event_killable(queue_of(left), atomic_read(left) == 0);
}

void bio_wait_all_always(struct atomic *left)
{
	wait_event(queue_of(left), atomic_read(left) == 0);
}

struct turns {
	struct bio **bios;
	unsigned int nr, at; /* the bio that is in flight */
	int error;
	struct atomic left; /* 1; 0: the last one has ended */
};

static void submit_next(struct turns *turns);

//BOOK: in-turn
/* The one that comes next is submitted here, in the interrupt, so the waiter is woken only once. */
static void complete_turn(struct bio *bio)
{
	struct turns *turns = bio->private;

	turns->error = bio->error;
	if (!turns->error && ++turns->at < turns->nr) {
		submit_next(turns);
		return;
	}
	atomic_dec(&turns->left);
	wake_all(queue_of(&turns->left)); /* as in complete_wait() */
}

static void submit_next(struct turns *turns)
{
	struct bio *bio = turns->bios[turns->at];

	bio->private = turns;
	bio->complete = complete_turn;
	bio_submit(bio);
}

int bio_do_in_turn(struct bio **bios, unsigned int nr)
{
	struct turns turns = { .bios = bios, .nr = nr };

	atomic_set(&turns.left, 1);
	submit_next(&turns);
	bio_wait_all_always(&turns.left);
	return turns.error;
}

/*
 * What bio->private says of a flush: each side exchanges it once, and the later one frees the bio.
 */
enum { FLUSH_RUNS, FLUSH_DONE, FLUSH_LEFT };

static void complete_flush(struct bio *bio)
{
	/* As soon as this says FLUSH_DONE, the waiter may free the bio. */
	if (__atomic_exchange_n(&bio->private, (void *)FLUSH_DONE, __ATOMIC_SEQ_CST) ==
	    (void *)FLUSH_LEFT)
		bio_free(bio);
	else
		wake_all(queue_of(bio));
}

int bio_flush_wait(struct bio *bio)
{
	int error;

	assert(bio->nr_segments == 0);
	bio->private = (void *)FLUSH_RUNS;
	bio->complete = complete_flush;
	bio_submit(bio);
	error = wait_event_killable(queue_of(bio), READ_ONCE(bio->private) == (void *)FLUSH_DONE);
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
