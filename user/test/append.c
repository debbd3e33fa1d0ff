/*
 * A reader behind a writer that appends: it sees the bytes that were written, and none that were
 * not, however the size and the bytes come to it.
 */
#include "test.h"
#include <pthread.h>
#include <sched.h>
#include <sys/sendfile.h>

#define NAME   "/tmp/append"
#define PIECE  3000
#define PIECES 1000 /* 3 MB in a file, and then the next file */
#define ROUNDS 8

static char buf[PIECE], back[4096];
static volatile bool stop;
static int pieces = PIECES;
static int source, ends[2];

static void by_write(int fd)
{
	CHECK_EQ(write(fd, buf, PIECE), PIECE);
}

static void by_writev(int fd)
{
	struct iovec halves[] = { { buf, PIECE / 2 }, { NULL, 0 }, { buf, PIECE / 2 } };

	CHECK_EQ(writev(fd, halves, 3), PIECE);
}

/* From a mapping whose page is not there: the copy stops in the middle, and goes on. */
static void by_cold_mapping(int fd)
{
	char *map = mmap(NULL, PIECE, PROT_READ, MAP_SHARED, source, 0);
	struct iovec halves[] = { { buf, PIECE / 2 }, { map, PIECE / 2 } };

	CHECK(map != MAP_FAILED);
	CHECK_EQ(writev(fd, halves, 2), PIECE);
	CHECK_EQ(munmap(map, PIECE), 0);
}

static void by_splice(int fd)
{
	CHECK_EQ(write(ends[1], buf, PIECE), PIECE);
	CHECK_EQ(splice(ends[0], NULL, fd, NULL, PIECE, 0), PIECE);
}

static void by_sendfile(int fd)
{
	off_t at = 0;

	CHECK_EQ(sendfile(fd, source, &at, PIECE), PIECE);
}

struct way {
	void (*append)(int fd);
	int fd;
};

static void *writer(void *arg)
{
	struct way *way = arg;

	for (int i = 0; i < pieces; i++)
		way->append(way->fd);
	stop = true;
	return NULL;
}

static void follow_once(void (*append)(int fd))
{
	struct way way = { append, open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600) };
	int fd = open(NAME, O_RDONLY);
	off_t at = 0, end = PIECE * pieces;
	pthread_t thread;

	CHECK(fd >= 0 && way.fd >= 0);
	memset(buf, 'A', PIECE);
	source = open(NAME "-source", O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(source >= 0);
	CHECK_EQ(write(source, buf, PIECE), PIECE);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pthread_create(&thread, NULL, writer, &way), 0);
	while (at < end) {
		bool ended = stop;
		ssize_t n = pread(fd, back, sizeof(back), at);

		CHECK(n >= 0 && (n > 0 || !ended));
		for (ssize_t i = 0; i < n; i++)
			if (back[i] != 'A')
				test_fail(__FILE__, __LINE__, "byte %lld is %#x", (long long)at + i,
					  back[i]);
		at += n;
		if (n == 0)
			sched_yield();
	}
	CHECK_EQ(pthread_join(thread, NULL), 0);
	for (int i = 0; i < 2; i++)
		close(ends[i]);
	close(way.fd);
	close(source);
	close(fd);
	CHECK_EQ(unlink(NAME), 0);
	CHECK_EQ(unlink(NAME "-source"), 0);
}

static void follow(void (*append)(int fd))
{
	for (int i = 0; i < ROUNDS; i++) {
		stop = false;
		follow_once(append);
	}
}

TEST(written, 30, "behind write(2)")
{
	follow(by_write);
}

TEST(gathered, 30, "behind writev(2)")
{
	follow(by_writev);
}

TEST(from_a_cold_mapping, 60, "behind writev(2) from memory that is not there yet")
{
	pieces = PIECES / 10; /* every mapping that goes interrupts the reader's CPU */
	follow(by_cold_mapping);
}

TEST(spliced, 30, "behind splice from a pipe")
{
	follow(by_splice);
}

TEST(sent, 30, "behind sendfile from a file")
{
	follow(by_sendfile);
}
