/*
 * Queues of messages.
 *
 * 1. A message is in one place at a time: with the task that sends it, in a queue, or with the task
 *    that receives it. msg_table.lock guards the queues and the lists of waiting tasks.
 * 2. A queue has a limit for its bytes, and at most as many messages as that limit. A task whose
 *    message has no room waits with it, and whoever makes room puts the message into the queue.
 * 3. A task that finds no message waits with what it wants, and is handed the first one that fits.
 *    A queue therefore never has a message that a waiting task wants.
 * 4. When the limit or the permissions change, all that wait look at the queue again.
 * 5. A message that cannot be copied to the program that received it goes back to the front of its
 *    queue.
 */
#ifndef KERNEL_IPC_MSG_H
#define KERNEL_IPC_MSG_H

#include "kernel/ipc/ipc.h"

#define MSG_MAX	      8192u /* the first values of the limits below */
#define MSG_QUEUE_MAX 16384u
#define MSG_NR_QUEUES 32000u

enum { /* flags of msgrcv(2), linux/msg.h */
       MSG_NOERROR = 010000,
       MSG_EXCEPT = 020000,
       MSG_COPY = 040000,
};

struct message {
	struct list link; /* in a queue */
	int32_t type;	  /* or its priority (kernel/ipc/mqueue.h) */
	size_t len;
	char *text; /* points to `inside`, or to memory of its own if it is long */
	char inside[];
};

struct msg_queue {
	struct ipc_object object;
	int64_t stime, rtime, ctime; /* seconds since 1970: last sent to, received from, changed */
	unsigned int sender, receiver; /* process ids of the last ones */
	unsigned int nr, bytes, max_bytes;
	struct list messages; /* of struct message, oldest first */
	struct list
		senders; /* of struct msg_sender and msg_receiver, in the order in which they came */
	struct list receivers;
};

/* What a task wants to receive. */
struct msg_wish {
	int32_t type; /* 0: any; positive: this one; negative: the lowest one up to its amount */
	size_t max_len;
	unsigned int flags; /* MSG_*, IPC_NOWAIT */
};

/*
 * The limits in /proc/sys/kernel, read without a lock: bytes of a message, and of a new queue,
 * unless CAP_SYS_RESOURCE raises that later.
 */
extern unsigned int msg_max, msg_queue_max;
extern struct ipc_table msg_table;
/* Returns the queue with the object, or NULL for NULL. */
static inline struct msg_queue *msg_queue_of(struct ipc_object *object)
{
	return object ? container_of(object, struct msg_queue, object) : NULL;
}

/*
 * Allocate a message with room for len bytes, or free it. msg_alloc() returns NULL if there is no
 * memory.
 */
struct message *msg_alloc(size_t len);
void msg_free(struct message *message);
/*
 * Send a message, and wait for room unless `wait` is false. Returns 0, and the message belongs to
 * the queue or to its receiver. Otherwise it stays the caller's: -EINVAL, -EACCES, -EAGAIN, -EIDRM,
 * -ERESTARTNOHAND. May sleep.
 */
int msg_send(int id, struct message *message, bool wait);
/*
 * Receive a message, and wait for one unless the flags have IPC_NOWAIT. Returns it, now the
 * caller's, or ERR_PTR(-EINVAL, -EACCES, -E2BIG, -ENOMSG, -EIDRM, -ERESTARTNOHAND). May sleep.
 */
struct message *msg_receive(int id, const struct msg_wish *wish);
/*
 * For MSG_COPY: copy the message in place wish->type of the queue, counted from 0, to `copy`, whose
 * len is its room. Returns its length, -EINVAL, -EACCES, -E2BIG or -ENOMSG.
 */
int msg_peek(int id, const struct msg_wish *wish, struct message *copy);
/* Put back a message that has been received, or free it if the queue is gone. */
void msg_give_back(int id, struct message *message);
/*
 * Remove a queue with its messages. Its waiters get -EIDRM. Returns 0, -EINVAL or -EPERM. May
 * sleep.
 */
long msg_remove(int id);
/* The limit or the permissions have changed: all that wait look again. msg_table.lock is held. */
void msg_look_again_locked(struct msg_queue *queue);

#endif
