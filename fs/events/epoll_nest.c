/*
 * Epolls that watch epolls. An event travels from a file to the epolls that watch it, and on to
 * those that watch these. One wakeup goes all these ways, with spinlocks held. So they must end,
 * and must be neither too many nor too long. The limits are those of Linux.
 */
#include "fs/events/epoll.h"
#include "kernel/syscall.h"

#define NESTS_MAX 4 /* the longest chain is five epolls: one that watches four others in a row */

/* How many ways of each length, in epolls that watch epolls, an event of one file may go. */
static const unsigned int max_paths[NESTS_MAX + 1] = { UINT32_MAX, 500, 100, 50, 10 };

/* Returns the item with the key below that of `item`, or the last one for NULL. */
static struct epoll_item *item_before(struct epoll *epoll, struct epoll_item *item)
{
	struct tree_node *node = tree_below(epoll->items, item ? item->node.key : UINTPTR_MAX);

	return node ? container_of(node, struct epoll_item, node) : NULL;
}

/*
 * An epoll can be reached in many ways, because it can be watched under many descriptors. Each
 * check looks at it once, and notes the result. `visits` numbers the checks, and epoll_nesting
 * guards it.
 */
static unsigned int visits;

static int note(struct epoll *epoll, int depth)
{
	epoll->visit = visits;
	epoll->visit_depth = depth;
	return depth;
}

/*
 * Returns the length of the longest chain of epolls that `from` watches, 0 if it watches none, or
 * -ELOOP if `wanted` is in a chain. The chains that exist are not longer than NESTS_MAX, and nobody
 * else makes new ones meanwhile, so the recursion ends.
 */
static int depth_below(struct epoll *from, struct epoll *wanted)
{
	struct epoll_item *item = NULL;
	int depth = 0, error;

	if (from == wanted)
		return refuse(ELOOP, "the epolls would watch each other");
	if (from->visit == visits)
		return from->visit_depth;
	error = mutex_lock_killable(&from->mutex);
	if (error)
		return error;
	while (depth >= 0 && (item = item_before(from, item)) != NULL) {
		struct epoll *next = file_epoll(item->file);
		int below = next ? depth_below(next, wanted) : -1;

		if (next)
			depth = below < 0 ? below : MAX(depth, below + 1);
	}
	mutex_unlock(&from->mutex);
	return depth < 0 ? depth : note(from, depth);
}

/* Returns the length of the longest chain of epolls that watch `epoll`. watches_lock is held. */
static int depth_above(struct epoll *epoll)
{
	struct epoll_item *item;
	int depth = 0;

	if (epoll->visit == visits)
		return epoll->visit_depth;
	for (item = epoll->file->epolls; item; item = item->next_watch) {
		int above = depth_above(item->epoll) + 1;

		depth = MAX(depth, above);
	}
	return note(epoll, depth);
}

int epoll_check_loop(struct epoll *epoll, struct epoll *target)
{
	int below, above;

	assert(mutex_held(&epoll_nesting));
	visits++;
	below = depth_below(target, epoll);
	if (below < 0)
		return below;
	visits++;
	spin_lock(&watches_lock);
	above = depth_above(epoll);
	spin_unlock(&watches_lock);
	return above + 1 + below > NESTS_MAX ? refuse(ELOOP, "a chain of too many epolls") : 0;
}

/*
 * Count the ways from a file up to epolls that no other epoll watches. watches_lock is held, which
 * keeps the items of all files. Each of their epolls has an open file, or waits for epoll_nesting
 * to close it.
 */
static bool paths_fit(struct file *file, unsigned int depth, unsigned int paths[NESTS_MAX + 1])
{
	struct epoll_item *item;

	for (item = file->epolls; item; item = item->next_watch) {
		struct file *outer = item->epoll->file;

		if (outer->epolls && !paths_fit(outer, depth + 1, paths))
			return false;
		if (!outer->epolls && ++paths[depth] > max_paths[depth])
			return false;
	}
	return true;
}

static int look_up(struct file *file)
{
	unsigned int paths[NESTS_MAX + 1] = { 0 };
	struct epoll *epoll = file_epoll(file);
	struct epoll_item *item = NULL;
	int error = 0;

	if (!epoll) {
		spin_lock(&watches_lock);
		if (!paths_fit(file, 0, paths))
			error = refuse(EINVAL, "too many ways for one event");
		spin_unlock(&watches_lock);
		return error;
	}
	if (epoll->visit == visits)
		return 0;
	note(epoll, 0);
	error = mutex_lock_killable(&epoll->mutex);
	if (error)
		return error;
	while (!error && (item = item_before(epoll, item)) != NULL)
		error = look_up(item->file);
	mutex_unlock(&epoll->mutex);
	return error;
}

int epoll_check_paths(struct file *file)
{
	assert(mutex_held(&epoll_nesting));
	visits++;
	return look_up(file);
}
