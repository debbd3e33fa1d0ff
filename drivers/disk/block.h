/*
 * Block devices and bios.
 *
 *	bio = bio_alloc(device, sector, false, 0);
 *	bio_add(bio, page, 0, PAGE_SIZE);
 *	bio->complete = read_complete;
 *	bio_submit(bio);
 *
 * 1. A bio is one request. It names a run of sectors, and the pieces of pages that their bytes come
 *    from or go to.
 * 2. bio_submit() hands the bio to the driver, which may queue it, and never sleeps for the data.
 *    When the request has ended, complete() is called once. This may be in an interrupt, and may be
 *    before bio_submit() returns. From then on the bio belongs to complete().
 * 3. The submitter holds the pages until complete().
 */
#ifndef DRIVERS_DISK_BLOCK_H
#define DRIVERS_DISK_BLOCK_H

#include "lib/list.h"
#include "mm/page.h"

#define SECTOR_SHIFT	 9
#define SECTOR_SIZE	 512u
#define BIO_MAX_SEGMENTS 64

struct block_device;
struct file;
struct inode;

struct bio_segment {
	struct page *page;
	unsigned int offset, len; /* bytes, multiples of SECTOR_SIZE; may span a compound page */
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
	uint64_t room[2 * (BIO_MAX_SEGMENTS + 4)]; /* the driver's: memory that its device reads */
};

struct block_device_ops {
	/*
	 * Take the bio, for the disk that it is given. bio->device may be a partition of it: then
	 * the sector has been changed to one of the disk, and the device has the disk's `private`.
	 * Never sleeps for IO. Several CPUs may call it at once. A bio without segments asks the
	 * device to write back its own cache. Only a device with `flush` gets such a bio.
	 */
	void (*submit)(struct block_device *, struct bio *);
	/*
	 * Start the bios that submit has taken. Called after one bio, or after several that are
	 * submitted together, so that the device is notified once. NULL: submit starts each bio.
	 */
	void (*kick)(struct block_device *);
	/*
	 * Write back the device's own cache. Returns 0, -EIO or -ENOMEM. May sleep. NULL: the
	 * device has no cache.
	 */
	int (*flush)(struct block_device *);
	/*
	 * The device gets one more user, or one less: an open file or a mounted file system. The
	 * first returns 0, or -ENXIO if there is no such device any more, and never sleeps. The
	 * second may sleep. NULL: nothing to do.
	 */
	int (*opened)(struct block_device *);
	void (*closed)(struct block_device *);
	/*
	 * A command of ioctl(2) that not all disks have, given to the open file of the device. May
	 * sleep. NULL: -ENOTTY.
	 */
	long (*ioctl)(struct block_device *, struct file *, unsigned int command,
		      unsigned long argument);
};

struct block_device {
	char name[16]; /* "vda" */
	unsigned int major, minor;
	uint64_t sectors;
	bool read_only;
	const struct block_device_ops *ops;
	void *private;
	unsigned int queue_depth;    /* bios that it takes at once */
	struct inode *inode;	     /* holds the raw device's page cache; made by block_inode() */
	bool claimed;		     /* see block_claim() */
	unsigned int claimed_parts;  /* of its partitions */
	unsigned int depth;	     /* how many devices lie below it: drivers/disk/loop.h */
	bool may_have_partitions;    /* its numbers leave room for them */
	struct {		     /* drivers/disk/block_watch.c */
		int answers;	     /* at its last look */
		unsigned int rounds; /* looks without an answer to what is in flight */
	} watch;
	struct list link;
	/* A partition's disk, and its first sector there. NULL and 0: this is a disk. */
	struct block_device *whole;
	uint64_t first;
	/* statistics, for /proc/disks; what a partition does counts for its disk as well */
	struct atomic in_flight, max_in_flight, reads, writes, errors;
	struct atomic sectors_read, sectors_written; /* as unsigned numbers */
};

/*
 * Publish a device, whose fields are set: it appears in /dev. Called by drivers while they probe.
 */
void block_register(struct block_device *device);
/*
 * Publish a disk as the next one of a kind, "sda" after none and "sdb" after "sda" if `prefix` is
 * "sd". Its name and number are set here. Returns 0, or -ENOSPC if there are 26 already, and then
 * says so in the log.
 */
int block_register_next(struct block_device *device, const char *prefix, unsigned int major);
#define MINORS_PER_DISK 16
/*
 * Find a device by its name ("vda" or "/dev/vda") or number. Returns NULL if there is none. Devices
 * never go away.
 */
struct block_device *block_find(const char *name);
struct block_device *block_find_number(unsigned int major, unsigned int minor);
/*
 * Claim a device for one user, which is a mounted file system or a file that was opened with
 * O_EXCL. Returns false if it has a user already, or its disk has one, or one of its partitions.
 * Never sleeps.
 */
bool block_claim(struct block_device *device);
/* The user of a claimed device is gone. Never sleeps. */
void block_unclaim(struct block_device *device);
extern struct list block_devices;
/*
 * Tell a device that it has one more user, or one less. Each use that has begun ends once. The
 * first returns 0 or -ENXIO, and never sleeps. The second may sleep.
 */
int block_open(struct block_device *device);
void block_close(struct block_device *device);

/*
 * Allocate a bio without segments. `flags` are ALLOC_*. Returns NULL if there is no memory. May
 * sleep unless ALLOC_ATOMIC is set.
 */
struct bio *bio_alloc(struct block_device *device, uint64_t sector, bool write, unsigned int flags);
void bio_free(struct bio *bio);
/* Append a piece of a page. Returns false if the bio is full. */
bool bio_add(struct bio *bio, struct page *page, unsigned int offset, unsigned int len);
/*
 * Start a bio. A bio beyond the end of the device, and a write to a read-only device, complete with
 * -EIO. Never sleeps for IO.
 */
void bio_submit(struct bio *bio);
/*
 * For drivers of disks in memory: copy the bio's bytes to or from the pages of the disk. page_at()
 * returns the page at an index, or NULL if there is no memory for it. The disk begins `base` bytes
 * after the start of page 0. Returns 0, or -EIO if page_at() returned NULL.
 */
int bio_copy(struct bio *bio, uint64_t base,
	     struct page *(*page_at)(unsigned int index, bool write));
/* For drivers: the bio has ended, with `error` 0 or -EIO. May be called in an interrupt. */
void bio_complete(struct bio *bio, int error);
/*
 * For drivers: the bio has ended with `error`, but it cannot be completed yet, because the driver
 * holds a lock. It joins `done`.
 */
void bio_end(struct bio *bio, int error, struct list *done);
/* The same for all bios of a list. */
void bio_end_all(struct list *bios, int error, struct list *done);
/* For drivers: complete the bios of `done`. The caller holds no lock that complete() may take. */
void bio_complete_all(struct list *done);

/*
 * For drivers whose commands may be shorter than a bio: a place in its bytes. At the beginning,
 * only `sector` is not 0.
 */
struct bio_place {
	unsigned int segment, offset; /* bytes in the segment */
	uint64_t sector;
};
/* Is it the end of the bio? */
static inline bool bio_at_end(const struct bio *bio, const struct bio_place *at)
{
	return at->segment == bio->nr_segments;
}
/*
 * Returns the physical address of the bytes at a place, which is not the end. Sets *len to how many
 * there are up to the end of the segment.
 */
phys_addr_t bio_bytes(const struct bio *bio, const struct bio_place *at, unsigned int *len);
/* Go on by `len` bytes, at most to the end of the segment. */
void bio_advance(const struct bio *bio, struct bio_place *at, unsigned int len);

/*
 * Submit nr > 0 bios of one device. *left is set to the number of bios that have not ended. It must
 * stay valid until it is 0. Then each bio's `error` is its result.
 */
void bio_submit_all(struct bio **bios, unsigned int nr, struct atomic *left);
/* Sleep until *left is 0. Returns 0, or -ERESTARTSYS on a SIGKILL. */
int bio_wait_all(struct atomic *left);
/* The same, but no signal ends it. */
void bio_wait_all_always(struct atomic *left);
/*
 * Submit nr > 0 bios of one device, each of them when the one before it has ended, and wait for the
 * last one. Returns 0, or -EIO if one has failed. Those behind it are not submitted then. No signal
 * ends the wait. May sleep.
 */
int bio_do_in_turn(struct bio **bios, unsigned int nr);
/*
 * Submit a bio without segments, wait for it and free it. Returns 0, -EIO, or -ERESTARTSYS on a
 * SIGKILL. In the last case the bio is freed when the device answers.
 */
int bio_flush_wait(struct bio *bio);
/* For drivers, as `flush`: has the device write back its cache by a bio without segments. */
int block_flush_by_bio(struct block_device *device);

/*
 * Find the partitions of every disk that may have some, and publish each as a device: "sda1", or
 * "nvme0n1p1" where the disk's name ends in a digit. Called once at boot, after the drivers have
 * found their disks. May sleep. A table that is damaged is told in the log, and then its disk has
 * no partitions. With the parameter partitions=off no disk is read.
 */
void partitions_scan(void);

#endif
