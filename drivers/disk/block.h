/*
 * Block devices and bios.
 *
 * 1. A bio is one request: a run of sectors, and the pieces of pages that they come from or go to.
 * 2. bio_submit() never sleeps for the data: it hands the bio to the driver, which may queue it.
 *    complete() runs once, perhaps in an interrupt, perhaps before bio_submit() returns; the bio is
 *    the completer's then.
 * 3. The pages are held by the submitter until complete().
 */
#ifndef DRIVERS_DISK_BLOCK_H
#define DRIVERS_DISK_BLOCK_H

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
	struct list link;   /* the driver's while it has the bio */
	unsigned int next;  /* the driver's: segments handed to the device */
	unsigned int total; /* bytes; set by bio_add */
	struct bio_segment segments[BIO_MAX_SEGMENTS];
	uint64_t room[2 * (BIO_MAX_SEGMENTS + 4)]; /* the driver's: what its device reads */
};

struct block_device_ops {
	/* Take the bio; never sleeps for IO; may be called by many at once. One without segments,
	 * only if there is a `flush`: write back the device's own cache. */
	void (*submit)(struct block_device *, struct bio *);
	/* Start what submit has taken since: called after one bio, or after several that were
	 * submitted together, so that the device is told once. NULL: submit has started it. */
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
	struct inode *
		inode; /* its page cache holds the raw device; made by block_inode() (fs/names/vfs.h) */
	bool claimed;		     /* mounted */
	struct {		     /* drivers/disk/block_watch.c */
		int answers;	     /* at its last look */
		unsigned int rounds; /* looks without an answer to what is in flight */
	} watch;
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
 * For drivers of disks in memory: copy the bio's bytes to or from the disk's pages, which page_at
 * tells by their indices (NULL: no memory). The disk begins at the byte `base` of the first one.
 * 0, -EIO.
 */
int bio_copy(struct bio *bio, uint64_t base,
	     struct page *(*page_at)(unsigned int index, bool write));
/* For drivers: the bio is done. From interrupts too. */
void bio_complete(struct bio *bio, int error);
/* Submit nr > 0 bios of one device and wait for all; their `error` says how they ended. Sleeps. */
void bio_submit_wait_all(struct bio **bios, unsigned int nr);
/* Submit and wait; frees the bio; 0 or -EIO. Sleeps. */
int bio_submit_wait(struct bio *bio);

#endif
