/*
 * Mounts: how the trees of file systems form one tree of names.
 *
 * 1. A mount shows a dentry of a file system, its `root`, and all that is below it. It is attached
 *    at a path, `on`, which it covers. Several mounts may show the same file system, or parts of it
 *    (bind mounts), so a place in the tree of names is a pair: struct path.
 * 2. At most one mount is attached at a path. A further one is attached at the root of the first. A
 *    walk that reaches `on` goes on at `root`, and ".." at `root` goes on at `on`. The walk looks
 *    for a mount among the children of the mount that it is in, so a directory that is covered in
 *    one mount is bare in another.
 * 3. mount->users counts the paths into a mount: open files, current directories, walks, and the
 *    `on` of other mounts. While a mount is attached, that counts as well. Whoever drops the last
 *    use frees the mount, and with its last mount a super block is destroyed. So a mount that is
 *    not attached any more (MNT_DETACH) lives until its last file is closed.
 * 4. mount_mutex serialises all changes of the tree of mounts. mount_lock, a plain spinlock, guards
 *    that tree for walks: `on`, `children`, `sibling` and `link` change only with both held. A walk
 *    finds a mount, and takes a use of it, with mount_lock held. Therefore an unmount that holds
 *    mount_lock and counts no foreign use knows that there will be none.
 * 5. A mount and a file system become read-only only while nothing is written: the count of writers
 *    goes from 0 to -1 in one step. Device nodes, FIFOs and sockets are not written by way of the
 *    mount.
 * 6. Lock order: mount_mutex < inode.lock < dcache_lock < mount_lock.
 */
#ifndef FS_NAMES_MOUNT_H
#define FS_NAMES_MOUNT_H

#include "fs/names/vfs.h"
#include "kernel/spinlock.h"

#define MOUNT_SOURCE_MAX 64

struct mount {
	struct super_block *sb;	       /* counted in sb->mounts; never changes, as the next three */
	struct dentry *root;	       /* with a reference */
	unsigned int id;	       /* in /proc/PID/mountinfo; never used again */
	char source[MOUNT_SOURCE_MAX]; /* device or name that /proc/mounts shows */
	struct atomic users;
	/*
	 * Number of open files and calls that write through it, or -1: it is read-only. Each counts
	 * in sb->writers too. See 5.
	 */
	struct atomic writers;
	bool expired; /* MNT_EXPIRE has marked it, and nobody has used it since then */
	/* Guarded by mount_mutex and mount_lock. */
	struct path on;	      /* where it is attached, with references; or no place */
	struct list children; /* the mounts that are attached at paths in this one, by `sibling` */
	struct list sibling;
	struct list link;     /* in the list of all attached mounts, oldest first */
	unsigned int flags;   /* MOUNT_*; may be read without a lock */
	struct mount *origin; /* while a tree of mounts is copied: what this one is a copy of */
};

/*
 * What a mount forbids, and which reads set an access time. The numbers are those of f_flags in
 * statfs(2).
 */
#define MOUNT_NOSUID	  0x0002u /* a program does not act for its file's owner */
#define MOUNT_NODEV	  0x0004u /* device nodes are not opened */
#define MOUNT_NOEXEC	  0x0008u /* no file is executed, or mapped for that */
#define MOUNT_NOATIME	  0x0400u /* access times do not change: fs/names/times.h */
#define MOUNT_NODIRATIME  0x0800u
#define MOUNT_RELATIME	  0x1000u
#define MOUNT_NOSYMFOLLOW 0x2000u /* symbolic links are not followed */

static inline bool super_is_read_only(const struct super_block *sb)
{
	return atomic_read(&sb->writers) < 0;
}
/* Can nothing be changed through the mount, whether that is due to itself or to its file system? */
static inline bool mount_is_read_only(const struct mount *mount)
{
	return atomic_read(&mount->writers) < 0 || super_is_read_only(mount->sb);
}

/* Take one more use of a mount. The caller has one already, or holds mount_lock. */
static inline void mount_get(struct mount *mount)
{
	atomic_inc(&mount->users);
}
/* Drop a use. May sleep. */
void mount_put(struct mount *mount);

extern spinlock_t mount_lock;
extern struct mutex mount_mutex;
extern struct list mounts; /* all attached mounts */

/* The file system, and its mount, of pipes, sockets and other files without a path. */
extern struct super_block pseudo_sb;
extern struct mount anonymous_mount;

/*
 * If something is mounted on the path, replace it by the root of the topmost mount. The references
 * are replaced too. May sleep.
 */
void path_cross_mounts(struct path *path);
/*
 * Write the path at which a mount is attached to `on`, with references. Returns false if it is
 * attached nowhere. Never sleeps.
 */
bool mount_place(struct mount *mount, struct path *on);

/* Is the path the root, or below it on the way up that ".." goes? Never sleeps. */
bool path_below(const struct path *path, const struct path *root);

/*
 * Make a file system without a disk that no path leads to, for the kernel's own files. Returns its
 * mount, or ERR_PTR(-ENOMEM). It is never unmounted.
 */
struct mount *mount_nowhere(const char *type);
/* Returns the root of the first mount as a path with references. */
struct path root_path(void);

/*
 * Make a mount that shows `root`, a dentry of the file system, and all below it. It is attached
 * nowhere, and its only use is the caller's. Returns NULL if there is no memory. Never sleeps for
 * long.
 */
struct mount *mount_create(struct super_block *sb, struct dentry *root, const char *source);
/*
 * The same for a new file system, with the arguments of super_get(). Returns ERR_PTR on failure.
 * May sleep.
 */
struct mount *mount_new(const struct file_system *type, struct block_device *device,
			const char *source, bool read_only, const char *options);
/*
 * Attach a mount at a path, or at the root of the topmost mount there. `place` is changed to where
 * it was attached, and its references stay the caller's. Returns 0, -EINVAL if the path is in a
 * mount that is not attached, -ENOSPC if there are too many mounts, -ENOTDIR if only one of the two
 * is a directory, -ENOENT if the name has been removed, or -ERESTARTSYS. mount_mutex is held. May
 * sleep.
 */
int mount_attach(struct mount *mount, struct path *place);
/*
 * Detach a mount of which the caller has a use, if nobody else has. The path at which it was
 * attached is written to `place`, and the caller drops its references, and the use by which the
 * mount was attached. Returns 0, -EBUSY, -EINVAL if it is not attached, or -EAGAIN if it is the
 * last mount of a file system of which a file is being read. mount_mutex is held. Never sleeps.
 */
int mount_detach(struct mount *mount, struct path *place);

/*
 * Detach a mount and all that are attached below it, whoever uses them. They live on, each by
 * itself, until their last uses are dropped. mount_mutex is held. May sleep.
 */
void mount_detach_all(struct mount *mount);
/*
 * Move an attached mount to another path. `place` is changed as by mount_attach(). Returns 0,
 * -EINVAL if only one of the two is a directory, -ELOOP if the path is in the mount or below it,
 * and the errors of mount_attach(). mount_mutex is held. May sleep.
 */
int mount_move(struct mount *mount, struct path *place);
/*
 * Attach a copy of the mount of `from` at a path: it shows from->dentry, and what is mounted below
 * it too if `recursive`. Returns 0, -ENOMEM, -ENOSPC if there would be too many mounts, and the
 * errors of mount_attach(). mount_mutex is held. May sleep.
 */
int mount_bind(const struct path *from, struct path *place, bool recursive);
/* Is the mount in the tree that programs see? Without mount_mutex, the answer may be an old one. */
bool mount_is_attached(const struct mount *mount);
/*
 * Make a mount or a file system, whose count of writers is given, read-only or writable. Returns 0,
 * or -EBUSY if something is being written to. mount_mutex is held. Never sleeps.
 */
int writers_forbid(struct atomic *writers, bool forbid);

extern uint32_t mounts_max; /* so many mounts may be attached */
/*
 * Called before a mount is detached that a program unmounts. A file of the kernel's own that keeps
 * it busy can be closed then. NULL: there is none. Holds no lock, and may sleep.
 */
extern void (*before_unmount)(const struct mount *mount);

/* ---- super blocks: fs/names/super.c ---- */

/* Returns the type of file system with that name, or NULL. */
const struct file_system *file_system_find(const char *name);
/*
 * Returns the super block of a file system, with a use of it, or ERR_PTR. It is the one that
 * `device` belongs to already, if it has the same type and is as read-only. `options` are not
 * looked at then. Otherwise it is a new one, which the file system fills in. `device` may be NULL,
 * and `options` "". Returns ERR_PTR(-EBUSY) if the device is claimed. Waits until the device's last
 * super block has been destroyed, or returns ERR_PTR(-EINTR) if the task is killed first. Once
 * programs run, mount_mutex is held if there is a device, so that only one is made at a time. May
 * sleep.
 */
struct super_block *super_get(const struct file_system *type, struct block_device *device,
			      bool read_only, const char *options);
/*
 * Make a file system read-only or writable. Returns 0, -EBUSY if something is being written or a
 * deleted file is in use, -EROFS if it can only be read, or another error of
 * super_ops.set_writable. mount_mutex is held. May sleep.
 */
int super_set_read_only(struct super_block *sb, bool read_only);
/* Drop a use. The last one destroys the super block and all that is cached of it. May sleep. */
void super_put(struct super_block *sb);
/*
 * Call `function` for each file system on a disk that MNT_DETACH has detached from some place. It
 * may sleep. mount_mutex is not held, because the last use of one may end here.
 */
void supers_walk_detached(void (*function)(struct super_block *sb));

/* ---- showing: fs/names/mount_show.c ---- */

/*
 * Print the lines of /proc/PID/mounts, or those of mountinfo, for a process with this root
 * directory. Mounts that are not below it are left out. They may sleep.
 */
void mounts_show(struct text *text, const struct path *root);
void mount_info_show(struct text *text, const struct path *root);

#endif
