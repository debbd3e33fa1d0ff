/*
 * The limits of System V IPC and POSIX message queues that root can set in /proc/sys, and the ids
 * of the next objects.
 */
#include "text_files.h"

#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

/* The library refuses large sets itself. */
enum { DIRECT_SEMGET = 393 };

/* Read a file of /proc/sys into `value`, without the newline. */
static void get(const char *path, char value[64])
{
	const char *line = contents("%s", path);
	size_t len = strcspn(line, "\n");

	CHECK(len > 0 && len < 64 && line[len] == '\n');
	memcpy(value, line, len);
	value[len] = '\0';
}

static int put(const char *path, const char *value)
{
	return put_text(path, value) == (int)strlen(value) ? 0 : -1;
}

TEST(limits, 10, "a lower limit holds for the calls, and is told by IPC_INFO")
{
	char shmmax[64], shmmni[64], msgmni[64], sem[64], text[64];
	struct seminfo info;
	int first, id;

	get("/proc/sys/kernel/shmmax", shmmax);
	CHECK_EQ(put("/proc/sys/kernel/shmmax", "8192"), 0);
	CHECK_ERR(shmget(IPC_PRIVATE, 8193, 0600), EINVAL);
	CHECK_EQ(put("/proc/sys/kernel/shmmax", shmmax), 0);
	first = shmget(IPC_PRIVATE, 8193, 0600);
	CHECK(first >= 0);
	get("/proc/sys/kernel/shmmni", shmmni);
	CHECK_EQ(put("/proc/sys/kernel/shmmni", "1"), 0);
	CHECK_ERR(shmget(IPC_PRIVATE, 1, 0600), ENOSPC);
	CHECK_EQ(put("/proc/sys/kernel/shmmni", shmmni), 0);
	CHECK_EQ(shmctl(first, IPC_RMID, NULL), 0);
	get("/proc/sys/kernel/msgmni", msgmni);
	CHECK_EQ(put("/proc/sys/kernel/msgmni", "0"), 0);
	CHECK_ERR(msgget(IPC_PRIVATE, 0600), ENOSPC);
	CHECK_EQ(put("/proc/sys/kernel/msgmni", msgmni), 0);
	get("/proc/sys/kernel/sem", sem);
	CHECK_EQ(put("/proc/sys/kernel/sem", "3 1000 2\t100"), 0);
	get("/proc/sys/kernel/sem", text);
	CHECK(!strcmp(text, "3\t1000\t2\t100"));
	CHECK(semctl(0, 0, IPC_INFO, &info) >= 0);
	CHECK(info.semmsl == 3 && info.semmni == 100 && info.semopm == 2);
	CHECK_ERR(semget(IPC_PRIVATE, 4, 0600), EINVAL);
	id = semget(IPC_PRIVATE, 3, 0600);
	CHECK(id >= 0);
	CHECK_ERR(semop(id, (struct sembuf[3]){ { 0, 1, 0 }, { 1, 1, 0 }, { 2, 1, 0 } }, 3), E2BIG);
	CHECK_EQ(semctl(id, 0, IPC_RMID), 0);
	CHECK_EQ(put("/proc/sys/kernel/sem", sem), 0);
	CHECK_ERR(put("/proc/sys/kernel/msgmni", "x"), EINVAL);
	CHECK_ERR(put("/proc/sys/kernel/msgmni", "1000000"), EINVAL);
}

TEST(too_large, 5, "a set whose size would not fit into a word is not made")
{
	char sem[64];

	get("/proc/sys/kernel/sem", sem);
	(void)put("/proc/sys/kernel/sem", "2147483647"); /* Linux takes it */
	CHECK_EQ(syscall(DIRECT_SEMGET, IPC_PRIVATE, 0x20000000, 0600), -1);
	CHECK_EQ(put("/proc/sys/kernel/sem", sem), 0);
}

TEST(next_id, 5, "the next object gets the id that was written, unless another one has it")
{
	char text[64];
	int first, second;

	CHECK_EQ(put("/proc/sys/kernel/msg_next_id", "32790"), 0);
	first = msgget(IPC_PRIVATE, 0600);
	CHECK_EQ(first, 32790);
	get("/proc/sys/kernel/msg_next_id", text);
	CHECK(!strcmp(text, "-1"));
	CHECK_EQ(put("/proc/sys/kernel/msg_next_id", "32790"), 0);
	second = msgget(IPC_PRIVATE, 0600);
	CHECK(second >= 0 && second != first);
	CHECK_EQ(msgctl(first, IPC_RMID, NULL), 0);
	CHECK_EQ(msgctl(second, IPC_RMID, NULL), 0);
	CHECK_EQ(put("/proc/sys/kernel/shm_next_id", "99"), 0);
	first = shmget(IPC_PRIVATE, 1, 0600);
	CHECK_EQ(first, 99);
	CHECK_EQ(shmctl(first, IPC_RMID, NULL), 0);
	CHECK_EQ(put("/proc/sys/kernel/sem_next_id", "98"), 0);
	first = semget(IPC_PRIVATE, 1, 0600);
	CHECK_EQ(first, 98);
	CHECK_EQ(semctl(first, 0, IPC_RMID), 0);
}

TEST(mqueue, 5, "queues made without attributes get the defaults of /proc/sys/fs/mqueue")
{
	char messages[64], len[64];
	struct mq_attr attr;
	mqd_t queue;

	get("/proc/sys/fs/mqueue/msg_default", messages);
	get("/proc/sys/fs/mqueue/msgsize_default", len);
	CHECK_EQ(put("/proc/sys/fs/mqueue/msg_default", "5"), 0);
	CHECK_EQ(put("/proc/sys/fs/mqueue/msgsize_default", "500"), 0);
	queue = mq_open("/limits", O_CREAT | O_RDWR, 0600, NULL);
	CHECK(queue >= 0);
	CHECK_EQ(mq_getattr(queue, &attr), 0);
	CHECK(attr.mq_maxmsg == 5 && attr.mq_msgsize == 500);
	close(queue);
	CHECK_EQ(mq_unlink("/limits"), 0);
	CHECK_EQ(put("/proc/sys/fs/mqueue/msg_default", messages), 0);
	CHECK_EQ(put("/proc/sys/fs/mqueue/msgsize_default", len), 0);
}
