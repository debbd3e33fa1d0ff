/*
 * Pinning a program's memory. The contract is in mm/vm/pin.h.
 */
#include "mm/vm/pin.h"
#include "mm/kmap.h"
#include "mm/vm/tables.h"
#include "mm/vm/uaccess.h"

#define PAGES_AT_ONCE 32u

/*
 * Can a device fill the page that the entry maps in private memory? Otherwise a page stands in for
 * it.
 */
static bool can_be_filled(const struct vma *vma, pte_t entry)
{
	return !(vma->flags & VMA_SHARED) && !(entry & (PTE_LARGE | PTE_SPECIAL)) &&
	       !page_has(frame_page(pte_frame(entry)), PG_HEAD | PG_TAIL);
}

/*
 * Pin the pages that are mapped from va on, up to `max`, and up to the end of the page table. For a
 * page that cannot be filled, pages[] has NULL. Returns how many there are, or 0 if the first one
 * is not present, or -ENOMEM if its reference count is full. mm->lock is held.
 */
static int pin_mapped(struct vma *vma, uintptr_t va, bool fill, struct page **pages,
		      unsigned int max)
{
	const pte_t needed = PTE_PRESENT | (fill ? PTE_WRITE : 0);
	struct mm *mm = vma->mm;
	unsigned int nr;
	int error = 0;

	max = MIN(max, (MIN(vma->end, mm_next_table(va)) - va) / PAGE_SIZE);
	spin_lock(&mm->table_lock);
	for (nr = 0; nr < max; nr++, va += PAGE_SIZE) {
		pte_t *entry = mm_pte(mm, va);

		if (!entry || (*entry & needed) != needed)
			break;
		pages[nr] = NULL;
		if (fill && !can_be_filled(vma, *entry))
			continue;
		pages[nr] = pte_page(*entry, va);
		if (!page_get(pages[nr])) {
			error = -ENOMEM;
			break;
		}
		if (fill)
			__sync_add_and_fetch(&pages[nr]->private, 1);
	}
	spin_unlock(&mm->table_lock);
	return nr > 0 ? (int)nr : error;
}

static bool allows(const struct vma *vma, bool fill)
{
	return vma->flags & (fill ? VMA_WRITE : VMA_READ | VMA_WRITE | VMA_EXEC);
}

/*
 * Pin up to `max` pages from the page-aligned address va on. Returns how many, at least 1, or an
 * error of iter_pin().
 */
static int pin_pages(uintptr_t va, bool fill, struct page **pages, unsigned int max)
{
	struct mm *mm = current->mm;

	for (;;) {
		struct vma *vma;
		int nr = 0, error;

		if (mutex_lock_killable(&mm->lock) < 0)
			return -ERESTARTSYS;
		vma = mm_find(mm, va);
		if (vma && vma->flags & VMA_DEVICE)
			nr = -EFAULT; /* only the CPU reaches the memory of a device */
		else if (vma && allows(vma, fill))
			nr = pin_mapped(vma, va, fill, pages, max);
		mutex_unlock(&mm->lock);
		if (nr)
			return nr;
		/*
		 * Truncation or write-back may undo this before we look again. Then it starts over.
		 */
		error = user_fault_in((void __user *)va, 1, fill);
		if (error)
			return error;
	}
}

static void unpin(struct pin *part, bool fill)
{
	/*
	 * The pin goes before its reference. In the other order the references could seem to be the
	 * entry's alone while another task has just taken one.
	 */
	if (fill && !part->stand_in)
		__sync_sub_and_fetch(&part->page->private, 1);
	page_put(part->page);
}

void pins_release(struct pin *parts, unsigned int nr, bool fill)
{
	while (nr > 0)
		unpin(&parts[--nr], fill);
}

/*
 * Pin the pages of the next n bytes, which are contiguous. Adds to *nr. Returns the number of
 * bytes, or an error.
 */
static ssize_t pin_piece(uintptr_t at, size_t n, bool fill, struct pin *parts, unsigned int max,
			 unsigned int *nr)
{
	struct page *pages[PAGES_AT_ONCE];
	unsigned int offset = at & (PAGE_SIZE - 1), wanted = DIV_ROUND_UP(offset + n, PAGE_SIZE);
	size_t done = 0;
	int got =
		pin_pages(at & PAGE_MASK, fill, pages, MIN(MIN(wanted, PAGES_AT_ONCE), max - *nr));

	for (int i = 0; i < got; i++) {
		struct pin part = { .page = pages[i], .offset = offset, .stand_in = !pages[i] };

		part.len = MIN(PAGE_SIZE - offset, n - done);
		if (part.stand_in)
			part.page = page_alloc(0, ALLOC_HIGH);
		if (!part.page) {
			/* The pages behind it have been pinned as well. */
			while (++i < got)
				if (pages[i])
					unpin(&(struct pin){ .page = pages[i] }, fill);
			return done ? (ssize_t)done : -ENOMEM;
		}
		parts[(*nr)++] = part;
		done += part.len;
		offset = 0;
	}
	return got < 0 ? got : (ssize_t)done;
}

ssize_t iter_pin(const struct iter *iter, size_t n, bool fill, struct pin *parts, unsigned int max,
		 unsigned int *nr)
{
	struct iter at = *iter;
	size_t done = 0;

	*nr = 0;
	n = MIN(n, iter->left);
	while (done < n && *nr < max) {
		size_t piece = MIN(iter_piece(&at), n - done);
		ssize_t got = pin_piece((uintptr_t)at.at, piece, fill, parts, max, nr);

		if (got < 0)
			return done ? (ssize_t)done : got;
		iter_advance(&at, got);
		done += got;
	}
	return done;
}

/* Copy what a page that stood in has for the program. Returns how many bytes could be copied. */
static size_t copy_stand_in(struct iter *iter, const struct pin *part, size_t n)
{
	char *address = kmap_local(part->page);
	size_t copied = iter_copy_to(iter, address + part->offset, n);

	kunmap_local(address);
	return copied;
}

ssize_t iter_unpin(struct iter *iter, size_t n, struct pin *parts, unsigned int nr, bool fill)
{
	size_t done = 0;

	for (unsigned int i = 0; i < nr && done < n; i++) {
		size_t piece = MIN(parts[i].len, n - done), moved = piece;

		if (parts[i].stand_in)
			moved = copy_stand_in(iter, &parts[i], piece);
		else
			iter_advance(iter, piece);
		done += moved;
		if (moved < piece)
			break;
	}
	pins_release(parts, nr, fill);
	return done < n && done == 0 ? -EFAULT : (ssize_t)done;
}

/* ---- memory that a device fills, and a pipe wants ---- */

/* The page at va that a device fills, or NULL. table_lock is held. */
static struct page *filled_page(struct mm *mm, uintptr_t va)
{
	pte_t *entry = mm_pte(mm, va);
	struct page *page;

	if (!entry || !(*entry & PTE_PRESENT) || *entry & PTE_SPECIAL)
		return NULL;
	page = frame_page(pte_frame(*entry));
	return page_pins(page) > 0 ? page : NULL;
}

static bool is_filled(struct mm *mm, uintptr_t va)
{
	bool filled;

	spin_lock(&mm->table_lock);
	filled = filled_page(mm, va) != NULL;
	spin_unlock(&mm->table_lock);
	return filled;
}

int mm_copy_filled(struct mm *mm, uintptr_t va, struct page **copy)
{
	struct page *page;

	if (!is_filled(mm, va))
		return 0;
	*copy = page_alloc(0, ALLOC_HIGH);
	if (!*copy)
		return -ENOMEM;
	spin_lock(&mm->table_lock);
	page = filled_page(mm, va); /* the device may be done by now */
	if (page)
		page_copy(*copy, page);
	spin_unlock(&mm->table_lock);
	if (page)
		atomic_inc(&(*copy)->lent);
	else
		page_put(*copy);
	return page != NULL;
}
