/*
 * Reading, writing and mapping files whose data is in the page cache: all disk and memory file
 * systems.
 */
#ifndef FS_FILE_GENERIC_H
#define FS_FILE_GENERIC_H

#include "fs/cache/pagecache.h"

struct vma;

/*
 * Copy the bytes of one uptodate page, from file offset pos on. Returns how many were copied, 0 at
 * the end of the file, or -EFAULT. May sleep.
 */
ssize_t generic_read_page(struct inode *inode, struct page *page, struct iter *to, int64_t pos);
/*
 * file_ops.read, write, mmap and fsync for such files. Files with O_DIRECT go to fs/file/direct.h.
 * They may sleep.
 */
ssize_t generic_file_read(struct file *file, struct iter *to, int64_t *pos);
ssize_t generic_file_write(struct file *file, struct iter *from, int64_t *pos);
/*
 * The same through the cache, whatever the file's flags are. The write is of `len` bytes, with
 * inode->lock held, and nothing is checked or noted in the inode but its size. Returns the number
 * of bytes, or an error if there are none.
 */
ssize_t generic_cached_read(struct file *file, struct iter *to, int64_t *pos);
ssize_t generic_cached_write(struct inode *inode, struct iter *from, int64_t *pos, size_t len);
int generic_file_mmap(struct file *file, struct vma *vma);
int generic_file_fsync(struct file *file);
#define POS_APPEND \
	(-1) /* stands for the end of a regular file, where a write begins (RWF_APPEND) */
/*
 * Prepare a write of *len bytes: set *pos to the end of the file if it is open with O_APPEND, or if
 * *pos is POS_APPEND, and shorten *len to what the size limits and the seals allow. Returns 0,
 * -ENOSPC, -EFBIG or -EPERM. If the limit is the process's own, SIGXFSZ is sent as well.
 * inode->lock is held.
 */
int generic_write_limit(struct file *file, int64_t *pos, size_t *len);
/*
 * End a write of bytes up to offset `end` with page_end_write(), and grow the file if it was
 * shorter. The new size becomes visible only after the bytes can be read. inode->lock is held.
 */
void generic_end_write(struct inode *inode, struct page *page, int64_t end);
/*
 * The bytes up to offset `end` can be read: if the file was shorter, grow it, and have
 * mapping_grown() look after the page in which it ended. inode->lock is held, but no page or place.
 * May sleep.
 */
void generic_grow(struct inode *inode, int64_t end);
/*
 * page_begin_write() for a write to a file. If it lacks room, this waits for room that is being
 * freed. inode->lock is held.
 */
struct page *generic_begin_write(struct inode *inode, unsigned int index, unsigned int from,
				 unsigned int to);
/*
 * Forget what a write that has failed may have left behind the end of the file: pages and room.
 * Waits for reads in flight and for places. inode->lock is held, but no page or place. May sleep.
 */
void generic_forget_behind(struct inode *inode);
/*
 * The last step of a write, of which `done` of `wanted` bytes are in the file: set its times, and
 * call generic_forget_behind() if some bytes are not there. inode->lock is held. May sleep.
 */
void generic_written(struct inode *inode, size_t done, size_t wanted);

#endif
