/*
 * Descriptors and senders in messages of sockets: SCM_RIGHTS and SCM_CREDENTIALS, what does not
 * fit, and what becomes of descriptors that nobody receives.
 */
#include "socket.h"
#include <sys/resource.h>

#define MOST 253 /* descriptors in a message */

static int ends[2];
static char back[100];

/* A byte, with descriptors and perhaps a sender, by sendmsg. */
static ssize_t send_control(int to, const void *control, size_t len)
{
	struct iovec byte = { "m", 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1 };

	message.msg_control = (void *)control;
	message.msg_controllen = len;
	return sendmsg(to, &message, MSG_NOSIGNAL);
}

static ssize_t send_fds(int to, const int *fds, int nr)
{
	char space[CMSG_SPACE((MOST + 1) * sizeof(int))] = { 0 };
	struct cmsghdr *header = (void *)space;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(nr * sizeof(int));
	memcpy(CMSG_DATA(header), fds, nr * sizeof(int));
	return send_control(to, space, CMSG_SPACE(nr * sizeof(int)));
}

static ssize_t send_fd(int to, int fd)
{
	return send_fds(to, &fd, 1);
}

/* What recvmsg gave. */
static struct {
	char bytes[10], space[CMSG_SPACE(MOST * sizeof(int)) + 100];
	struct msghdr message;
	int fds[MOST], nr_fds;
	struct ucred sender;
	bool has_sender;
} got;

static ssize_t receive(int from, size_t room, int flags)
{
	struct iovec bytes = { got.bytes, sizeof(got.bytes) };
	struct cmsghdr *header;
	ssize_t n;

	memset(&got.message, 0, sizeof(got.message));
	got.message.msg_iov = &bytes;
	got.message.msg_iovlen = 1;
	got.message.msg_control = got.space;
	got.message.msg_controllen = room;
	got.nr_fds = 0;
	got.has_sender = false;
	n = recvmsg(from, &got.message, flags);
	if (n < 0)
		return n;
	for (header = CMSG_FIRSTHDR(&got.message); header;
	     header = CMSG_NXTHDR(&got.message, header)) {
		if (header->cmsg_type == SCM_RIGHTS) {
			got.nr_fds = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(got.fds, CMSG_DATA(header), got.nr_fds * sizeof(int));
		} else if (header->cmsg_type == SCM_CREDENTIALS) {
			got.has_sender = true;
			memcpy(&got.sender, CMSG_DATA(header), sizeof(got.sender));
		}
	}
	return n;
}

static int open_descriptors(void)
{
	int nr = 0;

	for (int fd = 0; fd < 600; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

static void close_all(void)
{
	for (int i = 0; i < got.nr_fds; i++)
		CHECK_EQ(close(got.fds[i]), 0);
}

/* Nothing but a message holds the pipe's writing end open. */
static void pipe_in_flight(int through)
{
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(send_fd(through, ends[1]), 1);
	CHECK_EQ(close(ends[1]), 0);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
}

/* The pipe's end is closed, perhaps a moment later, at the latest when another socket is closed. */
static void must_end(void)
{
	struct pollfd p = { ends[0], POLLIN, 0 };
	int any = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(close(any), 0);
	CHECK_EQ(poll(&p, 1, 5000), 1);
	CHECK_EQ(read(ends[0], back, 1), 0);
	close(ends[0]);
}

TEST(pass, 5, "a descriptor arrives as a new one of the same open file")
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		make_pair(types[i]);
		CHECK_EQ(pipe(ends), 0);
		CHECK_EQ(send_fd(s[0], ends[1]), 1);
		CHECK_EQ(close(ends[1]), 0);
		CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
		CHECK_EQ(got.nr_fds, 1);
		CHECK_EQ(got.message.msg_flags, 0);
		CHECK_EQ(got.message.msg_controllen, CMSG_SPACE(sizeof(int)));
		CHECK_EQ(fcntl(got.fds[0], F_GETFD), 0);
		CHECK_EQ(write(got.fds[0], "x", 1), 1);
		CHECK_EQ(close(got.fds[0]), 0);
		CHECK_EQ(read(ends[0], back, 10), 1);
		CHECK_EQ(read(ends[0], back, 10), 0);
		close(ends[0]);
		close(s[0]);
		close(s[1]);
	}
}

TEST(close_on_exec, 5, "MSG_CMSG_CLOEXEC")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(send_fd(s[0], 0), 1);
	CHECK_EQ(receive(s[1], sizeof(got.space), MSG_CMSG_CLOEXEC), 1);
	CHECK_EQ(got.nr_fds, 1);
	CHECK_EQ(fcntl(got.fds[0], F_GETFD), FD_CLOEXEC);
}

TEST(truncated, 5, "what has no room is closed: MSG_CTRUNC")
{
	int fds[5], before;

	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 5; i++)
		fds[i] = ends[1];
	before = open_descriptors();
	CHECK_EQ(send_fds(s[0], fds, 5), 1);
	CHECK_EQ(receive(s[1], CMSG_LEN(2 * sizeof(int)), 0), 1);
	CHECK_EQ(got.nr_fds, 2);
	CHECK_EQ(got.message.msg_flags, MSG_CTRUNC);
	CHECK_EQ(open_descriptors(), before + 2);
	close_all();
	CHECK_EQ(send_fds(s[0], fds, 5), 1);
	CHECK_EQ(receive(s[1], 0, 0), 1);
	CHECK_EQ(got.message.msg_flags, MSG_CTRUNC);
	CHECK_EQ(send_fds(s[0], fds, 5), 1);
	CHECK_EQ(read(s[1], back, 10), 1);
	CHECK_EQ(open_descriptors(), before);
	CHECK_EQ(close(ends[1]), 0);
	CHECK_EQ(read(ends[0], back, 1), 0);
}

TEST(descriptors_run_out, 5, "at RLIMIT_NOFILE the first ones arrive, with MSG_CTRUNC")
{
	struct rlimit limit;
	int fds[5] = { 0, 0, 0, 0, 0 }, highest = dup(0);

	make_pair(SOCK_STREAM);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(send_fds(s[0], fds, 5), 1);
	highest = s[1];
	limit.rlim_cur = highest + 3;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
	CHECK_EQ(got.nr_fds, 2);
	CHECK_EQ(got.message.msg_flags, MSG_CTRUNC);
}

TEST(peek, 5, "MSG_PEEK duplicates descriptors")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(send_fd(s[0], 0), 1);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(receive(s[1], sizeof(got.space), i < 2 ? MSG_PEEK : 0), 1);
		CHECK_EQ(got.nr_fds, 1);
		close_all();
	}
}

TEST(refused, 5, "too many descriptors, bad ones, and control messages that are none")
{
	int fds[MOST + 1];
	struct cmsghdr header = { CMSG_LEN(0), SOL_SOCKET, 77 };

	make_pair(SOCK_STREAM);
	for (int i = 0; i <= MOST; i++)
		fds[i] = 0;
	CHECK_EQ(send_fds(s[0], fds, MOST), 1);
	CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
	CHECK_EQ(got.nr_fds, MOST);
	close_all();
	CHECK_ERR(send_fds(s[0], fds, MOST + 1), EINVAL);
	fds[1] = 599;
	CHECK_ERR(send_fds(s[0], fds, 2), EBADF);
	CHECK_ERR(send_control(s[0], &header, sizeof(header)), EINVAL);
	header.cmsg_len = 3;
	CHECK_ERR(send_control(s[0], &header, sizeof(header)), EINVAL);
	header.cmsg_len = CMSG_LEN(0) + 1;
	CHECK_ERR(send_control(s[0], &header, sizeof(header)), EINVAL);
	header = (struct cmsghdr){ CMSG_LEN(0), SOL_SOCKET + 1, 77 };
	CHECK_EQ(send_control(s[0], &header, sizeof(header)), 1);
	CHECK_ERR(send_control(s[0], (void *)16, 100), EFAULT);
}

TEST(border, 5, "bytes with descriptors are not read together with what was sent after them")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(send_fd(s[0], 0), 1);
	CHECK_EQ(write(s[0], "cd", 2), 2);
	CHECK_EQ(receive(s[1], sizeof(got.space), 0), 3);
	CHECK_EQ(got.nr_fds, 1);
	CHECK_EQ(receive(s[1], sizeof(got.space), 0), 2);
	CHECK_EQ(got.nr_fds, 0);
}

TEST(unread, 5, "descriptors in messages that nobody reads are closed with the socket")
{
	int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };

	for (int i = 0; i < 3; i++) {
		make_pair(types[i]);
		pipe_in_flight(s[0]);
		close(s[0]);
		CHECK_ERR(read(ends[0], back, 1), EAGAIN);
		close(s[1]);
		must_end();
	}
}

TEST(spliced, 5, "a splice to a pipe drops the descriptors")
{
	int through[2];

	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(through), 0);
	pipe_in_flight(s[0]);
	CHECK_EQ(splice(s[1], NULL, through[1], NULL, 100, 0), 1);
	must_end();
}

TEST(over_itself, 10, "a socket sent over itself and closed is gone, and what it had with it")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(send_fd(s[0], s[0]), 1);
	CHECK_EQ(send_fd(s[0], s[1]), 1);
	pipe_in_flight(s[0]);
	close(s[0]);
	close(s[1]);
	must_end();
}

TEST(cycles, 20, "so is a ring of sockets, each in the next one's messages")
{
	int first[2], pair[2], next[2];

	make_pair(SOCK_DGRAM);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, first), 0);
	pipe_in_flight(first[0]);
	memcpy(pair, first, sizeof(pair));
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, next), 0);
		CHECK_EQ(send_fd(next[0], pair[1]), 1);
		if (pair[1] != first[1])
			close(pair[1]);
		close(pair[0]);
		memcpy(pair, next, sizeof(pair));
	}
	/* The last one's message has the one before; the first one gets the last one. */
	CHECK_EQ(connect(s[0], NULL, 0), -1);
	CHECK_EQ(send_fd(pair[0], first[1]), 1);
	close(pair[0]);
	close(first[1]);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	close(pair[1]);
	must_end();
}

TEST(still_reachable, 10, "a socket that can still be received is not collected")
{
	int outer[2], junk[2], alive;

	make_pair(SOCK_STREAM);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, outer), 0);
	CHECK_EQ(send_fd(s[0], s[1]), 1);
	CHECK_EQ(write(s[0], "later", 5), 5);
	CHECK_EQ(send_fd(outer[0], s[1]), 1);
	close(s[1]);
	/* Garbage elsewhere is collected. */
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, junk), 0);
	CHECK_EQ(send_fd(junk[0], junk[0]), 1);
	CHECK_EQ(send_fd(junk[0], junk[1]), 1);
	pipe_in_flight(junk[0]);
	close(junk[0]);
	close(junk[1]);
	must_end();
	CHECK_EQ(receive(outer[1], sizeof(got.space), 0), 1);
	CHECK_EQ(got.nr_fds, 1);
	alive = got.fds[0];
	CHECK_EQ(receive(alive, sizeof(got.space), 0), 1);
	CHECK_EQ(got.nr_fds, 1);
	CHECK_EQ(read(alive, back, 10), 5);
	CHECK_EQ(memcmp(back, "later", 5), 0);
}

TEST(unaccepted, 10, "descriptors sent to a connection that nobody accepts go with the listener")
{
	struct sockaddr_un name = { AF_UNIX, "/tmp/scm-test" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(name.sun_path);
	CHECK_EQ(bind(listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(listen(listener, 5), 0);
	CHECK_EQ(connect(client, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(send_fd(client, listener), 1);
	pipe_in_flight(client);
	close(client);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	close(listener);
	must_end();
	unlink(name.sun_path);
}

TEST(accepted_late, 5,
     "what is sent before and after accept is read together, and apart with SO_PASSCRED")
{
	struct sockaddr_un name = { AF_UNIX, "/tmp/scm-test" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), on = 1;

	unlink(name.sun_path);
	CHECK_EQ(bind(listener, (void *)&name, sizeof(name)), 0);
	CHECK_EQ(listen(listener, 5), 0);
	for (int i = 0; i < 2; i++) {
		int client = socket(AF_UNIX, SOCK_STREAM, 0), server;

		CHECK_EQ(connect(client, (void *)&name, sizeof(name)), 0);
		CHECK_EQ(write(client, "early", 5), 5);
		server = accept(listener, NULL, NULL);
		CHECK(server >= 0);
		CHECK_EQ(write(client, "late", 4), 4);
		if (i == 1)
			CHECK_EQ(setsockopt(server, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
		CHECK_EQ(read(server, back, 100), i == 0 ? 9 : 5);
		close(client);
		close(server);
	}
	close(listener);
	unlink(name.sun_path);
}

TEST(deep, 30, "a long chain of sockets, each in the next one's messages, is closed")
{
	int inner[2], outer[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, inner), 0);
	pipe_in_flight(inner[0]);
	for (int i = 0; i < 400; i++) {
		CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, outer), 0);
		if (send_fd(outer[0], inner[1]) < 0) {
			/* Linux allows only a few. */
			CHECK_EQ(errno, ETOOMANYREFS);
			close(outer[0]);
			close(outer[1]);
			break;
		}
		close(inner[0]);
		close(inner[1]);
		memcpy(inner, outer, sizeof(inner));
	}
	close(inner[0]);
	close(inner[1]);
	must_end();
}

TEST(sender, 5, "SO_PASSCRED: who sent it")
{
	int on = 1;

	for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
		make_pair(type);
		CHECK_EQ(write(s[0], "a", 1), 1);
		CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
		CHECK(!got.has_sender);
		CHECK_EQ(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
		CHECK_EQ(write(s[0], "b", 1), 1);
		CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
		CHECK(got.has_sender);
		CHECK_EQ(got.sender.pid, getpid());
		CHECK_EQ(got.sender.uid, 0);
		CHECK_EQ(got.sender.gid, 0);
		CHECK_EQ(send_fd(s[0], 0), 1);
		CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
		CHECK(got.has_sender && got.nr_fds == 1);
		close_all();
		CHECK_EQ(write(s[0], "b", 1), 1);
		CHECK_EQ(receive(s[1], CMSG_LEN(sizeof(struct ucred)) - 1, 0), 1);
		CHECK(got.message.msg_flags & MSG_CTRUNC);
	}
}

static ssize_t send_sender(pid_t pid, uid_t uid)
{
	char space[CMSG_SPACE(sizeof(struct ucred))] = { 0 };
	struct cmsghdr *header = (void *)space;
	struct ucred sender = { pid, uid, uid };

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof(sender));
	memcpy(CMSG_DATA(header), &sender, sizeof(sender));
	return send_control(s[0], space, sizeof(space));
}

TEST(claimed_sender, 5, "SCM_CREDENTIALS: root may say what it wants, others only the truth")
{
	int on = 1;

	make_pair(SOCK_STREAM);
	CHECK_EQ(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
	CHECK_EQ(send_sender(1, 77), 1);
	CHECK_EQ(receive(s[1], sizeof(got.space), 0), 1);
	CHECK_EQ(got.sender.pid, 1);
	CHECK_EQ(got.sender.uid, 77);
	CHECK_ERR(send_sender(30000, 77), ESRCH);
	CHECK_EQ(setresgid(1000, 1000, 1000), 0);
	CHECK_EQ(setresuid(1000, 1000, 1000), 0);
	CHECK_ERR(send_sender(1, 1000), EPERM);
	CHECK_ERR(send_sender(getpid(), 0), EPERM);
	CHECK_EQ(send_sender(getpid(), 1000), 1);
}

TEST(user_limit, 10, "a user may not have more descriptors in messages than it may have open")
{
	struct rlimit limit = { 20, 20 };
	int fds[30];
	ssize_t n;
	int sent = 0;

	make_pair(SOCK_STREAM);
	for (int i = 0; i < 30; i++)
		fds[i] = 0;
	CHECK_EQ(setresuid(4321, 4321, 4321), 0);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while (sent < 10 && (n = send_fds(s[0], fds, 10)) == 1)
		sent++;
	CHECK_EQ(sent, 3);
	CHECK_ERR(send_fds(s[0], fds, 10), ETOOMANYREFS);
	CHECK_EQ(read(s[1], back, 1), 1);
	CHECK_EQ(send_fds(s[0], fds, 10), 1);
}
