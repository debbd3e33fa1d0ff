/*
 * POSIX message queues.
 *
 * 1. A queue lives as long as it has a name or an open file. mq_unlink(2) takes the name away. Each
 *    queue has an inode, which holds its owner and its mode.
 * 2. mqueue_lock guards the names and all that is in the queues. It is held for short times only.
 * 3. The messages of a queue are in the order in which they are received: those of the highest
 *    priority first, and among these the oldest one.
 * 4. Tasks wait as for System V (kernel/ipc/ipc.h, point 3): a message is handed to the receiver
 *    that has waited longest among the most urgent ones, and a waiting sender's message is put into
 *    the queue by the task that has made room.
 * 5. One process can ask to be told when a message comes to an empty queue for which nobody waits.
 *    It is told once. Closing a descriptor of the queue in that process, and so also its end, takes
 *    the request back.
 * 6. A queue counts for its user, with all the bytes that it may ever hold, up to RLIMIT_MSGQUEUE.
 */
#ifndef KERNEL_IPC_MQUEUE_H
#define KERNEL_IPC_MQUEUE_H

#include "fs/file/open_file.h"
#include "kernel/ipc/msg.h"

#define MQUEUE_MESSAGES_HARD 65536u
#define MQUEUE_LEN_HARD	     (16u << 20)
#define MQUEUE_PRIORITIES    32768u

/* The limits in /proc/sys/fs/mqueue, read without a lock. They do not bind CAP_SYS_RESOURCE. */
struct mqueue_limits {
	unsigned int messages, len; /* messages of a queue, and bytes of a message */
	unsigned int messages_default,
		len_default; /* for a queue that is made without attributes */
	unsigned int queues;
};
extern struct mqueue_limits mqueue_limits;

struct mqueue_notice {		 /* the request of a process to be told */
	struct process *process; /* holds a reference; NULL: there is none */
	int kind, signo;	 /* SIGEV_* */
	uint32_t value;
};

struct mqueue {
	struct list link;    /* all_queues */
	char *name;	     /* NULL: it has been removed */
	unsigned int refs;   /* the name, open files, and calls */
	struct inode *inode; /* holds a reference */
	uint32_t uid;	     /* the user for whom it counts */
	uint64_t charge;     /* bytes */
	unsigned int max_messages, max_len, nr, bytes;
	struct list messages;		      /* of struct message, whose type is the priority */
	struct list senders, receivers;	      /* of struct mqueue_waiter */
	struct wait_queue readable, writable; /* for poll */
	struct mqueue_notice notice;
};

extern spinlock_t mqueue_lock;
extern const struct file_ops mqueue_file_ops;

/*
 * Find a queue, or make one for O_CREAT. max_messages and max_len are those of a new one, and
 * `mode` is the one that its inode gets. Returns it with a reference, or ERR_PTR(-ENOENT, -EEXIST,
 * -EACCES, -EINVAL, -EMFILE, -ENOSPC, -ENOMEM). May sleep.
 */
struct mqueue *mqueue_open(const char *name, unsigned int flags, unsigned int mode,
			   unsigned int max_messages, unsigned int max_len);
/* Drop a reference. The last one frees the queue and its messages. May sleep. */
void mqueue_put(struct mqueue *queue);
/* Take the name away from its queue. Returns 0, -ENOENT or -EPERM. May sleep. */
long mqueue_unlink(const char *name);

/*
 * Send a message, whose type is its priority. Without room, wait until time_now() is `until`, or
 * not at all if `wait` is false. Returns 0, and the message is not the caller's any more, or
 * -EAGAIN, -ETIMEDOUT, -ERESTARTSYS.
 */
int mqueue_send(struct mqueue *queue, struct message *message, bool wait, uint64_t until);
/* Receive the first message, which is then the caller's. The same errors, as ERR_PTR. May sleep. */
struct message *mqueue_receive(struct mqueue *queue, bool wait, uint64_t until);
/*
 * Put a message that could not be copied to the program back in front of the others of its
 * priority.
 */
void mqueue_give_back(struct mqueue *queue, struct message *message);
/*
 * Ask in the name of the current process to be told, or with NULL no longer. Returns 0 or -EBUSY.
 */
int mqueue_set_notice(struct mqueue *queue, const struct mqueue_notice *notice);

#endif
