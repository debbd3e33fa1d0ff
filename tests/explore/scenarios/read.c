/* Reading a page of a file that is not in the cache yet. */
#include "cached.h"

static void read(int unused)
{
	must(cached_read(FIRST) == 0);
}

static void read_or_end(int unused)
{
	int byte = cached_read(FIRST);

	must(byte == 0 || byte == -1);
}

static void there(void)
{
	struct page *page = cached_find();

	must(page && page->flags & PG_UPTODATE && atomic_read(&page->refs) == 2);
	must(atomic_read(&cached_inode.mapping.reads) == 0);
	page_put(page);
}

SCENARIO(read_two, "two readers of a page that is not in the cache", cached_hole, there,
	 { "reader0", read, 0 }, { "reader1", read, 0, TWIN });

SCENARIO(read_truncate, "a page is read while truncate removes it", cached_hole,
	 cached_must_be_gone, { "reader", read_or_end, 0 }, { "truncate", cached_truncate, 0 });
