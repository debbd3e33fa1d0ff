/*
 * The root directory, the current directory and the umask of a process, and paths as text.
 *
 * 1. fs->lock, a plain spinlock, guards root and cwd against other threads that share the context.
 *    A path is put after the lock is released, because path_put() may sleep.
 * 2. path_text() walks from a path up to the root of the process, across mount points. dcache_lock
 *    keeps names and parents in place meanwhile, and mount_lock the mounts.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "kernel/log.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"

void fs_context_get(struct fs_context *fs, const struct path *which, struct path *result)
{
	spin_lock(&fs->lock);
	*result = *which;
	path_get(result);
	spin_unlock(&fs->lock);
}

/* A kernel task has no context. Its root and its current directory are those of the first mount. */
struct path fs_root(void)
{
	struct path root;

	if (!current->fs)
		return root_path();
	fs_context_get(current->fs, &current->fs->root, &root);
	return root;
}

struct path fs_cwd(void)
{
	struct path cwd;

	if (!current->fs)
		return root_path();
	fs_context_get(current->fs, &current->fs->cwd, &cwd);
	return cwd;
}

bool fs_is_root(const struct path *path)
{
	bool equal;

	if (!current->fs)
		return false; /* the first mount is attached nowhere, so ".." ends there anyway */
	spin_lock(&current->fs->lock);
	equal = path_equal(path, &current->fs->root);
	spin_unlock(&current->fs->lock);
	return equal;
}

struct fs_context *fs_context_copy(void)
{
	struct fs_context *fs = kmalloc(sizeof(*fs), 0);

	if (!fs)
		return NULL;
	atomic_set(&fs->refs, 1);
	spin_init(&fs->lock, "fs context");
	fs->umask = current->fs ? current->fs->umask : 022;
	fs->root = fs_root();
	fs->cwd = fs_cwd();
	return fs;
}

void fs_context_put(struct fs_context *fs)
{
	if (!fs || !atomic_dec_and_test(&fs->refs))
		return;
	path_put(&fs->cwd);
	path_put(&fs->root);
	kfree(fs);
}

long sys_umask(unsigned int mask)
{
	return __sync_lock_test_and_set(&current->fs->umask, mask & 0777);
}

/*
 * Replace the root or the current directory of the context, and take over the references of `path`.
 */
static void fs_context_set(struct path *which, const struct path *path)
{
	struct path old;

	spin_lock(&current->fs->lock);
	old = *which;
	*which = *path;
	spin_unlock(&current->fs->lock);
	path_put(&old);
}

/* Find a directory that the process may search. Returns 0 or an error. */
static int find_directory(int dirfd, const char __user *name, struct path *path)
{
	int error = path_at(dirfd, name, 0, path);

	if (error)
		return error;
	error = -ENOTDIR;
	if (S_ISDIR(path->dentry->inode->mode))
		error = inode_permission(path->dentry->inode, MAY_EXEC);
	if (error)
		path_put(path);
	return error;
}

long chdir_at(int dirfd, const char __user *name)
{
	struct path path;
	int error = find_directory(dirfd, name, &path);

	if (!error)
		fs_context_set(&current->fs->cwd, &path);
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

/*
 * Only what is below the new root can be named from now on. The current directory stays where it
 * is.
 */
long sys_chroot(const char __user *name)
{
	struct path path;
	int error = find_directory(AT_FDCWD, name, &path);

	if (!error && !capable(CAP_SYS_CHROOT)) {
		path_put(&path);
		error = -EPERM;
	}
	if (!error)
		fs_context_set(&current->fs->root, &path);
	return error;
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

/*
 * Write text such as "pipe:[17]", or "anon_inode:[eventfd]" if the kind has brackets already. A
 * kind that begins with a slash is the whole text.
 */
static char *anonymous_text(const struct inode *inode, char *buf, size_t size)
{
	const char *format = "%s:[%u]";

	if (inode->kind[0] == '[')
		format = "anon_inode:%s";
	else if (inode->kind[0] == '/')
		format = "%s";
	return snprintf(buf, size, format, inode->kind, (unsigned int)inode->number) < size
		       ? buf
		       : ERR_PTR(-ENAMETOOLONG);
}

#define UNREACHABLE "(unreachable)"

/* Where the way up from a path ends. */
enum path_end { AT_ROOT, ABOVE_ROOT };

/*
 * Write the names from the root to the path. If the path is not below the root, write those from
 * the topmost place that is above it. dcache_lock and mount_lock are held.
 */
static char *names_above(const struct path *path, const struct path *root, const char *buf,
			 char *at, enum path_end *end)
{
	const struct dentry *dentry = path->dentry;
	const struct mount *mount = path->mount;
	const char *last = at;

	*end = AT_ROOT;
	while (dentry != root->dentry || mount != root->mount) {
		if (dentry == mount->root && mount->on.mount) {
			dentry = mount->on.dentry;
			mount = mount->on.mount;
		} else if (dentry != mount->root && dentry->parent != dentry) {
			at = put_front(buf, at, dentry->name, dentry->name_len);
			at = put_front(buf, at, "/", 1);
			dentry = dentry->parent;
		} else {
			*end = ABOVE_ROOT;
			break;
		}
	}
	return at == last ? put_front(buf, at, "/", 1) : at;
}

/*
 * The contract is that of path_text(), with the root given, and with what is to follow a name that
 * has been removed.
 */
static char *text_below(const struct path *path, const struct path *root, const char *removed,
			char *buf, size_t size, enum path_end *end)
{
	char *at = put_front(buf, buf + size, "", 1);

	spin_lock(&dcache_lock);
	spin_lock(&mount_lock);
	if (path->dentry->unhashed)
		at = put_front(buf, at, removed, strlen(removed));
	at = names_above(path, root, buf, at, end);
	spin_unlock(&mount_lock);
	spin_unlock(&dcache_lock);
	return at ? at : ERR_PTR(-ENAMETOOLONG);
}

char *dentry_text(const struct dentry *dentry, char *buf, size_t size)
{
	char *at = put_front(buf, buf + size, "", 1), *last;

	spin_lock(&dcache_lock);
	if (dentry->unhashed)
		at = put_front(buf, at, "//deleted", strlen("//deleted"));
	for (last = at; dentry->parent != dentry; dentry = dentry->parent) {
		at = put_front(buf, at, dentry->name, dentry->name_len);
		at = put_front(buf, at, "/", 1);
	}
	spin_unlock(&dcache_lock);
	return at == last ? put_front(buf, at, "/", 1) : at;
}

char *path_text_below(const struct path *path, const struct path *root, char *buf, size_t size)
{
	enum path_end end;
	char *text = text_below(path, root, "", buf, size, &end);

	return end == AT_ROOT ? text : NULL;
}

char *path_text(const struct path *path, char *buf, size_t size)
{
	const struct inode *inode = path->dentry->inode;
	enum path_end end;
	struct path root;
	char *text;

	if (inode && !S_ISREG(inode->mode) && inode->kind)
		return anonymous_text(inode, buf, size);
	root = fs_root();
	text = text_below(path, &root, " (deleted)", buf, size, &end);
	path_put(&root);
	return text;
}

char *file_text(struct file *file, char *buf, size_t size)
{
	return file->path.dentry ? path_text(&file->path, buf, size)
				 : anonymous_text(file->inode, buf, size);
}

/*
 * Returns the text of the current directory, ERR_PTR(-ENOENT) if that has been removed, or ERR_PTR.
 */
static char *cwd_text(char *buf, size_t size)
{
	struct path cwd = fs_cwd(), root = fs_root();
	char *text = ERR_PTR(-ENOENT);
	enum path_end end;

	if (!cwd.dentry->unhashed)
		text = text_below(&cwd, &root, "", buf, size, &end);
	if (!IS_ERR(text) && end != AT_ROOT)
		text = put_front(buf, text, UNREACHABLE, strlen(UNREACHABLE));
	path_put(&root);
	path_put(&cwd);
	return text ? text : ERR_PTR(-ENAMETOOLONG);
}

long sys_getcwd(char __user *user_buf, size_t size)
{
	char *buf = kmalloc(PATH_MAX, 0);
	char *text;
	long result;

	if (!buf)
		return -ENOMEM;
	text = cwd_text(buf, PATH_MAX);
	if (IS_ERR(text)) {
		result = PTR_ERR(text);
	} else {
		result = strlen(text) + 1;
		if (result > size)
			result = -ERANGE;
		else if (copy_to_user(user_buf, text, result))
			result = -EFAULT;
	}
	kfree(buf);
	return result;
}
