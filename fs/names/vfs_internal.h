/*
 * Functions that the source files of the VFS share among themselves.
 */
#ifndef FS_NAMES_VFS_INTERNAL_H
#define FS_NAMES_VFS_INTERNAL_H

#include "fs/names/path.h"
#include "fs/names/lookup.h"
#include "kernel/capability.h"

/* The ids for files. The kernel's own tasks have no process, and are root. */
static inline uint32_t current_uid(void)
{
	return current->process ? current->process->cred.fsuid : 0;
}
static inline uint32_t current_gid(void)
{
	return current->process ? current->process->cred.fsgid : 0;
}

/* Make a 64-bit argument of a system call from its halves. */
static inline file_off_t offset_of(uint32_t low, uint32_t high)
{
	return (file_off_t)((uint64_t)high << 32 | low);
}

/* ---- fs/names/inode.c ---- */

/* mapping_wait_reads() for all inodes of a file system. Returns 0 or its error. May sleep. */
int inodes_wait_reads(struct super_block *sb);
/* Is a page of any inode of the file system being read now? Never sleeps. */
bool inodes_are_read(struct super_block *sb);
/* Is an inode without links in memory, which will be deleted? Never sleeps. */
bool inodes_are_deleted(struct super_block *sb);
/*
 * Called at unmount. Inodes that pipe slots still hold live on without their file system. Waits for
 * other inodes that are just being freed.
 */
void inode_abandon_all(struct super_block *sb);
/* The same for inodes without links only, which the file system deletes. */
void inode_abandon_deleted(struct super_block *sb);

/* ---- fs/names/dentry.c ---- */

extern spinlock_t dcache_lock; /* guards names, the tree, the hash, the LRU; not for interrupts */

/*
 * Find a name in a directory whose lock is held, and read the directory if it is not cached.
 * Returns a dentry, which may be negative, with a reference. Otherwise ERR_PTR: -ENOENT if the
 * directory has been removed, -ENOMEM, -EIO. May sleep.
 */
struct dentry *dentry_lookup_locked(struct dentry *dir, const struct name *name);
/* The same for a name that is in memory. Another one is -EAGAIN. */
struct dentry *dentry_lookup_cached(struct dentry *dir, const struct name *name);
/* The same for a directory that is not locked. Its lock is taken only if the name is not cached. */
struct dentry *dentry_lookup(struct dentry *dir, const struct name *name);
/*
 * Remove a dentry from lookups because its name has been removed. Unused names below it are
 * dropped.
 */
void dentry_unhash(struct dentry *dentry);
/*
 * Move `old` to the name and place of `target`, which is unhashed and gets the name of `old`. The
 * locks of both parents are held.
 */
void dentry_move(struct dentry *old, struct dentry *target);
/*
 * Make a dentry for a name that a directory of `sb` is about to have. Until dentry_add(), no lookup
 * finds it. Returns it with one reference, or NULL if there is no memory.
 */
struct dentry *dentry_make_early(struct super_block *sb, const struct name *name);
/*
 * Give such a dentry its place and its inode, whose reference it takes over. The directory is
 * locked, and no other dentry has the name.
 */
void dentry_add(struct dentry *dir, struct dentry *dentry, struct inode *inode);
/* Let two names, which may be in different directories, change places. Their parents are locked. */
void dentry_exchange(struct dentry *a, struct dentry *b);
/* Is `ancestor` on the way from dentry up to the root of its file system (or dentry itself)? */
bool dentry_below(struct dentry *dentry, struct dentry *ancestor);
/* Called at unmount: drop all unused names of a file system, the root last. */
void dentry_drop_all(struct super_block *sb);
/*
 * Make a dentry without a name and a parent, which is freed with its last reference. It takes its
 * own reference to the inode. Returns NULL if there is no memory.
 */
struct dentry *dentry_make_nameless(struct inode *inode);
/*
 * Make a dentry in a directory under a name that was never there: path_text() shows it as deleted,
 * and no lookup finds it. Takes over the reference to the inode, even on failure. Returns the
 * dentry with one reference, or NULL if there is no memory.
 */
struct dentry *dentry_make_deleted(struct dentry *dir, const struct name *name,
				   struct inode *inode);
/*
 * Returns a dentry that leads to the inode and that lookups find, with a reference, or NULL if
 * there is none in memory. Never sleeps.
 */
struct dentry *dentry_of_inode(const struct inode *inode);
/* Returns the parent of a dentry with a reference. */
struct dentry *dentry_parent(struct dentry *dentry);

/* ---- fs/names/namei.c ---- */

/* How openat2(2) restricts a walk: linux/openat2.h. */
#define RESOLVE_NO_XDEV	      0x01u /* crossing from one mount to another is -EXDEV */
#define RESOLVE_NO_MAGICLINKS 0x02u /* a link that leads to a path without any text is -ELOOP */
#define RESOLVE_NO_SYMLINKS   0x04u /* so is every link */
#define RESOLVE_BENEATH	      0x08u /* leaving the first directory is -EXDEV */
#define RESOLVE_IN_ROOT	      0x10u /* the first directory is the root of the walk */
#define RESOLVE_CACHED	      0x20u /* what is not in memory is -EAGAIN */
#define RESOLVE_SCOPED	      (RESOLVE_BENEATH | RESOLVE_IN_ROOT)
#define RESOLVE_ALL	      0x3fu

struct walk {
	struct path at;	      /* the place reached so far: a directory while components are left */
	unsigned int links;   /* symbolic links followed so far */
	const char *rest;     /* the text that follows `last` */
	char *text;	      /* the whole text if walk_end() has to free it, or NULL */
	unsigned int resolve; /* RESOLVE_* */
	struct path root;     /* with RESOLVE_SCOPED, the first directory; otherwise no place */
	struct name last;     /* the last component; len 0: there is none, and `at` is the result */
	bool slash;	      /* a slash followed it, so it must be a directory */
};

/*
 * Walk from dirfd (or the current directory, or the root) to the directory that holds the last
 * component, without looking that up. Returns 0, -ENOENT for an empty name, -EBADF, -ENOTDIR and
 * others. If `name` is an ERR_PTR, returns that error. The caller must call walk_end() in any case.
 * All walk functions may sleep, and are called with no directory locked.
 */
int walk_parent(struct walk *walk, int dirfd, const char *name);
/* The same with a set of RESOLVE_* in `resolve`. Further errors are -EXDEV, -ELOOP and -EAGAIN. */
int walk_parent_resolve(struct walk *walk, int dirfd, const char *name, unsigned int resolve);
int walk_parent_user(struct walk *walk, int dirfd, const char __user *name);
/*
 * Walk the last component. Returns 0, an error, or 1 if it was a symbolic link that is to be
 * followed. In that case walk_to_last() walks to the directory that holds the last component of the
 * link's text.
 */
int walk_last(struct walk *walk, bool follow);
int walk_to_last(struct walk *walk);
/*
 * Follow a symbolic link that was found in place of the last component. Takes over a reference to
 * `link`. Returns the same as walk_last().
 */
int walk_into_link(struct walk *walk, struct dentry *link);
/*
 * Move the walk to a dentry of the directory, and across any mount on it. Takes over the reference
 * to the dentry. Returns 0, or -EXDEV if the walk must not cross a mount.
 */
int walk_to(struct walk *walk, struct dentry *dentry);
/* Drop the references and free the memory that the walk holds. */
void walk_end(struct walk *walk);
/* Is the last component an ordinary name, rather than "/", "." or ".."? */
static inline bool walk_last_is_name(const struct walk *walk)
{
	return walk->last.len > 0 && !name_is_dot(&walk->last) && !name_is_dotdot(&walk->last);
}

/* Returns the directory that a walk has reached. */
static inline struct inode *walk_dir(const struct walk *walk)
{
	return walk->at.dentry->inode;
}

/*
 * Write the path that a system call means by (dirfd, name, flags), with references, to `result`.
 * Returns 0 or an error. An anonymous pipe or socket gets a nameless dentry. The flags are
 * AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH; the caller refuses others. If `name` is this_file, a
 * pointer that no program can pass, the path is that of the file open at dirfd, which may be a path
 * descriptor. May sleep.
 */
extern const char this_file[];
int path_at(int dirfd, const char __user *name, unsigned int flags, struct path *result);
/* The same for a name in the kernel's memory, which may not be this_file. */
int path_at_name(int dirfd, const char *name, unsigned int flags, struct path *result);
/*
 * Write the path of an open file, with references, to `result`. Returns 0, -EBADF or -ENOMEM.
 * Without `any`, a path descriptor is -EBADF. May sleep.
 */
int path_of_fd(int number, bool any, struct path *result);

/* ---- fs/names/namespace.c ---- */

/*
 * May the current process remove or move a name of a locked directory? In a sticky directory, only
 * the owner of the file or of the directory may. Returns 0, -EACCES, -EPERM, -EROFS, or -EBUSY for
 * a mount point. Never sleeps.
 */
int name_may_go(struct inode *dir, const struct dentry *victim);

/*
 * Called after walk_parent(). Locks the directory and returns the dentry of the last name in it,
 * with a reference. If it returns ERR_PTR, nothing is locked.
 */
struct dentry *walk_lock_last(struct walk *walk);

/* The inode that a new name gets. */
struct new_name {
	unsigned int mode, rdev; /* of a new inode; the umask applies to mode */
	const char *target;	 /* the text of a new symbolic link, or NULL */
	const struct path *link; /* an existing file that gets the name instead, or NULL */
};
/*
 * Give an inode to a negative dentry, whose directory is locked. Returns 0 or an error. May sleep.
 */
int make_locked(struct inode *dir, struct dentry *dentry, const struct new_name *new);

/* ---- fs/names/attr.c ---- */

/* Is the current process root or the owner of the inode? */
bool inode_owner_or_root(const struct inode *inode);

/* In place of nanoseconds: the present, and leave this time as it is. */
#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe
/*
 * Set the access time and the modification time of a file. The flags are those of utimensat(2). If
 * `name` is NULL, the file is the one that is open at dirfd. Returns 0 or an error. May sleep.
 */
long times_set_at(int dirfd, const char __user *name, const struct timespec64 *times,
		  unsigned int flags);

/* ---- fs/file/stat.c ---- */

/* Implements statfs, and fstatfs if `name` is this_file. `wide` selects struct statfs64. */
#define STATFS64_SIZE 84u
long statfs_at(int dirfd, const char __user *name, bool wide, void __user *result);

/* ---- fs/file/file_table.c ---- */

/*
 * Duplicate a descriptor to the lowest free one that is not below `from`. Returns the new
 * descriptor, -EBADF, -EINVAL if `from` is too high, -EMFILE or -ENOMEM. May sleep.
 */
long fd_duplicate(unsigned int number, unsigned int from, bool cloexec);
/*
 * Set the close-on-exec flag of a descriptor to `change`, unless that is -1. Returns the previous
 * flag (0 or 1), or -EBADF. Never sleeps.
 */
int fd_cloexec(unsigned int fd, int change);

/* ---- fs/names/cwd.c ---- */

/*
 * Write the path from the root of its file system to a dentry to the end of buf. "//deleted"
 * follows a name that has been removed. Returns where the text begins, or NULL if it does not fit.
 * Never sleeps.
 */
char *dentry_text(const struct dentry *dentry, char *buf, size_t size);
/* Returns the root or the current directory of the current process as a path with references. */
struct path fs_root(void);
struct path fs_cwd(void);
/* Implements chdir, and fchdir if `name` is this_file. */
long chdir_at(int dirfd, const char __user *name);
/* Is the path the root of the current process? Never sleeps. */
bool fs_is_root(const struct path *path);
/*
 * Like path_text(), with the root given, and without " (deleted)". Returns NULL if that is not
 * above the path. Never sleeps.
 */
char *path_text_below(const struct path *path, const struct path *root, char *buf, size_t size);

#endif
