/*
 * play: carries out operations on pipes and says what came of each. It does not know what should come
 * of them. A model on the host knows it and compares (tests/play/pipe.py).
 *
 *	play FILE
 *
 * Each line of FILE is an operation. K, L are numbers of pipes, N a number of bytes, and SEED a place in
 * the endless row of bytes that both sides know.
 *
 *	pipe K stream|packets	pipe2 with O_NONBLOCK, and for packets with O_DIRECT
 *	write K N SEED		writes these bytes
 *	read K N		reads up to N bytes
 *	write-bad K N		writes from memory that does not exist
 *	read-bad K N		reads to memory that does not exist
 *	vmsplice K N SEED	lends these bytes to the pipe
 *	gift K N SEED		gives these bytes to the pipe; N is a number of pages
 *	look 0 N		reads N bytes of the memory that was lent or given last
 *	limit 0 N		RLIMIT_FSIZE
 *	scribble		overwrites all memory that was lent
 *	splice K L N		moves up to N bytes from K to L
 *	tee K L N		copies up to N bytes from K to L
 *	count K			FIONREAD
 *	poll K			poll of the open ends
 *	size K			F_GETPIPE_SZ
 *	resize K N		F_SETPIPE_SZ
 *	close K r|w		closes an end
 *	pump K N SEED		writes these bytes in pieces, while another process reads them in other pieces,
 *				and both wait for each other
 *	null K N		splices up to N bytes from K to /dev/null
 *	cold K AT N		splices N bytes from the gate device to K, from byte AT on
 *	disk 0 BLOCK SEED	writes these bytes to a block of 64 KiB of the gate device, and forgets its cache
 *	file F			makes the empty file F, in memory, instead of the one it was
 *	put F AT N SEED		writes these bytes to the file, from byte AT on
 *	get F AT N		reads up to N bytes of the file
 *	cut F N			ftruncate
 *	out F K AT N		splices up to N bytes from file F, from byte AT on, to pipe K
 *	in K F AT N		splices up to N bytes from pipe K to file F, from byte AT on
 *	send F L AT N		sendfile of up to N bytes from file F, from byte AT on, to the end of file L
 *	gate COMMAND...		writes a command to /proc/gate
 *	mark			what is lost is counted from here on
 *	start OPERATION		begins a read, write, splice or poll in another process, where it may wait
 *	join N			waits until the N oldest such operations have ended, and prints their results
 *				in the order of their letters: which of two readers is first is chance
 *
 * 1. There is one line of output for each line of FILE, and a last one for what was lost since the start
 *    (/proc/leaks, where the kernel has it). Each line is written at once, so that the last line shows
 *    how far a guest came that died.
 * 2. An operation that returns bytes prints their number and their CRC-32. An error is printed by its
 *    name, followed by SIGPIPE if that signal came.
 * 3. The next operation begins when every process that one of the last operations has woken sleeps again
 *    or has ended.
 * 4. Nothing here needs a pipe, except the operations.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "play_files.h"

#define PIPES	   8
#define STARTED	   8
#define PAGE	   4096
#define ROW	   (1 << 17) /* the row of bytes repeats after so many */
#define LENT_PAGES 1024
#define MOST	   (1 << 20) /* bytes of one operation */
#define ASLEEP_MS  5000
#define SETTLE_MS  2000
#define COUNTS	   16
#define LINE	   128

struct pipe_ends {
	int fds[2]; /* -1: closed */
};

/* An operation in another process, in memory that is shared with it. The process sets words and result. */
struct started {
	pid_t pid;
	char words[LINE], result[LINE];
};

struct count {
	char name[32];
	long value;
};

static struct pipe_ends pipes[PIPES];
static int files[PIPES]; /* -1: none */
static unsigned char row[ROW + MOST], bytes[MOST];
static unsigned char *lent; /* each page is used once */
static int lent_pages;
static unsigned char *lent_last; /* of the last operation that lent any */
static struct started *started;	 /* a queue */
static int started_first, started_next;
static volatile sig_atomic_t broken; /* a SIGPIPE came */
static bool may_wait;
static uint32_t crc_table[256];
static struct count before[COUNTS];

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
	};
	static char other[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == error)
			return names[i].name;
	snprintf(other, sizeof(other), "error %d", error);
	return other;
}

/* --- operations: each leaves what it prints in `out` --- */

struct words {
	const char *name;
	char end;
	/* The numbers in their order; n is mostly a number of bytes, or another pipe. */
	unsigned int k, n, seed, last;
	bool packets;
};

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

static long lend(int fd, unsigned int n, const unsigned char *from, bool gift)
{
	unsigned int needed = (n + PAGE - 1) / PAGE;
	struct iovec piece = { lent + (size_t)lent_pages * PAGE, n };

	if (lent_pages + needed > LENT_PAGES)
		give_up("no memory is left that was not lent");
	memcpy(piece.iov_base, from, n);
	lent_last = piece.iov_base;
	lent_pages += needed;
	return vmsplice(fd, &piece, 1, SPLICE_F_NONBLOCK | (gift ? SPLICE_F_GIFT : 0));
}

static void say_poll(char *out, size_t room, const struct pipe_ends *ends)
{
	static const struct {
		short event;
		const char *name;
	} events[] = { { POLLIN, " in" },   { POLLOUT, " out" },   { POLLERR, " err" },
		       { POLLHUP, " hup" }, { POLLNVAL, " nval" }, { POLLPRI, " pri" } };
	struct pollfd both[2] = { { ends->fds[0], POLLIN | POLLOUT, 0 },
				  { ends->fds[1], POLLIN | POLLOUT, 0 } };
	int n;

	/* A poll that may wait is for the end that its process has kept. */
	n = poll(both, 2, may_wait ? -1 : 0);
	if (n < 0) {
		say_number(out, room, n);
		return;
	}
	snprintf(out, room, "%d", n);
	for (int end = 0; end < 2; end++)
		for (size_t i = 0; i < sizeof(events) / sizeof(*events); i++)
			if (both[end].revents & events[i].event)
				strncat(out, events[i].name, room - strlen(out) - 1);
}

static long make_pipe(struct pipe_ends *ends, bool packets)
{
	for (int end = 0; end < 2; end++)
		if (ends->fds[end] >= 0)
			close(ends->fds[end]);
	ends->fds[0] = ends->fds[1] = -1;
	return pipe2(ends->fds, O_NONBLOCK | (packets ? O_DIRECT : 0));
}

static long close_end(struct pipe_ends *ends, char end)
{
	int fd = ends->fds[end == 'w'];

	ends->fds[end == 'w'] = -1;
	return close(fd);
}

static bool names_file_position(const char *name)
{
	return !strcmp(name, "out") || !strcmp(name, "in") || !strcmp(name, "send");
}

/* Moves bytes from or to a file, and says how many, and the position to which the call has moved. */
static void say_moved(char *out, size_t room, const struct words *words)
{
	off_t at = words->seed;
	long n;

	if (!strcmp(words->name, "out"))
		n = splice_out(files[words->k], &at, pipes[words->n].fds[1], words->last);
	else if (!strcmp(words->name, "in"))
		n = splice_in(pipes[words->k].fds[0], files[words->n], &at, words->last);
	else
		n = send_file(files[words->k], &at, files[words->n], words->last);
	if (n < 0)
		say_number(out, room, n);
	else
		snprintf(out, room, "%ld, then at %ld", n, (long)at);
}

static void operate(const struct words *words, char *out, size_t room)
{
	struct pipe_ends *ends = &pipes[words->k];
	int in = ends->fds[0], to = ends->fds[1], arrived = 0;
	const unsigned char *from = row + words->seed % ROW;
	unsigned int flags = may_wait ? 0 : SPLICE_F_NONBLOCK;
	const char *name = words->name;
	void *nowhere = (void *)PAGE;
	long n;

	if (!strcmp(name, "read")) {
		say_bytes(out, room, read(in, bytes, words->n));
		return;
	}
	if (!strcmp(name, "look")) {
		memcpy(bytes, lent_last, words->n);
		say_bytes(out, room, words->n);
		return;
	}
	if (names_file_position(name)) {
		say_moved(out, room, words);
		return;
	}
	if (!strcmp(name, "get")) {
		n = pread(files[words->k], bytes, MIN(words->seed, MOST), words->n);
		say_bytes(out, room, n);
		return;
	}
	if (!strcmp(name, "poll")) {
		say_poll(out, room, ends);
		return;
	}
	if (!strcmp(name, "pipe")) {
		n = make_pipe(ends, words->packets);
	} else if (!strcmp(name, "write")) {
		n = write(to, from, words->n);
	} else if (!strcmp(name, "write-bad")) {
		n = write(to, nowhere, words->n);
	} else if (!strcmp(name, "read-bad")) {
		n = read(in, nowhere, words->n);
	} else if (!strcmp(name, "vmsplice")) {
		n = lend(to, words->n, from, false);
	} else if (!strcmp(name, "gift")) {
		n = lend(to, words->n, from, true);
	} else if (!strcmp(name, "scribble")) {
		memset(lent, 0x5a, (size_t)lent_pages * PAGE);
		n = 0;
	} else if (!strcmp(name, "splice")) {
		n = splice(in, NULL, pipes[words->n].fds[1], NULL, words->seed, flags);
	} else if (!strcmp(name, "tee")) {
		n = tee(in, pipes[words->n].fds[1], words->seed, flags);
	} else if (!strcmp(name, "count")) {
		n = ioctl(in >= 0 ? in : to, FIONREAD, &arrived);
		n = n < 0 ? n : arrived;
	} else if (!strcmp(name, "size")) {
		n = fcntl(in >= 0 ? in : to, F_GETPIPE_SZ);
	} else if (!strcmp(name, "resize")) {
		n = fcntl(in >= 0 ? in : to, F_SETPIPE_SZ, words->n);
	} else if (!strcmp(name, "null")) {
		n = splice_to_null(in, words->n);
	} else if (!strcmp(name, "cold")) {
		n = splice_cold(to, words->n, words->seed);
	} else if (!strcmp(name, "file")) {
		n = make_file(&files[words->k]);
	} else if (!strcmp(name, "put")) {
		n = pwrite(files[words->k], row + words->last % ROW, MIN(words->seed, MOST),
			   words->n);
	} else if (!strcmp(name, "cut")) {
		n = ftruncate(files[words->k], words->n);
	} else if (!strcmp(name, "limit")) {
		n = limit_files(words->n);
	} else if (!strcmp(name, "disk")) {
		n = write_block(words->n, from);
	} else if (!strcmp(name, "close")) {
		n = close_end(ends, words->end);
	} else {
		give_up("no such operation: %s", name);
	}
	say_number(out, room, n);
}

/* --- operations that may wait, in another process --- */

static void let_wait(int fd, bool wait)
{
	if (fd >= 0)
		fcntl(fd, F_SETFL, (fcntl(fd, F_GETFL) & ~O_NONBLOCK) | (wait ? 0 : O_NONBLOCK));
}

/* Sets O_NONBLOCK of the ends that an operation uses. Both processes share it. */
static void ends_let_wait(const struct words *words, bool wait)
{
	if (!strcmp(words->name, "read") || !strcmp(words->name, "splice"))
		let_wait(pipes[words->k].fds[0], wait);
	if (!strcmp(words->name, "write"))
		let_wait(pipes[words->k].fds[1], wait);
	if (!strcmp(words->name, "splice"))
		let_wait(pipes[words->n].fds[1], wait);
}

/* Closes every end that the operation does not use, so that its process keeps no pipe open for others. */
static void keep_only_ends_of(const struct words *words)
{
	bool reads =
		strcmp(words->name, "write") && (strcmp(words->name, "poll") || words->end == 'r');
	int kept = pipes[words->k].fds[!reads];
	int target = strcmp(words->name, "splice") ? -1 : pipes[words->n].fds[1];

	for (int k = 0; k < PIPES; k++) {
		for (int end = 0; end < 2; end++) {
			int *fd = &pipes[k].fds[end];

			if (*fd < 0 || *fd == kept || *fd == target)
				continue;
			close(*fd);
			*fd = -1;
		}
	}
}

static char state_of(pid_t pid)
{
	char path[32], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "r");
	if (!file)
		return 0;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	return state;
}

static void pause_ms(int ms)
{
	struct timespec time = { 0, ms * 1000000 };

	nanosleep(&time, NULL);
}

/* Waits until a process sleeps or has ended. Sleeping twice in a row is taken for the sleep that is meant. */
static const char *wait_until_asleep(const struct started *one)
{
	int asleep = 0;

	for (int ms = 0; ms < ASLEEP_MS && asleep < 2; ms++) {
		char state = state_of(one->pid);

		if (state == 'Z')
			return "ended";
		asleep = state == 'S' && one->words[0] ? asleep + 1 : 0;
		pause_ms(1);
	}
	return asleep < 2 ? "busy" : "asleep";
}

/* Both processes go through the lengths of the pieces in a way of their own, so that they meet at all places. */
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

static void pump(const struct words *words, char *out, size_t room)
{
	struct pipe_ends *ends = &pipes[words->k];
	uint32_t state = words->seed + 1;
	unsigned int done = 0;
	int status = 0;
	long n = 1;
	pid_t pid;

	for (int end = 0; end < 2; end++)
		let_wait(ends->fds[end], true);
	pid = fork();
	if (pid == 0)
		feed(ends->fds[1], row + words->seed % ROW, words->n, words->seed);
	while (done < words->n && n > 0) {
		n = read(ends->fds[0], bytes + done, piece_length(&state, words->n - done));
		done += n > 0 ? n : 0;
	}
	say_bytes(out, room, n < 0 ? n : done);
	waitpid(pid, &status, 0);
	if (status)
		snprintf(out, room, "the writer ended with wait status %#x", status);
	for (int end = 0; end < 2; end++)
		let_wait(ends->fds[end], false);
}

static struct words parse(char *line);

/* Whatever an operation has woken goes on before the next operation, which may wake it, too. */
static void settle(void)
{
	for (int i = started_first; i < started_next; i++)
		wait_until_asleep(&started[i % STARTED]);
}

static void start(char *line, char *out, size_t room)
{
	struct started *one = &started[started_next++ % STARTED];
	char copy[LINE];
	struct words words;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", line);
	words = parse(copy);
	memset(one, 0, sizeof(*one));
	ends_let_wait(&words, true);
	pid = fork();
	if (pid == 0) {
		keep_only_ends_of(&words);
		may_wait = true;
		snprintf(one->words, sizeof(one->words), "%s", line);
		operate(&words, one->result, sizeof(one->result));
		_exit(0);
	}
	if (pid < 0) {
		say_number(out, room, -1);
		return;
	}
	one->pid = pid; /* the other process has no use for it */
	snprintf(out, room, "%s", wait_until_asleep(one));
}

static int compare_results(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Waits for the end of the oldest operation. */
static void join_one(char *out, size_t room)
{
	struct started *one = &started[started_first++ % STARTED];
	struct words words;
	int status;

	waitpid(one->pid, &status, 0);
	if (status)
		snprintf(out, room, "ended with wait status %#x", status);
	else
		snprintf(out, room, "%s", one->result);
	words = parse(one->words);
	ends_let_wait(&words, false);
}

static void join(int nr, char *out, size_t room)
{
	char results[STARTED][LINE];

	if (nr < 1 || nr > started_next - started_first)
		give_up("join: not so many were started");
	for (int i = 0; i < nr; i++)
		join_one(results[i], LINE);
	qsort(results, nr, LINE, compare_results);
	for (int i = 0; i < nr; i++)
		snprintf(out + strlen(out), room - strlen(out), "%s%s", i ? "; " : "", results[i]);
}

/* --- what was lost --- */

static int read_counts(struct count *counts)
{
	int nr = 0, fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	FILE *file;

	write(fd, "3", 1);
	close(fd);
	file = fopen("/proc/leaks", "r");
	while (file && nr < COUNTS &&
	       fscanf(file, "%31s %ld", counts[nr].name, &counts[nr].value) == 2)
		nr++;
	if (file)
		fclose(file);
	return nr;
}

/* Describes fewer free pages, or more of anything else, than before. */
static bool lost(char *out, size_t room)
{
	struct count now[COUNTS];
	int nr = read_counts(now);
	bool any = false;

	snprintf(out, room, "lost:");
	for (int i = 0; i < nr; i++) {
		long more = now[i].value - before[i].value;

		if (!strncmp(now[i].name, "free", 4))
			more = -more;
		if (more <= 0)
			continue;
		any = true;
		snprintf(out + strlen(out), room - strlen(out), " %ld %s", more, now[i].name);
	}
	if (!any)
		snprintf(out, room, "lost: nothing");
	return any;
}

static void count_lost(void)
{
	char out[256];

	for (int k = 0; k < PIPES; k++)
		for (int end = 0; end < 2; end++)
			if (pipes[k].fds[end] >= 0)
				close(pipes[k].fds[end]);
	for (int f = 0; f < PIPES; f++)
		if (files[f] >= 0)
			close(files[f]);
	madvise(lent, LENT_PAGES * PAGE, MADV_DONTNEED);
	/* What a process held may be freed a little after its end. */
	for (int ms = 0; lost(out, sizeof(out)) && ms < SETTLE_MS; ms += 20)
		pause_ms(20);
	printf("%s\n", out);
}

/* --- the script --- */

/* Is the second number that of a pipe or a file? */
static bool names_another(const struct words *words)
{
	static const char *const names[] = { "splice", "tee", "out", "in", "send" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(words->name, names[i]))
			return true;
	return false;
}

static struct words parse(char *line)
{
	struct words words = { .name = strtok(line, " \n") };
	unsigned int numbers[4] = { 0 };
	int nr = 0;
	char *word;

	while ((word = strtok(NULL, " \n"))) {
		if (!strcmp(word, "packets"))
			words.packets = true;
		else if (!strcmp(word, "r") || !strcmp(word, "w"))
			words.end = *word;
		else if (nr < 4)
			numbers[nr++] = strtoul(word, NULL, 10);
	}
	words.k = numbers[0];
	words.n = numbers[1];
	words.seed = numbers[2];
	words.last = numbers[3];
	if (!words.name)
		words.name = "";
	if (words.k >= PIPES)
		give_up("no such pipe: %u", words.k);
	if (names_another(&words) && words.n >= PIPES)
		give_up("no such pipe: %u", words.n);
	if (words.n > MOST && strcmp(words.name, "resize"))
		give_up("too many bytes: %u", words.n);
	return words;
}

static void one_line(char *line)
{
	char out[2 * LINE] = "";

	broken = 0;
	if (!strncmp(line, "start ", 6)) {
		start(line + 6, out, sizeof(out));
	} else if (!strncmp(line, "join ", 5)) {
		join(atoi(line + 5), out, sizeof(out));
	} else if (!strncmp(line, "pump ", 5)) {
		struct words words = parse(line);

		pump(&words, out, sizeof(out));
	} else if (!strncmp(line, "gate ", 5)) {
		line[strcspn(line, "\n")] = '\0';
		say_number(out, sizeof(out), command_gate(line + 5));
	} else if (!strncmp(line, "mark", 4)) {
		read_counts(before);
		say_number(out, sizeof(out), 0);
	} else {
		struct words words = parse(line);

		operate(&words, out, sizeof(out));
	}
	printf("%s\n", out);
	settle();
}

static void on_sigpipe(int signal)
{
	broken = 1;
}

static void *memory(size_t size, int kind)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED)
		give_up("no memory");
	return at;
}

/* Uses what this program and its kernel would allocate for the first time later. Then pages are counted. */
static void first_touch(void)
{
	struct count counts[COUNTS];
	pid_t child;

	memset(bytes, 0, sizeof(bytes));
	memset(lent, 0, LENT_PAGES * PAGE); /* its page tables stay */
	madvise(lent, LENT_PAGES * PAGE, MADV_DONTNEED);
	child = fork();
	if (child == 0)
		_exit(0);
	state_of(child);
	waitpid(child, NULL, 0);
	read_counts(counts);
}

int main(int argc, char **argv)
{
	struct sigaction pipe_signal = { .sa_handler = on_sigpipe };
	char line[LINE];
	FILE *script;

	/* The runner asks every program here for its cases. */
	if (argc == 2 && !strcmp(argv[1], "--list"))
		return 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	script = argc == 2 ? fopen(argv[1], "r") : NULL;
	if (!script)
		give_up("usage: play FILE");
	make_row();
	make_crc_table();
	started = memory(STARTED * sizeof(*started), MAP_SHARED);
	memset(pipes, -1, sizeof(pipes));
	memset(files, -1, sizeof(files));
	memset(started, 0, STARTED * sizeof(*started));
	sigaction(SIGPIPE, &pipe_signal, NULL);
	signal(SIGXFSZ, SIG_IGN);
	lent = lent_last = memory(LENT_PAGES * PAGE, MAP_PRIVATE);
	first_touch();
	read_counts(before);
	while (fgets(line, sizeof(line), script))
		one_line(line);
	count_lost();
	return 0;
}
