/*
 * Functions that the source files of the VFS share among themselves.
 */
#ifndef FS_NAMES_VFS_INTERNAL_H
#define FS_NAMES_VFS_INTERNAL_H

#include "fs/names/path.h"
#include "fs/names/vfs.h"
#include "kernel/task.h"

/* The kernel's own tasks have no process; they may do everything. */
static inline uint32_t current_uid(void)
{
	return current->process ? current->process->cred.euid : 0;
}
static inline uint32_t current_gid(void)
{
	return current->process ? current->process->cred.egid : 0;
}
static inline bool current_is_root(void)
{
	return !current->process || current->process->cred.euid == 0;
}

/* Make a 64-bit argument of a system call from its halves. */
static inline file_off_t offset_of(uint32_t low, uint32_t high)
{
	return (file_off_t)((uint64_t)high << 32 | low);
}

/* ---- fs/names/inode.c ---- */

/* mapping_wait_reads() for all inodes of a file system. */
int inodes_wait_reads(struct super_block *sb);
/* Is a page of them being read at this time? Never sleeps. */
bool inodes_are_read(struct super_block *sb);
/* Called at unmount. Inodes that pipe slots still hold live on without their file system. */
void inode_abandon_all(struct super_block *sb);

/* ---- fs/names/dentry.c ---- */

extern spinlock_t dcache_lock; /* names, the tree, the hash, the LRU; plain */

/*
 * Find a name in a directory whose lock is held, and read the directory if it is not cached. Returns a
 * dentry, which may be negative, with a reference. Otherwise ERR_PTR: -ENOENT if the directory has been
 * removed, -ENOMEM, -EIO. May sleep.
 */
struct dentry *dentry_lookup_locked(struct dentry *dir, const struct name *name);
/* The same without the lock, which is taken if the name is not cached. */
struct dentry *dentry_lookup(struct dentry *dir, const struct name *name);
/* Remove a dentry from lookups because its name has been removed. Unused names below it are dropped. */
void dentry_unhash(struct dentry *dentry);
/*
 * Move `old` to the name and place of `target`, which is unhashed and gets the name of `old`. The
 * locks of both parents are held.
 */
void dentry_move(struct dentry *old, struct dentry *target);
/* Is `ancestor` on the way from dentry up to the root of its file system (or dentry itself)? */
bool dentry_below(struct dentry *dentry, struct dentry *ancestor);
/* Called at unmount: drop all unused names of a file system, the root last. */
void dentry_drop_all(struct super_block *sb);
/*
 * Make a dentry without a name and a parent, which is freed with its last reference. It takes its
 * own reference to the inode. Returns NULL if there is no memory.
 */
struct dentry *dentry_make_nameless(struct inode *inode);
/* Returns the parent of a dentry with a reference. */
struct dentry *dentry_parent(struct dentry *dentry);

/* ---- fs/names/mount.c ---- */

/* The path, or, if something is mounted on it, the root of what is on top, in place of it. */
struct dentry *path_cross_mounts(struct dentry *path);
/* The root of the first mount, with references. */
struct dentry *root_path(void);

/* ---- fs/names/namei.c ---- */

struct walk {
	struct dentry *at;  /* the place reached so far: a directory while components are left */
	unsigned int links; /* symbolic links followed so far */
	const char *rest;   /* text behind `last` */
	char *text;	    /* the whole text if walk_end() has to free it, or NULL */
	struct name last;   /* the last component; len 0: there is none, and `at` is the result */
	bool slash;	    /* a slash followed it, so it must be a directory */
};

/*
 * Walk from dirfd (or the cwd, or the root) to the directory of the last component, which is not
 * looked at. 0, -ENOENT (empty), -EBADF, -ENOTDIR and so on; the error that `name` may be. walk_end()
 * in any case.
 */
int walk_parent(struct walk *walk, int dirfd, const char *name);
int walk_parent_user(struct walk *walk, int dirfd, const char __user *name);
/*
 * Walk the last component; 0, or 1 if it is a link (and follow): then walk_to_last() walks that to
 * the directory of its own last component.
 */
int walk_last(struct walk *walk, bool follow);
int walk_to_last(struct walk *walk);
/*
 * The last component turned out to be this symbolic link (a reference to it is taken over): as
 * walk_last.
 */
int walk_into_link(struct walk *walk, struct dentry *link);
/*
 * Go on to a dentry of the directory (its reference is taken over), and over what is mounted
 * there.
 */
void walk_to(struct walk *walk, struct dentry *dentry);
void walk_end(struct walk *walk);
/* Is the last component a name, and not "/", "." or ".."? */
static inline bool walk_last_is_name(const struct walk *walk)
{
	return walk->last.len > 0 && !name_is_dot(&walk->last) && !name_is_dotdot(&walk->last);
}

/* ---- fs/names/namespace.c ---- */

/*
 * Called after walk_parent(). Locks the directory and returns the dentry of the last name in it, with a
 * reference. If it returns ERR_PTR, nothing is locked.
 */
struct dentry *walk_lock_last(struct walk *walk);

/* Describes the inode that a new name gets. */
struct new_name {
	unsigned int mode, rdev; /* a new inode; the umask applies */
	const char *target;	 /* of a symbolic link */
	struct inode *inode;	 /* or this one */
};
/* Give an inode to a negative dentry, whose directory is locked. Returns 0 or an error. */
int make_locked(struct inode *dir, struct dentry *dentry, const struct new_name *new);

/*
 * What a call with (dirfd, name, flags) works on: its path, with references (a pipe gets a nameless
 * one). flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH (others are the caller's to refuse). name
 * this_file, which no program can pass: the file that is open at dirfd.
 */
extern const char this_file[];
struct dentry *path_at(int dirfd, const char __user *name, unsigned int flags);

/* ---- fs/names/attr.c ---- */

/* Is the current process root or the owner of the inode? */
bool inode_owner_or_root(const struct inode *inode);

/* chdir, and (this_file) fchdir. */
long chdir_at(int dirfd, const char __user *name);

/* ---- fs/file/stat.c ---- */

/* The statfs calls; wide: for a struct statfs64. */
#define STATFS64_SIZE 84u
long statfs_at(int dirfd, const char __user *name, bool wide, void __user *result);

/* ---- fs/file/file_table.c ---- */

/*
 * Open the file of a descriptor at the lowest free descriptor that is not below `from` as well.
 * Returns it, or -EBADF, -EINVAL if `from` is too high, -EMFILE or -ENOMEM.
 */
long fd_duplicate(unsigned int number, unsigned int from, bool cloexec);
/*
 * Set whether exec closes an open descriptor, unless `change` is -1. Returns the flag as it was (0
 * or 1), or -EBADF.
 */
int fd_cloexec(unsigned int fd, int change);

/* ---- fs/names/cwd.c ---- */

struct dentry *fs_cwd(void); /* of the current process, with references */

#endif
