/*
 * Extended attributes of files on ext2. fs/ext2/xattr_format.h has the format.
 *
 * 1. An attribute is in the inode if it fits there, and otherwise in the inode's block of
 *    attributes. Without room in either of them a set is -ENOSPC, and the old value stays.
 * 2. Attributes are metadata. Each call of set is one operation: it changes the lists, the inode
 *    with its ctime, and the bitmaps, or nothing. What is removed with its block can be used again
 *    after the commit, and is revoked in the journal.
 * 3. A block that other inodes share does not change. The inode gets a block of its own, and leaves
 *    the other one. Sluice never makes inodes share a block, but Linux does.
 * 4. own->file_acl, own->extra and the lists are changed with inode->lock and fs->lock held.
 *    Reading takes fs->lock only, so it waits for no write to the file.
 * 5. Lists come from the disk, and may be damaged. An entry that leads out of its list is -EIO for
 *    each call that comes across it. Attributes that no call can name, such as access control
 *    lists, are kept. A deleted inode does not free a block that is no block of attributes: it may
 *    be another file's.
 */
#include "fs/ext2/xattr_format.h"
#include "fs/ext2/ext2.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "fs/names/xattr.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define EXTRA_SIZE   32u   /* of the extra fields that an inode gets here: all that Linux has */
#define EDIT_AT_ONCE 2048u /* bytes of a block */

enum { NO_LIST, HAS_LIST };

/* ---- names ---- */

static const struct {
	const char *beginning;
	unsigned int index;
} kinds[] = {
	{ "user.", EXT2_XATTR_USER },
	{ "trusted.", EXT2_XATTR_TRUSTED },
	{ "security.", EXT2_XATTR_SECURITY },
};

/* Split a name. Returns 0, -EOPNOTSUPP or -EINVAL. */
static int parse_name(const char *name, struct ext2_xattr *xattr)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i].beginning);

		if (strncmp(name, kinds[i].beginning, len) != 0)
			continue;
		xattr->index = kinds[i].index;
		xattr->name = name + len;
		xattr->name_len = strlen(name + len);
		return xattr->name_len > 0 ? 0 : refuse(EINVAL, "nothing follows the dot");
	}
	return refuse(EOPNOTSUPP, "no attribute here has such a name");
}

static const char *beginning_of(unsigned int index)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].index == index)
			return kinds[i].beginning;
	return NULL;
}

/* ---- the two lists ---- */

/* A list in a page, which is mapped while the list is looked at. */
struct view {
	struct page *page;
	char *address;
	struct ext2_xattr_list list;
};

static int open_page(struct ext2_fs *fs, uint32_t block, struct view *view)
{
	view->page = ext2_page(fs, block);
	if (IS_ERR(view->page))
		return PTR_ERR(view->page);
	view->address = kmap_local(view->page);
	return 0;
}

static void close_view(struct view *view)
{
	kunmap_local(view->address);
	page_put(view->page);
}

static int damaged(const struct inode *inode)
{
	return ext2_damaged(inode->sb, inode->number, "damaged extended attributes");
}

/* Where in the inode its list begins: with a magic number, which the region follows. */
static unsigned int place_in_inode(const struct inode *inode)
{
	return EXT2_INODE_SIZE_MIN + ext2_own(inode)->extra;
}

/* How large the region in the inode is, or 0. */
static unsigned int size_in_inode(const struct inode *inode)
{
	unsigned int end = ext2_fs(inode)->layout.inode_size;
	unsigned int before = place_in_inode(inode) + sizeof(uint32_t);

	return before + sizeof(struct ext2_disk_xattr) < end ? end - before : 0;
}

/* Returns HAS_LIST, NO_LIST or an error. After HAS_LIST the view is to be closed. */
static int open_inode_list(const struct inode *inode, struct view *view)
{
	const struct ext2_inode *own = ext2_own(inode);
	unsigned int size = size_in_inode(inode);
	uint32_t *magic;
	int error;

	if (size == 0 || own->extra == 0)
		return NO_LIST;
	error = open_page(ext2_fs(inode), own->table_block, view);
	if (error)
		return error;
	magic = (uint32_t *)(view->address + own->table_offset + place_in_inode(inode));
	view->list = (struct ext2_xattr_list){ .region = (char *)(magic + 1), .size = size };
	if (*magic == EXT2_XATTR_MAGIC)
		return HAS_LIST;
	close_view(view);
	return NO_LIST;
}

static bool is_attributes(const struct ext2_xattr_block *header)
{
	return header->magic == EXT2_XATTR_MAGIC && header->blocks == 1;
}

static int open_block_list(const struct inode *inode, struct view *view)
{
	struct ext2_fs *fs = ext2_fs(inode);
	uint32_t block = ext2_own(inode)->file_acl;
	const struct ext2_xattr_block *header;
	int error;

	if (block == 0)
		return NO_LIST;
	if (!ext2_block_ok(&fs->layout, block))
		return damaged(inode);
	error = open_page(fs, block, view);
	if (error)
		return error;
	header = (const void *)view->address;
	view->list = (struct ext2_xattr_list){ view->address, sizeof(*header),
					       fs->layout.block_size, true };
	if (is_attributes(header))
		return HAS_LIST;
	close_view(view);
	return damaged(inode);
}

typedef int open_list(const struct inode *inode, struct view *view);

static open_list *const lists[] = { open_inode_list, open_block_list };
enum { IN_INODE, IN_BLOCK, NR_LISTS };

/* ---- reading ---- */

static ssize_t copy_value(const struct ext2_xattr *xattr, void *value, size_t size)
{
	if (size > 0 && xattr->size > size)
		return -ERANGE;
	if (size > 0)
		memcpy(value, xattr->value, xattr->size);
	return xattr->size;
}

/* Returns the size of the value, -ENODATA if the list does not have it, or another error. */
static ssize_t get_from(const struct inode *inode, open_list *open, struct ext2_xattr *xattr,
			void *value, size_t size)
{
	struct view view;
	ssize_t result = open(inode, &view);

	if (result != HAS_LIST)
		return result == NO_LIST ? -ENODATA : result;
	result = ext2_xattr_find(&view.list, xattr);
	if (result < 0)
		result = damaged(inode);
	else
		result = result ? copy_value(xattr, value, size) : -ENODATA;
	close_view(&view);
	return result;
}

static ssize_t ext2_xattr_get(struct inode *inode, const char *name, void *value, size_t size)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_xattr xattr;
	ssize_t result = parse_name(name, &xattr);

	if (result < 0)
		return result;
	result = mutex_lock_killable(&fs->lock);
	if (result < 0)
		return result;
	result = -ENODATA;
	for (unsigned int i = 0; i < NR_LISTS && result == -ENODATA; i++)
		result = get_from(inode, lists[i], &xattr, value, size);
	mutex_unlock(&fs->lock);
	return result;
}

static int emit_all(const struct inode *inode, const struct ext2_xattr_list *list,
		    struct xattr_names *names)
{
	struct ext2_xattr xattr;
	int len, error = 0;

	for (unsigned int at = list->first;
	     !error && (len = ext2_xattr_read(list, at, &xattr)) != 0; at += len) {
		const char *beginning;

		if (len < 0)
			return damaged(inode);
		beginning = beginning_of(xattr.index);
		if (beginning)
			error = xattr_emit(names, beginning, xattr.name, xattr.name_len);
	}
	return error;
}

static int ext2_xattr_list(struct inode *inode, struct xattr_names *names)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct view view;
	int error;

	error = mutex_lock_killable(&fs->lock);
	if (error)
		return error;
	for (unsigned int i = 0; i < NR_LISTS && error >= 0; i++) {
		error = lists[i](inode, &view);
		if (error != HAS_LIST)
			continue;
		error = emit_all(inode, &view.list, names);
		close_view(&view);
	}
	mutex_unlock(&fs->lock);
	return MIN(error, 0);
}

/* ---- changing ---- */

/* A call of set. */
struct change {
	struct inode *inode;
	struct ext2_xattr xattr; /* that is to be set, or with a value of NULL removed */
	unsigned int flags;
	/* By list: whether it has the attribute, and its new bytes. */
	bool has[NR_LISTS];
	char *bytes[NR_LISTS];
	uint32_t freed; /* a block that is no longer used, or 0 */
	bool no_block;	/* none is free, for a list that needs one */
};

/* Look for the attribute. Returns 1 if it has the new value already, 0, or an error. */
static int look(struct change *change)
{
	bool same = false;

	for (unsigned int i = 0; i < NR_LISTS; i++) {
		struct ext2_xattr old = change->xattr;
		struct view view;
		int found = lists[i](change->inode, &view);

		if (found < 0)
			return found;
		if (found == NO_LIST)
			continue;
		found = ext2_xattr_find(&view.list, &old);
		change->has[i] = found > 0;
		same |= found > 0 && change->xattr.value && old.size == change->xattr.size &&
			memcmp(old.value, change->xattr.value, old.size) == 0;
		close_view(&view);
		if (found < 0)
			return damaged(change->inode);
	}
	if (change->has[IN_INODE] || change->has[IN_BLOCK])
		return change->flags & XATTR_CREATE ? -EEXIST : same;
	return change->flags & XATTR_REPLACE ? -ENODATA : 0;
}

/*
 * Write the new bytes of a list to `to`. Returns the number of attributes, -ENOSPC or another
 * error.
 */
static int rewrite(struct change *change, unsigned int which, const struct ext2_xattr *xattr,
		   const struct ext2_xattr_list *to)
{
	struct view view;
	int nr = lists[which](change->inode, &view);

	if (nr < 0)
		return nr;
	memset(to->region, 0, to->size);
	if (nr == NO_LIST)
		return ext2_xattr_change(NULL, to, xattr);
	nr = ext2_xattr_change(&view.list, to, xattr);
	close_view(&view);
	return nr == -EIO ? damaged(change->inode) : nr;
}

/* The inode gets extra fields, all zeros, behind which its list can be. */
static int make_extra(struct inode *inode)
{
	const uint16_t fields[EXTRA_SIZE / sizeof(uint16_t)] = { EXTRA_SIZE };
	struct ext2_inode *own = ext2_own(inode);

	return ext2_edit(ext2_fs(inode), own->table_block, own->table_offset + EXT2_INODE_SIZE_MIN,
			 fields, sizeof(fields));
}

/* Change the list in the inode. Returns 0, -ENOSPC or another error. */
static int change_inode_list(struct change *change, const struct ext2_xattr *xattr)
{
	struct inode *inode = change->inode;
	struct ext2_inode *own = ext2_own(inode);
	uint32_t *magic = (uint32_t *)change->bytes[IN_INODE];
	struct ext2_xattr_list to = { .region = (char *)(magic + 1) };
	bool fresh = own->extra == 0;
	int nr = -ENOSPC, error = 0;

	if (fresh)
		own->extra = EXTRA_SIZE;
	to.size = size_in_inode(inode);
	if (to.size > 0)
		nr = rewrite(change, IN_INODE, xattr, &to);
	if (nr < 0) {
		own->extra = fresh ? 0 : own->extra;
		return nr;
	}
	*magic = nr > 0 ? EXT2_XATTR_MAGIC : 0;
	if (fresh)
		error = make_extra(inode);
	if (error)
		return error;
	return ext2_edit(ext2_fs(inode), own->table_block,
			 own->table_offset + place_in_inode(inode), magic,
			 sizeof(*magic) + to.size);
}

/* ---- the block ---- */

int ext2_xattr_leave_block(struct inode *inode, uint32_t *freed)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	struct ext2_xattr_block header = { 0 };
	uint64_t sectors = 1u << (fs->layout.block_shift - 9);
	int error = 0;

	if (own->file_acl == 0)
		return 0;
	if (ext2_block_ok(&fs->layout, own->file_acl))
		error = ext2_read(fs, own->file_acl, 0, &header, sizeof(header));
	if (error)
		return error;
	if (!is_attributes(&header)) {
		damaged(inode); /* e2fsck finds out whose the block is */
	} else if (header.holders > 1) {
		header.holders--;
		error = ext2_edit(fs, own->file_acl, 0, &header, sizeof(header));
	} else {
		error = ext2_give_blocks(fs, own->file_acl, 1);
		*freed = own->file_acl;
	}
	if (!error) {
		own->file_acl = 0;
		inode->blocks -= MIN(inode->blocks, sectors);
	}
	return error;
}

/* Give the inode a block of zeros for its list. It has none. */
static int take_block(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	uint32_t block;
	int n = ext2_take_blocks(fs, ext2_group_goal(fs, inode->number), 1, &block);

	if (n < 0)
		return n;
	ext2_own(inode)->file_acl = block;
	inode->blocks += 1u << (fs->layout.block_shift - 9);
	return ext2_make_block(fs, block);
}

/* Is the inode's block another inode's, too? Returns 1, 0 or an error. */
static int is_shared(const struct inode *inode)
{
	struct ext2_xattr_block header;
	int error =
		ext2_read(ext2_fs(inode), ext2_own(inode)->file_acl, 0, &header, sizeof(header));

	return error ? error : header.holders > 1;
}

//BOOK: ext2-xattr-shared
static int write_block(struct change *change)
{
	struct inode *inode = change->inode;
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	int error = own->file_acl ? is_shared(inode) : 0;

	if (error > 0) /* nothing is freed by this */
		error = ext2_xattr_leave_block(inode, &change->freed);
	if (!error && own->file_acl == 0) {
		error = take_block(inode);
		change->no_block = error == -ENOSPC;
	}
	for (unsigned int at = 0; !error && at < fs->layout.block_size; at += EDIT_AT_ONCE)
		error = ext2_edit(fs, own->file_acl, at, change->bytes[IN_BLOCK] + at,
				  MIN(EDIT_AT_ONCE, fs->layout.block_size));
	return error;
}

/* Change the list in the block. Returns 0, -ENOSPC or another error. */
static int change_block_list(struct change *change, const struct ext2_xattr *xattr)
{
	struct ext2_xattr_block *header = (void *)change->bytes[IN_BLOCK];
	const struct ext2_xattr_list to = {
		.region = change->bytes[IN_BLOCK],
		.first = sizeof(*header),
		.size = ext2_fs(change->inode)->layout.block_size,
		.sorted = true,
	};
	int nr = rewrite(change, IN_BLOCK, xattr, &to);

	if (nr < 0)
		return nr;
	if (nr == 0)
		return ext2_xattr_leave_block(change->inode, &change->freed);
	*header = (struct ext2_xattr_block){
		.magic = EXT2_XATTR_MAGIC, .holders = 1, .blocks = 1, .hash = ext2_xattr_hash(&to)
	};
	return write_block(change);
}

/* ---- setting ---- */

static int change_list(struct change *change, unsigned int which, bool remove)
{
	struct ext2_xattr xattr = change->xattr;

	if (remove)
		xattr.value = NULL;
	return which == IN_INODE ? change_inode_list(change, &xattr)
				 : change_block_list(change, &xattr);
}

/* Put the attribute into the first list that has room for it, and take it from the other one. */
static int change_lists(struct change *change)
{
	bool remove = change->xattr.value == NULL;
	unsigned int to = IN_INODE;
	int error;

	if (remove)
		return change_list(change, change->has[IN_INODE] ? IN_INODE : IN_BLOCK, true);
	error = change_list(change, to, false);
	if (error == -ENOSPC) {
		to = IN_BLOCK;
		error = change_list(change, to, false);
	}
	return !error && change->has[!to] ? change_list(change, !to, true) : error;
}

/* One operation. */
static int set_in_operation(struct change *change)
{
	struct inode *inode = change->inode;
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	uint32_t file_acl;
	uint64_t blocks;
	unsigned int extra;
	int error;

	change->freed = 0;
	change->no_block = false;
	error = ext2_begin(fs);
	if (error)
		return error;
	/* A fault, which takes no inode->lock, may have given the file blocks before. */
	file_acl = own->file_acl;
	extra = own->extra;
	blocks = inode->blocks;
	error = look(change);
	if (error > 0) /* it has this value already */
		return ext2_end(fs, 0);
	if (!error)
		error = change_lists(change);
	if (!error) /* attributes are a feature */
		error = ext2_note_feature(fs, offsetof(struct ext2_disk_super, compatible),
					  EXT2_COMPAT_XATTR);
	if (error) {
		own->file_acl = file_acl;
		own->extra = extra;
		inode->blocks = blocks;
		return ext2_end(fs, error);
	}
	if (change->freed)
		ext2_forget(fs, change->freed);
	inode_status_changed(inode);
	ext2_changed(inode);
	return ext2_end(fs, 0);
}

static int ext2_xattr_set(struct inode *inode, const char *name, const void *value, size_t size,
			  unsigned int flags)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_lack lack = ext2_lack(fs, false);
	struct change change = { .inode = inode, .flags = flags };
	int error = parse_name(name, &change.xattr);

	if (error)
		return error;
	change.xattr.value = value;
	change.xattr.size = size;
	change.bytes[IN_INODE] = kmalloc(fs->layout.inode_size + fs->layout.block_size, 0);
	if (!change.bytes[IN_INODE])
		return -ENOMEM;
	change.bytes[IN_BLOCK] = change.bytes[IN_INODE] + fs->layout.inode_size;
	do
		error = set_in_operation(&change);
	while (change.no_block && ext2_space_comes(fs, &lack));
	kfree(change.bytes[IN_INODE]);
	return error;
}

const struct xattr_ops ext2_xattr_ops = {
	.get = ext2_xattr_get,
	.set = ext2_xattr_set,
	.list = ext2_xattr_list,
};

/* ---- for the inode ---- */

int ext2_xattr_read_inode(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	unsigned int room = fs->layout.inode_size - EXT2_INODE_SIZE_MIN;
	uint16_t extra;
	int error;

	if (room == 0)
		return 0;
	error = ext2_read(fs, own->table_block, own->table_offset + EXT2_INODE_SIZE_MIN, &extra,
			  sizeof(extra));
	if (error)
		return error;
	own->extra = extra;
	if (extra % sizeof(uint32_t) || extra > room)
		return damaged(inode);
	return 0;
}

int ext2_xattr_place(struct inode *inode, struct ext2_place *place, unsigned int *len)
{
	struct ext2_fs *fs = ext2_fs(inode);
	struct ext2_inode *own = ext2_own(inode);
	unsigned int at = place_in_inode(inode);
	struct view view;
	int found = mutex_lock_killable(&fs->lock);

	if (found)
		return found;
	found = open_inode_list(inode, &view);
	*place = (struct ext2_place){ own->table_block, own->table_offset + at };
	*len = fs->layout.inode_size - at;
	if (found == HAS_LIST) {
		close_view(&view);
	} else if (found == NO_LIST) {
		*place = (struct ext2_place){ own->file_acl, 0 };
		*len = own->file_acl ? fs->layout.block_size : 0;
	}
	mutex_unlock(&fs->lock);
	return MIN(found, 0);
}
