/*
 * Open files in messages. The contract is in net/passing.h.
 *
 * A message is in the ring of a socket, its holder. It can be received if that socket can be read,
 * which is so in one of three cases:
 *
 * 1. The socket's file is open outside of messages: it has more references than messages hold.
 * 2. A message that carries the socket can be received.
 * 3. The socket waits for accept, and its listener can be read.
 *
 * Otherwise the socket can never be read again, because a reference is only made from another one.
 * A message that a receiver has just taken counts under the first case: its files leave the list of
 * files in flight under the lock that this check holds.
 */
#include "net/passing.h"
#include "kernel/capability.h"
#include "kernel/task.h"
#include "net/socket.h"

static spinlock_t passing_lock = SPINLOCK_INIT("passed files");
static struct list in_flight = LIST_INIT(in_flight);
static struct atomic nr_sockets = ATOMIC_INIT(0); /* how many files in flight are sockets */

/* Returns the socket of a file, or NULL if it is another kind of file. */
static struct socket *socket_of(struct file *file)
{
	return is_socket(file) ? file->private : NULL;
}

/* Count `by` more messages (1 or -1) for each socket among the files. passing_lock is held. */
static void count_sockets(struct passed_files *files, int by)
{
	lockdep_held(&passing_lock);
	for (unsigned int i = 0; i < files->nr; i++) {
		struct socket *socket = socket_of(files->files[i]);

		if (socket) {
			socket->in_flight += by;
			atomic_add(&nr_sockets, by);
		}
	}
}

/* Returns how many files the user has in flight. passing_lock is held. */
static unsigned int files_of_user(uint32_t uid)
{
	struct passed_files *files;
	unsigned int nr = 0;

	list_for_each(files, &in_flight, link) {
		if (files->uid == uid)
			nr += files->nr;
	}
	return nr;
}

int passed_files_send(struct message *message, struct passed_files *files, struct socket *holder)
{
	struct process *process = current->process;
	int error = 0;

	files->uid = process->cred.uid;
	spin_lock(&passing_lock);
	if (!capable(CAP_SYS_RESOURCE) && !capable(CAP_SYS_ADMIN) &&
	    files_of_user(files->uid) > process->limits[RLIMIT_NOFILE].soft) {
		error = -ETOOMANYREFS;
	} else {
		atomic_inc(&holder->refs);
		files->holder = holder;
		files->message = message;
		list_add_tail(&in_flight, &files->link);
		count_sockets(files, 1);
		message->files = files;
	}
	spin_unlock(&passing_lock);
	return error;
}

/* Take the files out of the message. Returns NULL if there are none. passing_lock is held. */
static struct passed_files *take_out(struct message *message)
{
	struct passed_files *files = message->files;

	lockdep_held(&passing_lock);
	if (!files)
		return NULL;
	message->files = NULL;
	list_del(&files->link);
	count_sockets(files, -1);
	return files;
}

struct passed_files *passed_files_take(struct message *message)
{
	struct passed_files *files;

	spin_lock(&passing_lock);
	files = take_out(message);
	spin_unlock(&passing_lock);
	return files;
}

struct passed_files *passed_files_peek(struct message *message)
{
	struct passed_files *copy = kzalloc(sizeof(*copy), 0);

	if (!copy)
		return NULL;
	list_init(&copy->link);
	spin_lock(&passing_lock);
	if (message->files) {
		copy->nr = message->files->nr;
		for (unsigned int i = 0; i < copy->nr; i++) {
			copy->files[i] = message->files->files[i];
			file_get(copy->files[i]);
		}
	}
	spin_unlock(&passing_lock);
	if (copy->nr > 0)
		return copy;
	kfree(copy);
	return NULL;
}

/* ---- closing ---- */

static void close_one(struct passed_files *files)
{
	for (unsigned int i = 0; i < files->nr; i++)
		file_put(files->files[i]);
	if (files->holder)
		socket_put(files->holder);
	kfree(files);
}

/* Close all files on the list, including those that are added meanwhile. */
static void close_all(struct list *closing)
{
	while (!list_empty(closing)) {
		struct passed_files *files = list_first(closing, struct passed_files, link);

		list_del(&files->link);
		close_one(files);
	}
}

/* ---- garbage ---- */

/* Can the socket be read, as far as is known yet? passing_lock and sockets_lock are held. */
static bool can_be_read(struct socket *socket)
{
	struct file *file = READ_ONCE(socket->file);

	if (socket->reached)
		return true;
	if (socket->listener)
		return can_be_read(socket->listener);
	return !file || socket->in_flight < atomic_read(&file->refs);
}

static void forget_reached(void)
{
	struct passed_files *files;

	list_for_each(files, &in_flight, link) {
		for (unsigned int i = 0; i < files->nr; i++) {
			struct socket *socket = socket_of(files->files[i]);

			if (socket)
				socket->reached = false;
		}
	}
}

/* Mark the sockets in messages that can be received. Returns true if it has marked a new one. */
static bool reach_more(void)
{
	struct passed_files *files;
	bool more = false;

	list_for_each(files, &in_flight, link) {
		if (!can_be_read(files->holder))
			continue;
		for (unsigned int i = 0; i < files->nr; i++) {
			struct socket *socket = socket_of(files->files[i]);

			if (socket && !socket->reached)
				more = socket->reached = true;
		}
	}
	return more;
}

/* Take the files that cannot be received out of their messages, and add them to the list. */
//BOOK: garbage
static void find_garbage(struct list *garbage)
{
	struct passed_files *files, *next;

	spin_lock(&passing_lock);
	spin_lock(&sockets_lock);
	forget_reached();
	while (reach_more())
		;
	list_for_each_safe(files, next, &in_flight, link) {
		if (can_be_read(files->holder))
			continue;
		take_out(files->message);
		list_add_tail(garbage, &files->link);
	}
	spin_unlock(&sockets_lock);
	spin_unlock(&passing_lock);
}

/* Close the files, unless they are NULL, and then garbage until there is none left. */
static void close_and_collect(struct passed_files *files)
{
	struct list closing = LIST_INIT(closing);

	if (files)
		list_add_tail(&closing, &files->link);
	current->closing = &closing;
	do {
		close_all(&closing);
		if (atomic_read(&nr_sockets) > 0)
			find_garbage(&closing);
	} while (!list_empty(&closing));
	current->closing = NULL;
}

void passed_files_close(struct passed_files *files)
{
	if (!files)
		return;
	if (current->closing)
		list_add_tail(current->closing, &files->link);
	else
		close_and_collect(files);
}

void passed_files_collect(void)
{
	if (!current->closing && atomic_read(&nr_sockets) > 0)
		close_and_collect(NULL);
}
