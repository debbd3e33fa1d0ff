/*
 * What the tests of AF_UNIX sockets share: a pair of sockets, and sockets with a name.
 */
#ifndef USER_TEST_SOCKET_H
#define USER_TEST_SOCKET_H

#include "test.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <stddef.h>

#define PATH "/tmp/socket-test"

static int s[2];

static inline void make_pair(int type)
{
	CHECK_EQ(socketpair(AF_UNIX, type, 0, s), 0);
}

static inline int available(int fd)
{
	int n = -1;

	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	return n;
}

static inline socklen_t name_of(struct sockaddr_un *name, const char *path)
{
	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path, path);
	return offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1;
}

static inline int bound(int type, const char *path)
{
	struct sockaddr_un name;
	socklen_t len = name_of(&name, path);
	int fd = socket(AF_UNIX, type, 0);

	CHECK(fd >= 0);
	unlink(path);
	CHECK_EQ(bind(fd, (void *)&name, len), 0);
	return fd;
}

static inline int try_connect(int fd, const char *path)
{
	struct sockaddr_un name;
	socklen_t len = name_of(&name, path);

	return connect(fd, (void *)&name, len);
}

#endif
