/* POSIX message queues: waiting for a message and for room, a kill, and the last reference. */
#include "kernel/ipc/mqueue.h"
#include "messages.h"

static struct mqueue *queue;
static int nr_received;

/* A queue with room for one message, and a reference for each task and for the check. */
static void queue_of_one(void)
{
	current->process->limits[RLIMIT_MSGQUEUE].soft = RLIM_INFINITY;
	queue = mqueue_open("q", O_RDWR | O_CREAT, 0600, 1, 1);
	must(!IS_ERR(queue));
	must(mqueue_unlink("q") == 0);
	nr_received = 0;
}

static int send(int priority)
{
	struct message *message = message_of_one_byte(priority);

	return message_sent(message, mqueue_send(queue, message, true, UINT64_MAX));
}

static int receive(void)
{
	return message_received(mqueue_receive(queue, true, UINT64_MAX), &nr_received);
}

static void send_one(int priority)
{
	must(send(priority) == 0);
}

static void receive_one(int unused)
{
	must(receive() == 0);
}

static void receive_two(int unused)
{
	must(receive() == 0);
	must(receive() == 0);
}

static void receive_unless_killed(int unused)
{
	int error = receive();

	must(error == 0 || (error == -ERESTARTSYS && ex_killed()));
}

static void send_unless_killed(int priority)
{
	int error = send(priority);

	must(error == 0 || (error == -ERESTARTSYS && ex_killed()));
}

static void kill_first(int unused)
{
	ex_kill(0);
}

static void two_came(void)
{
	must(nr_received == 2 && queue->nr == 0);
	mqueue_put(queue);
	ex_must_have_freed();
}

static void nobody_waits(void)
{
	must(list_empty(&queue->receivers) && list_empty(&queue->senders));
	mqueue_put(queue);
	ex_must_have_freed();
}

SCENARIO(mqueue_room, "two senders, and room for one message", queue_of_one, two_came,
	 { "sender1", send_one, 1 }, { "sender2", send_one, 2 }, { "receiver", receive_two, 0 });

SCENARIO(mqueue_two, "two receivers and two messages", queue_of_one, two_came,
	 { "receiver1", receive_one, 0 }, { "receiver2", receive_one, 0, TWIN },
	 { "sender1", send_one, 1 }, { "sender2", send_one, 2 });

SCENARIO(mqueue_receiver_killed, "a receiver is killed while it waits", queue_of_one, nobody_waits,
	 { "receiver", receive_unless_killed, 0 }, { "sender", send_one, 1 },
	 { "killer", kill_first, 0 });

SCENARIO(mqueue_sender_killed, "a sender is killed while it waits", queue_of_one, nobody_waits,
	 { "sender", send_unless_killed, 2 }, { "fills", send_one, 1 },
	 { "receiver", receive_one, 0 }, { "killer", kill_first, 0 });
