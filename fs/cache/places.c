/*
 * Holding places of a file. The contract is in fs/cache/places.h.
 */
#include "fs/cache/places.h"
#include "fs/cache/lru.h"
#include "fs/cache/writeback.h"
#include "mm/kmap.h"
#include "mm/vm/vm.h"

/* Lock a page of the cache. Returns 1, 0 if it has left the file, or -ERESTARTSYS. */
static int lock_cached(struct mapping *mapping, struct page *page)
{
	int error = page_lock(page, TASK_KILLABLE);

	if (error)
		return error;
	if (page->mapping == mapping)
		return 1;
	page_unlock(page);
	return 0;
}

/*
 * Remove the locked page for a write. Its place is taken in the same moment, so that no task adds
 * another page. The page is unmapped first: from then on no program can store to it, and what was
 * stored before is written. Returns the page that holds the place, locked and with a reference, or
 * ERR_PTR. On success `old` is unlocked and dropped.
 */
//BOOK: hold-for-write
static struct page *replace(struct mapping *mapping, struct page *old)
{
	struct page *new;
	int error;

	if (mapping_unmap_page(mapping, old))
		page_set_dirty(old);
	error = page_write_locked(mapping, old);
	if (error)
		return ERR_PTR(error);
	new = page_alloc(0, ALLOC_HIGH);
	if (!new)
		return ERR_PTR(-ENOMEM);
	new->flags |= PG_LOCKED;
	mapping_replace_page(mapping, old, new);
	return new;
}

/* A page stands at this index. Returns 1 if its place is held now, 0 to look again, or an error. */
static int hold_for_write(struct mapping *mapping, struct page *page, struct page **held)
{
	int error = lock_cached(mapping, page);

	if (error <= 0) {
		page_put(page);
		return error;
	}
	*held = replace(mapping, page);
	if (!IS_ERR(*held))
		return 1;
	page_unlock(page);
	page_put(page);
	return PTR_ERR(*held);
}

/*
 * Drop the page, so that its place can be held for a read. Returns 0 to look again, 1 if the page
 * is in use, or an error. A page that is locked is waited for: it is being read, or holds a place
 * for another task.
 */
static int drop_for_read(struct mapping *mapping, struct page *page)
{
	int error = 0;
	bool dropped;

	if (page_has(page, PG_LOCKED)) {
		error = page_wait(page, PG_LOCKED, TASK_KILLABLE);
		page_put(page);
		return error;
	}
	dropped = page_try_drop(page) || READ_ONCE(page->mapping) != mapping ||
		  page_has(page, PG_LOCKED);
	page_put(page);
	return !dropped;
}

/*
 * Hold some places from `index` on, where some are needed. Returns how many, 0 to look again, or an
 * error.
 */
static int hold_some(struct places *places, unsigned int index, unsigned int nr,
		     enum places_use use, bool *in_use)
{
	struct mapping *mapping = places->mapping;
	struct page **held = places->pages + places->nr, *page;
	unsigned int hole = mapping_hole(mapping, index, nr);
	int n;

	if (hole > 0) {
		/* More than one place is a matter of speed, for which no process is killed. */
		n = mapping_add_new(mapping, index, held, hole,
				    places->nr > 0 ? ALLOC_OPTIONAL : 0);
		for (int i = 0; i < n; i++)
			page_ref(held[i]);
		return n;
	}
	page = mapping_find(mapping, index);
	if (!page)
		return 0;
	if (use == PLACES_WRITE)
		return hold_for_write(mapping, page, held);
	n = drop_for_read(mapping, page);
	*in_use = n > 0;
	return MIN(n, 0);
}

int places_hold(struct places *places, struct mapping *mapping, unsigned int first, unsigned int nr,
		enum places_use use)
{
	bool in_use = false;
	int n;

	places->mapping = mapping;
	places->first = first;
	places->nr = 0;
	/*
	 * Many dirty pages are written at once here, and the few that become dirty again one by
	 * one.
	 */
	n = mapping_write_range(mapping, first, first + nr - 1);
	while (n >= 0 && !in_use && places->nr < nr) {
		n = hold_some(places, first + places->nr, nr - places->nr, use, &in_use);
		places->nr += MAX(n, 0);
	}
	return places->nr > 0 ? (int)places->nr : MIN(n, 0);
}

/* The disk has not got the bytes of a page that has room: it becomes zeros. */
static void fill_with_zeros(struct page *page)
{
	page_zero(page, 0, PAGE_SIZE);
	set_bits(&page->flags, PG_UPTODATE);
}

//BOOK: release-place
static void release(struct mapping *mapping, struct page *page, bool written)
{
	if (written)
		page_clear_dirty(mapping, page);
	if (page_has(page, PG_DIRTY))
		fill_with_zeros(page);
	if (page_has(page, PG_DIRTY) || mapping_remove_page(mapping, page, false))
		page_unlock(page);
	else
		page_read_locked(page); /* the end of the read unlocks it */
	page_put(page);
}

void places_release(struct places *places, unsigned int end)
{
	for (unsigned int i = 0; i < places->nr; i++)
		release(places->mapping, places->pages[i], places->first + i < end);
	places->nr = 0;
}
