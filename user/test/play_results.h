/*
 * The bytes of play (user/test/play.c), and how the result of an operation is printed.
 */
#ifndef USER_TEST_PLAY_RESULTS_H
#define USER_TEST_PLAY_RESULTS_H

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define PAGE 4096
#define ROW  (1 << 17) /* the row of bytes repeats after so many */
#define MOST (1 << 20) /* bytes of one operation */

static unsigned char row[ROW + MOST], bytes[MOST];
static uint32_t crc_table[256];
static volatile sig_atomic_t broken; /* a SIGPIPE came */
static off_t moved_to;		     /* by the last operation that named a position */
static struct pollfd polled[2];	     /* by the last poll */

__attribute__((format(printf, 1, 2), noreturn)) static void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("play: ");
	vprintf(format, args);
	printf("\n");
	exit(2);
}

/* --- bytes --- */

/* The host makes the same row (tests/play/pipe.py). */
static void make_row(void)
{
	uint32_t state = 1;

	for (int i = 0; i < ROW + MOST; i++) {
		if (i >= ROW) {
			row[i] = row[i - ROW];
			continue;
		}
		state = state * 1664525 + 1013904223;
		row[i] = state >> 24;
	}
}

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		crc_table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			crc_table[i] = crc_table[i] >> 1 ^ (crc_table[i] & 1 ? 0xedb88320 : 0);
	}
}

static uint32_t crc(const unsigned char *at, size_t n)
{
	uint32_t value = ~0u;

	while (n-- > 0)
		value = value >> 8 ^ crc_table[(value ^ *at++) & 0xff];
	return ~value;
}

static const char *error_name(int error)
{
	static const struct {
		int number;
		const char *name;
	} names[] = {
		{ EAGAIN, "EAGAIN" }, { EBADF, "EBADF" },     { EBUSY, "EBUSY" },
		{ EFAULT, "EFAULT" }, { EINTR, "EINTR" },     { EINVAL, "EINVAL" },
		{ EIO, "EIO" },	      { ENODATA, "ENODATA" }, { EMFILE, "EMFILE" },
		{ ENOMEM, "ENOMEM" }, { ENOSYS, "ENOSYS" },   { ENFILE, "ENFILE" },
		{ EPERM, "EPERM" },   { EPIPE, "EPIPE" },     { EFBIG, "EFBIG" },
		{ ESPIPE, "ESPIPE" },
	};
	static char other[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == error)
			return names[i].name;
	snprintf(other, sizeof(other), "error %d", error);
	return other;
}

/* --- how results are printed --- */

static void say_number(char *out, size_t room, long n)
{
	if (n >= 0)
		snprintf(out, room, "%ld", n);
	else
		snprintf(out, room, "%s%s", error_name(errno), broken ? " SIGPIPE" : "");
}

static void say_bytes(char *out, size_t room, long n)
{
	if (n > 0)
		snprintf(out, room, "%ld bytes, crc %08x", n, crc(bytes, n));
	else
		say_number(out, room, n);
}

static void say_moved(char *out, size_t room, long n)
{
	if (n < 0)
		say_number(out, room, n);
	else
		snprintf(out, room, "%ld, then at %ld", n, (long)moved_to);
}

static void say_polled(char *out, size_t room, long n)
{
	static const struct {
		short event;
		const char *name;
	} events[] = { { POLLIN, " in" },   { POLLOUT, " out" },   { POLLERR, " err" },
		       { POLLHUP, " hup" }, { POLLNVAL, " nval" }, { POLLPRI, " pri" } };

	say_number(out, room, n);
	for (int end = 0; n >= 0 && end < 2; end++)
		for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
			if (polled[end].revents & events[i].event)
				strncat(out, events[i].name, room - strlen(out) - 1);
}

#endif
