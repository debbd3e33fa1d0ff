/*
 * play: carries out the operations of a script on pipes, and says what came of each of them.
 *
 *	play FILE
 *
 *	pipe K			pipe2(O_NONBLOCK), the pipe with number K
 *	write K N SEED		write N bytes of the stream of that seed
 *	packet K N SEED		the same with O_DIRECT
 *	read K N		read up to N bytes
 *	misread K N		read to an address where the program has no memory
 *	bytes K			FIONREAD
 *	poll K			poll of both ends, without waiting
 *	size K BYTES		F_SETPIPE_SZ
 *	splice K L N		splice from pipe K to pipe L
 *	tee K L N		tee
 *	close K 0|1		close the read end or the write end
 *
 * 1. For each line there is one line of output: its number, the line, `->`, and the result. The result is
 *    an error's name or a number, for a read with a hash of the bytes, for poll the events of both ends.
 * 2. The program does not know what should come of an operation. A model on the host judges the output
 *    (tests/play), so a kernel cannot obtain a verdict by ending this program.
 * 3. Each line is written at once, so that the output shows the last operation before a panic.
 * 4. The runner asks every program in its folder for its cases with --list. This one has none.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define MAX_PIPES     8
#define MAX_BYTES     (1u << 20)
#define SET_PIPE_SIZE 1031 /* F_SETPIPE_SZ */

static int ends[MAX_PIPES][2];
static unsigned char buffer[MAX_BYTES];

static void fill(unsigned int n, uint32_t seed)
{
	for (unsigned int i = 0; i < n; i++) {
		seed = seed * 1664525u + 1013904223u;
		buffer[i] = seed >> 24;
	}
}

/* FNV-1a with 32 bits. */
static uint32_t hash(unsigned int n)
{
	uint32_t h = 2166136261u;

	for (unsigned int i = 0; i < n; i++)
		h = (h ^ buffer[i]) * 16777619u;
	return h;
}

static void print_result(long result)
{
	static const struct {
		int number;
		const char *name;
	} errors[] = { { EAGAIN, "EAGAIN" }, { EPIPE, "EPIPE" },   { EBADF, "EBADF" },
		       { EINVAL, "EINVAL" }, { EBUSY, "EBUSY" },   { EFAULT, "EFAULT" },
		       { EPERM, "EPERM" },   { ENOMEM, "ENOMEM" }, { EINTR, "EINTR" } };

	if (result >= 0) {
		printf("%ld", result);
		return;
	}
	for (unsigned int i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].number == errno) {
			printf("%s", errors[i].name);
			return;
		}
	}
	printf("error %d", errno);
}

static void print_events(short events)
{
	static const struct {
		short bit;
		const char *name;
	} names[] = {
		{ POLLIN, "in" }, { POLLOUT, "out" }, { POLLERR, "err" }, { POLLHUP, "hup" }
	};
	const char *comma = "";

	for (unsigned int i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (events & names[i].bit) {
			printf("%s%s", comma, names[i].name);
			comma = ",";
		}
	}
	if (!*comma)
		printf("-");
}

static void poll_both(int k)
{
	struct pollfd both[2] = { { ends[k][0], POLLIN | POLLOUT, 0 },
				  { ends[k][1], POLLIN | POLLOUT, 0 } };

	if (poll(both, 2, 0) < 0) {
		print_result(-1);
		return;
	}
	print_events(both[0].revents);
	printf(" ");
	print_events(both[1].revents);
}

static long write_stream(int k, unsigned int n, uint32_t seed, int flags)
{
	fcntl(ends[k][1], F_SETFL, O_NONBLOCK | flags);
	fill(n, seed);
	return write(ends[k][1], buffer, n);
}

static void read_and_print(int k, unsigned int n)
{
	long got = read(ends[k][0], buffer, n);

	print_result(got);
	if (got >= 0)
		printf(" %08x", (unsigned int)hash(got));
}

static long close_end(int k, int end)
{
	long result = close(ends[k][end]);

	ends[k][end] = -1;
	return result;
}

/* Returns 0, or -1 if the line is no operation. */
static int play(const char *word, const unsigned int *a)
{
	int bytes = 0;

	if (a[0] >= MAX_PIPES)
		return -1;
	errno = 0;
	if (!strcmp(word, "pipe"))
		print_result(pipe2(ends[a[0]], O_NONBLOCK));
	else if (!strcmp(word, "write") && a[1] <= MAX_BYTES)
		print_result(write_stream(a[0], a[1], a[2], 0));
	else if (!strcmp(word, "packet") && a[1] <= MAX_BYTES)
		print_result(write_stream(a[0], a[1], a[2], O_DIRECT));
	else if (!strcmp(word, "read") && a[1] <= MAX_BYTES)
		read_and_print(a[0], a[1]);
	else if (!strcmp(word, "misread"))
		print_result(read(ends[a[0]][0], (void *)16, a[1]));
	else if (!strcmp(word, "bytes"))
		print_result(ioctl(ends[a[0]][0], FIONREAD, &bytes) < 0 ? -1 : bytes);
	else if (!strcmp(word, "poll"))
		poll_both(a[0]);
	else if (!strcmp(word, "size"))
		print_result(fcntl(ends[a[0]][0], SET_PIPE_SIZE, a[1]));
	else if (!strcmp(word, "splice") && a[1] < MAX_PIPES)
		print_result(
			splice(ends[a[0]][0], NULL, ends[a[1]][1], NULL, a[2], SPLICE_F_NONBLOCK));
	else if (!strcmp(word, "tee") && a[1] < MAX_PIPES)
		print_result(tee(ends[a[0]][0], ends[a[1]][1], a[2], SPLICE_F_NONBLOCK));
	else if (!strcmp(word, "close") && a[1] < 2)
		print_result(close_end(a[0], a[1]));
	else
		return -1;
	return 0;
}

int main(int argc, char **argv)
{
	FILE *script = argc == 2 ? fopen(argv[1], "r") : NULL;
	char line[128], word[16];

	if (argc == 2 && !strcmp(argv[1], "--list"))
		return 0;
	if (!script) {
		fprintf(stderr, "usage: play FILE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	memset(ends, 0xff, sizeof(ends));
	for (unsigned int number = 1; fgets(line, sizeof(line), script); number++) {
		unsigned int a[3] = { 0 };

		line[strcspn(line, "\n")] = '\0';
		printf("%u %s -> ", number, line);
		if (sscanf(line, "%15s %u %u %u", word, &a[0], &a[1], &a[2]) < 2 ||
		    play(word, a) < 0) {
			printf("no such operation\n");
			return 2;
		}
		printf("\n");
		fflush(stdout);
	}
	return 0;
}
