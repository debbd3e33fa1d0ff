/*
 * The guest's init under tools/guest. It runs one command for the host, on Sluice and on Linux.
 *
 * Host and guest exchange frames over the second serial port, which is raw in both directions:
 *
 *	type (1 byte)   length (2 bytes, little endian)   payload
 *
 *	host to guest				guest to host
 *	A  bytes of the argument list		H  hello: GREETING, sent first and once
 *	E  bytes of the environment		W  how many bytes more the host may send (4 bytes)
 *	S  rows, columns (2 bytes each)		1  bytes of standard output
 *	G  go: run the command on pipes		2  bytes of standard error
 *	K  go: run a shell on the console	X  the command has ended; its exit status (1 byte)
 *	D  go: run the command on the line	D  what follows is the command's output
 *	I  bytes for standard input		Q  everything is on disk, and the machine powers off
 *	Z  standard input ends
 *
 * 1. A list consists of strings with their NULs, one after another. Frames may divide it anywhere.
 * 2. The host sends nothing before H, and ignores everything that comes before it.
 * 3. The payload of A, E and I needs credit. The guest first gives WINDOW bytes of credit, and
 *    later gives each byte back once it is stored or passed on. So at most WINDOW bytes and their
 *    headers wait in the kernel's tty, whose raw queue may drop bytes beyond 4 KiB. Nothing else
 *    needs credit.
 * 4. Output needs no credit. The host always reads, and init's write waits while the line is full.
 * 5. X comes after the output. When the command has ended, init reads its pipes to their end. A
 *    child that the command left behind may hold them open. Then init stops once they are silent
 *    for a while.
 *
 * 6. After D, the line itself is the command's standard output and error, and its standard input is
 *    empty. This works on a kernel whose pipes and sockets do not. What the command writes has no
 *    frames. It ends with the payload of D, which the host has drawn at random, and then frames
 *    follow.
 *
 * init is one process with one loop around ppoll. SIGCHLD is blocked everywhere else:
 *
 *	init					its child
 *	waitpid: no child has ended
 *						ends: SIGCHLD
 *	ppoll
 *
 * The signal waits for ppoll, which then returns at once. If it were handled before, ppoll would
 * sleep for ever.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>

#include "init.h"

#define GREETING     "sluice-guest 1"
#define LINE	     "/dev/ttyS1"
#define WINDOW	     3072
#define HEADER	     3
#define OUTPUT_MAX   4096
#define SILENCE_MS   1000 /* how long init waits for more output */
#define PAGE	     4096
#define STACK_USED   (4 * PAGE)
#define LEFTOVER_MAX (32 << 20) /* how much it reads: 16 slots of 2 MiB */

struct list {
	char *bytes;
	size_t size, capacity;
};

static int line = -1;
static sigset_t unblocked; /* the signal mask of ppoll and of the command */
static pid_t command;
static int status = -1; /* wait status of the command; -1 while it runs */

static struct list arguments, environment, mark; /* mark: the payload of D */
static struct winsize window;

static unsigned char in[8192]; /* bytes from the line that are not yet handled */
static size_t in_size;
static char input[WINDOW]; /* bytes that wait for room in the command's standard input */
static size_t input_size;
static int input_ends;

/* --- the line --- */

static void write_all(int fd, const void *bytes, size_t size)
{
	const char *at = bytes;

	while (size > 0) {
		ssize_t n = write(fd, at, size);

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return;
		if (n > 0) {
			at += n;
			size -= n;
		}
	}
}

/* Sends a frame whose payload is already at frame + HEADER. */
static void send_frame(unsigned char *frame, char type, size_t size)
{
	frame[0] = type;
	frame[1] = size & 0xff;
	frame[2] = size >> 8;
	write_all(line, frame, HEADER + size);
}

static void send(char type, const void *payload, size_t size)
{
	unsigned char frame[HEADER + 64];

	memcpy(frame + HEADER, payload, size);
	send_frame(frame, type, size);
}

static void give_credit(size_t n)
{
	unsigned char le[4] = { n & 0xff, n >> 8 & 0xff, n >> 16 & 0xff, n >> 24 };

	if (n > 0)
		send('W', le, sizeof(le));
}

static int open_line(void)
{
	struct termios t;
	int fd = open(LINE, O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &t) < 0) {
		close(fd);
		return -1;
	}
	cfmakeraw(&t);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	cfsetispeed(&t, B115200);
	cfsetospeed(&t, B115200);
	tcsetattr(fd, TCSANOW, &t);
	return fd;
}

/* --- lists of strings --- */

static void list_add(struct list *l, const void *bytes, size_t size)
{
	if (l->size + size > l->capacity) {
		l->capacity = 2 * (l->size + size);
		l->bytes = realloc(l->bytes, l->capacity);
		if (!l->bytes)
			_exit(126);
	}
	memcpy(l->bytes + l->size, bytes, size);
	l->size += size;
}

static char **list_strings(const struct list *l)
{
	size_t count = 0, at;
	char **strings;

	for (at = 0; at < l->size; at++)
		count += !l->bytes[at];
	strings = calloc(count + 1, sizeof(char *));
	if (!strings)
		_exit(126);
	for (at = 0, count = 0; at < l->size; at += strlen(l->bytes + at) + 1)
		strings[count++] = l->bytes + at;
	return strings;
}

/* --- the command --- */

/* A signal that is ignored does not end ppoll. */
static void on_child(int signal)
{
}

static void start_signals(void)
{
	struct sigaction child = { .sa_handler = on_child };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

static void reap(void)
{
	int ended_status;
	pid_t ended;

	while ((ended = waitpid(-1, &ended_status, WNOHANG)) > 0)
		if (ended == command)
			status = ended_status;
}

/* As poll, but the end of a child ends it as well. */
static int wait_for(struct pollfd *fds, nfds_t nr, int ms)
{
	struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	return ppoll(fds, nr, ms < 0 ? NULL : &limit, &unblocked);
}

/* Becomes the command, which keeps fd 0 to 2. `path` is looked up in PATH. */
static _Noreturn void become_command(const char *path)
{
	char **argv = list_strings(&arguments);
	int error;

	environ = list_strings(&environment);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &unblocked, NULL);
	if (chdir("/root") < 0)
		chdir("/");
	execvp(path, argv);
	error = errno;
	dprintf(2, "%s: %s\n", path, error == ENOENT ? "not found" : strerror(error));
	_exit(127);
}

/* Starts the command on three pipes. ours[] gets our ends. */
static void start_on_pipes(int ours[3])
{
	int ends[3][2];
	int i;

	for (i = 0; i < 3; i++)
		if (pipe2(ends[i], O_CLOEXEC) < 0)
			_exit(126);
	command = fork();
	if (command == 0) {
		setsid();
		dup2(ends[0][0], 0);
		dup2(ends[1][1], 1);
		dup2(ends[2][1], 2);
		become_command(arguments.bytes);
	}
	if (command < 0)
		status = 127 << 8;
	for (i = 0; i < 3; i++) {
		close(ends[i][i != 0]);
		ours[i] = ends[i][i == 0];
	}
	fcntl(ours[0], F_SETFL, O_WRONLY | O_NONBLOCK);
}

/* --- what the host sends --- */

/* Handles one frame. Returns its type. */
static char handle_frame(char type, const unsigned char *payload, size_t size)
{
	switch (type) {
	case 'A':
		list_add(&arguments, payload, size);
		give_credit(size);
		break;
	case 'E':
		list_add(&environment, payload, size);
		give_credit(size);
		break;
	case 'S':
		window.ws_row = payload[0] | payload[1] << 8;
		window.ws_col = payload[2] | payload[3] << 8;
		break;
	case 'I':
		if (size <= sizeof(input) - input_size) {
			memcpy(input + input_size, payload, size);
			input_size += size;
		}
		break;
	case 'Z':
		input_ends = 1;
		break;
	case 'D':
		list_add(&mark, payload, size);
		break;
	}
	return type;
}

static int is_go(char type)
{
	return type == 'G' || type == 'K' || type == 'D';
}

/*
 * Handles the complete frames, up to one that starts the command. Returns the type of the last one.
 */
static char handle_frames(void)
{
	size_t at = 0;
	char type = 0;

	while (!is_go(type) && in_size - at >= HEADER) {
		size_t size = in[at + 1] | in[at + 2] << 8;

		if (in_size - at < HEADER + size)
			break;
		type = handle_frame(in[at], in + at + HEADER, size);
		at += HEADER + size;
	}
	in_size -= at;
	memmove(in, in + at, in_size);
	return type;
}

static char receive(void)
{
	ssize_t n = read(line, in + in_size, sizeof(in) - in_size);

	if (n > 0)
		in_size += n;
	return handle_frames();
}

/* --- the loop --- */

static void close_fd(int *fd)
{
	close(*fd);
	*fd = -1;
}

/*
 * Passes on input. The host gets credit back only for bytes that the command has taken, so it sends
 * no more to a command that reads nothing.
 */
static void feed(int *fd)
{
	ssize_t n = input_size ? write(*fd, input, input_size) : 0;

	if (n > 0) {
		input_size -= n;
		memmove(input, input + n, input_size);
		give_credit(n);
	}
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || (input_ends && !input_size))
		close_fd(fd);
}

static size_t pass_output(int *fd, char type)
{
	static unsigned char frame[HEADER + OUTPUT_MAX];
	ssize_t n = read(*fd, frame + HEADER, OUTPUT_MAX);

	if (n > 0)
		send_frame(frame, type, n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		close_fd(fd);
	return n > 0 ? n : 0;
}

/* Returns how long ppoll may wait. If both outputs are closed, the command is about to end. */
static int patience(const int ours[3])
{
	if (status >= 0)
		return SILENCE_MS;
	return ours[1] < 0 && ours[2] < 0 ? 10 : -1;
}

static void run_on_pipes(void)
{
	enum { LINE_IN, STDIN, STDOUT, STDERR, FDS };
	size_t leftover = 0;
	int ours[3];

	start_on_pipes(ours);
	handle_frames(); /* input may have come together with the frame G */
	while (status < 0 || ((ours[1] >= 0 || ours[2] >= 0) && leftover < LEFTOVER_MAX)) {
		int want_input = input_size || input_ends;
		struct pollfd fds[FDS] = {
			[LINE_IN] = { .fd = line, .events = POLLIN },
			[STDIN] = { .fd = want_input ? ours[0] : -1, .events = POLLOUT },
			[STDOUT] = { .fd = ours[1], .events = POLLIN },
			[STDERR] = { .fd = ours[2], .events = POLLIN },
		};
		int ready = wait_for(fds, FDS, patience(ours));
		size_t passed = 0;

		if (ready == 0 && status >= 0)
			break;
		if (fds[LINE_IN].revents)
			receive();
		if (fds[STDIN].revents)
			feed(&ours[0]);
		if (fds[STDOUT].revents)
			passed += pass_output(&ours[1], '1');
		if (fds[STDERR].revents)
			passed += pass_output(&ours[2], '2');
		if (status >= 0)
			leftover += passed;
		else
			reap();
	}
}

/*
 * Runs a shell on the console, with the command's arguments. The host may still send a new window
 * size.
 */
static void run_on_console(void)
{
	int console = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);

	ioctl(console, TIOCSWINSZ, &window);
	command = fork();
	if (command == 0) {
		take_console();
		become_command("/bin/sh");
	}
	while (status < 0) {
		struct pollfd from_host = { .fd = line, .events = POLLIN };

		wait_for(&from_host, 1, -1);
		if (from_host.revents && receive() == 'S')
			ioctl(console, TIOCSWINSZ, &window);
		reap();
	}
}

/* Runs the command with the line as its output. Nothing here needs a pipe. */
static void run_on_line(void)
{
	pid_t ended;
	int ended_status;

	send('D', "", 0);
	command = fork();
	if (command == 0) {
		int nothing = open("/dev/null", O_RDONLY);

		setsid();
		dup2(nothing, 0);
		dup2(line, 1);
		dup2(line, 2);
		become_command(arguments.bytes);
	}
	if (command < 0)
		status = 127 << 8;
	while (status < 0) {
		ended = waitpid(-1, &ended_status, 0);
		if (ended == command)
			status = ended_status;
	}
	write_all(line, mark.bytes, mark.size);
}

/*
 * The pages that a signal needs later are there from the start, so that no test finds less free
 * memory by then.
 */
static void touch_stack(void)
{
	volatile char room[STACK_USED];

	for (size_t at = 0; at < sizeof(room); at += PAGE)
		room[at] = 0;
}

int main(int argc, char **argv)
{
	unsigned char result;
	char go = 0;

	touch_stack();
	mount_all();
	obey_poweroff();
	line = open_line();
	if (line < 0) {
		execl("/sbin/console-init", "console-init", (char *)NULL);
		power_off();
	}
	send('H', GREETING, strlen(GREETING));
	give_credit(WINDOW);
	while (!is_go(go))
		go = receive();
	start_signals();
	if (go == 'K')
		run_on_console();
	else if (go == 'D')
		run_on_line();
	else
		run_on_pipes();
	result = shell_status(status);
	send('X', &result, 1);
	leave_disks();
	send('Q', "", 0);
	power_off();
}
