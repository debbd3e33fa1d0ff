/*
 * Several readers and writers on one FIFO, in all the ways there are, while others resize it, open
 * and close it and send signals: every byte is accounted for.
 *
 * 1. What is written consists of records of 16 bytes that name their writer and their place in his
 *    stream. All lengths are whole records, so every read gets whole ones.
 * 2. Readers count each record in memory that all share. At the end each one that a writer was told
 *    it has written has been counted once, and no other; a reader has met those of one writer in
 *    order.
 */
#include "random.h"
#include "test.h"

#define WRITERS	 3
#define READERS	 3
#define OTHERS	 2
#define RECORDS	 (1 << 20) /* of one writer */
#define MOST	 4096	   /* records in one call */
#define RUN_MS	 6000
#define FIFO	 "/tmp/stress"
#define CHANGES	 "in Linux a later write to the page shows through in the pipe"
#define PIECE(n) ((n) * sizeof(struct record))

struct record {
	uint32_t writer, number, check, zero;
};

static struct shared {
	unsigned int written[WRITERS];
	int ending;
	unsigned char seen[WRITERS][RECORDS];
} * shared;

static void on_signal(int sig)
{
	(void)sig;
}

/* The last call failed with this error. */
static void expect_error(int expected)
{
	int error = errno;

	CHECK_EQ(error, expected);
}

static struct record buffer[MOST] __attribute__((aligned(4096)));

/* Short ones, or up to 64 KiB. */
static unsigned int some_records(void)
{
	return 1 + random_below(random_below(4) ? 64 : MOST);
}

static int open_fifo(int mode)
{
	int fd = open(FIFO, mode | O_NONBLOCK);

	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	return fd;
}

/* Now and then another descriptor. */
static void reopen(int *fd, int mode)
{
	if (random_below(300) || shared->ending)
		return;
	close(*fd);
	*fd = open_fifo(mode);
}

/* ---- writers ---- */

static void write_stream(unsigned int writer, bool lend)
{
	long long end = test_ms() + RUN_MS;
	unsigned int number = 0;
	int fd = open_fifo(O_WRONLY);

	while (test_ms() < end && number < RECORDS - MOST) {
		unsigned int n = some_records();
		struct iovec segment = { buffer, PIECE(n) };
		ssize_t done;

		for (unsigned int i = 0; i < n; i++)
			buffer[i] = (struct record){ writer, number + i, ~(number + i), 0 };
		if (lend && random_below(2))
			done = vmsplice(fd, &segment, 1, 0);
		else
			done = write(fd, buffer, PIECE(n));
		if (done < 0) {
			expect_error(EINTR);
			continue;
		}
		CHECK_EQ(done % sizeof(struct record), 0);
		number += done / sizeof(struct record);
		shared->written[writer] = number;
		reopen(&fd, O_WRONLY);
	}
	close(fd);
}

/* ---- readers ---- */

static unsigned int next_number[WRITERS];

static void account(const struct record *records, ssize_t bytes)
{
	CHECK_EQ(bytes % sizeof(*records), 0);
	for (unsigned int i = 0; i < bytes / sizeof(*records); i++) {
		const struct record *r = &records[i];

		CHECK(r->writer < WRITERS && r->number < RECORDS);
		CHECK_EQ(r->check, ~r->number);
		CHECK_EQ(r->zero, 0);
		CHECK(r->number >= next_number[r->writer]);
		next_number[r->writer] = r->number + 1;
		__sync_fetch_and_add(&shared->seen[r->writer][r->number], 1);
	}
}

static ssize_t read_some(int fd)
{
	ssize_t n = read(fd, buffer, PIECE(some_records()));

	if (n > 0)
		account(buffer, n);
	return n;
}

static ssize_t read_after_poll(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, -1) < 0 ? -1 : read_some(fd);
}

/* By way of a pipe of our own; what tee shows first is what then comes. */
static ssize_t read_by_pipe(int fd)
{
	static struct record before[64];
	static int own[2] = { -1, -1 };
	ssize_t n, left;

	if (own[0] < 0)
		CHECK_EQ(pipe(own), 0);
	n = splice(fd, NULL, own[1], NULL, PIECE(some_records()), 0);
	if (n > 0 && random_below(2)) {
		int other[2];
		ssize_t shown;

		CHECK_EQ(pipe(other), 0);
		shown = tee(own[0], other[1], sizeof(before), SPLICE_F_NONBLOCK);
		CHECK(shown > 0 && shown <= n);
		CHECK_EQ(read_full(other[0], before, shown), shown);
		close(other[0]);
		close(other[1]);
		CHECK_EQ(before[0].check, ~before[0].number);
	}
	for (left = n; left > 0;) {
		ssize_t got = read(own[0], buffer,
				   left < (ssize_t)sizeof(buffer) ? left : (ssize_t)sizeof(buffer));

		if (got < 0 && errno == EINTR)
			continue;
		CHECK(got > 0);
		account(buffer, got);
		left -= got;
	}
	return n;
}

static ssize_t read_by_file(int fd)
{
	static int file = -1;
	loff_t at = 0;
	ssize_t n;

	if (file < 0) {
		char path[32];

		snprintf(path, sizeof(path), "/tmp/stress-%d", getpid());
		file = open(path, O_RDWR | O_CREAT, 0600);
		CHECK(file >= 0);
		unlink(path);
	}
	n = splice(fd, NULL, file, &at, PIECE(some_records()), 0);
	if (n > 0) {
		CHECK_EQ(pread(file, buffer, n, 0), n);
		account(buffer, n);
	}
	return n;
}

static void read_stream(void)
{
	static ssize_t (*const ways[])(int) = { read_some, read_after_poll, read_by_pipe,
						read_by_file };
	int fd = open_fifo(O_RDONLY);

	for (;;) {
		ssize_t n;

		n = ways[random_below(4)](fd);
		if (n == 0)
			break;
		if (n < 0)
			expect_error(EINTR);
		reopen(&fd, O_RDONLY);
	}
}

/* ---- and those who disturb ---- */

static void disturb(const pid_t *tasks, unsigned int nr)
{
	int fd = open_fifo(O_RDONLY);

	while (!shared->ending) {
		int slots = 1 << random_below(7);

		if (fcntl(fd, F_SETPIPE_SZ, slots * 4096) < 0)
			expect_error(EBUSY);
		kill(tasks[random_below(nr)], SIGUSR1);
		if (random_below(8) == 0)
			test_sleep_ms(1);
	}
}

static pid_t start(unsigned int seed)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child)
		random_state = seed * 2654435761u + 1;
	return child;
}

static void all_accounted(void)
{
	unsigned int all = 0;

	for (unsigned int w = 0; w < WRITERS; w++) {
		CHECK(shared->written[w] > 0);
		for (unsigned int i = 0; i < RECORDS; i++)
			CHECK_EQ(shared->seen[w][i], i < shared->written[w]);
		all += shared->written[w];
	}
	printf("# %u records\n", all);
}

static void stress(bool lend)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t tasks[WRITERS + READERS], others[OTHERS];
	int keep, reader;

	sigaction(SIGUSR1, &action, NULL);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	CHECK(shared != MAP_FAILED);
	unlink(FIFO);
	CHECK_EQ(mkfifo(FIFO, 0600), 0);
	keep = open(FIFO, O_RDWR);
	reader = open_fifo(O_RDONLY);
	for (unsigned int i = 0; i < WRITERS + READERS; i++) {
		tasks[i] = start(i + 1);
		if (tasks[i])
			continue;
		close(keep);
		close(reader);
		if (i < WRITERS)
			write_stream(i, lend);
		else
			read_stream();
		_exit(0);
	}
	for (unsigned int i = 0; i < OTHERS; i++) {
		others[i] = start(i + 100);
		if (!others[i]) {
			close(keep);
			disturb(tasks, WRITERS + READERS);
			_exit(0);
		}
	}
	for (unsigned int i = 0; i < WRITERS; i++)
		CHECK_EQ(test_wait(tasks[i]), 0);
	shared->ending = 1;
	for (unsigned int i = 0; i < OTHERS; i++)
		CHECK_EQ(test_wait(others[i]), 0);
	close(keep);
	for (unsigned int i = WRITERS; i < WRITERS + READERS; i++)
		CHECK_EQ(test_wait(tasks[i]), 0);
	CHECK_EQ(unlink(FIFO), 0);
	all_accounted();
}

//BOOK: test-every-byte
TEST(every_byte, 90,
     "three writers, three readers, resizes, closes and signals: every byte once and in order")
{
	stress(false);
}

BEYOND_TEST(lent_memory, 90, "the same, while writers lend memory that they write to at once",
	    CHANGES)
{
	stress(true);
}

/* ---- the same under kill ---- */

static void disorder(int pipes[3][2])
{
	static char junk[65536];

	for (;;) {
		int a = random_below(3), b = (a + 1 + random_below(2)) % 3;
		struct iovec segment = { junk, 1 + random_below(sizeof(junk)) };

		switch (random_below(7)) {
		case 0:
			(void)!write(pipes[a][1], junk, segment.iov_len);
			break;
		case 1:
			(void)!read(pipes[a][0], junk, segment.iov_len);
			break;
		case 2:
			splice(pipes[a][0], NULL, pipes[b][1], NULL, segment.iov_len, 0);
			break;
		case 3:
			tee(pipes[a][0], pipes[b][1], segment.iov_len, SPLICE_F_NONBLOCK);
			break;
		case 4:
			vmsplice(pipes[a][1], &segment, 1, random_below(2) ? SPLICE_F_GIFT : 0);
			break;
		case 5:
			fcntl(pipes[a][0], F_SETPIPE_SZ, 4096 << random_below(6));
			break;
		case 6:
			(void)!read(pipes[a][0], junk, segment.iov_len);
			break;
		}
	}
}

TEST(killed, 60, "tasks killed at any point of any pipe's operation leave the pipes fit for use")
{
	long long end = test_ms() + RUN_MS / 2;
	int pipes[3][2];
	pid_t tasks[6] = { 0 };
	unsigned int killed = 0;
	char text[8];

	random_state = 17;
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pipe(pipes[i]), 0);
	while (test_ms() < end) {
		unsigned int i = random_below(6);

		if (tasks[i]) {
			CHECK_EQ(kill(tasks[i], SIGKILL), 0);
			CHECK_EQ(test_wait(tasks[i]), 128 + SIGKILL);
			killed++;
		}
		tasks[i] = start(killed + 10 + i);
		if (!tasks[i])
			disorder(pipes);
		if (random_below(2))
			test_sleep_ms(random_below(4));
	}
	for (unsigned int i = 0; i < 6; i++) {
		if (!tasks[i])
			continue;
		CHECK_EQ(kill(tasks[i], SIGKILL), 0);
		CHECK_EQ(test_wait(tasks[i]), 128 + SIGKILL);
	}
	printf("# %u killed\n", killed);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(fcntl(pipes[i][0], F_SETFL, O_NONBLOCK), 0);
		while (read(pipes[i][0], buffer, sizeof(buffer)) > 0)
			;
		CHECK_EQ(write(pipes[i][1], "still", 5), 5);
		CHECK_EQ(read(pipes[i][0], text, 8), 5);
		CHECK_EQ(memcmp(text, "still", 5), 0);
	}
}
