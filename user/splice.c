/*
 * splice FILE: moves FILE into standard output, which must be a pipe, with splice(2).
 * splice -c FILE: the same, but drops the file from the page cache first, so that its bytes have to
 *                 come from the disk.
 * splice -t: copies the slots of standard input, a pipe, to standard output, another one, with
 *            tee(2). They stay in standard input until the program is killed.
 *
 * The pages are moved as they are, and the program never touches a byte of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE (64 * 1024)

static void fail(const char *what)
{
	fprintf(stderr, "splice: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * Drops all clean pages of the file. drop_caches removes those that are in use by read-ahead, and
 * needs root.
 */
static void make_cold(int file)
{
	int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	if (drop >= 0) {
		(void)!write(drop, "1\n", 2);
		close(drop);
	}
}

static void splice_file(const char *path, int cold)
{
	int file = open(path, O_RDONLY);
	ssize_t n;

	if (file < 0)
		fail(path);
	if (cold)
		make_cold(file);
	while ((n = splice(file, NULL, STDOUT_FILENO, NULL, AT_ONCE, 0)) > 0)
		;
	if (n < 0)
		fail("splice");
}

static void tee_pipe(void)
{
	ssize_t n = tee(STDIN_FILENO, STDOUT_FILENO, AT_ONCE, 0);

	if (n < 0)
		fail("tee");
	fprintf(stderr, "splice: %zd bytes are in both pipes\n", n);
	pause();
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "-t") == 0)
		tee_pipe();
	else if (argc == 3 && strcmp(argv[1], "-c") == 0)
		splice_file(argv[2], 1);
	else if (argc == 2 && argv[1][0] != '-')
		splice_file(argv[1], 0);
	else {
		fprintf(stderr, "usage: splice [-c] FILE | ..., or ... | splice -t | ...\n");
		return 2;
	}
	return 0;
}
