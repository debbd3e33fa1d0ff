/* The limits of inotify, in /proc/sys/fs/inotify. */
#ifndef FS_EVENTS_INOTIFY_H
#define FS_EVENTS_INOTIFY_H

extern unsigned int inotify_max_queued_events, inotify_max_user_instances, inotify_max_user_watches;

#endif
