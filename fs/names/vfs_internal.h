/*
 * What the files of the VFS share among themselves.
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

/* A 64-bit argument of a system call: its halves, low first. */
static inline file_off_t offset_of(uint32_t low, uint32_t high)
{
	return (file_off_t)((uint64_t)high << 32 | low);
}

/* ---- fs/names/inode.c ---- */

/* mapping_wait_reads() for all inodes of a file system. */
int inodes_wait_reads(struct super_block *sb);
/* Is a page of them being read at this time? Never sleeps. */
bool inodes_are_read(struct super_block *sb);
/* At unmount: the inodes that pipe slots still hold live on without their file system. */
void inode_abandon_all(struct super_block *sb);

/* ---- fs/names/dentry.c ---- */

extern spinlock_t dcache_lock; /* names, the tree, the hash, the LRU; plain */

/*
 * dir's lock is held: the name in it, positive or negative, read if it is not cached.
 * ERR_PTR(-ENOENT: dir was removed; -ENOMEM, -EIO).
 */
struct dentry *dentry_lookup_locked(struct dentry *dir, const struct name *name);
/* The same without the lock, which is taken if it must. */
struct dentry *dentry_lookup(struct dentry *dir, const struct name *name);
/* The name is gone: nobody finds the dentry any more. Unused names below it go, too. */
void dentry_unhash(struct dentry *dentry);
/*
 * `old` takes name and place of `target`, which is unhashed and gets old's name. Both parents' locks
 * are held.
 */
void dentry_move(struct dentry *old, struct dentry *target);
/* Is `ancestor` on the way from dentry up to the root of its file system (or dentry itself)? */
bool dentry_below(struct dentry *dentry, struct dentry *ancestor);
/* Unmount: drop all names of a file system that nobody uses, the root last. */
void dentry_drop_all(struct super_block *sb);
/*
 * A dentry without name and parent, that goes with its last reference; takes its own reference
 * to inode. NULL.
 */
struct dentry *dentry_make_nameless(struct inode *inode);
/* Its parent, with a reference. */
struct dentry *dentry_parent(struct dentry *dentry);

/* ---- fs/names/mount.c ---- */

/* The path, or, if something is mounted on it, the root of what is on top, in place of it. */
struct dentry *path_cross_mounts(struct dentry *path);
/* The root of the first mount, with references. */
struct dentry *root_path(void);

/* ---- fs/names/namei.c ---- */

struct walk {
	struct dentry *at;  /* where we are: a directory while components are left */
	unsigned int links; /* symbolic links followed so far */
	const char *rest;   /* text behind `last` */
	char *text;	    /* the whole of it, if walk_end() is to free it */
	struct name last;   /* the last component; len 0: there is none, `at` is it */
	bool slash;	    /* a slash followed it: it must be a directory */
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
/* Is the last component a name: not "/", "." or ".."? */
static inline bool walk_last_is_name(const struct walk *walk)
{
	return walk->last.len > 0 && !name_is_dot(&walk->last) && !name_is_dotdot(&walk->last);
}

/* ---- fs/names/namespace.c ---- */

/*
 * After walk_parent: lock the directory and find the last name in it, with a reference. ERR_PTR:
 * nothing is locked.
 */
struct dentry *walk_lock_last(struct walk *walk);

/* What a new name is to stand for. */
struct new_name {
	unsigned int mode, rdev; /* a new inode; the umask applies */
	const char *target;	 /* of a symbolic link */
	struct inode *inode;	 /* or this one */
};
/* Give a negative dentry, whose directory is locked, an inode: 0, -EACCES, -EROFS and so on. */
int make_locked(struct inode *dir, struct dentry *dentry, const struct new_name *new);

/*
 * What a call with (dirfd, name, flags) works on: its path, with references (a pipe gets a nameless
 * one). flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH (others are the caller's to refuse). name
 * this_file, which no program can pass: the file that is open at dirfd.
 */
extern const char this_file[];
struct dentry *path_at(int dirfd, const char __user *name, unsigned int flags);

/* ---- fs/names/attr.c ---- */

/* May the current process do what only the owner (or root) may? */
bool inode_owner_or_root(const struct inode *inode);

/* chdir, and (this_file) fchdir. */
long chdir_at(int dirfd, const char __user *name);

/* ---- fs/file/stat.c ---- */

/* The statfs calls; wide: for a struct statfs64. */
#define STATFS64_SIZE 84u
long statfs_at(int dirfd, const char __user *name, bool wide, void __user *result);

/* ---- fs/file/file_table.c ---- */

/*
 * The same file at the lowest free descriptor >= from. -EBADF, -EINVAL (from is too high),
 * -EMFILE, -ENOMEM.
 */
long fd_duplicate(unsigned int number, unsigned int from, bool cloexec);
/* Whether exec closes an open descriptor: 0 or 1, -EBADF. It is changed, unless `change` is -1. */
int fd_cloexec(unsigned int fd, int change);

/* ---- fs/names/cwd.c ---- */

struct dentry *fs_cwd(void); /* of the current process, with references */

#endif
