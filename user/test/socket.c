/*
 * AF_UNIX sockets: streams and datagrams, their names and connections, what they refuse; packets
 * whose fragments go to pipes and come from them, whether their bytes have arrived or not.
 */
#include "test.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <stddef.h>

#ifndef BLKFLSBUF
#define BLKFLSBUF 0x1261
#endif

#define NO_GATE "lacks /proc/gate: Linux has no gate device and waits for the disk in splice"
#define PATH	"/tmp/socket-test"
#define SEED	21
#define BIG	(1 << 20)

static int s[2], ends[2], other[2];
static char data[BIG], back[BIG];

static void make_pair(int type)
{
	CHECK_EQ(socketpair(AF_UNIX, type, 0, s), 0);
}

static short poll_now(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static int available(int fd)
{
	int n = -1;

	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

static socklen_t name_of(struct sockaddr_un *name, const char *path)
{
	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path, path);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static int bound(int type, const char *path)
{
	struct sockaddr_un name;
	socklen_t len = name_of(&name, path);
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	unlink(path);
	CHECK_EQ(bind(fd, (void *)&name, len), 0);
	return fd;
}

static int try_connect(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t len = name_of(&name, path);

	return connect(fd, (void *)&name, len);
}

static volatile int signals;
static void count_signal(int sig)
{
	signals++;
}

static void catch (int sig, int flags)
{
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = flags };

	CHECK_EQ(sigaction(sig, &action, NULL), 0);
}

TEST(pair, 5, "a pair of stream sockets carries bytes both ways, without borders")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "hello", 5), 5);
	CHECK_EQ(send(s[0], "world", 5, 0), 5);
	CHECK_EQ(available(s[1]), 10);
	CHECK_EQ(read(s[1], back, 3), 3);
	CHECK_EQ(recv(s[1], back + 3, 100, 0), 7);
	CHECK(!memcmp(back, "helloworld", 10));
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[0], back, 100), 4);
	CHECK_ERR(recv(s[0], back, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(read(s[0], back, 0), 0);
}

TEST(big, 20, "a MiB goes through to a reader in another process, whatever the sizes")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, BIG, SEED, 0);
	child = fork();
	if (child == 0) {
		size_t at = 0, n = 1;

		close(s[1]);
		while (at < BIG) {
			n = n * 7 % 9973 + (n % 5 == 0 ? 70000 : 0);
			n = n < BIG - at ? n : BIG - at;
			CHECK_EQ(write(s[0], data + at, n), n);
			at += n;
		}
		_exit(0);
	}
	close(s[0]);
	CHECK_EQ(read_full(s[1], back, BIG), BIG);
	CHECK_EQ(test_differs(back, BIG, SEED, 0), BIG);
	CHECK_EQ(read(s[1], back, 1), 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(small_writes_share_a_page, 10, "thousands of one-byte writes fit, and come back in order")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	test_fill(data, 250, SEED, 0);
	for (int i = 0; i < 250; i++)
		CHECK_EQ(write(s[0], data + i, 1), 1);
	CHECK_EQ(available(s[1]), 250);
	CHECK_EQ(read(s[1], back, 1000), 250);
	CHECK_EQ(test_differs(back, 250, SEED, 0), 250);
}

//BOOK: test-bytes-cost-bytes
BEYOND_TEST(bytes_cost_bytes, 10, "100,000 one-byte writes fit into a socket's buffer",
	    "Linux counts some 700 bytes of memory for each")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	test_fill(data, 100000, SEED, 0);
	for (int i = 0; i < 100000; i++)
		CHECK_EQ(write(s[0], data + i, 1), 1);
	CHECK_EQ(read(s[1], back, BIG), 100000);
	CHECK_EQ(test_differs(back, 100000, SEED, 0), 100000);
}

TEST(full, 10, "a full socket says EAGAIN and no POLLOUT; reading makes room")
{
	size_t total = 0;
	ssize_t n;

	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLOUT), POLLOUT);
	while ((n = write(s[0], data, 65536)) > 0)
		total += n;
	CHECK(total >= 100000 && total <= 300000);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLOUT), 0);
	CHECK_ERR(send(s[0], data, 1, 0), EAGAIN);
	CHECK_EQ(read_full(s[1], back, total), total);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLOUT), POLLOUT);
	CHECK_EQ(write(s[0], data, 1), 1);
}

TEST(peek_and_waitall, 10, "MSG_PEEK takes nothing; MSG_WAITALL waits for all")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, 10000, SEED, 0);
	CHECK_EQ(write(s[0], data, 6000), 6000);
	CHECK_EQ(write(s[0], data + 6000, 100), 100);
	CHECK_EQ(recv(s[1], back, 10, MSG_PEEK), 10);
	CHECK_EQ(recv(s[1], back, BIG, MSG_PEEK), 6100);
	CHECK_EQ(test_differs(back, 6100, SEED, 0), 6100);
	child = fork();
	if (child == 0) {
		test_sleep_ms(50);
		_exit(write(s[0], data + 6100, 3900) != 3900);
	}
	CHECK_EQ(recv(s[1], back, 10000, MSG_WAITALL), 10000);
	CHECK_EQ(test_differs(back, 10000, SEED, 0), 10000);
	CHECK_EQ(test_wait(child), 0);
}

TEST(closed_peer, 10, "EPIPE with SIGPIPE, or without; the end of file; POLLHUP")
{
	catch (SIGPIPE, 0);
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[1], "last", 4), 4);
	close(s[1]);
	CHECK_ERR(write(s[0], "x", 1), EPIPE);
	CHECK_EQ(signals, 1);
	CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(signals, 1);
	CHECK_EQ(poll_now(s[0], POLLIN | POLLRDHUP | POLLOUT),
		 POLLIN | POLLRDHUP | POLLHUP | POLLOUT);
	CHECK_EQ(read(s[0], back, 100), 4);
	CHECK_EQ(read(s[0], back, 100), 0);
}

TEST(unread_is_reset, 5, "a peer that closes with unread bytes is told of: ECONNRESET, once")
{
	int error = -1;
	socklen_t len = sizeof(error);

	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "x", 1), 1);
	close(s[1]);
	CHECK(poll_now(s[0], POLLIN) & POLLERR);
	CHECK_ERR(read(s[0], back, 1), ECONNRESET);
	CHECK_EQ(read(s[0], back, 1), 0);
	close(s[0]);
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "x", 1), 1);
	close(s[1]);
	CHECK_EQ(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &error, &len), 0);
	CHECK_EQ(error, ECONNRESET);
	CHECK_EQ(read(s[0], back, 1), 0);
}

TEST(shutting_down, 5, "shutdown ends one direction or both")
{
	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_STREAM);
	CHECK_EQ(write(s[0], "end", 3), 3);
	CHECK_ERR(shutdown(s[0], 3), EINVAL);
	CHECK_EQ(shutdown(s[0], SHUT_WR), 0);
	CHECK_ERR(write(s[0], "x", 1), EPIPE);
	CHECK_EQ(poll_now(s[1], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
	CHECK_EQ(read(s[1], back, 10), 3);
	CHECK_EQ(read(s[1], back, 10), 0);
	CHECK_EQ(write(s[1], "still", 5), 5);
	CHECK_EQ(read(s[0], back, 10), 5);
	CHECK_EQ(shutdown(s[0], SHUT_RD), 0);
	CHECK_ERR(write(s[1], "x", 1), EPIPE);
	CHECK_EQ(read(s[0], back, 10), 0);
	CHECK(poll_now(s[0], 0) & POLLHUP);
}

TEST(sleepers, 20, "a sleeping reader wakes for bytes, for the end, and for a signal")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	child = fork();
	if (child == 0) {
		close(s[0]);
		catch (SIGALRM, 0);
		CHECK_EQ(read(s[1], back, 10), 2);
		alarm(1);
		CHECK_ERR(read(s[1], back, 10), EINTR);
		CHECK_EQ(write(s[1], "ok", 2), 2);
		CHECK_EQ(read(s[1], back, 10), 0);
		_exit(0);
	}
	close(s[1]);
	test_sleep_ms(30);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_EQ(read(s[0], back, 10), 2);
	test_sleep_ms(30);
	close(s[0]);
	CHECK_EQ(test_wait(child), 0);
}

TEST(blocked_writer, 20, "a writer that waits for room goes on as the other end reads")
{
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, BIG, SEED, 0);
	child = fork();
	if (child == 0)
		_exit(write(s[0], data, BIG) != BIG);
	close(s[0]);
	test_sleep_ms(30);
	CHECK_EQ(read_full(s[1], back, BIG), BIG);
	CHECK_EQ(test_differs(back, BIG, SEED, 0), BIG);
	CHECK_EQ(test_wait(child), 0);
}

TEST(bad_memory, 5, "EFAULT loses no byte")
{
	make_pair(SOCK_STREAM);
	CHECK_ERR(write(s[0], (void *)4096, 10), EFAULT);
	CHECK_EQ(write(s[0], "abc", 3), 3);
	CHECK_ERR(write(s[0], (void *)4096, 10), EFAULT);
	CHECK_ERR(read(s[1], (void *)4096, 10), EFAULT);
	CHECK_EQ(read(s[1], back, 10), 3);
	CHECK(!memcmp(back, "abc", 3));
}

/* ---- datagrams ---- */

TEST(datagrams, 5, "datagrams keep their borders; what does not fit is cut off, and said so")
{
	struct iovec segment = { back, 4 };
	struct msghdr message = { .msg_iov = &segment, .msg_iovlen = 1 };

	make_pair(SOCK_DGRAM);
	test_fill(data, 60000, SEED, 0);
	CHECK_EQ(write(s[0], "first", 5), 5);
	CHECK_EQ(send(s[0], data, 60000, 0), 60000);
	CHECK_EQ(send(s[0], NULL, 0, 0), 0);
	CHECK_EQ(write(s[0], "last", 4), 4);
	CHECK_EQ(available(s[1]), 5);
	CHECK_EQ(recv(s[1], back, 2, MSG_PEEK | MSG_TRUNC), 5);
	CHECK_EQ(recvmsg(s[1], &message, 0), 4);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK(!memcmp(back, "firs", 4));
	CHECK_EQ(read(s[1], back, BIG), 60000);
	CHECK_EQ(test_differs(back, 60000, SEED, 0), 60000);
	CHECK_EQ(recv(s[1], back, 10, 0), 0);
	CHECK_EQ(recv(s[1], back, 10, 0), 4);
	CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EAGAIN);
	CHECK_ERR(send(s[0], data, 300000, 0), EMSGSIZE);
}

TEST(datagram_names, 5, "datagrams by path: who sent it, and where to")
{
	int a = bound(SOCK_DGRAM, PATH), b = bound(SOCK_DGRAM, PATH "2");
	int c = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct sockaddr_un name, from;
	socklen_t len = name_of(&name, PATH), from_len = sizeof(from);

	CHECK_EQ(sendto(b, "named", 5, 0, (void *)&name, len), 5);
	CHECK_EQ(recvfrom(a, back, 10, 0, (void *)&from, &from_len), 5);
	CHECK(!strcmp(from.sun_path, PATH "2"));
	CHECK_EQ(from_len, len + 1);
	CHECK_EQ(sendto(c, "nobody", 6, 0, (void *)&name, len), 6);
	from_len = sizeof(from);
	CHECK_EQ(recvfrom(a, back, 10, 0, (void *)&from, &from_len), 6);
	CHECK_EQ(from_len, 0);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_EQ(try_connect(c, PATH), 0);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	/* a talks to b alone from now on. */
	CHECK_EQ(try_connect(a, PATH "2"), 0);
	CHECK_ERR(send(c, "x", 1, 0), EPERM);
	CHECK_ERR(try_connect(c, PATH), EPERM);
	CHECK_EQ(recv(a, back, 10, 0), 1);
	close(a);
	CHECK_ERR(send(c, "x", 1, 0), ECONNREFUSED);
	CHECK_ERR(sendto(c, "x", 1, 0, (void *)&name, len), ECONNREFUSED);
	unlink(PATH);
	unlink(PATH "2");
	CHECK_ERR(sendto(c, "x", 1, 0, (void *)&name, len), ENOENT);
}

TEST(datagram_backlog, 10, "eleven datagrams wait for a reader; the twelfth waits itself")
{
	int a = bound(SOCK_DGRAM, PATH), c = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int n = 0;

	CHECK_EQ(try_connect(c, PATH), 0);
	while (send(c, "x", 1, 0) == 1)
		n++;
	CHECK_EQ(n, 11);
	CHECK_ERR(send(c, "x", 1, 0), EAGAIN);
	CHECK_EQ(poll_now(c, POLLOUT), 0);
	CHECK_EQ(recv(a, back, 10, 0), 1);
	CHECK_EQ(poll_now(c, POLLOUT), POLLOUT);
	CHECK_EQ(send(c, "x", 1, 0), 1);
	unlink(PATH);
}

/* ---- names and connections ---- */

TEST(connecting, 10, "bind, listen, connect, accept by path; names of both ends")
{
	int l = bound(SOCK_STREAM, PATH), c = socket(AF_UNIX, SOCK_STREAM, 0), a;
	struct sockaddr_un name;
	socklen_t len = sizeof(name);
	struct stat st;

	CHECK_EQ(lstat(PATH, &st), 0);
	CHECK(S_ISSOCK(st.st_mode));
	CHECK_ERR(open(PATH, O_RDWR), ENXIO);
	CHECK_ERR(try_connect(c, PATH), ECONNREFUSED);
	CHECK_EQ(listen(l, 3), 0);
	CHECK_EQ(poll_now(l, POLLIN), 0);
	CHECK_EQ(try_connect(c, PATH), 0);
	CHECK_ERR(try_connect(c, PATH), EISCONN);
	CHECK_EQ(poll_now(l, POLLIN), POLLIN);
	CHECK_EQ(write(c, "early", 5), 5);
	a = accept(l, (void *)&name, &len);
	CHECK(a >= 0);
	CHECK_EQ(len, sizeof(name.sun_family));
	CHECK_EQ(read(a, back, 10), 5);
	CHECK_EQ(write(a, "reply", 5), 5);
	CHECK_EQ(read(c, back, 10), 5);
	len = sizeof(name);
	CHECK_EQ(getpeername(c, (void *)&name, &len), 0);
	CHECK(!strcmp(name.sun_path, PATH));
	len = 4;
	CHECK_EQ(getsockname(a, (void *)&name, &len), 0);
	CHECK_EQ(len, offsetof(struct sockaddr_un, sun_path) + strlen(PATH) + 1);
	CHECK_ERR(syscall(364, l, NULL, NULL, 1), EINVAL);
	CHECK_EQ(fcntl(l, F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
	close(c);
	CHECK_EQ(read(a, back, 10), 0);
	unlink(PATH);
}

TEST(names, 5, "what bind, listen and connect refuse")
{
	int l = bound(SOCK_STREAM, PATH), c = socket(AF_UNIX, SOCK_STREAM, 0);
	int d = socket(AF_UNIX, SOCK_DGRAM, 0), file = open(PATH "-file", O_CREAT | O_RDWR, 0600);
	struct sockaddr_un name;
	socklen_t len = name_of(&name, PATH);

	CHECK_ERR(bind(c, (void *)&name, len), EADDRINUSE);
	len = name_of(&name, PATH "-more");
	CHECK_ERR(bind(l, (void *)&name, len), EINVAL);
	len = name_of(&name, PATH);
	CHECK_ERR(bind(c, (void *)&name, 1), EINVAL);
	CHECK_ERR(bind(c, (void *)&name, sizeof(name) + 1), EINVAL);
	CHECK_ERR(bind(c, (void *)4096, len), EFAULT);
	CHECK_ERR(listen(d, 1), EOPNOTSUPP);
	CHECK_ERR(listen(c, 1), EINVAL);
	CHECK_ERR(accept(c, NULL, NULL), EINVAL);
	CHECK_ERR(try_connect(c, PATH "-none"), ENOENT);
	CHECK_ERR(try_connect(c, PATH "-file"), ECONNREFUSED);
	CHECK_ERR(try_connect(d, PATH), EPROTOTYPE);
	CHECK_ERR(send(c, "x", 1, 0), ENOTCONN);
	CHECK_ERR(recv(c, back, 1, 0), EINVAL);
	CHECK_ERR(sendto(c, "x", 1, 0, (void *)&name, len), EOPNOTSUPP);
	CHECK_EQ(poll_now(c, POLLOUT), POLLOUT | POLLHUP);
	len = sizeof(name);
	CHECK_ERR(getpeername(c, (void *)&name, &len), ENOTCONN);
	CHECK_ERR(listen(file, 1), ENOTSOCK);
	CHECK_ERR(listen(99, 1), EBADF);
	CHECK_ERR(socket(AF_UNIX, SOCK_RAW + 4, 0), ESOCKTNOSUPPORT);
	CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 5), EPROTONOSUPPORT);
	CHECK_ERR(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
	CHECK_ERR(lseek(c, 0, SEEK_SET), ESPIPE);
	close(l);
	CHECK_ERR(try_connect(c, PATH), ECONNREFUSED);
	unlink(PATH);
	unlink(PATH "-file");
}

TEST(unaccepted, 5,
     "who connected and was never accepted is told: ECONNRESET; then there is nobody")
{
	int l = bound(SOCK_STREAM, PATH), c = socket(AF_UNIX, SOCK_STREAM, 0);

	CHECK_EQ(listen(l, 0), 0);
	CHECK_EQ(try_connect(c, PATH), 0);
	close(l);
	CHECK_ERR(read(c, back, 1), ECONNRESET);
	close(c);
	c = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_ERR(try_connect(c, PATH), ECONNREFUSED);
	unlink(PATH);
}

TEST(backlog, 20, "more than the backlog wait in connect, and go on with accept")
{
	int l = bound(SOCK_STREAM, PATH), c[3];
	pid_t child;

	CHECK_EQ(listen(l, 1), 0);
	for (int i = 0; i < 3; i++)
		c[i] = socket(AF_UNIX, SOCK_STREAM | (i == 2 ? SOCK_NONBLOCK : 0), 0);
	CHECK_EQ(try_connect(c[0], PATH), 0);
	CHECK_EQ(try_connect(c[1], PATH), 0);
	CHECK_ERR(try_connect(c[2], PATH), EAGAIN);
	CHECK_EQ(fcntl(c[2], F_SETFL, 0), 0);
	child = fork();
	if (child == 0)
		_exit(try_connect(c[2], PATH) != 0);
	test_sleep_ms(30);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK(accept(l, NULL, NULL) >= 0);
	CHECK(accept4(l, NULL, NULL, SOCK_CLOEXEC) >= 0);
	unlink(PATH);
}

TEST(options, 5, "SO_TYPE and SO_ERROR; flags of socket")
{
	int value, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(value);

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len), 0);
	CHECK_EQ(value, SOCK_DGRAM);
	CHECK_EQ(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
	CHECK_EQ(value, 0);
	CHECK_ERR(getsockopt(fd, SOL_SOCKET, 4444, &value, &len), ENOPROTOOPT);
}

TEST(socketcall, 5, "the same by socketcall, with its own argument blocks")
{
	int two[2], value = 0;
	socklen_t len = sizeof(value);
	unsigned long pair[] = { AF_UNIX, SOCK_STREAM, 0, (unsigned long)two };
	unsigned long bytes[] = { 0, (unsigned long)"xyz", 3, 0 };
	unsigned long in[] = { 0, (unsigned long)back, 10, MSG_DONTWAIT };
	unsigned long option[] = { 0, SOL_SOCKET, SO_TYPE, (unsigned long)&value,
				   (unsigned long)&len };
	unsigned long down[] = { 0, SHUT_RDWR };

	CHECK_EQ(syscall(SYS_socketcall, 8, pair), 0);
	bytes[0] = two[0];
	in[0] = option[0] = down[0] = two[1];
	CHECK_EQ(syscall(SYS_socketcall, 9, bytes), 3);
	CHECK_EQ(syscall(SYS_socketcall, 10, in), 3);
	CHECK(!memcmp(back, "xyz", 3));
	CHECK_EQ(syscall(SYS_socketcall, 15, option), 0);
	CHECK_EQ(value, SOCK_STREAM);
	CHECK_EQ(syscall(SYS_socketcall, 13, down), 0);
	CHECK_EQ(read(two[0], back, 1), 0);
	CHECK_ERR(syscall(SYS_socketcall, 0, pair), EINVAL);
	CHECK_ERR(syscall(SYS_socketcall, 99, pair), EINVAL);
	CHECK_ERR(syscall(SYS_socketcall, 8, 4096), EFAULT);
	/* And by their own numbers: socketpair, sendto, recvfrom. */
	CHECK_EQ(syscall(360, AF_UNIX, SOCK_STREAM, 0, two), 0);
	CHECK_EQ(syscall(369, two[0], "abc", 3, 0, NULL, 0), 3);
	CHECK_EQ(syscall(371, two[1], back, 10, 0, NULL, NULL), 3);
	CHECK(!memcmp(back, "abc", 3));
}

TEST(messages, 5, "sendmsg and recvmsg gather and scatter")
{
	struct iovec out[] = { { "one ", 4 }, { "two ", 4 }, { "three", 5 } };
	struct iovec in[] = { { back, 3 }, { back + 3, 100 } };
	struct msghdr message = { .msg_iov = out, .msg_iovlen = 3 };

	make_pair(SOCK_STREAM);
	CHECK_EQ(sendmsg(s[0], &message, MSG_MORE), 13);
	message = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2, .msg_controllen = 0 };
	CHECK_EQ(recvmsg(s[1], &message, 0), 13);
	CHECK(!memcmp(back, "one two three", 13));
	CHECK_EQ(message.msg_flags, 0);
	CHECK_EQ(writev(s[1], out, 3), 13);
	CHECK_EQ(readv(s[0], in, 2), 13);
}

TEST(message_anywhere, 5, "the structure of a message may stand at any address")
{
	struct iovec segment = { back, 10 };
	struct msghdr message = { .msg_iov = &segment, .msg_iovlen = 1, .msg_flags = -1 };
	char name[100], *odd = data + 1;

	message.msg_name = name;
	message.msg_namelen = sizeof(name);
	memcpy(odd, &message, sizeof(message));
	make_pair(SOCK_DGRAM);
	CHECK_EQ(write(s[0], "eleven byte", 11), 11);
	CHECK_EQ(syscall(SYS_recvmsg, s[1], odd, 0), 10);
	memcpy(&message, odd, sizeof(message));
	CHECK_EQ(message.msg_namelen, 0);
	CHECK_EQ(message.msg_flags, MSG_TRUNC);
	CHECK(!memcmp(back, "eleven byt", 10));
	CHECK_ERR(syscall(SYS_recvmsg, s[1], (char *)-2, MSG_DONTWAIT), EFAULT);
}

/* ---- splice ---- */

TEST(splice_out, 5, "a socket's bytes go into a pipe, in parts too; the socket's end is the end")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	test_fill(data, 20000, SEED, 0);
	CHECK_EQ(write(s[0], data, 20000), 20000);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 100, 0), 100);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 19900, 0), 19900);
	CHECK_EQ(read_full(ends[0], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, SEED, 0), 20000);
	CHECK_ERR(splice(s[1], NULL, ends[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
	close(s[0]);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 1, 0), 0);
}

TEST(splice_in, 10,
     "a pipe's bytes go into a socket; EAGAIN when it is full, EPIPE when it is closed")
{
	size_t written = 0, total = 0;
	ssize_t n;

	signal(SIGPIPE, SIG_IGN);
	make_pair(SOCK_STREAM);
	CHECK_EQ(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_EQ(pipe(ends), 0);
	test_fill(data, BIG, SEED, 0);
	do {
		CHECK_EQ(write(ends[1], data + written, 8192), 8192);
		written += 8192;
		n = splice(ends[0], NULL, s[0], NULL, 8192, 0);
		total += n > 0 ? n : 0;
	} while (n > 0);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 8192, 0), EAGAIN);
	CHECK(total >= 32768);
	CHECK_EQ(available(ends[0]), written - total);
	CHECK_EQ(read_full(s[1], back, total), total);
	CHECK_EQ(test_differs(back, total, SEED, 0), total);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 1000, 0), 1000);
	CHECK_EQ(read_full(s[1], back, 1000), 1000);
	CHECK_EQ(test_differs(back, 1000, SEED, total), 1000);
	close(s[1]);
	CHECK_ERR(splice(ends[0], NULL, s[0], NULL, 1000, 0), EPIPE);
	CHECK_EQ(available(ends[0]), written - total - 1000);
}

//BOOK: test-part-of-a-page
TEST(part_of_a_page, 5, "what is sent after half of a page was spliced spoils neither half")
{
	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(write(ends[1], "12345678", 8), 8);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 4, 0), 4);
	CHECK_EQ(write(s[0], "abcd", 4), 4);
	CHECK_EQ(read(ends[0], back, 10), 4);
	CHECK(!memcmp(back, "5678", 4));
	CHECK_EQ(read_full(s[1], back, 8), 8);
	CHECK(!memcmp(back, "1234abcd", 8));
	/* And the other way. */
	CHECK_EQ(write(s[0], "12345678", 8), 8);
	CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 4, 0), 4);
	CHECK_EQ(write(ends[1], "abcd", 4), 4);
	CHECK_EQ(read(s[1], back, 10), 4);
	CHECK(!memcmp(back, "5678", 4));
	CHECK_EQ(read_full(ends[0], back, 8), 8);
	CHECK(!memcmp(back, "1234abcd", 8));
}

TEST(send_file, 20, "sendfile to a socket gives the file's bytes, waiting for room")
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t child;

	make_pair(SOCK_STREAM);
	test_fill(data, BIG, SEED, 0);
	CHECK_EQ(write_full(fd, data, BIG), BIG);
	unlink(PATH);
	child = fork();
	if (child == 0) {
		off_t at = 0;

		while (at < BIG)
			CHECK(sendfile(s[0], fd, &at, BIG - at) > 0);
		_exit(0);
	}
	CHECK_EQ(read_full(s[1], back, BIG), BIG);
	CHECK_EQ(test_differs(back, BIG, SEED, 0), BIG);
	CHECK_EQ(test_wait(child), 0);
}

//BOOK: test-socket-snapshot
BEYOND_TEST(snapshot, 5, "bytes of a file in a socket do not change when the file is written to",
	    "in Linux a later write shows through")
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	loff_t at = 0;

	make_pair(SOCK_STREAM);
	CHECK_EQ(pipe(ends), 0);
	test_fill(data, 8192, SEED, 0);
	CHECK_EQ(write(fd, data, 8192), 8192);
	unlink(PATH);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 8192, 0), 8192);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 8192, 0), 8192);
	memset(back, 'X', 8192);
	CHECK_EQ(pwrite(fd, back, 8192, 0), 8192);
	CHECK_EQ(read_full(s[1], back, 8192), 8192);
	CHECK_EQ(test_differs(back, 8192, SEED, 0), 8192);
}

/* ---- bytes on their way ---- */

static void control(const char *command)
{
	int fd = test_open_own("/proc/gate", O_WRONLY);

	CHECK_EQ(write(fd, command, strlen(command)), strlen(command));
	close(fd);
}

/* n bytes that are on their way are in the socket; the gate is closed. */
static int lazy_socket(int type, size_t n)
{
	int gate;
	loff_t at = 0;

	control("open");
	gate = open("/dev/gate0", O_RDWR);
	CHECK(gate >= 0);
	test_fill(data, 65536, SEED, 0);
	CHECK_EQ(pwrite(gate, data, 65536, 0), 65536);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(other), 0);
	make_pair(type);
	control("close");
	CHECK_EQ(splice(gate, &at, ends[1], NULL, n, 0), n);
	CHECK_EQ(splice(ends[0], NULL, s[0], NULL, n, 0), n);
	return gate;
}

//BOOK: test-lazy-chain
BEYOND_TEST(lazy_chain, 20, "file, pipe, socket, pipe, file: nothing waits before bytes are needed",
	    NO_GATE)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);
	pid_t child;

	lazy_socket(SOCK_STREAM, 65536);
	unlink(PATH);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	CHECK_EQ(available(s[1]), 0);
	CHECK_ERR(recv(s[1], back, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(splice(s[1], NULL, other[1], NULL, 65536, 0), 65536);
	CHECK_EQ(poll_now(other[0], POLLIN), 0);
	child = fork();
	if (child == 0) {
		size_t at = 0;

		while (at < 65536) {
			ssize_t n = splice(other[0], NULL, fd, NULL, 65536 - at, 0);

			CHECK(n > 0);
			at += n;
		}
		_exit(0);
	}
	test_sleep_ms(30);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(fd, back, 65536, 0), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 0), 65536);
}

BEYOND_TEST(lazy_receive, 20, "recv of bytes on their way waits; a poller wakes as they arrive",
	    NO_GATE)
{
	struct pollfd p;
	pid_t child;

	lazy_socket(SOCK_STREAM, 20000);
	catch (SIGALRM, 0);
	alarm(1);
	CHECK_ERR(recv(s[1], back, 10, 0), EINTR);
	close(s[0]);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	child = fork();
	if (child == 0) {
		test_sleep_ms(50);
		control("open");
		_exit(0);
	}
	p = (struct pollfd){ s[1], POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(p.revents & POLLIN);
	CHECK_EQ(read_full(s[1], back, 20000), 20000);
	CHECK_EQ(test_differs(back, 20000, SEED, 0), 20000);
	CHECK_EQ(read(s[1], back, 1), 0);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(lazy_datagram, 20, "a datagram is there when all of its pages are", NO_GATE)
{
	struct pollfd p;
	pid_t child;

	lazy_socket(SOCK_DGRAM, 65536);
	CHECK_EQ(available(s[1]), 0);
	CHECK_EQ(poll_now(s[1], POLLIN), 0);
	child = fork();
	if (child == 0) {
		control("reverse");
		_exit(0);
	}
	p = (struct pollfd){ s[1], POLLIN, 0 };
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (child == 0) {
		test_sleep_ms(30);
		control("open");
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(recv(s[1], back, BIG, 0), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 0), 65536);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(lazy_failure, 20, "a read that failed is EIO in its place, and heals", NO_GATE)
{
	lazy_socket(SOCK_STREAM, 4096);
	control("fail 1");
	control("open");
	CHECK_EQ(poll_now(s[1], POLLIN), POLLIN);
	CHECK_ERR(recv(s[1], back, 10, MSG_DONTWAIT), EIO);
	CHECK_EQ(read_full(s[1], back, 4096), 4096);
	CHECK_EQ(test_differs(back, 4096, SEED, 0), 4096);
}

BEYOND_TEST(closed_on_their_way, 20, "a socket with bytes on their way can be closed", NO_GATE)
{
	lazy_socket(SOCK_STREAM, 65536);
	close(s[0]);
	close(s[1]);
	control("open");
}
