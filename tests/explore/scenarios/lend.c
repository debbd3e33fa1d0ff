/* Lending a cached page against writes, write-back and truncate. */
#include "fs/cache/pagecache.h"
#include "fs/names/vfs.h"
#include "kernel/wait.h"
#include "shim.h"

/* Both bytes of the page are equal whenever nobody is in the middle of a write. */
#define SECOND 64

static struct inode inode;
static struct mapping *mapping = &inode.mapping;
static struct page *written; /* handed to the disk */
static struct wait_queue disk_queue;

static int start_write(struct mapping *mapping, struct page *page)
{
	must(page_get(page));
	(void)__atomic_exchange_n(&written, page, __ATOMIC_SEQ_CST);
	wake_all(&disk_queue);
	return 0;
}

static int get_room(struct mapping *mapping, struct page *page, unsigned int from, unsigned int to)
{
	return 0;
}

static void read_nothing(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	ex_fail("the page is there already");
}

static const struct mapping_ops ops = {
	.read_pages = read_nothing,
	.write_page = start_write,
	.begin_write = get_room,
	.has_store = true,
};

static unsigned char *bytes(struct page *page)
{
	return page_address_low(page);
}

static void cached_page(void)
{
	struct page *page;
	bool fresh;

	mapping_init(mapping, &inode, &ops);
	mutex_init(&inode.lock, "inode");
	inode.size = PAGE_SIZE;
	wait_queue_init(&disk_queue, "disk");
	page = mapping_find_or_add(mapping, 0, &fresh);
	must(fresh);
	bytes(page)[0] = bytes(page)[SECOND] = 1;
	page->flags |= PG_UPTODATE;
	page_unlock(page);
	page_put(page);
	ex_count_memory();
}

static void dirty_page(void)
{
	struct page *page;

	cached_page();
	page = mapping_find(mapping, 0);
	page_set_dirty(page);
	page_put(page);
}

/* As splice does, and then as a reader of the slot. */
static void lend_and_read(bool whole)
{
	struct page *page;
	unsigned char first, second;
	int error;

	for (;;) {
		page = mapping_find(mapping, 0);
		if (!page)
			return;
		error = page_lend(page);
		if (!error)
			break;
		must(error == -ENODATA);
		page_put(page);
	}
	first = bytes(page)[0];
	second = bytes(page)[SECOND];
	must(!whole || second == first);
	must(bytes(page)[0] == first && bytes(page)[SECOND] == second);
	page_unlend(page);
	page_put(page);
}

static void lend(int unused)
{
	lend_and_read(true);
}

static void write(int value)
{
	struct page *page = page_begin_write(mapping, 0, 0, PAGE_SIZE);

	must(!IS_ERR(page));
	bytes(page)[0] = value;
	bytes(page)[SECOND] = value;
	page_end_write(page);
}

static void unlent(void)
{
	struct page *page = mapping_find(mapping, 0);

	must(bytes(page)[0] == bytes(page)[SECOND] && bytes(page)[0] >= 1);
	must(!(page->flags & (PG_LOCKED | PG_WRITEBACK)) && atomic_read(&page->lent) == 0);
	must(page->mapping == mapping && atomic_read(&page->refs) == 2);
	page_put(page);
	ex_must_have_freed();
}

SCENARIO(lend_write, "a page is lent while it is written to", cached_page, unlent,
	 { "lender", lend, 0 }, { "writer", write, 2 });

SCENARIO(lend_two_writers, "the same with two writers", cached_page, unlent, { "lender", lend, 0 },
	 { "writer2", write, 2 }, { "writer3", write, 3 });

SCENARIO(lend_twice, "two slots and a writer", cached_page, unlent, { "lender0", lend, 0 },
	 { "lender1", lend, 0 }, { "writer", write, 2 });

/* ---- write-back: the disk gets one state of the page ---- */

static unsigned char on_disk;
static struct atomic syncs;

/* What was dirty before is on the disk then: a write that is complete, or a later one. */
static void sync(int unused)
{
	must(mapping_sync(mapping) == 0);
	must(READ_ONCE(on_disk) >= 1);
	atomic_inc(&syncs);
	wake_all(&disk_queue);
}

static void write_page_to_disk(void)
{
	struct page *page = __atomic_exchange_n(&written, NULL, __ATOMIC_SEQ_CST);
	unsigned char first = bytes(page)[0];

	must(bytes(page)[SECOND] == first);
	WRITE_ONCE(on_disk, first);
	page_write_done(page, true);
	page_put(page);
}

/* Until so many syncs have returned. */
static void disk(int nr)
{
	do {
		wait_event(&disk_queue, READ_ONCE(written) || atomic_read(&syncs) == nr);
		if (READ_ONCE(written))
			write_page_to_disk();
	} while (atomic_read(&syncs) < nr);
}

SCENARIO(lend_writeback, "a page is lent and written to while it is written back", dirty_page,
	 unlent, { "lender", lend, 0 }, { "writer", write, 2 }, { "sync", sync, 0 },
	 { "disk", disk, 1 });

SCENARIO(writeback_write, "a page is written to while it is written back", dirty_page, unlent,
	 { "writer", write, 2 }, { "sync", sync, 0 }, { "disk", disk, 1 });

SCENARIO(sync_twice, "two syncs of one dirty page", dirty_page, unlent, { "sync0", sync, 0 },
	 { "sync1", sync, 0 }, { "disk", disk, 2 });

/* ---- truncate ---- */

static void truncate_to(int size)
{
	struct page *tail;

	mutex_lock(&inode.lock);
	tail = mapping_begin_truncate(mapping, size);
	must(!IS_ERR(tail));
	(void)__sync_lock_test_and_set((int *)&inode.size, size);
	mapping_truncate(mapping, size, tail);
	mutex_unlock(&inode.lock);
}

/* The file may have ended in the middle of the page before that: its tail is zero then. */
static void lend_any(int unused)
{
	lend_and_read(false);
}

static void tail_is_zero(void)
{
	struct page *page = mapping_find(mapping, 0);

	must(bytes(page)[SECOND] == 0);
	page_put(page);
	ex_must_have_freed();
}

static void nothing_is_left(void)
{
	must(!mapping_find(mapping, 0));
}

SCENARIO(lend_truncate_tail, "truncate zeroes the tail of a page that is lent", cached_page,
	 tail_is_zero, { "lender", lend_any, 0 }, { "truncate", truncate_to, SECOND - 1 });

SCENARIO(lend_truncate, "truncate removes a page that is lent", cached_page, nothing_is_left,
	 { "lender", lend, 0 }, { "truncate", truncate_to, 0 });
