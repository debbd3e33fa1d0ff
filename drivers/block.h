/*
 * Block devices and bios.
 *
 * 1. A bio is one request: a run of sectors, and the pieces of pages that they come from or go to.
 * 2. bio_submit() never sleeps for the data: it hands the bio to the driver, which may queue it.
 *    complete() runs once, perhaps in an interrupt, perhaps before bio_submit() returns; the bio is
 *    the completer's then.
 * 3. The pages are held by the submitter until complete().
 */
#ifndef DRIVERS_BLOCK_H
#define DRIVERS_BLOCK_H

#include "lib/list.h"
#include "mm/page.h"

#define SECTOR_SHIFT	 9
#define SECTOR_SIZE	 512u
#define BIO_MAX_SEGMENTS 64

struct block_device;
struct inode;

struct bio_segment {
	struct page *page;
	unsigned int offset, len; /* bytes, multiples of SECTOR_SIZE; a compound page whole */
};

struct bio {
	struct block_device *device;
	uint64_t sector;
	bool write;
	unsigned int nr_segments;
	int error; /* set by the driver: 0 or -EIO */
	void (*complete)(struct bio *);
	void *private;
	struct list link;	  /* the driver's while it has the bio */
	unsigned int next, parts; /* the driver's: segments handed to the device, and
						   requests that they became */
	unsigned int total;	  /* bytes; set by bio_add */
	struct bio_segment segments[BIO_MAX_SEGMENTS];
};

struct block_device_ops {
	/* Take the bio; never sleeps for IO; may be called by many at once. One without segments,
	 * only if there is a `flush`: write back the device's own cache. */
	void (*submit)(struct block_device *, struct bio *);
	/* Start what submit has taken since: called after one bio, or after several that were held
	 * together, so that the device is told once. NULL: submit has started it. */
	void (*kick)(struct block_device *);
	/* Write back the device's own cache; may sleep. NULL: it has none. */
	int (*flush)(struct block_device *);
};

struct block_device {
	char name[16]; /* "vda" */
	unsigned int major, minor;
	uint64_t sectors;
	bool read_only;
	const struct block_device_ops *ops;
	void *private;
	unsigned int queue_depth; /* bios that it takes at once */
	struct inode
		*inode; /* its page cache holds the raw device; made by block_inode() (fs/vfs.h) */
	bool claimed;	/* mounted */
	struct list link;
	/* statistics, for /proc/disks */
	struct atomic in_flight, max_in_flight, reads, writes, errors;
};

/* Publish a device: it appears in /dev. ops etc. are set. For drivers that probe. */
void block_register(struct block_device *device);
/* By name ("vda" or "/dev/vda") or by number; NULL. Devices never go away. */
struct block_device *block_find(const char *name);
struct block_device *block_find_number(unsigned int major, unsigned int minor);
extern struct list block_devices;

/* An empty bio; NULL: no memory. */
struct bio *bio_alloc(struct block_device *device, uint64_t sector, bool write, unsigned int flags);
void bio_free(struct bio *bio);
/* Append a piece; false if the bio is full. */
bool bio_add(struct bio *bio, struct page *page, unsigned int offset, unsigned int len);
/* Start it. A bio beyond the device's end or a write to a read-only one completes with -EIO. */
void bio_submit(struct bio *bio);
/*
 * From bio_hold() to bio_start_held() the current task's reads are kept back, and then given to
 * their devices at one time: who asks for many pages is done with that before the first of them
 * arrives. A task that sleeps meanwhile starts what it holds, so nobody waits for a read that was
 * not begun. `held` is the caller's, on its stack.
 */
void bio_hold(struct list *held);
void bio_start_held(void);
/*
 * Around a read of metadata, which says where more is to be read: reads start at once, and a sleep
 * leaves what is held alone. That waits for a read which is on its way, and so for nobody who waits
 * for what is held here.
 */
struct list *bio_pause(void);
void bio_resume(struct list *held);
/*
 * For drivers of disks in memory: `piece` for every run of bytes of the bio that lies in one page of
 * it (mapped at `ours`) and in one page of the disk, which begins at the byte `at` of what the bio's
 * start is `base` in. 0, or what piece returned.
 */
int bio_each_piece(struct bio *bio, uint64_t base,
		   int (*piece)(bool write, char *ours, uint64_t at, unsigned int len));
/* For drivers: the bio is done. From interrupts too. */
void bio_complete(struct bio *bio, int error);
/* Submit nr > 0 bios of one device and wait for all; their `error` says how they ended. Sleeps. */
void bio_submit_wait_all(struct bio **bios, unsigned int nr);
/* Submit and wait; frees the bio; 0 or -EIO. Sleeps. */
int bio_submit_wait(struct bio *bio);

#endif
