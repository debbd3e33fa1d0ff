/*
 * sendmmsg and recvmmsg: several messages in one call.
 */
#include "test.h"
#include <sys/socket.h>

#define NR	 4
#define RECVMMSG 337
#define SENDMMSG 345
#define WIDE	 417

static struct mmsghdr messages[NR];
static struct iovec parts[NR];
static char bytes[NR][16];
static int ends[2];

static long send_many(int fd, int nr, int flags)
{
	return syscall(SENDMMSG, fd, messages, nr, flags);
}

static long receive_many(int fd, int nr, int flags)
{
	return syscall(RECVMMSG, fd, messages, nr, flags, NULL);
}

/* Message i has i + 1 bytes to send, or room for all. */
static void prepare(bool all)
{
	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < NR; i++) {
		parts[i] = (struct iovec){ bytes[i], all ? sizeof(bytes[i]) : i + 1 };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		messages[i].msg_len = 99;
		memset(bytes[i], all ? 0 : 'a' + i, sizeof(bytes[i]));
	}
}

static void make_pair(void)
{
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
}

TEST(there_and_back, 5, "messages arrive one by one, in order, each with its length")
{
	make_pair();
	prepare(false);
	CHECK_EQ(send_many(ends[0], NR, 0), NR);
	for (int i = 0; i < NR; i++)
		CHECK_EQ(messages[i].msg_len, i + 1);
	prepare(true);
	CHECK_EQ(receive_many(ends[1], 2, 0), 2);
	CHECK(messages[0].msg_len == 1 && messages[1].msg_len == 2 && messages[2].msg_len == 99);
	CHECK_EQ(bytes[1][1], 'b');
	prepare(true);
	parts[0].iov_len = 1;
	CHECK_EQ(receive_many(ends[1], NR, MSG_DONTWAIT), 2);
	CHECK(messages[0].msg_len == 1 && messages[0].msg_hdr.msg_flags & MSG_TRUNC);
	CHECK(messages[1].msg_len == 4 && !(messages[1].msg_hdr.msg_flags & MSG_TRUNC));
	CHECK_ERR(receive_many(ends[1], NR, MSG_DONTWAIT), EAGAIN);
}

TEST(stopped_by_an_error, 5, "an error ends the call, and is reported if nothing was moved before")
{
	make_pair();
	prepare(false);
	messages[2].msg_hdr.msg_iov = (void *)16;
	CHECK_EQ(send_many(ends[0], NR, 0), 2);
	CHECK_EQ(messages[2].msg_len, 99);
	messages[0].msg_hdr.msg_iov = (void *)16;
	CHECK_ERR(send_many(ends[0], NR, 0), EFAULT);
	CHECK_ERR(syscall(SENDMMSG, ends[0], 16, 1, 0), EFAULT);
	CHECK_EQ(send_many(ends[0], 0, 0), 0);
	CHECK_EQ(receive_many(ends[1], 0, 0), 0);
	CHECK_ERR(send_many(-1, 1, 0), EBADF);
	CHECK_ERR(receive_many(-1, 1, 0), EBADF);
	CHECK_ERR(send_many(open("/dev/null", O_RDWR), 0, 0), ENOTSOCK);
	close(ends[1]);
	prepare(false);
	CHECK_ERR(send_many(ends[0], NR, MSG_NOSIGNAL), ECONNREFUSED);
}

TEST(waiting, 10, "with MSG_WAITFORONE the call waits for the first message alone")
{
	long long start = test_ms();
	pid_t child;

	make_pair();
	child = fork();
	if (child == 0) {
		test_sleep_ms(100);
		prepare(false);
		_exit(send_many(ends[0], 2, 0) != 2);
	}
	prepare(true);
	CHECK(receive_many(ends[1], NR, MSG_WAITFORONE) >= 1);
	CHECK(test_ms() - start >= 90);
	CHECK_EQ(test_wait(child), 0);
	/* The second one may have come later. */
	(void)receive_many(ends[1], NR, MSG_DONTWAIT);
	CHECK_ERR(receive_many(ends[1], NR, MSG_DONTWAIT), EAGAIN);
}

TEST(timeouts, 10, "the timeout is looked at after each message, and what is left is written back")
{
	int32_t narrow[2] = { 5, 0 }, none[2] = { 0, 0 }, wrong[2] = { 0, 1000000000 };
	int64_t wide[2] = { 5, 0 };

	make_pair();
	prepare(false);
	CHECK_EQ(send_many(ends[0], NR, 0), NR);
	CHECK_EQ(syscall(RECVMMSG, ends[1], messages, NR, 0, none), 1);
	CHECK_EQ(syscall(RECVMMSG, ends[1], messages, 1, 0, narrow), 1);
	CHECK(narrow[0] == 4 && narrow[1] > 0);
	CHECK_EQ(syscall(WIDE, ends[1], messages, 2, 0, wide), 2);
	CHECK(wide[0] == 4 && wide[1] > 0 && wide[1] < 1000000000);
	CHECK_ERR(syscall(RECVMMSG, ends[1], messages, NR, 0, wrong), EINVAL);
	CHECK_ERR(syscall(RECVMMSG, ends[1], messages, NR, 0, 16), EFAULT);
	CHECK_ERR(syscall(WIDE, ends[1], messages, NR, MSG_DONTWAIT, wide), EAGAIN);
}

TEST(by_socketcall, 5, "socketcall has both")
{
	long arguments[5];

	make_pair();
	prepare(false);
	memcpy(arguments, (long[]){ ends[0], (long)messages, 2, 0 }, 4 * sizeof(long));
	CHECK_EQ(syscall(SYS_socketcall, 20, arguments), 2);
	prepare(true);
	memcpy(arguments, (long[]){ ends[1], (long)messages, NR, MSG_DONTWAIT, 0 },
	       sizeof(arguments));
	CHECK_EQ(syscall(SYS_socketcall, 19, arguments), 2);
	CHECK_EQ(messages[1].msg_len, 2);
}

TEST(error_for_later, 5, "what stops recvmmsg after a message is the error of the next call")
{
	struct mmsghdr *bad = &messages[1];
	int error = 1;
	socklen_t len = sizeof(error);

	make_pair();
	prepare(false);
	CHECK_EQ(send_many(ends[0], 3, 0), 3);
	prepare(true);
	bad->msg_hdr.msg_iov = (void *)16;
	CHECK_EQ(receive_many(ends[1], 3, 0), 1);
	CHECK_EQ(getsockopt(ends[1], SOL_SOCKET, SO_ERROR, &error, &len), 0);
	CHECK_EQ(error, EFAULT);
	CHECK_EQ(receive_many(ends[1], 3, 0), 1);
	prepare(true);
	CHECK_ERR(receive_many(ends[1], 3, 0), EFAULT);
	CHECK_EQ(receive_many(ends[1], 1, 0), 1);
}
