/*
 * The lock of a page, waiting for it, and the end of a page's read.
 *
 * 1. The lock is one bit, PG_LOCKED. It has no owner. The task that starts a read locks the page,
 *    and the completion of the read unlocks it, perhaps in an interrupt.
 * 2. Pages share a few wait queues, since a queue in every struct page would cost more than the few
 *    pages that are waited for. PG_WAITERS on a page says that its queue is worth a look.
 * 3. A waiter may be woken for another page of its queue, or for another bit of its page. So it
 *    looks at the page again.
 * 4. page_read_done() ends the read of a page: it sets UPTODATE or ERROR first, and then unlocks
 *    the page. So an unlocked page says how its read has ended.
 * 5. Lock order: ring->lock < a queue of pages < other wait queues.
 *
 * Waiters join the queue first, and then set PG_WAITERS and test the page. Otherwise
 *
 *	waiter				completion
 *	tests: locked
 *					clears PG_LOCKED, sees no PG_WAITERS, wakes nobody
 *	sets PG_WAITERS, sleeps for ever
 *
 * Both sides change the flags by one atomic operation. If the waiter comes first, the completion
 * sees PG_WAITERS, and the waiter is on the queue already. If the completion comes first, the
 * waiter sees that the page is unlocked.
 */
#include "fs/cache/pagecache.h"
#include "kernel/init.h"
#include "kernel/task.h"

#define QUEUES 64u /* a power of two */

static struct wait_queue queues[QUEUES];

static struct wait_queue *queue_of(const struct page *page)
{
	return &queues[(uintptr_t)page / sizeof(struct page) % QUEUES];
}

static void pagewait_init(void)
{
	for (unsigned int i = 0; i < QUEUES; i++)
		wait_queue_init(&queues[i], "page waiters");
}
INITCALL(1, pagewait_init);

void page_waiter_arm(struct page_waiter *waiter, struct page *page)
{
	if (waiter->page != page) {
		page_waiter_disarm(waiter);
		WRITE_ONCE(waiter->page, page);
		wait_add(queue_of(page), &waiter->waiter);
	}
	set_bits(&page->flags, PG_WAITERS);
}

void page_waiter_disarm(struct page_waiter *waiter)
{
	if (waiter->page)
		wait_remove(queue_of(waiter->page), &waiter->waiter);
	WRITE_ONCE(waiter->page, NULL);
}

static bool is_clear(struct page *page, unsigned int bits)
{
	return !(__sync_fetch_and_or(&page->flags, PG_WAITERS) & bits);
}

int page_wait_slow(struct page *page, unsigned int bits, enum task_state state)
{
	return __wait_event(queue_of(page), is_clear(page, bits), state, UINT64_MAX);
}

/*
 * Clear a bit and wake those who wait. PG_WAITERS goes as well, since all of them look again. The
 * page itself may be free by the time of the wakeup. Only its address is used then.
 */
static void clear_and_wake(struct page *page, unsigned int bit)
{
	unsigned int old = __sync_fetch_and_and(&page->flags, ~(bit | PG_WAITERS));

	assert(old & bit);
	if (old & PG_WAITERS)
		wake_all(queue_of(page));
}

bool page_trylock(struct page *page)
{
	return test_and_set_bits(&page->flags, PG_LOCKED);
}

int page_lock(struct page *page, enum task_state state)
{
	int error = 0;

	while (!error && !page_trylock(page))
		error = page_wait(page, PG_LOCKED, state);
	return error;
}

void page_unlock(struct page *page)
{
	clear_and_wake(page, PG_LOCKED);
}

void page_end_writeback(struct page *page)
{
	clear_and_wake(page, PG_WRITEBACK);
}

/* ---- the end of a read ---- */

//BOOK: read-done
void page_read_done(struct page *page, bool ok)
{
	set_bits(&page->flags, ok ? PG_UPTODATE : PG_ERROR);
	/* Before the unlock: after it the page may leave its file, and the file memory. */
	atomic_dec(&page->mapping->reads);
	page_unlock(page);
}

int page_read_error(const struct page *page, unsigned int flags)
{
	if (!READ_ONCE(page->mapping))
		return -ENODATA;
	return flags & PG_NOT_READ ? -ENOMEM : -EIO;
}

int page_wait_read(struct page *page)
{
	bool asked = false;

	for (;;) {
		unsigned int flags = READ_ONCE(page->flags);
		int error;

		if (flags & PG_UPTODATE) {
			page_mark_used(page);
			return 0;
		}
		error = flags & PG_LOCKED ? page_wait(page, PG_LOCKED, TASK_KILLABLE)
					  : page_read_error(page, flags);
		if (error == -ENOMEM && !asked)
			asked = page_read_again(page);
		else if (error)
			return error;
	}
}
