/*
 * The current directory and umask of a process, and paths as text.
 *
 * 1. fs->lock, a plain spinlock, guards cwd against other threads that share the context. A path is
 *    put after the lock is released, because path_put() may sleep.
 * 2. path_text() walks from a dentry up to the root, across mount points. dcache_lock keeps names
 *    and parents in place meanwhile. Each mount on the way holds a reference to the one below it.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/vfs_internal.h"

struct dentry *fs_context_cwd(struct fs_context *fs)
{
	struct dentry *cwd;

	spin_lock(&fs->lock);
	cwd = path_get(fs->cwd);
	spin_unlock(&fs->lock);
	return cwd;
}

/* A kernel task has no context. Its current directory is the root. */
struct dentry *fs_cwd(void)
{
	return current->fs ? fs_context_cwd(current->fs) : root_path();
}

struct fs_context *fs_context_copy(void)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), 0);

	if (!fs)
		return NULL;
	atomic_set(&fs->refs, 1);
	spin_init(&fs->lock, "fs context");
	fs->umask = current->fs ? current->fs->umask : 022;
	fs->cwd = fs_cwd();
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !atomic_dec_and_test(&fs->refs))
		return;
	path_put(fs->cwd);
	kfree(fs);
}

long sys_umask(unsigned int mask)
{
	return __sync_lock_test_and_set(&current->fs->umask, mask & 0777);
}

long chdir_at(int dirfd, const char __user *name)
{
	struct dentry *path = path_at(dirfd, name, 0), *old;
	long error = -ENOTDIR;

	if (IS_ERR(path))
		return PTR_ERR(path);
	if (S_ISDIR(path->inode->mode))
		error = inode_permission(path->inode, MAY_EXEC);
	if (!error) {
		spin_lock(&current->fs->lock);
		old = current->fs->cwd;
		current->fs->cwd = path;
		spin_unlock(&current->fs->lock);
		path = old; /* to be put */
	}
	path_put(path);
	return error;
}

long sys_chdir(const char __user *name)
{
	return chdir_at(AT_FDCWD, name);
}

long sys_fchdir(int fd)
{
	return chdir_at(fd, this_file);
}

/* ---- text ---- */

/*
 * Prepend a string to the text that begins at `at`. Returns where the text begins now, or NULL if
 * there is no room or `at` is NULL already.
 */
static char *put_front(const char *buf, char *at, const char *string, size_t len)
{
	return at && (size_t)(at - buf) >= len ? memcpy(at - len, string, len) : NULL;
}

/* Write text such as "pipe:[17]", or "anon_inode:[eventfd]" if the kind has brackets already. */
static char *anonymous_text(const struct inode *inode, char *buf, size_t size)
{
	const char *format = inode->kind[0] == '[' ? "anon_inode:%s" : "%s:[%u]";

	return snprintf(buf, size, format, inode->kind, (unsigned int)inode->number) < size
		       ? buf
		       : ERR_PTR(-ENAMETOOLONG);
}

#define DELETED " (deleted)"

char *path_text(const struct dentry *dentry, char *buf, size_t size)
{
	char *end, *at = buf + size;

	if (dentry->inode && dentry->inode->kind)
		return anonymous_text(dentry->inode, buf, size);
	spin_lock(&dcache_lock);
	at = put_front(buf, at, "", 1);
	if (dentry->unhashed)
		at = put_front(buf, at, DELETED, strlen(DELETED));
	end = at;
	for (;;) {
		if (dentry->parent != dentry) {
			at = put_front(buf, at, dentry->name, dentry->name_len);
			at = put_front(buf, at, "/", 1);
			dentry = dentry->parent;
		} else if (dentry->sb->point) {
			dentry = dentry->sb->point;
		} else {
			break;
		}
	}
	if (at == end)
		at = put_front(buf, at, "/", 1);
	spin_unlock(&dcache_lock);
	return at ? at : ERR_PTR(-ENAMETOOLONG);
}

char *file_text(struct file *file, char *buf, size_t size)
{
	return file->path ? path_text(file->path, buf, size)
			  : anonymous_text(file->inode, buf, size);
}

long sys_getcwd(char __user *user_buf, size_t size)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct dentry *cwd;
	char *text;
	long result;

	if (!buf)
		return -ENOMEM;
	cwd = fs_cwd();
	text = path_text(cwd, buf, PATH_MAX);
	if (cwd->unhashed) {
		result = -ENOENT;
	} else if (IS_ERR(text)) {
		result = PTR_ERR(text);
	} else {
		result = strlen(text) + 1;
		if (result > size)
			result = -ERANGE;
		else if (copy_to_user(user_buf, text, result))
			result = -EFAULT;
	}
	path_put(cwd);
	kfree(buf);
	return result;
}
