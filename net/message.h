/*
 * The part of a socket's message that is not bytes: the sender's name, its credentials, and open
 * files. A message is the envelope of the slots with the bytes (fs/pipe/slot.h).
 *
 * A message never changes, except that its files are taken out once (net/passing.h).
 */
#ifndef NET_MESSAGE_H
#define NET_MESSAGE_H

#include "fs/pipe/slot.h"
#include "mm/slab.h"

struct passed_files;

/* A socket's address. The bytes never change. */
struct socket_name {
	struct atomic refs;
	unsigned int len; /* of the struct sockaddr_un that user programs see, in bytes */
	char bytes[112];  /* the struct sockaddr_un, followed by a NUL */
};

/* Take one more reference, and return the name. Ignores NULL. */
static inline struct socket_name *socket_name_get(struct socket_name *name)
{
	if (name)
		atomic_inc(&name->refs);
	return name;
}
/* Drop a reference. Ignores NULL. Never sleeps. */
static inline void socket_name_put(struct socket_name *name)
{
	if (name && atomic_dec_and_test(&name->refs))
		kfree(name);
}

struct sender { /* struct ucred */
	uint32_t pid, uid, gid;
};

struct message {
	struct envelope envelope;
	struct socket_name *from; /* a reference to the sender's name, or NULL */
	bool has_sender;
	struct sender sender;
	struct passed_files *files; /* guarded by passing_lock; NULL: none, or they were taken */
};

/* Allocate an empty message with one reference. Returns NULL if there is no memory. */
struct message *message_create(void);
/* Returns the message of an envelope, which may be NULL. */
static inline struct message *message_of(struct envelope *envelope)
{
	return envelope ? container_of(envelope, struct message, envelope) : NULL;
}
/* Returns the envelope of a message, which may be NULL. */
static inline struct envelope *message_envelope(struct message *message)
{
	return message ? &message->envelope : NULL;
}
/* Returns the current process as a sender, with its real user and group. */
struct sender current_sender(void);

#endif
