/*
 * epoll: which of many files are ready, without asking all of them.
 *
 * 1. An item is a descriptor that an epoll watches: a file and the number under which it was added.
 *    It holds no reference to the file, and goes away when the last reference to the file does.
 * 2. An item stays on the wait queues of its file, with a function, item_woken(). An event puts the
 *    item on the ready list. epoll_wait asks only the files of that list (file_ops.poll), because a
 *    wakeup is a hint. A file that is not ready leaves the list until its next event. So the cost
 *    of epoll_wait depends on how many files are ready, and not on how many are watched.
 * 3. A level-triggered item that was reported goes back to the end of the list, and is asked again
 *    by the next epoll_wait. An edge-triggered item does not, so it is reported again only after
 *    another event.
 * 4. An epoll is a file that can be watched itself. Circles and deep chains are refused
 *    (fs/events/epoll_nest.c).
 * 5. Locks, in their order: epoll_nesting (a mutex) < epoll->mutex, an outer epoll's before that of
 *    an epoll that it watches < locks that polls take < a wait queue's lock < epoll->lock. After
 *    releasing epoll->lock, item_woken() wakes `sleepers` and `watchers`, still under the first
 *    queue's lock. That may call item_woken() for an outer epoll. `watchers` of an inner epoll is
 *    locked before that of an outer one.
 * 6. epoll->mutex is held while files are asked, and while events are copied to the program without
 *    faulting pages in. It is never held while waiting for anything but inner mutexes.
 */
#ifndef FS_EVENTS_EPOLL_H
#define FS_EVENTS_EPOLL_H

#include "fs/file/open_file.h"
#include "kernel/wait.h"
#include "lib/tree.h"

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET	       (1u << 31)
#define EPOLL_OPTIONS  (EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)

#define EPOLL_QUEUES   2 /* wait queues of one file */
/*
 * Lower bits of an item's key. They number the items under one descriptor: earlier files of it may
 * still be open.
 */
#define EPOLL_KEY_NUMBER_BITS 16u

struct epoll_event { /* in the layout of user programs: 12 bytes */
	uint32_t events;
	uint64_t data;
};

struct epoll {
	struct mutex mutex; /* for `items`, nr_items, and to remove from `ready` */
	struct tree_node *items;
	unsigned int nr_items;
	spinlock_t lock; /* irqsave; for `ready`, and `events` and `ready_link` of items */
	struct list ready;
	struct wait_queue sleepers; /* tasks in epoll_wait */
	struct wait_queue watchers; /* poll and other epolls, which wait for this file */
	struct file *file;	    /* its own, without a reference */
	struct event_user *user;    /* the one who made it, for the limit on items */
	unsigned int
		visit; /* the last check, and what it found: fs/events/epoll_nest.c; epoll_nesting */
	int visit_depth;
};

struct epoll_join { /* an item's place on a wait queue */
	struct waiter waiter;
	struct epoll_item *item;
	struct wait_queue *queue; /* NULL: on none */
	struct process *process;  /* the queue is this process's: a reference; NULL: the file's */
	unsigned int events;	  /* that are announced there */
};

struct epoll_item {
	struct tree_node node; /* in epoll->items; the key is the descriptor and a number */
	struct epoll *epoll;
	struct file *file;			   /* without a reference */
	struct epoll_item *next_watch, **watch_at; /* in file->epolls; guarded by watches_lock */
	struct epoll_join joins[EPOLL_QUEUES];	   /* epoll->mutex */
	uint64_t data;				   /* epoll->mutex */
	unsigned int events;	/* wanted POLL* bits, and EPOLL_OPTIONS; set under both locks */
	struct list ready_link; /* empty: not on the ready list */
};

/* Guards file->epolls of all files. A plain spinlock. */
extern spinlock_t watches_lock;
/* Held while a watched file is closed, and while an epoll gets another one to watch. */
extern struct mutex epoll_nesting;
extern unsigned int epoll_max_user_watches; /* /proc/sys/fs/epoll/max_user_watches */

/* ---- fs/events/epoll_file.c ---- */

/* Returns the epoll of an open file, or NULL if it is another kind of file. */
struct epoll *file_epoll(struct file *file);
/* Make the open file of an empty epoll. Returns ERR_PTR(-ENFILE, -ENOMEM) on failure. May sleep. */
struct file *epoll_make(void);

/* ---- fs/events/epoll.c ---- */

/*
 * Watch a file under the number fd, change what is wanted of it, or watch it no longer. Return 0,
 * -EEXIST, -ENOENT, -ELOOP, -ENOSPC, -ENOMEM, -EINVAL or -ERESTARTSYS. May sleep.
 */
int epoll_add(struct epoll *epoll, struct file *file, unsigned int fd,
	      const struct epoll_event *event);
int epoll_modify(struct epoll *epoll, struct file *file, unsigned int fd,
		 const struct epoll_event *event);
int epoll_delete(struct epoll *epoll, struct file *file, unsigned int fd);
/*
 * Wait until files are ready, but no longer than until time_now() is `deadline` (0: do not wait),
 * and copy up to `max` events. `to` has room for them. Returns how many there are, 0 if the time
 * has passed, -EINTR, -EFAULT or -ERESTARTSYS. May sleep.
 */
int epoll_collect(struct epoll *epoll, struct iter *to, unsigned int max, uint64_t deadline);
/*
 * Returns true if the epoll has something to report. Items whose files are not ready leave the
 * ready list. epoll->mutex is held.
 */
bool epoll_has_events(struct epoll *epoll);
/* Remove and free an item. epoll->mutex is held. Never sleeps. */
void epoll_item_remove(struct epoll_item *item);

/* ---- fs/events/epoll_nest.c ---- */

/*
 * May `epoll` watch the epoll `target`? Returns 0, or -ELOOP if that makes a circle, or a chain
 * that is too deep. epoll_nesting is held. May sleep.
 */
int epoll_check_loop(struct epoll *epoll, struct epoll *target);
/*
 * Returns 0, or -EINVAL if an event of the file, or of a file that is watched through it, would now
 * travel too many ways. epoll_nesting is held. May sleep.
 */
int epoll_check_paths(struct file *file);

#endif
