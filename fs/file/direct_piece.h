/*
 * A piece of a request that is moved without the page cache (fs/file/direct.h): its memory, its
 * places and its bios.
 *
 *	n = piece_begin(piece, iter, pos, n);		pins the memory, and holds the places
 *	... looks at the size of the file, or gives room
 *	if (!piece_move(piece))				moves the bytes
 *		return -EINTR;				after a kill, a kernel task has the piece
 *	piece_release_places(piece);
 *	pins_release() or iter_unpin()
 *
 * 1. The memory is pinned before any place is held, for a fault may wait for a place.
 * 2. The memory is released after the places, because this may copy to the program.
 * 3. If the file grows, the page in which it ended is locked before the places, and released after
 *    them (mapping_begin_grow). So no store to it comes between the new size and its protection.
 * 4. The bytes are moved in rounds of up to PIECE_BIOS bios. The first error ends this.
 */
#ifndef FS_FILE_DIRECT_PIECE_H
#define FS_FILE_DIRECT_PIECE_H

#include "fs/cache/pageio.h"
#include "fs/cache/places.h"
#include "fs/file/direct.h"
#include "mm/vm/pin.h"

#define PIECE_BIOS  16u
#define PIECE_PARTS (DIRECT_PIECE / PAGE_SIZE + 1)
#define NO_SECTOR   UINT64_MAX /* of a hole */

struct piece {
	struct file *file;
	struct inode *inode;
	struct file_store store;
	bool write;
	file_off_t pos;
	unsigned int len;   /* bytes; of a read up to the end of the last sector */
	unsigned int next;  /* so many of them have been handed out */
	unsigned int moved; /* so many have been moved, before the first failure */
	int error;
	struct page *last; /* the locked page of 3, or NULL */
	struct places places;
	struct pin parts[PIECE_PARTS];
	unsigned int nr_parts;
	/* The next byte is in parts[part], `used` bytes behind its start. */
	unsigned int part, used;
	/* One round. */
	struct bio *bios[PIECE_BIOS];
	unsigned int starts[PIECE_BIOS]; /* which byte of the piece each bio begins with */
	unsigned int nr_bios;
	struct atomic left; /* bios that have not ended */
};

/*
 * Returns a piece that can be begun, once or several times, or NULL. kfree() frees it. May sleep.
 */
struct piece *piece_alloc(struct file *file, bool write);
/*
 * Begin a piece of up to n bytes at `pos`. Returns its length, 0 if the first page is in use (reads
 * only), or -EFAULT, -EIO, -ENOMEM, -ERESTARTSYS. If that is not positive, nothing is pinned or
 * held. For a write inode->lock is held. May sleep.
 */
ssize_t piece_begin(struct piece *piece, const struct iter *iter, int64_t pos, size_t n);
/*
 * Find out where up to `len` bytes from `pos` on lie. Sets *sector, which may be NO_SECTOR, and
 * returns how many of the bytes lie there without a gap, or returns an error of block_lookup. May
 * wait for metadata.
 */
int piece_find(const struct piece *piece, int64_t pos, unsigned int len, uint64_t *sector);
/* Returns the memory of the next bytes, at most n, and moves on. */
struct pin piece_next_part(struct piece *piece, unsigned int n);
/* Zero the memory of the next n bytes. */
void piece_zero(struct piece *piece, unsigned int n);
/*
 * Move the piece's bytes. Sets `moved`, and `error` if not all of them have been moved. Returns
 * false if the task has been killed, and the piece is no longer the caller's. May sleep.
 */
bool piece_move(struct piece *piece);
/* Release the places. inode->size has its new value. May sleep for metadata. */
void piece_release_places(struct piece *piece);
/*
 * After a write that has failed or has not moved the end of the file: zero the bytes that it may
 * have written behind the end, in the last page, unless memory or the disk fails. inode->lock is
 * held, and no place. May sleep.
 */
void piece_zero_behind_end(const struct piece *piece);

#endif
