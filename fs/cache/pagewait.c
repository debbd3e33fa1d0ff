/*
 * The lock of a page, and waiting for it.
 *
 * 1. The lock is one bit, PG_LOCKED. It has no owner: the task that starts a read locks the page,
 *    the completion of the read unlocks it, perhaps in an interrupt.
 * 2. Waiters stand in hashed buckets, since a queue in every struct page would cost more than the
 *    few pages that are waited for. PG_WAITERS on a page says that its bucket is worth a look.
 * 3. A bucket's lock (irqsave) guards its list and the links of the waiters on it. A waiter's
 *    function runs with that lock held and interrupts off: it may take wait queue locks, but must
 *    not touch the waiters of pages. Lock order: pipe.lock < bucket < wait queue.
 * 4. A wakeup is a hint: whoever is woken looks at the page again. It is given on unlock and at the
 *    end of a write-back.
 *
 * Why arming comes before the test of the page:
 *
 *	waiter				completion
 *	test: locked
 *					clears PG_LOCKED, sees no PG_WAITERS, wakes nobody
 *	arms, sets PG_WAITERS, sleeps for ever
 *
 * Setting PG_WAITERS and clearing PG_LOCKED are atomic operations on one word: either the
 * completion sees PG_WAITERS, or the waiter's test, which comes after it has set PG_WAITERS, sees
 * the page unlocked.
 */
#include "fs/cache/pagecache.h"
#include "kernel/init.h"
#include "kernel/task.h"
#include "kernel/wait.h"

#define BUCKETS 64u /* a power of two */

static struct bucket {
	spinlock_t lock;
	struct list waiters; /* of struct page_waiter, for any page that hashes here */
} buckets[BUCKETS];

static struct bucket *bucket_of(const struct page *page)
{
	uintptr_t address = (uintptr_t)page;

	return &buckets[(address / sizeof(struct page)) % BUCKETS];
}

static void pagewait_init(void)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, "page waiters");
		list_init(&buckets[i].waiters);
	}
}
INITCALL(1, pagewait_init);

/* Wake everybody who waits for this page. The page itself may be free by now: its unlocker needs no
 * reference. A waiter of the page's next life is then woken for nothing, and looks again. */
static void wake_waiters(struct page *page)
{
	struct bucket *bucket = bucket_of(page);
	unsigned int flags = spin_lock_irqsave(&bucket->lock);
	struct page_waiter *waiter, *next;

	clear_bits(&page->flags, PG_WAITERS);
	list_for_each_safe(waiter, next, &bucket->waiters, link) {
		if (waiter->page != page)
			continue;
		list_del(&waiter->link);
		waiter->wake(waiter);
		/* From here on the waiter may be gone: see page_waiter_disarm. */
		__atomic_store_n(&waiter->page, NULL, __ATOMIC_RELEASE);
	}
	spin_unlock_irqrestore(&bucket->lock, flags);
}

void page_waiter_arm(struct page_waiter *waiter, struct page *page)
{
	struct bucket *bucket = bucket_of(page);
	unsigned int flags;

	if (READ_ONCE(waiter->page) != page)
		page_waiter_disarm(waiter);
	flags = spin_lock_irqsave(&bucket->lock);
	if (waiter->page != page) {
		waiter->page = page;
		list_add_tail(&bucket->waiters, &waiter->link);
	}
	set_bits(&page->flags, PG_WAITERS);
	spin_unlock_irqrestore(&bucket->lock, flags);
}

void page_waiter_disarm(struct page_waiter *waiter)
{
	struct page *page = READ_ONCE(waiter->page);
	struct bucket *bucket;
	unsigned int flags;

	/* NULL is stored after the function has returned, so nothing runs any more. */
	if (!page)
		return;
	bucket = bucket_of(page);
	flags = spin_lock_irqsave(&bucket->lock);
	if (waiter->page) {
		list_del(&waiter->link);
		waiter->page = NULL;
	}
	spin_unlock_irqrestore(&bucket->lock, flags);
}

struct page_sleeper {
	struct page_waiter waiter;
	struct task *task;
};

static void wake_sleeper(struct page_waiter *waiter)
{
	task_wake(container_of(waiter, struct page_sleeper, waiter)->task);
}

static bool must_stop(enum task_state state)
{
	if (state == TASK_INTERRUPTIBLE)
		return signal_pending();
	return state == TASK_KILLABLE && kill_pending();
}

/* Sleep in `state` until none of `bits` is set: 0, or -ERESTARTSYS. */
static int sleep_until_clear(struct page *page, unsigned int bits, enum task_state state)
{
	struct page_sleeper sleeper = {
		.waiter = { .link = LIST_INIT(sleeper.waiter.link), .wake = wake_sleeper },
		.task = current,
	};
	int error = 0;

	for (;;) {
		/* The state first: a wakeup between the arming and schedule() must find us
		 * asleep. */
		current->state = state;
		page_waiter_arm(&sleeper.waiter, page);
		if (!(READ_ONCE(page->flags) & bits))
			break;
		if (must_stop(state)) {
			error = -ERESTARTSYS;
			break;
		}
		schedule();
	}
	current->state = TASK_RUNNING;
	page_waiter_disarm(&sleeper.waiter);
	return error;
}

bool page_trylock(struct page *page)
{
	return test_and_set_bits(&page->flags, PG_LOCKED);
}

static int lock_in_state(struct page *page, enum task_state state)
{
	while (!page_trylock(page)) {
		int error = sleep_until_clear(page, PG_LOCKED, state);

		if (error)
			return error;
	}
	return 0;
}

void page_lock(struct page *page)
{
	lock_in_state(page, TASK_UNINTERRUPTIBLE);
}

int page_lock_killable(struct page *page)
{
	return lock_in_state(page, TASK_KILLABLE);
}

void page_unlock(struct page *page)
{
	unsigned int old = __sync_fetch_and_and(&page->flags, ~PG_LOCKED);

	assert(old & PG_LOCKED);
	if (old & PG_WAITERS)
		wake_waiters(page);
}

int page_wait_unlocked(struct page *page)
{
	if (!(READ_ONCE(page->flags) & PG_LOCKED))
		return 0;
	return sleep_until_clear(page, PG_LOCKED, TASK_INTERRUPTIBLE);
}

int page_wait_unlocked_killable(struct page *page)
{
	if (!(READ_ONCE(page->flags) & PG_LOCKED))
		return 0;
	return sleep_until_clear(page, PG_LOCKED, TASK_KILLABLE);
}

int page_wait_writeback(struct page *page)
{
	if (!(READ_ONCE(page->flags) & PG_WRITEBACK))
		return 0;
	return sleep_until_clear(page, PG_WRITEBACK, TASK_KILLABLE);
}

void page_wait_writeback_always(struct page *page)
{
	if (READ_ONCE(page->flags) & PG_WRITEBACK)
		sleep_until_clear(page, PG_WRITEBACK, TASK_UNINTERRUPTIBLE);
}

void page_end_writeback(struct page *page)
{
	unsigned int old = __sync_fetch_and_and(&page->flags, ~PG_WRITEBACK);

	assert(old & PG_WRITEBACK);
	if (old & PG_WAITERS)
		wake_waiters(page);
}
