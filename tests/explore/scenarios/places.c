/*
 * Direct reads and writes of a file: the disk is read and written while the file's place is held,
 * against tasks that use the page cache.
 */
#include "cached.h"
#include "fs/cache/places.h"
#include "fs/cache/writeback.h"
#include "spaces.h"

/* What the disk has in the file's one block, as FIRST and SECOND. */
static unsigned char disk[2];
static bool freed; /* truncation has freed the block */

static void read_block(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	must(nr == 1);
	page_zero(pages[0], 0, PAGE_SIZE);
	page_bytes(pages[0])[FIRST] = READ_ONCE(disk[0]);
	page_bytes(pages[0])[SECOND] = READ_ONCE(disk[1]);
	page_read_done(pages[0], true);
}

static int write_block(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	must(nr == 1);
	WRITE_ONCE(disk[0], page_bytes(pages[0])[FIRST]);
	WRITE_ONCE(disk[1], page_bytes(pages[0])[SECOND]);
	page_write_done(pages[0], 0);
	return 0;
}

static int get_room(struct mapping *mapping, struct page *page, unsigned int from, unsigned int to)
{
	return 0;
}

static const struct mapping_ops ops = {
	.read_pages = read_block,
	.write_pages = write_block,
	.begin_write = get_room,
	.has_store = true,
};

/* The disk and the cache have ones. */
static void both_have_ones(void)
{
	cached_page();
	cached_inode.mapping.ops = &ops;
	disk[0] = disk[1] = 1;
}

/* The cache has nothing. */
static void disk_has_ones(void)
{
	cached_hole();
	cached_inode.mapping.ops = &ops;
	disk[0] = disk[1] = 1;
}

/* The cache has ones that the disk has not got yet. */
static void cache_has_ones(void)
{
	cached_dirty_page();
	cached_inode.mapping.ops = &ops;
	disk[0] = disk[1] = 0;
}

static struct places places[2];

/* The disk gets other bytes, one after the other. */
static void write_directly(int value)
{
	must(places_hold(&places[0], &cached_inode.mapping, 0, 1, PLACES_WRITE) == 1);
	must(READ_ONCE(disk[0]) == READ_ONCE(disk[1]) && READ_ONCE(disk[0]) > 0);
	WRITE_ONCE(disk[0], value);
	WRITE_ONCE(disk[1], value);
	places_release(&places[0], 1);
}

/* Never a part of a write, nor what the disk had before a write to the cache. */
static void read_directly(int unused)
{
	int held = places_hold(&places[1], &cached_inode.mapping, 0, 1, PLACES_READ);

	must(held >= 0);
	if (held == 0) /* the page is in use: its bytes would be copied */
		return;
	if (inode_size(&cached_inode) > 0) {
		must(!READ_ONCE(freed));
		must(READ_ONCE(disk[0]) == READ_ONCE(disk[1]) && READ_ONCE(disk[0]) > 0);
		must(!READ_ONCE(freed));
	}
	places_release(&places[1], 0);
}

static struct page *whole_page(void)
{
	for (;;) {
		struct page *page = mapping_read_page(&cached_inode.mapping, 0);

		must(!IS_ERR(page));
		if (READ_ONCE(page->mapping))
			return page;
		page_put(page);
	}
}

/* A page that has been read has all of a write or nothing. */
static void read(int unused)
{
	struct page *page = mapping_read_page(&cached_inode.mapping, 0);

	must(!IS_ERR(page));
	must(page_bytes(page)[FIRST] == page_bytes(page)[SECOND]);
	page_put(page);
}

/* A slot's bytes are whole when they arrive, and stay. */
static void lend(int unused)
{
	struct page *page = cached_lend();
	unsigned char seen;

	if (!page)
		return;
	if (page_wait_read(page) == 0) {
		seen = page_bytes(page)[FIRST];
		must(page_bytes(page)[SECOND] == seen && seen > 0);
		must(page_bytes(page)[FIRST] == seen);
	}
	page_unlend(page);
	page_put(page);
}

static void truncate(int unused)
{
	cached_truncate(0);
	WRITE_ONCE(freed, true);
}

/* The cache and the disk agree at the end, and nothing is held. */
static void agree(void)
{
	struct page *page = whole_page();

	must(!(page->flags & (PG_LOCKED | PG_WRITEBACK)) && atomic_read(&page->lent) == 0);
	must(page_bytes(page)[FIRST] == page_bytes(page)[SECOND]);
	must(page->flags & PG_DIRTY || page_bytes(page)[FIRST] == disk[0]);
	must(page_bytes(page)[FIRST] >= 2);
	page_put(page);
	cached_remove();
}

static void nothing_is_left(void)
{
	cached_must_be_gone();
}

SCENARIO(places_read, "a direct write, and tasks that read and lend the page", both_have_ones,
	 agree, { "direct", write_directly, 2 }, { "reader", read, 0 }, { "lender", lend, 0 });
SCENARIO(places_cold, "the same if the page is not in the cache", disk_has_ones, agree,
	 { "direct", write_directly, 2 }, { "reader", read, 0 }, { "lender", lend, 0 });
SCENARIO(places_write, "a direct write, and a write to the cache", cache_has_ones, agree,
	 { "direct", write_directly, 2 }, { "writer", cached_write, 3 });
SCENARIO(places_both, "a direct write and a direct read of what is dirty", cache_has_ones, agree,
	 { "direct", write_directly, 2 }, { "reader", read_directly, 0 });
SCENARIO(places_truncate, "a direct read, and truncation that frees the block", disk_has_ones,
	 nothing_is_left, { "reader", read_directly, 0 }, { "truncater", truncate, 0 });
