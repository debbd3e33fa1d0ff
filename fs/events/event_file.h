/*
 * Files that are no place for bytes, but tell of events: eventfd, epoll, timerfd, signalfd,
 * inotify. Each has an anonymous inode, which ls -l /proc/PID/fd shows as anon_inode:[eventfd].
 */
#ifndef FS_EVENTS_EVENT_FILE_H
#define FS_EVENTS_EVENT_FILE_H

#include "fs/file/open_file.h"

/*
 * Make an open file with these operations. `kind` is its name in brackets, and `private` belongs to
 * the operations. Of the flags, O_NONBLOCK and the access mode count. Returns ERR_PTR(-ENFILE,
 * -ENOMEM) on failure; then release has not been called. May sleep.
 */
struct file *event_file(const char *kind, const struct file_ops *ops, void *private,
			unsigned int flags);

#endif
