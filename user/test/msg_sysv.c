/* System V message queues: sending, receiving by type, waiting, limits, and the commands of msgctl. */
#define _GNU_SOURCE
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

static int id;
static struct message m;

static void set_up(void)
{
	id = msgget(IPC_PRIVATE, 0600);
	CHECK(id >= 0);
}

static void clean_up(void)
{
	CHECK_EQ(msgctl(id, IPC_RMID, NULL), 0);
}

static int send_flags(long type, const char *text, int flags)
{
	m.type = type;
	strcpy(m.text, text);
	return msgsnd(id, &m, strlen(text), flags);
}

static void put(long type, const char *text)
{
	CHECK_EQ(send_flags(type, text, IPC_NOWAIT), 0);
}

/* The next message of that kind must have this text. */
static void receive(long type, int flags, const char *text)
{
	memset(&m, 0, sizeof(m));
	CHECK_EQ(msgrcv(id, &m, MSG_MAX, type, flags), strlen(text));
	CHECK_EQ(strcmp(m.text, text), 0);
}

static struct msqid_ds stat_of(void)
{
	struct msqid_ds ds;

	CHECK_EQ(msgctl(id, IPC_STAT, &ds), 0);
	return ds;
}

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

/* ---- waiting ---- */

static void receives_type_two(void)
{
	receive(2, 0, "for me");
}

static void receives_up_to_three(void)
{
	receive(-3, 0, "low");
}

TEST(waits, 10, "a receiver waits for a message that it wants, and others pass it by")
{
	pid_t two, low;

	set_up();
	two = in_background(receives_type_two);
	low = in_background(receives_up_to_three);
	await_sleep(two);
	await_sleep(low);
	put(4, "for nobody");
	CHECK_EQ(stat_of().msg_qnum, 1);
	put(3, "low");
	CHECK_EQ(test_wait(low), 0);
	CHECK_EQ(stat_of().msg_lrpid, low);
	put(2, "for me");
	CHECK_EQ(test_wait(two), 0);
	CHECK_EQ(stat_of().msg_qnum, 1);
	receive(0, 0, "for nobody");
	clean_up();
}

static void has_no_room(void)
{
	CHECK_ERR(msgrcv(id, &m, 2, 0, 0), E2BIG);
}

static void has_little_room(void)
{
	CHECK_EQ(msgrcv(id, &m, 2, 0, MSG_NOERROR), 2);
}

TEST(waits_short, 10,
     "a waiting receiver without room for the message fails, and the next one gets it")
{
	pid_t a, b;

	set_up();
	a = in_background(has_no_room);
	await_sleep(a);
	b = in_background(has_little_room);
	await_sleep(b);
	put(1, "long");
	CHECK_EQ(test_wait(a), 0);
	CHECK_EQ(test_wait(b), 0);
	CHECK_EQ(stat_of().msg_qnum, 0);
	clean_up();
}

static void fill(void)
{
	m.type = 1;
	CHECK_EQ(msgsnd(id, &m, MSG_MAX, IPC_NOWAIT), 0);
	CHECK_EQ(msgsnd(id, &m, MSG_MAX, IPC_NOWAIT), 0);
}

static void sends_hello(void)
{
	CHECK_EQ(send_flags(2, "hello", 0), 0);
}

TEST(sender_waits, 10, "a sender waits for room")
{
	pid_t sender;

	set_up();
	fill();
	sender = in_background(sends_hello);
	await_sleep(sender);
	CHECK_EQ(stat_of().msg_qnum, 2);
	CHECK_EQ(msgrcv(id, &m, MSG_MAX, 1, 0), MSG_MAX);
	CHECK_EQ(test_wait(sender), 0);
	CHECK_EQ(stat_of().msg_lspid, sender);
	receive(2, 0, "hello");
	clean_up();
}

TEST(room_is_set, 10, "a sender goes on when IPC_SET makes room")
{
	struct msqid_ds ds;
	pid_t sender;

	set_up();
	fill();
	sender = in_background(sends_hello);
	await_sleep(sender);
	ds = stat_of();
	ds.msg_qbytes += 5;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	CHECK_EQ(test_wait(sender), 0);
	receive(2, 0, "hello");
	clean_up();
}

static void receive_is_removed(void)
{
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 2, 0), EIDRM);
}

static void send_is_removed(void)
{
	CHECK_ERR(send_flags(3, "too late", 0), EIDRM);
}

TEST(removed, 10, "IPC_RMID ends the waits of both sides with EIDRM")
{
	pid_t receiver, sender;

	set_up();
	fill();
	receiver = in_background(receive_is_removed);
	sender = in_background(send_is_removed);
	await_sleep(receiver);
	await_sleep(sender);
	clean_up();
	CHECK_EQ(test_wait(receiver), 0);
	CHECK_EQ(test_wait(sender), 0);
}

static void loses_the_right(void)
{
	CHECK_EQ(setgid(1001), 0);
	CHECK_EQ(setuid(1001), 0);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 0, 0), EACCES);
}

TEST(right_is_lost, 10, "a waiting task that may not receive any more is told so")
{
	struct msqid_ds ds;
	pid_t child;

	set_up();
	ds = stat_of();
	ds.msg_perm.mode = 0606;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	child = in_background(loses_the_right);
	await_sleep(child);
	ds.msg_perm.mode = 0602;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	CHECK_EQ(test_wait(child), 0);
	clean_up();
}

static void on_signal(int sig)
{
	(void)sig;
}

static void receive_is_interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &action, NULL);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 2, 0), EINTR);
	CHECK_ERR(send_flags(3, "never sent", 0), EINTR);
}

TEST(interrupted, 10, "a signal ends the wait with EINTR, and a kill leaves nothing behind")
{
	pid_t child;

	set_up();
	fill();
	child = in_background(receive_is_interrupted);
	await_sleep(child);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	await_sleep(child);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 0);
	child = in_background(sends_hello);
	await_sleep(child);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_EQ(msgrcv(id, &m, MSG_MAX, 0, 0), MSG_MAX);
	CHECK_EQ(stat_of().msg_qnum, 1);
	clean_up();
}

TEST(stopped, 10, "a wait goes on after the process was stopped and continued")
{
	pid_t child;
	int status;

	set_up();
	child = in_background(receives_type_two);
	await_sleep(child);
	CHECK_EQ(kill(child, SIGSTOP), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK_EQ(kill(child, SIGCONT), 0);
	await_sleep(child);
	put(2, "for me");
	CHECK_EQ(test_wait(child), 0);
	clean_up();
}

static void sends_thousand(void)
{
	for (int i = 0; i < 1000; i++) {
		m.type = 1 + i % 3;
		memcpy(m.text, &i, sizeof(i));
		CHECK_EQ(msgsnd(id, &m, 200, 0), 0);
	}
}

TEST(thousands, 20, "thousands of messages of two senders, each sender's in its order")
{
	pid_t a, b;
	int last[4] = { -1, -1, -1, -1 }, nr = 0, number;

	set_up();
	a = in_background(sends_thousand);
	b = in_background(sends_thousand);
	while (nr < 2000) {
		CHECK_EQ(msgrcv(id, &m, MSG_MAX, -3, 0), 200);
		memcpy(&number, m.text, sizeof(number));
		CHECK(number >= 0 && number < 1000 && m.type == 1 + number % 3);
		last[m.type] = number;
		nr++;
	}
	CHECK_EQ(last[1], 999);
	CHECK_EQ(test_wait(a), 0);
	CHECK_EQ(test_wait(b), 0);
	clean_up();
}

#define QUEUES 32000

BEYOND_TEST(memory, 30, "messages take a part of the memory, and then sending fails with ENOMEM",
	    "Linux has no such limit but those for each queue, 500 MB in all")
{
	static int ids[QUEUES];
	/* A quarter of low memory at most, of which there are 768 MiB. */
	long long most = sysconf(_SC_PHYS_PAGES) * 4096ll / 4, sent = 0;
	int nr = 0, error = 0;

	if (most > 192 << 20)
		most = 192 << 20;
	m.type = 1;
	while (!error && nr < QUEUES && sent <= most) {
		ids[nr] = msgget(IPC_PRIVATE, 0600);
		if (ids[nr] < 0)
			error = errno;
		for (int i = 0; !error && i < QUEUE_MAX / MSG_MAX; i++) {
			error = msgsnd(ids[nr], &m, MSG_MAX, IPC_NOWAIT) < 0 ? errno : 0;
			sent += error ? 0 : MSG_MAX;
		}
		nr += ids[nr] >= 0;
	}
	printf("# %lld bytes in %d queues\n", sent, nr);
	CHECK_EQ(error, ENOMEM);
	CHECK(sent > 1 << 20);
	CHECK(sent <= most);
	/* There is room for one that is taken, and programs start. */
	CHECK_EQ(msgrcv(ids[0], &m, MSG_MAX, 0, 0), MSG_MAX);
	CHECK_EQ(msgsnd(ids[0], &m, MSG_MAX, IPC_NOWAIT), 0);
	CHECK_EQ(system("exit 3") >> 8, 3);
	for (int i = 0; i < nr; i++)
		CHECK_EQ(msgctl(ids[i], IPC_RMID, NULL), 0);
	set_up();
	CHECK_EQ(msgsnd(id, &m, MSG_MAX, IPC_NOWAIT), 0);
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
	char line[256], wanted[128];
	int highest, found = 0;
	FILE *file;

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
	file = fopen("/proc/sysvipc/msg", "r");
	CHECK(file != NULL);
	CHECK(fgets(line, sizeof(line), file) != NULL);
	CHECK_EQ(strcmp(line,
			"       key      msqid perms      cbytes       qnum lspid lrpid   uid   "
			"gid  cuid  cgid      stime      rtime      ctime\n"),
		 0);
	snprintf(wanted, sizeof(wanted), "%10d %10d   600  %10d %10d %5d %5d %5d %5d", 0, id, 5, 1,
		 getpid(), 0, geteuid(), getegid());
	found = 0;
	while (fgets(line, sizeof(line), file))
		found += !strncmp(line, wanted, strlen(wanted));
	CHECK_EQ(found, 1);
	fclose(file);
	clean_up();
}

static void read_limit(const char *name, const char *wanted)
{
	char path[64], text[64];
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	close(fd);
	CHECK_EQ(strcmp(text, wanted), 0);
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
