/*
 * Signals about what happens in a directory (F_NOTIFY).
 *
 * 1. A request belongs to an open directory and to the file table by which it was made. The owner
 *    of the open file gets a signal (fs/file/owner.h) at each event of the request. Without
 *    DN_MULTISHOT the request ends with the first one.
 * 2. The requests of a directory also end when its table closes a descriptor of it.
 * 3. A request is an inode_watch (fs/names/notify.h). inode_watch_lock guards all requests.
 */
#ifndef FS_FILE_DNOTIFY_H
#define FS_FILE_DNOTIFY_H

#include "fs/file/open_file.h"

extern bool dir_notify_enabled; /* /proc/sys/fs/dir-notify-enable */

/*
 * Ask for signals about the events in `mask` (DN_*), in addition to those asked for before. No
 * event ends all requests of the file and the current table. Returns 0, -ENOTDIR, -EINVAL, -ENOMEM
 * or -ERESTARTSYS. May sleep.
 */
long dir_notify_set(unsigned int fd, struct file *file, unsigned int mask);
/* file_ops.closed of directories. */
void dir_notify_closed(struct file *file);
/*
 * The last reference to the file has gone: end the requests of all tables. Each request tells the
 * file's owner, so this comes before file_owner_free(). May sleep.
 */
void dir_notify_released(struct file *file);

#endif
