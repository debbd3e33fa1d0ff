/*
 * Open files that travel in messages.
 *
 * 1. passing_lock (plain) guards the list of all that are in flight, and message->files. It is taken
 *    before sockets_lock.
 * 2. A file in flight has a reference, so it stays open. A socket in flight may be open nowhere else:
 *    then only a message leads to it, and if that message lies in a ring that nobody can read, the
 *    socket is garbage. It may lie in the socket's own ring, or in a ring of others that lie in its.
 *    passed_files_collect() finds such messages and closes what is in them.
 * 3. Closing a file may close a socket, in whose ring there are more files, and so on. A task closes
 *    them one after the other, not one inside the other: task->closing is the list of those that it
 *    has yet to close.
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
	struct list link; /* passing_lock: those in flight; or a task's list of those to close */
	struct message *message; /* that they are in */
	struct socket *holder;	 /* in whose ring the message is; a reference, or NULL */
	uint32_t uid;		 /* of the sender */
	unsigned int nr;
	struct file *files[PASSED_FILES_MAX]; /* references */
};

/*
 * The files become the message's, which will go to the ring of `holder`. Returns 0, or -ETOOMANYREFS
 * if the current user, who is not root, would have more files in flight than it may have open; then
 * they are still the caller's.
 */
int passed_files_send(struct message *message, struct passed_files *files, struct socket *holder);
/* Take the message's files out, which are the caller's then; NULL: it has none. */
struct passed_files *passed_files_take(struct message *message);
/*
 * The same without taking them out: copies of the references. NULL: it has none, or there is no
 * memory.
 */
struct passed_files *passed_files_peek(struct message *message);
/* Close the files; NULL is fine. No lock is held. May sleep. */
void passed_files_close(struct passed_files *files);
/* A socket was closed: close the files in messages that nobody can receive any more. May sleep. */
void passed_files_collect(void);

#endif
