/*
 * POSIX message queues: names, messages, waiting and notices. The contract is in
 * kernel/ipc/mqueue.h.
 */
#include "kernel/ipc/mqueue.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/signals/posix_timer.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "fs/names/vfs_internal.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define FILE_SIZE	    80	 /* of the text that read(2) gets from a queue's descriptor */
#define BYTES_FOR_A_MESSAGE 48u	 /* that a message counts for besides its text, as on Linux */
#define SI_MESGQ	    (-3) /* a signal's code */

struct mqueue_waiter {
	struct ipc_waiter base;
	struct message *message; /* to be sent, or received */
	unsigned int urgency;	 /* of the task */
};

spinlock_t mqueue_lock = SPINLOCK_INIT("posix message queues");
static struct list all_queues = LIST_INIT(all_queues);
static unsigned int nr_queues;
struct mqueue_limits mqueue_limits = { 10, 8192, 10, 8192, 256 };
SLAB_CACHE(mqueue_cache, "mqueue", struct mqueue, 0);

/* ---- life ---- */

static struct mqueue *queue_alloc(void)
{
	struct mqueue *queue = slab_alloc(mqueue_cache, ALLOC_ZERO);

	if (!queue)
		return NULL;
	list_init(&queue->link);
	list_init(&queue->messages);
	list_init(&queue->senders);
	list_init(&queue->receivers);
	wait_queue_init(&queue->readable, "mqueue readable");
	wait_queue_init(&queue->writable, "mqueue writable");
	return queue;
}

/* Nobody else knows the queue. */
static void queue_free(struct mqueue *queue)
{
	while (!list_empty(&queue->messages)) {
		struct message *message = list_first(&queue->messages, struct message, link);

		list_del(&message->link);
		msg_free(message);
	}
	if (queue->notice.process)
		process_put(queue->notice.process);
	if (!IS_ERR(queue->inode))
		inode_put(queue->inode);
	kfree(queue->name);
	slab_free(mqueue_cache, queue);
}

static struct mqueue *make(const char *name, unsigned int mode, unsigned int max_messages,
			   unsigned int max_len)
{
	size_t size = strlen(name) + 1;
	struct mqueue *queue = queue_alloc();

	if (!queue)
		return ERR_PTR(-ENOMEM);
	queue->name = kmalloc(size, 0);
	queue->inode = inode_anonymous(S_IFREG | mode, "mqueue");
	if (!queue->name || IS_ERR(queue->inode)) {
		queue_free(queue);
		return ERR_PTR(-ENOMEM);
	}
	memcpy(queue->name, name, size);
	inode_set_size(queue->inode, FILE_SIZE);
	queue->uid = current->process->cred.uid;
	queue->max_messages = max_messages;
	queue->max_len = max_len;
	queue->charge = (uint64_t)max_messages * (max_len + BYTES_FOR_A_MESSAGE);
	return queue;
}

void mqueue_put(struct mqueue *queue)
{
	bool last;

	spin_lock(&mqueue_lock);
	last = --queue->refs == 0;
	if (last) {
		list_del(&queue->link);
		nr_queues--;
	}
	spin_unlock(&mqueue_lock);
	if (last)
		queue_free(queue);
}

/* ---- names ---- */

static struct mqueue *find(const char *name)
{
	struct mqueue *queue;

	list_for_each(queue, &all_queues, link)
		if (queue->name && strcmp(queue->name, name) == 0)
			return queue;
	return NULL;
}

/* Add a new queue, with references for its name and its maker. Returns 0, -EMFILE or -ENOSPC. */
static int add(struct mqueue *new)
{
	uint64_t limit = current->process->limits[RLIMIT_MSGQUEUE].soft, sum = new->charge;
	struct mqueue *queue;

	if (nr_queues >= READ_ONCE(mqueue_limits.queues) && !capable(CAP_SYS_RESOURCE))
		return -ENOSPC;
	list_for_each(queue, &all_queues, link)
		if (queue->uid == new->uid)
			sum += queue->charge;
	if (sum > limit)
		return -EMFILE;
	list_add_tail(&all_queues, &new->link);
	nr_queues++;
	new->refs = 2;
	return 0;
}

/*
 * Look for the name, and add the new queue under it if there is none. Returns a queue with a
 * reference or ERR_PTR.
 */
static struct mqueue *find_or_add(const char *name, struct mqueue *new)
{
	struct mqueue *queue;
	int error = 0;

	spin_lock(&mqueue_lock);
	queue = find(name);
	if (queue)
		queue->refs++;
	else
		error = new ? add(new) : -ENOENT;
	spin_unlock(&mqueue_lock);
	if (new && (queue || error))
		queue_free(new);
	if (error)
		return ERR_PTR(error);
	return queue ? queue : new;
}

/* May the current process open an existing queue like this? Returns 0 or an error. */
static int check_open(struct mqueue *queue, unsigned int flags)
{
	unsigned int access = flags & O_ACCMODE;

	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (access == O_ACCMODE)
		return refuse(EINVAL, "neither O_RDONLY, O_WRONLY nor O_RDWR");
	return inode_permission(queue->inode, (access != O_WRONLY ? MAY_READ : 0) |
						      (access != O_RDONLY ? MAY_WRITE : 0));
}

struct mqueue *mqueue_open(const char *name, unsigned int flags, unsigned int mode,
			   unsigned int max_messages, unsigned int max_len)
{
	struct mqueue *queue = find_or_add(name, NULL), *new;
	int error;

	if (IS_ERR(queue) && flags & O_CREAT) {
		new = make(name, mode, max_messages, max_len);
		queue = IS_ERR(new) ? new : find_or_add(name, new);
		if (queue == new)
			return queue;
	}
	if (IS_ERR(queue))
		return queue;
	error = check_open(queue, flags);
	if (error) {
		mqueue_put(queue);
		return ERR_PTR(error);
	}
	return queue;
}

long mqueue_unlink(const char *name)
{
	struct mqueue *queue;
	char *gone = NULL;
	long error = -ENOENT;

	spin_lock(&mqueue_lock);
	queue = find(name);
	if (queue)
		error = inode_owner_or_root(queue->inode) ? 0 : -EPERM;
	if (error == 0) {
		gone = queue->name;
		queue->name = NULL;
		queue->inode->nr_links = 0;
	}
	spin_unlock(&mqueue_lock);
	kfree(gone);
	if (error == 0)
		mqueue_put(queue);
	return error;
}

/* ---- notices ---- */

static void drop_notice(struct mqueue *queue)
{
	process_put(queue->notice.process);
	queue->notice.process = NULL;
}

/* Tell the process that has asked. The signal says in whose name the message came. */
static void notify(struct mqueue *queue)
{
	struct mqueue_notice *notice = &queue->notice;
	const struct signal_info info = {
		.code = SI_MESGQ,
		.pid = current->process->pid,
		.uid = current->process->cred.uid,
		.value = notice->value,
	};

	if (!notice->process)
		return;
	if (notice->kind == SIGEV_SIGNAL && notice->signo > 0)
		signal_send_process(notice->process, notice->signo, &info);
	drop_notice(queue);
}

int mqueue_set_notice(struct mqueue *queue, const struct mqueue_notice *notice)
{
	struct process *process = current->process;
	int error = 0;

	spin_lock(&mqueue_lock);
	if (!notice) {
		if (queue->notice.process == process)
			drop_notice(queue);
	} else if (queue->notice.process) {
		error = -EBUSY;
	} else {
		queue->notice = *notice;
		process_get(process);
		queue->notice.process = process;
	}
	spin_unlock(&mqueue_lock);
	return error;
}

/* ---- moving messages. mqueue_lock is held. ---- */

/* Insert a message behind those of its priority, or with `first` in front of them. */
static void insert(struct mqueue *queue, struct message *new, bool first)
{
	struct list *before = &queue->messages;
	struct message *message;

	list_for_each(message, &queue->messages, link) {
		if (message->type < new->type || (first && message->type == new->type)) {
			before = &message->link;
			break;
		}
	}
	list_add_tail(before, &new->link);
	queue->nr++;
	queue->bytes += new->len;
	wake_all(&queue->readable);
}

/* Returns the first of the waiters, or NULL. */
static struct mqueue_waiter *first_waiter(struct list *waiters)
{
	return list_empty(waiters) ? NULL : list_first(waiters, struct mqueue_waiter, base.link);
}

static void put(struct mqueue *queue, struct message *message)
{
	struct mqueue_waiter *receiver = first_waiter(&queue->receivers);

	if (receiver) {
		receiver->message = message;
		ipc_finish(&receiver->base, 0);
		return;
	}
	insert(queue, message, false);
	if (queue->nr == 1)
		notify(queue);
}

static struct message *take(struct mqueue *queue)
{
	struct message *message = list_first(&queue->messages, struct message, link);
	struct mqueue_waiter *sender = first_waiter(&queue->senders);

	list_del(&message->link);
	queue->nr--;
	queue->bytes -= message->len;
	if (sender) {
		insert(queue, sender->message, false);
		ipc_finish(&sender->base, 0);
	}
	wake_all(&queue->writable);
	return message;
}

/* Add the current task's waiter behind those of tasks that are as urgent. */
static void queue_waiter(struct list *waiters, struct mqueue_waiter *new)
{
	struct list *before = waiters;
	struct mqueue_waiter *waiter;

	ipc_waiter_init(&new->base);
	new->urgency = current->urgency;
	list_for_each(waiter, waiters, base.link) {
		if (waiter->urgency < new->urgency) {
			before = &waiter->base.link;
			break;
		}
	}
	list_add_tail(before, &new->base.link);
}

/* ---- sending and receiving ---- */

static int sleep(struct mqueue_waiter *waiter, uint64_t until)
{
	int result = ipc_sleep(&mqueue_lock, &waiter->base, until);

	return result == -EAGAIN ? -ETIMEDOUT : result;
}

int mqueue_send(struct mqueue *queue, struct message *message, bool wait, uint64_t until)
{
	struct mqueue_waiter waiter = { .message = message };
	int result = 0;

	spin_lock(&mqueue_lock);
	if (queue->nr < queue->max_messages) {
		put(queue, message);
	} else if (wait) {
		queue_waiter(&queue->senders, &waiter);
		result = IPC_WAITING;
	} else {
		result = -EAGAIN;
	}
	spin_unlock(&mqueue_lock);
	return result == IPC_WAITING ? sleep(&waiter, until) : result;
}

struct message *mqueue_receive(struct mqueue *queue, bool wait, uint64_t until)
{
	struct mqueue_waiter waiter = { .message = NULL };
	int result = 0;

	spin_lock(&mqueue_lock);
	if (queue->nr > 0) {
		waiter.message = take(queue);
	} else if (wait) {
		queue_waiter(&queue->receivers, &waiter);
		result = IPC_WAITING;
	} else {
		result = -EAGAIN;
	}
	spin_unlock(&mqueue_lock);
	if (result == IPC_WAITING)
		result = sleep(&waiter, until);
	return result ? ERR_PTR(result) : waiter.message;
}

void mqueue_give_back(struct mqueue *queue, struct message *message)
{
	struct mqueue_waiter *receiver;

	spin_lock(&mqueue_lock);
	receiver = first_waiter(&queue->receivers);
	if (receiver) {
		receiver->message = message;
		ipc_finish(&receiver->base, 0);
	} else {
		insert(queue, message, true);
	}
	spin_unlock(&mqueue_lock);
}
