/*
 * Telling of what happens to files. The storey of files calls these functions, and
 * fs/events/inotify.c, which is above it, hands down a function with each watch.
 *
 * 1. A watch belongs to an inode, and holds a reference to it. inode_watch_lock, a plain spinlock,
 *    guards the watches of all inodes. A watch's function is called with it held, and must not
 *    sleep.
 * 2. As long as nobody watches anything, an event costs a load of nr_inode_watches.
 * 3. An event of a file goes to the watches of its directory, with its name there, and to its own.
 */
#ifndef FS_NAMES_NOTIFY_H
#define FS_NAMES_NOTIFY_H

#include "fs/file/open_file.h"

/* Events, as in struct inotify_event. */
#define IN_ACCESS	 0x00000001u
#define IN_MODIFY	 0x00000002u
#define IN_ATTRIB	 0x00000004u
#define IN_CLOSE_WRITE	 0x00000008u
#define IN_CLOSE_NOWRITE 0x00000010u
#define IN_OPEN		 0x00000020u
#define IN_MOVED_FROM	 0x00000040u
#define IN_MOVED_TO	 0x00000080u
#define IN_CREATE	 0x00000100u
#define IN_DELETE	 0x00000200u
#define IN_DELETE_SELF	 0x00000400u
#define IN_MOVE_SELF	 0x00000800u
#define IN_ALL_EVENTS	 0x00000fffu
#define IN_UNMOUNT	 0x00002000u
#define IN_ISDIR	 0x40000000u

struct file_event {
	uint32_t mask; /* one event, and IN_ISDIR */
	uint32_t cookie;
	const char *name; /* in the directory that is watched; NULL: the file itself is watched */
	size_t len;
	bool unhashed; /* the name has been removed, and the file is still open */
};

struct inode_watch {
	struct inode *inode;		/* a reference; NULL: the watch has ended */
	struct inode_watch *next, **at; /* in inode->watches */
	uint32_t mask;			/* events that it wants */
	/*
	 * Tell of an event that is in `mask`. Returns true if the watch ends with it. Never sleeps.
	 */
	bool (*notify)(struct inode_watch *watch, const struct file_event *event);
	/* The watch has ended by its event, or because its inode went. Never sleeps. */
	void (*ended)(struct inode_watch *watch);
};

extern spinlock_t inode_watch_lock;
extern unsigned int nr_inode_watches; /* guarded by inode_watch_lock; may be read without it */

/*
 * Let the watch, whose fields are set but for the links, watch its inode. The second function ends
 * this, and returns the inode, whose reference is the caller's then. inode_watch_lock is held.
 */
void inode_watch_add(struct inode_watch *watch);
struct inode *inode_watch_remove(struct inode_watch *watch);

/* ---- called where something has happened; may sleep ---- */

void notify_inode_slow(struct inode *inode, const struct file_event *event);
void notify_path_slow(struct dentry *path, uint32_t event);
/*
 * The inode goes: its last name has gone and no file is open on it, or its file system is
 * unmounted.
 */
void notify_gone(struct inode *inode, uint32_t event);
/* All watches of the file system end with IN_UNMOUNT. */
void notify_unmount(struct super_block *sb);
/* Returns a number that no other pair of events has. */
uint32_t notify_cookie(void);

/*
 * Something has happened to the file of a path, whose dentry is given. NULL: to a file without one.
 */
static inline void notify_path(struct dentry *path, uint32_t event)
{
	if (unlikely(READ_ONCE(nr_inode_watches)) && path)
		notify_path_slow(path, event);
}
static inline void notify_file(struct file *file, uint32_t event)
{
	notify_path(file->path.dentry, event);
}
/* Something has happened to an inode, which is told without a name. */
static inline void notify_inode(struct inode *inode, uint32_t event)
{
	if (unlikely(READ_ONCE(nr_inode_watches)))
		notify_inode_slow(inode, &(struct file_event){ .mask = event });
}
/* A name in the directory has come or gone. `mode` is that of the inode that it leads or led to. */
static inline void notify_name(struct inode *dir, uint32_t event, unsigned int mode,
			       uint32_t cookie, const char *name, size_t len)
{
	if (unlikely(READ_ONCE(nr_inode_watches)))
		notify_inode_slow(dir, &(struct file_event){ event | (S_ISDIR(mode) ? IN_ISDIR : 0),
							     cookie, name, len, false });
}

#endif
