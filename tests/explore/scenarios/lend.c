/* Lending a cached page against writes, write-back and truncate. */
#include "cached.h"

/* As splice does, and then as a reader of the slot. */
static void lend_and_read(bool whole)
{
	struct page *page = cached_lend();
	unsigned char first, second;

	if (!page)
		return;
	first = page_bytes(page)[FIRST];
	second = page_bytes(page)[SECOND];
	must(!whole || second == first);
	must(page_bytes(page)[FIRST] == first && page_bytes(page)[SECOND] == second);
	page_unlend(page);
	page_put(page);
}

static void lend(int unused)
{
	lend_and_read(true);
}

static void unlent(void)
{
	struct page *page = cached_find();

	must(page_bytes(page)[FIRST] == page_bytes(page)[SECOND] && page_bytes(page)[FIRST] >= 1);
	must(!(page->flags & (PG_LOCKED | PG_WRITEBACK)) && atomic_read(&page->lent) == 0);
	must(page->mapping == &cached_inode.mapping && atomic_read(&page->refs) == 2);
	page_put(page);
	ex_must_have_freed();
}

SCENARIO(lend_write, "a page is lent while it is written to", cached_page, unlent,
	 { "lender", lend, 0 }, { "writer", cached_write, 2 });

SCENARIO(lend_two_writers, "the same with two writers", cached_page, unlent, { "lender", lend, 0 },
	 { "writer2", cached_write, 2 }, { "writer3", cached_write, 3 });

SCENARIO(lend_twice, "two slots and a writer", cached_page, unlent, { "lender0", lend, 0 },
	 { "lender1", lend, 0 }, { "writer", cached_write, 2 });

/* ---- a page without bytes ---- */

static struct page *promised; /* lent before the tasks begin */

/* The page is being read, and the disk does not answer. */
static void cold_page(void)
{
	bool fresh;

	cached_hole();
	promised = mapping_find_or_add(&cached_inode.mapping, 0, &fresh);
	must(fresh);
	page_put(promised);
	ex_count_memory();
}

static void lend_cold_page(int unused)
{
	struct page *page = cached_lend();

	must(page == promised && page_has(page, PG_LOCKED));
	page_unlend(page);
	page_put(page);
}

static void still_cold(void)
{
	must(promised->flags & PG_LOCKED && atomic_read(&promised->lent) == 0);
	must(atomic_read(&promised->refs) == 1);
	ex_must_have_freed();
}

SCENARIO(lend_cold, "a page is lent without waiting for its read", cold_page, still_cold,
	 { "lender", lend_cold_page, 0 });

/* Returns a lent page whose bytes are there, or NULL if there is none to lend. */
static struct page *lend_and_wait(void)
{
	struct page *page = cached_lend();

	if (page)
		must(page_wait_read(page) == 0);
	return page;
}

/* The slot has the bytes of the first write, which fills the page, or of the last one. */
static void lend_fresh_page(int unused)
{
	struct page *page = lend_and_wait();
	unsigned char first;

	if (!page)
		return;
	first = page_bytes(page)[FIRST];
	must(first == 2 || first == 3);
	must(page_bytes(page)[SECOND] == first && page_bytes(page)[FIRST] == first);
	page_unlend(page);
	page_put(page);
}

static void write_twice(int unused)
{
	cached_write(2);
	cached_write(3);
}

static void file_has(unsigned char first, unsigned char second)
{
	struct page *page = cached_find();

	must(page_bytes(page)[FIRST] == first && page_bytes(page)[SECOND] == second);
	must(page->flags & PG_UPTODATE && page->flags & PG_DIRTY);
	must(!(page->flags & (PG_LOCKED | PG_ERROR)) && atomic_read(&page->lent) == 0);
	must(page->mapping == &cached_inode.mapping && atomic_read(&page->refs) == 2);
	page_put(page);
	cached_remove();
}

static void written_twice(void)
{
	file_has(3, 3);
}

SCENARIO(lend_fresh, "a page is lent while a write fills it that has made it", cached_hole,
	 written_twice, { "lender", lend_fresh_page, 0 }, { "writer", write_twice, 0 });

/* The rest of the page has the disk's zeros, for the slot and for the file. */
static void lend_part(int unused)
{
	struct page *page = lend_and_wait();
	unsigned char first;

	if (!page)
		return;
	first = page_bytes(page)[FIRST];
	must(first == 0 || first == 2);
	must(page_bytes(page)[SECOND] == 0 && page_bytes(page)[FIRST] == first);
	page_unlend(page);
	page_put(page);
}

static void write_part(int value)
{
	struct page *page = page_begin_write(&cached_inode.mapping, 0, FIRST, FIRST + 1);

	must(!IS_ERR(page) && page_bytes(page)[SECOND] == 0);
	page_bytes(page)[FIRST] = value;
	page_end_write(page);
}

static void part_is_written(void)
{
	file_has(2, 0);
}

SCENARIO(lend_part, "a page is read and lent while a part of it is written", cached_hole,
	 part_is_written, { "lender", lend_part, 0 }, { "writer", write_part, 2 });

/* A page is made for a write that cannot begin. Whoever has lent it gets the disk's zeros. */
static void full_disk(void)
{
	cached_hole();
	cached_no_room = true;
}

static void lend_zeros(int unused)
{
	struct page *page = lend_and_wait();

	if (!page)
		return;
	must(page_bytes(page)[FIRST] == 0);
	page_unlend(page);
	page_put(page);
}

static void write_in_vain(int unused)
{
	must(page_begin_write(&cached_inode.mapping, 0, 0, PAGE_SIZE) == ERR_PTR(-ENOSPC));
}

static void hole_or_zeros(void)
{
	struct page *page = cached_find();

	if (page)
		page_put(page);
	if (page)
		cached_remove();
	else
		cached_must_be_gone();
}

SCENARIO(lend_given_up, "a page is lent that was made for a write which finds no room", full_disk,
	 hole_or_zeros, { "lender", lend_zeros, 0 }, { "writer", write_in_vain, 0 });

/* The page's read has failed, and a slot has it. */
static void failed_page(void)
{
	cold_page();
	must(page_lend(promised) == 0 && page_get(promised));
	set_bits(&promised->flags, PG_ERROR);
	page_unlock(promised);
}

/* The slot was promised what is on the disk, which is not there. A write is something else. */
static void read_failed_page(int unused)
{
	must(page_wait_read(promised) < 0);
}

static void failed_and_written(void)
{
	must(!promised->mapping && page_wait_read(promised) < 0);
	page_unlend(promised);
	page_put(promised);
	file_has(2, 2);
}

SCENARIO(lend_failed, "a page whose read has failed is written to, and a slot has it", failed_page,
	 failed_and_written, { "reader", read_failed_page, 0 }, { "writer", cached_write, 2 });

/* ---- write-back: the disk gets one state of the page ---- */

SCENARIO(lend_writeback, "a page is lent and written to while it is written back",
	 cached_dirty_page, unlent, { "lender", lend, 0 }, { "writer", cached_write, 2 },
	 { "sync", cached_sync, 0 }, { "disk", cached_disk, 1 });

SCENARIO(writeback_write, "a page is written to while it is written back", cached_dirty_page,
	 unlent, { "writer", cached_write, 2 }, { "sync", cached_sync, 0 },
	 { "disk", cached_disk, 1 });

SCENARIO(sync_given_up, "a task that writes a page back is killed, and another one syncs",
	 cached_dirty_page, unlent, { "killed", cached_write_killed, 0 },
	 { "sync", cached_sync, 0 }, { "disk", cached_disk, 1 });

SCENARIO(sync_twice, "two syncs of one dirty page", cached_dirty_page, unlent,
	 { "sync0", cached_sync, 0 }, { "sync1", cached_sync, 0 }, { "disk", cached_disk, 2 });

/* ---- truncate ---- */

/* The file may have ended in the middle of the page before that: its tail is zero then. */
static void lend_any(int unused)
{
	lend_and_read(false);
}

static void tail_is_zero(void)
{
	struct page *page = cached_find();

	must(page_bytes(page)[SECOND] == 0);
	page_put(page);
	ex_must_have_freed();
}

SCENARIO(lend_truncate_tail, "truncate zeroes the tail of a page that is lent", cached_page,
	 tail_is_zero, { "lender", lend_any, 0 }, { "truncate", cached_truncate, SECOND - 1 });

/* What is on the disk behind the new end must not come back. */
static void tail_will_be_written(void)
{
	struct page *page = cached_find();

	must(page && page->flags & PG_UPTODATE && page->flags & PG_DIRTY);
	must(page_bytes(page)[FIRST] == 0 && page_bytes(page)[SECOND] == 0);
	page_put(page);
	cached_remove();
}

SCENARIO(truncate_cold, "truncate zeroes the tail of a page that is not in the cache", cached_hole,
	 tail_will_be_written, { "truncate", cached_truncate, SECOND - 1 },
	 { "lender", lend_part, 0 });

/* Whoever asked for the page was killed, and reclaim looks at it while another task asks. */
static void page_not_read(void)
{
	struct page *page;
	bool fresh;

	cached_nothing();
	cached_inode.size = PAGE_SIZE;
	page = mapping_find_or_add(&cached_inode.mapping, 0, &fresh);
	page->flags |= PG_ERROR | PG_NOT_READ;
	page_unlock(page);
	page_put(page);
	ex_count_memory();
}

static void read_zero(int unused)
{
	must(cached_read(0) == 0);
}

static void drop(int unused)
{
	mapping_drop_clean(&cached_inode.mapping, 0, 0);
}

static void page_may_be_gone(void)
{
}

SCENARIO(read_not_read, "a page that was not read is read while reclaim wants to drop it",
	 page_not_read, page_may_be_gone, { "reader", read_zero, 0 }, { "reclaim", drop, 0 });

SCENARIO(lend_truncate, "truncate removes a page that is lent", cached_page, cached_must_be_gone,
	 { "lender", lend, 0 }, { "truncate", cached_truncate, 0 });
