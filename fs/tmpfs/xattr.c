/*
 * Extended attributes of files in memory.
 *
 * 1. Files have trusted.* and security.* only, as on Linux 6.1. Both are for root, so they are not
 *    counted against the size of the file system.
 * 2. Each file has a list of them, the newest first. xattr_lock, a plain spinlock, guards all
 *    lists.
 */
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "fs/names/xattr.h"
#include "fs/tmpfs/space.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/slab.h"

struct attribute {
	struct list link; /* in the file's list */
	size_t size;
	char *value; /* behind the name */
	char name[];
};

static spinlock_t xattr_lock = SPINLOCK_INIT("tmpfs xattrs");

/* Where in a name its beginning ends: "trusted." or "security.". Returns 0, -EOPNOTSUPP or -EINVAL.
 */
static int check_name(const char *name, size_t *rest)
{
	if (strncmp(name, "trusted.", 8) == 0)
		*rest = 8;
	else if (strncmp(name, "security.", 9) == 0)
		*rest = 9;
	else
		return refuse(EOPNOTSUPP, "no file in memory has such attributes");
	return name[*rest] ? 0 : refuse(EINVAL, "nothing follows the dot");
}

static struct attribute *find(struct inode *inode, const char *name)
{
	struct attribute *attribute;

	list_for_each(attribute, tmpfs_xattrs(inode), link) {
		if (strcmp(attribute->name, name) == 0)
			return attribute;
	}
	return NULL;
}

static ssize_t tmpfs_xattr_get(struct inode *inode, const char *name, void *value, size_t size)
{
	struct attribute *attribute;
	size_t rest;
	ssize_t result = check_name(name, &rest);

	if (result < 0)
		return result;
	spin_lock(&xattr_lock);
	attribute = find(inode, name);
	result = attribute ? (ssize_t)attribute->size : -ENODATA;
	if (size > 0 && result > (ssize_t)size)
		result = -ERANGE;
	else if (size > 0 && result > 0)
		memcpy(value, attribute->value, result);
	spin_unlock(&xattr_lock);
	return result;
}

static int tmpfs_xattr_list(struct inode *inode, struct xattr_names *names)
{
	struct attribute *attribute;
	size_t rest;
	int error = 0;

	spin_lock(&xattr_lock);
	list_for_each(attribute, tmpfs_xattrs(inode), link) {
		const char *beginning = attribute->name[0] == 't' ? "trusted." : "security.";

		rest = strlen(beginning);
		error = xattr_emit(names, beginning, attribute->name + rest,
				   strlen(attribute->name + rest));
		if (error)
			break;
	}
	spin_unlock(&xattr_lock);
	return error;
}

static struct attribute *make(const char *name, const void *value, size_t size)
{
	size_t len = strlen(name) + 1;
	struct attribute *attribute = kmalloc(sizeof(*attribute) + len + size, 0);

	if (!attribute)
		return NULL;
	attribute->size = size;
	attribute->value = attribute->name + len;
	memcpy(attribute->name, name, len);
	memcpy(attribute->value, value, size);
	return attribute;
}

/* Put the new attribute, or none, in the place of the old one, if there is one. */
static int replace(struct inode *inode, struct attribute *old, struct attribute *new,
		   unsigned int flags)
{
	if (old && flags & XATTR_CREATE)
		return -EEXIST;
	if (!old && flags & XATTR_REPLACE)
		return -ENODATA;
	if (new)
		list_add(old ? &old->link : tmpfs_xattrs(inode), &new->link);
	if (old)
		list_del(&old->link);
	return 0;
}

static int tmpfs_xattr_set(struct inode *inode, const char *name, const void *value, size_t size,
			   unsigned int flags)
{
	struct attribute *old, *new = NULL;
	size_t rest;
	int error = check_name(name, &rest);

	if (error)
		return error;
	if (value && !(new = make(name, value, size)))
		return -ENOMEM;
	spin_lock(&xattr_lock);
	old = find(inode, name);
	error = replace(inode, old, new, flags);
	spin_unlock(&xattr_lock);
	if (!error)
		inode_status_changed(inode);
	kfree(error ? new : old);
	return error;
}

const struct xattr_ops tmpfs_xattr_ops = {
	.get = tmpfs_xattr_get,
	.set = tmpfs_xattr_set,
	.list = tmpfs_xattr_list,
};

void tmpfs_xattrs_free(struct inode *inode)
{
	struct list *list = tmpfs_xattrs(inode);

	while (!list_empty(list)) {
		struct attribute *attribute = list_first(list, struct attribute, link);

		list_del(&attribute->link);
		kfree(attribute);
	}
}
