/*
 * The operations of a script of play (user/test/play.c), and how the result of each is printed.
 */
#ifndef USER_TEST_PLAY_OPERATIONS_H
#define USER_TEST_PLAY_OPERATIONS_H

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play_files.h"
#include "play_pairs.h"
#include "play_results.h"

#define PIPES	   8
#define LENT_PAGES 1024

struct pipe_ends {
	int fds[2]; /* -1: closed */
};

struct operation;

/* A line of the script. */
struct words {
	const struct operation *operation;
	char end;
	/* The numbers in their order; n is mostly a number of bytes, or another pipe. */
	unsigned int k, n, seed, last;
	bool packets;
	const char *others[4]; /* the words that are neither numbers nor one of these */
};

struct operation {
	const char *name;
	long (*call)(const struct words *words); /* returns what the system call returned */
	void (*say)(char *out, size_t room, long result);
	bool names_another; /* the second number is that of a pipe or a file */
};

static struct pipe_ends pipes[PIPES];
static int files[PIPES];    /* -1: none */
static unsigned char *lent; /* each page is used once */
static int lent_pages;
static unsigned char *lent_last; /* of the last operation that lent any */
static bool may_wait;

/* --- operations --- */

static int read_end(unsigned int k)
{
	return pipes[k].fds[0];
}

static int write_end(unsigned int k)
{
	return pipes[k].fds[1];
}

static int open_end(unsigned int k)
{
	return read_end(k) >= 0 ? read_end(k) : write_end(k);
}

static const unsigned char *row_at(unsigned int seed)
{
	return row + seed % ROW;
}

static void *nowhere(void)
{
	return (void *)PAGE;
}

static unsigned int flags(void)
{
	return may_wait ? 0 : SPLICE_F_NONBLOCK;
}

static long do_pipe(const struct words *words)
{
	struct pipe_ends *ends = &pipes[words->k];

	for (int end = 0; end < 2; end++)
		if (ends->fds[end] >= 0)
			close(ends->fds[end]);
	ends->fds[0] = ends->fds[1] = -1;
	return pipe2(ends->fds, O_NONBLOCK | (words->packets ? O_DIRECT : 0));
}

static long do_close(const struct words *words)
{
	int *end = &pipes[words->k].fds[words->end == 'w'], fd = *end;

	*end = -1;
	return close(fd);
}

static long do_read(const struct words *words)
{
	return read(read_end(words->k), bytes, words->n);
}

static long do_write(const struct words *words)
{
	return write(write_end(words->k), row_at(words->seed), words->n);
}

static long do_read_bad(const struct words *words)
{
	return read(read_end(words->k), nowhere(), words->n);
}

static long do_write_bad(const struct words *words)
{
	return write(write_end(words->k), nowhere(), words->n);
}

static long lend(const struct words *words, unsigned int flags)
{
	unsigned int needed = (words->n + PAGE - 1) / PAGE;
	struct iovec piece = { lent + (size_t)lent_pages * PAGE, words->n };

	if (lent_pages + needed > LENT_PAGES)
		give_up("no memory is left that was not lent");
	memcpy(piece.iov_base, row_at(words->seed), words->n);
	lent_last = piece.iov_base;
	lent_pages += needed;
	return vmsplice(write_end(words->k), &piece, 1, SPLICE_F_NONBLOCK | flags);
}

static long do_vmsplice(const struct words *words)
{
	return lend(words, 0);
}

static long do_gift(const struct words *words)
{
	return lend(words, SPLICE_F_GIFT);
}

static long do_look(const struct words *words)
{
	memcpy(bytes, lent_last, words->n);
	return words->n;
}

static long do_scribble(const struct words *words)
{
	(void)words;
	memset(lent, 0x5a, (size_t)lent_pages * PAGE);
	return 0;
}

static long do_splice(const struct words *words)
{
	return splice(read_end(words->k), NULL, write_end(words->n), NULL, words->seed, flags());
}

static long do_tee(const struct words *words)
{
	return tee(read_end(words->k), write_end(words->n), words->seed, flags());
}

static long do_count(const struct words *words)
{
	int arrived = 0;
	long result = ioctl(open_end(words->k), FIONREAD, &arrived);

	return result < 0 ? result : arrived;
}

/* A poll that may wait is for the end that its process has kept. */
static long do_poll(const struct words *words)
{
	for (int end = 0; end < 2; end++)
		polled[end] = (struct pollfd){ pipes[words->k].fds[end], POLLIN | POLLOUT, 0 };
	return poll(polled, 2, may_wait ? -1 : 0);
}

static long do_size(const struct words *words)
{
	return fcntl(open_end(words->k), F_GETPIPE_SZ);
}

static long do_resize(const struct words *words)
{
	return fcntl(open_end(words->k), F_SETPIPE_SZ, words->n);
}

static long do_null(const struct words *words)
{
	return splice_to_null(read_end(words->k), words->n);
}

static long do_cold(const struct words *words)
{
	return splice_cold(write_end(words->k), words->n, words->seed);
}

static long do_disk(const struct words *words)
{
	return write_block(words->n, row_at(words->seed));
}

static long do_file(const struct words *words)
{
	return make_file(&files[words->k]);
}

static long do_limit(const struct words *words)
{
	return limit_files(words->n);
}

static long do_put(const struct words *words)
{
	return pwrite(files[words->k], row_at(words->last), MIN(words->seed, MOST), words->n);
}

static long do_get(const struct words *words)
{
	return pread(files[words->k], bytes, MIN(words->seed, MOST), words->n);
}

static long do_cut(const struct words *words)
{
	return ftruncate(files[words->k], words->n);
}

static long do_out(const struct words *words)
{
	moved_to = words->seed;
	return splice_out(files[words->k], &moved_to, write_end(words->n), words->last);
}

static long do_in(const struct words *words)
{
	moved_to = words->seed;
	return splice_in(read_end(words->k), files[words->n], &moved_to, words->last);
}

static long do_send(const struct words *words)
{
	moved_to = words->seed;
	return send_file(files[words->k], &moved_to, files[words->n], words->last);
}

static long do_pair(const struct words *words)
{
	if (!words->others[3])
		give_up("pair: too few words");
	return splice_pair(pipes[words->k].fds, files[words->n], words->others, words->seed,
			   &moved_to);
}

static void let_wait(int fd, bool wait)
{
	if (fd >= 0)
		fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | (wait ? 0 : O_NONBLOCK));
}

/*
 * Both processes go through the lengths of the pieces in a way of their own, so that they meet at
 * all places.
 */
static unsigned int piece_length(uint32_t *state, unsigned int left)
{
	unsigned int n;

	*state = *state * 1664525 + 1013904223;
	n = 1 + (*state >> 8) % (*state & 0x80 ? 2 * PAGE : 200);
	return n < left ? n : left;
}

/* In another process: writes n bytes. */
static void feed(int to, const unsigned char *from, unsigned int n, uint32_t state)
{
	while (n > 0) {
		long wrote = write(to, from, piece_length(&state, n));

		if (wrote <= 0)
			_exit(1);
		from += wrote;
		n -= wrote;
	}
	_exit(0);
}

static long do_pump(const struct words *words)
{
	uint32_t state = words->seed + 1;
	unsigned int done = 0;
	int status = 0;
	long n = 1;
	pid_t pid;

	let_wait(read_end(words->k), true);
	let_wait(write_end(words->k), true);
	pid = fork();
	if (pid == 0)
		feed(write_end(words->k), row_at(words->seed), words->n, words->seed);
	while (done < words->n && n > 0) {
		n = read(read_end(words->k), bytes + done, piece_length(&state, words->n - done));
		done += n > 0 ? n : 0;
	}
	waitpid(pid, &status, 0);
	if (status)
		give_up("pump: the writer ended with wait status %#x", status);
	let_wait(read_end(words->k), false);
	let_wait(write_end(words->k), false);
	return n < 0 ? n : (long)done;
}

static const struct operation operations[] = {
	{ "pipe", do_pipe, say_number, false },
	{ "close", do_close, say_number, false },
	{ "read", do_read, say_bytes, false },
	{ "write", do_write, say_number, false },
	{ "read-bad", do_read_bad, say_number, false },
	{ "write-bad", do_write_bad, say_number, false },
	{ "vmsplice", do_vmsplice, say_number, false },
	{ "gift", do_gift, say_number, false },
	{ "look", do_look, say_bytes, false },
	{ "scribble", do_scribble, say_number, false },
	{ "pump", do_pump, say_bytes, false },
	{ "splice", do_splice, say_number, true },
	{ "tee", do_tee, say_number, true },
	{ "count", do_count, say_number, false },
	{ "poll", do_poll, say_polled, false },
	{ "size", do_size, say_number, false },
	{ "resize", do_resize, say_number, false },
	{ "null", do_null, say_number, false },
	{ "cold", do_cold, say_number, false },
	{ "disk", do_disk, say_number, false },
	{ "file", do_file, say_number, false },
	{ "limit", do_limit, say_number, false },
	{ "put", do_put, say_number, false },
	{ "get", do_get, say_bytes, false },
	{ "cut", do_cut, say_number, false },
	{ "out", do_out, say_moved, true },
	{ "in", do_in, say_moved, true },
	{ "send", do_send, say_moved, true },
	{ "pair", do_pair, say_moved, true },
};

static void operate(const struct words *words, char *out, size_t room)
{
	words->operation->say(out, room, words->operation->call(words));
}

/* --- a line of the script --- */

static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (name && !strcmp(operations[i].name, name))
			return &operations[i];
	give_up("no such operation: %s", name ? name : "");
}

static struct words parse(char *line)
{
	struct words words = { .operation = find_operation(strtok(line, " \n")) };
	unsigned int numbers[4] = { 0 };
	int nr = 0, others = 0;
	char *word;

	while ((word = strtok(NULL, " \n"))) {
		if (!strcmp(word, "packets"))
			words.packets = true;
		else if (!strcmp(word, "r") || !strcmp(word, "w"))
			words.end = *word;
		else if (strspn(word, "0123456789") < strlen(word))
			words.others[others++ % 4] = word;
		else if (nr < 4)
			numbers[nr++] = strtoul(word, NULL, 10);
	}
	words.k = numbers[0];
	words.n = numbers[1];
	words.seed = numbers[2];
	words.last = numbers[3];
	if (words.k >= PIPES)
		give_up("no such pipe: %u", words.k);
	if (words.operation->names_another && words.n >= PIPES)
		give_up("no such pipe: %u", words.n);
	if (words.n > MOST && words.operation->call != do_resize)
		give_up("too many bytes: %u", words.n);
	return words;
}

#endif
