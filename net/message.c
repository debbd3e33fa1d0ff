/* What travels with a message; the contract is in net/message.h. */
#include "net/message.h"

static void message_free(struct envelope *envelope)
{
	struct message *message = message_of(envelope);

	socket_name_put(message->from);
	kfree(message);
}

struct message *message_create(struct socket_name *from)
{
	struct message *message = kzalloc(sizeof(*message), 0);

	if (!message)
		return NULL;
	atomic_set(&message->envelope.refs, 1);
	message->envelope.free = message_free;
	message->from = socket_name_get(from);
	return message;
}
