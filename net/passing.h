/*
 * Open files that travel in messages.
 *
 * 1. passing_lock, a plain spinlock, guards the list of all files in flight, and message->files. It
 *    is taken before sockets_lock.
 * 2. A message holds a reference to each of its files, so the files stay open. If a socket is open
 *    only in messages, and no task can ever receive these messages, then the socket is garbage. For
 *    example, a socket may have been sent to itself, or two sockets to each other.
 *    passed_files_collect() finds such messages and closes their files.
 * 3. Closing a file may close a socket whose ring holds more files, and so on. To avoid recursion,
 *    a task puts such files on the list task->closing, and closes them one after the other.
 */
#ifndef NET_PASSING_H
#define NET_PASSING_H

#include "lib/list.h"
#include "lib/types.h"

struct file;
struct message;
struct socket;

#define PASSED_FILES_MAX 253u /* of one message, as on Linux */

struct passed_files {
	struct list link; /* in the list of files in flight (passing_lock), or in task->closing */
	struct message *message; /* the message that they are in */
	struct socket *holder;	 /* a reference to the socket that receives them, or NULL */
	uint32_t uid;		 /* of the sender */
	unsigned int nr;
	struct file *files[PASSED_FILES_MAX]; /* references */
};

/*
 * Attach files to a message that is going to be sent to the ring of `holder`. The message takes
 * over the files. Returns 0, or -ETOOMANYREFS if the current user is not root and already has more
 * files in flight than a process may have open. In that case the files remain the caller's. Never
 * sleeps.
 */
int passed_files_send(struct message *message, struct passed_files *files, struct socket *holder);
/* Take the files out of a message. Returns them, or NULL if there are none. Never sleeps. */
struct passed_files *passed_files_take(struct message *message);
/*
 * Returns a copy of the message's files with references of its own, or NULL if there are none or no
 * memory.
 */
struct passed_files *passed_files_peek(struct message *message);
/* Close the files, and free the structure. Ignores NULL. May sleep. */
void passed_files_close(struct passed_files *files);
/*
 * Close the files in messages that can no longer be received. Called after a socket closes. May
 * sleep.
 */
void passed_files_collect(void);

#endif
