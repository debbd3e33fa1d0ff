/*
 * Walking paths.
 *
 * 1. A walk holds a reference to the directory that it has reached. It takes a directory's lock
 *    only to read a name that is not cached.
 * 2. walk_to_last() stops before the last component, because calls that create, remove or rename
 *    need the directory. A call that needs the file itself goes on with walk_last(). If the last
 *    component is a symbolic link, both are called again.
 * 3. Symbolic links are followed without recursion. The text of the link, followed by the rest of
 *    the path, becomes the new text to walk. More than LINKS_MAX links are ELOOP.
 * 4. A walk crosses mount points downwards after each component, and upwards at "..". At the root
 *    of the process, ".." leads nowhere.
 */
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"
#include "fs/file/file.h"
#include "fs/names/mount.h"
#include "fs/names/protect.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"

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

/* Cross any mount on the place that the walk has reached. Returns 0 or -EXDEV. */
static int walk_cross(struct walk *walk)
{
	const struct mount *mount = walk->at.mount;

	path_cross_mounts(&walk->at);
	return walk->resolve & RESOLVE_NO_XDEV && walk->at.mount != mount ? -EXDEV : 0;
}

int walk_to(struct walk *walk, struct dentry *dentry)
{
	dentry_put(walk->at.dentry);
	walk->at.dentry = dentry;
	return walk_cross(walk);
}

/* Move to another path, and take over its references. */
static void walk_jump(struct walk *walk, struct path path)
{
	path_put(&walk->at);
	walk->at = path;
}

static bool walk_is_at_root(const struct walk *walk)
{
	return walk->root.dentry ? path_equal(&walk->at, &walk->root) : fs_is_root(&walk->at);
}

/*
 * Go to the parent. A directory that another task moves meanwhile could let a walk leave its root
 * (with RESOLVE_SCOPED), so the place is looked at afterwards.
 */
static int walk_up(struct walk *walk)
{
	struct path on;
	int error;

	while (!walk_is_at_root(walk)) {
		if (walk->at.dentry != walk->at.mount->root) {
			error = walk_to(walk, dentry_parent(walk->at.dentry));
			if (!error && walk->root.dentry && !path_below(&walk->at, &walk->root))
				error = -EAGAIN;
			return error;
		}
		if (!mount_place(walk->at.mount, &on))
			return walk_cross(walk);
		walk_jump(walk, on);
		if (walk->resolve & RESOLVE_NO_XDEV)
			return -EXDEV;
	}
	if (walk->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	return walk_cross(walk); /* something may be mounted on the root of the process */
}

/* Follow a link such as /proc/self/fd/N, which leads to a path without any text. */
static int walk_follow(struct walk *walk, struct inode *inode)
{
	const struct mount *mount = walk->at.mount;
	struct path target;
	int error;

	if (walk->resolve & RESOLVE_NO_MAGICLINKS)
		return -ELOOP;
	error = inode->ops->follow(inode, &target);
	if (error)
		return error;
	walk_jump(walk, target);
	if (walk->resolve & RESOLVE_SCOPED ||
	    (walk->resolve & RESOLVE_NO_XDEV && target.mount != mount))
		return -EXDEV;
	walk->last.len = 0;
	return 0;
}

/* Go to the root for a link whose text begins with a slash. Returns 0 or -EXDEV. */
static int walk_jump_to_root(struct walk *walk)
{
	const struct mount *mount = walk->at.mount;

	if (walk->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	if (walk->root.dentry) {
		path_get(&walk->root);
		walk_jump(walk, walk->root);
	} else {
		walk_jump(walk, fs_root());
	}
	return walk->resolve & RESOLVE_NO_XDEV && walk->at.mount != mount ? -EXDEV : 0;
}

/* Replace the text to walk by that of the link and the rest of the path. Returns 1 or an error. */
static int walk_into_text(struct walk *walk, struct inode *link)
{
	size_t rest = strlen(walk->rest) + 1;
	ssize_t len = -EINVAL;
	int error;
	char *text;

	if (walk->resolve & RESOLVE_CACHED && link->sb->device)
		return -EAGAIN; /* the text may have to be read */
	text = kmalloc(PATH_MAX + rest, 0);

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
	if (*text == '/' && (error = walk_jump_to_root(walk)) != 0)
		return error;
	return 1;
}

int walk_into_link(struct walk *walk, struct dentry *link)
{
	struct inode *inode = link->inode;
	bool slash, last = path_at_end(walk->rest, &slash);
	int error = last ? may_follow_last(walk_dir(walk), inode) : 0;

	if (error) {
		dentry_put(link);
		return error;
	}
	error = -ELOOP;
	if (++walk->links <= LINKS_MAX && !(walk->resolve & RESOLVE_NO_SYMLINKS) &&
	    !(READ_ONCE(walk->at.mount->flags) & MOUNT_NOSYMFOLLOW)) {
		link_accessed(walk->at.mount, inode);
		error = inode->ops && inode->ops->follow ? walk_follow(walk, inode)
							 : walk_into_text(walk, inode);
	}
	dentry_put(link);
	return error;
}

/* May the walk go through the directory that it has reached? Returns 0 or an error. */
static int walk_may_pass(struct walk *walk)
{
	struct inode *inode = walk_dir(walk);

	if (!inode || !S_ISDIR(inode->mode))
		return -ENOTDIR;
	return inode_permission(inode, MAY_EXEC);
}

/* Walk one component. Returns 0, an error, or 1 if it was a link whose text is to be walked now. */
static int walk_component(struct walk *walk, const struct name *name, bool follow)
{
	struct dentry *dentry;
	int error = walk_may_pass(walk);

	if (error || name_is_dot(name))
		return error;
	if (name_is_dotdot(name))
		return walk_up(walk);
	dentry = walk->resolve & RESOLVE_CACHED ? dentry_lookup_cached(walk->at.dentry, name)
						: dentry_lookup(walk->at.dentry, name);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	if (!dentry->inode) {
		dentry_put(dentry);
		return -ENOENT;
	}
	if (follow && S_ISLNK(dentry->inode->mode))
		return walk_into_link(walk, dentry);
	return walk_to(walk, dentry);
}

/* ---- the walk ---- */

/*
 * Start a walk, which is zeroed but for `resolve` and `text`. The contract is that of
 * walk_parent().
 */
static int walk_start(struct walk *walk, int dirfd, const char *name)
{
	struct fd fd;

	walk->rest = name;
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (!*name)
		return -ENOENT;
	if (*name == '/' && walk->resolve & RESOLVE_BENEATH)
		return -EXDEV;
	if (*name == '/' && !(walk->resolve & RESOLVE_IN_ROOT)) {
		walk->at = fs_root();
	} else if (dirfd == AT_FDCWD) {
		walk->at = fs_cwd();
	} else {
		fd = fd_get_any(dirfd);
		if (!fd.file)
			return -EBADF;
		if (S_ISDIR(fd.file->inode->mode)) {
			walk->at = fd.file->path;
			path_get(&walk->at);
		}
		fd_put(fd);
	}
	if (!walk->at.dentry)
		return -ENOTDIR;
	if (walk->resolve & RESOLVE_SCOPED) {
		walk->root = walk->at;
		path_get(&walk->root);
	}
	return 0;
}

int walk_to_last(struct walk *walk)
{
	int error;

	do {
		error = path_component(&walk->rest, &walk->last);
		if (error <= 0)
			return error; /* 0 for "/", or a link to it */
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
	return walk->slash && !S_ISDIR(walk_dir(walk)->mode) ? -ENOTDIR : 0;
}

void walk_end(struct walk *walk)
{
	path_put(&walk->at);
	path_put(&walk->root);
	kfree(walk->text);
}

int walk_parent_resolve(struct walk *walk, int dirfd, const char *name, unsigned int resolve)
{
	int error;

	*walk = (struct walk){ .resolve = resolve };
	error = walk_start(walk, dirfd, name);
	return error ? error : walk_to_last(walk);
}

int walk_parent(struct walk *walk, int dirfd, const char *name)
{
	return walk_parent_resolve(walk, dirfd, name, 0);
}

int walk_parent_user(struct walk *walk, int dirfd, const char __user *user_name)
{
	char *name = name_from_user(user_name);
	int error;

	*walk = (struct walk){ .text = IS_ERR(name) ? NULL : name };
	error = walk_start(walk, dirfd, name);
	return error ? error : walk_to_last(walk);
}

int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *result)
{
	struct walk walk;
	int error = walk_parent(&walk, dirfd, name);

	while (!error && (error = walk_last(&walk, flags & LOOKUP_FOLLOW)) > 0)
		error = walk_to_last(&walk);
	if (!error && flags & LOOKUP_DIRECTORY && !S_ISDIR(walk_dir(&walk)->mode))
		error = -ENOTDIR;
	if (!error) {
		*result = walk.at;
		walk.at = (struct path){ 0 };
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

const char this_file[] = "";

int path_of_fd(int number, bool any, struct path *result)
{
	struct fd fd = any ? fd_get_any(number) : fd_get(number);
	int error = fd.file ? file_path(fd.file, result) : -EBADF;

	fd_put(fd);
	return error;
}

/* The path that an empty name means by AT_EMPTY_PATH. */
static int path_of_dirfd(int dirfd, struct path *result)
{
	if (dirfd != AT_FDCWD)
		return path_of_fd(dirfd, true, result);
	*result = fs_cwd();
	return 0;
}

int path_at_name(int dirfd, const char *name, unsigned int flags, struct path *result)
{
	if (flags & AT_EMPTY_PATH && !*name)
		return path_of_dirfd(dirfd, result);
	return path_lookup(dirfd, name, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, result);
}

int path_at(int dirfd, const char __user *name, unsigned int flags, struct path *result)
{
	char first;

	if (name == this_file)
		return path_of_fd(dirfd, true, result);
	if (flags & AT_EMPTY_PATH) {
		if (copy_from_user(&first, name, 1))
			return -EFAULT;
		if (!first)
			return path_of_dirfd(dirfd, result);
	}
	return path_lookup_user(dirfd, name, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
				result);
}
