/* For the scenarios with queues of messages: messages of one byte, which is their type. */
#ifndef EXPLORE_MESSAGES_H
#define EXPLORE_MESSAGES_H

#include "kernel/ipc/msg.h"
#include "shim.h"

static inline struct message *message_of_one_byte(int type)
{
	struct message *message = msg_alloc(1);

	message->type = type;
	message->text[0] = type;
	return message;
}

/* End a send: the message is freed if it failed. Returns the error. */
static inline int message_sent(struct message *message, int error)
{
	if (error)
		msg_free(message);
	return error;
}

/* End a receive, whose result is a message or ERR_PTR. Counts it. Returns 0 or the error. */
static inline int message_received(struct message *message, int *nr_received)
{
	if (IS_ERR(message))
		return PTR_ERR(message);
	must(message->len == 1 && message->text[0] == message->type);
	msg_free(message);
	__atomic_fetch_add(nr_received, 1, __ATOMIC_SEQ_CST);
	return 0;
}

#endif
