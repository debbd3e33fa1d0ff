/* Finding the watches that an event concerns. The contract is in fs/names/notify.h. */
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"

spinlock_t inode_watch_lock = SPINLOCK_INIT("inode watches");
unsigned int nr_inode_watches;

void inode_watch_add(struct inode_watch *watch)
{
	struct inode *inode = watch->inode;

	lockdep_held(&inode_watch_lock);
	watch->next = inode->watches;
	watch->at = &inode->watches;
	if (watch->next)
		watch->next->at = &watch->next;
	WRITE_ONCE(inode->watches, watch);
	WRITE_ONCE(nr_inode_watches, nr_inode_watches + 1);
}

struct inode *inode_watch_remove(struct inode_watch *watch)
{
	struct inode *inode = watch->inode;

	lockdep_held(&inode_watch_lock);
	WRITE_ONCE(*watch->at, watch->next);
	if (watch->next)
		watch->next->at = watch->at;
	watch->inode = NULL;
	WRITE_ONCE(nr_inode_watches, nr_inode_watches - 1);
	return inode;
}

/*
 * Tell the watches of an inode. Returns how many of them have ended. The caller drops so many
 * references to the inode when it holds no lock any more.
 */
static unsigned int tell(struct inode *inode, const struct file_event *event, bool all_end)
{
	struct inode_watch *watch, *next;
	unsigned int ended = 0;

	spin_lock(&inode_watch_lock);
	for (watch = inode->watches; watch; watch = next) {
		bool wanted = event->mask & (watch->mask | IN_UNMOUNT) & ~IN_ISDIR;

		next = watch->next;
		if (!(wanted && watch->notify(watch, event)) && !all_end)
			continue;
		inode_watch_remove(watch);
		watch->ended(watch);
		ended++;
	}
	spin_unlock(&inode_watch_lock);
	return ended;
}

static void put_many(struct inode *inode, unsigned int nr)
{
	while (nr-- > 0)
		inode_put(inode);
}

void notify_inode_slow(struct inode *inode, const struct file_event *event)
{
	if (READ_ONCE(inode->watches))
		put_many(inode, tell(inode, event, false));
}

/* dcache_lock keeps the name and the parent while they are told of. */
void notify_path_slow(struct dentry *path, uint32_t mask)
{
	struct file_event event = { .mask = mask };
	struct inode *parent = NULL;
	unsigned int ended = 0;

	if (S_ISDIR(path->inode->mode))
		event.mask |= IN_ISDIR;
	spin_lock(&dcache_lock);
	if (path->parent != path && READ_ONCE(path->parent->inode->watches)) {
		parent = path->parent->inode;
		event.name = path->name;
		event.len = path->name_len;
		event.unhashed = path->unhashed;
		ended = tell(parent, &event, false);
	}
	spin_unlock(&dcache_lock);
	put_many(parent, ended);
	event.name = NULL;
	event.unhashed = false;
	notify_inode_slow(path->inode, &event);
}

void notify_gone(struct inode *inode, uint32_t mask)
{
	const struct file_event event = { .mask = mask | (S_ISDIR(inode->mode) ? IN_ISDIR : 0) };

	if (READ_ONCE(inode->watches))
		put_many(inode, tell(inode, &event, true));
}

void notify_unmount(struct super_block *sb)
{
	struct inode *inode = NULL;

	if (!READ_ONCE(nr_inode_watches))
		return;
	while ((inode = inode_next(sb, inode)) != NULL)
		notify_gone(inode, IN_UNMOUNT);
}

uint32_t notify_cookie(void)
{
	static struct atomic last = ATOMIC_INIT(0);

	return atomic_add_return(&last, 1);
}
