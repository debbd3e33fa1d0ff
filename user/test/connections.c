/*
 * Connections of stream sockets: bind, listen, connect and accept, and what they refuse.
 */
#include "socket.h"

static char back[10];

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
