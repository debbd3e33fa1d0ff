/*
 * Options of sockets: getsockopt and setsockopt at SOL_SOCKET.
 *
 * Options that only make sense on a network are ENOPROTOOPT. Linux stores some of them for every
 * socket all the same, so they are stored and returned here, too. They have no effect on AF_UNIX:
 * names are not reused, close never waits, unread bytes count against the sender, nothing is sent
 * to several receivers, and no byte overtakes another one. SO_RCVLOWAT has an effect on reads of
 * streams, but not on splice.
 */
#include "kernel/capability.h"
#include "kernel/syscall.h"
#include "kernel/time.h"
#include "lib/div64.h"
#include "mm/vm/uaccess.h"
#include "net/control.h"
#include "net/socket.h"

enum socket_option { /* <asm-generic/socket.h> */
		     SO_REUSEADDR = 2,
		     SO_TYPE = 3,
		     SO_ERROR = 4,
		     SO_BROADCAST = 6,
		     SO_SNDBUF = 7,
		     SO_RCVBUF = 8,
		     SO_KEEPALIVE = 9,
		     SO_OOBINLINE = 10,
		     SO_PRIORITY = 12,
		     SO_LINGER = 13,
		     SO_PASSCRED = 16,
		     SO_PEERCRED = 17,
		     SO_RCVLOWAT = 18,
		     SO_SNDLOWAT = 19,
		     SO_RCVTIMEO_OLD = 20,
		     SO_SNDTIMEO_OLD = 21,
		     SO_ACCEPTCONN = 30,
		     SO_PROTOCOL = 38,
		     SO_DOMAIN = 39,
		     SO_RCVTIMEO_NEW = 66,
		     SO_SNDTIMEO_NEW = 67,
};

#define BUFFER_MAX	  SOCKET_SEND_BYTES /* the most that a program may set; doubled below */
#define SEND_BYTES_MIN	  4480u
#define RECEIVE_BYTES_MIN 2240u
#define USEC_PER_SEC	  1000000
#define PRIORITY_MAX	  6 /* without a capability */

struct linger {
	uint32_t on, seconds;
};

/* The value of any option. */
union value {
	uint32_t word;
	struct linger linger;
	struct sender sender;
	int32_t narrow_time[2]; /* seconds, microseconds */
	int64_t wide_time[2];
};

/* ---- times ---- */

/* 0 means no timeout. A negative timeout has already passed. Returns 0 or -EDOM. */
static int time_from_value(uint64_t *timeout, int64_t seconds, int64_t microseconds)
{
	if (microseconds < 0 || microseconds >= USEC_PER_SEC)
		return -EDOM;
	if (seconds < 0)
		*timeout = 0;
	else if (seconds == 0 && microseconds == 0)
		*timeout = WAIT_FOREVER;
	else if (seconds > INT32_MAX)
		*timeout = WAIT_FOREVER;
	else
		*timeout = seconds * NSEC_PER_SEC + microseconds * 1000;
	return 0;
}

static size_t time_to_value(uint64_t timeout, union value *value, bool wide)
{
	uint64_t microseconds = timeout == WAIT_FOREVER ? 0 : div_u64(timeout, 1000, NULL);
	uint32_t rest;
	uint64_t seconds = div_u64(microseconds, USEC_PER_SEC, &rest);

	if (wide) {
		value->wide_time[0] = seconds;
		value->wide_time[1] = rest;
		return sizeof(value->wide_time);
	}
	value->narrow_time[0] = seconds;
	value->narrow_time[1] = rest;
	return sizeof(value->narrow_time);
}

/* ---- getsockopt ---- */

/* Set *value to that of the option. Returns its length in bytes, or -ENOPROTOOPT. */
static int get_value(struct socket *socket, unsigned int option, union value *value)
{
	value->word = 0;
	switch (option) {
	case SO_TYPE:
		value->word = socket->type;
		break;
	case SO_DOMAIN:
		value->word = AF_UNIX;
		break;
	case SO_PROTOCOL:
		break;
	case SO_ERROR:
		value->word = -socket_take_error(socket);
		break;
	case SO_ACCEPTCONN:
		value->word = READ_ONCE(socket->state) == SOCKET_LISTENING;
		break;
	case SO_SNDBUF:
		value->word = READ_ONCE(socket->send_bytes);
		break;
	case SO_RCVBUF:
		value->word = READ_ONCE(socket->receive_bytes);
		break;
	case SO_REUSEADDR:
		value->word = READ_ONCE(socket->reuse_address);
		break;
	case SO_BROADCAST:
		value->word = READ_ONCE(socket->broadcast);
		break;
	case SO_KEEPALIVE:
		value->word = READ_ONCE(socket->keep_alive);
		break;
	case SO_OOBINLINE:
		value->word = READ_ONCE(socket->urgent_inline);
		break;
	case SO_PRIORITY:
		value->word = READ_ONCE(socket->priority);
		break;
	case SO_RCVLOWAT:
		value->word = READ_ONCE(socket->receive_least);
		break;
	case SO_SNDLOWAT:
		value->word = 1;
		break;
	case SO_PASSCRED:
		value->word = READ_ONCE(socket->pass_credentials);
		break;
	case TIMESTAMP:
	case TIMESTAMP_NS:
	case TIMESTAMP_NS_WIDE:
		value->word = READ_ONCE(socket->timestamp) == option;
		break;
	case TIMESTAMP_WIDE: /* on Linux, nanoseconds count as microseconds here */
		value->word = READ_ONCE(socket->timestamp) >= TIMESTAMP_WIDE;
		break;
	case SO_LINGER:
		value->linger = (struct linger){ socket->linger, socket->linger_seconds };
		return sizeof(value->linger);
	case SO_PEERCRED:
		value->sender = socket_peer_sender(socket);
		return sizeof(value->sender);
	case SO_RCVTIMEO_OLD:
	case SO_RCVTIMEO_NEW:
		return time_to_value(socket->receive_timeout, value, option == SO_RCVTIMEO_NEW);
	case SO_SNDTIMEO_OLD:
	case SO_SNDTIMEO_NEW:
		return time_to_value(socket->send_timeout, value, option == SO_SNDTIMEO_NEW);
	default:
		return -ENOPROTOOPT;
	}
	return sizeof(value->word);
}

long socket_getsockopt(struct file *file, int level, unsigned int option, void __user *to,
		       uint32_t __user *len)
{
	union value value;
	uint32_t room;
	int n;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if (get_user_u32(&room, len))
		return -EFAULT;
	if ((int32_t)room < 0)
		return refuse(EINVAL, "a negative length");
	n = get_value(file->private, option, &value);
	if (n < 0)
		return n;
	room = MIN(room, (uint32_t)n);
	return copy_to_user(to, &value, room) ? -EFAULT : put_user_u32(room, len);
}

/* ---- setsockopt ---- */

static size_t length_of(unsigned int option)
{
	switch (option) {
	case SO_LINGER:
		return sizeof(struct linger);
	case SO_RCVTIMEO_OLD:
	case SO_SNDTIMEO_OLD:
		return sizeof(int32_t[2]);
	case SO_RCVTIMEO_NEW:
	case SO_SNDTIMEO_NEW:
		return sizeof(int64_t[2]);
	default:
		return sizeof(uint32_t);
	}
}

/* The kernel doubles the size, as Linux does, to leave room for overhead. */
static unsigned int buffer_bytes(uint32_t asked, unsigned int least)
{
	return MAX(MIN(asked, BUFFER_MAX) * 2, least);
}

static int set_priority(struct socket *socket, int32_t priority)
{
	bool usual = priority >= 0 && priority <= PRIORITY_MAX;

	if (!usual && !capable(CAP_NET_RAW) && !capable(CAP_NET_ADMIN))
		return refuse(EPERM, "no CAP_NET_RAW and no CAP_NET_ADMIN");
	WRITE_ONCE(socket->priority, priority);
	return 0;
}

/* A negative number means as many bytes as the reader has room for. */
static int set_receive_least(struct socket *socket, int32_t bytes)
{
	WRITE_ONCE(socket->receive_least, bytes < 0 ? INT32_MAX : MAX(bytes, 1));
	return 0;
}

static int set_value(struct socket *socket, unsigned int option, const union value *value)
{
	switch (option) {
	case SO_SNDBUF:
		socket_set_send_bytes(socket, buffer_bytes(value->word, SEND_BYTES_MIN));
		return 0;
	case SO_RCVBUF:
		socket->receive_bytes = buffer_bytes(value->word, RECEIVE_BYTES_MIN);
		return 0;
	case SO_REUSEADDR:
		socket->reuse_address = value->word != 0;
		return 0;
	case SO_BROADCAST:
		WRITE_ONCE(socket->broadcast, value->word != 0);
		return 0;
	case SO_KEEPALIVE:
		WRITE_ONCE(socket->keep_alive, value->word != 0);
		return 0;
	case SO_OOBINLINE:
		WRITE_ONCE(socket->urgent_inline, value->word != 0);
		return 0;
	case SO_PRIORITY:
		return set_priority(socket, value->word);
	case SO_RCVLOWAT:
		return set_receive_least(socket, value->word);
	case SO_PASSCRED:
		WRITE_ONCE(socket->pass_credentials, value->word != 0);
		return 0;
	case TIMESTAMP:
	case TIMESTAMP_NS:
	case TIMESTAMP_WIDE:
	case TIMESTAMP_NS_WIDE:
		WRITE_ONCE(socket->timestamp, value->word ? option : TIMESTAMP_NONE);
		return 0;
	case SO_LINGER:
		socket->linger = value->linger.on != 0;
		if (socket->linger)
			socket->linger_seconds = value->linger.seconds;
		return 0;
	case SO_RCVTIMEO_OLD:
		return time_from_value(&socket->receive_timeout, value->narrow_time[0],
				       value->narrow_time[1]);
	case SO_SNDTIMEO_OLD:
		return time_from_value(&socket->send_timeout, value->narrow_time[0],
				       value->narrow_time[1]);
	case SO_RCVTIMEO_NEW:
		return time_from_value(&socket->receive_timeout, value->wide_time[0],
				       value->wide_time[1]);
	case SO_SNDTIMEO_NEW:
		return time_from_value(&socket->send_timeout, value->wide_time[0],
				       value->wide_time[1]);
	default:
		return -ENOPROTOOPT;
	}
}

long socket_setsockopt(struct file *file, int level, unsigned int option, const void __user *from,
		       uint32_t len)
{
	size_t wanted = length_of(option);
	union value value;

	if (level != SOL_SOCKET)
		return -EOPNOTSUPP;
	if ((int32_t)len < (int32_t)sizeof(uint32_t))
		return refuse(EINVAL, "a value shorter than an int");
	if (len < wanted)
		return refuse(EINVAL, "a value shorter than the option's");
	if (copy_from_user(&value, from, wanted))
		return -EFAULT;
	return set_value(file->private, option, &value);
}
