/*
 * Options of sockets: what getsockopt tells, what setsockopt changes, and what they refuse.
 */
#include "socket.h"
#include <sys/time.h>

static char data[1 << 20];

static int get(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value = -77;

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, option, &value, &len), 0);
	CHECK_EQ(len, sizeof(int));
	return value;
}

static int set(int fd, int option, int value)
{
	return setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value));
}

TEST(kinds, 5, "SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ERROR, SO_ACCEPTCONN")
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		make_pair(types[i]);
		CHECK_EQ(get(s[0], SO_TYPE), types[i]);
		CHECK_EQ(get(s[0], SO_DOMAIN), AF_UNIX);
		CHECK_EQ(get(s[0], SO_PROTOCOL), 0);
		CHECK_EQ(get(s[0], SO_ERROR), 0);
		CHECK_EQ(get(s[0], SO_ACCEPTCONN), 0);
		CHECK_ERR(set(s[0], SO_TYPE, 1), ENOPROTOOPT);
		CHECK_ERR(set(s[0], SO_ERROR, 1), ENOPROTOOPT);
	}
	CHECK_ERR(set(s[0], 4444, 1), ENOPROTOOPT);
	CHECK_ERR(set(0, SO_REUSEADDR, 1), ENOTSOCK);
	CHECK_ERR(set(300, SO_REUSEADDR, 1), EBADF);
}

TEST(listening, 5, "SO_ACCEPTCONN and SO_PEERCRED of a listener and of both ends")
{
	struct sockaddr_un name = { AF_UNIX, PATH };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int accepted;
	pid_t child;

	CHECK_EQ(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len), 0);
	CHECK(peer.pid == 0 && peer.uid == (uid_t)-1 && peer.gid == (gid_t)-1);
	unlink(PATH);
	CHECK_EQ(bind(listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK_EQ(chmod(PATH, 0777), 0);
	CHECK_EQ(get(listener, SO_ACCEPTCONN), 1);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setresgid(70, 71, 72), 0);
		CHECK_EQ(setresuid(80, 81, 82), 0);
		CHECK_EQ(connect(client, (void *)&name, sizeof(name)), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	accepted = accept(listener, NULL, NULL);
	CHECK_EQ(getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &len), 0);
	CHECK_EQ(peer.pid, child);
	CHECK_EQ(peer.uid, 81);
	CHECK_EQ(peer.gid, 71);
	CHECK_EQ(getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &len), 0);
	CHECK_EQ(peer.pid, getpid());
	CHECK_EQ(peer.uid, 0);
	CHECK_EQ(get(accepted, SO_ACCEPTCONN), 0);
	unlink(PATH);
}

TEST(buffers, 10, "SO_SNDBUF is doubled, has limits, and limits what is sent")
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		size_t before = 0, after = 0;
		ssize_t n;

		make_pair(types[i]);
		CHECK_EQ(get(s[0], SO_SNDBUF), get(s[0], SO_RCVBUF));
		while ((n = send(s[0], data, 4000, MSG_DONTWAIT)) > 0)
			before += n;
		CHECK_EQ(set(s[1], SO_SNDBUF, 20000), 0);
		CHECK_EQ(get(s[1], SO_SNDBUF), 40000);
		CHECK_EQ(set(s[1], SO_RCVBUF, 20000), 0);
		CHECK_EQ(get(s[1], SO_RCVBUF), 40000);
		while ((n = send(s[1], data, 4000, MSG_DONTWAIT)) > 0)
			after += n;
		CHECK(after >= 4000 && after <= 48000);
		CHECK(before > 2 * after);
		CHECK_EQ(set(s[1], SO_SNDBUF, 1), 0);
		CHECK(get(s[1], SO_SNDBUF) > 2000 && get(s[1], SO_SNDBUF) < 10000);
		CHECK_EQ(set(s[1], SO_SNDBUF, 1 << 30), 0);
		CHECK(get(s[1], SO_SNDBUF) < 1000000);
		CHECK(get(s[1], SO_SNDBUF) >= get(s[0], SO_SNDBUF));
	}
}

TEST(too_large, 5, "a datagram larger than the buffer is EMSGSIZE")
{
	make_pair(SOCK_DGRAM);
	CHECK_EQ(set(s[0], SO_SNDBUF, 4096), 0);
	CHECK_ERR(send(s[0], data, 60000, MSG_DONTWAIT), EMSGSIZE);
	CHECK_ERR(send(s[1], data, sizeof(data), MSG_DONTWAIT), EMSGSIZE);
	CHECK_EQ(send(s[0], data, 4096, MSG_DONTWAIT), 4096);
}

TEST(more_room, 20, "a larger buffer lets a sleeping sender go on")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	CHECK_EQ(set(s[0], SO_SNDBUF, 10000), 0);
	while (send(s[0], data, 10000, MSG_DONTWAIT) > 0)
		;
	child = fork();
	if (child == 0)
		_exit(send(s[0], data, 4000, 0) != 4000);
	test_sleep_ms(100);
	CHECK_EQ(set(s[0], SO_SNDBUF, 100000), 0);
	CHECK_EQ(recv(s[1], data, 4000, 0), 4000);
	CHECK_EQ(test_wait(child), 0);
}

/* An option that is a time, in both of its forms. */
static void set_time(int fd, int option, long long seconds, long long microseconds)
{
	long narrow[2] = { seconds, microseconds };
	long long wide[2] = { seconds, microseconds };

	if (option < 60)
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, option, narrow, sizeof(narrow)), 0);
	else
		CHECK_EQ(setsockopt(fd, SOL_SOCKET, option, wide, sizeof(wide)), 0);
}

static long long get_time_ms(int fd, int option)
{
	long narrow[2];
	long long wide[2];
	socklen_t len = option < 60 ? sizeof(narrow) : sizeof(wide);

	CHECK_EQ(getsockopt(fd, SOL_SOCKET, option, option < 60 ? (void *)narrow : wide, &len), 0);
	CHECK_EQ(len, option < 60 ? sizeof(narrow) : sizeof(wide));
	if (option < 60)
		return narrow[0] * 1000ll + narrow[1] / 1000;
	return wide[0] * 1000 + wide[1] / 1000;
}

#define RECEIVE_OLD 20
#define SEND_OLD    21
#define RECEIVE_NEW 66
#define SEND_NEW    67

TEST(times, 5, "SO_RCVTIMEO and SO_SNDTIMEO, old and new, are one option")
{
	long bad[2] = { 1, 1000000 };

	make_pair(SOCK_STREAM);
	CHECK_EQ(get_time_ms(s[0], RECEIVE_OLD), 0);
	CHECK_EQ(get_time_ms(s[0], SEND_NEW), 0);
	set_time(s[0], RECEIVE_OLD, 2, 500000);
	set_time(s[0], SEND_NEW, 3, 0);
	CHECK_EQ(get_time_ms(s[0], RECEIVE_NEW), 2500);
	CHECK_EQ(get_time_ms(s[0], SEND_OLD), 3000);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, RECEIVE_OLD, bad, sizeof(bad)), EDOM);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, RECEIVE_NEW, bad, sizeof(bad)), EINVAL);
	CHECK_EQ(get_time_ms(s[0], RECEIVE_OLD), 2500);
	set_time(s[0], RECEIVE_NEW, 0, 0);
	CHECK_EQ(get_time_ms(s[0], RECEIVE_OLD), 0);
}

/*
 * The call fails with EAGAIN after 100 ms. Linux counts them in ticks. On a busy host these come
 * late and many at once, so they may be over early.
 */
#define CHECK_TIMES_OUT(call)                                                       \
	do {                                                                        \
		long long _begin = test_ms();                                       \
                                                                                    \
		CHECK_ERR(call, EAGAIN);                                            \
		CHECK(test_ms() - _begin >= 90 || access("/proc/gate", F_OK) != 0); \
		CHECK(test_ms() - _begin < 3000);                                   \
	} while (0)

TEST(timing_out, 20, "a receive and a send end with EAGAIN when their time is over")
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		make_pair(types[i]);
		set_time(s[1], RECEIVE_OLD, 0, 100000);
		set_time(s[0], SEND_NEW, 0, 100000);
		CHECK_TIMES_OUT(recv(s[1], data, 10, 0));
		CHECK_TIMES_OUT(read(s[1], data, 10));
		while (send(s[0], data, 30000, MSG_DONTWAIT) > 0)
			;
		CHECK_TIMES_OUT(send(s[0], data, 30000, 0));
		CHECK_TIMES_OUT(write(s[0], data, 30000));
	}
}

TEST(waiting_for_a_partner, 20, "accept ends with EAGAIN when its time is over")
{
	struct sockaddr_un name = { AF_UNIX, PATH };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
	int late = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(PATH);
	CHECK_EQ(bind(listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(listen(listener, 0), 0);
	set_time(listener, RECEIVE_OLD, 0, 100000);
	CHECK_TIMES_OUT(accept(listener, NULL, NULL));
	CHECK_EQ(connect(client, (void *)&name, sizeof(name)), 0);
	set_time(late, SEND_OLD, 0, 100000);
	CHECK_TIMES_OUT(connect(late, (void *)&name, sizeof(name)));
	unlink(PATH);
}

static void nothing(int sig)
{
}

TEST(interrupted, 10, "a receive with a timeout is EINTR, whatever SA_RESTART says")
{
	struct sigaction action = { .sa_handler = nothing, .sa_flags = SA_RESTART };
	struct itimerval soon = { { 0, 0 }, { 0, 100000 } };

	make_pair(SOCK_STREAM);
	CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
	set_time(s[0], RECEIVE_OLD, 8, 0);
	CHECK_EQ(setitimer(ITIMER_REAL, &soon, NULL), 0);
	CHECK_ERR(recv(s[0], data, 1, 0), EINTR);
}

TEST(kept, 5, "SO_REUSEADDR, SO_LINGER and SO_PASSCRED are what was set")
{
	struct linger linger = { 1, 5 };
	socklen_t len = sizeof(linger);

	make_pair(SOCK_STREAM);
	CHECK_EQ(get(s[0], SO_REUSEADDR), 0);
	CHECK_EQ(set(s[0], SO_REUSEADDR, 7), 0);
	CHECK_EQ(get(s[0], SO_REUSEADDR), 1);
	CHECK_EQ(get(s[0], SO_PASSCRED), 0);
	CHECK_EQ(set(s[0], SO_PASSCRED, 1), 0);
	CHECK_EQ(get(s[0], SO_PASSCRED), 1);
	CHECK_EQ(get(s[1], SO_PASSCRED), 0);
	CHECK_EQ(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	memset(&linger, 0, sizeof(linger));
	CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, &len), 0);
	CHECK(linger.l_onoff == 1 && linger.l_linger == 5);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &linger, 7), EINVAL);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &linger, 3), EINVAL);
	CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, (void *)16, 4), EFAULT);
	CHECK_ERR(setsockopt(s[0], 99, SO_REUSEADDR, &linger, 4), EOPNOTSUPP);
}

TEST(short_values, 5, "getsockopt cuts a value to the room that there is")
{
	char bytes[8] = { 9, 9, 9, 9, 9, 9, 9, 9 };
	socklen_t len = 1;

	make_pair(SOCK_STREAM);
	CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_TYPE, bytes, &len), 0);
	CHECK_EQ(len, 1);
	CHECK(bytes[0] == SOCK_STREAM && bytes[1] == 9);
	len = -1;
	CHECK_ERR(getsockopt(s[0], SOL_SOCKET, SO_TYPE, bytes, &len), EINVAL);
}

TEST(stored, 5, "options of networks are kept, and have no effect")
{
	int flags[] = { SO_KEEPALIVE, SO_BROADCAST, SO_OOBINLINE };

	make_pair(SOCK_STREAM);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(get(s[0], flags[i]), 0);
		CHECK_EQ(set(s[0], flags[i], -5), 0);
		CHECK_EQ(get(s[0], flags[i]), 1);
		CHECK_EQ(get(s[1], flags[i]), 0);
		CHECK_EQ(set(s[0], flags[i], 0), 0);
		CHECK_EQ(get(s[0], flags[i]), 0);
	}
	CHECK_EQ(get(s[0], SO_SNDLOWAT), 1);
	CHECK_ERR(set(s[0], SO_SNDLOWAT, 1), ENOPROTOOPT);
	CHECK_ERR(set(s[0], SO_DOMAIN, 1), ENOPROTOOPT);
	CHECK_ERR(set(s[0], SO_PROTOCOL, 0), ENOPROTOOPT);
	CHECK_ERR(set(s[0], SO_ACCEPTCONN, 1), ENOPROTOOPT);
	CHECK_EQ(get(s[0], SO_PRIORITY), 0);
	CHECK_EQ(set(s[0], SO_PRIORITY, -7), 0);
	CHECK_EQ(get(s[0], SO_PRIORITY), -7);
	CHECK_EQ(setresuid(1, 1, 1), 0);
	CHECK_ERR(set(s[0], SO_PRIORITY, 7), EPERM);
	CHECK_ERR(set(s[0], SO_PRIORITY, -1), EPERM);
	CHECK_EQ(set(s[0], SO_PRIORITY, 6), 0);
	CHECK_EQ(get(s[0], SO_PRIORITY), 6);
}

TEST(least, 10, "a stream's reader waits for SO_RCVLOWAT bytes")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	CHECK_EQ(get(s[0], SO_RCVLOWAT), 1);
	CHECK_EQ(set(s[0], SO_RCVLOWAT, 0), 0);
	CHECK_EQ(get(s[0], SO_RCVLOWAT), 1);
	CHECK_EQ(set(s[0], SO_RCVLOWAT, -1), 0);
	CHECK_EQ(get(s[0], SO_RCVLOWAT), 0x7fffffff);
	CHECK_EQ(set(s[0], SO_RCVLOWAT, 5), 0);
	CHECK_EQ(write(s[1], "1234", 4), 4);
	CHECK_EQ(poll_now(s[0], POLLIN), POLLIN);
	CHECK_EQ(recv(s[0], data, 10, MSG_PEEK), 4);
	CHECK_EQ(recv(s[0], data, 2, 0), 2);
	CHECK_EQ(recv(s[0], data, 10, MSG_DONTWAIT), 2);
	CHECK_EQ(write(s[1], "1234", 4), 4);
	child = fork();
	if (child == 0)
		_exit(read(s[0], data, 10) != 6);
	test_sleep_ms(50);
	CHECK_EQ(write(s[1], "56", 2), 2);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(write(s[1], "123", 3), 3);
	close(s[1]);
	CHECK_EQ(read(s[0], data, 10), 3);
}

/* The size of the only control message that comes with a byte, which must have this type. */
static unsigned int stamp_size(int to, int from, int type, struct timeval *at)
{
	char byte, control[128];
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *header;

	CHECK_EQ(send(to, "x", 1, 0), 1);
	/* The C library would add a time of its own. */
	CHECK_EQ(syscall(SYS_recvmsg, from, &message, 0), 1);
	header = CMSG_FIRSTHDR(&message);
	if (!header)
		return 0;
	CHECK(header->cmsg_level == SOL_SOCKET && header->cmsg_type == type);
	CHECK(!CMSG_NXTHDR(&message, header));
	at->tv_sec = *(int32_t *)CMSG_DATA(header);
	return header->cmsg_len - CMSG_LEN(0);
}

TEST(timestamps, 5,
     "SO_TIMESTAMP and its like tell when a packet was received, but no byte of a stream")
{
	static const int options[] = { 29, 35, 63, 64 }, sizes[] = { 8, 8, 16, 16 };
	int types[] = { SOCK_DGRAM, SOCK_SEQPACKET }, ends[2];
	struct timeval at;

	for (unsigned int i = 0; i < 2; i++) {
		CHECK_EQ(socketpair(AF_UNIX, types[i], 0, ends), 0);
		CHECK_EQ(stamp_size(ends[0], ends[1], 0, &at), 0);
		for (unsigned int k = 0; k < 4; k++) {
			CHECK_EQ(get(ends[1], options[k]), 0);
			set(ends[1], options[k], 7);
			CHECK_EQ(get(ends[1], options[k]), 1);
			CHECK_EQ(get(ends[1], options[0]), k == 0);
			CHECK_EQ(get(ends[1], options[2]), k >= 2);
			CHECK_EQ(stamp_size(ends[0], ends[1], options[k], &at), sizes[k]);
			CHECK(at.tv_sec - time(NULL) <= 0 && time(NULL) - at.tv_sec < 5);
			set(ends[1], options[k], 0);
		}
		CHECK_EQ(stamp_size(ends[0], ends[1], 0, &at), 0);
	}
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	set(ends[1], options[0], 1);
	CHECK_EQ(stamp_size(ends[0], ends[1], 0, &at), 0);
}
