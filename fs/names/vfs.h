/*
 * Files: inodes, directory entries, mounts, open files.
 *
 * 1. An inode is a file. Its file system provides its operations. An inode with references stays in
 *    memory, and the last inode_put() of an inode without links deletes it.
 * 2. A dentry is a cached name in a directory. If its inode is NULL, the name does not exist (a
 *    negative dentry). Dentries form a tree below the root of their file system. A mount (a mounted
 *    super block) joins two trees. dcache_lock guards the trees. Unused dentries stay until memory
 *    is short or their file system is unmounted.
 * 3. An open file (struct file) has a position, flags and operations. File tables (fs/file/file.h) hold
 *    open files.
 * 4. inode->lock (a mutex) is held for writes, for changes of the size and for changes of a
 *    directory. The lock of a parent directory is taken before that of a child. Reading file data
 *    takes no lock, and page faults do not take inode->lock.
 * 5. Lock order: pipe consumer < pipe producer < inode.lock < mm.lock < page lock < page tables.
 */
#ifndef FS_NAMES_VFS_H
#define FS_NAMES_VFS_H

#include "lib/list.h"
#include "kernel/mutex.h"
#include "kernel/time.h"
#include "fs/names/mode.h"
#include "fs/cache/pagecache.h"

struct iter; /* mm/vm/iter.h */
struct super_block;
struct poll_table;
struct pipe;
struct slot_list;
struct socket;
struct vma;

/* open(2) flags of Linux/i386. */
#define O_ACCMODE	    00000003
#define O_RDONLY	    00000000
#define O_WRONLY	    00000001
#define O_RDWR		    00000002
#define O_CREAT		    00000100
#define O_EXCL		    00000200
#define O_NOCTTY	    00000400
#define O_TRUNC		    00001000
#define O_APPEND	    00002000
#define O_NONBLOCK	    00004000
#define O_DSYNC		    00010000
#define O_DIRECT	    00040000
#define O_LARGEFILE	    00100000
#define O_DIRECTORY	    00200000
#define O_NOFOLLOW	    00400000
#define O_NOATIME	    01000000
#define O_CLOEXEC	    02000000
#define O_SYNC		    04010000 /* O_DSYNC and one bit more */

#define AT_FDCWD	    (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_EACCESS	    0x200 /* faccessat2 */
#define AT_REMOVEDIR	    0x200 /* unlinkat */
#define AT_SYMLINK_FOLLOW   0x400 /* linkat */
#define AT_NO_AUTOMOUNT	    0x800
#define AT_EMPTY_PATH	    0x1000

#define SEEK_SET	    0
#define SEEK_CUR	    1
#define SEEK_END	    2
#define SEEK_DATA	    3
#define SEEK_HOLE	    4

/* For inode_permission(). */
#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4

struct dentry;
struct inode;
struct file;

/*
 * The arguments of readdir. The file system sets pos to the cookie of an entry before it emits the
 * entry, and to a place beyond the last entry at the end. It emits "." and ".." itself. The
 * directory's lock is held.
 */
struct dir_context {
	/* Called for each entry. Returns false if the buffer is full, and then readdir stops. */
	bool (*emit)(struct dir_context *, const char *name, size_t len, uint64_t ino,
		     unsigned int type);
	file_off_t pos;		   /* where to go on; the file system's own cookie */
	const struct name *wanted; /* NULL, or the only name that is looked for: a hint */
};

/*
 * What a directory or symlink can do. Directory operations run with dir->lock held, those that
 * change a name's inode with its lock, too. NULL: -EPERM. `dentry` is negative for create and link.
 * create returns one reference, which becomes the dentry's. A name is looked up by reading the
 * directory, and then the inode by its number (super_ops.read_inode).
 * The file system keeps link counts and the directory's times; the VFS moves and drops dentries.
 */
struct inode_ops {
	/* Emit the names from context->pos on. Every directory has it. Returns 0 or an error. */
	int (*readdir)(struct dentry *dir, struct dir_context *context);
	/* Make a file, directory, node, or with `target` a symlink, of `mode`. Or ERR_PTR. */
	struct inode *(*create)(struct inode *dir, struct dentry *dentry, unsigned int mode,
				unsigned int rdev, const char *target);
	int (*link)(struct inode *dir, struct dentry *dentry, struct inode *inode);
	/* Remove a file, or a directory (-ENOTEMPTY). */
	int (*remove)(struct inode *dir, struct dentry *dentry);
	int (*rename)(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		      struct dentry *new_dentry); /* an existing target is replaced */
	/* Copy the target, with a NUL, to buf of PATH_MAX bytes. Returns its length or an error. */
	ssize_t (*readlink)(struct inode *inode, char *buf, size_t size);
	/*
	 * Of a directory whose names come and go by themselves (/proc): asked whenever a name that
	 * leads to `inode` is found. False: it is not true any more. NULL: names are true until they
	 * are changed. The directory may be locked or not.
	 */
	bool (*revalidate)(struct inode *inode);
	/* proc's /proc/self/fd/N and exe: the path itself, with references; ERR_PTR. */
	struct dentry *(*follow)(struct inode *inode);
	/*
	 * The size is to change, and inode->lock is held. `truncate` is asked first, while the file
	 * is whole: it refuses what cannot be, and changes nothing. The caller then sets the size
	 * and takes the pages out of the cache. `truncated` comes last, and cannot fail: nothing
	 * beyond the size is needed any more. NULL: nothing is to be done.
	 */
	int (*truncate)(struct inode *inode, file_off_t size);
	void (*truncated)(struct inode *inode);
};

/*
 * The operations of an open file. All may sleep. NULL means -EINVAL unless the entry says otherwise.
 */
struct file_ops {
	int (*open)(struct inode *inode, struct file *file); /* NULL: nothing to do */
	void (*release)(struct file *file);		     /* last reference gone */
	ssize_t (*read)(struct file *file, struct iter *to, file_off_t *pos);
	ssize_t (*write)(struct file *file, struct iter *from, file_off_t *pos);
	file_off_t (*llseek)(struct file *file, file_off_t offset, int whence); /* NULL: -ESPIPE */
	/*
	 * Join the wait queues with poll_wait() and return the POLL* bits that hold now. NULL: the
	 * file is always readable and writable.
	 */
	unsigned int (*poll)(struct file *file, struct poll_table *table);
	long (*ioctl)(struct file *file, unsigned int command,
		      unsigned long argument);		 /* NULL: -ENOTTY */
	int (*mmap)(struct file *file, struct vma *vma); /* NULL: -ENODEV */
	int (*fsync)(struct file *file);
	/*
	 * For a source of splice: append slots for up to `len` bytes at *pos to `slots`, and advance
	 * *pos. Does not wait for data (fs/splice/splice.h). Returns the number of bytes, 0 at the end
	 * of the file, or an error.
	 */
	ssize_t (*splice_read)(struct file *file, file_off_t *pos, size_t len,
			       struct slot_list *slots);
	/*
	 * For a sink of splice: consume the bytes of `slots` in order, as many as possible, and advance
	 * *pos. Slots that have been consumed are released or stolen, and removed from the list. The
	 * bytes of all slots have arrived. Returns the number of bytes, or an error if there are none.
	 */
	ssize_t (*splice_write)(struct file *file, file_off_t *pos, struct slot_list *slots);
	/*
	 * Of a sink that hands slots on (a datagram socket): its splice_write takes slots that have
	 * not arrived too, and never waits but returns -EAGAIN. This sleeps, with nothing held,
	 * until there may be room. 0, -EAGAIN, -ERESTARTSYS. NULL: splice_write waits itself.
	 */
	int (*splice_wait)(struct file *file, bool nonblock);
	/*
	 * The ring that the file's bytes come out of, or go into, as long as the caller holds the
	 * file: of a pipe's end or a stream socket. ERR_PTR(-EINVAL, -ENOTCONN) if it has no peer;
	 * NULL, also as a result: the file has none, and splice_read or splice_write is used.
	 */
	struct ring *(*source_ring)(struct file *file);
	struct ring *(*sink_ring)(struct file *file);
};

struct inode {
	struct super_block *sb;
	uint64_t number;
	unsigned int mode; /* type and permissions */
	unsigned int nr_links;
	uint32_t uid, gid;
	unsigned int rdev;
	file_off_t size; /* under lock; read with inode_size() */
	uint64_t blocks; /* 512-byte units */
	struct timespec64 atime, mtime, ctime;
	struct atomic refs;
	struct mutex lock;
	const struct inode_ops *ops;
	const struct file_ops *file_ops;
	struct mapping mapping; /* its page cache */
	struct pipe *pipe;	/* of a FIFO that is open */
	struct socket *socket;	/* that is bound to it; net/socket.c's lock */
	void *private;		/* the file system's */
	struct list hash_link;	/* inode hash by (sb, number); inode_lock */
	struct list sb_link;	/* sb->inodes; inode_lock */
	bool deleted;		/* a removed directory: nothing can be made in it; lock */
	const char *kind;	/* of an anonymous inode: "pipe", "socket" */
	struct atomic busy;	/* open files that write it; negative: address spaces that run it */
};

/*
 * Read the size without the lock, and never see half of an update. A plain load or store of 64 bits
 * is two instructions on this CPU, but a locked exchange of all eight bytes is one.
 */
static inline file_off_t inode_size(struct inode *inode)
{
	return __sync_val_compare_and_swap(&inode->size, 0, 0);
}
void inode_set_size(struct inode *inode, file_off_t size);

#define NAME_MAX 255
#define PATH_MAX 4096

struct dentry {
	struct dentry *parent; /* itself at a root */
	struct inode *inode;   /* NULL: negative */
	char *name;
	unsigned int name_len, hash;
	struct atomic refs;
	struct list children, sibling;
	struct list hash_link;
	struct super_block *sb;
	unsigned int mounts; /* mounts that cover it */
	bool unhashed;	     /* removed: ".. (deleted)" */
	struct list lru;     /* while refs == 0; dcache_lock */
	file_off_t cookie;   /* its place among parent->children, which are in that order */
};

struct super_block {
	const struct file_system *type;
	const struct super_ops *ops;
	struct block_device *device; /* NULL: none */
	unsigned int block_size;
	bool read_only;
	bool names_stay; /* its names are nowhere else: they stay until removed or unmounted */
	struct dentry *root;
	struct list inodes;
	struct mutex reading; /* of inodes */
	void *private;	      /* the file system's, of kmalloc: goes with the super block */
	unsigned int dev;     /* st_dev */
	struct atomic users;  /* paths */
	struct dentry *point; /* what it covers, in another tree; NULL: it is the root */
	char source[64];      /* as /proc/mounts says */
	struct list link;     /* all mounts, in mount order */
};

struct fs_statistics {
	uint64_t blocks, free, files, files_free;
};

struct super_ops {
	/* Fill in an inode, whose number is set. Returns 0 or an error. NULL: all inodes are in memory. */
	int (*read_inode)(struct inode *inode);
	/* Free inode->private, because the inode leaves memory. NULL: there is nothing to free. */
	void (*free_inode)(struct inode *inode);
	void (*statfs)(struct super_block *sb, struct fs_statistics *st);
};

/* FILE_SYSTEM(ext2, .mount = ...): registers in a linker section. */
struct file_system {
	const char *name;
	bool needs_device;
	uint32_t magic;
	/* Fill in sb->ops and call super_set_root(). Returns 0 or an error, and then sb is freed. */
	int (*mount)(struct super_block *sb, const char *options);
};
#define FILE_SYSTEM(fs_name, ...)                                           \
	static const struct file_system __section(".filesystems." #fs_name) \
		file_system_##fs_name = { .name = #fs_name, __VA_ARGS__ }

struct file {
	struct atomic refs;
	unsigned int flags; /* O_* */
	bool readable, writable;
	bool writing; /* it counts among the inode's writers */
	file_off_t pos;
	struct mutex pos_lock; /* pos, for files that have one and are shared */
	const struct file_ops *ops;
	struct inode *inode; /* whose bytes these are: the path's, but the device's for a disk */
	struct dentry *path; /* as path_get; NULL: pipe, socket (anonymous) */
	void *private;
	unsigned int ra_next, ra_size,
		ra_end; /* read-ahead: page expected next, window, read up to */
};

/* ---- inodes: fs/names/inode.c ---- */
/*
 * Allocate an inode with one reference and one link, and the current time. It is not hashed. With
 * sb NULL it belongs to the pseudo file system. Returns NULL if there is no memory.
 */
struct inode *inode_alloc(struct super_block *sb);
/* Set the owner, group and mode of a new inode that the current process makes in `dir`. */
void inode_init_owner(struct inode *inode, const struct inode *dir, unsigned int mode);
/*
 * Returns the inode with that number, with a reference. If it is not in memory, read_inode reads
 * it. Returns ERR_PTR(-ENOMEM), -ERESTARTSYS after a SIGKILL, or the error of read_inode. May
 * sleep.
 */
struct inode *inode_get_number(struct super_block *sb, uint64_t number);
void inode_get(struct inode *inode);
void inode_put(struct inode *inode);
/*
 * Make an inode for a pipe or socket, on the pseudo file system, which is not mounted. readlink
 * shows `kind` ("pipe"). Returns ERR_PTR(-ENOMEM) if there is no memory.
 */
struct inode *inode_anonymous(unsigned int mode, const char *kind);
/*
 * Writing to a file and running it as a program exclude each other. Each begin function counts one
 * writer or one address space, and returns 0 or -ETXTBSY. The end function undoes this.
 */
int inode_begin_writing(struct inode *inode);
void inode_end_writing(struct inode *inode);
int inode_begin_running(struct inode *inode);
void inode_end_running(struct inode *inode);
/* Sets rdev and file_ops for S_IFCHR, S_IFBLK, S_IFIFO nodes. */
void inode_init_special(struct inode *inode, unsigned int mode, unsigned int rdev);
/*
 * Returns the inode of sb that follows `previous`, or the first one for NULL, with a reference.
 * Drops the reference to `previous`. Returns NULL if there are no more. May sleep.
 */
struct inode *inode_next(struct super_block *sb, struct inode *previous);
/* ---- dentries and paths: fs/names/dentry.c, fs/names/namei.c, fs/names/mount.c ---- */
void dentry_set_inode(struct dentry *dentry, struct inode *inode); /* takes over the reference */
/* The last step of mounting: give the root inode its name. Returns 0, -ENOMEM, or the error in `root`. */
int super_set_root(struct super_block *sb, struct inode *root);
/*
 * Free up to `wanted` unused dentries and their inodes (UINT_MAX: all of them), for drop_caches.
 * Returns how many were freed. May sleep, because dirty pages of these inodes are written.
 */
unsigned int dcache_shrink(unsigned int wanted);
void dentry_get(struct dentry *dentry);
void dentry_put(struct dentry *dentry); /* NULL is fine; may sleep */
/*
 * A path is a dentry with a reference to it and to its mount. path_get returns it; both do nothing
 * if it is NULL.
 */
struct dentry *path_get(struct dentry *path);
void path_put(struct dentry *path);
#define LOOKUP_FOLLOW	 1
#define LOOKUP_DIRECTORY 2
/* Walk `name` from the cwd, or from dirfd (AT_FDCWD: cwd): a path, or ERR_PTR. */
struct dentry *path_lookup(int dirfd, const char *name, unsigned int flags);
/* The same for a name in user memory: -EFAULT, -ENOMEM too. */
struct dentry *path_lookup_user(int dirfd, const char __user *name, unsigned int flags);
/*
 * The path as text, into the end of buf; returns its start.
 * ERR_PTR(-ENAMETOOLONG). " (deleted)" is appended where it applies.
 */
char *path_text(const struct dentry *path, char *buf, size_t size);
/*
 * The path of an open file, with references, to walk on from it or to open it again: a pipe or
 * socket gets a nameless dentry. ERR_PTR(-ENOMEM). For /proc/self/fd/N.
 */
struct dentry *file_path(struct file *file);
/* What an open file is called: its path, or "pipe:[17]". As path_text. */
char *file_text(struct file *file, char *buf, size_t size);
/*
 * readdir of file systems whose names stay: what is cached is what there is. And, for others: "."
 * and "..", at positions 0 and 1; false if the buffer is full.
 */
int dentry_readdir(struct dentry *dir, struct dir_context *context);
bool dir_emit_dots(struct dir_context *context, uint64_t self, uint64_t parent);
/* Is a directory empty whose names stay (names_stay)? Its lock is held. */
bool dentry_is_empty(struct dentry *dir);
/* Copy a path from user memory. Free it with name_free(). ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOMEM). */
char *name_from_user(const char __user *name);
void name_free(char *name);
/* Make a node (socket or FIFO) at a path. The umask applies. Returns 0, or an error such as -EEXIST. */
int path_make_node(int dirfd, const char *name, unsigned int mode, unsigned int rdev);
/*
 * Does [pos, pos + len) reach beyond 2^63 - 1? Every call that moves bytes at an offset refuses that
 * with EINVAL, whatever the file, so that sums of the two are safe behind it. pos is not negative.
 */
static inline bool range_overflows(file_off_t pos, size_t len)
{
	return pos > INT64_MAX - (file_off_t)len;
}
/*
 * Open what `path` names. flags: O_*, none that changes the walk. A file with one reference,
 * ERR_PTR.
 */
struct file *file_open_path(struct dentry *path, unsigned int flags);
/*
 * Open the program that `path` names for execve: a regular file that the caller may execute, perhaps
 * without being allowed to read it. A file with one reference, ERR_PTR(-EACCES) and others.
 */
struct file *file_open_program(struct dentry *path);
/* The lines of /proc/mounts. */
struct text;
void mounts_show(struct text *text);
/* Those of /proc/filesystems. */
void file_systems_show(struct text *text);
/*
 * Call function for every mounted file system, with no lock held but that against mount and
 * unmount.
 */
void mounts_walk(void (*function)(struct super_block *sb));
/* Mount at boot: root=. -ENOENT and so on. */
int mount_root(const char *device_name);
struct fs_context {
	struct atomic refs;
	spinlock_t lock;
	struct dentry *cwd;
	unsigned int umask;
};
struct fs_context *fs_context_copy(void); /* of the current task; NULL: no memory */
void fs_context_put(struct fs_context *fs);
/* 0 if the current process may MAY_READ 4 | MAY_WRITE 2 | MAY_EXEC 1; -EACCES, -EROFS. */
int inode_permission(struct inode *inode, unsigned int may);
#define FILE_SIZE_MAX ((file_off_t)UINT32_MAX << PAGE_SHIFT) /* page indices have 32 bits */
/* How large the process may make a file: if byte `last` is beyond that, it gets SIGXFSZ. */
file_off_t file_size_limit(file_off_t last);
/*
 * Clear the set-user-ID and set-group-ID bits of a file whose bytes are about to change, because
 * they were meant for the old bytes. Does nothing for root. inode->lock is held.
 */
void inode_drop_privileges(struct inode *inode);
/* Change the size: 0, -EFBIG, -ETXTBSY, -EIO and so on. Takes inode->lock. */
int inode_truncate(struct inode *inode, file_off_t size);

/* ---- open files: fs/file/file.c, fs/file/readdir.c ---- */
extern const struct file_ops dir_file_ops; /* of directories, whatever the file system */
/* llseek of files whose end is inode->size, and of directories. */
file_off_t generic_llseek(struct file *file, file_off_t offset, int whence);
/*
 * llseek of regular files, which know SEEK_DATA and SEEK_HOLE too. All of a file counts as data, with a
 * hole at its end. -ENXIO: offset is not in the file.
 */
file_off_t regular_llseek(struct file *file, file_off_t offset, int whence);
/*
 * Takes over the inode's reference, on errors too: ERR_PTR(-ENFILE, -ENOMEM). The inode may be NULL,
 * and come later.
 */
struct file *file_alloc(struct inode *inode, const struct file_ops *ops, unsigned int flags);
void file_get(struct file *file);
void file_put(struct file *file);
extern struct atomic nr_open_files;

/* ---- device numbers: fs/dev/special.c ---- */
struct chrdev {
	struct list link;
	unsigned int rdev, mode;
	const char *name;
	const struct file_ops *ops;
	void *private;	 /* which an open file begins with as its own */
	file_off_t size; /* of its nodes: device memory has one */
};
extern struct list chrdevs; /* all of them, for /dev; complete when the first file is opened */
/* Returns the device with this number, or NULL if there is none. Devices never go away. */
struct chrdev *chrdev_find(unsigned int rdev);
/*
 * Character devices by (major, minor), with their name in /dev. 0, -EEXIST. Call from drivers or
 * initcalls.
 */
int chrdev_register(unsigned int major, unsigned int minor, const char *name, unsigned int mode,
		    const struct file_ops *ops, void *private);
extern const struct file_ops
	block_file_ops; /* fs/dev/blockdev.c: the raw device through its page cache */
/*
 * The inode whose page cache is the raw device; device->inode is set from then on, and stays.
 * ERR_PTR(-ENOMEM). A mount of a device calls it before the file system's mount.
 */
struct block_device;
struct inode *block_inode(struct block_device *device);
/* Write the raw device's dirty pages and the disk's own cache to the disk. Returns 0 or -EIO. */
int block_sync(struct block_device *device);

#endif
