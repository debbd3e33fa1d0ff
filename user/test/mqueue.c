/* POSIX message queues: names, priorities, waiting, notices, limits and descriptors. */
#define _GNU_SOURCE
#include "background.h"
#include <limits.h>
#include <mqueue.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define NAME "/test-mqueue"
#ifndef RLIMIT_MSGQUEUE
#define RLIMIT_MSGQUEUE 12
#endif

static mqd_t queue;
static char buf[8192];

/* A queue for so many messages of 16 bytes, which has no name any more. */
static void set_up(int messages)
{
	struct mq_attr attr = { .mq_maxmsg = messages, .mq_msgsize = 16 };

	mq_unlink(NAME);
	queue = mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	CHECK(queue >= 0);
	CHECK_EQ(mq_unlink(NAME), 0);
}

static void set_nonblock(int flags)
{
	struct mq_attr attr = { .mq_flags = flags };

	CHECK_EQ(mq_setattr(queue, &attr, NULL), 0);
}

static void put(const char *text, unsigned int priority)
{
	CHECK_EQ(mq_send(queue, text, strlen(text), priority), 0);
}

static void get(const char *text, unsigned int priority)
{
	unsigned int seen = 99;

	memset(buf, 0, sizeof(buf));
	CHECK_EQ(mq_receive(queue, buf, sizeof(buf), &seen), strlen(text));
	CHECK_EQ(strcmp(buf, text), 0);
	CHECK_EQ(seen, priority);
}

static int nr_messages(void)
{
	struct mq_attr attr;

	CHECK_EQ(mq_getattr(queue, &attr), 0);
	return attr.mq_curmsgs;
}

TEST(name, 10, "a name leads to one queue, until it is taken away")
{
	struct mq_attr attr = { .mq_maxmsg = 3, .mq_msgsize = 16 };
	mqd_t again, other;

	mq_unlink(NAME);
	CHECK_ERR(mq_open(NAME, O_RDWR), ENOENT);
	CHECK_ERR(mq_unlink(NAME), ENOENT);
	queue = mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr);
	CHECK(queue >= 0);
	CHECK_EQ(fcntl(queue, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(mq_open(NAME, O_RDWR | O_CREAT | O_EXCL, 0600, &attr), EEXIST);
	again = mq_open(NAME, O_RDONLY);
	CHECK(again >= 0);
	put("hello", 1);
	CHECK_EQ(mq_receive(again, buf, 16, NULL), 5);
	CHECK_ERR(mq_send(again, "x", 1, 0), EBADF);
	CHECK_EQ(mq_unlink(NAME), 0);
	CHECK_ERR(mq_open(NAME, O_RDWR), ENOENT);
	other = mq_open(NAME, O_WRONLY | O_CREAT, 0600, &attr);
	CHECK(other >= 0);
	CHECK_ERR(mq_receive(other, buf, 16, NULL), EBADF);
	put("old", 0);
	CHECK_EQ(mq_getattr(other, &attr), 0);
	CHECK_EQ(attr.mq_curmsgs, 0);
	CHECK_EQ(mq_unlink(NAME), 0);
	CHECK_EQ(mq_close(queue), 0);
	CHECK_ERR(mq_send(queue, "x", 1, 0), EBADF);
	CHECK_ERR(mq_send(0, "x", 1, 0), EBADF);
}

TEST(bad_names, 10, "names that are no names, and a structure that cannot be read")
{
	char name[NAME_MAX + 3];

	memset(name, 'n', sizeof(name));
	name[0] = '/';
	name[sizeof(name) - 1] = 0;
	CHECK_ERR(syscall(SYS_mq_open, name + 1, O_RDWR | O_CREAT, 0600, NULL), ENAMETOOLONG);
	CHECK_ERR(syscall(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL), EACCES);
	CHECK_ERR(syscall(SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL), ENOENT);
	CHECK_ERR(syscall(SYS_mq_open, (void *)8, O_RDWR, 0600, NULL), EFAULT);
	CHECK_ERR(syscall(SYS_mq_open, "x", O_RDWR | O_CREAT, 0600, 8), EFAULT);
	name[NAME_MAX + 1] = 0;
	CHECK((queue = mq_open(name, O_RDWR | O_CREAT, 0600, NULL)) >= 0);
	CHECK_EQ(mq_unlink(name), 0);
}

TEST(priorities, 10, "the highest priority comes first, and in one priority the oldest")
{
	set_up(5);
	put("low", 1);
	put("high", 9);
	put("", 5);
	put("high too", 9);
	put("highest", 32767);
	CHECK_EQ(nr_messages(), 5);
	get("highest", 32767);
	get("high", 9);
	get("high too", 9);
	get("", 5);
	get("low", 1);
	CHECK_ERR(mq_send(queue, "x", 1, 32768), EINVAL);
}

TEST(lengths, 10, "a message must fit into the queue, and any message into the buffer")
{
	struct mq_attr attr, old;

	set_up(2);
	CHECK_ERR(mq_send(queue, buf, 17, 0), EMSGSIZE);
	CHECK_EQ(mq_send(queue, buf, 16, 0), 0);
	CHECK_ERR(mq_receive(queue, buf, 15, NULL), EMSGSIZE);
	CHECK_EQ(mq_receive(queue, buf, 16, NULL), 16);
	CHECK_ERR(mq_send(queue, (void *)8, 16, 0), EFAULT);
	CHECK_EQ(nr_messages(), 0);
	CHECK_EQ(mq_getattr(queue, &attr), 0);
	CHECK_EQ(attr.mq_flags, 0);
	CHECK_EQ(attr.mq_maxmsg, 2);
	CHECK_EQ(attr.mq_msgsize, 16);
	attr.mq_flags = O_NONBLOCK;
	CHECK_EQ(mq_setattr(queue, &attr, &old), 0);
	CHECK_EQ(old.mq_flags, 0);
	CHECK_EQ(mq_getattr(queue, &attr), 0);
	CHECK_EQ(attr.mq_flags, O_NONBLOCK);
	attr.mq_flags = 1;
	CHECK_ERR(mq_setattr(queue, &attr, NULL), EINVAL);
	CHECK_ERR(mq_getattr(0, &attr), EBADF);
}

TEST(nonblocking, 10, "O_NONBLOCK: a full queue and an empty one")
{
	set_up(2);
	set_nonblock(O_NONBLOCK);
	CHECK_ERR(mq_receive(queue, buf, 16, NULL), EAGAIN);
	put("a", 0);
	put("b", 0);
	CHECK_ERR(mq_send(queue, "c", 1, 0), EAGAIN);
	get("a", 0);
	put("c", 0);
	get("b", 0);
	get("c", 0);
}

BEYOND_TEST(kept, 10, "a message that cannot be copied to the program stays in its place",
	    "Linux loses it")
{
	set_up(3);
	put("first", 1);
	put("second", 1);
	put("third", 0);
	CHECK_ERR(mq_receive(queue, (void *)8, 16, NULL), EFAULT);
	CHECK_EQ(nr_messages(), 3);
	get("first", 1);
	get("second", 1);
	get("third", 0);
}

/* ---- waiting ---- */

static void receives_hello(void)
{
	get("hello", 3);
}

static void sends_hello(void)
{
	put("hello", 3);
}

TEST(waits, 10, "a receiver waits for a message, and a sender for room")
{
	pid_t child;

	set_up(1);
	child = asleep_in_background(receives_hello);
	put("hello", 3);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(nr_messages(), 0);
	put("full", 7);
	child = asleep_in_background(sends_hello);
	CHECK_EQ(nr_messages(), 1);
	get("full", 7);
	CHECK_EQ(test_wait(child), 0);
	get("hello", 3);
}

static char name_of_child;

static void sends_its_name(void)
{
	CHECK_EQ(mq_send(queue, &name_of_child, 1, 0), 0);
}

TEST(in_order, 10, "waiting senders come in the order in which they arrived")
{
	pid_t child[3];

	set_up(1);
	put("x", 0);
	for (int i = 0; i < 3; i++) {
		name_of_child = 'a' + i;
		child[i] = asleep_in_background(sends_its_name);
	}
	get("x", 0);
	get("a", 0);
	get("b", 0);
	get("c", 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(child[i]), 0);
}

TEST(timed, 10, "a wait ends at its time, with 32-bit and 64-bit seconds")
{
	struct timespec until, bad = { 0, -1 };
	long long wide[2], start = test_ms();

	set_up(1);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	CHECK_ERR(mq_timedreceive(queue, buf, 16, NULL, &until), ETIMEDOUT);
	CHECK(test_ms() - start >= 49);
	wide[0] = until.tv_sec;
	wide[1] = until.tv_nsec;
	CHECK_ERR(syscall(419, queue, buf, 16, NULL, wide), ETIMEDOUT);
	CHECK_ERR(syscall(419, queue, buf, 16, NULL, 8), EFAULT);
	CHECK_ERR(mq_timedreceive(queue, buf, 16, NULL, &bad), EINVAL);
	CHECK_EQ(mq_timedsend(queue, "x", 1, 0, &until),
		 0); /* there is room, and the time is over */
	CHECK_ERR(mq_timedsend(queue, "y", 1, 0, &until), ETIMEDOUT);
	CHECK_EQ(syscall(419, queue, buf, 16, NULL, NULL), 1);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void is_interrupted(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	CHECK_ERR(mq_receive(queue, buf, 16, NULL), EINTR);
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
	get("hello", 3);
}

TEST(interrupted, 10,
     "a signal ends the wait, or with SA_RESTART it goes on; a kill leaves nothing")
{
	pid_t child;

	set_up(1);
	child = asleep_in_background(is_interrupted);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	await_sleep(child);
	CHECK_EQ(kill(child, SIGUSR1), 0);
	await_sleep(child);
	put("hello", 3);
	CHECK_EQ(test_wait(child), 0);
	put("full", 0);
	child = asleep_in_background(sends_hello);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	get("full", 0);
	CHECK_EQ(nr_messages(), 0);
}

TEST(polled, 10, "a queue can be polled, and a message wakes the poller")
{
	pid_t child;
	struct pollfd p;

	set_up(1);
	CHECK_EQ(poll_now(queue, POLLIN | POLLOUT), POLLOUT);
	child = fork();
	if (!child) {
		await_sleep(getppid());
		put("hello", 3);
		_exit(0);
	}
	p = (struct pollfd){ queue, POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(poll_now(queue, POLLIN | POLLOUT), POLLIN);
	get("hello", 3);
	CHECK_EQ(poll_now(queue, POLLIN | POLLOUT), POLLOUT);
}

/* ---- notices ---- */

static volatile int nr_told;
static siginfo_t told;

static void is_told(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	told = *info;
	nr_told++;
}

static void ask(int error)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct sigaction action = { .sa_sigaction = is_told, .sa_flags = SA_SIGINFO };

	event.sigev_value.sival_int = 4711;
	sigaction(SIGRTMIN, &action, NULL);
	if (error)
		CHECK_ERR(mq_notify(queue, &event), error);
	else
		CHECK_EQ(mq_notify(queue, &event), 0);
}

static void is_busy(void)
{
	ask(EBUSY);
	CHECK_EQ(mq_notify(queue, NULL), 0); /* it has asked for nothing */
	ask(EBUSY);
}

static void asks_and_ends(void)
{
	ask(0);
}

static void asks_and_closes(void)
{
	int other = dup(queue);

	ask(0);
	CHECK_EQ(close(other), 0);
	ask(0);
	pause();
}

TEST(notice, 10, "one process is told once of a message that comes to an empty queue")
{
	pid_t child;

	set_up(5);
	ask(0);
	ask(EBUSY);
	CHECK_EQ(test_wait(in_background(is_busy)), 0);
	child = in_background(sends_hello);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(nr_told, 1);
	CHECK_EQ(told.si_code, SI_MESGQ);
	CHECK_EQ(told.si_value.sival_int, 4711);
	CHECK_EQ(told.si_pid, child);
	get("hello", 3);
	put("not told", 0);
	CHECK_EQ(nr_told, 1);
	ask(0);
	put("not empty", 0);
	CHECK_EQ(nr_told, 1);
	get("not told", 0);
	get("not empty", 0);
	put("empty", 0);
	CHECK_EQ(nr_told, 2);
	get("empty", 0);
	/* A receiver that waits gets the message, and nobody is told. */
	ask(0);
	child = asleep_in_background(receives_hello);
	put("hello", 3);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(nr_told, 2);
	CHECK_EQ(mq_notify(queue, NULL), 0);
	put("taken back", 0);
	CHECK_EQ(nr_told, 2);
}

TEST(notice_ends, 10, "a request ends with its process, and with any descriptor of the queue there")
{
	pid_t child;

	set_up(5);
	CHECK_EQ(test_wait(in_background(asks_and_ends)), 0);
	ask(0);
	CHECK_EQ(mq_notify(queue, NULL), 0);
	child = asleep_in_background(asks_and_closes);
	ask(EBUSY);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	ask(0);
}

TEST(notice_refused, 10, "mq_notify refuses what it does not know")
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65 };
	char cookie[32];

	set_up(1);
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EINVAL);
	event.sigev_notify = 99;
	event.sigev_signo = 1;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EINVAL);
	event.sigev_notify = SIGEV_THREAD;
	event.sigev_value.sival_ptr = cookie;
	event.sigev_signo = 99;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EBADF);
	event.sigev_signo = queue;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), ENOTSOCK);
	event.sigev_value.sival_ptr = (void *)8;
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EFAULT);
	CHECK_ERR(syscall(SYS_mq_notify, queue, 8), EFAULT);
	event.sigev_notify = SIGEV_NONE;
	CHECK_ERR(syscall(SYS_mq_notify, 0, &event), EBADF);
	CHECK_EQ(syscall(SYS_mq_notify, queue, &event), 0);
	CHECK_ERR(syscall(SYS_mq_notify, queue, &event), EBUSY);
}

/* ---- rights, limits, descriptors ---- */

static void as_other(void)
{
	CHECK_EQ(setgid(1001), 0);
	CHECK_EQ(setuid(1001), 0);
	CHECK_ERR(mq_open(NAME, O_RDWR), EACCES);
	CHECK_ERR(mq_open(NAME, O_WRONLY), EACCES);
	CHECK(mq_open(NAME, O_RDONLY) >= 0);
	CHECK_ERR(syscall(SYS_mq_unlink, NAME + 1), EPERM);
}

TEST(permissions, 10, "the mode says who may open a queue, and its owner removes it")
{
	struct stat st;

	mq_unlink(NAME);
	umask(022);
	queue = mq_open(NAME, O_RDWR | O_CREAT, 0666, NULL);
	CHECK(queue >= 0);
	CHECK_EQ(fstat(queue, &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_size, 80);
	CHECK_EQ(test_wait(in_background(as_other)), 0);
	CHECK_EQ(mq_unlink(NAME), 0);
}

static void try_limits(void)
{
	struct mq_attr attr = { .mq_maxmsg = 11, .mq_msgsize = 16 };
	struct rlimit limit = { 10 * (16 + 48) + 700, 10 * (16 + 48) + 700 };

	CHECK_EQ(setuid(1003), 0);
	CHECK_ERR(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
	attr = (struct mq_attr){ .mq_maxmsg = 10, .mq_msgsize = 8193 };
	CHECK_ERR(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
	attr = (struct mq_attr){ .mq_maxmsg = 0, .mq_msgsize = 16 };
	CHECK_ERR(mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr), EINVAL);
	attr = (struct mq_attr){ .mq_maxmsg = 10, .mq_msgsize = 16 };
	CHECK_EQ(setrlimit(RLIMIT_MSGQUEUE, &limit), 0);
	queue = mq_open(NAME, O_RDWR | O_CREAT, 0600, &attr);
	CHECK(queue >= 0);
	CHECK(mq_open(NAME, O_RDWR) >= 0);
	attr.mq_msgsize = 32;
	CHECK_ERR(mq_open(NAME "2", O_RDWR | O_CREAT, 0600, &attr), EMFILE);
	CHECK_EQ(mq_unlink(NAME), 0);
	/* It counts until it is closed. */
	CHECK_ERR(mq_open(NAME "2", O_RDWR | O_CREAT, 0600, &attr), EMFILE);
}

TEST(limits, 10,
     "a user's queues are limited in their number of messages, their length and their bytes")
{
	struct rlimit limit;

	mq_unlink(NAME);
	CHECK_EQ(getrlimit(RLIMIT_MSGQUEUE, &limit), 0);
	CHECK_EQ(limit.rlim_cur, 819200);
	CHECK_EQ(test_wait(in_background(try_limits)), 0);
}

TEST(text, 10, "a descriptor of a queue reads as a line of text")
{
	char line[128];
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	int wanted;

	signal(SIGUSR1, SIG_IGN);
	set_up(5);
	CHECK_EQ(read(queue, line, sizeof(line)), 60);
	CHECK_EQ(memcmp(line, "QSIZE:0          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", 60),
		 0);
	put("hello", 1);
	put("you", 1);
	CHECK_EQ(mq_notify(queue, &event), 0);
	CHECK_EQ(pread(queue, line, sizeof(line), 0), 60);
	wanted = snprintf(buf, sizeof(buf), "QSIZE:%-10d NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
			  8, 0, SIGUSR1, getpid());
	CHECK_EQ(wanted, 60);
	CHECK_EQ(memcmp(line, buf, 60), 0);
	CHECK_EQ(read(queue, line, sizeof(line)), 0);
}
