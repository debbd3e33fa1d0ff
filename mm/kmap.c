/*
 * Mappings for page contents in high memory.
 *
 * 1. kmap_local: each CPU has KMAP_LOCAL_MAX page-table entries of its own. Entry i holds the i-th
 *    mapping of the task that runs. An entry is flushed when it is set, so an old mapping in the
 *    TLB does no harm, and giving a mapping back costs nothing. An interrupt puts its mappings on
 *    top of those of the task, and has given them back when the task goes on.
 * 2. A task with such mappings stays on its CPU. kmap_switch_in() sets its entries again before it
 *    continues.
 * 3. kmap: a pool of entries, searched by page. An entry without users keeps its page until another
 *    page needs it. Then it is flushed on all CPUs. pool_lock guards the pool.
 */
#include "mm/kmap.h"
#include "kernel/spinlock.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/pgtable.h"

static spinlock_t pool_lock = SPINLOCK_INIT("kmap pool");
static struct {
	struct page *page; /* the page that is mapped, or was mapped last */
	unsigned int users;
} pool[KMAP_POOL_PAGES]; /* pool_lock */
static struct wait_queue pool_wait = WAIT_QUEUE_INIT(pool_wait);

/* ---- kmap_local ---- */

static uintptr_t local_address(unsigned int slot)
{
	return KMAP_LOCAL_START + (this_cpu()->id * KMAP_LOCAL_MAX + slot) * PAGE_SIZE;
}

/* The entry for a page. Device memory is mapped uncached, so every access reaches the device. */
//BOOK: page-entry
static pte_t page_entry(const struct page *page)
{
	pte_t bits = PTE_PRESENT | PTE_WRITE | pte_nx;

	if (page_has(page, PG_DEVICE))
		return pte_make((phys_addr_t)page->private << PAGE_SHIFT,
				bits | PTE_NOCACHE | PTE_WRITETHROUGH);
	return pte_make(page_phys(page), bits);
}

static void *local_set(unsigned int slot, struct page *page)
{
	uintptr_t va = local_address(slot);

	pte_set(kernel_pte(va), page_entry(page));
	invlpg(va);
	return (void *)va;
}

//BOOK: kmap-local
void *kmap_local_slow(struct page *page)
{
	unsigned int slot = current->kmap_depth;

	if (slot >= KMAP_LOCAL_MAX)
		panic("kmap_local: too many mappings");
	/* First the depth, then the entry: an interrupt in between must use the next one. */
	WRITE_ONCE(current->kmap_depth, slot + 1);
	WRITE_ONCE(current->kmap_pages[slot], page);
	return local_set(slot, page);
}

void kunmap_local_slow(void *address)
{
	uintptr_t va = (uintptr_t)address & PAGE_MASK;

	if (va != local_address(--current->kmap_depth))
		panic("kunmap_local: %p is not the latest mapping", address);
	if (DEBUG_BUILD) {
		pte_set(kernel_pte(va), 0);
		invlpg(va);
	}
}

void kmap_switch_in(struct task *task)
{
	for (unsigned int slot = 0; slot < task->kmap_depth; slot++)
		local_set(slot, task->kmap_pages[slot]);
}

/* ---- kmap ---- */

/* The entry that maps the page, or else an unused one. KMAP_POOL_PAGES means that there is none. */
static unsigned int find_entry(const struct page *page)
{
	unsigned int found = KMAP_POOL_PAGES;

	lockdep_held(&pool_lock);
	for (unsigned int i = 0; i < KMAP_POOL_PAGES; i++) {
		if (pool[i].page == page)
			return i;
		if (!pool[i].users)
			found = i;
	}
	return found;
}

/* Add a user to the page's entry. Returns its address, or NULL if all entries are in use. */
static void *pool_take(struct page *page)
{
	uintptr_t va = 0;
	unsigned int i;

	spin_lock(&pool_lock);
	i = find_entry(page);
	if (i < KMAP_POOL_PAGES) {
		va = KMAP_POOL_START + i * PAGE_SIZE;
		pool[i].users++;
	}
	if (va && pool[i].page != page) {
		pool[i].page = page;
		pte_set(kernel_pte(va),
			pte_make(page_phys(page), PTE_PRESENT | PTE_WRITE | pte_nx));
		tlb_flush_kernel(va, va + PAGE_SIZE);
	}
	spin_unlock(&pool_lock);
	return (void *)va;
}

void *kmap(struct page *page)
{
	void *address;

	/* A fake page may be freed while the pool still maps it. It needs kmap_local(). */
	assert(!page_has(page, PG_DEVICE));
	if (!page_has(page, PG_HIGH))
		return page_address_low(page);
	/*
	 * kunmap() gives its entry up under pool_lock and then wakes the queue. The condition takes
	 * pool_lock after the sleeper has joined the queue. Otherwise
	 *
	 *	sleeper				kunmap
	 *	finds no entry
	 *					gives its entry up, wakes: nobody is on the queue
	 *	joins the queue, sleeps for ever
	 */
	wait_event(&pool_wait, (address = pool_take(page)) != NULL);
	return address;
}

void kunmap(struct page *page)
{
	unsigned int i;

	if (!page_has(page, PG_HIGH))
		return;
	spin_lock(&pool_lock);
	i = find_entry(page);
	assert(i < KMAP_POOL_PAGES && pool[i].page == page && pool[i].users > 0);
	pool[i].users--;
	spin_unlock(&pool_lock);
	wake_all(&pool_wait);
}

/* ---- helpers ---- */

void page_zero(struct page *page, unsigned int offset, unsigned int len)
{
	char *address = kmap_local(page);

	memset(address + offset, 0, len);
	kunmap_local(address);
}

void page_copy(struct page *to, struct page *from)
{
	void *target = kmap_local(to), *source = kmap_local(from);

	memcpy(target, source, PAGE_SIZE);
	kunmap_local(source);
	kunmap_local(target);
}
