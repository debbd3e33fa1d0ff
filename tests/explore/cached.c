/* A file of one page: see cached.h. */
#include "fs/cache/writeback.h"
#include "fs/file/direct.h"
#include "fs/file/generic.h"
#include "fs/splice/splice.h"
#include "cached.h"

struct inode cached_inode;
struct file cached_file;
static const struct super_ops super_ops; /* nothing is stored */
static struct super_block file_system = { .ops = &super_ops };
static struct mapping *mapping = &cached_inode.mapping;
static struct page *written; /* handed to the disk */
static struct wait_queue disk_queue;
static struct atomic syncs;
unsigned char on_disk[PAGE_SIZE];
static unsigned int free_before;

static struct task *killed; /* gives up every write that it starts */
bool cached_no_room;

static int start_write(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	if (current == READ_ONCE(killed)) {
		page_write_done(pages[0], -ERESTARTSYS);
		return -ERESTARTSYS;
	}
	must(nr == 1 && page_get(pages[0]));
	(void)__atomic_exchange_n(&written, pages[0], __ATOMIC_SEQ_CST);
	wake_all(&disk_queue);
	return 0;
}

static int get_room(struct mapping *mapping, struct page *page, unsigned int from, unsigned int to)
{
	return cached_no_room ? -ENOSPC : 0;
}

static int get_rooms(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	return nr;
}

/* The disk has zeros, and is fast. */
static void read_zeros(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		page_zero(pages[i], 0, PAGE_SIZE);
		page_read_done(pages[i], true);
	}
}

static const struct mapping_ops mapping_ops = {
	.read_pages = read_zeros,
	.write_pages = start_write,
	.begin_write = get_room,
	.begin_add = get_rooms,
	.has_store = true,
};

static int allow_mapping(struct file *file, struct vma *vma)
{
	return 0;
}

static const struct file_ops file_ops = {
	.read = generic_file_read,
	.splice_read = generic_splice_read,
	.splice_write = generic_splice_write,
	.mmap = allow_mapping,
};

void cached_nothing(void)
{
	free_before = ex_free_pages();
	mapping_init(mapping, &cached_inode, &mapping_ops);
	cached_inode.sb = &file_system;
	mutex_init(&cached_inode.lock, "inode");
	atomic_set(&cached_inode.refs, 1);
	wait_queue_init(&disk_queue, "disk");
	cached_file = (struct file){
		.ops = &file_ops, .inode = &cached_inode, .readable = true, .writable = true
	};
	atomic_set(&cached_file.refs, 1);
	ex_object(&cached_inode, "struct inode", "inode");
}

unsigned char *page_bytes(struct page *page)
{
	return page_address_low(page);
}

struct page *cached_find(void)
{
	return mapping_find(mapping, 0);
}

struct page *cached_lend(void)
{
	for (;;) {
		struct page *page = cached_find();
		int error = page ? page_lend(page) : 0;

		if (!error)
			return page;
		must(error == -ENODATA);
		page_put(page);
	}
}

void cached_page(void)
{
	struct page *page;
	bool fresh;

	cached_nothing();
	cached_inode.size = PAGE_SIZE;
	page = mapping_find_or_add(mapping, 0, &fresh);
	must(fresh);
	page_bytes(page)[FIRST] = page_bytes(page)[SECOND] = page_bytes(page)[STORED] = 1;
	page->flags |= PG_UPTODATE;
	page_unlock(page);
	page_put(page);
	ex_count_memory();
}

void cached_hole(void)
{
	cached_nothing();
	cached_inode.size = PAGE_SIZE;
}

void cached_dirty_page(void)
{
	struct page *page;

	cached_page();
	page = cached_find();
	page_set_dirty(page);
	page_put(page);
}

void cached_must_be_gone(void)
{
	must(!cached_find());
	if (ex_free_pages() != free_before)
		ex_fail("%d pages were not given back", (int)(free_before - ex_free_pages()));
}

void cached_remove(void)
{
	struct page *page = cached_find();

	must(page_trylock(page));
	mapping_take_back(mapping, page);
	page_put(page); /* the tree's reference */
	page_put(page);
	cached_must_be_gone();
}

int cached_read(file_off_t pos)
{
	unsigned char byte = 0xee;
	struct iter to;
	ssize_t n;

	iter_init_user(&to, &byte, 1);
	n = generic_file_read(&cached_file, &to, &pos);
	must(n == 0 || n == 1);
	return n ? byte : -1;
}

/* ---- changing ---- */

void cached_write(int value)
{
	struct page *page = page_begin_write(mapping, 0, 0, PAGE_SIZE);

	must(!IS_ERR(page));
	page_bytes(page)[FIRST] = value;
	page_bytes(page)[SECOND] = value;
	page_end_write(page);
}

void cached_truncate(int size)
{
	struct page *tail;

	mutex_lock(&cached_inode.lock);
	tail = mapping_begin_truncate(mapping, size);
	must(!IS_ERR(tail));
	inode_set_size(&cached_inode, size);
	mapping_truncate(mapping, size, tail);
	mutex_unlock(&cached_inode.lock);
}

/* As fs/names/inode.c does, whose other functions need file systems. */
void inode_set_size(struct inode *inode, file_off_t size)
{
	(void)__atomic_exchange_n(&inode->size, size, __ATOMIC_SEQ_CST);
}

file_off_t file_size_limit(const struct inode *inode, file_off_t last)
{
	return FILE_SIZE_MAX;
}

/* Access times are right, and the times of changes are not looked at: fs/names/times.h. */
uint32_t access_round;

void file_note_access(struct file *file)
{
}

void inode_modified(struct inode *inode)
{
}

void inode_drop_privileges(struct inode *inode)
{
}

/* Scenarios with O_DIRECT hold places themselves. */
ssize_t direct_read(struct file *file, struct iter *to, file_off_t *pos)
{
	ex_fail("no scenario reads directly");
	return 0;
}

ssize_t direct_write(struct file *file, struct iter *from, file_off_t *pos)
{
	ex_fail("no scenario writes directly");
	return 0;
}

/* ---- write-back ---- */

/* What was dirty before is on the disk then: a write that is complete, or a later one. */
void cached_sync(int unused)
{
	must(mapping_sync(mapping) == 0);
	must(READ_ONCE(on_disk[FIRST]) >= 1);
	atomic_inc(&syncs);
	wake_all(&disk_queue);
}

void cached_write_killed(int unused)
{
	WRITE_ONCE(killed, current);
	(void)mapping_start_write(mapping);
}

static void write_page_to_disk(void)
{
	struct page *page = __atomic_exchange_n(&written, NULL, __ATOMIC_SEQ_CST);
	unsigned char first = page_bytes(page)[FIRST];

	must(page_bytes(page)[SECOND] == first);
	WRITE_ONCE(on_disk[FIRST], first);
	WRITE_ONCE(on_disk[STORED], page_bytes(page)[STORED]);
	page_write_done(page, 0);
	page_put(page);
}

void cached_disk(int nr)
{
	do {
		wait_event(&disk_queue, READ_ONCE(written) || atomic_read(&syncs) == nr);
		if (READ_ONCE(written))
			write_page_to_disk();
	} while (atomic_read(&syncs) < nr);
}
