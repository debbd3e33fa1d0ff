/*
 * Pipes under load: many writers and many readers at once.
 */
#include "pipe.h"

/*
 * Records from several writers to several readers, each with its writer and number: none is lost,
 * doubled or torn.
 */
struct record {
	uint32_t writer, number, len, sum;
};

static uint32_t record_sum(const struct record *record, uint32_t value)
{
	return record->writer * 2654435761u ^ record->number * 2246822519u ^ value;
}

static void write_records(uint32_t writer, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		struct record record = { writer, i, 16, 0 };

		record.sum = record_sum(&record, record.len);
		if (write(ends[1], &record, sizeof(record)) != sizeof(record))
			_exit(1);
	}
	_exit(0);
}

static void stress(int writers, int readers, uint32_t each)
{
	uint8_t *seen = mmap(NULL, writers * each, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t children[16];
	int nr = 0;

	CHECK(seen != MAP_FAILED);
	make_pipe(0);
	for (int w = 0; w < writers; w++)
		if (!(children[nr++] = fork()))
			write_records(w, each);
	for (int r = 0; r < readers; r++) {
		struct record record;

		if ((children[nr++] = fork()))
			continue;
		close(ends[1]);
		while (read(ends[0], &record, sizeof(record)) == sizeof(record)) {
			if (record.writer >= (uint32_t)writers || record.number >= each ||
			    record.sum != record_sum(&record, 16))
				_exit(2);
			if (__sync_fetch_and_add(&seen[record.writer * each + record.number], 1))
				_exit(3);
		}
		_exit(0);
	}
	close(ends[0]);
	close(ends[1]);
	for (int i = 0; i < nr; i++)
		CHECK_EQ(test_wait(children[i]), 0);
	for (uint32_t i = 0; i < writers * each; i++)
		CHECK_EQ(seen[i], 1);
}

TEST(two_writers_two_readers, 120,
     "a million small writes of two writers to two readers: each arrives once")
{
	stress(2, 2, 500000);
}

TEST(many_of_both, 60, "eight writers, four readers")
{
	stress(8, 4, 5000);
}

TEST(atomic_under_load, 30, "writes of PIPE_BUF from four writers never interleave")
{
	pid_t children[4];

	make_pipe(0);
	for (int w = 0; w < 4; w++) {
		if ((children[w] = fork()))
			continue;
		memset(big, 'a' + w, PIPE_BUF_SIZE);
		for (int i = 0; i < 200; i++)
			if (write(ends[1], big, PIPE_BUF_SIZE - w) != PIPE_BUF_SIZE - w)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	for (;;) {
		ssize_t n = read(ends[0], back, 1), len;

		if (n == 0)
			break;
		CHECK_EQ(n, 1);
		CHECK(back[0] >= 'a' && back[0] <= 'd');
		len = PIPE_BUF_SIZE - (back[0] - 'a');
		CHECK_EQ(read_full(ends[0], back + 1, len - 1), len - 1);
		for (int i = 1; i < len; i++)
			CHECK_EQ(back[i], back[0]);
	}
	for (int w = 0; w < 4; w++)
		CHECK_EQ(test_wait(children[w]), 0);
}
