/*
 * tmpfs: files that live in the page cache, and nowhere else.
 *
 * 1. File data are pages that have no store behind them: they are never given up. A hole has no
 *    page until it is mapped, spliced or written; read(2) makes zeros without one.
 * 2. Memory is limited by size= (half of RAM) and nr_inodes=. What a file uses is what its page
 *    cache holds, counted anew whenever it may have changed (tmpfs_recount): nothing can be
 *    forgotten or counted twice. Who adds a page that is too much gets -ENOSPC, and the page cache
 *    takes it back.
 * 3. tmpfs->lock guards the counters; it is taken before mapping->lock, and no interrupt takes it.
 * 4. Names are in fs/tmpfs_dir.c. They keep their inodes in memory.
 */
#include "fs/tmpfs.h"
#include "fs/splice.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define TMPFS_MAGIC    0x01021994
#define SECTORS_A_PAGE (PAGE_SIZE >> 9)

/* ---- counting ---- */

static struct tmpfs *tmpfs_of(const struct inode *inode)
{
	return inode->sb->private;
}

/* The pages that count: those that were refused (they have failed) do not. tmpfs->lock is held. */
static unsigned int held_pages(struct mapping *mapping, struct tmpfs_inode *own)
{
	unsigned int flags = spin_lock_irqsave(&mapping->lock);
	unsigned int count = mapping->pages.count, index = 0;
	struct page *page;

	if (own->refused) {
		own->refused = false;
		while ((page = radix_next(&mapping->pages, &index))) {
			if (page->flags & PG_ERROR) {
				own->refused = true;
				count--;
			}
			if (index++ == UINT32_MAX)
				break;
		}
	}
	spin_unlock_irqrestore(&mapping->lock, flags);
	return count;
}

/*
 * Count what the inode holds now. False, and nothing is counted, if it has come to hold more than
 * there is room for. An inode whose file system is gone (a pipe still holds its pages) counts
 * nowhere.
 */
static bool tmpfs_recount(struct inode *inode)
{
	struct tmpfs_inode *own = inode->private;
	struct tmpfs *tmpfs;
	unsigned int count, total;
	bool ok;

	if (!own)
		return true;
	tmpfs = tmpfs_of(inode);
	spin_lock(&tmpfs->lock);
	count = held_pages(&inode->mapping, own);
	total = tmpfs->pages - own->pages + count;
	ok = count <= own->pages || total <= tmpfs->max_pages;
	if (ok) {
		tmpfs->pages = total;
		own->pages = count;
		inode->blocks = (uint64_t)count * SECTORS_A_PAGE;
	}
	spin_unlock(&tmpfs->lock);
	return ok;
}

static bool count_inode(struct tmpfs *tmpfs, uint64_t *number)
{
	bool ok;

	spin_lock(&tmpfs->lock);
	ok = tmpfs->inodes < tmpfs->max_inodes;
	if (ok) {
		tmpfs->inodes++;
		*number = ++tmpfs->last_number;
	}
	spin_unlock(&tmpfs->lock);
	return ok;
}

/* Inodes that a pipe holds outlive the mount: the last of all frees what they share. */
static void tmpfs_let_go(struct tmpfs *tmpfs, unsigned int inodes, bool unmounted)
{
	bool last;

	spin_lock(&tmpfs->lock);
	tmpfs->inodes -= inodes;
	if (unmounted)
		tmpfs->mounted = false;
	last = tmpfs->inodes == 0 && !tmpfs->mounted;
	spin_unlock(&tmpfs->lock);
	if (last)
		kfree(tmpfs);
}

/* ---- file data ---- */

/* Take pages that failed for want of room out of the file again, but for those that a pipe holds.
 * */
static void forget_refused(struct mapping *mapping, struct tmpfs_inode *own)
{
	for (; own->nr_refused > 0; own->nr_refused--, own->first_refused++) {
		struct page *page = mapping_find(mapping, own->first_refused);

		if (!page)
			continue;
		if (page_trylock(page)) {
			if (page->mapping == mapping && !(page->flags & PG_UPTODATE) &&
			    atomic_read(&page->lent) == 0)
				mapping_remove_page(mapping, page);
			page_unlock(page);
		}
		page_put(page);
	}
}

/*
 * Pages for which there is no room fail: a splice gets EIO, a mapping SIGBUS. They stay in the file
 * until the next ones are refused: so their readers find them, and there are never many.
 */
static void refuse_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	struct tmpfs_inode *own = mapping->inode->private;
	struct tmpfs *tmpfs = tmpfs_of(mapping->inode);

	mutex_lock(&own->refused_lock);
	forget_refused(mapping, own);
	own->first_refused = pages[0]->index;
	own->nr_refused = nr;
	for (unsigned int i = 0; i < nr; i++)
		page_read_done(pages[i], false);
	spin_lock(&tmpfs->lock);
	own->refused = true;
	spin_unlock(&tmpfs->lock);
	mutex_unlock(&own->refused_lock);
}

/* The pages of a hole are wanted: zeros. */
static void tmpfs_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	if (!tmpfs_recount(mapping->inode)) {
		refuse_pages(mapping, pages, nr);
		return;
	}
	for (unsigned int i = 0; i < nr; i++) {
		page_zero(pages[i], 0, PAGE_SIZE);
		page_read_done(pages[i], true);
	}
}

static int tmpfs_begin_write(struct mapping *mapping, struct page *page, unsigned int from,
			     unsigned int to)
{
	if (!tmpfs_recount(mapping->inode))
		return -ENOSPC;
	if (page->flags & PG_UPTODATE)
		return 0;
	page_zero(page, 0, from);
	page_zero(page, to, PAGE_SIZE - to);
	return 0;
}

static const struct mapping_ops tmpfs_mapping_ops = {
	.read_pages = tmpfs_read_pages,
	.begin_write = tmpfs_begin_write,
	.has_store = false,
};

/* Read up to n bytes at pos, all in one page, where there is no page: zeros. */
static ssize_t read_hole(struct inode *inode, struct iter *to, file_off_t pos, size_t n)
{
	file_off_t left = inode_size(inode) - pos;

	if (left <= 0)
		return 0;
	if ((file_off_t)n > left)
		n = left;
	n = iter_zero(to, n);
	return n ? (ssize_t)n : -EFAULT;
}

/* Read up to n bytes at *pos, all in one page. */
static ssize_t read_piece(struct file *file, struct iter *to, file_off_t *pos, size_t n)
{
	struct page *page = mapping_find(&file->inode->mapping, *pos >> PAGE_SHIFT);
	bool there = page && page->flags & PG_UPTODATE;
	size_t rest = to->left - n;
	ssize_t done;

	if (page)
		page_put(page);
	if (!there) { /* never written, or refused: zeros */
		done = read_hole(file->inode, to, *pos, n);
		if (done > 0)
			*pos += done;
		return done;
	}
	file->ra_next = UINT32_MAX; /* no read-ahead: it would fill the holes */
	to->left = n;
	done = generic_file_read(file, to, pos);
	to->left += rest;
	return done;
}

/* Page by page if there are holes, so that they cost no memory. */
static ssize_t tmpfs_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct inode *inode = file->inode;
	const struct tmpfs_inode *own = inode->private;
	file_off_t pages = (inode_size(inode) + PAGE_SIZE - 1) >> PAGE_SHIFT;
	size_t wanted = to->left;
	ssize_t n = 1;

	if (READ_ONCE(inode->mapping.pages.count) >= pages && !own->refused)
		return generic_file_read(file, to, pos);
	while (to->left > 0 && n > 0 && *pos < inode_size(inode)) {
		size_t room = PAGE_SIZE - (*pos & (PAGE_SIZE - 1));

		n = read_piece(file, to, pos, MIN(room, to->left));
	}
	return to->left < wanted ? (ssize_t)(wanted - to->left) : MIN(n, 0);
}

/* There is nothing that could be lost. */
static int tmpfs_fsync(struct file *file)
{
	return 0;
}

/* The page cache has let go of what lies beyond the new size. */
int tmpfs_truncate(struct inode *inode, file_off_t size)
{
	(void)tmpfs_recount(inode);
	return 0;
}

static const struct file_ops tmpfs_file_ops = {
	.read = tmpfs_read,
	.write = generic_file_write,
	.llseek = generic_llseek,
	.mmap = generic_file_mmap,
	.fsync = tmpfs_fsync,
	.splice_read = generic_splice_read,
	.splice_write = generic_splice_write,
};

/* ---- inodes ---- */

struct inode *tmpfs_inode_new(struct super_block *sb, const struct inode *dir, unsigned int mode,
			      unsigned int rdev)
{
	struct tmpfs *tmpfs = sb->private;
	struct tmpfs_inode *own = kzalloc(sizeof(*own), 0);
	struct inode *inode;
	uint64_t number = 0;

	if (!own)
		return ERR_PTR(-ENOMEM);
	if (!count_inode(tmpfs, &number)) {
		kfree(own);
		return ERR_PTR(-ENOSPC);
	}
	inode = inode_alloc(sb);
	if (!inode) {
		tmpfs_let_go(tmpfs, 1, false);
		kfree(own);
		return ERR_PTR(-ENOMEM);
	}
	list_init(&own->entries);
	mutex_init(&own->refused_lock, "tmpfs refused");
	inode->private = own;
	inode->number = number;
	inode_init_owner(inode, dir, mode);
	inode->ops = &tmpfs_inode_ops;
	mapping_init(&inode->mapping, inode, &tmpfs_mapping_ops);
	if (S_ISREG(mode)) {
		inode->file_ops = &tmpfs_file_ops;
	} else if (S_ISDIR(mode)) {
		inode->file_ops = &tmpfs_dir_ops;
		inode->nr_links = 2;
		own->parent = dir ? dir->number : number;
	} else if (!S_ISLNK(mode)) {
		inode_init_special(inode, inode->mode, rdev);
	}
	return inode;
}

static void tmpfs_free_inode(struct inode *inode)
{
	struct tmpfs_inode *own = inode->private;

	(void)tmpfs_recount(inode); /* its pages are gone */
	inode->private = NULL;
	kfree(own->target);
	kfree(own);
	tmpfs_let_go(tmpfs_of(inode), 1, false);
}

/* ---- the file system ---- */

static int tmpfs_statfs(struct super_block *sb, struct fs_statistics *st)
{
	struct tmpfs *tmpfs = sb->private;

	spin_lock(&tmpfs->lock);
	*st = (struct fs_statistics){
		.type = TMPFS_MAGIC,
		.block_size = PAGE_SIZE,
		.name_max = NAME_MAX,
		.blocks = tmpfs->max_pages,
		.free = tmpfs->max_pages - MIN(tmpfs->pages, tmpfs->max_pages),
		.files = tmpfs->max_inodes,
		.files_free = tmpfs->max_inodes - tmpfs->inodes,
	};
	spin_unlock(&tmpfs->lock);
	return 0;
}

static void tmpfs_unmount(struct super_block *sb)
{
	struct tmpfs *tmpfs = sb->private;

	tmpfs_forget_names(sb);
	inode_put(tmpfs->root);
	tmpfs_let_go(tmpfs, 0, true);
}

/* ---- mounting ---- */

/* "16M", "50%" of RAM: bytes rounded up to pages. */
static int parse_pages(const char *text, unsigned int *pages)
{
	struct memory_stats memory;
	const char *end;
	uint64_t size = parse_size(text, &end);

	if (end == text)
		return -EINVAL;
	memory_stats(&memory);
	if (*end == '%') {
		end++;
		*pages = MIN(size, 100ull) * (memory.total / 100);
	} else {
		*pages = MIN((size + PAGE_SIZE - 1) >> PAGE_SHIFT, (uint64_t)INT32_MAX);
		if (size == 0)
			*pages = INT32_MAX; /* no limit */
	}
	return *end ? -EINVAL : 0;
}

static int parse_octal(const char *text, unsigned int *mode)
{
	unsigned int value = 0;

	if (!*text)
		return -EINVAL;
	for (; *text >= '0' && *text <= '7' && value <= 07777; text++)
		value = value << 3 | (*text - '0');
	if (*text || value > 07777)
		return -EINVAL;
	*mode = value;
	return 0;
}

static int set_option(struct tmpfs *tmpfs, const char *option)
{
	uint32_t number;
	int error;

	if (!strncmp(option, "size=", 5))
		return parse_pages(option + 5, &tmpfs->max_pages);
	if (!strncmp(option, "mode=", 5))
		return parse_octal(option + 5, &tmpfs->root_mode);
	if (!strncmp(option, "nr_inodes=", 10)) {
		error = parse_u32(option + 10, &number);
		if (!error)
			tmpfs->max_inodes = number;
		return error;
	}
	return -EINVAL;
}

static int parse_options(struct tmpfs *tmpfs, const char *options)
{
	char option[64];

	while (*options) {
		const char *comma = strchr(options, ',');
		size_t len = comma ? comma - options : strlen(options);
		int error;

		if (len >= sizeof(option))
			return -EINVAL;
		memcpy(option, options, len);
		option[len] = 0;
		error = len ? set_option(tmpfs, option) : 0;
		if (error)
			return error;
		options += len + (comma != NULL);
	}
	return 0;
}

static const struct super_ops tmpfs_super_ops = {
	.free_inode = tmpfs_free_inode,
	.statfs = tmpfs_statfs,
	.unmount = tmpfs_unmount,
};

int tmpfs_mount(struct super_block *sb, const char *options)
{
	struct tmpfs *tmpfs = kzalloc(sizeof(*tmpfs), 0);
	struct memory_stats memory;
	struct inode *root;
	int error;

	if (!tmpfs)
		return -ENOMEM;
	memory_stats(&memory);
	spin_init(&tmpfs->lock, "tmpfs");
	tmpfs->mounted = true;
	tmpfs->max_pages = memory.total / 2;
	tmpfs->max_inodes = memory.low_total / 2;
	tmpfs->root_mode = 01777;
	error = parse_options(tmpfs, options);
	if (error)
		goto free_tmpfs;
	sb->private = tmpfs;
	sb->block_size = PAGE_SIZE;
	sb->ops = &tmpfs_super_ops;
	root = tmpfs_inode_new(sb, NULL, S_IFDIR | tmpfs->root_mode, 0);
	error = PTR_ERR(root);
	if (IS_ERR(root))
		goto free_tmpfs;
	inode_get(root); /* the tree's, besides the dentry's */
	sb->root = dentry_make_root(sb, root);
	if (!sb->root) {
		inode_put(root);
		error = -ENOMEM;
		goto free_tmpfs;
	}
	tmpfs->root = root;
	return 0;

free_tmpfs:
	sb->private = NULL;
	kfree(tmpfs);
	return error;
}

int tmpfs_add_node(struct super_block *sb, const char *name, unsigned int mode, unsigned int rdev)
{
	struct tmpfs *tmpfs = sb->private;
	struct inode *inode = tmpfs_add(tmpfs->root, name, strlen(name), mode, rdev, NULL);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode_put(inode);
	return 0;
}

int tmpfs_add_symlink(struct super_block *sb, const char *name, const char *target)
{
	struct tmpfs *tmpfs = sb->private;
	struct inode *inode = tmpfs_add(tmpfs->root, name, strlen(name), S_IFLNK | 0777, 0, target);

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	inode_put(inode);
	return 0;
}

FILE_SYSTEM(tmpfs, .magic = TMPFS_MAGIC, .mount = tmpfs_mount);
