/* Messages. The contract is in net/message.h. */
#include "net/message.h"
#include "kernel/task.h"
#include "net/passing.h"

static void message_free(struct envelope *envelope)
{
	struct message *message = message_of(envelope);

	if (message->files)
		passed_files_close(passed_files_take(message));
	socket_name_put(message->from);
	kfree(message);
}

struct message *message_create(void)
{
	struct message *message = kzalloc(sizeof(*message), 0);

	if (!message)
		return NULL;
	atomic_set(&message->envelope.refs, 1);
	message->envelope.free = message_free;
	return message;
}

struct sender current_sender(void)
{
	struct process *process = current->process;

	if (!process)
		return (struct sender){ 0, 0, 0 };
	return (struct sender){ process->pid, process->cred.uid, process->cred.gid };
}
