/* Sockets that connect to one that listens, and is closed or shut down meanwhile. */
#include "files.h"
#include "sockets.h"
#include "net/socket.h"

struct address { /* an abstract name */
	uint16_t family;
	char name[3];
};
#define ADDRESS_LEN 4u /* what is used of it */

static const struct address server_address = { AF_UNIX, "\0s" },
			    client_address = { AF_UNIX, "\0c" };
static struct file *listener, *clients[2];

static struct file *open_socket(void)
{
	struct socket *socket = socket_alloc(SOCK_STREAM);
	struct file *file = socket_file(socket, 0);

	must(socket && !IS_ERR(file));
	return file;
}

/* One connection may wait to be accepted. It is in the way of a second one. */
static void listens(void)
{
	files_open(NULL);
	listener = open_socket();
	for (int i = 0; i < 2; i++)
		clients[i] = open_socket();
	must(socket_bind(listener, &server_address, ADDRESS_LEN) == 0);
	must(socket_listen(listener, 0) == 0);
}

static long connect_client(int number)
{
	return socket_connect(clients[number], &server_address, ADDRESS_LEN);
}

/* One connection waits. */
static void has_no_room(void)
{
	listens();
	must(connect_client(1) == 0);
}

static void connect(int number)
{
	must(connect_client(number) == 0);
}

static void close_client(int number)
{
	file_put(clients[number]);
	clients[number] = NULL;
}

static void connect_and_send(int number)
{
	must(connect_client(number) == 0);
	must(socket_send_byte(clients[number], number << 4) == 1);
}

static void connect_send_and_close(int number)
{
	connect_and_send(number);
	close_client(number);
}

/* A connection that nobody has accepted ends with its listener. */
static void connect_or_fail(int number)
{
	long error = connect_client(number);

	must(error == 0 || error == -ECONNREFUSED);
	if (!error)
		must(socket_receive_byte(clients[number]) == -ECONNRESET);
}

static void bind_client(int number)
{
	must(socket_bind(clients[number], &client_address, ADDRESS_LEN) == 0);
}

/* Returns the accepted socket. */
static struct file *accept_client(void)
{
	struct address from;
	int32_t len = sizeof(from);
	long fd = socket_accept4(listener, &from, &len, 0);

	must(fd >= 0);
	must(len == sizeof(from.family) || len == ADDRESS_LEN);
	return current->files->slots[fd].file;
}

static void accept_clients(int n)
{
	while (n-- > 0)
		must(accept_client());
}

static void accept_and_receive(int unused)
{
	got_byte(socket_receive_byte(accept_client()));
}

static void accept_until_shut(int unused)
{
	must(socket_accept4(listener, NULL, NULL, 0) == -EINVAL);
}

static void close_listener(int unused)
{
	file_put(listener);
	listener = NULL;
}

static void shut_listener(int unused)
{
	must(socket_shutdown(listener, 2) == 0);
}

static void close_all(void)
{
	for (int fd = FD_MADE; fd < FD_MAX; fd++)
		if (current->files->slots[fd].file)
			files_close_made(fd);
	for (int i = 0; i < 2; i++)
		if (clients[i])
			file_put(clients[i]);
	if (listener)
		file_put(listener);
	ex_must_have_freed();
}

static void got_one(void)
{
	must_have_got(0, 1, true);
	close_all();
}

SCENARIO(connect_room, "a client waits for room, which an accept makes", has_no_room, close_all,
	 { "client", connect, 0 }, { "server", accept_clients, 1 });

SCENARIO(connect_accept, "a server waits for a connection", listens, close_all,
	 { "client", connect, 0 }, { "server", accept_clients, 1 });

SCENARIO(connect_and_close, "a client is closed, and its connection accepted", listens, got_one,
	 { "client", connect_send_and_close, 0 }, { "server", accept_and_receive, 0 });

SCENARIO(connect_bind, "a client gets a name while its connection is accepted", has_no_room,
	 close_all, { "binder", bind_client, 1 }, { "server", accept_clients, 1 });

SCENARIO(connect_refused, "the listener is closed while a client waits to connect", has_no_room,
	 close_all, { "client", connect_or_fail, 0 }, { "server", close_listener, 0 });

SCENARIO(connect_shut, "the listener is shut down while a task waits for a connection", listens,
	 close_all, { "server", accept_until_shut, 0 }, { "shutter", shut_listener, 0 });
