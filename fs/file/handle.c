/*
 * File handles: name_to_handle_at(2) says which file a path leads to, in a form that a program can
 * keep, and open_by_handle_at(2) opens that file, whatever its names are then.
 *
 * 1. A handle is the number of an inode and its generation. A file that gets the number of another
 *    one that was deleted has a different generation, so the handle of the old file is stale.
 * 2. A file that is opened by its handle has one of its names, if one is in memory. Another file
 *    has none: no lookup finds its dentry.
 * 3. A directory has one dentry only, because the dentries of what it holds are below that. If it
 *    is not in memory, the directories above it are looked up by their numbers in "..", up to one
 *    that is in memory, and then their names are looked up from there on downwards.
 * 4. A handle leads past the permissions of all directories, so it takes CAP_DAC_READ_SEARCH to use
 *    one.
 */
#include "fs/file/file.h"
#include "fs/names/mount.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define HANDLE_SIZE_MAX 128u
#define HANDLE_TYPE	1     /* FILEID_INO32_GEN */
#define HANDLE_INVALID	255   /* FILEID_INVALID */
#define DEPTH_MAX	1024u /* of a directory below one that is in memory */

struct handle_head {	/* struct file_handle */
	uint32_t bytes; /* of what follows */
	int32_t type;
};

struct handle {
	struct handle_head head;
	uint32_t number, generation;
};
#define HANDLE_SIZE (sizeof(struct handle) - sizeof(struct handle_head))

/* ---- making ---- */

static long give_handle(const struct path *path, struct handle __user *user, void __user *mount)
{
	const struct inode *inode = path->dentry->inode;
	const struct super_ops *ops = path->mount->sb->ops;
	int id = path->mount->id;
	struct handle_head head;
	bool fits;
	struct handle handle = {
		.head = { HANDLE_SIZE, HANDLE_TYPE },
		.number = inode->number,
	};

	if (!ops->generation)
		return refuse(EOPNOTSUPP, "the file system has no file handles");
	handle.generation = ops->generation(inode);
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.bytes > HANDLE_SIZE_MAX)
		return refuse(EINVAL, "a handle of more than 128 bytes");
	fits = head.bytes >= HANDLE_SIZE;
	if (!fits)
		handle.head.type = HANDLE_INVALID;
	if (copy_to_user(mount, &id, sizeof(id)) ||
	    copy_to_user(user, &handle, fits ? sizeof(handle) : sizeof(handle.head)))
		return -EFAULT;
	return fits ? 0 : -EOVERFLOW;
}

long sys_name_to_handle_at(int dirfd, const char __user *name, void __user *handle,
			   void __user *mount, unsigned int flags)
{
	unsigned int lookup = flags & AT_EMPTY_PATH;
	struct path path;
	long result;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return refuse(EINVAL, "a flag that is not supported");
	if (!(flags & AT_SYMLINK_FOLLOW))
		lookup |= AT_SYMLINK_NOFOLLOW;
	result = path_at(dirfd, name, lookup, &path);
	if (result < 0)
		return result;
	result = give_handle(&path, handle, mount);
	path_put(&path);
	return result;
}

/* ---- finding a directory ---- */

struct search {
	struct dir_context context;
	uint64_t number; /* find the name of this file, or, if it is 0, the number of ".." */
	char name[NAME_MAX + 1];
	bool found;
};

static bool look(struct dir_context *context, const char *name, size_t len, uint64_t number,
		 unsigned int type)
{
	struct search *search = container_of(context, struct search, context);
	const struct name entry = { name, len, 0 };
	bool up = name_is_dotdot(&entry);

	if (name_is_dot(&entry) || up != (search->number == 0) || (!up && number != search->number))
		return true;
	search->number = number;
	memcpy(search->name, name, len);
	search->name[len] = '\0';
	search->found = true;
	return false;
}

/* Search a directory. Returns 0, -ESTALE if there is no such name, or another error. */
static int search_directory(struct dentry *dir, struct search *search)
{
	int error = mutex_lock_killable(&dir->inode->lock);

	if (error)
		return error;
	search->context = (struct dir_context){ .emit = look };
	search->found = false;
	error = dir->inode->deleted ? -ESTALE : dir->inode->ops->readdir(dir, &search->context);
	mutex_unlock(&dir->inode->lock);
	return error ? error : search->found ? 0 : -ESTALE;
}

/* Write the number of the directory above one to *number. Returns 0 or an error. */
static int number_above(struct inode *inode, uint64_t *number)
{
	struct dentry *dentry = dentry_make_nameless(inode);
	struct search search = { .number = 0 };
	int error = dentry ? search_directory(dentry, &search) : -ENOMEM;

	*number = search.number;
	dentry_put(dentry);
	return error;
}

/* Returns the dentry of the file with that number in a directory, or ERR_PTR. Drops `dir`. */
static struct dentry *look_up_number(struct dentry *dir, uint64_t number)
{
	struct search search = { .number = number };
	struct dentry *dentry = NULL;
	const char *rest = search.name;
	struct name name;
	int error = search_directory(dir, &search);

	if (!error && path_component(&rest, &name) == 1)
		dentry = dentry_lookup(dir, &name);
	dentry_put(dir);
	if (error || !dentry)
		return ERR_PTR(error ? error : -ESTALE);
	if (IS_ERR(dentry) || (dentry->inode && dentry->inode->number == number))
		return dentry;
	dentry_put(dentry);
	return ERR_PTR(-ESTALE);
}

/*
 * Go up from a directory to one whose dentry is in memory. The numbers of those that are not are
 * written to `numbers`, and how many they are to *nr. Returns the dentry or ERR_PTR.
 */
static struct dentry *go_up(struct inode *inode, uint32_t *numbers, unsigned int *nr)
{
	struct dentry *dentry = NULL;
	int error = 0;

	inode_get(inode);
	*nr = 0;
	while (!error && !(dentry = dentry_of_inode(inode))) {
		struct inode *child = inode;
		uint64_t above;

		error = *nr < DEPTH_MAX ? number_above(child, &above) : -ESTALE;
		if (!error && above == child->number) /* it was removed, or has no name yet */
			error = -ESTALE;
		inode = error ? NULL : inode_get_by_handle(child->sb, above, NULL);
		if (IS_ERR(inode)) {
			error = PTR_ERR(inode);
			inode = NULL;
		}
		if (!error)
			numbers[(*nr)++] = child->number;
		inode_put(child);
	}
	inode_put(inode);
	return error ? ERR_PTR(error) : dentry;
}

/* Returns the dentry of a directory with a reference, or ERR_PTR. */
static struct dentry *find_directory(struct inode *inode)
{
	uint32_t *numbers = kmalloc(DEPTH_MAX * sizeof(*numbers), 0);
	struct dentry *dentry;
	unsigned int nr;

	if (!numbers)
		return ERR_PTR(-ENOMEM);
	dentry = go_up(inode, numbers, &nr);
	while (!IS_ERR(dentry) && nr > 0)
		dentry = look_up_number(dentry, numbers[--nr]);
	kfree(numbers);
	return dentry;
}

/* ---- opening ---- */

/* Returns a dentry of the file with a reference, or ERR_PTR. */
static struct dentry *find_file(struct super_block *sb, const struct handle *handle)
{
	struct inode *inode = inode_get_by_handle(sb, handle->number, &handle->generation);
	struct dentry *dentry;

	if (IS_ERR(inode))
		return (void *)inode;
	if (S_ISDIR(inode->mode))
		dentry = find_directory(inode);
	else
		dentry = dentry_of_inode(inode) ?: dentry_make_nameless(inode);
	inode_put(inode);
	return dentry ? dentry : ERR_PTR(-ENOMEM);
}

/* Change the path, which names the mount, to that of the file. Returns 0 or an error. */
static int find_path(struct path *path, const struct handle *handle)
{
	struct dentry *dentry;

	if (!path->mount->sb->ops->generation || handle->head.type != HANDLE_TYPE ||
	    handle->head.bytes < HANDLE_SIZE)
		return refuse(ESTALE, "not a handle of this file system");
	dentry = find_file(path->mount->sb, handle);
	if (dentry == ERR_PTR(-ENOMEM))
		return -ENOMEM;
	if (IS_ERR(dentry))
		return refuse(ESTALE, "the file of the handle is not there");
	dentry_put(path->dentry);
	path->dentry = dentry;
	return 0;
}

/* Copy a handle from user memory. Returns 0, -EFAULT or -EINVAL. */
static int handle_from_user(struct handle *handle, const char __user *user)
{
	char rest[HANDLE_SIZE_MAX];

	if (copy_from_user(&handle->head, user, sizeof(handle->head)))
		return -EFAULT;
	if (handle->head.bytes == 0 || handle->head.bytes > HANDLE_SIZE_MAX)
		return refuse(EINVAL, "a handle has 1 to 128 bytes");
	if (copy_from_user(rest, user + sizeof(handle->head), handle->head.bytes))
		return -EFAULT;
	memcpy(&handle->number, rest, HANDLE_SIZE);
	return 0;
}

long sys_open_by_handle_at(int number, const void __user *user, unsigned int flags)
{
	struct handle handle;
	struct path path;
	struct file *file;
	int error;

	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	error = handle_from_user(&handle, user);
	if (error)
		return error;
	if (number == AT_FDCWD)
		path = fs_cwd();
	else
		error = path_of_fd(number, false, &path);
	if (error)
		return error;
	error = find_path(&path, &handle);
	file = error ? ERR_PTR(error) : file_open_again(&path, flags);
	path_put(&path);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & O_CLOEXEC);
}
