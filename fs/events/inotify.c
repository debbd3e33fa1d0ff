/*
 * inotify: what happens to files, as a file to read.
 *
 * 1. An instance has watches, each with a number, and a queue of events. Each watch is also in the
 *    list of its inode (fs/names/notify.h), whose events call watch_notify() with inode_watch_lock
 *    held.
 * 2. instance->lock, a plain spinlock taken within inode_watch_lock, guards the queue.
 *    instance->mutex guards the tree of watches, and is not taken by events.
 * 3. An event equal to the last one in the queue is dropped. If the queue is full, or there is no
 *    memory, IN_Q_OVERFLOW is put there instead, in a place that is kept for it.
 * 4. A watch ends when it is removed, by its one event (IN_ONESHOT), or when its inode goes.
 *    IN_IGNORED is the last event of each, unless the instance is closed. A watch that ended by
 *    itself goes to the list `ended`, and is freed by the next call that adds or removes one.
 * 5. A reader joins `readable` before it looks at the queue, and an event is in the queue before
 *    `readable` is woken:
 *
 *	reader				event
 *	the queue is empty
 *					adds the event; nobody is on `readable`: wakes nobody
 *	joins `readable`
 *	the queue is not empty: does not sleep
 */
#include "fs/events/inotify.h"
#include "fs/events/event_file.h"
#include "fs/events/users.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "fs/names/notify.h"
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "lib/tree.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"

#define IN_Q_OVERFLOW  0x00004000u
#define IN_IGNORED     0x00008000u
#define IN_ONLYDIR     0x01000000u
#define IN_DONT_FOLLOW 0x02000000u
#define IN_EXCL_UNLINK 0x04000000u
#define IN_MASK_CREATE 0x10000000u
#define IN_MASK_ADD    0x20000000u
#define IN_ONESHOT     0x80000000u
#define IN_KNOWN                                                                                 \
	(IN_ALL_EVENTS | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED | IN_ONLYDIR | IN_DONT_FOLLOW | \
	 IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT)

#define FIONREAD 0x541b

unsigned int inotify_max_queued_events = 16384;
unsigned int inotify_max_user_instances = 128;
unsigned int inotify_max_user_watches = 8192;

struct inotify_event { /* in the layout of user programs; the name follows */
	int32_t wd;
	uint32_t mask, cookie, len;
};

struct queued_event {
	struct list link;
	struct inotify_event event;
	size_t name_len; /* without the NUL */
	char name[];
};

struct instance {
	struct mutex mutex;
	struct tree_node *watches; /* guarded by mutex; the key is the number */
	int last_wd;		   /* guarded by mutex */
	spinlock_t lock;	   /* guards the rest */
	struct list queue;	   /* of struct queued_event, oldest first */
	unsigned int queued;
	size_t bytes;	   /* of all events in the queue, as read(2) returns them */
	struct list ended; /* watches to be freed */
	bool overflown;	   /* IN_Q_OVERFLOW is in the queue */
	struct queued_event overflow;
	struct wait_queue readable;
	struct event_user *user;
};

struct watch {
	struct inode_watch watch; /* watch.inode: changed under inode_watch_lock */
	struct tree_node node;
	struct list ended_link;
	struct instance *instance;
	uint32_t flags; /* IN_EXCL_UNLINK and IN_ONESHOT; inode_watch_lock */
};

SLAB_CACHE(instance_cache, "inotify", struct instance, 0);
SLAB_CACHE(watch_cache, "inotify watch", struct watch, 0);

/* ---- the queue ---- */

static bool same_event(const struct queued_event *a, const struct queued_event *b)
{
	return a->event.wd == b->event.wd && a->event.mask == b->event.mask &&
	       a->event.cookie == b->event.cookie && a->name_len == b->name_len &&
	       memcmp(a->name, b->name, a->name_len) == 0;
}

static void append(struct instance *instance, struct queued_event *event)
{
	lockdep_held(&instance->lock);
	list_add_tail(&instance->queue, &event->link);
	instance->queued++;
	instance->bytes += sizeof(event->event) + event->event.len;
}

/* Put an event into the queue. `fresh` is NULL if there was no memory for it. Never sleeps. */
static void enqueue(struct instance *instance, struct queued_event *fresh)
{
	spin_lock(&instance->lock);
	if (fresh && !list_empty(&instance->queue) &&
	    same_event(list_last(&instance->queue, struct queued_event, link), fresh)) {
		spin_unlock(&instance->lock);
		kfree(fresh);
		return;
	}
	if (fresh && instance->queued < READ_ONCE(inotify_max_queued_events)) {
		append(instance, fresh);
		fresh = NULL;
	} else if (!instance->overflown) {
		instance->overflown = true;
		append(instance, &instance->overflow);
	}
	spin_unlock(&instance->lock);
	kfree(fresh);
	wake_all(&instance->readable);
}

/* Names are padded with NULs to a multiple of the size of an event. */
static struct queued_event *make_event(int wd, uint32_t mask, const struct file_event *about)
{
	size_t len = about && about->name ? about->len : 0;
	size_t padded =
		len ? (len / sizeof(struct inotify_event) + 1) * sizeof(struct inotify_event) : 0;
	struct queued_event *event = kmalloc(sizeof(*event) + padded, ALLOC_ATOMIC | ALLOC_ZERO);

	if (!event)
		return NULL;
	event->event = (struct inotify_event){ wd, mask, about ? about->cookie : 0, padded };
	event->name_len = len;
	memcpy(event->name, about && len ? about->name : "", len);
	return event;
}

/* Called with inode_watch_lock held. */
static bool watch_notify(struct inode_watch *inode_watch, const struct file_event *about)
{
	struct watch *watch = container_of(inode_watch, struct watch, watch);
	uint32_t mask = about->mask;

	if (about->unhashed && watch->flags & IN_EXCL_UNLINK)
		return false;
	if (mask & (IN_MOVE_SELF | IN_DELETE_SELF))
		mask &= ~IN_ISDIR;
	enqueue(watch->instance, make_event(watch->node.key, mask, about));
	return watch->flags & IN_ONESHOT;
}

/* ---- watches ---- */

/* A watch is off its inode. Tell of it. */
static void ignored(struct watch *watch)
{
	enqueue(watch->instance, make_event(watch->node.key, IN_IGNORED, NULL));
	event_user_less(watch->instance->user, INOTIFY_WATCHES);
}

/* Called with inode_watch_lock held. */
static void watch_ended(struct inode_watch *inode_watch)
{
	struct watch *watch = container_of(inode_watch, struct watch, watch);
	struct instance *instance = watch->instance;

	ignored(watch);
	spin_lock(&instance->lock);
	list_add_tail(&instance->ended, &watch->ended_link);
	spin_unlock(&instance->lock);
}

/* Free the watches that have ended. The mutex is held. */
static void free_ended(struct instance *instance)
{
	struct list ended = LIST_INIT(ended);

	assert(mutex_held(&instance->mutex));
	spin_lock(&instance->lock);
	list_splice_tail(&ended, &instance->ended);
	spin_unlock(&instance->lock);
	while (!list_empty(&ended)) {
		struct watch *watch = list_first(&ended, struct watch, ended_link);

		list_del(&watch->ended_link);
		tree_remove(&instance->watches, &watch->node);
		slab_free(watch_cache, watch);
	}
}

/* Returns the watch with that number, or NULL. The mutex is held. */
static struct watch *find_number(struct instance *instance, int wd)
{
	struct tree_node *node = tree_below(instance->watches, (uintptr_t)wd + 1);

	return node && node->key == (uintptr_t)wd ? container_of(node, struct watch, node) : NULL;
}

/*
 * If the instance watches the inode already, change the mask. Returns the number of the watch, 0 if
 * there is none, or -EEXIST with IN_MASK_CREATE.
 */
static int change_mask(struct instance *instance, struct inode *inode, uint32_t mask)
{
	struct inode_watch *other;
	int wd = 0;

	spin_lock(&inode_watch_lock);
	for (other = inode->watches; other && !wd; other = other->next) {
		struct watch *watch = container_of(other, struct watch, watch);

		if (other->ended != watch_ended || watch->instance != instance)
			continue;
		wd = watch->node.key;
		if (mask & IN_MASK_CREATE) {
			wd = -EEXIST;
		} else if (mask & IN_MASK_ADD) {
			other->mask |= mask & IN_ALL_EVENTS;
			watch->flags |= mask & (IN_EXCL_UNLINK | IN_ONESHOT);
		} else {
			other->mask = mask & IN_ALL_EVENTS;
			watch->flags = mask & (IN_EXCL_UNLINK | IN_ONESHOT);
		}
	}
	spin_unlock(&inode_watch_lock);
	return wd;
}

/* Numbers are given anew only when all have been used. */
static int next_number(struct instance *instance)
{
	do
		instance->last_wd = instance->last_wd == INT32_MAX ? 1 : instance->last_wd + 1;
	while (find_number(instance, instance->last_wd));
	return instance->last_wd;
}

/* Returns the number of a new watch, -ENOSPC or -ENOMEM. The mutex is held. */
static int add_watch(struct instance *instance, struct inode *inode, uint32_t mask)
{
	struct watch *watch;

	if (!event_user_more(instance->user, INOTIFY_WATCHES, READ_ONCE(inotify_max_user_watches)))
		return -ENOSPC;
	watch = slab_alloc(watch_cache, ALLOC_ZERO);
	if (!watch) {
		event_user_less(instance->user, INOTIFY_WATCHES);
		return -ENOMEM;
	}
	inode_get(inode);
	watch->watch.inode = inode;
	watch->watch.mask = mask & IN_ALL_EVENTS;
	watch->watch.notify = watch_notify;
	watch->watch.ended = watch_ended;
	watch->instance = instance;
	watch->flags = mask & (IN_EXCL_UNLINK | IN_ONESHOT);
	list_init(&watch->ended_link);
	watch->node.key = next_number(instance);
	tree_insert(&instance->watches, &watch->node);
	spin_lock(&inode_watch_lock);
	inode_watch_add(&watch->watch);
	spin_unlock(&inode_watch_lock);
	return watch->node.key;
}

/* Take the watch off its inode, unless it has ended. Returns the inode to be put, or NULL. */
static struct inode *take_off(struct watch *watch)
{
	struct inode *inode = NULL;

	spin_lock(&inode_watch_lock);
	if (watch->watch.inode)
		inode = inode_watch_remove(&watch->watch);
	spin_unlock(&inode_watch_lock);
	return inode;
}

/* ---- reading ---- */

static bool has_events(struct instance *instance)
{
	return !list_empty_unlocked(&instance->queue);
}

/* Take the first event out of the queue. instance->lock is held. */
static void remove_first(struct instance *instance, struct queued_event *event)
{
	list_del(&event->link);
	instance->queued--;
	instance->bytes -= sizeof(event->event) + event->event.len;
	if (event == &instance->overflow)
		instance->overflown = false;
}

/*
 * Copy the first event, without faulting pages in. Returns its size, 0 if there is none, -EINVAL if
 * there is no room for it, or -EFAULT. *needed is set to its size in any case.
 */
static ssize_t take_event(struct instance *instance, struct iter *to, size_t *needed)
{
	struct queued_event *event = NULL;
	ssize_t size = 0;

	spin_lock(&instance->lock);
	if (!list_empty(&instance->queue)) {
		event = list_first(&instance->queue, struct queued_event, link);
		size = sizeof(event->event) + event->event.len;
	}
	*needed = size;
	if (event && (size_t)size > to->left) {
		size = -EINVAL;
	} else if (event) {
		size_t copied = iter_copy_to_nofault(to, &event->event, sizeof(event->event));

		if (copied == sizeof(event->event))
			copied += iter_copy_to_nofault(to, event->name, event->event.len);
		if (copied == (size_t)size) {
			remove_first(instance, event);
		} else {
			iter_rewind(to, copied);
			size = -EFAULT;
		}
	}
	spin_unlock(&instance->lock);
	if (size > 0 && event != &instance->overflow)
		kfree(event);
	return size;
}

/* Returns events as long as there is room. The first one must fit. */
static ssize_t inotify_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct instance *instance = file->private;
	ssize_t done = 0, n;
	size_t needed;

	for (;;) {
		n = take_event(instance, to, &needed);
		if (n > 0)
			done += n;
		else if (n == -EFAULT && done == 0)
			n = iter_fault_in(to, needed, true, true);
		else if (n == 0 && done == 0 && !(file->flags & O_NONBLOCK))
			n = wait_event_interruptible(&instance->readable, has_events(instance));
		else
			break;
		if (n < 0)
			break;
	}
	if (done)
		return done;
	return n ? n : -EAGAIN;
}

static unsigned int inotify_poll(struct file *file, struct poll_table *table)
{
	struct instance *instance = file->private;

	poll_wait(table, &instance->readable, POLLIN | POLLRDNORM);
	return has_events(instance) ? POLLIN | POLLRDNORM : 0;
}

static long inotify_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct instance *instance = file->private;
	size_t bytes;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&instance->lock);
	bytes = instance->bytes;
	spin_unlock(&instance->lock);
	return put_user_u32(bytes, (void __user *)argument);
}

/* ---- instances ---- */

static void instance_free(struct instance *instance)
{
	event_user_less(instance->user, INOTIFY_INSTANCES);
	event_user_put(instance->user);
	slab_free(instance_cache, instance);
}

/* No call uses the file any more. Events may still come until each watch is off its inode. */
static void inotify_release(struct file *file)
{
	struct instance *instance = file->private;
	struct tree_node *node;

	while ((node = tree_below(instance->watches, UINTPTR_MAX)) != NULL) {
		struct watch *watch = container_of(node, struct watch, node);
		struct inode *inode = take_off(watch);

		if (inode)
			event_user_less(instance->user, INOTIFY_WATCHES);
		inode_put(inode);
		tree_remove(&instance->watches, node);
		slab_free(watch_cache, watch);
	}
	while (!list_empty(&instance->queue)) {
		struct queued_event *event =
			list_first(&instance->queue, struct queued_event, link);

		list_del(&event->link);
		if (event != &instance->overflow)
			kfree(event);
	}
	instance_free(instance);
}

static const struct file_ops inotify_file_ops = {
	.ignores_seek = true,
	.async = ASYNC_AT_ONCE,
	.release = inotify_release,
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
};

/* Returns an instance that counts for the current user, or ERR_PTR(-EMFILE, -ENOMEM). */
static struct instance *instance_make(void)
{
	struct instance *instance = slab_alloc(instance_cache, ALLOC_ZERO);

	if (!instance)
		return ERR_PTR(-ENOMEM);
	instance->user = event_user_get();
	if (!instance->user) {
		slab_free(instance_cache, instance);
		return ERR_PTR(-ENOMEM);
	}
	if (!event_user_more(instance->user, INOTIFY_INSTANCES,
			     READ_ONCE(inotify_max_user_instances))) {
		event_user_put(instance->user);
		slab_free(instance_cache, instance);
		return ERR_PTR(-EMFILE);
	}
	mutex_init(&instance->mutex, "inotify");
	spin_init(&instance->lock, "inotify queue");
	list_init(&instance->queue);
	list_init(&instance->ended);
	instance->overflow.event = (struct inotify_event){ -1, IN_Q_OVERFLOW, 0, 0 };
	wait_queue_init(&instance->readable, "inotify readable");
	return instance;
}

long sys_inotify_init1(unsigned int flags)
{
	struct instance *instance;
	struct file *file;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return refuse(EINVAL, "an unknown flag");
	instance = instance_make();
	if (IS_ERR(instance))
		return PTR_ERR(instance);
	file = event_file("inotify", &inotify_file_ops, instance, O_RDONLY | flags);
	if (!IS_ERR(file))
		return fd_add(file, flags & O_CLOEXEC);
	instance_free(instance);
	return PTR_ERR(file);
}

long sys_inotify_init(void)
{
	return sys_inotify_init1(0);
}

/* Watch what the path leads to, which the current user must be able to read. */
static long watch_path(struct instance *instance, const char __user *name, uint32_t mask)
{
	unsigned int flags = mask & IN_DONT_FOLLOW ? 0 : LOOKUP_FOLLOW;
	struct path path;
	struct inode *inode;
	long result = path_lookup_user(AT_FDCWD, name,
				       flags | (mask & IN_ONLYDIR ? LOOKUP_DIRECTORY : 0), &path);

	if (result < 0)
		return result;
	inode = path.dentry->inode;
	result = inode_permission(inode, MAY_READ);
	if (!result)
		result = mutex_lock_killable(&instance->mutex);
	if (!result) {
		free_ended(instance);
		result = change_mask(instance, inode, mask);
		if (!result)
			result = add_watch(instance, inode, mask);
		mutex_unlock(&instance->mutex);
	}
	path_put(&path);
	return result;
}

static long remove_watch(struct instance *instance, int wd)
{
	long result = mutex_lock_killable(&instance->mutex);
	struct inode *inode = NULL;
	struct watch *watch;

	if (result)
		return result;
	free_ended(instance);
	watch = wd > 0 ? find_number(instance, wd) : NULL;
	if (watch)
		inode = take_off(watch);
	if (inode) {
		ignored(watch);
		tree_remove(&instance->watches, &watch->node);
		slab_free(watch_cache, watch);
	}
	mutex_unlock(&instance->mutex);
	if (!inode)
		return refuse(EINVAL, "no such watch");
	inode_put(inode);
	return 0;
}

long sys_inotify_add_watch(int number, const char __user *name, uint32_t mask)
{
	struct fd fd;
	long result = -EBADF;

	if (!mask || mask & ~IN_KNOWN)
		return refuse(EINVAL, "no event");
	fd = fd_get(number);
	if (fd.file &&
	    ((mask & IN_MASK_ADD && mask & IN_MASK_CREATE) || fd.file->ops != &inotify_file_ops))
		result =
			refuse(EINVAL, "not an inotify file, or two flags that exclude each other");
	else if (fd.file)
		result = watch_path(fd.file->private, name, mask);
	fd_put(fd);
	return result;
}

long sys_inotify_rm_watch(int number, int wd)
{
	struct fd fd = fd_get(number);
	long result = -EBADF;

	if (fd.file && fd.file->ops != &inotify_file_ops)
		result = refuse(EINVAL, "not an inotify file");
	else if (fd.file)
		result = remove_watch(fd.file->private, wd);
	fd_put(fd);
	return result;
}
