/*
 * What travels with a socket's message besides its bytes: the sender's name and credentials, and
 * descriptors. It is the envelope of the message's slots (fs/pipe/slot.h).
 *
 * A message never changes, except that its descriptors are taken out once (net/passing.h).
 */
#ifndef NET_MESSAGE_H
#define NET_MESSAGE_H

#include "fs/pipe/slot.h"
#include "mm/slab.h"

struct passed_files;

/* A socket's address. The bytes never change. */
struct socket_name {
	struct atomic refs;
	unsigned int len; /* of what user programs are told: the family and the path */
	char bytes[112];  /* struct sockaddr_un, and a NUL behind it */
};

static inline struct socket_name *socket_name_get(struct socket_name *name)
{
	if (name)
		atomic_inc(&name->refs);
	return name;
}
/* NULL is fine. */
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
	struct socket_name *from; /* its sender's name, a reference; or NULL */
	bool has_sender;
	struct sender sender;
	struct passed_files *files; /* net/passing.c's lock; NULL: none, or they were taken */
};

/* An empty message with one reference; NULL: no memory. */
struct message *message_create(void);
/* The message of an envelope, or NULL. */
static inline struct message *message_of(struct envelope *envelope)
{
	return envelope ? container_of(envelope, struct message, envelope) : NULL;
}
/* The envelope of a message, or NULL. */
static inline struct envelope *message_envelope(struct message *message)
{
	return message ? &message->envelope : NULL;
}
/* The current process as a sender. */
struct sender current_sender(void);

#endif
