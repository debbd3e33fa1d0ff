/*
 * ring: draws the slots of pipes, as /proc/pipes lists them.
 *
 *	ring			draws a pipe between a slow writer and a slow reader, again and
 *				again
 *	ring PIPE		draws the pipe with this number (`pipe:[PIPE]` in /proc/PID/fd)
 *	ring all		draws every pipe
 *	ring -1 [PIPE|all]	draws once, without moving the cursor
 *
 * A cell is a place in the ring. A letter says the kind of its slot: a for written bytes, c for a
 * page of a file, u for user memory. The more bytes the slot has, the more letters are in the cell.
 * A slot whose bytes are on their way has dots, and a failed one has exclamation marks. A > is
 * before the slot that is read first.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define CELL	    7  /* characters in a cell */
#define CELLS_A_ROW 8  /* at most; fewer on a narrow terminal */
#define HEADER_LEN  72 /* columns that the line about a pipe needs */
#define MAX_CELLS   64 /* of a larger ring only so many are drawn */
#define FRAME_MS    100

struct slot {
	char kind[16], state[16];
	unsigned int offset, len;
};

struct ring {
	unsigned int number, used, nr, first, readers, writers;
	unsigned int nr_slots;
	struct slot slots[MAX_CELLS];
};

static volatile sig_atomic_t stop;
static bool colours;

static void on_signal(int signo)
{
	stop = 1;
}

static void colour(const char *code)
{
	if (colours)
		printf("\033[%sm", code);
}

static void draw_cell(const struct ring *ring, unsigned int place)
{
	unsigned int at = (place - ring->first) & (ring->nr - 1);
	const struct slot *slot = at < ring->nr_slots ? &ring->slots[at] : NULL;
	unsigned int filled = 0;
	char mark = ' ';

	if (slot) {
		bool here = strcmp(slot->state, "here") == 0,
		     way = strcmp(slot->state, "on its way") == 0;

		mark = here ? slot->kind[0] : way ? '.' : '!';
		filled = (slot->len * CELL + 4095) / 4096;
		if (filled > CELL)
			filled = CELL;
		colour(here ? "32" : way ? "33" : "31");
	}
	putchar(place == ring->first ? '>' : '|');
	for (unsigned int i = 0; i < CELL; i++)
		putchar(i < filled ? mark : ' ');
	if (slot)
		colour("0");
}

/* Returns the number of columns of the terminal, or 80 if the output is no terminal. */
static unsigned int width(void)
{
	struct winsize size = { 0 };

	return ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* Returns a power of two, so that all rows of a ring have the same length. */
static unsigned int cells_a_row(unsigned int columns)
{
	unsigned int cells = CELLS_A_ROW;

	while (cells > 1 && cells * (CELL + 1) + 1 > columns)
		cells /= 2;
	return cells;
}

static void draw(const struct ring *ring)
{
	unsigned int columns = width(), row = cells_a_row(columns);
	const char *clear = colours ? "\033[K" : "";
	unsigned int cells = ring->nr < MAX_CELLS ? ring->nr : MAX_CELLS;
	unsigned int bytes = 0;

	for (unsigned int i = 0; i < ring->nr_slots; i++)
		bytes += ring->slots[i].len;
	printf("pipe %u: %u of %u slots, %u%s bytes,", ring->number, ring->used, ring->nr, bytes,
	       ring->used > ring->nr_slots ? "+" : "");
	if (columns < HEADER_LEN)
		printf("%s\n ", clear);
	printf(" %u readers, %u writers%s\n", ring->readers, ring->writers, clear);
	for (unsigned int place = 0; place < cells; place++) {
		draw_cell(ring, place);
		if (place % row == row - 1 || place == cells - 1)
			puts("|");
	}
	if (cells < ring->nr)
		printf("... and %u places more\n", ring->nr - cells);
	putchar('\n');
}

/*
 * Draws the pipe with this number, or all pipes if it is 0. Returns how many, or -1 without
 * /proc/pipes.
 */
static int draw_pipes(unsigned int wanted)
{
	FILE *file = fopen("/proc/pipes", "r");
	struct ring ring = { 0 };
	char line[256];
	int drawn = 0;

	if (!file)
		return -1;
	for (;;) {
		bool more = fgets(line, sizeof(line), file) != NULL;
		struct slot slot;

		if (!more || strncmp(line, "pipe ", 5) == 0) {
			if (ring.nr && (wanted == 0 || ring.number == wanted)) {
				draw(&ring);
				drawn++;
			}
			memset(&ring, 0, sizeof(ring));
			if (!more)
				break;
			sscanf(line, "pipe %u: %u of %u slots, first at %u, %u readers, %u writers",
			       &ring.number, &ring.used, &ring.nr, &ring.first, &ring.readers,
			       &ring.writers);
		} else if (ring.nr_slots < MAX_CELLS &&
			   sscanf(line, " %15s page %*s offset %u length %u %15[^\n]", slot.kind,
				  &slot.offset, &slot.len, slot.state) == 4) {
			ring.slots[ring.nr_slots++] = slot;
		}
	}
	fclose(file);
	return drawn;
}

static void pause_ms(unsigned int ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

/* Makes small writes, which merge, and large ones, and sometimes splices pages of a file. */
static void slow_writer(int out)
{
	static char bytes[16384];
	int file = open("/proc/self/exe", O_RDONLY);
	loff_t offset = 0;

	memset(bytes, 'x', sizeof(bytes));
	for (;;) {
		int what = rand() % 8;

		if (what == 0 && file >= 0) {
			if (splice(file, &offset, out, NULL, 3 * 4096 + 500, 0) <= 0)
				offset = 0;
		} else if (write(out, bytes,
				 what < 6 ? 200 + rand() % 900 : 4096 + rand() % 12000) < 0) {
			_exit(0);
		}
		pause_ms(50 + rand() % 300);
	}
}

static void slow_reader(int in)
{
	static char bytes[16384];

	for (;;) {
		/* Sometimes the writer is faster, and sometimes there is nothing to read. */
		int size = rand() % 16 == 0 ? (int)sizeof(bytes) : 300 + rand() % 3000;

		if (read(in, bytes, size) <= 0)
			_exit(0);
		pause_ms(50 + rand() % 300);
	}
}

static pid_t start(void (*function)(int), int fd, int other)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(other);
		srand(time(NULL) * 31 + fd);
		function(fd);
	}
	return pid;
}

/* Makes a pipe with its own writer and reader. Returns its number. We keep no end open. */
static unsigned int start_demo(pid_t children[2])
{
	struct stat st;
	int ends[2];

	if (pipe(ends) < 0 || fstat(ends[0], &st) < 0) {
		perror("ring: pipe");
		exit(1);
	}
	children[0] = start(slow_writer, ends[1], ends[0]);
	children[1] = start(slow_reader, ends[0], ends[1]);
	close(ends[0]);
	close(ends[1]);
	return st.st_ino;
}

/* Draws until the user types q or ^C, or the pipe is gone. */
static int watch(unsigned int number)
{
	struct pollfd keyboard = { 0, POLLIN, 0 };
	struct termios saved, raw;
	bool terminal = tcgetattr(0, &saved) == 0;
	int drawn = 1;
	char key = 0;

	if (terminal) {
		raw = saved;
		raw.c_lflag &= ~(ICANON | ECHO);
		tcsetattr(0, TCSANOW, &raw);
	}
	printf("\033[2J");
	while (!stop && key != 'q' && drawn > 0) {
		printf("\033[H");
		drawn = draw_pipes(number);
		printf("%s\033[J", terminal ? "q ends" : "^C ends");
		fflush(stdout);
		if (terminal && poll(&keyboard, 1, FRAME_MS) > 0)
			key = read(0, &key, 1) == 1 ? key : 'q';
		else if (!terminal)
			pause_ms(FRAME_MS);
	}
	if (terminal)
		tcsetattr(0, TCSANOW, &saved);
	putchar('\n');
	return drawn;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t children[2] = { 0, 0 };
	unsigned int number = 0;
	bool once = false;
	int drawn;

	if (argc > 1 && strcmp(argv[1], "-1") == 0) {
		once = true;
		argc--;
		argv++;
	}
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "all") != 0 &&
			 (number = strtoul(argv[1], NULL, 10)) == 0)) {
		fprintf(stderr, "usage: ring [-1] [PIPE | all]\n");
		return 2;
	}
	colours = !once || isatty(1);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (argc == 1 && access("/proc/pipes", R_OK) == 0)
		number = start_demo(children);
	if (once && children[0])
		pause_ms(1000);
	drawn = once ? draw_pipes(number) : watch(number);
	for (int i = 0; i < 2; i++) {
		if (children[i] > 0) {
			kill(children[i], SIGKILL);
			waitpid(children[i], NULL, 0);
		}
	}
	if (drawn < 0)
		perror("ring: /proc/pipes");
	else if (drawn == 0)
		printf("ring: there is no such pipe; cat /proc/pipes lists the pipes\n");
	return drawn > 0 ? 0 : 1;
}
