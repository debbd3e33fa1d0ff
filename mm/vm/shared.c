/*
 * Shared anonymous memory: a file without a name, whose pages exist only in its page cache. It
 * behaves in every respect like a shared mapping of a file, and its pages can be lent.
 */
#include "fs/cache/pagecache.h"
#include "fs/file/allocate.h"
#include "fs/file/open_file.h"
#include "fs/file/generic.h"
#include "lib/errno.h"
#include "mm/kmap.h"
#include "mm/vm/tables.h"

void memory_read_pages(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		page_zero(pages[i], 0, PAGE_SIZE);
		page_read_done(pages[i], true);
	}
}

static int shared_begin_write(struct mapping *mapping, struct page *page, unsigned int from,
			      unsigned int to)
{
	return 0;
}

static const struct mapping_ops shared_mapping_ops = {
	.read_pages = memory_read_pages,
	.begin_write = shared_begin_write,
};

/* For MADV_REMOVE, which punches whole pages. */
static int shared_allocate(struct inode *inode, unsigned int mode, file_off_t start, file_off_t end)
{
	if (!(mode & FALLOC_PUNCH_HOLE))
		return -EOPNOTSUPP;
	mapping_remove_range(&inode->mapping, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	return 0;
}

static const struct inode_ops shared_inode_ops = {
	.allocate = shared_allocate,
};

static const struct file_ops shared_file_ops = {
	.mmap = generic_file_mmap,
};

struct file *shared_memory_file(size_t size)
{
	struct inode *inode = inode_anonymous(S_IFREG | 0600, "/dev/zero (deleted)");

	if (IS_ERR(inode))
		return ERR_PTR(PTR_ERR(inode));
	inode->ops = &shared_inode_ops;
	inode_set_size(inode, size);
	mapping_init(&inode->mapping, inode, &shared_mapping_ops);
	return file_alloc(inode, &shared_file_ops, O_RDWR);
}
