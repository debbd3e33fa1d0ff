/*
 * Walking paths.
 *
 * 1. A walk holds a reference to where it is; it takes a directory's lock only to read a name that
 *    is not cached.
 * 2. walk_to_last() stops before the last component: who creates, removes or renames wants the
 *    directory. Who wants what it names calls walk_last(), which may turn out to be a symbolic
 *    link; then both are called again.
 * 3. Symbolic links are walked without recursion: the link's text, with what follows the link behind
 *    it, becomes the text to be walked; more than LINKS_MAX links are ELOOP.
 * 4. Mount points are crossed downwards after each component and upwards by "..".
 */
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

#define LINKS_MAX 40u

/* ---- names from user memory ---- */

char *name_from_user(const char __user *name)
{
	char *copy = kmalloc(PATH_MAX, 0);
	ssize_t len;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	len = strncpy_from_user(copy, name, PATH_MAX);
	if (len >= 0)
		return copy;
	kfree(copy);
	return ERR_PTR(len);
}

void name_free(char *name)
{
	if (!IS_ERR(name))
		kfree(name);
}

/* ---- one step ---- */

void walk_to(struct walk *walk, struct dentry *dentry)
{
	struct dentry *old = walk->path.dentry;

	walk->path.dentry = dentry;
	dentry_put(old);
	path_cross_mounts(&walk->path);
}

static void walk_up(struct walk *walk)
{
	struct path *path = &walk->path;
	struct path up;

	while (path->dentry == path->dentry->sb->root) {
		up.dentry = path->dentry->sb->point;
		if (!up.dentry)
			return;
		path_get(&up);
		path_put(path);
		*path = up;
	}
	walk_to(walk, dentry_parent(path->dentry));
}

/* /proc/self/fd/N and relatives: they lead to a path without a name. */
static int walk_follow(struct walk *walk, struct inode *inode)
{
	struct path target;
	int error = inode->ops->follow(inode, &target);

	if (error)
		return error;
	path_put(&walk->path);
	walk->path = target;
	walk->last.len = 0;
	return 0;
}

/* Walk the link's text, and behind it what followed the link: 1, or an error. */
static int walk_into_text(struct walk *walk, struct inode *link)
{
	size_t rest = strlen(walk->rest) + 1;
	ssize_t len = -EINVAL;
	char *text = kmalloc(PATH_MAX + rest, 0);

	if (!text)
		return -ENOMEM;
	if (link->ops && link->ops->readlink)
		len = link->ops->readlink(link, text, PATH_MAX);
	if (len <= 0) {
		kfree(text);
		return len < 0 ? len : -ENOENT;
	}
	memcpy(text + len, walk->rest, rest);
	kfree(walk->text);
	walk->text = text;
	walk->rest = text;
	if (*text == '/') {
		path_put(&walk->path);
		root_path(&walk->path);
	}
	return 1;
}

int walk_into_link(struct walk *walk, struct dentry *link)
{
	struct inode *inode = link->inode;
	int error = -ELOOP;

	if (++walk->links <= LINKS_MAX)
		error = inode->ops && inode->ops->follow ? walk_follow(walk, inode)
							 : walk_into_text(walk, inode);
	dentry_put(link);
	return error;
}

/* May the walk go through the directory where it is? */
static int walk_may_pass(struct walk *walk)
{
	struct inode *inode = walk->path.dentry->inode;

	if (!inode || !S_ISDIR(inode->mode))
		return -ENOTDIR;
	return inode_permission(inode, MAY_EXEC);
}

/* Walk component `name`: 0, or 1 if it was a link that is to be walked now. */
static int walk_component(struct walk *walk, const struct name *name, bool follow)
{
	struct dentry *dentry;
	int error = walk_may_pass(walk);

	if (error || name_is_dot(name))
		return error;
	if (name_is_dotdot(name)) {
		walk_up(walk);
		return 0;
	}
	dentry = dentry_lookup(walk->path.dentry, name);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (!dentry->inode) {
		dentry_put(dentry);
		return -ENOENT;
	}
	if (follow && S_ISLNK(dentry->inode->mode))
		return walk_into_link(walk, dentry);
	walk_to(walk, dentry);
	return 0;
}

/* ---- the walk ---- */

/* Start at dirfd, the cwd or the root. 0, -ENOENT (empty), -EBADF, -ENOTDIR, what is in name. */
static int walk_start(struct walk *walk, int dirfd, const char *name)
{
	struct fd fd;

	memset(walk, 0, sizeof(*walk));
	walk->rest = name;
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (!*name)
		return -ENOENT;
	if (*name == '/') {
		root_path(&walk->path);
	} else if (dirfd == AT_FDCWD) {
		fs_cwd(&walk->path);
	} else {
		fd = fd_get(dirfd);
		if (!fd.file)
			return -EBADF;
		if (S_ISDIR(fd.file->inode->mode)) {
			walk->path = fd.file->path;
			path_get(&walk->path);
		}
		fd_put(fd);
	}
	return walk->path.dentry ? 0 : -ENOTDIR;
}

int walk_to_last(struct walk *walk)
{
	int error;

	do {
		error = path_component(&walk->rest, &walk->last);
		if (error <= 0)
			return error; /* 0: "/", or a link to it */
		if (path_at_end(walk->rest, &walk->slash))
			return walk_may_pass(walk);
		error = walk_component(walk, &walk->last, true);
	} while (error >= 0);
	return error;
}

int walk_last(struct walk *walk, bool follow)
{
	int error = 0;

	if (walk->last.len > 0)
		error = walk_component(walk, &walk->last, follow || walk->slash);
	if (error != 0)
		return error;
	return walk->slash && !S_ISDIR(walk->path.dentry->inode->mode) ? -ENOTDIR : 0;
}

void walk_end(struct walk *walk)
{
	path_put(&walk->path);
	kfree(walk->text);
}

int walk_parent(struct walk *walk, int dirfd, const char *name)
{
	int error = walk_start(walk, dirfd, name);

	return error ? error : walk_to_last(walk);
}

int walk_parent_user(struct walk *walk, int dirfd, const char __user *user_name)
{
	char *name = name_from_user(user_name);
	int error = walk_start(walk, dirfd, name);

	walk->text = IS_ERR(name) ? NULL : name;
	return error ? error : walk_to_last(walk);
}

int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *result)
{
	struct walk walk;
	int error = walk_parent(&walk, dirfd, name);

	while (!error && (error = walk_last(&walk, flags & LOOKUP_FOLLOW)) > 0)
		error = walk_to_last(&walk);
	if (!error && flags & LOOKUP_DIRECTORY && !S_ISDIR(walk.path.dentry->inode->mode))
		error = -ENOTDIR;
	if (!error) {
		*result = walk.path;
		path_get(result);
	}
	walk_end(&walk);
	return error;
}

int path_lookup_user(int dirfd, const char __user *user_name, unsigned int flags,
		     struct path *result)
{
	char *name = name_from_user(user_name);
	int error = path_lookup(dirfd, name, flags, result);

	name_free(name);
	return error;
}

/* ---- what a call works on ---- */

int path_at(int dirfd, const char __user *name, unsigned int flags, struct path *path)
{
	char first = 0;
	struct fd fd;
	int error;

	if (dirfd != AT_FDCWD && (!name || flags & AT_EMPTY_PATH)) {
		if (name && copy_from_user(&first, name, 1))
			return -EFAULT;
		if (!first) {
			fd = fd_get(dirfd);
			error = fd.file ? file_path(fd.file, path) : -EBADF;
			fd_put(fd);
			return error;
		}
	}
	return path_lookup_user(dirfd, name, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, path);
}
