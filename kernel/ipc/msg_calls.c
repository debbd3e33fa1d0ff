/* msgsnd(2), msgrcv(2) and msgctl(2): what programs do with queues of messages. */
#include "kernel/capability.h"
#include "kernel/ipc/layout.h"
#include "kernel/ipc/msg.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"

enum msg_commands { /* linux/msg.h */
		    MSG_STAT = 11,
		    MSG_INFO = 12,
		    MSG_STAT_ANY = 13,
};

/* Fields of struct msginfo that have no meaning any more, with the values that Linux gives them. */
#define MSG_POOL (msg_table.limit * (msg_queue_max / 1024))
#define MSG_SSZ	 16
#define MSG_SEG	 0xffff

/* ---- sending and receiving. A program's struct msgbuf is a type of 32 bits and the text. ---- */

static struct message *message_from_user(const void __user *text, int32_t type, size_t len)
{
	struct message *message = msg_alloc(len);

	if (!message)
		return ERR_PTR(-ENOMEM);
	message->type = type;
	if (copy_from_user(message->text, text, len) == 0)
		return message;
	msg_free(message);
	return ERR_PTR(-EFAULT);
}

long sys_msgsnd(int id, const void __user *from, size_t len, unsigned int flags)
{
	struct message *message;
	uint32_t type;
	long result;

	if (get_user_u32(&type, from) < 0)
		return -EFAULT;
	if (len > msg_max || id < 0)
		return refuse(EINVAL, "the message is too long, or the id negative");
	if ((int32_t)type < 1)
		return refuse(EINVAL, "a type must be positive");
	message = message_from_user((const char __user *)from + sizeof(type), type, len);
	if (IS_ERR(message))
		return PTR_ERR(message);
	result = msg_send(id, message, !(flags & IPC_NOWAIT));
	if (result < 0)
		msg_free(message);
	return result;
}

static int message_to_user(void __user *to, const struct message *message, size_t len)
{
	if (put_user_u32(message->type, to) < 0)
		return -EFAULT;
	return copy_to_user((char __user *)to + sizeof(uint32_t), message->text, len);
}

static long receive_copy(int id, void __user *to, const struct msg_wish *wish)
{
	struct message *copy;
	long len;

	if (wish->flags & MSG_EXCEPT || !(wish->flags & IPC_NOWAIT))
		return refuse(EINVAL, "MSG_COPY needs IPC_NOWAIT, and excludes MSG_EXCEPT");
	copy = msg_alloc(MIN(wish->max_len, msg_max));
	if (!copy)
		return -ENOMEM;
	len = msg_peek(id, wish, copy);
	if (len >= 0 && message_to_user(to, copy, len) < 0)
		len = -EFAULT;
	msg_free(copy);
	return len;
}

long sys_msgrcv(int id, void __user *to, size_t max_len, int32_t type, unsigned int flags)
{
	struct msg_wish wish = { type, max_len, flags };
	struct message *message;
	long len;

	if (id < 0 || max_len > INT32_MAX)
		return refuse(EINVAL, "the id or the length is negative");
	if (flags & MSG_COPY)
		return receive_copy(id, to, &wish);
	message = msg_receive(id, &wish);
	if (IS_ERR(message))
		return PTR_ERR(message);
	len = MIN(message->len, max_len);
	if (message_to_user(to, message, len) < 0) {
		msg_give_back(id, message);
		return -EFAULT;
	}
	msg_free(message);
	return len;
}

/* ---- descriptions ---- */

static long put_description(void __user *to, const struct msqid64_ds *ds, bool old)
{
	struct msqid_old_ds narrow = {
		.perm = ipc_old_perm_of(&ds->perm),
		.stime = ds->stime,
		.rtime = ds->rtime,
		.ctime = ds->ctime,
		.lcbytes = ds->cbytes,
		.lqbytes = ds->qbytes,
		.cbytes = ipc_narrow(ds->cbytes),
		.qnum = ipc_narrow(ds->qnum),
		.qbytes = ipc_narrow(ds->qbytes),
		.lspid = ds->lspid,
		.lrpid = ds->lrpid,
	};

	return old ? copy_to_user(to, &narrow, sizeof(narrow)) : copy_to_user(to, ds, sizeof(*ds));
}

static long describe(int id, int command, void __user *to, bool old)
{
	struct ipc_object *object;
	struct msqid64_ds ds;
	long result;

	memset(&ds, 0, sizeof(ds));
	spin_lock(&msg_table.lock);
	object = ipc_look_locked(&msg_table, id, command != IPC_STAT, command == MSG_STAT_ANY);
	if (!IS_ERR(object)) {
		const struct msg_queue *queue = msg_queue_of(object);

		ds.perm = ipc_perm_of(object);
		ds.stime = queue->stime;
		ds.rtime = queue->rtime;
		ds.ctime = queue->ctime;
		ds.cbytes = queue->bytes;
		ds.qnum = queue->nr;
		ds.qbytes = queue->max_bytes;
		ds.lspid = queue->sender;
		ds.lrpid = queue->receiver;
		result = command == IPC_STAT ? 0 : object->id;
	} else {
		result = PTR_ERR(object);
	}
	spin_unlock(&msg_table.lock);
	if (result >= 0 && put_description(to, &ds, old) < 0)
		result = -EFAULT;
	return result;
}

/*
 * The limits, or with MSG_INFO how many queues, messages and bytes there are, in three fields of
 * the structure.
 */
static long tell(void __user *to, bool use)
{
	struct msginfo info = {
		.msgpool = MSG_POOL,
		.msgmap = msg_queue_max,
		.msgmax = msg_max,
		.msgmnb = msg_queue_max,
		.msgmni = msg_table.limit,
		.msgssz = MSG_SSZ,
		.msgtql = msg_queue_max,
		.msgseg = MSG_SEG,
	};
	struct ipc_object *object;
	unsigned int highest, nr = 0, bytes = 0;

	spin_lock(&msg_table.lock);
	object = ipc_next_locked(&msg_table, 0);
	for (; object; object = ipc_next_locked(&msg_table, ipc_slot(object) + 1)) {
		nr += msg_queue_of(object)->nr;
		bytes += msg_queue_of(object)->bytes;
	}
	highest = ipc_highest_locked(&msg_table);
	if (use) {
		info.msgpool = msg_table.nr;
		info.msgmap = nr;
		info.msgtql = bytes;
	}
	spin_unlock(&msg_table.lock);
	return copy_to_user(to, &info, sizeof(info)) < 0 ? -EFAULT : (long)highest;
}

/* ---- changing ---- */

/* Read IPC_SET's argument: the perm and the limit in bytes. */
static int get_change(struct ipc64_perm *perm, uint32_t *max_bytes, const void __user *from,
		      bool old)
{
	struct msqid_old_ds narrow;
	struct msqid64_ds ds;

	if (old) {
		if (copy_from_user(&narrow, from, sizeof(narrow)) < 0)
			return -EFAULT;
		*max_bytes = narrow.qbytes ? narrow.qbytes : narrow.lqbytes;
	} else {
		if (copy_from_user(&ds, from, sizeof(ds)) < 0)
			return -EFAULT;
		*max_bytes = ds.qbytes;
	}
	return ipc_perm_from_user(perm, from, old);
}

static long change(int id, const void __user *from, bool old)
{
	struct ipc64_perm perm;
	struct ipc_object *object;
	uint32_t max_bytes;
	long result;

	if (get_change(&perm, &max_bytes, from, old) < 0)
		return -EFAULT;
	spin_lock(&msg_table.lock);
	object = ipc_own_locked(&msg_table, id);
	if (IS_ERR(object))
		result = PTR_ERR(object);
	else if (max_bytes > msg_queue_max && !capable(CAP_SYS_RESOURCE))
		result = refuse(EPERM, "a larger queue needs CAP_SYS_RESOURCE");
	else
		result = ipc_set_locked(object, &perm);
	if (result == 0) {
		msg_queue_of(object)->max_bytes = max_bytes;
		msg_queue_of(object)->ctime = time_wall_spec().sec;
		msg_look_again_locked(msg_queue_of(object));
	}
	spin_unlock(&msg_table.lock);
	return result;
}

long msg_control(int id, int command, void __user *argument, bool old)
{
	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case MSG_INFO:
		return tell(argument, command == MSG_INFO);
	case IPC_STAT:
	case MSG_STAT:
	case MSG_STAT_ANY:
		return describe(id, command, argument, old);
	case IPC_SET:
		return change(id, argument, old);
	case IPC_RMID:
		return msg_remove(id);
	default:
		return refuse(EINVAL, "an unknown command");
	}
}

long sys_msgctl(int id, int command, void __user *argument)
{
	return msg_control(id, command, argument, false);
}
