/*
 * A call of System V IPC or of POSIX message queues that fails leaves no object behind, and loses
 * no message.
 */
#include "undone.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#define KEY 0x5e64

static int id;
static char *at;
static struct {
	long type;
	char text[4000];
} message = { .type = 1 };

static long make_segment(void)
{
	return shmget(KEY, SIZE, IPC_CREAT | 0600);
}

static void no_segment(void)
{
	CHECK_ERR(shmget(KEY, 0, 0), ENOENT);
}

static long attach(void)
{
	at = shmat(id, NULL, 0);
	return at == (void *)-1 ? -1 : 0;
}

static void not_attached(void)
{
	struct shmid_ds ds;

	CHECK_EQ(shmctl(id, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.shm_nattch, 0);
}

/* shmdt needs no memory, so it succeeds even while allocations fail. */
BEYOND_TEST(segment, 20, "a segment that cannot be made or attached is as it was", NO_NTH)
{
	set_nth(0);
	id = until_it_succeeds(make_segment, no_segment);
	until_it_succeeds(attach, not_attached);
	at[SIZE - 1] = 1;
	set_nth(1);
	CHECK_EQ(shmdt(at), 0);
	set_nth(0);
	CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
}

static long make_set(void)
{
	return semget(KEY, 2000, IPC_CREAT | 0600);
}

static void no_set(void)
{
	CHECK_ERR(semget(KEY, 0, 0), ENOENT);
}

/* What the calls read and write is present before. A page fault would take the failure. */
static struct sembuf ops[20];
static unsigned short values[2000];

static long operate(void)
{
	return semop(id, ops, 20);
}

static void all_are_zero(void)
{
	for (int i = 0; i < 20; i++)
		CHECK_EQ(semctl(id, i, GETVAL), 0);
}

static long get_all(void)
{
	return semctl(id, 0, GETALL, values);
}

static void nothing(void)
{
}

BEYOND_TEST(semaphores, 20,
	    "a set that cannot be made is not there, and no operation is made in part", NO_NTH)
{
	set_nth(0);
	memset(values, 1, sizeof(values));
	for (int i = 0; i < 20; i++)
		ops[i] = (struct sembuf){ i, 1, SEM_UNDO };
	id = until_it_succeeds(make_set, no_set);
	until_it_succeeds(operate, all_are_zero);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(semctl(id, i, GETVAL), 1);
	until_it_succeeds(get_all, nothing);
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
}

static long make_queue(void)
{
	return msgget(KEY, IPC_CREAT | 0600);
}

static long send_message(void)
{
	return msgsnd(id, &message, sizeof(message.text), 0);
}

static void no_message(void)
{
	struct msqid_ds ds;

	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	CHECK_EQ(ds.msg_qnum, 0);
	CHECK_EQ(ds.msg_cbytes, 0);
}

BEYOND_TEST(messages, 20,
	    "a message that cannot be sent is not there, and receiving needs no memory", NO_NTH)
{
	set_nth(0);
	memset(message.text, 'm', sizeof(message.text));
	id = make_queue();
	CHECK(id >= 0);
	until_it_succeeds(send_message, no_message);
	set_nth(1);
	CHECK_EQ(msgrcv(id, &message, sizeof(message.text), 0, 0), sizeof(message.text));
	set_nth(0);
	CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

#define QUEUE "/undone-queue"

static long open_queue(void)
{
	return mq_open(QUEUE, O_RDWR | O_CREAT, 0600, NULL);
}

static void no_queue(void)
{
	CHECK_ERR(mq_unlink(QUEUE), ENOENT);
}

static long send_to_queue(void)
{
	return mq_send(id, message.text, sizeof(message.text), 3);
}

static void nothing_sent(void)
{
	struct mq_attr attr;

	CHECK_EQ(mq_getattr(id, &attr), 0);
	CHECK_EQ(attr.mq_curmsgs, 0);
}

BEYOND_TEST(posix_queue, 20, "a queue that cannot be opened, and a message that cannot be sent",
	    NO_NTH)
{
	static char got[8192];

	set_nth(0);
	memset(got, 1, sizeof(got));
	memset(message.text, 'm', sizeof(message.text));
	mq_unlink(QUEUE);
	id = until_it_succeeds(open_queue, no_queue);
	CHECK_EQ(mq_unlink(QUEUE), 0);
	until_it_succeeds(send_to_queue, nothing_sent);
	set_nth(1);
	CHECK_EQ(mq_receive(id, got, sizeof(got), NULL), sizeof(message.text));
	set_nth(0);
	CHECK_EQ(mq_close(id), 0);
}
