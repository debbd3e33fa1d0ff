/*
 * Open files: their flags, their operations, and their lives. File tables (fs/file/file.h) hold
 * open files.
 */
#ifndef FS_FILE_OPEN_FILE_H
#define FS_FILE_OPEN_FILE_H

#include "fs/names/vfs.h"

struct epoll_item;
struct file_owner;
struct iter; /* mm/vm/iter.h */
struct poll_table;
struct ring;
struct slot_list;
struct text;
struct vma;

/* open(2) flags of Linux/i386. */
#define O_ACCMODE   00000003
#define O_RDONLY    00000000
#define O_WRONLY    00000001
#define O_RDWR	    00000002
#define O_CREAT	    00000100
#define O_EXCL	    00000200
#define O_NOCTTY    00000400
#define O_TRUNC	    00001000
#define O_APPEND    00002000
#define O_NONBLOCK  00004000
#define O_DSYNC	    00010000
#define O_ASYNC	    00020000
#define O_DIRECT    00040000
#define O_LARGEFILE 00100000
#define O_DIRECTORY 00200000
#define O_NOFOLLOW  00400000
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define O_SYNC	    04010000 /* O_DSYNC and one bit more */
#define O_PATH	    010000000
#define O_TMPFILE   020200000 /* O_DIRECTORY and one bit more */

#define SEEK_SET    0
#define SEEK_CUR    1
#define SEEK_END    2
#define SEEK_DATA   3
#define SEEK_HOLE   4

/*
 * The operations of an open file. All may sleep. NULL means -EINVAL unless the entry says
 * otherwise.
 */
enum async { /* does O_ASYNC send signals, and how: fs/file/owner.c */
	     ASYNC_NEVER,
	     ASYNC_AT_ONCE, /* the queues of `poll` are woken without locks that are below tasks_lock */
	     ASYNC_TIMER,
};

struct file_ops {
	enum async async;
	int (*open)(struct inode *inode, struct file *file); /* NULL: nothing to do */
	void (*release)(struct file *file);		     /* the last reference has gone */
	/*
	 * A descriptor of the current process is closed; others may be left. NULL: nothing to do.
	 */
	void (*closed)(struct file *file);
	ssize_t (*read)(struct file *file, struct iter *to, file_off_t *pos);
	ssize_t (*write)(struct file *file, struct iter *from, file_off_t *pos);
	/* NULL: there are no positions. lseek(2) then returns 0 if ignores_seek, or -ESPIPE. */
	file_off_t (*llseek)(struct file *file, file_off_t offset, int whence);
	bool ignores_seek;
	bool own_place; /* llseek moves a place that the file guards itself, instead of file->pos */
	/*
	 * Join the wait queues with poll_wait() and return the POLL* bits that hold now. NULL: the
	 * file is always readable and writable.
	 */
	unsigned int (*poll)(struct file *file, struct poll_table *table);
	long (*ioctl)(struct file *file, unsigned int command,
		      unsigned long argument);		 /* NULL: -ENOTTY */
	int (*mmap)(struct file *file, struct vma *vma); /* NULL: -ENODEV */
	/*
	 * One more VMA, or one less, holds the file. The first is called with mm->lock held and
	 * must not sleep. The second is called without it, while the file still exists, and may
	 * sleep. NULL: nothing to do.
	 */
	void (*attached)(struct file *file);
	void (*detached)(struct file *file);
	int (*fsync)(struct file *file);
	/* Print what the file alone has into its /proc/PID/fdinfo. NULL: nothing. May sleep. */
	void (*show)(struct file *file, struct text *text);
	/*
	 * For a source of splice: append slots for up to `len` bytes at *pos to `slots`, and
	 * advance *pos. Does not wait for data (fs/splice/splice.h). Returns the number of bytes, 0
	 * at the end of the file, or an error.
	 */
	ssize_t (*splice_read)(struct file *file, file_off_t *pos, size_t len,
			       struct slot_list *slots);
	/*
	 * For a sink of splice: consume the bytes of `slots` in order, as many as possible, and
	 * advance *pos. Slots that have been consumed are released or stolen, and removed from the
	 * list. The bytes of all slots have arrived. Returns the number of bytes, or an error if
	 * there are none.
	 */
	ssize_t (*splice_write)(struct file *file, file_off_t *pos, struct slot_list *slots);
	/*
	 * For a sink that passes slots on without reading them (a datagram socket). Its
	 * splice_write also accepts slots whose bytes have not arrived, and returns -EAGAIN instead
	 * of waiting. splice_wait is then called with no locks held, and sleeps until there may be
	 * room. Returns 0, -EAGAIN if there is no room and the file has O_NONBLOCK, or
	 * -ERESTARTSYS. NULL: splice_write waits.
	 */
	int (*splice_wait)(struct file *file);
	/*
	 * For a pipe or a stream socket: return the ring from which the file's bytes are read, or
	 * to which they are written. The ring lives as long as the caller holds the file. A socket
	 * without a peer returns ERR_PTR(-EINVAL) or ERR_PTR(-ENOTCONN). If the operation or its
	 * result is NULL, the file has no such ring, and splice uses splice_read or splice_write.
	 */
	struct ring *(*source_ring)(struct file *file);
	struct ring *(*sink_ring)(struct file *file);
	/*
	 * Until when may a splice that reads from these rings, or writes to them, wait? Returns as
	 * file_wait() does, which is what NULL means.
	 */
	uint64_t (*ring_wait)(struct file *file, bool write);
};

struct file {
	struct atomic refs;
	unsigned int flags; /* O_* */
	/* These are set when the file is opened. */
	bool readable : 1, writable : 1;
	bool writing : 1;	/* counted by inode_begin_writing(), mount_begin_writing() */
	bool opened : 1;	/* by its path, and watches were told */
	bool reading : 1;	/* counted in inode->readers */
	bool exclusive : 1;	/* opened with O_EXCL, which has a meaning for disks */
	unsigned char ra_size;	/* pages in the window of read-ahead, at most 128 */
	unsigned char ra_ahead; /* pages from ra_next on that read-ahead has started, at most 128 */
	file_off_t pos;		/* bytes */
	struct mutex pos_lock;	/* guards pos if the file has several references */
	const struct file_ops *ops;
	struct inode
		*inode; /* a reference to the inode with the data: for a disk, that of the device */
	struct path path;	   /* with references; no place for an anonymous pipe or socket */
	void *private;		   /* belongs to `ops` */
	struct epoll_item *epolls; /* that watch the file: fs/events/epoll.h */
	struct file_owner *owner;  /* of O_ASYNC, or NULL: fs/file/owner.h */
	union {
		unsigned int ra_next;  /* the page whose index is expected next */
		unsigned int hang_ups; /* of a terminal: those before it was opened */
	};
};

/* ---- open files: fs/file/file.c, fs/file/readdir.c ---- */
/* Of directories whose inode->size is their end. */
extern const struct file_ops dir_file_ops;
/* Of directories that exist in memory only, and have no end: SEEK_END and the like are -EINVAL. */
extern const struct file_ops memory_dir_file_ops;
/* file_ops.llseek of files whose end is inode->size. Returns the new position, or -EINVAL. */
file_off_t generic_llseek(struct file *file, file_off_t offset, int whence);
/*
 * file_ops.llseek of files that also have SEEK_DATA and SEEK_HOLE. A file is all data,
 * with one hole at its end. Returns -ENXIO if the offset lies beyond the end.
 */
file_off_t regular_llseek(struct file *file, file_off_t offset, int whence);
/*
 * Allocate an open file with one reference. Takes over the reference to the inode, even on failure.
 * The inode may be NULL and be set later. Does not call ops->open. Returns ERR_PTR(-ENFILE) if too
 * many files are open, or ERR_PTR(-ENOMEM).
 */
struct file *file_alloc(struct inode *inode, const struct file_ops *ops, unsigned int flags);
/*
 * Take one more reference. The caller has one already, or holds the lock of a table that has one.
 */
void file_get(struct file *file);
/* Drop a reference. The last one closes the file. May sleep, so no spinlock may be held. */
void file_put(struct file *file);
extern uint32_t max_open_files;	    /* so many may be open, and more if root opens them */
extern struct atomic nr_open_files; /* in the whole system */

/* ---- fs/file/open.c ---- */

/*
 * Open the file at `path`, which stays the caller's. `flags` are O_*, without those that
 * affect the walk. Returns a file with one reference, or ERR_PTR. May sleep.
 */
struct file *file_open_path(const struct path *path, unsigned int flags);
/*
 * The same with all flags of open(2), for a path that a handle names (open_by_handle_at).
 */
struct file *file_open_again(const struct path *path, unsigned int flags);
/*
 * Open the program that `path` names for execve: a regular file that the caller may execute,
 * perhaps without being allowed to read it. Returns a file with one reference, or ERR_PTR(-EACCES)
 * and others. May sleep.
 */
struct file *file_open_program(const struct path *path);

#endif
