/* Stores through a mapping of a file, against lending, write(2), truncate and write-back. */
#include "cached.h"
#include "spaces.h"

/* The page is mapped and has been stored to, so it is dirty and writable there. */
static void mapped_page(void)
{
	cached_page();
	space_make(SHARED, &cached_file);
	must(ex_store(USER_PAGE + STORED, 1) == 0);
}

/* Nothing has been read or stored yet: the page is in the cache only. */
static void unmapped_page(void)
{
	cached_page();
	space_make(SHARED, &cached_file);
}

/* The bytes of a slot stay what they were. */
static void lend(int unused)
{
	struct page *page = cached_lend();
	unsigned char seen;

	if (!page)
		return;
	seen = page_bytes(page)[STORED];
	must(page_bytes(page)[STORED] == seen);
	page_unlend(page);
	page_put(page);
}

static void store(int last)
{
	for (int value = 2; value <= last; value++)
		must(ex_store(USER_PAGE + STORED, value) == 0);
}

static void store_and_load(int value)
{
	must(ex_store(USER_PAGE + STORED, value) == 0);
	must(ex_load(USER_PAGE + STORED) == value);
}

/* No store is lost, wherever the file's page has gone. The program sees the file's page. */
static void stored(unsigned char value, unsigned char first)
{
	struct page *page = cached_find();

	must(page_bytes(page)[STORED] == value);
	must(page_bytes(page)[FIRST] == first && page_bytes(page)[SECOND] == first);
	must(page->flags & PG_DIRTY || on_disk[STORED] == value);
	must(!(page->flags & (PG_LOCKED | PG_WRITEBACK)) && atomic_read(&page->lent) == 0);
	must(ex_load(USER_PAGE + STORED) == value);
	must(frame_page(pte_frame(space_entry(space))) == page);
	page_put(page);
	space_drop();
	must(atomic_read(&page->mapped) == 0 && atomic_read(&page->refs) == 1);
	ex_must_have_freed();
}

static void stored_3(void)
{
	stored(3, 1);
}

static void stored_2(void)
{
	stored(2, 1);
}

static void stored_and_written(void)
{
	stored(2, 2);
}

SCENARIO(store_lend, "a page is lent while a program stores to it", mapped_page, stored_3,
	 { "lender", lend, 0 }, { "program", store, 3 });

SCENARIO(store_lend_fault, "the same, and the program has not used the page before", unmapped_page,
	 stored_2, { "lender", lend, 0 }, { "program", store, 2 });

SCENARIO(store_two, "two threads of a program, and a page that is lent", mapped_page, stored_2,
	 { "lender", lend, 0 }, { "thread0", store_and_load, 2 },
	 { "thread1", store_and_load, 2, TWIN });

SCENARIO(store_lend_write, "a page is lent, stored to and written to", mapped_page,
	 stored_and_written, { "lender", lend, 0 }, { "program", store, 2 },
	 { "writer", cached_write, 2 });

/* ---- private mappings ---- */

static struct mm *child;

/* A program and its child map the page. The program has stored, so what it has is a copy. */
static void private_copy(void)
{
	cached_page();
	space_make(PRIVATE, &cached_file);
	must(ex_load(USER_PAGE + STORED) == 1);
	child = mm_fork(space);
	must(!IS_ERR(child));
	must(ex_store(USER_PAGE + STORED, 4) == 0);
}

static void load(int value)
{
	must(ex_load(USER_PAGE + STORED) == value);
}

static void written_but_for_the_copy(void)
{
	load(4);
	must(ex_load(USER_PAGE + FIRST) == 1);
	space_drop();
	ex_run_in(child);
	must(ex_load(USER_PAGE + FIRST) == 2 && ex_load(USER_PAGE + STORED) == 1);
	ex_run_in(space);
	mm_put(child);
	cached_remove();
}

SCENARIO(store_private, "a page is lent and written to, and a program has a copy of its own",
	 private_copy, written_but_for_the_copy, { "lender", lend, 0 },
	 { "writer", cached_write, 2 }, { "program", load, 4 });

/* ---- write-back ---- */

SCENARIO(store_writeback, "a program stores to a page that is written back", mapped_page, stored_3,
	 { "program", store, 3 }, { "sync", cached_sync, 0 }, { "disk", cached_disk, 1 });

/* ---- truncate ---- */

static void store_or_bus(int value)
{
	int error = ex_store(USER_PAGE + STORED, value);

	must(error == 0 || error == -EIO);
}

static void load_or_bus(int unused)
{
	int seen = ex_load(USER_PAGE + STORED);

	must(seen == 1 || seen == -EIO);
	if (seen == -EIO)
		must(ex_load(USER_PAGE + STORED) == -EIO);
}

/* Nobody maps a page that its file has given up. */
static void nothing_is_left(void)
{
	must(space_entry(space) == 0);
	must(ex_load(USER_PAGE + STORED) == -EIO);
	space_drop();
	cached_must_be_gone();
}

SCENARIO(store_truncate, "truncate removes a page that a program stores to", mapped_page,
	 nothing_is_left, { "program", store_or_bus, 2 }, { "truncate", cached_truncate, 0 });

SCENARIO(store_truncate_lent, "the same, and the page is lent", mapped_page, nothing_is_left,
	 { "program", store_or_bus, 2 }, { "lender", lend, 0 }, { "truncate", cached_truncate, 0 });

static struct page *promised; /* lent before the tasks begin */

static void mapped_and_lent(void)
{
	mapped_page();
	promised = cached_lend();
}

static void nothing_but_the_slot(void)
{
	must(page_bytes(promised)[STORED] == 1 && !promised->mapping);
	page_unlend(promised);
	page_put(promised);
	nothing_is_left();
}

SCENARIO(store_truncate_copy, "truncate removes a page that a store replaces, because it is lent",
	 mapped_and_lent, nothing_but_the_slot, { "program", store_or_bus, 2 },
	 { "truncate", cached_truncate, 0 });

SCENARIO(load_truncate, "truncate removes a page that a program loads from", unmapped_page,
	 nothing_is_left, { "program", load_or_bus, 0 }, { "truncate", cached_truncate, 0 });
