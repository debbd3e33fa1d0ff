/*
 * tmpfs: a file system in memory. Its files exist only in the page cache, and its names only as
 * dentries.
 *
 * 1. File data are pages without a store, which are never dropped. A hole has no page until it is
 *    mapped or written. Until then read(2) produces zeros, and splice publishes the zero page.
 * 2. size= limits the memory (to half of RAM by default; 0 is no limit). A file uses as many pages
 *    as are in its page cache. They are counted again whenever that may have changed, so no change
 *    can be missed. inode->blocks is the last count (tmpfs_count). If a write needs a page beyond
 *    the limit, it gets -ENOSPC, and the page cache removes the page again.
 * 3. The same happens if a mapping needs a page in a hole and there is no room. Then the program
 *    gets SIGBUS.
 * 4. tmpfs->lock (plain) guards the counters.
 * 5. Dentries stay, and keep their inodes, until they are removed (super_block.names_stay).
 */
#include "fs/tmpfs/space.h"
#include "fs/tmpfs/tmpfs.h"
#include "fs/file/generic.h"
#include "fs/file/seal.h"
#include "fs/names/path.h"
#include "fs/splice/splice.h"
#include "fs/names/times.h"
#include "fs/names/vfs_internal.h"
#include "kernel/random.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/tables.h"
#include "mm/vm/vm.h"

#define TMPFS_MAGIC    0x01021994
#define SECTORS_A_PAGE (PAGE_SIZE >> 9)

#define SHORT_TARGET   128u /* a longer target of a symbolic link is charged as a page */

/*
 * The size of a directory in memory means nothing. Programs see that it changes with the names, and
 * that it is not 0, as on Linux.
 */
#define NAME_SIZE 20

/* A limit of 0 is none. */
static bool within(unsigned int used, unsigned int limit)
{
	return limit == 0 || used <= limit;
}

/*
 * Charge an inode, or one more name for it, and the page of a long symbolic link. Names stay in
 * memory until they are removed, so each needs to be counted. Returns false if a limit has been
 * reached.
 */
static bool tmpfs_charge(struct tmpfs *tmpfs, unsigned int pages)
{
	bool fits;

	spin_lock(&tmpfs->lock);
	fits = within(tmpfs->inodes + 1, tmpfs->max_inodes) &&
	       within(tmpfs->pages + pages, tmpfs->max_pages);
	if (fits) {
		tmpfs->inodes++;
		tmpfs->pages += pages;
	}
	spin_unlock(&tmpfs->lock);
	return fits;
}

static void tmpfs_uncharge(struct tmpfs *tmpfs, unsigned int pages)
{
	spin_lock(&tmpfs->lock);
	tmpfs->inodes--;
	tmpfs->pages -= pages;
	spin_unlock(&tmpfs->lock);
}

static unsigned int target_pages(const char *target)
{
	return target && strlen(target) > SHORT_TARGET ? 1 : 0;
}

/* ---- file data ---- */

bool tmpfs_count(struct inode *inode, bool must_fit, bool present)
{
	struct tmpfs *tmpfs = inode->sb->private;
	unsigned int count, old, total;
	bool fits;

	if (!tmpfs)
		return true;
	spin_lock(&tmpfs->lock);
	count = READ_ONCE(inode->mapping.pages.count);
	old = inode->blocks / SECTORS_A_PAGE;
	total = tmpfs->pages - old + count;
	fits = within(total, tmpfs->max_pages) || (present && count <= old);
	if (fits || !must_fit) {
		tmpfs->pages = total;
		inode->blocks = (uint64_t)count * SECTORS_A_PAGE;
	}
	spin_unlock(&tmpfs->lock);
	return fits;
}

static int tmpfs_begin_write(struct mapping *mapping, struct page *page, unsigned int from,
			     unsigned int to)
{
	if (!tmpfs_count(mapping->inode, true, page_has(page, PG_UPTODATE)))
		return -ENOSPC;
	if (!page_has(page, PG_UPTODATE)) {
		page_zero(page, 0, from);
		page_zero(page, to, PAGE_SIZE - to);
	}
	return 0;
}

static int tmpfs_begin_add(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	return tmpfs_count(mapping->inode, true, false) ? (int)nr : -ENOSPC;
}

static const struct mapping_ops tmpfs_mapping_ops = {
	.read_pages = memory_read_pages,
	.begin_write = tmpfs_begin_write,
	.begin_add = tmpfs_begin_add,
	.has_store = false,
};

/* Reads page by page, because a hole reads as zeros and gets no page by being read. */
static ssize_t tmpfs_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct inode *inode = file->inode;
	size_t wanted = to->left;
	ssize_t n = 0;

	while (to->left > 0) {
		file_off_t left = MAX(inode_size(inode) - *pos, 0);
		size_t piece = MIN(PAGE_SIZE - (*pos & (PAGE_SIZE - 1)), to->left);
		struct page *page = mapping_find(&inode->mapping, *pos >> PAGE_SHIFT);

		if (page && page_has(page, PG_UPTODATE)) {
			n = generic_read_page(inode, page, to, *pos);
		} else {
			piece = MIN((file_off_t)piece, left);
			n = iter_zero(to, piece);
			if (n == 0 && piece > 0)
				n = -EFAULT;
		}
		if (page)
			page_put(page);
		if (n <= 0)
			break;
		*pos += n;
	}
	file_accessed(file);
	return to->left < wanted ? (ssize_t)(wanted - to->left) : n;
}

/*
 * Make a slot of the page at `pos`, which is lent, or of the zero page if there is a hole. The
 * caller sets offset and len. Returns 0, -ENODATA if the caller has to look again, or -ERESTARTSYS.
 */
static int tmpfs_fill_slot(struct mapping *mapping, file_off_t pos, struct pipe_slot *slot)
{
	struct page *page = mapping_find(mapping, pos >> PAGE_SHIFT);
	int error = 0;

	if (page && page_has(page, PG_UPTODATE)) {
		error = page_lend(page);
		if (error)
			page_put(page);
		*slot = (struct pipe_slot){ .page = page, .ops = &cache_slot_ops };
		return error;
	}
	if (page) /* it is being made, and until it is uptodate the file reads as zeros */
		page_put(page);
	*slot = (struct pipe_slot){ .page = zero_page, .ops = &zero_slot_ops };
	return 0;
}

static ssize_t tmpfs_splice_read(struct file *file, file_off_t *pos, size_t len,
				 struct slot_list *slots)
{
	struct inode *inode = file->inode;
	size_t done = 0;

	while (done < len && slots->nr < slots->max) {
		struct pipe_slot *slot = &slots->slots[slots->nr];
		file_off_t left = inode_size(inode) - *pos;
		int error;

		if (left <= 0)
			break;
		error = tmpfs_fill_slot(&inode->mapping, *pos, slot);
		if (error == -ENODATA)
			continue;
		if (error)
			return done ? (ssize_t)done : error;
		slot->offset = *pos & (PAGE_SIZE - 1);
		slot->len = MIN(MIN(len - done, PAGE_SIZE - slot->offset), left);
		slots->nr++;
		*pos += slot->len;
		done += slot->len;
	}
	file_accessed(file);
	return done;
}

/* The page cache has dropped the pages beyond the new size. */
static void tmpfs_truncated(struct inode *inode)
{
	tmpfs_count(inode, false, false);
}

/*
 * A file that is sealed against future writes cannot be mapped for them, nor changed by
 * mprotect(2).
 */
static int tmpfs_mmap(struct file *file, struct vma *vma)
{
	if (vma->flags & VMA_SHARED && READ_ONCE(file->inode->mapping.seals) & SEAL_FUTURE_WRITE) {
		if (vma->flags & VMA_WRITE)
			return refuse(EPERM, "the file is sealed against writing");
		vma->flags &= ~VMA_MAY_WRITE;
	}
	return 0;
}

static const struct file_ops tmpfs_file_ops = {
	.read = tmpfs_read,
	.write = generic_file_write,
	.llseek = tmpfs_llseek,
	.mmap = tmpfs_mmap,
	.fsync = generic_file_fsync,
	.splice_read = tmpfs_splice_read,
	.splice_write = generic_splice_write,
};

/* ---- inodes and names ---- */

static const struct inode_ops tmpfs_inode_ops;

/* A directory has got so many names more. Its lock is held. */
static void count_names(struct inode *dir, int nr)
{
	inode_set_size(dir, dir->size + nr * NAME_SIZE);
	inode_modified(dir);
}

/* What a file has beside its inode. */
struct node {
	struct timespec64 birth;
	struct list xattrs; /* fs/tmpfs/xattr.c */
	char target[];	    /* of a symbolic link */
};

static struct node *node_of(const struct inode *inode)
{
	return inode->private;
}

struct list *tmpfs_xattrs(struct inode *inode)
{
	return &node_of(inode)->xattrs;
}

/*
 * Make an inode without a name. `target` is that of a symbolic link, and NULL for others. Returns
 * ERR_PTR(-ENOMEM) if there is no memory.
 */
static struct inode *tmpfs_inode(struct super_block *sb, const struct inode *dir, unsigned int mode,
				 unsigned int rdev, const char *target)
{
	static struct atomic last_number;
	size_t len = target ? strlen(target) : 0;
	struct inode *inode = NULL;
	struct node *node;

	if (!tmpfs_charge(sb->private, target_pages(target)))
		return ERR_PTR(-ENOSPC);
	node = kmalloc(sizeof(*node) + len + 1, 0);
	if (node)
		inode = inode_alloc(sb);
	if (!inode) {
		kfree(node);
		tmpfs_uncharge(sb->private, target_pages(target));
		return ERR_PTR(-ENOMEM);
	}
	inode->private = node;
	inode_init_owner(inode, dir, mode);
	node->birth = inode->ctime;
	list_init(&node->xattrs);
	inode->ops = &tmpfs_inode_ops;
	mapping_init(&inode->mapping, inode, &tmpfs_mapping_ops);
	if (target) {
		memcpy(node->target, target, len + 1);
		inode->size = len;
	} else if (S_ISREG(mode)) {
		inode->file_ops = &tmpfs_file_ops;
		inode->mapping.seals = SEALABLE | SEAL_SEAL;
	} else if (S_ISDIR(mode)) {
		inode->file_ops = &memory_dir_file_ops;
		inode->nr_links = 2;
		inode->size = 2 * NAME_SIZE; /* "." and ".." */
	} else {
		inode_init_special(inode, inode->mode, rdev);
	}
	/*
	 * A handle may name it from now on: inode_get_by_handle() finds no inode without a number.
	 * x86 stores in order, so only the compiler must be kept from storing the number earlier.
	 */
	barrier();
	inode->number = (unsigned int)atomic_add_return(&last_number, 1);
	return inode;
}

static void tmpfs_free_inode(struct inode *inode)
{
	tmpfs_count(inode, false, false); /* its pages are gone */
	if (inode->sb->private)
		tmpfs_uncharge(inode->sb->private,
			       S_ISLNK(inode->mode) ? target_pages(node_of(inode)->target) : 0);
	tmpfs_xattrs_free(inode);
	kfree(inode->private);
}

static struct inode *tmpfs_create(struct inode *dir, struct dentry *dentry, unsigned int mode,
				  unsigned int rdev, const char *target)
{
	struct inode *inode = tmpfs_inode(dir->sb, dir, mode, rdev, target);

	if (!IS_ERR(inode)) {
		dir->nr_links += S_ISDIR(mode);
		count_names(dir, 1);
	}
	return inode;
}

static struct inode *tmpfs_nameless(struct inode *dir, unsigned int mode)
{
	struct inode *inode = tmpfs_inode(dir->sb, dir, mode, 0, NULL);

	if (!IS_ERR(inode))
		inode->nr_links = 0;
	return inode;
}

static int tmpfs_link(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	/* The first name of an inode that was made without one is charged already. */
	if (inode->nr_links > 0 && !tmpfs_charge(dir->sb->private, 0))
		return -ENOSPC;
	inode->nr_links++;
	inode_status_changed(inode);
	count_names(dir, 1);
	return 0;
}

static int tmpfs_remove(struct inode *dir, struct dentry *dentry)
{
	struct inode *inode = dentry->inode;

	if (S_ISDIR(inode->mode)) {
		if (!dentry_is_empty(dentry))
			return -ENOTEMPTY;
		inode->nr_links = 0;
		dir->nr_links--;
	} else {
		/*
		 * The last name is uncharged with the inode, which a program may still have open.
		 */
		if (--inode->nr_links > 0)
			tmpfs_uncharge(dir->sb->private, 0);
	}
	inode_status_changed(inode);
	count_names(dir, -1);
	return 0;
}

static int tmpfs_rename(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			struct dentry *target, struct inode **whiteout)
{
	struct inode *left = whiteout ? tmpfs_inode(old_dir->sb, old_dir, S_IFCHR, 0, NULL) : NULL;
	int error = IS_ERR(left) ? PTR_ERR(left) : 0;

	if (error)
		return error;
	if (target->inode)
		error = tmpfs_remove(new_dir, target);
	if (error) {
		inode_put(left);
		return error;
	}
	if (whiteout)
		*whiteout = left;
	if (S_ISDIR(old->inode->mode)) {
		old_dir->nr_links--;
		new_dir->nr_links++;
	}
	inode_status_changed(old->inode);
	count_names(old_dir, whiteout ? 0 : -1);
	count_names(new_dir, 1);
	return 0;
}

static int tmpfs_exchange(struct inode *old_dir, struct dentry *old, struct inode *new_dir,
			  struct dentry *other)
{
	int moved = S_ISDIR(old->inode->mode) - S_ISDIR(other->inode->mode);

	old_dir->nr_links -= moved;
	new_dir->nr_links += moved;
	inode_status_changed(old->inode);
	inode_status_changed(other->inode);
	inode_modified(old_dir);
	inode_modified(new_dir);
	return 0;
}

static ssize_t tmpfs_readlink(struct inode *inode, char *buf, size_t size)
{
	return MIN(strlcpy(buf, node_of(inode)->target, size), size - 1);
}

static const struct inode_ops tmpfs_inode_ops = {
	.readdir = dentry_readdir,
	.create = tmpfs_create,
	.link = tmpfs_link,
	.remove = tmpfs_remove,
	.rename = tmpfs_rename,
	.readlink = tmpfs_readlink,
	.truncated = tmpfs_truncated,
	.allocate = tmpfs_allocate,
	.nameless = tmpfs_nameless,
	.exchange = tmpfs_exchange,
	.xattrs = &tmpfs_xattr_ops,
};

/*
 * Return the dentry of a name in a directory, with a reference. Makes the node if it is missing.
 * Drops the reference to `parent`.
 */
static struct dentry *add_name(struct dentry *parent, const struct name *name, unsigned int mode,
			       unsigned int rdev, const char *target)
{
	struct inode *inode = NULL, *dir = parent->inode;
	struct dentry *dentry;

	mutex_lock(&dir->lock);
	dentry = dentry_lookup_locked(parent, name);
	if (!IS_ERR(dentry) && !dentry->inode)
		inode = tmpfs_create(dir, dentry, mode, rdev, target);
	mutex_unlock(&dir->lock);
	dentry_put(parent);
	if (IS_ERR(inode)) {
		dentry_put(dentry);
		return (void *)inode;
	}
	if (inode)
		dentry_set_inode(dentry, inode);
	return dentry;
}

int tmpfs_add_node(struct super_block *sb, const char *name, unsigned int mode, unsigned int rdev,
		   const char *target)
{
	struct dentry *dentry = sb->root;
	struct name component;

	dentry_get(dentry);
	while (!IS_ERR(dentry) && path_component(&name, &component) > 0)
		dentry = *name ? add_name(dentry, &component, S_IFDIR | 0755, 0, NULL)
			       : add_name(dentry, &component, mode, rdev, target);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	dentry_put(dentry);
	return 0;
}

/* ---- the file system ---- */

static void tmpfs_statfs(struct super_block *sb, struct fs_statistics *st)
{
	struct tmpfs *tmpfs = sb->private;

	spin_lock(&tmpfs->lock);
	st->blocks = tmpfs->max_pages;
	st->free = tmpfs->max_pages - MIN(tmpfs->pages, tmpfs->max_pages);
	st->files = tmpfs->max_inodes;
	st->files_free = tmpfs->max_inodes - MIN(tmpfs->inodes, tmpfs->max_inodes);
	spin_unlock(&tmpfs->lock);
}

/* No number is used twice, but the next file system in memory has the same numbers again. */
static uint32_t tmpfs_generation(const struct inode *inode)
{
	const struct tmpfs *tmpfs = inode->sb->private;

	return tmpfs->generation;
}

static struct timespec64 tmpfs_birth(const struct inode *inode)
{
	return node_of(inode)->birth;
}

static const struct super_ops tmpfs_super_ops = {
	.birth = tmpfs_birth,
	.generation = tmpfs_generation,
	.free_inode = tmpfs_free_inode,
	.statfs = tmpfs_statfs,
	.change_options = tmpfs_change_options,
};

int tmpfs_mount_mode(struct super_block *sb, const char *options, unsigned int mode)
{
	struct tmpfs *tmpfs = kzalloc(sizeof(*tmpfs), 0);
	struct tmpfs_root root = { mode, current_uid(), current_gid() };
	struct memory_stats memory;
	struct inode *inode;
	int error;

	if (!tmpfs)
		return -ENOMEM;
	memory_stats(&memory);
	spin_init(&tmpfs->lock, "tmpfs");
	tmpfs->max_pages = memory.total / 2;
	/* An inode with a long name takes about half a KiB of low memory. */
	tmpfs->max_inodes = memory.low_total / 2;
	random_bytes(&tmpfs->generation, sizeof(tmpfs->generation));
	sb->private = tmpfs;
	error = tmpfs_parse_options(tmpfs, &root, options);
	if (error)
		return error;
	sb->ops = &tmpfs_super_ops;
	sb->names_stay = true;
	sb->has_flags = true;
	inode = tmpfs_inode(sb, NULL, S_IFDIR | root.mode, 0, NULL);
	if (!IS_ERR(inode)) {
		inode->uid = root.uid;
		inode->gid = root.gid;
	}
	return super_set_root(sb, inode);
}

static int tmpfs_mount(struct super_block *sb, const char *options)
{
	return tmpfs_mount_mode(sb, options, 01777);
}

FILE_SYSTEM(tmpfs, .magic = TMPFS_MAGIC, .mount = tmpfs_mount);
