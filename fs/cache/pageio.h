/*
 * Between the page cache and the block layer: pages become bios.
 */
#ifndef FS_CACHE_PAGEIO_H
#define FS_CACHE_PAGEIO_H

#include "drivers/disk/block.h"
#include "fs/cache/pagecache.h"

/*
 * Where a file's blocks are: how many blocks, `max` at most and one at least, lie in one piece on
 * the device from the file's `block` on; *first is the device's block that holds the first one, 0
 * for a hole. An error: -EIO, -ENOMEM. May wait for metadata.
 */
typedef int (*block_lookup)(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first);

/*
 * Where the bytes of a file are, for IO that does not use the cache (fs/file/direct.h): in blocks
 * of 1 << block_shift bytes on `device`. lookup NULL: the file is the device.
 */
struct file_store {
	struct block_device *device;
	unsigned int block_shift;
	block_lookup lookup;
};

struct direct_ops {
	/* Say where the bytes of the file are. Never sleeps. */
	void (*store)(const struct inode *inode, struct file_store *store);
};

/* May the file be open with O_DIRECT? */
static inline bool mapping_allows_direct(const struct mapping *mapping)
{
	return mapping->ops && mapping->ops->direct;
}

/*
 * A mapping_ops.read_pages for files whose blocks of 1 << block_shift (9..12) bytes lie on
 * `device`. Bytes beyond the end of the file and in holes become zeros. A page that cannot be read
 * is marked failed. lookup NULL: the file is the device.
 */
void pageio_read(struct block_device *device, struct mapping *mapping, unsigned int block_shift,
		 block_lookup lookup, struct page **pages, unsigned int nr);
/*
 * A mapping_ops.write_pages for such files. What lies in holes, or beyond the end of the file, is
 * not written, and the bytes of the last page beyond the end become zeros. Blocks that follow each
 * other on the device share a bio, whatever pages they are in. Returns 0, an error of the lookup,
 * or -ENOMEM.
 */
int pageio_write(struct block_device *device, struct mapping *mapping, unsigned int block_shift,
		 block_lookup lookup, struct page **pages, unsigned int nr);

/* The bios of pageio_write() that have not ended, and how many have ended without an error. */
extern struct atomic pageio_writing, pageio_written;
extern struct wait_queue pageio_write_queue; /* woken when one of them has ended */

#endif
