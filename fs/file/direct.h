/*
 * Reading and writing files without the page cache (O_DIRECT): between a program's own memory and
 * the disk.
 *
 * 1. open(2) and F_SETFL accept O_DIRECT for files with mapping_ops.direct (fs/cache/pageio.h):
 *    regular files of ext2, and block devices. Other files refuse it with EINVAL. (For a pipe the
 *    flag means packets, see fs/pipe.)
 * 2. The offset, the length, and every address and length of a vector must be multiples of
 *    DIRECT_ALIGN. Otherwise the call returns -EINVAL. A read that begins at or behind the end
 *    returns 0 without this check, as on Linux. A read that reaches the end is short. The bytes of
 *    its memory from there to the end of the sector become zeros.
 * 3. The bytes go between the disk and the program's pages, which are pinned (mm/vm/pin.h). The
 *    program sees what is in the page cache, and the cache never has old bytes, because the file's
 *    places are held meanwhile (fs/cache/places.h). A read copies from cached pages that are in
 *    use.
 * 4. A write to whole pages that have no room on the disk gives them room first. The commit that
 *    stores where the room is waits for the bytes. A write to a part of such a page goes through
 *    the cache, which writes the rest of the page with zeros. So does a write to a part of a page
 *    behind the end. These pages are written back at once. So no old bytes of the disk are ever
 *    seen, even after a crash.
 * 5. A request is moved in pieces of up to DIRECT_PIECE bytes. If one of them fails, the call
 *    returns how many bytes have been moved before the failure, or the error if there are none. So
 *    a short count may hide -EIO. The next call returns it.
 * 6. A kill ends the call at once. If the disk has not answered yet, a kernel task keeps the pages,
 *    the places and the file until it has.
 * 7. O_DSYNC and O_SYNC have fsync follow each write. O_DIRECT alone does not ask the disk to store
 *    what it has in its own cache, and does not store the inode.
 * 8. With RWF_NOWAIT a call returns -EAGAIN if it would have to write pages back first, or, for a
 *    write, if a page of the range is cached, if the inode is locked, or if it would have to give
 *    room. It does wait for the disk's answer, as on Linux.
 * 9. Lock order: inode->lock (writes only) < places < the locks of the file system. Truncation
 *    needs no lock against reads: it waits for the places before it frees the blocks, and a read
 *    looks at the size after it has got them.
 */
#ifndef FS_FILE_DIRECT_H
#define FS_FILE_DIRECT_H

#include "fs/file/open_file.h"

#define DIRECT_ALIGN 512u
#define DIRECT_PIECE (1u << 20)

/* file_ops.read for a file that is open with O_DIRECT. May sleep. */
ssize_t direct_read(struct file *file, struct iter *to, int64_t *pos);
/* file_ops.write, without the fsync of O_DSYNC. May sleep. */
ssize_t direct_write(struct file *file, struct iter *from, int64_t *pos);

#endif
