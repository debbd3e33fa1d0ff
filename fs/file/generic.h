/*
 * Reading, writing and mapping files whose data is in the page cache: all disk and memory file systems.
 */
#ifndef FS_FILE_GENERIC_H
#define FS_FILE_GENERIC_H

#include "fs/cache/pagecache.h"

struct vma;

/*
 * Copy the bytes that one uptodate page has from pos on. Returns how many were copied, 0 at the end of the
 * file, or -EFAULT.
 */
ssize_t generic_read_page(struct inode *inode, struct page *page, struct iter *to, int64_t pos);
/* file_ops.read, write, mmap and fsync for such files. They sleep. */
ssize_t generic_file_read(struct file *file, struct iter *to, int64_t *pos);
ssize_t generic_file_write(struct file *file, struct iter *from, int64_t *pos);
int generic_file_mmap(struct file *file, struct vma *vma);
int generic_file_fsync(struct file *file);
/*
 * Find out where a write of *len bytes begins, and shorten it to what is allowed. Returns 0, -ENOSPC, or
 * -EFBIG; SIGXFSZ is sent too if the limit is the process's own. inode->lock is held.
 */
int generic_write_limit(struct file *file, int64_t *pos, size_t *len);
/*
 * End a write of bytes up to `end` with page_end_write(), and let the file grow if it was shorter. The new
 * size becomes visible only when the bytes are there to be read. inode->lock is held.
 */
void generic_end_write(struct inode *inode, struct page *page, int64_t end);

#endif
