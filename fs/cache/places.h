/*
 * Places of a file: keeping the page cache away from a range of a file while its bytes move between
 * the disk and memory without the cache.
 *
 *	n = places_hold(&places, mapping, first, nr, PLACES_WRITE);
 *	... the disk gets new bytes for the pages [first, first + n)
 *	places_release(&places, end);
 *
 * 1. A place is held by a locked page without bytes that stands in the cache at the page's index.
 *    So buffered reads and writes, faults on mappings, and truncation wait for the lock of that
 *    page. splice lends the page without waiting, as it lends every page whose bytes have not
 *    arrived.
 * 2. Before a place is held, the disk gets what the cache has for it, and the page with these bytes
 *    leaves the file.
 *    PLACES_READ	A page that is in use (mapped, lent, or being copied) stays, and its place
 *			is not held. The caller uses the bytes in the cache instead.
 *    PLACES_WRITE	The page leaves the file in any case. It is unmapped, and slots that hold it
 *			keep it: the bytes that they promise do not change.
 * 3. When a place is released, its page leaves the file. If a task waits for it, or a slot holds
 *    it, the page is read from the disk instead.
 * 4. A file system may give room to the place of a write (mapping_ops.begin_add), if it had
 *    none at all. It makes the page dirty then, so that a commit waits for the lock of the
 *    page before it stores where the room is. On release the page is clean if the disk has its
 *    bytes. If it has not, the page becomes zeros, which are written back later, even if the
 *    page lies behind the end of the file. So no commit stores room with old bytes of the disk
 *    in it. The writer has the file system free the room behind the end. If it does so without
 *    having held inode->lock since the release, another write may have moved the end before.
 *    Then the zeros belong to the file.
 * 5. Places are held in the order of their indices. A task that holds some waits for the lock of a
 *    page only if that has a higher index in the same file. Lock order: inode->lock < places < the
 *    locks of the file system. No user memory is copied while places are held, for a fault may wait
 *    for them: its pages are pinned before (mm/vm/pin.h).
 */
#ifndef FS_CACHE_PLACES_H
#define FS_CACHE_PLACES_H

#include "fs/cache/pagecache.h"

#define PLACES_MAX 256u

enum places_use { PLACES_READ, PLACES_WRITE };

struct places {
	struct mapping *mapping;
	unsigned int first, nr;		/* the places [first, first + nr) are held */
	struct page *pages[PLACES_MAX]; /* with a reference to each */
};

/*
 * Hold up to `nr` places, 1 to PLACES_MAX, of a file with a store, from `first` on. Returns how
 * many are held. It may be fewer than nr, and is 0 if the first page is in use (only PLACES_READ).
 * Returns an error if the first place cannot be held: -ENOMEM, -EIO if the bytes in the cache
 * cannot be written, or -ERESTARTSYS after a SIGKILL. inode->lock is held if room is given to the
 * places. May sleep.
 */
int places_hold(struct places *places, struct mapping *mapping, unsigned int first, unsigned int nr,
		enum places_use use);
/*
 * Release all places. The disk has the bytes of those before index `end`. inode->size has the value
 * that it has after the write. After that, pages of a write that has failed may stand behind the
 * end: call generic_forget_behind() (fs/file/generic.h). Never fails. May sleep for metadata.
 */
void places_release(struct places *places, unsigned int end);

#endif
