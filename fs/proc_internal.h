/*
 * Between fs/proc.c (the file system, its registered files) and fs/proc_pid.c (the directories of
 * processes).
 */
#ifndef FS_PROC_INTERNAL_H
#define FS_PROC_INTERNAL_H

#include "fs/proc.h"
#include "fs/vfs.h"

/* ---- fs/proc.c ---- */

/*
 * For file_ops.open: the file is the text that show() prints for its inode: 0 or an error. Read
 * from position 0 it is printed anew.
 */
int proc_text_open(struct file *file, int (*show)(struct inode *inode, struct text *text));
ssize_t proc_text_read(struct file *file, struct iter *to, file_off_t *pos);
void proc_text_release(struct file *file);

/*
 * The inode of that number, with a reference; a new one gets `mode` and the operations, and counts
 * as made now. ERR_PTR(-ENOMEM).
 */
struct inode *proc_inode(struct super_block *sb, uint64_t number, unsigned int mode,
			 const struct inode_ops *ops, const struct file_ops *file_ops,
			 void *private);

/* Emit "." and "..", for positions 0 and 1. False: the buffer is full. */
bool proc_emit_dots(struct dir_context *context, uint64_t self, uint64_t parent);

#define PROC_ROOT_NUMBER 1

/* ---- fs/proc_pid.c ---- */

/* A name in the root directory: "self", or a process. As inode_ops.lookup. */
struct inode *proc_pid_lookup(struct super_block *sb, const char *name, unsigned int len);
/* Is what a cached name of the root leads to (NULL: nothing) still so? */
bool proc_pid_valid(const struct dentry *dentry);
/* The processes for the root's readdir, from position `base` on. */
int proc_pid_readdir(struct dir_context *context, file_off_t base);

#endif
