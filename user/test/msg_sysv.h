/* System V message queues: what their tests share. */
#ifndef USER_TEST_MSG_SYSV_H
#define USER_TEST_MSG_SYSV_H

#include "background.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/syscall.h>

#define KEY 0x5e63
#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#define MSG_MAX	  8192
#define QUEUE_MAX 16384
/* The numbers of the calls on i386. */
enum { DIRECT_MSGGET = 399, DIRECT_MSGSND, DIRECT_MSGRCV, DIRECT_MSGCTL };

struct msqid64 { /* linux/msg.h on i386 */
	int key;
	unsigned int uid, gid, cuid, cgid;
	unsigned short mode, pad1, seq, pad2;
	unsigned int unused[2];
	unsigned int stime, stime_high, rtime, rtime_high, ctime, ctime_high;
	unsigned int cbytes, qnum, qbytes;
	int lspid, lrpid;
	unsigned int unused2[2];
};

struct message {
	long type;
	char text[MSG_MAX + 1];
};

__attribute__((unused)) static int id;
__attribute__((unused)) static struct message m;

__attribute__((unused)) static void set_up(void)
{
	id = msgget(IPC_PRIVATE, 0600);
	CHECK(id >= 0);
}

__attribute__((unused)) static void clean_up(void)
{
	CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

__attribute__((unused)) static int send_flags(long type, const char *text, int flags)
{
	m.type = type;
	strcpy(m.text, text);
	return msgsnd(id, &m, strlen(text), flags);
}

__attribute__((unused)) static void put(long type, const char *text)
{
	CHECK_EQ(send_flags(type, text, IPC_NOWAIT), 0);
}

/* The next message of that kind must have this text. */
__attribute__((unused)) static void receive(long type, int flags, const char *text)
{
	memset(&m, 0, sizeof(m));
	CHECK_EQ(msgrcv(id, &m, MSG_MAX, type, flags), strlen(text));
	CHECK_EQ(strcmp(m.text, text), 0);
}

__attribute__((unused)) static struct msqid_ds stat_of(void)
{
	struct msqid_ds ds;

	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	return ds;
}

#endif
