/* System V message queues: senders and receivers that wait, and many messages. */
#include "msg_sysv.h"
#include "signals.h"

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
	two = asleep_in_background(receives_type_two);
	low = asleep_in_background(receives_up_to_three);
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
	a = asleep_in_background(has_no_room);
	b = asleep_in_background(has_little_room);
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
	sender = asleep_in_background(sends_hello);
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
	sender = asleep_in_background(sends_hello);
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
	receiver = asleep_in_background(receive_is_removed);
	sender = asleep_in_background(send_is_removed);
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
	child = asleep_in_background(loses_the_right);
	ds.msg_perm.mode = 0602;
	CHECK_EQ(msgctl(id, IPC_SET, &ds), 0);
	CHECK_EQ(test_wait(child), 0);
	clean_up();
}

static void receive_is_interrupted(void)
{
	handle(SIGUSR1, on_signal, SA_RESTART);
	CHECK_ERR(msgrcv(id, &m, MSG_MAX, 2, 0), EINTR);
	CHECK_ERR(send_flags(3, "never sent", 0), EINTR);
}

TEST(interrupted, 10, "a signal ends the wait with EINTR, and a kill leaves nothing behind")
{
	pid_t child;

	set_up();
	fill();
	child = asleep_in_background(receive_is_interrupted);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	await_sleep(child);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	CHECK_EQ(test_wait(child), 0);
	child = asleep_in_background(sends_hello);
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
	child = asleep_in_background(receives_type_two);
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
