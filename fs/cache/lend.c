/*
 * Lending a cached page, and changing one that is lent: the two sides of the promise that bytes in
 * a slot never change.
 *
 * 1. A page's bytes change only while it is locked, or through a writable user mapping. A mapping
 *    becomes writable only under the page lock, and only if `lent` is zero as seen under the
 *    page-table lock.
 * 2. The lender raises `lent` first and looks at PG_UPTODATE afterwards; the writer locks first and
 *    looks at `lent` afterwards. One of them sees the other:
 *
 *	lender				writer
 *	lent++				locks the page
 *	uptodate? then waits		lent? then copies, and changes the copy
 *	until it is unlocked		else changes the page, unlocks it
 *
 *    Were PG_UPTODATE looked at first, a read could end and a writer begin in between, and the
 *    lender would publish without having waited for the writer.
 * 3. After the wait no writer is left but user mappings that were writable before: these are
 *    write-protected, so that their next store faults and finds `lent`.
 * 4. A page that is not uptodate when it is lent is still being read, or its read failed: nobody
 *    changes its bytes before it is uptodate, and from then on writers see `lent`. So the lender
 *    need not wait.
 * 5. A lent page that must change is replaced: its copy takes its place in the file; the slots keep
 *    the old one, which is in no file any more (page->mapping is NULL).
 *
 * Checked exhaustively on a model with IO, writer, fault, splicer and truncate, tests/model/lend.pml,
 * which has a counterexample for each of 2, 3 and 5 broken.
 */
#include "fs/cache/pagecache.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"
#include "mm/vm/vm.h"

/*
 * `lent` of an uptodate page has been raised: write-protect every mapping, and make sure that the page
 * is still in its file. On an error `lent` is lowered again.
 */
static int protect_lent(struct page *page)
{
	int error = page_lock_killable(page);

	if (!error) {
		if (!page->mapping)
			error = -ENODATA;
		else if (atomic_read(&page->mapped) > 0 &&
			 mapping_protect_page(page->mapping, page))
			page_set_dirty(page);
		page_unlock(page);
	}
	if (error)
		page_unlend(page);
	return error;
}

//BOOK: lend
int page_lend(struct page *page)
{
	unsigned int flags;

	atomic_inc(&page->lent); /* a full barrier: before the flags are read */
	flags = READ_ONCE(page->flags);
	if (flags & PG_UPTODATE && (flags & PG_LOCKED || atomic_read(&page->mapped) > 0))
		return protect_lent(page);
	if (!(flags & PG_LOCKED) && !READ_ONCE(page->mapping)) {
		page_unlend(page);
		return -ENODATA;
	}
	return 0;
}

/* `new`, locked, takes the place of the locked `old`, of which the caller's reference goes. */
static void exchange(struct mapping *mapping, struct page *old, struct page *new)
{
	mapping_replace_page(mapping, old, new);
	if (new->flags & PG_UPTODATE)
		page_set_dirty(new);
	if (atomic_read(&old->mapped) > 0)
		mapping_unmap_page(mapping, old);
	page_unlock(old);
	page_put(old);
}

/*
 * Put a new page in the place of the locked, lent one, which is not being written back: returns it
 * locked, with the caller's reference; the old one is unlocked and the caller's reference to it
 * dropped. NULL: no memory, and nothing has changed.
 *
 * Unmapped before the copy, since a store through a mapping that was not yet write-protected
 * belongs into the copy too; and once more afterwards, since until the tree changed a read fault
 * could still find the old page.
 */
static struct page *replace(struct mapping *mapping, struct page *old)
{
	struct page *new = page_alloc(0, ALLOC_HIGH);

	if (!new)
		return NULL;
	set_bits(&new->flags, PG_LOCKED);
	if (atomic_read(&old->mapped) > 0)
		mapping_unmap_page(mapping, old);
	if (old->flags & PG_UPTODATE) {
		page_copy(new, old);
		set_bits(&new->flags, PG_UPTODATE);
	}
	exchange(mapping, old, new);
	return new;
}

/* The locked page at index, with a reference; a page that left the file while we waited is looked
 * up again. */
static struct page *find_locked(struct mapping *mapping, unsigned int index, bool *fresh)
{
	for (;;) {
		struct page *page = mapping_find_or_add(mapping, index, fresh);
		int error;

		if (IS_ERR(page) || *fresh)
			return page;
		error = page_lock_killable(page);
		if (!error && page->mapping == mapping)
			return page;
		if (!error)
			page_unlock(page);
		page_put(page);
		if (error)
			return ERR_PTR(error);
	}
}

void page_abort_write(struct page *page)
{
	bool uptodate = page->flags & PG_UPTODATE;

	/* An unlocked page is uptodate or failed. One that was made for a hole of a file without a
	 * store has the hole's zeros; others are read (again). */
	if (!uptodate && page->mapping && !page->mapping->ops->has_store) {
		page_zero(page, 0, PAGE_SIZE);
		uptodate = true;
	}
	set_bits(&page->flags, uptodate ? PG_UPTODATE : PG_ERROR);
	page_unlock(page);
	page_put(page);
}

static bool is_lent(struct page *page)
{
	return atomic_read(&page->lent) > 0;
}

/* Replace the lent *page. Returns 0 or -ENOMEM. */
static int replace_lent(struct mapping *mapping, struct page **page)
{
	struct page *copy = replace(mapping, *page);

	if (!copy)
		return -ENOMEM;
	*page = copy;
	return 0;
}

/*
 * Get a locked page that is in its file ready for a write: with room on its disk, and not lent. On
 * an error the page is as it was, or replaced.
 *
 * A page that is not uptodate has no bytes that count: it is fresh, or going to be written whole, or
 * there is no disk behind it. Who lent a fresh one has not waited for us: it becomes uptodate with
 * what we write, and that is what he gets. One whose read has failed stays with who was lent it.
 */
static int prepare(struct mapping *mapping, struct page **page, bool fresh, unsigned int from,
		   unsigned int to)
{
	int error = page_wait_writeback(*page);

	/* Its read failed, and it will be overwritten whole. */
	if (!error && !fresh && !((*page)->flags & PG_UPTODATE) && is_lent(*page))
		error = replace_lent(mapping, page);
	/* A dirty page has its room on the disk already. */
	if (!error && !((*page)->flags & PG_DIRTY))
		error = mapping->ops->begin_write(mapping, *page, from, to);
	if (!error && (*page)->flags & PG_UPTODATE && is_lent(*page))
		error = replace_lent(mapping, page);
	return error;
}

/* Give up a page whose write could not begin. One that was made for it is taken back, unless it was
 * lent meanwhile. */
static void give_up(struct mapping *mapping, struct page *page, bool fresh)
{
	if (fresh && atomic_read(&page->lent) == 0)
		mapping_remove_page(mapping, page);
	page_abort_write(page);
}

//BOOK: begin-write
struct page *page_begin_write(struct mapping *mapping, unsigned int index, unsigned int from,
			      unsigned int to)
{
	bool part = from > 0 || to < PAGE_SIZE, fresh;
	struct page *page;
	int error;

	if (!mapping->ops->begin_write)
		return ERR_PTR(-EROFS);
	/*
	 * A write of a part needs what the disk has of the rest. It is read as it stands, locked: who
	 * was lent it meanwhile waits as for any other page, and if its read had failed gets what was
	 * promised now. A write of the whole leaves such a page to the slots, which then say ENODATA.
	 */
	for (;;) {
		page = find_locked(mapping, index, &fresh);
		if (IS_ERR(page))
			return page;
		if (!part || page->flags & PG_UPTODATE || !mapping->ops->has_store)
			break;
		page_read_locked(page);
		error = page_wait_read(page);
		page_put(page);
		if (error && error != -ENODATA)
			return ERR_PTR(error);
	}
	error = prepare(mapping, &page, fresh, from, to);
	if (error) {
		give_up(mapping, page, fresh);
		return ERR_PTR(error);
	}
	return page;
}

int page_overwrite(struct mapping *mapping, unsigned int index, struct page *new)
{
	bool fresh;
	struct page *old = find_locked(mapping, index, &fresh);
	int error;

	if (IS_ERR(old))
		return PTR_ERR(old);
	error = page_wait_writeback(old);
	if (!error)
		error = mapping->ops->begin_write(mapping, old, 0, PAGE_SIZE);
	if (error) {
		give_up(mapping, old, fresh);
		return error;
	}
	new->flags |= PG_LOCKED | PG_UPTODATE;
	exchange(mapping, old, new);
	return 0;
}

void page_end_write(struct page *page)
{
	page_set_dirty(page);
	clear_bits(&page->flags, PG_ERROR);
	set_bits(&page->flags, PG_UPTODATE | PG_REFERENCED);
	page_unlock(page);
	page_put(page);
}

struct page *page_make_writable(struct mapping *mapping, struct page *page)
{
	int error;

	if (!mapping->ops->begin_write)
		return ERR_PTR(-EROFS);
	/* It is uptodate, so an error leaves everything as it was. */
	error = prepare(mapping, &page, false, 0, PAGE_SIZE);
	if (error)
		return ERR_PTR(error);
	page_set_dirty(page);
	return page;
}
