/*
 * The open file of an epoll, and the end of a file that an epoll watches. The contract is in
 * fs/events/epoll.h.
 */
#include "fs/events/epoll.h"
#include "fs/events/event_file.h"
#include "fs/events/users.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/init.h"
#include "lib/print.h"
#include "mm/page.h"
#include "mm/slab.h"

#define WATCHES_PART 25u /* all items of a user take up to 1/25 of low memory */

unsigned int epoll_max_user_watches;

SLAB_CACHE(epoll_cache, "epoll", struct epoll, 0);

/*
 * The last reference to a watched file has gone. Its queues still exist. Items of the file can
 * vanish meanwhile only because their epoll is closed, which also takes epoll_nesting.
 */
static void leave_epolls(struct file *file)
{
	struct epoll_item *item;

	mutex_lock(&epoll_nesting);
	while ((item = READ_ONCE(file->epolls)) != NULL) {
		struct epoll *epoll = item->epoll;

		mutex_lock(&epoll->mutex);
		epoll_item_remove(item);
		mutex_unlock(&epoll->mutex);
	}
	mutex_unlock(&epoll_nesting);
}

static unsigned int epoll_poll(struct file *file, struct poll_table *table)
{
	struct epoll *epoll = file->private;
	bool ready;

	poll_wait(table, &epoll->watchers, POLLIN | POLLRDNORM);
	mutex_lock(&epoll->mutex);
	ready = epoll_has_events(epoll);
	mutex_unlock(&epoll->mutex);
	return ready ? POLLIN | POLLRDNORM : 0;
}

static void epoll_free(struct epoll *epoll)
{
	event_user_put(epoll->user);
	slab_free(epoll_cache, epoll);
}

static void epoll_release(struct file *file)
{
	struct epoll *epoll = file->private;
	struct tree_node *node;

	mutex_lock(&epoll_nesting);
	mutex_lock(&epoll->mutex);
	while ((node = tree_below(epoll->items, UINTPTR_MAX)) != NULL)
		epoll_item_remove(container_of(node, struct epoll_item, node));
	mutex_unlock(&epoll->mutex);
	mutex_unlock(&epoll_nesting);
	epoll_free(epoll);
}

/* A line for each item. A descriptor may have been watched several times, with different files. */
static void epoll_show(struct file *file, struct text *text)
{
	struct epoll *epoll = file->private;
	struct tree_node *node;

	if (mutex_lock_killable(&epoll->mutex))
		return;
	for (node = tree_below(epoll->items, UINTPTR_MAX); node;
	     node = tree_below(epoll->items, node->key)) {
		const struct epoll_item *item = container_of(node, struct epoll_item, node);
		struct inode *inode = item->file->inode;

		text_printf(text, "tfd: %8u events: %8x data: %16llx  pos:%lld ino:%llx sdev:%x\n",
			    (unsigned int)(node->key >> EPOLL_KEY_NUMBER_BITS),
			    item->events | POLLERR | POLLHUP, (unsigned long long)item->data,
			    (long long)item->file->pos, (unsigned long long)inode->number,
			    inode->sb->dev);
	}
	mutex_unlock(&epoll->mutex);
}

static const struct file_ops epoll_file_ops = {
	.ignores_seek = true,
	.release = epoll_release,
	.poll = epoll_poll,
	.show = epoll_show,
};

struct epoll *file_epoll(struct file *file)
{
	return file->ops == &epoll_file_ops ? file->private : NULL;
}

struct file *epoll_make(void)
{
	struct epoll *epoll = slab_alloc(epoll_cache, ALLOC_ZERO);
	struct file *file;

	if (!epoll)
		return ERR_PTR(-ENOMEM);
	epoll->user = event_user_get();
	if (!epoll->user) {
		slab_free(epoll_cache, epoll);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&epoll->mutex, "epoll");
	spin_init(&epoll->lock, "epoll ready");
	list_init(&epoll->ready);
	wait_queue_init(&epoll->sleepers, "epoll sleepers");
	wait_queue_init(&epoll->watchers, "epoll watchers");
	file = event_file("[eventpoll]", &epoll_file_ops, epoll, O_RDWR);
	if (IS_ERR(file))
		epoll_free(epoll);
	else
		epoll->file = file;
	return file;
}

static void epoll_init(void)
{
	struct memory_stats stats;

	memory_stats(&stats);
	epoll_max_user_watches =
		stats.low_total / WATCHES_PART * (PAGE_SIZE / sizeof(struct epoll_item));
	before_watched_file_closes = leave_epolls;
}
INITCALL(1, epoll_init);
