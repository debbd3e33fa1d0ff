/*
 * tmpfs: the names.
 *
 * 1. A directory is a list of entries in the order of their making; each has a reference to its
 *    inode, so that an inode with a name stays in memory. dir->lock guards the list (the VFS holds
 *    it for every operation).
 * 2. An entry's cookie, for readdir, never changes while the entry exists and is larger than those
 *    before it.
 * 3. An operation that may fail fails before it changes anything.
 */
#include "fs/path.h"
#include "fs/tmpfs.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define FIRST_COOKIE 2	/* 0 is ".", 1 is ".." */
#define ENTRY_SIZE   20 /* what an entry adds to a directory's st_size */

struct entry {
	struct list link;
	struct inode *inode; /* a reference */
	file_off_t cookie;
	unsigned int hash, len;
	char name[];
};

static struct entry *entry_find(const struct inode *dir, const struct dentry *dentry)
{
	const struct tmpfs_inode *own = dir->private;
	struct entry *entry;

	list_for_each(entry, &own->entries, link)
		if (entry->hash == dentry->hash && entry->len == dentry->name_len &&
		    !memcmp(entry->name, dentry->name, entry->len))
			return entry;
	return NULL;
}

static struct entry *entry_alloc(const char *name, unsigned int len)
{
	struct entry *entry = kmalloc(sizeof(*entry) + len, 0);

	if (!entry)
		return NULL;
	memcpy(entry->name, name, len);
	entry->len = len;
	entry->hash = path_hash(name, len);
	return entry;
}

static void dir_changed(struct inode *dir, int entries)
{
	inode_set_size(dir, dir->size + entries * ENTRY_SIZE);
	dir->mtime = dir->ctime = time_wall_spec();
}

/* The entry becomes a name of the inode: takes a reference. */
static void entry_insert(struct inode *dir, struct entry *entry, struct inode *inode)
{
	struct tmpfs_inode *own = dir->private;

	entry->cookie = FIRST_COOKIE + own->names_made++;
	inode_get(inode);
	entry->inode = inode;
	list_add_tail(&own->entries, &entry->link);
	dir_changed(dir, 1);
}

static void entry_remove(struct inode *dir, struct entry *entry)
{
	list_del(&entry->link);
	dir_changed(dir, -1);
	inode_put(entry->inode);
	kfree(entry);
}

static ssize_t tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
	struct tmpfs_inode *own = inode->private;

	if (!own->target)
		return -EINVAL;
	return MIN(strlcpy(buf, own->target, size), size - 1);
}

static struct inode *tmpfs_lookup(struct inode *dir, struct dentry *dentry)
{
	struct entry *entry = entry_find(dir, dentry);

	if (!entry)
		return NULL;
	inode_get(entry->inode);
	return entry->inode;
}

struct inode *tmpfs_add(struct inode *dir, const char *name, unsigned int len, unsigned int mode,
			unsigned int rdev, const char *target)
{
	struct entry *entry = entry_alloc(name, len);
	struct inode *inode = ERR_PTR(-ENOMEM);
	struct tmpfs_inode *own;

	if (!entry)
		return inode;
	inode = tmpfs_inode_new(dir->sb, dir, mode, rdev);
	if (IS_ERR(inode))
		goto free_entry;
	own = inode->private;
	if (target) {
		own->target = kmalloc(strlen(target) + 1, 0);
		if (!own->target)
			goto put_inode;
		memcpy(own->target, target, strlen(target) + 1);
		inode->size = strlen(target);
	}
	entry_insert(dir, entry, inode);
	if (S_ISDIR(mode))
		dir->nr_links++;
	return inode;

put_inode:
	inode->nr_links = 0;
	inode_put(inode);
	inode = ERR_PTR(-ENOMEM);
free_entry:
	kfree(entry);
	return inode;
}

static struct inode *tmpfs_create(struct inode *dir, struct dentry *dentry, unsigned int mode,
				  unsigned int rdev)
{
	return tmpfs_add(dir, dentry->name, dentry->name_len, mode, rdev, NULL);
}

static struct inode *tmpfs_symlink(struct inode *dir, struct dentry *dentry, const char *target)
{
	return tmpfs_add(dir, dentry->name, dentry->name_len, S_IFLNK | 0777, 0, target);
}

static int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	struct entry *entry = entry_alloc(dentry->name, dentry->name_len);

	if (!entry)
		return -ENOMEM;
	entry_insert(dir, entry, inode);
	inode->nr_links++;
	inode->ctime = dir->ctime;
	return 0;
}

/* The inode loses a name, a directory its only one (it is empty). */
static void drop_name(struct inode *dir, struct entry *entry)
{
	struct inode *inode = entry->inode;

	if (S_ISDIR(inode->mode)) {
		inode->nr_links = 0;
		dir->nr_links--;
	} else {
		inode->nr_links--;
	}
	inode->ctime = time_wall_spec();
	entry_remove(dir, entry);
}

static int tmpfs_unlink(struct inode *dir, struct dentry *dentry)
{
	struct entry *entry = entry_find(dir, dentry);

	if (!entry)
		return -ENOENT;
	drop_name(dir, entry);
	return 0;
}

static bool dir_is_empty(const struct inode *dir)
{
	const struct tmpfs_inode *own = dir->private;

	return list_empty(&own->entries);
}

static int tmpfs_rmdir(struct inode *dir, struct dentry *dentry)
{
	struct entry *entry = entry_find(dir, dentry);

	if (!entry)
		return -ENOENT;
	if (!dir_is_empty(entry->inode))
		return -ENOTEMPTY;
	drop_name(dir, entry);
	return 0;
}

static int tmpfs_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			struct dentry *new_dentry)
{
	struct entry *from = entry_find(old_dir, old);
	struct entry *replaced = entry_find(new_dir, new_dentry);
	struct entry *to;
	struct inode *inode;

	if (!from)
		return -ENOENT;
	inode = from->inode;
	if (replaced && S_ISDIR(replaced->inode->mode) && !dir_is_empty(replaced->inode))
		return -ENOTEMPTY;
	to = entry_alloc(new_dentry->name, new_dentry->name_len);
	if (!to)
		return -ENOMEM;
	entry_insert(new_dir, to, inode);
	if (replaced)
		drop_name(new_dir, replaced);
	if (S_ISDIR(inode->mode)) {
		struct tmpfs_inode *own = inode->private;

		old_dir->nr_links--;
		new_dir->nr_links++;
		own->parent = new_dir->number;
	}
	inode->ctime = time_wall_spec();
	entry_remove(old_dir, from);
	return 0;
}

static int tmpfs_readdir(struct file *file, struct dir_context *context)
{
	struct inode *dir = file->inode;
	const struct tmpfs_inode *own = dir->private;
	struct entry *entry;

	if (context->pos == 0) {
		if (!context->emit(context, ".", 1, dir->number, DT_OF_MODE(S_IFDIR)))
			return 0;
		context->pos = 1;
	}
	if (context->pos == 1) {
		if (!context->emit(context, "..", 2, own->parent, DT_OF_MODE(S_IFDIR)))
			return 0;
		context->pos = FIRST_COOKIE;
	}
	list_for_each(entry, &own->entries, link) {
		if (entry->cookie < context->pos)
			continue;
		context->pos = entry->cookie;
		if (!context->emit(context, entry->name, entry->len, entry->inode->number,
				   DT_OF_MODE(entry->inode->mode)))
			return 0;
		context->pos++;
	}
	return 0;
}

/* There is nothing that could be lost. */
static int dir_fsync(struct file *file)
{
	return 0;
}

const struct file_ops tmpfs_dir_ops = {
	.llseek = generic_llseek,
	.readdir = tmpfs_readdir,
	.fsync = dir_fsync,
};

const struct inode_ops tmpfs_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_create,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.readlink = tmpfs_readlink,
	.truncate = tmpfs_truncate,
};

/*
 * All directories are emptied first and the inodes dropped afterwards: an inode that goes has no
 * entries then, and no chain of directories goes one inside the other.
 */
void tmpfs_forget_names(struct super_block *sb)
{
	struct list entries = LIST_INIT(entries);
	struct inode *inode = inode_next(sb, NULL);
	struct entry *entry;
	struct entry *next;

	for (; inode; inode = inode_next(sb, inode)) {
		struct tmpfs_inode *own = inode->private;

		list_splice_tail(&entries, &own->entries);
	}
	list_for_each_safe(entry, next, &entries, link) {
		inode_put(entry->inode);
		kfree(entry);
	}
}
