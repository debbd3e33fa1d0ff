/*
 * Rows for moving bytes through pipes: by copying them, by reference, and as gifts.
 *
 * SOURCE stands for any file on the disk. Bytes are written to a file of tmpfs.
 */
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "bench.h"

#define SOURCE "/bin/busybox"
#define LARGE  65536u
#define SMALL  4096u

static int pipes[2][2], sockets[2];
static int source = -1, target = -1, null = -1;
static unsigned int pieces; /* of LARGE bytes in SOURCE */
static char *buffer;	    /* LARGE bytes, page-aligned, touched */

static bool files(void)
{
	struct stat st;

	source = open(SOURCE, O_RDONLY);
	null = open("/dev/null", O_WRONLY);
	target = open("/tmp/bench", O_RDWR | O_CREAT | O_TRUNC, 0600);
	unlink("/tmp/bench");
	need(source >= 0 && null >= 0 && target >= 0 && fstat(source, &st) == 0, "files");
	pieces = st.st_size / LARGE;
	return true;
}

static bool all(void)
{
	buffer = mmap(NULL, LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(buffer != MAP_FAILED, "mmap");
	memset(buffer, 'b', LARGE);
	return pipe(pipes[0]) == 0 && pipe(pipes[1]) == 0 && files();
}

/* ---- a writer and a reader ---- */

static bool reader(size_t size)
{
	all();
	if (bench_child() == 0) {
		close(pipes[0][1]);
		while (read(pipes[0][0], buffer, size) > 0)
			;
		_exit(0);
	}
	return true;
}

static bool reader_of_small(void)
{
	return reader(SMALL);
}

static bool reader_of_large(void)
{
	return reader(LARGE);
}

static void write_small(void)
{
	need(write(pipes[0][1], buffer, SMALL) == SMALL, "write");
}

static void write_large(void)
{
	need(write(pipes[0][1], buffer, LARGE) == LARGE, "write");
}

static void drained(void)
{
	int left = 1;

	while (ioctl(pipes[0][0], FIONREAD, &left) == 0 && left)
		sched_yield();
}

/* ---- one task that moves bytes in and takes them out ---- */

static void read_all(int fd, size_t size)
{
	while (size) {
		ssize_t got = read(fd, buffer, size);

		need(got > 0, "read");
		size -= got;
	}
}

/* Moves exactly `size` bytes. Where an offset is NULL, the file's own is used. */
static void move(int from, loff_t *at, int to, loff_t *to_at, size_t size)
{
	while (size) {
		ssize_t moved = splice(from, at, to, to_at, size, SPLICE_F_MOVE);

		need(moved > 0, "splice");
		size -= moved;
	}
}

static bool stream(void)
{
	all();
	return socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0;
}

static void through_socket(void)
{
	need(write(sockets[1], buffer, LARGE) == LARGE, "write");
	read_all(sockets[0], LARGE);
}

static void sendfile_and_read(void)
{
	off_t at = 0;

	need(sendfile(pipes[0][1], source, &at, LARGE) == LARGE, "sendfile");
	read_all(pipes[0][0], LARGE);
}

static void file_to_file(void)
{
	loff_t at = 0, to = 0;

	move(source, &at, pipes[0][1], NULL, LARGE);
	move(pipes[0][0], NULL, target, &to, LARGE);
}

static void file_to_null(size_t size, loff_t at)
{
	move(source, &at, pipes[0][1], NULL, size);
	move(pipes[0][0], NULL, null, NULL, size);
}

static void large_to_null(void)
{
	file_to_null(LARGE, 0);
}

static void small_to_null(void)
{
	file_to_null(SMALL, 0);
}

static bool pipe_full_of_pages(void)
{
	loff_t at = 0;

	all();
	move(source, &at, pipes[0][1], NULL, LARGE);
	return true;
}

static void pipe_to_pipe_and_back(void)
{
	move(pipes[0][0], NULL, pipes[1][1], NULL, LARGE);
	move(pipes[1][0], NULL, pipes[0][1], NULL, LARGE);
}

static void tee_to_null(void)
{
	need(tee(pipes[0][0], pipes[1][1], LARGE, 0) == LARGE, "tee");
	move(pipes[1][0], NULL, null, NULL, LARGE);
}

static void lend_memory(unsigned int flags)
{
	struct iovec whole = { buffer, LARGE };

	need(vmsplice(pipes[0][1], &whole, 1, flags) == LARGE, "vmsplice");
}

static void memory_to_null(void)
{
	lend_memory(0);
	move(pipes[0][0], NULL, null, NULL, LARGE);
}

static void fresh_gift(void)
{
	memset(buffer, 'g', LARGE);
	need(ftruncate(target, 0) == 0, "ftruncate");
}

static void gift_to_file(void)
{
	loff_t at = 0;

	lend_memory(SPLICE_F_GIFT);
	move(pipes[0][0], NULL, target, &at, LARGE);
}

/* ---- a file that is in no cache ---- */

static struct row *cold_row;

static bool cold(void)
{
	all();
	cold_row->per_round = pieces;
	return true;
}

static void forget(void)
{
	need(posix_fadvise(source, 0, 0, POSIX_FADV_DONTNEED) == 0, "fadvise");
}

/* Waits until the last byte has arrived. */
static void cold_to_null(void)
{
	for (unsigned int i = 0; i < pieces; i++)
		file_to_null(LARGE, (loff_t)i * LARGE);
	need(pread(source, buffer, 1, (off_t)pieces * LARGE - 1) == 1, "pread");
}

static struct row rows[] = {
	{ "4 KiB writes to a reader",
	  "a write, a read of as much, and the switches; both tasks' work", .reach = 4500,
	  .rounds = 2000, .setup = reader_of_small, .once = write_small, .finish = drained },
	{ "64 KiB writes to a reader",
	  "a write, the reads of as much, and the switches; both tasks' work", .reach = 37000,
	  .rounds = 200, .setup = reader_of_large, .once = write_large, .finish = drained },
	{ "unix stream, 64 KiB", "a write and a read in one task", .reach = 37000, .rounds = 200,
	  .setup = stream, .once = through_socket },
	{ "sendfile -> pipe -> reader, 64 KiB", "sendfile of a cached file and a read, in one task",
	  .reach = 24000, .rounds = 200, .setup = all, .once = sendfile_and_read },
	{ "cached file -> pipe -> tmpfs file, 64 KiB", "two splices, over the same 16 pages",
	  .reach = 26000, .rounds = 200, .setup = all, .once = file_to_file },
	{ "cold file -> pipe -> null, 64 KiB",
	  "two splices of a piece of a file that is read from the disk, interrupts too; not the waiting",
	  .reach = 15000, .rounds = 10, .setup = cold, .prepare = forget, .once = cold_to_null,
	  .waits = true },
	{ "splice cached file -> pipe -> null, 64 KiB", "two splices", .reach = 2500, .rounds = 500,
	  .setup = all, .once = large_to_null },
	{ "splice cached file -> pipe -> null, 4 KiB", "two splices", .reach = 1450, .rounds = 1000,
	  .setup = all, .once = small_to_null },
	{ "splice pipe -> pipe, 64 KiB", "one splice of 16 slots", .reach = 500, .rounds = 1000,
	  .per_round = 2, .setup = pipe_full_of_pages, .once = pipe_to_pipe_and_back },
	{ "tee -> null, 64 KiB", "a tee of 16 slots and a splice", .reach = 1300, .rounds = 500,
	  .setup = pipe_full_of_pages, .once = tee_to_null },
	{ "vmsplice -> null, 64 KiB", "a vmsplice of 16 pages and a splice", .reach = 3000,
	  .rounds = 500, .setup = all, .once = memory_to_null },
	{ "vmsplice GIFT -> tmpfs file, 64 KiB",
	  "a vmsplice of 16 pages and a splice into an empty file; not the touching of the pages",
	  .reach = 6000, .rounds = 200, .setup = all, .prepare = fresh_gift, .once = gift_to_file },
};

int main(int argc, char **argv)
{
	const unsigned int nr = sizeof(rows) / sizeof(rows[0]);

	for (cold_row = rows; !cold_row->waits; cold_row++)
		;
	return bench_main(argc, argv, rows, nr);
}
