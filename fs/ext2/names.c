/*
 * Making, linking, removing and renaming files of ext2. fs/names/vfs.h has the contract of these
 * operations; the directories and the inodes are locked.
 *
 * Each call is one operation: it changes the entries, the inodes and the list of orphans, and
 * nothing if it fails. What it has changed in memory is put back then as well.
 */
#include "fs/ext2/ext2.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscall.h"
#include "lib/string.h"

/* What an operation may change of an inode in memory before it fails. */
struct saved {
	struct inode *inode;
	uint32_t block[EXT2_POINTERS];
	uint64_t blocks;
	file_off_t size;
	unsigned int nr_links;
};

static void save(struct saved *saved, struct inode *inode)
{
	saved->inode = inode;
	if (!inode)
		return;
	memcpy(saved->block, ext2_own(inode)->block, sizeof(saved->block));
	saved->blocks = inode->blocks;
	saved->size = inode->size;
	saved->nr_links = inode->nr_links;
}

static void restore(const struct saved *saved)
{
	struct inode *inode = saved->inode;

	if (!inode)
		return;
	memcpy(ext2_own(inode)->block, saved->block, sizeof(saved->block));
	inode->blocks = saved->blocks;
	inode_set_size(inode, saved->size);
	inode->nr_links = saved->nr_links;
}

/* ---- making ---- */

/* Put the target of a symbolic link into its inode, or, if it is long, into a block. */
static int set_target(struct inode *inode, const char *target)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	size_t len = strlen(target);
	unsigned int added;
	int error;

	if (len >= fs->layout.block_size)
		return -ENAMETOOLONG;
	inode->size = len;
	if (len < EXT2_FAST_SYMLINK) {
		own->fast_symlink = true;
		memcpy(own->block, target, len);
		return 0;
	}
	error = ext2_add_blocks(inode, 0, 1, true, &added);
	return error ? error : ext2_edit(fs, own->block[0], 0, target, len);
}

/* Part of an operation: make an inode, and store it. */
static struct inode *make(struct inode *dir, unsigned int mode, unsigned int rdev,
			  const char *target, bool named)
{
	struct inode *inode = ext2_new_inode(dir, mode, rdev);
	int error = 0;

	if (IS_ERR(inode))
		return inode;
	inode->nr_links = named ? (S_ISDIR(mode) ? 2 : 1) : 0;
	if (S_ISDIR(mode))
		error = ext2_fill_directory(inode, dir);
	else if (target)
		error = set_target(inode, target);
	if (!error)
		error = ext2_store_inode(inode);
	if (error) {
		ext2_drop_new(inode);
		return ERR_PTR(error);
	}
	if (!named)
		ext2_add_orphan(inode);
	return inode;
}

static struct inode *create_once(struct inode *dir, struct dentry *dentry, unsigned int mode,
				 unsigned int rdev, const char *target)
{
	struct ext2_fs *fs = ext2_fs(dir);
	struct inode *inode;
	struct saved saved;
	int error = 0;

	if (S_ISDIR(mode) && dir->nr_links >= EXT2_LINKS_MAX)
		return ERR_PTR(-EMLINK);
	error = ext2_begin(fs);
	if (error)
		return ERR_PTR(error);
	save(&saved, dir);
	inode = make(dir, mode, rdev, target, true);
	if (IS_ERR(inode)) {
		error = PTR_ERR(inode);
	} else {
		dir->nr_links += S_ISDIR(mode);
		error = ext2_add_name(dir, dentry->name, dentry->name_len, inode);
	}
	if (error)
		restore(&saved);
	error = ext2_end(fs, error);
	if (!error) {
		inode_insert(inode);
		return inode;
	}
	if (!IS_ERR(inode))
		ext2_drop_new(inode);
	return ERR_PTR(error);
}

static struct inode *ext2_create(struct inode *dir, struct dentry *dentry, unsigned int mode,
				 unsigned int rdev, const char *target)
{
	struct ext2_lack lack = ext2_lack(ext2_fs(dir), true);
	struct inode *inode;

	do
		inode = create_once(dir, dentry, mode, rdev, target);
	while (inode == ERR_PTR(-ENOSPC) && ext2_space_comes(ext2_fs(dir), &lack));
	return inode;
}

static struct inode *nameless_once(struct inode *dir, unsigned int mode)
{
	struct ext2_fs *fs = ext2_fs(dir);
	struct inode *inode;
	int error = ext2_begin(fs);

	if (error)
		return ERR_PTR(error);
	inode = make(dir, mode, 0, NULL, false);
	(void)ext2_end(fs, IS_ERR(inode) ? PTR_ERR(inode) : 0);
	if (!IS_ERR(inode))
		inode_insert(inode);
	return inode;
}

static struct inode *ext2_nameless(struct inode *dir, unsigned int mode)
{
	struct ext2_lack lack = ext2_lack(ext2_fs(dir), true);
	struct inode *inode;

	do
		inode = nameless_once(dir, mode);
	while (inode == ERR_PTR(-ENOSPC) && ext2_space_comes(ext2_fs(dir), &lack));
	return inode;
}

static int link_once(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(dir);
	struct saved saved, saved_dir;
	int error;

	if (inode->nr_links >= EXT2_LINKS_MAX)
		return -EMLINK;
	error = ext2_begin(fs);
	if (error)
		return error;
	save(&saved, inode);
	save(&saved_dir, dir);
	inode->nr_links++;
	error = ext2_add_name(dir, dentry->name, dentry->name_len, inode);
	if (error) {
		restore(&saved);
		restore(&saved_dir);
	} else {
		ext2_remove_orphan(inode);
		inode_status_changed(inode);
		ext2_changed(inode);
	}
	return ext2_end(fs, error);
}

static int ext2_link(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	struct ext2_lack lack = ext2_lack(ext2_fs(dir), true);
	int error;

	do
		error = link_once(dir, dentry, inode);
	while (error == -ENOSPC && ext2_space_comes(ext2_fs(dir), &lack));
	return error;
}

/* ---- removing ---- */

/*
 * Part of an operation: an inode has lost a name, and a directory has lost its own ".." and ".",
 * too. Without a name it becomes an orphan until its last user has gone.
 */
static void lose_name(struct inode *inode)
{
	inode->nr_links = S_ISDIR(inode->mode) ? 0 : inode->nr_links - 1;
	inode_status_changed(inode);
	if (inode->nr_links == 0)
		ext2_add_orphan(inode);
	else
		ext2_changed(inode);
}

/*
 * The operation has ended. An inode without a name is stored as an orphan, and goes with its last
 * user.
 */
static void after_losing(struct inode *inode)
{
	if (inode && inode->nr_links == 0)
		ext2_unchanged(inode);
}

/* May a directory be removed? Returns 0 or an error. */
static int check_empty(struct inode *inode)
{
	int empty = S_ISDIR(inode->mode) ? ext2_is_empty(inode) : 1;

	return empty < 0 ? empty : empty ? 0 : -ENOTEMPTY;
}

static int ext2_remove(struct inode *dir, struct dentry *dentry)
{
	struct ext2_fs *fs = ext2_fs(dir);
	struct inode *inode = dentry->inode;
	struct saved saved, saved_dir;
	int error = check_empty(inode);

	if (!error)
		error = ext2_begin(fs);
	if (error)
		return error;
	save(&saved, inode);
	save(&saved_dir, dir);
	dir->nr_links -= S_ISDIR(inode->mode);
	error = ext2_remove_name(dir, dentry->name, dentry->name_len);
	if (error) {
		restore(&saved);
		restore(&saved_dir);
	} else {
		lose_name(inode);
	}
	error = ext2_end(fs, error);
	if (!error)
		after_losing(inode);
	return error;
}

/* ---- renaming ---- */

/* A directory moves to another one: ".." leads there, and the counts of links change. */
static int move_parent(struct inode *inode, struct inode *old_dir, struct inode *new_dir)
{
	if (!S_ISDIR(inode->mode) || old_dir == new_dir)
		return 0;
	old_dir->nr_links--;
	new_dir->nr_links++;
	return ext2_change_name(inode, "..", 2, new_dir);
}

/* `left` is the whiteout that gets the old name, or NULL. */
static int rename_names(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			struct dentry *target, const struct inode *left)
{
	struct inode *inode = old->inode, *replaced = target->inode;
	int error;

	if (replaced)
		error = ext2_change_name(new_dir, target->name, target->name_len, inode);
	else
		error = ext2_add_name(new_dir, target->name, target->name_len, inode);
	if (!error && left)
		error = ext2_change_name(old_dir, old->name, old->name_len, left);
	else if (!error)
		error = ext2_remove_name(old_dir, old->name, old->name_len);
	if (!error)
		error = move_parent(inode, old_dir, new_dir);
	if (!error && replaced) {
		new_dir->nr_links -= S_ISDIR(replaced->mode);
		lose_name(replaced);
	}
	return error;
}

static int rename_once(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		       struct dentry *target, struct inode **whiteout)
{
	struct ext2_fs *fs = ext2_fs(old_dir);
	struct inode *replaced = target->inode, *left = NULL;
	struct saved saved[3];
	int error = replaced ? check_empty(replaced) : 0;

	if (!error && !replaced && S_ISDIR(old->inode->mode) && old_dir != new_dir &&
	    new_dir->nr_links >= EXT2_LINKS_MAX)
		error = -EMLINK;
	if (!error)
		error = ext2_begin(fs);
	if (error)
		return error;
	save(&saved[0], old_dir);
	save(&saved[1], new_dir);
	save(&saved[2], replaced);
	if (whiteout)
		left = make(old_dir, S_IFCHR, 0, NULL, true);
	error = IS_ERR(left) ? PTR_ERR(left) : rename_names(old_dir, old, new_dir, target, left);
	if (error) {
		for (unsigned int i = 0; i < ARRAY_SIZE(saved); i++)
			restore(&saved[i]);
		ext2_forget_names(old_dir);
		ext2_forget_names(new_dir);
	} else {
		inode_status_changed(old->inode);
		ext2_changed(old->inode);
	}
	error = ext2_end(fs, error);
	if (!error)
		after_losing(replaced);
	if (!error && whiteout) {
		inode_insert(left);
		*whiteout = left;
	} else if (left && !IS_ERR(left)) {
		ext2_drop_new(left);
	}
	return error;
}

static int ext2_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
		       struct dentry *target, struct inode **whiteout)
{
	struct ext2_lack lack = ext2_lack(ext2_fs(old_dir), true);
	int error;

	do
		error = rename_once(old_dir, old, new_dir, target, whiteout);
	while (error == -ENOSPC && ext2_space_comes(ext2_fs(old_dir), &lack));
	return error;
}

static int ext2_exchange(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			 struct dentry *other)
{
	struct ext2_fs *fs = ext2_fs(old_dir);
	struct saved saved[2];
	int error = ext2_begin(fs);

	if (error)
		return error;
	save(&saved[0], old_dir);
	save(&saved[1], new_dir);
	error = ext2_change_name(new_dir, other->name, other->name_len, old->inode);
	if (!error)
		error = ext2_change_name(old_dir, old->name, old->name_len, other->inode);
	if (!error)
		error = move_parent(old->inode, old_dir, new_dir);
	if (!error)
		error = move_parent(other->inode, new_dir, old_dir);
	if (error) {
		restore(&saved[0]);
		restore(&saved[1]);
	} else {
		inode_status_changed(old->inode);
		inode_status_changed(other->inode);
		ext2_changed(old->inode);
		ext2_changed(other->inode);
	}
	return ext2_end(fs, error);
}

const struct inode_ops ext2_inode_ops = {
	.readdir = ext2_readdir,
	.readlink = ext2_readlink,
	.create = ext2_create,
	.link = ext2_link,
	.remove = ext2_remove,
	.rename = ext2_rename,
	.exchange = ext2_exchange,
	.nameless = ext2_nameless,
	.truncate = ext2_truncate,
	.truncated = ext2_truncated,
	.allocate = ext2_allocate,
	.extents = &ext2_extent_ops,
	.xattrs = &ext2_xattr_ops,
};
