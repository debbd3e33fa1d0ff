/*
 * Control messages, which sendmsg and recvmsg pass besides the bytes. SCM_RIGHTS carries
 * descriptors, and SCM_CREDENTIALS the identity of the sender. SCM_TIMESTAMP and its like tell when
 * a packet was received.
 */
#ifndef NET_CONTROL_H
#define NET_CONTROL_H

#include "net/message.h"
#include "net/passing.h"

#define SOL_SOCKET 1

/* The content of a sender's control messages. It starts as all zeros. */
struct control {
	struct passed_files *files;
	bool has_sender;
	struct sender sender;
};

/*
 * Read `len` bytes of control messages at `from`. Returns 0, -EINVAL, -EFAULT, -EBADF, -EPERM,
 * -ESRCH, -ENOMEM or -ENOBUFS. After an error `control` holds nothing. May sleep.
 */
int control_from_user(struct control *control, const void __user *from, size_t len);

/* The receiver's buffer for control messages. */
struct control_room {
	char __user *at;   /* where the next one goes */
	size_t left;	   /* bytes */
	unsigned int told; /* MSG_CTRUNC if something did not fit, else 0 */
};
/*
 * Write the sender of the message to the receiver's buffer. If `message` is NULL or names no
 * sender, it is an unknown sender (user 65534). May sleep.
 */
void control_put_sender(struct control_room *room, struct message *message);
/*
 * How a socket tells when it has received a packet: with the numbers of the options and of the
 * control messages (<asm-generic/socket.h>). A packet on AF_UNIX is stamped when the program
 * receives it.
 */
enum timestamp_form {
	TIMESTAMP_NONE = 0,
	TIMESTAMP = 29,	     /* seconds and microseconds of 32 bits each */
	TIMESTAMP_NS = 35,   /* nanoseconds instead */
	TIMESTAMP_WIDE = 63, /* the same two with 64 bits */
	TIMESTAMP_NS_WIDE = 64,
};
/* Write the time of the wall clock to the receiver's buffer. May sleep. */
void control_put_time(struct control_room *room, enum timestamp_form form);
/*
 * Install the message's files as descriptors of the current process, as far as the buffer has room
 * for their numbers, and close the rest. With `peek` the message keeps its files. May sleep.
 */
void control_put_files(struct control_room *room, struct message *message, bool peek, bool cloexec);

#endif
