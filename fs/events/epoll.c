/*
 * An epoll's items and its ready list. The contract is in fs/events/epoll.h.
 *
 * No event is lost. The item is put on the ready list before a sleeper is looked for, and a sleeper
 * joins its queue before it looks at the list:
 *
 *	epoll_wait			item_woken()
 *	the ready list is empty
 *					adds the item; nobody is on `sleepers`: wakes nobody
 *	joins `sleepers`
 *	the list is not empty: does not sleep
 *
 * An item leaves the list before its file is asked, so an event that comes meanwhile puts it back:
 *
 *	scan				writer
 *	asks the pipe: not ready
 *					writes; the item is on the list: does not add it
 *	removes the item: lost
 */
#include "fs/events/epoll.h"
#include "fs/events/users.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/process/process.h"
#include "kernel/syscall.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"

#define KEY_LAST ((1u << EPOLL_KEY_NUMBER_BITS) - 1)

spinlock_t watches_lock = SPINLOCK_INIT("epoll watches");
struct mutex epoll_nesting = MUTEX_INIT(epoll_nesting);

SLAB_CACHE(item_cache, "epoll item", struct epoll_item, 0);

/* ---- events ---- */

static bool has_ready(struct epoll *epoll)
{
	return !list_empty_unlocked(&epoll->ready);
}

/* Wake one task in epoll_wait. Returns false if there is none. */
static bool wake_sleeper(struct epoll *epoll)
{
	memory_barrier(); /* see wake_all() */
	if (list_empty_unlocked(&epoll->sleepers.waiters))
		return false;
	wake_one(&epoll->sleepers);
	return true;
}

/* Put an item at the end of the ready list, unless it is there already. epoll->lock is held. */
static void add_ready(struct epoll_item *item)
{
	lockdep_held(&item->epoll->lock);
	if (list_empty(&item->ready_link))
		list_add_tail(&item->epoll->ready, &item->ready_link);
}

/* Does a wakeup of the queue concern the item? epoll->lock is held. */
static bool concerns(const struct epoll_join *join, enum wake_reason reason)
{
	unsigned int events = join->item->events;

	if (!(events & ~EPOLL_OPTIONS))
		return false; /* EPOLLONESHOT, and it has been reported */
	return reason == WAKE_STATE || (reason == WAKE_EVENT && events & join->events);
}

//BOOK: epoll-woken
static bool item_woken(struct waiter *waiter, enum wake_reason reason)
{
	struct epoll_join *join = container_of(waiter, struct epoll_join, waiter);
	struct epoll_item *item = join->item;
	struct epoll *epoll = item->epoll;
	unsigned int flags = spin_lock_irqsave(&epoll->lock);
	bool concerned = concerns(join, reason), woken;

	if (concerned)
		add_ready(item);
	spin_unlock_irqrestore(&epoll->lock, flags);
	if (!concerned)
		return false;
	woken = wake_sleeper(epoll);
	wake_all(&epoll->watchers);
	return woken && waiter->exclusive;
}

/* ---- asking a file ---- */

struct joining {
	struct poll_table table;
	struct epoll_item *item;
	unsigned int nr;
};

static void leave(struct epoll_join *join)
{
	if (join->queue)
		wait_remove(join->queue, &join->waiter);
	if (join->process)
		process_put(join->process);
}

/*
 * The queue may be another one than before, because a socket has been connected. Both exist while
 * the file is open. The queue of a process (signalfd) stays that of the process that added the
 * file.
 */
static void item_join(struct poll_table *table, struct wait_queue *queue, unsigned int events)
{
	struct joining *joining = container_of(table, struct joining, table);
	struct epoll_join *join = &joining->item->joins[joining->nr++];

	assert(joining->nr <= EPOLL_QUEUES);
	if (join->queue == queue || join->process)
		return;
	leave(join);
	if (table->process)
		process_get(table->process);
	join->process = table->process;
	join->queue = queue;
	join->events = events;
	wait_add(queue, &join->waiter);
}

/* Returns the events that are wanted and hold now. epoll->mutex is held. */
static unsigned int item_ask(struct epoll_item *item)
{
	struct joining joining = { { .join = item_join }, item, 0 };

	assert(mutex_held(&item->epoll->mutex));
	return item->file->ops->poll(item->file, &joining.table) & item->events;
}

/* Put an item that was taken, but not reported, back to the front of the ready list. */
static void put_back(struct epoll_item *item)
{
	unsigned int flags = spin_lock_irqsave(&item->epoll->lock);

	list_del(&item->ready_link);
	list_add(&item->epoll->ready, &item->ready_link);
	spin_unlock_irqrestore(&item->epoll->lock, flags);
}

/* ---- the ready list ---- */

/* Take the first item off the list, which is not empty. epoll->mutex is held. */
static struct epoll_item *take_first(struct epoll *epoll)
{
	unsigned int flags = spin_lock_irqsave(&epoll->lock);
	struct epoll_item *item = list_first(&epoll->ready, struct epoll_item, ready_link);

	list_del(&item->ready_link);
	spin_unlock_irqrestore(&epoll->lock, flags);
	return item;
}

/* Returns the last item of the list, or NULL if it is empty. */
static struct epoll_item *last_ready(struct epoll *epoll)
{
	unsigned int flags = spin_lock_irqsave(&epoll->lock);
	struct epoll_item *item = NULL;

	if (!list_empty(&epoll->ready))
		item = list_last(&epoll->ready, struct epoll_item, ready_link);
	spin_unlock_irqrestore(&epoll->lock, flags);
	return item;
}

static void reported(struct epoll_item *item)
{
	unsigned int flags = spin_lock_irqsave(&item->epoll->lock);

	if (item->events & EPOLLONESHOT)
		item->events &= EPOLL_OPTIONS;
	else if (!(item->events & EPOLLET))
		add_ready(item);
	spin_unlock_irqrestore(&item->epoll->lock, flags);
}

/* Report an item that was taken, if its file is ready. Returns 1, 0 if it is not, or -EFAULT. */
static int report(struct epoll_item *item, struct iter *to)
{
	struct epoll_event event = { item_ask(item), item->data };
	size_t copied;

	if (!event.events)
		return 0;
	copied = iter_copy_to_nofault(to, &event, sizeof(event));
	if (copied < sizeof(event)) {
		iter_rewind(to, copied);
		put_back(item);
		return -EFAULT;
	}
	reported(item);
	return 1;
}

/*
 * Report up to `max` items of the ready list. What joins the list meanwhile is left for the next
 * time, and so are items that were reported and joined it again. epoll->mutex is held, so no other
 * task removes items.
 */
//BOOK: epoll-scan
static int scan(struct epoll *epoll, struct iter *to, unsigned int max)
{
	struct epoll_item *last = last_ready(epoll), *item = NULL;
	unsigned int n = 0;
	int result = 0;

	while (item != last && n < max) {
		item = take_first(epoll);
		result = report(item, to);
		if (result < 0)
			break;
		n += result;
	}
	return n ? (int)n : result;
}

bool epoll_has_events(struct epoll *epoll)
{
	struct epoll_item *last = last_ready(epoll), *item = NULL;

	while (item != last) {
		item = take_first(epoll);
		if (item_ask(item)) {
			put_back(item);
			return true;
		}
	}
	return false;
}

/* More may be ready than one task was told of, so pass the wakeup on. */
static int lock_and_scan(struct epoll *epoll, struct iter *to, unsigned int max)
{
	int n = mutex_lock_killable(&epoll->mutex);

	if (n == 0) {
		n = scan(epoll, to, max);
		mutex_unlock(&epoll->mutex);
	}
	if (has_ready(epoll))
		wake_sleeper(epoll);
	return n;
}

/*
 * The events are copied under a mutex, where no page can be faulted in. So make the pages present
 * that the events of all items would need. If the first page is enough, epoll_collect() faults it
 * in when it has to.
 */
static void fault_in_rest(struct epoll *epoll, const struct iter *to, unsigned int max)
{
	size_t bytes = MIN(max, READ_ONCE(epoll->nr_items)) * sizeof(struct epoll_event);
	size_t at = PAGE_SIZE - (uintptr_t)to->at % PAGE_SIZE;

	for (; at < bytes && !user_fault_in(to->at + at, 1, true); at += PAGE_SIZE)
		;
}

/*
 * wake_one() may have woken this task for an event although its time was over, or a signal came. So
 * it does not give up as long as something is on the list.
 */
int epoll_collect(struct epoll *epoll, struct iter *to, unsigned int max, uint64_t deadline)
{
	int error = 0, n;

	for (;;) {
		n = 0;
		if (has_ready(epoll)) {
			fault_in_rest(epoll, to, max);
			n = lock_and_scan(epoll, to, max);
		}
		if (n == -EFAULT)
			n = iter_fault_in(to, sizeof(struct epoll_event), true, true);
		else if (n == 0 && (error || deadline == 0))
			return error == -ERESTARTSYS ? -EINTR : 0;
		else if (n == 0)
			error = wait_event_until(&epoll->sleepers, has_ready(epoll), deadline);
		if (n)
			return n;
	}
}

/* ---- items ---- */

/* Returns the item of a file under a descriptor, or NULL. */
static struct epoll_item *find(struct epoll *epoll, struct file *file, unsigned int fd)
{
	uintptr_t key = fd << EPOLL_KEY_NUMBER_BITS | KEY_LAST;
	struct tree_node *node;

	while ((node = tree_below(epoll->items, key)) && node->key >> EPOLL_KEY_NUMBER_BITS == fd) {
		struct epoll_item *item = container_of(node, struct epoll_item, node);

		if (item->file == file)
			return item;
		key = node->key;
	}
	return NULL;
}

/* Put the item into the tree. Returns 0, or -ENOSPC if too many files had this descriptor. */
static int insert(struct epoll_item *item, unsigned int fd)
{
	uintptr_t key = fd << EPOLL_KEY_NUMBER_BITS;
	struct tree_node *last = tree_below(item->epoll->items, key | KEY_LAST);

	if (last && last->key >= key)
		key = last->key + 1;
	if ((key & KEY_LAST) == KEY_LAST)
		return -ENOSPC;
	item->node.key = key;
	tree_insert(&item->epoll->items, &item->node);
	WRITE_ONCE(item->epoll->nr_items, item->epoll->nr_items + 1);
	return 0;
}

static void watch(struct epoll_item *item)
{
	struct file *file = item->file;

	spin_lock(&watches_lock);
	item->next_watch = file->epolls;
	item->watch_at = &file->epolls;
	if (item->next_watch)
		item->next_watch->watch_at = &item->next_watch;
	WRITE_ONCE(file->epolls, item);
	spin_unlock(&watches_lock);
}

static void unwatch(struct epoll_item *item)
{
	spin_lock(&watches_lock);
	WRITE_ONCE(*item->watch_at, item->next_watch);
	if (item->next_watch)
		item->next_watch->watch_at = item->watch_at;
	spin_unlock(&watches_lock);
}

static void item_free(struct epoll_item *item)
{
	event_user_less(item->epoll->user, EPOLL_ITEMS);
	slab_free(item_cache, item);
}

/* Returns an item that nobody knows yet, or ERR_PTR(-ENOSPC, -ENOMEM). */
static struct epoll_item *item_make(struct epoll *epoll, struct file *file,
				    const struct epoll_event *event)
{
	struct epoll_item *item;

	if (!event_user_more(epoll->user, EPOLL_ITEMS, READ_ONCE(epoll_max_user_watches)))
		return ERR_PTR(-ENOSPC);
	item = slab_alloc(item_cache, ALLOC_ZERO);
	if (!item) {
		event_user_less(epoll->user, EPOLL_ITEMS);
		return ERR_PTR(-ENOMEM);
	}
	item->epoll = epoll;
	item->file = file;
	item->events = event->events;
	item->data = event->data;
	list_init(&item->ready_link);
	for (unsigned int i = 0; i < EPOLL_QUEUES; i++) {
		item->joins[i].item = item;
		item->joins[i].waiter.wake = item_woken;
		item->joins[i].waiter.exclusive = event->events & EPOLLEXCLUSIVE;
	}
	return item;
}

/* Make an item that is on no queue unknown again. epoll->mutex is held. */
static void item_forget(struct epoll_item *item)
{
	unwatch(item);
	tree_remove(&item->epoll->items, &item->node);
	WRITE_ONCE(item->epoll->nr_items, item->epoll->nr_items - 1);
}

/* Once the item has left the queues, item_woken() does not run for it any more. */
void epoll_item_remove(struct epoll_item *item)
{
	struct epoll *epoll = item->epoll;
	unsigned int flags;

	assert(mutex_held(&epoll->mutex));
	for (unsigned int i = 0; i < EPOLL_QUEUES; i++)
		leave(&item->joins[i]);
	flags = spin_lock_irqsave(&epoll->lock);
	list_del(&item->ready_link);
	spin_unlock_irqrestore(&epoll->lock, flags);
	item_forget(item);
	item_free(item);
}

/*
 * Join the file's queues, or look at it again after a change of what is wanted. If the file is
 * ready, that is an event.
 */
static void item_look(struct epoll_item *item)
{
	struct epoll *epoll = item->epoll;
	unsigned int flags;

	if (!item_ask(item))
		return;
	flags = spin_lock_irqsave(&epoll->lock);
	add_ready(item);
	spin_unlock_irqrestore(&epoll->lock, flags);
	wake_sleeper(epoll);
	wake_all(&epoll->watchers);
}

/* Make an item known, and look at its file. epoll_nesting is held if paths must be checked. */
static int start(struct epoll_item *item, unsigned int fd, bool nested)
{
	struct epoll *epoll = item->epoll;
	int error = mutex_lock_killable(&epoll->mutex);

	if (error)
		return error;
	error = find(epoll, item->file, fd) ? -EEXIST : insert(item, fd);
	if (!error) {
		watch(item);
		if (nested)
			error = epoll_check_paths(item->file);
		if (error)
			item_forget(item);
		else
			item_look(item);
	}
	mutex_unlock(&epoll->mutex);
	return error;
}

/*
 * An item is allocated before any lock is taken, because an allocation may wait until a process has
 * ended, and the end of a process closes files. Paths are checked only where an event goes on to
 * other epolls.
 */
int epoll_add(struct epoll *epoll, struct file *file, unsigned int fd,
	      const struct epoll_event *event)
{
	struct epoll_item *item = item_make(epoll, file, event);
	struct epoll *target = file_epoll(file);
	bool nested = target || READ_ONCE(epoll->file->epolls);
	int error = 0;

	if (IS_ERR(item))
		return PTR_ERR(item);
	if (nested)
		error = mutex_lock_killable(&epoll_nesting);
	if (error)
		goto free;
	if (target)
		error = epoll_check_loop(epoll, target);
	if (!error)
		error = start(item, fd, nested);
	if (nested)
		mutex_unlock(&epoll_nesting);
free:
	if (error)
		item_free(item);
	return error;
}

int epoll_modify(struct epoll *epoll, struct file *file, unsigned int fd,
		 const struct epoll_event *event)
{
	int error = mutex_lock_killable(&epoll->mutex);
	struct epoll_item *item;
	unsigned int flags;

	if (error)
		return error;
	item = find(epoll, file, fd);
	if (!item) {
		error = -ENOENT;
	} else if (item->events & EPOLLEXCLUSIVE) {
		error = refuse(EINVAL, "an exclusive item cannot be changed");
	} else {
		flags = spin_lock_irqsave(&epoll->lock);
		item->events = event->events;
		item->data = event->data;
		spin_unlock_irqrestore(&epoll->lock, flags);
		item_look(item);
	}
	mutex_unlock(&epoll->mutex);
	return error;
}

int epoll_delete(struct epoll *epoll, struct file *file, unsigned int fd)
{
	int error = mutex_lock_killable(&epoll->mutex);
	struct epoll_item *item;

	if (error)
		return error;
	item = find(epoll, file, fd);
	if (item)
		epoll_item_remove(item);
	mutex_unlock(&epoll->mutex);
	return item ? 0 : -ENOENT;
}
