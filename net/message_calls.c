/*
 * sendto, recvfrom, sendmsg and recvmsg on the open file of a socket: what they read from the
 * program's memory, and the results that they write there.
 */
#include "kernel/syscall.h"
#include "mm/vm/uaccess.h"
#include "net/transfer.h"

static int buffer(struct iter *iter, void __user *base, size_t len)
{
	if (!user_range_ok(base, len))
		return -EFAULT;
	iter_init_user(iter, base, MIN(len, SPLICE_MAX_BYTES));
	return 0;
}

long socket_sendto(struct file *file, void __user *base, size_t len, unsigned int flags,
		   const void __user *address, unsigned int address_len)
{
	struct control control = { NULL };
	struct iter from;
	long error = buffer(&from, base, len);

	return error ? error : socket_send(file, &from, flags, address, address_len, &control);
}

long socket_recvfrom(struct file *file, void __user *base, size_t len, unsigned int flags,
		     void __user *address, int32_t __user *address_len)
{
	struct receive_results results = { .address = address, .len = address_len };
	struct iter to;
	long error = buffer(&to, base, len);

	return error ? error : socket_receive(file, &to, flags, &results);
}

struct user_message { /* struct msghdr */
	void __user *name;
	uint32_t name_len;
	struct iovec __user *segments;
	uint32_t nr_segments;
	void __user *control;
	uint32_t control_len, flags;
};

/*
 * Read a struct msghdr and its segments. Returns 0 or an error. The caller frees *heap in either
 * case.
 */
static long get_message(struct user_message *message, const void __user *from, struct iter *iter,
			struct iovec fast[IOV_FAST], struct iovec **heap)
{
	*heap = NULL;
	if (copy_from_user(message, from, sizeof(*message)))
		return -EFAULT;
	if (message->name && (int32_t)message->name_len < 0)
		return refuse(EINVAL, "a negative length of a name");
	if (message->nr_segments > IOV_MAX)
		return -EMSGSIZE;
	if (message->nr_segments == 0)
		return buffer(iter, NULL, 0);
	return iter_import(iter, message->segments, message->nr_segments, fast, heap);
}

long socket_sendmsg(struct file *file, const void __user *user, unsigned int flags)
{
	struct user_message message;
	struct iovec fast[IOV_FAST], *heap;
	struct control control = { NULL };
	struct iter from;
	long n = get_message(&message, user, &from, fast, &heap);

	if (!n)
		n = control_from_user(&control, message.control, message.control_len);
	if (!n)
		n = socket_send(file, &from, flags, message.name, message.name_len, &control);
	passed_files_close(control.files);
	kfree(heap);
	return n;
}

long socket_recvmsg(struct file *file, void __user *user, unsigned int flags)
{
	struct user_message message;
	struct iovec fast[IOV_FAST], *heap;
	struct control_room room = { NULL };
	/* Do not access members of `user`, because the program's structure may be misaligned. */
	struct receive_results results = {
		.len = (void __user *)((uintptr_t)user + offsetof(struct user_message, name_len)),
		.room = &room,
	};
	struct iter to;
	long n = get_message(&message, user, &to, fast, &heap);

	if (!n) {
		results.address = message.name;
		room = (struct control_room){ message.control, message.control_len, 0 };
		n = socket_receive(file, &to, flags, &results);
	}
	if (n >= 0 &&
	    (put_user_u32(message.control_len - room.left,
			  user + offsetof(struct user_message, control_len)) ||
	     put_user_u32(results.flags | room.told, user + offsetof(struct user_message, flags))))
		n = -EFAULT;
	kfree(heap);
	return n;
}
