/* Splice of files whose bytes are copied with file_ops.read and file_ops.write. */
#ifndef FS_SPLICE_COPY_H
#define FS_SPLICE_COPY_H

#include "fs/splice/splice.h"

/*
 * file_ops.splice_write of other files (terminals): maps each slot, and writes it with
 * file_ops.write. May sleep.
 */
ssize_t copy_splice_write(struct file *file, int64_t *pos, struct slot_list *slots);
/*
 * file_ops.splice_read of other files (/proc files, terminals): reads into fresh pages with
 * file_ops.read. If the file has no llseek, it fills one page per call, because reading a second
 * page of a stream might wait. May sleep.
 */
ssize_t copy_splice_read(struct file *file, int64_t *pos, size_t len, struct slot_list *slots);

#endif
