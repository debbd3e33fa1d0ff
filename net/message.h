/*
 * What travels with a socket's message besides its bytes: the sender's name, and what control
 * messages carry. It is the envelope of the message's slots (fs/pipe/slot.h), and never changes but where
 * it is said.
 */
#ifndef NET_MESSAGE_H
#define NET_MESSAGE_H

#include "fs/pipe/slot.h"
#include "mm/slab.h"

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

struct message {
	struct envelope envelope;
	struct socket_name *from; /* of a datagram: its sender's name, a reference; or NULL */
};

/* A message with one reference; NULL: no memory. `from` may be NULL. */
struct message *message_create(struct socket_name *from);
/* The message of an envelope, or NULL. */
static inline struct message *message_of(struct envelope *envelope)
{
	return envelope ? container_of(envelope, struct message, envelope) : NULL;
}

#endif
