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

/* ---- write-back: the disk gets one state of the page ---- */

SCENARIO(lend_writeback, "a page is lent and written to while it is written back",
	 cached_dirty_page, unlent, { "lender", lend, 0 }, { "writer", cached_write, 2 },
	 { "sync", cached_sync, 0 }, { "disk", cached_disk, 1 });

SCENARIO(writeback_write, "a page is written to while it is written back", cached_dirty_page,
	 unlent, { "writer", cached_write, 2 }, { "sync", cached_sync, 0 },
	 { "disk", cached_disk, 1 });

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

SCENARIO(lend_truncate, "truncate removes a page that is lent", cached_page, cached_must_be_gone,
	 { "lender", lend, 0 }, { "truncate", cached_truncate, 0 });
