/*
 * play: carries out operations on pipes and says what came of each. It does not know what should
 * come of them. A model on the host knows it and compares (tests/play/pipe.py).
 *
 *	play FILE
 *
 * Each line of FILE is an operation. K, L are numbers of pipes, N a number of bytes, and SEED a
 * place in the endless row of bytes that both sides know.
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
 *	pump K N SEED		writes these bytes in pieces, while another process reads them in
 *				other pieces, and both wait for each other
 *	null K N		splices up to N bytes from K to /dev/null
 *	cold K AT N		splices N bytes from the gate device to K, from byte AT on
 *	disk 0 BLOCK SEED	writes these bytes to a block of 64 KiB of the gate device, and
 *				forgets its cache
 *	file F			makes the empty file F, in memory, instead of the one it was
 *	put F AT N SEED		writes these bytes to the file, from byte AT on
 *	get F AT N		reads up to N bytes of the file
 *	cut F N			ftruncate
 *	out F K AT N		splices up to N bytes from file F, from byte AT on, to pipe K
 *	in K F AT N		splices up to N bytes from pipe K to file F, from byte AT on
 *	send F L AT N		sendfile of up to N bytes from file F, from byte AT on, to the end
 *				of file L
 *	pair K F N IN OUT IN-OFFSET OUT-OFFSET
 *				splices up to N bytes from IN to OUT, without SPLICE_F_NONBLOCK.
 *				Each is an end of pipe K (pipe, wrong-end), file F opened anew
 *				(file, append, read-only, write-only), a folder, or closed. The
 *				offsets are none, nowhere, or @NUMBER.
 *	gate COMMAND...		writes a command to /proc/gate
 *	mark			what is lost is counted from here on
 *	start OPERATION		begins a read, write, splice or poll in another process, where it
 *				may wait
 *	join N			waits until the N oldest such operations have ended, and prints
 *				their results in the order of their letters: which of two readers is
 *				first is chance
 *
 * 1. There is one line of output for each line of FILE, and a last one for what was lost since the
 *    start (/proc/leaks, where the kernel has it). Each line is written at once, so that the last
 *    line shows how far a guest came that died.
 * 2. An operation that returns bytes prints their number and their CRC-32. An error is printed by
 *    its name, followed by SIGPIPE if that signal came.
 * 3. The next operation begins when every process that one of the last operations has woken sleeps
 *    again or has ended.
 * 4. Nothing here needs a pipe, except the operations.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "play_waiting.h"

#define SETTLE_MS  2000
#define COUNTS	   16
#define STACK_USED (32u << 10)

struct count {
	char name[32];
	long value;
};

static struct count before[COUNTS];

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

static void one_line(char *line)
{
	char out[2 * LINE] = "";

	broken = 0;
	if (!strncmp(line, "start ", 6)) {
		start(line + 6, out, sizeof(out));
	} else if (!strncmp(line, "join ", 5)) {
		join(atoi(line + 5), out, sizeof(out));
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

/*
 * Uses what this program and its kernel would allocate for the first time later. Then pages are
 * counted. That includes what count_lost() uses while it waits, or else its wait would make the
 * loss that it sees.
 */
static void first_touch(void)
{
	volatile char stack[STACK_USED];
	char out[256];
	pid_t child;

	for (size_t at = 0; at < sizeof(stack); at += PAGE)
		stack[at] = 0;

	memset(bytes, 0, sizeof(bytes));
	memset(lent, 0, LENT_PAGES * PAGE); /* its page tables stay */
	madvise(lent, LENT_PAGES * PAGE, MADV_DONTNEED);
	child = fork();
	if (child == 0)
		_exit(0);
	state_of(child);
	waitpid(child, NULL, 0);
	lost(out, sizeof(out));
	pause_ms(1);
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
