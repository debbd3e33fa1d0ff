/*
 * Moving bytes through sockets: what the file operations of a socket and its calls share.
 *
 * A stream is read, written and spliced through its rings as a pipe is (fs/pipe/io.h,
 * fs/splice/splice.h). Packets use net/datagram.h. Splice moves slots in and out of a socket as
 * they are, with their offset and length, even if their bytes have not arrived yet.
 *
 * All functions but socket_has_room() may sleep, and are called without locks.
 */
#ifndef NET_TRANSFER_H
#define NET_TRANSFER_H

#include "net/control.h"
#include "net/socket.h"

/* ---- net/send.c ---- */

/*
 * Send `from` with these MSG_* flags to the socket named by the `len` bytes at `address`, or to the
 * peer if there is no address. Once the files of `control` are in a message, control->files is
 * NULL. The caller closes files that are still there. Returns the number of bytes sent, or an
 * error. After -EPIPE on a stream the task gets SIGPIPE, unless MSG_NOSIGNAL is set.
 */
long socket_send(struct file *file, struct iter *from, unsigned int flags,
		 const void __user *address, unsigned int len, struct control *control);
/*
 * Should poll say that `socket` can send to `target`? If so, a send returns at once, but not the
 * other way round: a connected socket has room that poll does not announce. `target` may be NULL:
 * then a send fails at once.
 */
bool socket_has_room(struct socket *socket, struct socket *target);
/* The operations of the same name in struct file_ops. The two for splice are for packets. */
ssize_t socket_write(struct file *file, struct iter *from, file_off_t *pos);
ssize_t socket_splice_write(struct file *file, file_off_t *pos, struct slot_list *slots);
int socket_splice_wait(struct file *file);

/* ---- net/receive.c ---- */

/* Where a receiver's results go, besides the bytes. */
struct receive_results {
	void __user *address; /* for the sender's name, or NULL */
	int32_t __user *len;
	struct control_room *room; /* for control messages, or NULL */
	unsigned int flags;	   /* MSG_* flags that the call returns */
};

/*
 * Receive bytes with these MSG_* flags, and write the sender's name and the control messages to
 * user memory. Without room for control messages, files that came with the bytes are closed.
 * Returns the number of bytes, with MSG_TRUNC the length of the whole packet, 0 at the end, or an
 * error.
 */
long socket_receive(struct file *file, struct iter *to, unsigned int flags,
		    struct receive_results *results);
/* The operations of the same name in struct file_ops. The one for splice is for packets. */
ssize_t socket_read(struct file *file, struct iter *to, file_off_t *pos);
ssize_t socket_splice_read(struct file *file, file_off_t *pos, size_t len, struct slot_list *slots);

#endif
