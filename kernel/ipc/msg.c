/* Queues of messages: sending, receiving and waiting. The contract is in kernel/ipc/msg.h. */
#include "kernel/ipc/msg.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

#define LONG_TEXT  1024u     /* bytes */
#define LOOK_AGAIN (-EAGAIN) /* a result: nothing has happened to the message */

struct msg_sender {
	struct ipc_waiter base;
	struct message *message;
	unsigned int pid;
};

struct msg_receiver {
	struct ipc_waiter base;
	const struct msg_wish *wish;
	struct message *message; /* that it has been handed */
	unsigned int pid;
};

static int64_t now(void)
{
	return time_wall_spec().sec;
}

/* ---- life ---- */

/* A text of whole pages would take twice its size together with what stands before it. */
static size_t message_bytes(size_t len)
{
	return sizeof(struct message) + (len < LONG_TEXT ? len : 0);
}

struct message *msg_alloc(size_t len)
{
	struct message *message = ipc_alloc(message_bytes(len), 0);

	if (!message)
		return NULL;
	message->len = len;
	message->text = len < LONG_TEXT ? message->inside : ipc_alloc(len, 0);
	if (message->text)
		return message;
	ipc_free(message, message_bytes(len));
	return NULL;
}

void msg_free(struct message *message)
{
	if (!message)
		return;
	if (message->len >= LONG_TEXT)
		ipc_free(message->text, message->len);
	ipc_free(message, message_bytes(message->len));
}

static struct ipc_object *queue_create(int32_t key, size_t size, unsigned int flags)
{
	struct msg_queue *queue = ipc_alloc(sizeof(*queue), ALLOC_ZERO);

	if (!queue)
		return ERR_PTR(-ENOMEM);
	queue->ctime = now();
	queue->max_bytes = READ_ONCE(msg_queue_max);
	list_init(&queue->messages);
	list_init(&queue->senders);
	list_init(&queue->receivers);
	return &queue->object;
}

/* Nobody else knows the queue any more. */
static void queue_destroy(struct ipc_object *object)
{
	struct msg_queue *queue = msg_queue_of(object);

	while (!list_empty(&queue->messages)) {
		struct message *message = list_first(&queue->messages, struct message, link);

		list_del(&message->link);
		msg_free(message);
	}
	ipc_free(queue, sizeof(*queue));
}

static const struct ipc_kind msg_kind = {
	.create = queue_create,
	.destroy = queue_destroy,
};
unsigned int msg_max = MSG_MAX, msg_queue_max = MSG_QUEUE_MAX;
struct ipc_table msg_table = IPC_TABLE("message queues", msg_kind, MSG_NR_QUEUES);

long sys_msgget(int32_t key, unsigned int flags)
{
	return ipc_get(&msg_table, key, 0, flags);
}

/* ---- choosing. msg_table.lock is held. ---- */

/*
 * The amount of a negative type. That of the lowest one is no number of 32 bits, but all types are
 * below it.
 */
static int32_t highest_type(const struct msg_wish *wish)
{
	return wish->type == INT32_MIN ? INT32_MAX : -wish->type;
}

static bool wants(const struct msg_wish *wish, const struct message *message)
{
	if (wish->type == 0)
		return true;
	if (wish->type < 0)
		return message->type <= highest_type(wish);
	return (message->type == wish->type) != ((wish->flags & MSG_EXCEPT) != 0);
}

/*
 * Returns the message to be received, or NULL: the first one, or the first one of the lowest type.
 */
static struct message *choose(const struct msg_queue *queue, const struct msg_wish *wish)
{
	struct message *message, *best = NULL;

	list_for_each(message, &queue->messages, link) {
		if (!wants(wish, message) || (best && message->type >= best->type))
			continue;
		best = message;
		if (wish->type >= 0)
			break;
	}
	return best;
}

static bool fits(const struct msg_queue *queue, const struct message *message)
{
	return queue->bytes + message->len <= queue->max_bytes && queue->nr < queue->max_bytes;
}

static bool is_too_long(const struct msg_wish *wish, const struct message *message)
{
	return message->len > wish->max_len && !(wish->flags & MSG_NOERROR);
}

static void note_received(struct msg_queue *queue, unsigned int pid)
{
	queue->receiver = pid;
	queue->rtime = now();
}

/* ---- moving messages. msg_table.lock is held. ---- */

/*
 * Hand the message to the first task that waits for such a one. Tasks that want it but have no room
 * for it fail. Returns false if nobody has taken it.
 */
static bool hand_over(struct msg_queue *queue, struct message *message)
{
	struct msg_receiver *receiver, *next;

	list_for_each_safe(receiver, next, &queue->receivers, base.link) {
		if (!wants(receiver->wish, message))
			continue;
		if (is_too_long(receiver->wish, message)) {
			ipc_finish(&receiver->base, -E2BIG);
			continue;
		}
		note_received(queue, receiver->pid);
		receiver->message = message;
		ipc_finish(&receiver->base, 0);
		return true;
	}
	return false;
}

static void put(struct msg_queue *queue, struct message *message, unsigned int pid)
{
	queue->sender = pid;
	queue->stime = now();
	if (hand_over(queue, message))
		return;
	list_add_tail(&queue->messages, &message->link);
	queue->bytes += message->len;
	queue->nr++;
}

/* There is more room. A message that does not fit does not hold up smaller ones behind it. */
static void admit_senders(struct msg_queue *queue)
{
	struct msg_sender *sender, *next;

	list_for_each_safe(sender, next, &queue->senders, base.link) {
		if (!fits(queue, sender->message))
			continue;
		put(queue, sender->message, sender->pid);
		ipc_finish(&sender->base, 0);
	}
}

static void take(struct msg_queue *queue, struct message *message)
{
	list_del(&message->link);
	queue->bytes -= message->len;
	queue->nr--;
	note_received(queue, current->process->pid);
	admit_senders(queue);
}

void msg_look_again_locked(struct msg_queue *queue)
{
	lockdep_held(&msg_table.lock);
	ipc_finish_all(&queue->receivers, LOOK_AGAIN);
	ipc_finish_all(&queue->senders, LOOK_AGAIN);
}

/* Find the queue. Returns it or ERR_PTR(-EINVAL, -EACCES). */
static struct msg_queue *find(int id, unsigned int ways)
{
	struct ipc_object *object = ipc_find_locked(&msg_table, id);

	if (!object)
		return ERR_PTR(-EINVAL);
	return ipc_permitted(object, ways) ? msg_queue_of(object) : ERR_PTR(-EACCES);
}

/* ---- sending and receiving ---- */

/*
 * Put the sender's message into the queue, or the sender on its list. Returns 0, IPC_WAITING or an
 * error.
 */
static int send_or_queue(int id, struct msg_sender *sender, bool wait)
{
	struct msg_queue *queue = find(id, IPC_WRITE);

	if (IS_ERR(queue))
		return PTR_ERR(queue);
	if (fits(queue, sender->message)) {
		put(queue, sender->message, sender->pid);
		return 0;
	}
	if (!wait)
		return -EAGAIN;
	list_add_tail(&queue->senders, &sender->base.link);
	return IPC_WAITING;
}

int msg_send(int id, struct message *message, bool wait)
{
	struct msg_sender sender = { .message = message, .pid = current->process->pid };
	bool removed = false;
	int result;

	do {
		ipc_waiter_init(&sender.base);
		spin_lock(&msg_table.lock);
		result = send_or_queue(id, &sender, wait);
		spin_unlock(&msg_table.lock);
		if (result == -EINVAL && removed)
			result = -EIDRM;
		if (result == IPC_WAITING)
			result = ipc_sleep(&msg_table.lock, &sender.base, UINT64_MAX);
		removed = true;
	} while (result == LOOK_AGAIN && wait);
	return result == -ERESTARTSYS ? -ERESTARTNOHAND : result;
}

/* Take a message, or put the receiver on the queue's list. Returns 0, IPC_WAITING or an error. */
static int receive_or_queue(int id, struct msg_receiver *receiver)
{
	struct msg_queue *queue = find(id, IPC_READ);
	struct message *message;

	if (IS_ERR(queue))
		return PTR_ERR(queue);
	message = choose(queue, receiver->wish);
	if (message && is_too_long(receiver->wish, message))
		return -E2BIG;
	if (message) {
		take(queue, message);
		receiver->message = message;
		return 0;
	}
	if (receiver->wish->flags & IPC_NOWAIT)
		return -ENOMSG;
	list_add_tail(&queue->receivers, &receiver->base.link);
	return IPC_WAITING;
}

struct message *msg_receive(int id, const struct msg_wish *wish)
{
	struct msg_receiver receiver = { .wish = wish, .pid = current->process->pid };
	bool removed = false;
	int result;

	do {
		ipc_waiter_init(&receiver.base);
		spin_lock(&msg_table.lock);
		result = receive_or_queue(id, &receiver);
		spin_unlock(&msg_table.lock);
		if (result == -EINVAL && removed)
			result = -EIDRM;
		if (result == IPC_WAITING)
			result = ipc_sleep(&msg_table.lock, &receiver.base, UINT64_MAX);
		removed = true;
	} while (result == LOOK_AGAIN);
	if (result == 0)
		return receiver.message;
	return ERR_PTR(result == -ERESTARTSYS ? -ERESTARTNOHAND : result);
}

static int copy_message(struct message *copy, const struct message *message,
			const struct msg_wish *wish)
{
	if (is_too_long(wish, message))
		return -E2BIG;
	if (message->len > copy->len)
		return -EINVAL;
	copy->type = message->type;
	memcpy(copy->text, message->text, message->len);
	return message->len;
}

int msg_peek(int id, const struct msg_wish *wish, struct message *copy)
{
	struct msg_queue *queue;
	struct message *message;
	int result = -ENOMSG, place = 0;

	spin_lock(&msg_table.lock);
	queue = find(id, IPC_READ);
	if (IS_ERR(queue)) {
		result = PTR_ERR(queue);
	} else {
		list_for_each(message, &queue->messages, link)
			if (place++ == wish->type)
				result = copy_message(copy, message, wish);
	}
	spin_unlock(&msg_table.lock);
	return result;
}

void msg_give_back(int id, struct message *message)
{
	struct msg_queue *queue;

	spin_lock(&msg_table.lock);
	queue = msg_queue_of(ipc_find_locked(&msg_table, id));
	if (queue && !hand_over(queue, message)) {
		list_add(&queue->messages, &message->link);
		queue->bytes += message->len;
		queue->nr++;
	}
	spin_unlock(&msg_table.lock);
	if (!queue)
		msg_free(message);
}

long msg_remove(int id)
{
	struct ipc_object *object;

	spin_lock(&msg_table.lock);
	object = ipc_own_locked(&msg_table, id);
	if (!IS_ERR(object)) {
		ipc_remove_locked(&msg_table, object);
		ipc_finish_all(&msg_queue_of(object)->receivers, -EIDRM);
		ipc_finish_all(&msg_queue_of(object)->senders, -EIDRM);
	}
	spin_unlock(&msg_table.lock);
	if (IS_ERR(object))
		return PTR_ERR(object);
	queue_destroy(object);
	return 0;
}
