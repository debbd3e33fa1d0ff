/* System V semaphores and messages: waiting and being served, removing, a kill, and undoing. */
#include "kernel/ipc/sem.h"
#include "kernel/syscalls.h"
#include "messages.h"

static int id, inside, nr_received;

/* ---- semaphores ---- */

static int operate(int number, int change, int flags)
{
	struct sem_op op = { number, change, flags };

	return sem_operate(id, &op, 1, UINT64_MAX);
}

static void set_of_one(void)
{
	id = sys_semget(IPC_PRIVATE, 2, 0600);
	must(id >= 0);
	must(operate(0, 1, 0) == 0);
}

static void empty_set(void)
{
	id = sys_semget(IPC_PRIVATE, 2, 0600);
	must(id >= 0);
}

static int value(int number)
{
	int result;

	spin_lock(&sem_table.lock);
	result = sem_set_of(ipc_find_locked(&sem_table, id))->semaphores[number].value;
	spin_unlock(&sem_table.lock);
	return result;
}

static void enter_and_leave(void)
{
	must(__atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST) == 0);
	must(__atomic_fetch_sub(&inside, 1, __ATOMIC_SEQ_CST) == 1);
}

static void take_and_give(int unused)
{
	must(operate(0, -1, 0) == 0);
	enter_and_leave();
	must(operate(0, 1, 0) == 0);
}

/* Ends with the semaphore, which the undoing gives back. */
static void take_and_end(int unused)
{
	must(operate(0, -1, SEM_UNDO) == 0);
	enter_and_leave();
	sem_exit(current);
}

static void take_unless_killed(int unused)
{
	int error = operate(0, -1, 0);

	must(error == 0 || (error == -EINTR && ex_killed()));
	if (error)
		return;
	enter_and_leave();
	must(operate(0, 1, 0) == 0);
}

static void kill_first(int unused)
{
	ex_kill(0);
}

static void take_unless_removed(int unused)
{
	int error = operate(0, -1, SEM_UNDO);

	must(error == 0 || error == -EIDRM || error == -EINVAL);
	sem_exit(current);
}

static void remove_set(int unused)
{
	must(sem_remove(id) == 0);
}

static void one_is_left(void)
{
	must(value(0) == 1);
	must(sem_remove(id) == 0);
	ex_must_have_freed();
}

static void all_is_freed(void)
{
	ex_must_have_freed();
}

SCENARIO(sem_two, "two tasks take a semaphore of one", set_of_one, one_is_left,
	 { "a", take_and_give, 0 }, { "b", take_and_give, 0, TWIN });

SCENARIO(sem_undo, "a task ends with what another one waits for", set_of_one, one_is_left,
	 { "ends", take_and_end, 0 }, { "b", take_and_give, 0 });

SCENARIO(sem_killed, "a task is killed while it waits", set_of_one, one_is_left,
	 { "killed", take_unless_killed, 0 }, { "b", take_and_give, 0 },
	 { "killer", kill_first, 0 });

SCENARIO(sem_removed, "the set is removed while tasks wait, or want to", set_of_one, all_is_freed,
	 { "a", take_unless_removed, 0 }, { "b", take_unless_removed, 0, TWIN },
	 { "remover", remove_set, 0 });

/* The first one waits for what the second one does, which waits for the third one. */
static void take_passed(int unused)
{
	must(operate(1, -1, 0) == 0);
}

static void pass_on(int unused)
{
	struct sem_op ops[] = { { 0, -1, 0 }, { 1, 1, 0 } };

	must(sem_operate(id, ops, 2, UINT64_MAX) == 0);
}

static void give(int unused)
{
	must(operate(0, 1, 0) == 0);
}

static void none_is_left(void)
{
	must(value(0) == 0 && value(1) == 0);
	must(sem_remove(id) == 0);
	ex_must_have_freed();
}

SCENARIO(sem_chain, "a task that is served serves another one", empty_set, none_is_left,
	 { "last", take_passed, 0 }, { "passes on", pass_on, 0 }, { "gives", give, 0 });

/* ---- messages: a queue has room for one byte, and a message has one ---- */

static void small_queue(void)
{
	id = sys_msgget(IPC_PRIVATE, 0600);
	must(id >= 0);
	spin_lock(&msg_table.lock);
	msg_queue_of(ipc_find_locked(&msg_table, id))->max_bytes = 1;
	spin_unlock(&msg_table.lock);
	nr_received = 0;
}

static int send(int type)
{
	struct message *message = message_of_one_byte(type);

	return message_sent(message, msg_send(id, message, true));
}

static int receive(int type)
{
	struct msg_wish wish = { type, 1, 0 };

	return message_received(msg_receive(id, &wish), &nr_received);
}

static void send_one(int type)
{
	must(send(type) == 0);
}

static void receive_one(int type)
{
	must(receive(type) == 0);
}

static void receive_two(int type)
{
	must(receive(type) == 0);
	must(receive(type) == 0);
}

static void two_came(void)
{
	must(nr_received == 2);
	must(msg_remove(id) == 0);
	ex_must_have_freed();
}

SCENARIO(msg_room, "two senders, and room for one message", small_queue, two_came,
	 { "sender1", send_one, 1 }, { "sender2", send_one, 2 }, { "receiver", receive_two, 0 });

static void send_two(int unused)
{
	must(send(2) == 0);
	must(send(1) == 0);
}

SCENARIO(msg_types, "two receivers, each of its own type", small_queue, two_came,
	 { "wants 1", receive_one, 1 }, { "wants 2", receive_one, 2 }, { "sender", send_two, 0 });

static void send_unless_removed(int type)
{
	int error = send(type);

	must(error == 0 || error == -EIDRM || error == -EINVAL);
}

static void receive_unless_removed(int type)
{
	int error = receive(type);

	must(error == 0 || error == -EIDRM || error == -EINVAL);
}

static void remove_queue(int unused)
{
	must(msg_remove(id) == 0);
}

SCENARIO(msg_removed, "the queue is removed under a sender and a receiver", small_queue,
	 all_is_freed, { "sender", send_unless_removed, 1 },
	 { "receiver", receive_unless_removed, 2 }, { "remover", remove_queue, 0 });

static void receive_unless_killed(int type)
{
	int error = receive(type);

	must(error == 0 || (error == -ERESTARTNOHAND && ex_killed()));
}

/* What the killed task has not received is still there. */
static void one_came_or_is_there(void)
{
	struct msg_queue *queue;
	unsigned int nr;

	spin_lock(&msg_table.lock);
	queue = msg_queue_of(ipc_find_locked(&msg_table, id));
	nr = queue->nr;
	must(list_empty(&queue->receivers) && list_empty(&queue->senders));
	spin_unlock(&msg_table.lock);
	must(nr_received + (int)nr == 1);
	must(msg_remove(id) == 0);
	ex_must_have_freed();
}

SCENARIO(msg_killed, "a receiver is killed while it waits", small_queue, one_came_or_is_there,
	 { "receiver", receive_unless_killed, 0 }, { "sender", send_one, 1 },
	 { "killer", kill_first, 0 });

static void look_again(int unused)
{
	spin_lock(&msg_table.lock);
	msg_look_again_locked(msg_queue_of(ipc_find_locked(&msg_table, id)));
	spin_unlock(&msg_table.lock);
}

static void one_came(void)
{
	must(nr_received == 1);
	must(msg_remove(id) == 0);
	ex_must_have_freed();
}

SCENARIO(msg_again, "the permissions change while a receiver waits", small_queue, one_came,
	 { "receiver", receive_one, 1 }, { "sender", send_one, 1 }, { "changer", look_again, 0 });
