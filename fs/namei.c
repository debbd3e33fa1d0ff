/*
 * Walking paths.
 *
 * 1. A walk holds references to where it is and to the process's root; it takes a directory's lock
 *    only to read a name that is not cached. Permissions are checked for walk->uid and gid.
 * 2. walk_to_last() stops before the last component: who creates, removes or renames wants the
 *    directory. Who wants what it names calls walk_last(), which may turn out to be a symbolic
 *    link; then both are called again.
 * 3. Symbolic links are walked without recursion: the text of each is kept in a frame until its
 *    end, if something follows the link; more than LINKS_MAX links are ELOOP.
 * 4. Mount points are crossed downwards after each component and upwards by "..", which stays at
 *    the process's root.
 */
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

#define LINKS_MAX 40u

struct link_frame {
	struct link_frame *outer;
	const char *outer_rest; /* what follows the link */
	char text[];
};

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
	for (;;) {
		if (walk->path.dentry == walk->root.dentry && walk->path.mount == walk->root.mount)
			return;
		if (walk->path.dentry != walk->path.mount->root)
			break;
		if (!path_leave_mount(&walk->path))
			return;
	}
	walk_to(walk, dentry_parent(walk->path.dentry));
}

/* The link's text takes the place of its name in what is to be walked. */
static int walk_into_text(struct walk *walk, const char *text, size_t len)
{
	struct link_frame *frame = kmalloc(sizeof(*frame) + len + 1, 0);

	if (!frame)
		return -ENOMEM;
	memcpy(frame->text, text, len);
	frame->text[len] = '\0';
	frame->outer = walk->frames;
	frame->outer_rest = walk->rest;
	walk->frames = frame;
	walk->rest = frame->text;
	if (frame->text[0] == '/') {
		path_put(&walk->path);
		walk->path = walk->root;
		path_get(&walk->path);
	}
	return 1;
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

int walk_into_link(struct walk *walk, struct dentry *link)
{
	const struct inode_ops *ops = link->inode->ops;
	char *text;
	ssize_t len;
	int error;

	error = -ELOOP;
	if (++walk->links > LINKS_MAX)
		goto put_link;
	if (ops && ops->follow) {
		error = walk_follow(walk, link->inode);
		goto put_link;
	}
	error = -EINVAL;
	if (!ops || !ops->readlink)
		goto put_link;
	error = -ENOMEM;
	text = kmalloc(PATH_MAX, 0);
	if (!text)
		goto put_link;
	len = ops->readlink(link->inode, text, PATH_MAX);
	if (len <= 0)
		error = len < 0 ? len : -ENOENT;
	else if (len >= PATH_MAX)
		error = -ENAMETOOLONG;
	else
		error = walk_into_text(walk, text, len);
	kfree(text);
put_link:
	dentry_put(link);
	return error;
}

/* May the walk go through the directory where it is? */
static int walk_may_pass(struct walk *walk)
{
	struct inode *inode = walk->path.dentry->inode;

	if (!inode || !S_ISDIR(inode->mode))
		return -ENOTDIR;
	return inode_permission_for(inode, MAY_EXEC, walk->uid, walk->gid);
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

static int walk_start_at(struct walk *walk, int dirfd)
{
	struct fd fd;

	if (dirfd == AT_FDCWD) {
		fs_cwd(&walk->path);
		return 0;
	}
	fd = fd_get_any(dirfd);
	if (!fd.file)
		return -EBADF;
	if (S_ISDIR(fd.file->inode->mode)) {
		walk->path = fd.file->path;
		path_get(&walk->path);
	}
	fd_put(fd);
	return walk->path.dentry ? 0 : -ENOTDIR;
}

int walk_start(struct walk *walk, int dirfd, const char *name, unsigned int flags)
{
	memset(walk, 0, sizeof(*walk));
	walk->uid = current_uid();
	walk->gid = current_gid();
	if (flags & LOOKUP_REAL_IDS && current->process) {
		walk->uid = current->process->cred.uid;
		walk->gid = current->process->cred.gid;
	}
	walk->rest = name;
	if (!*name)
		return -ENOENT;
	fs_root(&walk->root);
	if (*name != '/')
		return walk_start_at(walk, dirfd);
	walk->path = walk->root;
	path_get(&walk->path);
	return 0;
}

static void walk_pop_frame(struct walk *walk)
{
	struct link_frame *frame = walk->frames;

	walk->frames = frame->outer;
	walk->rest = frame->outer_rest;
	kfree(frame);
}

/*
 * Is nothing left but the ends of links? Leaves those behind. A slash on the way counts for the
 * last component.
 */
static bool walk_at_end(struct walk *walk)
{
	const struct link_frame *frame = walk->frames;
	const char *rest = walk->rest;
	bool slash;

	for (; path_at_end(rest, &slash); rest = frame->outer_rest, frame = frame->outer) {
		walk->slash |= slash;
		if (!frame)
			return true;
	}
	return false;
}

int walk_to_last(struct walk *walk)
{
	int error;

	do {
		while ((error = path_component(&walk->rest, &walk->last)) == 0 && walk->frames)
			walk_pop_frame(walk);
		if (error < 0)
			return error;
		if (error == 0)
			return 0; /* "/", or a link to it */
		if (walk_at_end(walk))
			return walk_may_pass(walk);
		walk->slash = false;
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
	while (walk->frames)
		walk_pop_frame(walk);
	path_put(&walk->path);
	path_put(&walk->root);
}

int walk_parent(struct walk *walk, int dirfd, const char *name)
{
	int error = walk_start(walk, dirfd, name, 0);

	return error ? error : walk_to_last(walk);
}

int path_lookup(int dirfd, const char *name, unsigned int flags, struct path *result)
{
	struct walk walk;
	int error = walk_start(&walk, dirfd, name, flags);

	while (!error) {
		error = walk_to_last(&walk);
		if (error)
			break;
		error = walk_last(&walk, flags & LOOKUP_FOLLOW);
		if (error <= 0)
			break;
		error = 0;
	}
	if (!error && flags & LOOKUP_DIRECTORY && !S_ISDIR(walk.path.dentry->inode->mode))
		error = -ENOTDIR;
	if (!error) {
		*result = walk.path;
		path_get(result);
	}
	walk_end(&walk);
	return error;
}

/* ---- what a call works on ---- */

int object_of_fd(int number, struct object *object)
{
	struct fd fd = fd_get_any(number);

	if (!fd.file)
		return -EBADF;
	object->path = fd.file->path;
	path_get(&object->path);
	object->inode = fd.file->inode;
	inode_get(object->inode);
	fd_put(fd);
	return 0;
}

static int object_by_name(int dirfd, const char *name, unsigned int flags, struct object *object)
{
	int error;

	if (!*name && flags & AT_EMPTY_PATH && dirfd != AT_FDCWD)
		return object_of_fd(dirfd, object);
	if (!*name && flags & AT_EMPTY_PATH)
		name = ".";
	error = path_lookup(dirfd, name, flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
			    &object->path);
	if (error)
		return error;
	object->inode = object->path.dentry->inode;
	inode_get(object->inode);
	return 0;
}

int object_at(int dirfd, const char __user *user_name, unsigned int flags, struct object *object)
{
	char *name = name_from_user(user_name);
	int error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = object_by_name(dirfd, name, flags, object);
	name_free(name);
	return error;
}

void object_put(struct object *object)
{
	inode_put(object->inode);
	path_put(&object->path);
}
