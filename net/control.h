/*
 * Control messages: what sendmsg takes and recvmsg gives besides bytes. SCM_RIGHTS carries
 * descriptors, SCM_CREDENTIALS who sends.
 */
#ifndef NET_CONTROL_H
#define NET_CONTROL_H

#include "net/message.h"
#include "net/passing.h"

#define SOL_SOCKET 1

/* What a sender's control messages say; to begin with it is 0. */
struct control {
	struct passed_files *files;
	bool has_sender;
	struct sender sender;
};

/*
 * Read the control messages at `from`. Returns 0, -EINVAL, -EFAULT, -EBADF, -EPERM, -ESRCH, -ENOMEM,
 * -ENOBUFS; on an error nothing is held. May sleep.
 */
int control_from_user(struct control *control, const void __user *from, size_t len);

/* Where control messages for a receiver go. */
struct control_room {
	char __user *at;
	size_t left;
	unsigned int told; /* MSG_CTRUNC, if something did not fit */
};
/* Write what the message has (NULL: nothing): its sender, if `credentials`. */
void control_put_sender(struct control_room *room, struct message *message);
/*
 * Install the message's files as descriptors of the current process, as far as there is room for
 * their numbers, and close the rest; with `peek` the message keeps them. May sleep.
 */
void control_put_files(struct control_room *room, struct message *message, bool peek, bool cloexec);

#endif
