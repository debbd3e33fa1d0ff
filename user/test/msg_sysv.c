/* System V message queues: sending, receiving by type, limits, and the commands of msgctl. */
#include "msg_sysv.h"
#include "sysv.h"

TEST(key, 10, "a key leads to one queue")
{
	msgctl(msgget(KEY, 0), IPC_RMID, NULL);
	CHECK_ERR(msgget(KEY, 0600), ENOENT);
	id = msgget(KEY, IPC_CREAT | IPC_EXCL | 0600);
	CHECK(id >= 0);
	CHECK_ERR(msgget(KEY, IPC_CREAT | IPC_EXCL | 0600), EEXIST);
	CHECK_EQ(msgget(KEY, 0600), id);
	clean_up();
	CHECK_ERR(msgctl(id, IPC_RMID, NULL), EINVAL);
	CHECK_ERR(send_flags(1, "x", 0), EINVAL);
	CHECK_ERR(msgrcv(id, &m, 1, 0, 0), EINVAL);
	CHECK_ERR(msgctl(id, 99, NULL), EINVAL);
}

TEST(order, 10, "messages are received in their order, whole, with their type")
{
	set_up();
	put(3, "one");
	put(1, "");
	put(2, "three");
	receive(0, IPC_NOWAIT, "one");
	CHECK_EQ(m.type, 3);
	receive(0, IPC_NOWAIT, "");
	CHECK_EQ(m.type, 1);
	receive(0, IPC_NOWAIT, "three");
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 0, IPC_NOWAIT), ENOMSG);
	clean_up();
}

TEST(types, 10, "a type, the lowest type up to one, and all types but one")
{
	set_up();
	put(5, "five");
	put(3, "three");
	put(4, "four");
	put(3, "three again");
	put(9, "nine");
	receive(4, 0, "four");
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 4, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, -2, IPC_NOWAIT), ENOMSG);
	receive(-5, 0, "three");
	receive(5, MSG_EXCEPT, "three again");
	receive(-2147483647 - 1, 0, "five");
	receive(5, MSG_EXCEPT, "nine");
	clean_up();
}

TEST(lengths, 10, "a message that is too long stays, or is cut off with MSG_NOERROR")
{
	set_up();
	put(1, "0123456789");
	CHECK_ERR(msgrcv(id, &m, 4, 0, 0), E2BIG);
	memset(&m, 'x', sizeof(m));
	CHECK_EQ(msgrcv(id, &m, 4, 0, MSG_NOERROR), 4);
	CHECK_EQ(memcmp(m.text, "0123x", 5), 0);
	CHECK_ERR(msgrcv(id, &m, 4, 0, IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, -1, 0, IPC_NOWAIT), EINVAL);
	m.type = 0;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = -1;
	CHECK_ERR(msgsnd(id, &m, 1, 0), EINVAL);
	m.type = 1;
	CHECK_ERR(msgsnd(id, &m, MSG_MAX + 1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, &m, -1, 0), EINVAL);
	CHECK_ERR(msgsnd(id, (void *)8, 1, 0), EFAULT);
	CHECK_EQ(msgsnd(id, &m, MSG_MAX, 0), 0);
	CHECK_EQ(stat_of().msg_cbytes, MSG_MAX);
	clean_up();
}

TEST(full, 10, "a queue has room for so many bytes, and for so many empty messages")
{
	struct msqid_ds ds;
	int nr = 0;

	set_up();
	m.type = 1;
	CHECK_EQ(msgsnd(id, &m, MSG_MAX, IPC_NOWAIT), 0);
	CHECK_EQ(msgsnd(id, &m, MSG_MAX, IPC_NOWAIT), 0);
	CHECK_ERR(msgsnd(id, &m, 1, IPC_NOWAIT), EAGAIN);
	CHECK_EQ(msgsnd(id, &m, 0, IPC_NOWAIT), 0);
	ds = stat_of();
	CHECK_EQ(ds.msg_qbytes, QUEUE_MAX);
	CHECK_EQ(ds.msg_cbytes, QUEUE_MAX);
	CHECK_EQ(ds.msg_qnum, 3);
	ds.msg_qbytes = 100;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	for (int i = 0; i < 3; i++)
		CHECK(msgrcv(id, &m, MSG_MAX, 0, 0) >= 0);
	while (msgsnd(id, &m, 0, IPC_NOWAIT) == 0)
		nr++;
	CHECK_EQ(nr, 100);
	CHECK_EQ(stat_of().msg_qnum, 100);
	clean_up(); /* with all that is in it */
}

TEST(peeked, 10, "MSG_COPY copies the n-th message, which stays")
{
	set_up();
	put(7, "first");
	put(8, "second");
	receive(1, MSG_COPY | IPC_NOWAIT, "second");
	CHECK_EQ(m.type, 8);
	receive(0, MSG_COPY | IPC_NOWAIT, "first");
	CHECK_EQ(m.type, 7);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 2, MSG_COPY | IPC_NOWAIT), ENOMSG);
	CHECK_ERR(msgrcv(id, &m, 3, 0, MSG_COPY | IPC_NOWAIT), E2BIG);
	CHECK_ERR(msgrcv(id, &m, 3, 0, MSG_COPY | IPC_NOWAIT | MSG_NOERROR), EINVAL);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 0, MSG_COPY), EINVAL);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 0, MSG_COPY | IPC_NOWAIT | MSG_EXCEPT), EINVAL);
	CHECK_EQ(stat_of().msg_qnum, 2);
	clean_up();
}

BEYOND_TEST(kept, 10, "a message that cannot be copied to the program stays in its place",
	    "Linux loses it")
{
	set_up();
	put(1, "first");
	put(1, "second");
	CHECK_ERR(msgrcv(id, (void *)8, MSG_MAX, 0, 0), EFAULT);
	CHECK_EQ(stat_of().msg_qnum, 2);
	CHECK_EQ(stat_of().msg_cbytes, 11);
	receive(0, 0, "first");
	receive(0, 0, "second");
	clean_up();
}

/* ---- descriptions and rights ---- */

TEST(description, 10, "IPC_STAT and the kernel's own structure")
{
	time_t before = time(NULL) - 1; /* Linux rounds its own times down to a tick */
	struct msqid_ds ds;
	struct msqid64 own;

	set_up();
	ds = stat_of();
	CHECK_EQ(ds.msg_stime, 0);
	CHECK_EQ(ds.msg_rtime, 0);
	CHECK_EQ(ds.msg_lspid, 0);
	CHECK(ds.msg_ctime >= before);
	put(1, "hello");
	put(1, "world");
	receive(0, 0, "hello");
	memset(&own, 0xff, sizeof(own));
	CHECK_EQ(syscall(DIRECT_MSGCTL, id, 2, &own), 0); /* IPC_STAT */
	CHECK_EQ(sizeof(own), 88);
	CHECK_EQ(own.mode, 0600);
	CHECK_EQ(own.seq, id >> 15);
	CHECK(own.stime >= before && own.rtime >= before && own.rtime_high == 0);
	CHECK_EQ(own.cbytes, 5);
	CHECK_EQ(own.qnum, 1);
	CHECK_EQ(own.qbytes, QUEUE_MAX);
	CHECK_EQ(own.lspid, getpid());
	CHECK_EQ(own.lrpid, getpid());
	CHECK_EQ(own.unused2[1], 0);
	CHECK_ERR(syscall(DIRECT_MSGCTL, id, 2, 8), EFAULT);
	CHECK_ERR(syscall(DIRECT_MSGCTL, id, 2 | 0x100, &own), EINVAL);
	CHECK_EQ(syscall(DIRECT_MSGRCV, id, &m, 5, 0, 0), 5);
	CHECK_EQ(syscall(DIRECT_MSGSND, id, &m, 5, 0), 0);
	/* The oldest form of msgrcv has two arguments in memory. */
	CHECK_EQ(syscall(SYS_ipc, 12, id, 5, 0, (long[]){ (long)&m, 0 }, 0), 5);
	CHECK_ERR(syscall(SYS_ipc, 12, id, 5, 0, NULL, 0), EINVAL);
	clean_up();
}

static void as_other(void)
{
	struct msqid_ds ds;

	CHECK_EQ(setgid(1001), 0);
	CHECK_EQ(setuid(1001), 0);
	CHECK_ERR(send_flags(1, "x", IPC_NOWAIT), EACCES);
	receive(0, 0, "readable");
	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	CHECK_ERR(msgctl(id, IPC_SET, &ds), EPERM);
	CHECK_ERR(msgctl(id, IPC_RMID, NULL), EPERM);
}

static void as_owner(void)
{
	struct msqid_ds ds = stat_of();

	CHECK_EQ(setuid(1002), 0);
	ds.msg_qbytes = QUEUE_MAX + 1;
	CHECK_ERR(msgctl(id, IPC_SET, &ds), EPERM);
	ds.msg_qbytes = QUEUE_MAX - 1;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
}

TEST(permissions, 10, "others have the rights of the mode; a larger queue needs a capability")
{
	struct msqid_ds ds;

	set_up();
	put(1, "readable");
	ds = stat_of();
	ds.msg_perm.mode = 0604;
	ds.msg_perm.uid = 1002;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	CHECK_EQ(test_wait(in_background(as_other)), 0);
	CHECK_EQ(test_wait(in_background(as_owner)), 0);
	CHECK_EQ(stat_of().msg_qbytes, QUEUE_MAX - 1);
	clean_up();
}

TEST(use, 10, "IPC_INFO, MSG_INFO, MSG_STAT and /proc/sysvipc/msg tell of the queues")
{
	struct msginfo before, info;
	struct msqid_ds ds;
	char wanted[128];
	int highest, found = 0;

	CHECK(msgctl(0, MSG_INFO, (void *)&before) >= 0);
	set_up();
	put(1, "hello");
	highest = msgctl(0, MSG_INFO, (void *)&info);
	CHECK(highest >= 0);
	CHECK_EQ(info.msgpool, before.msgpool + 1);
	CHECK_EQ(info.msgmap, before.msgmap + 1);
	CHECK_EQ(info.msgtql, before.msgtql + 5);
	CHECK_EQ(msgctl(0, IPC_INFO, (void *)&info), highest);
	CHECK_EQ(info.msgmax, MSG_MAX);
	CHECK_EQ(info.msgmnb, QUEUE_MAX);
	CHECK_EQ(info.msgmni, 32000);
	for (int i = 0; i <= highest; i++)
		if (msgctl(i, MSG_STAT, &ds) == id) {
			CHECK_EQ(ds.msg_cbytes, 5);
			found++;
		}
	CHECK_EQ(found, 1);
	snprintf(wanted, sizeof(wanted), "%10d %10d   600  %10d %10d %5d %5d %5d %5d", 0, id, 5, 1,
		 getpid(), 0, geteuid(), getegid());
	listed_object("msg",
		      "       key      msqid perms      cbytes       qnum lspid lrpid   uid   "
		      "gid  cuid  cgid      stime      rtime      ctime\n",
		      wanted);
	clean_up();
}

static void read_limit(const char *name, const char *wanted)
{
	CHECK_EQ(strcmp(contents("/proc/sys/kernel/%s", name), wanted), 0);
}

TEST(limits, 10, "the limits of System V IPC are in /proc/sys/kernel")
{
	read_limit("shmmax", "4278190079\n");
	read_limit("shmall", "4278190079\n");
	read_limit("shmmni", "4096\n");
	read_limit("sem", "32000\t1024000000\t500\t32000\n");
	read_limit("msgmax", "8192\n");
	read_limit("msgmnb", "16384\n");
	read_limit("msgmni", "32000\n");
}
