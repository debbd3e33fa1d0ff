/* Sockets: their rings, shutdown and close, and files that travel in messages. */
#include "files.h"
#include "sockets.h"
#include "net/control.h"
#include "net/passing.h"
#include "net/socket.h"

static struct file *ends_of_pair[2];
#define LEFT  ends_of_pair[0]
#define RIGHT ends_of_pair[1]

/* Two connected sockets. What each sends may take one slot. */
static void pair(int type)
{
	struct socket *left = socket_alloc(type), *right = socket_alloc(type);

	must(left && right);
	socket_pair(left, right);
	socket_set_send_bytes(left, PAGE_SIZE);
	socket_set_send_bytes(right, PAGE_SIZE);
	LEFT = socket_file(left, 0);
	RIGHT = socket_file(right, 0);
	must(!IS_ERR(LEFT) && !IS_ERR(RIGHT));
	ex_object(&left->in, "struct ring", "left ring");
	ex_object(&right->in, "struct ring", "right ring");
}

static void streams(void)
{
	pair(SOCK_STREAM);
}

static void packets(void)
{
	pair(SOCK_SEQPACKET);
}

static void send_left(int from)
{
	for (int i = 0; i < (from & 15); i++)
		must(socket_send_byte(LEFT, (from & 0xf0) | i) == 1);
}

static void send_right(int from)
{
	for (int i = 0; i < (from & 15); i++)
		must(socket_send_byte(RIGHT, (from & 0xf0) | i) == 1);
}

static void receive_right(int n)
{
	while (n-- > 0) {
		int byte = socket_receive_byte(RIGHT);

		must(byte >= 0);
		got_byte(byte);
	}
}

static void close_all(void)
{
	file_put(LEFT);
	file_put(RIGHT);
	ex_must_have_freed();
}

static void got_two(void)
{
	must_have_got(0, 2, true);
	close_all();
}

SCENARIO(socket_stream, "two bytes through a stream", streams, got_two,
	 { "sender", send_left, FROM(0, 2) }, { "receiver", receive_right, 2 });

SCENARIO(socket_packets, "two packets, of which one has room", packets, got_two,
	 { "sender", send_left, FROM(0, 2) }, { "receiver", receive_right, 2 });

static void got_one_each(void)
{
	must_have_got(0, 1, true);
	must_have_got(1, 1, true);
	close_all();
}

SCENARIO(socket_senders, "packets of two senders, of which one has room", packets, got_one_each,
	 { "sender0", send_left, FROM(0, 1) }, { "sender1", send_left, FROM(1, 1) },
	 { "receiver", receive_right, 2 });

static void answer(int unused)
{
	receive_right(1);
	send_right(FROM(1, 1));
}

static void ask(int unused)
{
	send_left(FROM(0, 1));
	got_byte(socket_receive_byte(LEFT));
}

SCENARIO(socket_answer, "a question and its answer", packets, got_one_each, { "client", ask, 0 },
	 { "server", answer, 0 });

/* ---- shutdown ---- */

static void receive_to_end(int unused)
{
	int byte;

	while ((byte = socket_receive_byte(RIGHT)) >= 0)
		got_byte(byte);
	must(byte == -1);
}

static void send_and_shut(int from)
{
	send_left(from);
	must(socket_shutdown(LEFT, 1) == 0);
}

SCENARIO(socket_shut_sender, "a byte, and then shutdown: the receiver sees both", streams, got_two,
	 { "sender", send_and_shut, FROM(0, 2) }, { "receiver", receive_to_end, 0 });

static void send_or_end(int unused)
{
	long n = 1;

	for (int i = 0; i < 2 && n == 1; i++)
		n = socket_send_byte(LEFT, i);
	/* -ECONNRESET: the receiver has been closed with a packet that nobody had read. */
	must(n == 1 || n == -EPIPE || n == -ECONNRESET);
}

static void shut_right(int unused)
{
	must(socket_shutdown(RIGHT, 2) == 0);
}

SCENARIO(socket_shut_receiver, "shutdown by the receiver wakes a sender that waits for room",
	 packets, close_all, { "sender", send_or_end, 0 }, { "receiver", shut_right, 0 });

/* ---- close ---- */

static void close_left(int unused)
{
	file_put(LEFT);
}

static void close_right(int unused)
{
	file_put(RIGHT);
}

static void send_and_close(int from)
{
	send_left(from);
	close_left(0);
}

static void left_is_closed(void)
{
	must_have_got(0, 2, true);
	close_right(0);
	ex_must_have_freed();
}

static void right_is_closed(void)
{
	close_left(0);
	ex_must_have_freed();
}

static void both_are_closed(void)
{
	ex_must_have_freed();
}

SCENARIO(socket_close_sender, "two packets, and then close: the receiver sees all", packets,
	 left_is_closed, { "sender", send_and_close, FROM(0, 2) },
	 { "receiver", receive_to_end, 0 });

SCENARIO(socket_close_receiver, "the receiver closes while a sender waits for room", packets,
	 right_is_closed, { "sender", send_or_end, 0 }, { "receiver", close_right, 0 });

static void send_and_close_left(int unused)
{
	send_or_end(0);
	close_left(0);
}

SCENARIO(socket_close_both, "both ends of a stream are closed at once, one after it has sent",
	 streams, both_are_closed, { "left", send_and_close_left, 0 }, { "right", close_right, 0 });

/* ---- files in messages ---- */

struct user_message { /* struct msghdr */
	void *name;
	uint32_t name_len;
	struct iovec *segments;
	uint32_t nr_segments;
	void *control;
	uint32_t control_len, flags;
};

/* Send a byte with the file of FD_FILE. */
static long send_file(struct file *file)
{
	static unsigned char byte;
	struct iovec segment = { &byte, 1 };
	uint32_t control[] = { 16, SOL_SOCKET, 1 /* SCM_RIGHTS */, FD_FILE };
	struct user_message message = { NULL, 0, &segment, 1, control, sizeof(control), 0 };

	return socket_sendmsg(file, &message, MSG_NOSIGNAL);
}

static struct file passed;

static void pair_and_file(void)
{
	static const struct file_ops ops;

	streams();
	passed = (struct file){ .ops = &ops };
	atomic_set(&passed.refs, 1);
	files_open_file(&passed);
}

static void send_file_left(int unused)
{
	long n = send_file(LEFT);

	must(n == 1 || n == -EPIPE);
}

static void receive_file(int unused)
{
	must(socket_receive_byte(RIGHT) == 0);
}

static void file_is_free(void)
{
	must(atomic_read(&passed.refs) == 1);
}

static void file_arrived(void)
{
	file_is_free();
	close_all();
}

static void file_went_down(void)
{
	file_is_free();
	right_is_closed();
}

SCENARIO(scm_receive, "a file is sent, and a receiver without room for it closes it", pair_and_file,
	 file_arrived, { "sender", send_file_left, 0 }, { "receiver", receive_file, 0 });

SCENARIO(scm_close, "a file is sent to a socket that is being closed", pair_and_file,
	 file_went_down, { "sender", send_file_left, 0 }, { "receiver", close_right, 0 });

/*
 * The left socket is open only in a message to the right one, which two tasks have open: one
 * receives the message, and both close.
 */
static void left_is_in_flight(void)
{
	streams();
	files_open_file(LEFT);
	must(send_file(LEFT) == 1);
	file_put(LEFT);
	file_get(RIGHT);
}

static void receive_and_close(int unused)
{
	must(socket_receive_byte(RIGHT) == 0);
	close_right(0);
}

SCENARIO(scm_last, "the message with a socket's last file is received, or dropped at close",
	 left_is_in_flight, both_are_closed, { "receiver", receive_and_close, 0 },
	 { "closer", close_right, 0 });

static struct file *others[2];

static void close_other(int number)
{
	file_put(others[number]);
}

/* Two other sockets are open, and the left one is in its own message as well. */
static void left_is_sent_beside_others(void)
{
	streams();
	others[0] = LEFT;
	others[1] = RIGHT;
	streams();
	files_open_file(LEFT);
	must(send_file(LEFT) == 1);
}

/* The same, and the left one is open only there. */
static void left_is_in_flight_and_others(void)
{
	left_is_sent_beside_others();
	file_put(LEFT);
}

static void one_is_left(void)
{
	close_other(1);
	ex_must_have_freed();
}

SCENARIO(scm_collect, "a message with a socket's last file is received while garbage is looked for",
	 left_is_in_flight_and_others, one_is_left, { "receiver", receive_and_close, 0 },
	 { "closer", close_other, 0 });

/* Both sockets are open only in the messages that they have not read, and two others are closed. */
static void both_are_in_flight(void)
{
	left_is_sent_beside_others();
	files_open_file(RIGHT);
	must(send_file(RIGHT) == 1);
	file_put(LEFT);
	file_put(RIGHT);
}

SCENARIO(scm_garbage, "two collectors of two sockets, each in the other one's message",
	 both_are_in_flight, both_are_closed, { "closer0", close_other, 0 },
	 { "closer1", close_other, 1 });
