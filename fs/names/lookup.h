/*
 * Places in the tree of names: references to them, the walk to a name, a place's name as text, and
 * the two places that each process has, its root and its current directory.
 */
#ifndef FS_NAMES_LOOKUP_H
#define FS_NAMES_LOOKUP_H

#include "fs/names/vfs.h"
#include "kernel/spinlock.h"

/* ---- fs/names/mount.c ---- */

/*
 * Take, or drop, the two references of a path that is kept. path_put() may sleep, and ignores a
 * path that is no place.
 */
void path_get(const struct path *path);
void path_put(const struct path *path);
/*
 * A call or an open file that changes the files seen through a mount counts as a writer. The first
 * function counts one more, and returns 0, or -EROFS if the mount or its file system is read-only.
 * The second one undoes this. Neither sleeps.
 */
int mount_begin_writing(struct mount *mount);
void mount_end_writing(struct mount *mount);
static inline bool path_equal(const struct path *a, const struct path *b)
{
	return a->dentry == b->dentry && a->mount == b->mount;
}
/*
 * Call `function` for the file system of every attached mount, and for those on disks that
 * MNT_DETACH has detached and that are still in use, so perhaps several times for one. It may
 * sleep, but it must not mount or unmount: the lock against both may be held. Does nothing if a
 * SIGKILL interrupts the wait for that lock.
 */
void mounts_walk(void (*function)(struct super_block *sb));
/*
 * Mount the root file system at boot, from the disk or partition of that name, or from the one
 * whose file system has the label in LABEL=label. Returns 0, -ENXIO if there is no such disk, or
 * the error of the mount, and logs an error. May sleep.
 */
int mount_root(const char *name);

/* ---- fs/names/namei.c ---- */

#define LOOKUP_FOLLOW	 1 /* follow a symbolic link in the last component */
#define LOOKUP_DIRECTORY 2 /* anything but a directory is -ENOTDIR */
/*
 * Walk `name`, starting at the directory dirfd, or at the current directory if dirfd is AT_FDCWD.
 * Writes a path with references to `result`, and returns 0. Otherwise returns -ENOENT, -ENOTDIR,
 * -EACCES, -ELOOP, -EBADF, -EIO or others. If `name` is itself an ERR_PTR, returns that error. May
 * sleep.
 */
int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *result);
/* The same for a name in user memory. Further errors are -EFAULT and -ENOMEM. */
int path_lookup_user(int dirfd, const char __user *name, unsigned int flags, struct path *result);
/*
 * Copy a path from user memory. The caller frees it with name_free(). Returns ERR_PTR(-EFAULT,
 * -ENAMETOOLONG, -ENOMEM) on failure. May sleep.
 */
char *name_from_user(const char __user *name);
/* Free the result of name_from_user(). Ignores NULL and ERR_PTR. */
void name_free(char *name);

/* ---- fs/names/cwd.c ---- */

/*
 * Write the path as text to the end of buf, and return where the text begins. It begins at the root
 * of the current process, or, if that is not above the path, where the mounts end. " (deleted)"
 * follows a name that has been removed. Returns ERR_PTR(-ENAMETOOLONG) if it does not fit. May
 * sleep.
 */
char *path_text(const struct path *path, char *buf, size_t size);
/* Like path_text(), for an open file: its path, or text such as "pipe:[17]". */
char *file_text(struct file *file, char *buf, size_t size);
/*
 * The root directory, the current directory and the umask. Threads share one (CLONE_FS); a process
 * that is forked gets a copy.
 */
struct fs_context {
	struct atomic refs;
	spinlock_t lock;       /* guards root and cwd */
	struct path root, cwd; /* with references */
	unsigned int umask;    /* changed by an atomic exchange */
};
/*
 * Returns a copy of the current task's context with one reference, or NULL if there is no memory.
 */
struct fs_context *fs_context_copy(void);
/* Copy a path of the context, its root or cwd, and take references. Never sleeps. */
void fs_context_get(struct fs_context *fs, const struct path *which, struct path *result);
/* Drop a reference. The last one frees the context. Ignores NULL. May sleep. */
void fs_context_put(struct fs_context *fs);

/* ---- fs/names/namespace.c ---- */

/* Make a socket or FIFO at a path. The umask applies. Returns 0, -EEXIST and others. May sleep. */
int path_make_node(int dirfd, const char *name, unsigned int mode, unsigned int rdev);

#endif
