/*
 * Lending a cached page, and changing one that is lent: the two sides of the promise that bytes in
 * a slot never change.
 *
 * 1. A page's bytes change only while it is locked, or through a writable user mapping. A mapping
 *    becomes writable only while the page is locked, and only if `lent` is zero then.
 * 2. The lender raises `lent` first and checks PG_UPTODATE afterwards. The writer locks the page
 *    first and checks `lent` afterwards. At least one of them sees the other:
 *
 *	lender				writer
 *	lent++				locks the page
 *	uptodate? then waits		lent? then copies, and changes the copy
 *	until it is unlocked		else changes the page, unlocks it
 *
 *    If the lender checked PG_UPTODATE first, a read could end and a writer begin in between. The
 *    lender would then publish the slot without having waited for the writer.
 * 3. After that wait, only user mappings that were writable before can still change the page. They
 *    are write-protected, so that their next store faults and finds `lent`.
 * 4. A page that is not uptodate is still being read, or its read has failed. Nobody changes its
 *    bytes before it is uptodate, and all writers after that see `lent`. The lender need not wait.
 * 5. A lent page that has to change is replaced by a copy in its file. The slots keep the old page,
 *    which is in no file any more (page->mapping is NULL).
 *
 * tests/model/lend.pml is a model of this with IO, a writer, a fault, a splice and truncate. It is
 * checked exhaustively, and gives a counterexample if rule 2, 3 or 5 is broken.
 */
#include "fs/cache/writeback.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"
#include "mm/vm/vm.h"

/*
 * `lent` of an uptodate page has been raised: write-protect every mapping, and make sure that the
 * page is still in its file. On an error `lent` is lowered again.
 */
static int protect_lent(struct page *page)
{
	int error = page_lock(page, TASK_KILLABLE);

	if (!error) {
		if (!page->mapping)
			error = -ENODATA;
		else if (mapping_protect_page(page->mapping, page))
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

static bool is_lent(struct page *page)
{
	return atomic_read(&page->lent) > 0;
}

/*
 * Replace the locked, lent *page by a copy. The page is not being written back. *page becomes the
 * copy, locked and with a reference. The old page is unlocked, and the caller's reference to it is
 * dropped. Returns 0, or -ENOMEM, and then nothing has changed.
 *
 * The old page is unmapped before the copy, because a store through a mapping that is not yet
 * write-protected must reach the copy too. No fault maps it again meanwhile, because it is locked.
 */
static int replace_lent(struct mapping *mapping, struct page **page)
{
	struct page *old = *page, *new = page_alloc(0, ALLOC_HIGH);

	if (!new)
		return -ENOMEM;
	set_bits(&new->flags, PG_LOCKED);
	mapping_unmap_page(mapping, old);
	if (page_has(old, PG_UPTODATE)) {
		page_copy(new, old);
		set_bits(&new->flags, PG_UPTODATE);
	}
	mapping_replace_page(mapping, old, new);
	*page = new;
	return 0;
}

/*
 * The page at index, locked and with a reference. If it leaves the file while we wait for its lock,
 * it is looked up again.
 */
static struct page *find_locked(struct mapping *mapping, unsigned int index, bool *fresh)
{
	for (;;) {
		struct page *page = mapping_find_or_add(mapping, index, fresh);
		int error;

		if (IS_ERR(page) || *fresh)
			return page;
		error = page_lock(page, TASK_KILLABLE);
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
	struct mapping *mapping = page->mapping;

	/*
	 * A page that was made for a hole has the hole's zeros: its file has no store, or the page
	 * has just got its room there. Others are read. No read has failed, so those who wait for
	 * the page must not find PG_ERROR.
	 */
	if (mapping && mapping->ops->has_store && !page_has(page, PG_UPTODATE | PG_DIRTY)) {
		page_read_locked(page); /* the end of the read unlocks it */
	} else {
		if (mapping && !page_has(page, PG_UPTODATE))
			page_zero(page, 0, PAGE_SIZE);
		set_bits(&page->flags, mapping ? PG_UPTODATE : PG_ERROR);
		page_unlock(page);
	}
	page_put(page);
}

/*
 * Prepare a locked page in its file for a write: it has room in the file system and is not lent. On
 * an error the page is as it was, or has been replaced.
 *
 * The bytes of a page that is not uptodate do not count: it is fresh, or will be overwritten whole,
 * or has no disk behind it. A slot that lent a fresh page sees the bytes that we are about to
 * write. A page whose read has failed is left to the slots that hold it.
 */
static int prepare(struct mapping *mapping, struct page **page, bool fresh, unsigned int from,
		   unsigned int to)
{
	int error = page_wait(*page, PG_WRITEBACK, TASK_KILLABLE);

	/* Its read has failed, and the whole page will be overwritten. */
	if (!error && !fresh && !page_has(*page, PG_UPTODATE) && is_lent(*page))
		error = replace_lent(mapping, page);
	/* A dirty page has its room on the disk already. */
	if (!error && (!page_has(*page, PG_DIRTY) || mapping->ops->room_by_parts))
		error = mapping->ops->begin_write(mapping, *page, from, to);
	if (!error && page_has(*page, PG_UPTODATE) && is_lent(*page))
		error = replace_lent(mapping, page);
	return error;
}

/*
 * Give up a page whose write could not begin. A page that was made for this write is removed again,
 * unless another task has found it, and may be lending it. A file without a store has no room for
 * the page, and nobody lends such a page before it is uptodate.
 */
static void give_up(struct mapping *mapping, struct page *page, bool fresh)
{
	if (fresh)
		mapping_remove_page(mapping, page, !mapping->ops->has_store);
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
	 * A write of a part needs the rest of the page from the disk. The page is read while it is
	 * in its file, like any other page, so a slot that holds it gets the bytes that were
	 * promised. A write of the whole page does not read it. If its read had failed, it is left
	 * to its slots, which then report ENODATA.
	 */
	for (;;) {
		page = find_locked(mapping, index, &fresh);
		if (IS_ERR(page))
			return page;
		if (!part || page_has(page, PG_UPTODATE) || !mapping->ops->has_store)
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
	struct page *old = page_begin_write(mapping, index, 0, PAGE_SIZE);

	if (IS_ERR(old))
		return PTR_ERR(old);
	new->flags |= PG_LOCKED | PG_UPTODATE;
	mapping_replace_page(mapping, old, new);
	page_end_write(new);
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
	/*
	 * It is uptodate, so an error leaves everything as it was. The bytes behind the end need no
	 * room.
	 */
	error = prepare(mapping, &page, false, 0, mapping_page_bytes(mapping, page));
	if (error)
		return ERR_PTR(error);
	page_set_dirty(page);
	return page;
}
