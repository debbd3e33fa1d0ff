/*
 * Where a process is: its working directory, root and umask; and paths as text.
 *
 * 1. fs->lock (plain) guards root and cwd against other threads that share the context. Paths are
 *    put after it is given back.
 * 2. path_text() walks from a dentry up to the process's root, over mount points. dcache_lock keeps
 *    names and parents in place meanwhile; the mounts on the way are held by those above them.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

/* A kernel task has no context: it is at the root. */
void fs_root(struct path *path)
{
	struct fs_context *fs = current->fs;

	if (!fs) {
		root_path(path);
		return;
	}
	spin_lock(&fs->lock);
	*path = fs->root;
	path_get(path);
	spin_unlock(&fs->lock);
}

void fs_cwd(struct path *path)
{
	struct fs_context *fs = current->fs;

	if (!fs) {
		root_path(path);
		return;
	}
	spin_lock(&fs->lock);
	*path = fs->cwd;
	path_get(path);
	spin_unlock(&fs->lock);
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), 0);

	if (!fs)
		return NULL;
	atomic_set(&fs->refs, 1);
	spin_init(&fs->lock, "fs context");
	if (!from) {
		root_path(&fs->root);
		root_path(&fs->cwd);
		fs->umask = 022;
		return fs;
	}
	spin_lock(&from->lock);
	fs->root = from->root;
	fs->cwd = from->cwd;
	fs->umask = from->umask;
	path_get(&fs->root);
	path_get(&fs->cwd);
	spin_unlock(&from->lock);
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !atomic_dec_and_test(&fs->refs))
		return;
	path_put(&fs->root);
	path_put(&fs->cwd);
	kfree(fs);
}

/* `path` (its references are taken over) becomes the cwd or root. */
static void fs_set_path(struct path *place, struct path *path)
{
	struct path old;

	spin_lock(&current->fs->lock);
	old = *place;
	*place = *path;
	spin_unlock(&current->fs->lock);
	path_put(&old);
}

long sys_umask(unsigned int mask)
{
	return __sync_lock_test_and_set(&current->fs->umask, mask & 0777);
}

static int enter_directory(struct path *path, struct path *place)
{
	int error = inode_permission(path->dentry->inode, MAY_EXEC);

	if (error)
		path_put(path);
	else
		fs_set_path(place, path);
	return error;
}

static int change_directory(const char __user *user_name, struct path *place)
{
	char *name = name_from_user(user_name);
	struct path path;
	int error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);
	name_free(name);
	return error ? error : enter_directory(&path, place);
}

long sys_chdir(const char __user *name)
{
	return change_directory(name, &current->fs->cwd);
}

long sys_fchdir(int number)
{
	struct fd fd = fd_get_any(number);
	struct path path;

	if (!fd.file)
		return -EBADF;
	path = fd.file->path;
	path_get(&path);
	fd_put(fd);
	if (path.mount && S_ISDIR(path.dentry->inode->mode))
		return enter_directory(&path, &current->fs->cwd);
	path_put(&path);
	return -ENOTDIR;
}

long sys_chroot(const char __user *name)
{
	if (!current_is_root())
		return -EPERM;
	return change_directory(name, &current->fs->root);
}

/* ---- text ---- */

/* Text that grows towards the front of a buffer. */
struct front_text {
	char *buf, *start;
	bool full;
};

static void put_front(struct front_text *text, const char *string, size_t len)
{
	if (text->full || (size_t)(text->start - text->buf) < len) {
		text->full = true;
		return;
	}
	text->start -= len;
	memcpy(text->start, string, len);
}

#define UNREACHABLE "(unreachable)"
#define DELETED	    " (deleted)"

/*
 * The names from path up to root, or up to the top: then it is out of reach. dcache_lock is
 * held.
 */
static void put_names(struct front_text *text, const struct path *path, const struct path *root)
{
	const struct mount *mount = path->mount;
	const struct dentry *dentry = path->dentry;
	const char *end = text->start;

	lockdep_held(&dcache_lock);
	while (dentry != root->dentry || mount != root->mount) {
		if (dentry != mount->root && dentry->parent != dentry) {
			put_front(text, dentry->name, dentry->name_len);
			put_front(text, "/", 1);
			dentry = dentry->parent;
		} else if (mount->parent) {
			dentry = mount->point;
			mount = mount->parent;
		} else {
			break;
		}
	}
	if (text->start == end)
		put_front(text, "/", 1);
	if (dentry != root->dentry || mount != root->mount)
		put_front(text, UNREACHABLE, strlen(UNREACHABLE));
}

char *path_text(const struct path *path, char *buf, size_t size)
{
	struct front_text text = { buf, buf + size, false };
	struct path root;

	fs_root(&root);
	spin_lock(&dcache_lock);
	put_front(&text, "", 1);
	if (path->dentry->unhashed)
		put_front(&text, DELETED, strlen(DELETED));
	put_names(&text, path, &root);
	spin_unlock(&dcache_lock);
	path_put(&root);
	return text.full ? ERR_PTR(-ENAMETOOLONG) : text.start;
}

char *file_text(struct file *file, char *buf, size_t size)
{
	struct inode *inode = file->inode;

	if (file->path.mount && !inode->kind)
		return path_text(&file->path, buf, size);
	if (snprintf(buf, size, "%s:[%u]", inode->kind ? inode->kind : "anon_inode",
		     (unsigned int)inode->number) >= size)
		return ERR_PTR(-ENAMETOOLONG);
	return buf;
}

long sys_getcwd(char __user *user_buf, size_t size)
{
	char *buf = kmalloc(PATH_MAX, 0);
	struct path cwd;
	char *text;
	long result;

	if (!buf)
		return -ENOMEM;
	fs_cwd(&cwd);
	text = path_text(&cwd, buf, PATH_MAX);
	if (cwd.dentry->unhashed) {
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
	path_put(&cwd);
	kfree(buf);
	return result;
}
