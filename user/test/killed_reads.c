/*
 * A task that has started to read a page is killed, or finds no memory, before the disk has got its
 * request: where the page is on the disk must be read first. Nothing is wrong with the page, and
 * nobody else may notice.
 */
#include "background.h"
#include "gate.h"
#include "text_files.h"
#include <sys/sendfile.h>

/* undone.h has a buffer of this name for its own files. */
#define back undone_back
#undef SEED
#include "undone.h"
#undef back

#define AT    (12 * 4096) /* of the first page of /mnt/big whose block an indirect block names */
#define PIECE 3000	  /* bytes there, as tests/images has it */

static int file;

/* The file is open, and neither its page nor its indirect block is in memory. */
static void open_cold(void)
{
	gate_mount();
	file = open("/mnt/big", O_RDONLY);
	CHECK(file >= 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	drop_caches("1");
}

static void finish(void)
{
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

static void check_page(const char *page)
{
	CHECK_EQ(test_differs(page, PIECE, IMAGE_SEED, AT), PIECE);
}

static void read_it(void)
{
	CHECK_EQ(pread(file, back, 4096, AT), 4096);
	check_page(back);
}

static void map_it(void)
{
	const char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, AT);

	CHECK(page != MAP_FAILED);
	check_page(page);
}

static void splice_it(void)
{
	loff_t at = AT;
	int ends[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(file, &at, ends[1], NULL, 4096, 0), 4096);
	CHECK_EQ(read(ends[0], back, 4096), 4096);
	check_page(back);
}

static void send_it(void)
{
	int copy = open("/tmp/copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
	loff_t at = AT;

	CHECK(copy >= 0);
	CHECK_EQ(unlink("/tmp/copy"), 0);
	CHECK_EQ(sendfile(copy, file, &at, 4096), 4096);
	CHECK_EQ(pread(copy, back, 4096, 0), 4096);
	check_page(back);
}

static void (*const ways[])(void) = { read_it, map_it, splice_it, send_it };

#define NR_WAYS (int)(sizeof(ways) / sizeof(*ways))

/* Start a child that reads the page, and waits for the indirect block. */
static pid_t start_reading(void)
{
	pid_t child;

	gate_control("close");
	child = in_background(read_it);
	await_at_gate(0);
	return child;
}

static void kill_it(pid_t child)
{
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

BEYOND_TEST(waiting, 30, "a reader is killed while others wait for the page that it reads", NO_GATE)
{
	for (int i = 0; i < NR_WAYS; i++) {
		pid_t first, second;

		open_cold();
		first = start_reading();
		second = in_background(ways[i]);
		test_sleep_ms(50); /* so that it waits, too */
		kill_it(first);
		gate_control("open");
		CHECK_EQ(test_wait(second), 0);
		finish();
	}
}

BEYOND_TEST(later, 30, "a reader is killed, and then others read the page", NO_GATE)
{
	for (int i = 0; i < NR_WAYS; i++) {
		open_cold();
		kill_it(start_reading());
		gate_control("open");
		CHECK_EQ(in_child(ways[i]), 0);
		finish();
	}
}

static long read_page(void)
{
	return pread(file, back, 4096, AT);
}

static void (*way)(void);

static void read_other_way(void)
{
	CHECK_EQ(in_child(way), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	drop_caches("1");
}

BEYOND_TEST(no_memory, 60, "a reader finds no memory, and then others read the page", NO_NTH)
{
	for (int i = 0; i < NR_WAYS; i++) {
		open_cold();
		way = ways[i];
		CHECK_EQ(until_it_succeeds(read_page, read_other_way), 4096);
		finish();
	}
}
