/*
 * From a pipe to the gate: slots that become requests of the disk, and who waits for those.
 */
#include "gate.h"

static int ends[2], other[2];

static int held(void)
{
	char line[64];
	int n = -1;
	FILE *file = fopen("/proc/gate", "r");

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "held %d", &n);
	fclose(file);
	return n;
}

/* A child that splices n bytes of the pipe to the gate; ends with 0 if it moved `moved`. */
static pid_t splicer(loff_t at, size_t n, ssize_t moved)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0)
		_exit(splice(ends[0], NULL, gate, &at, n, 0) != moved);
	return child;
}

static void ended_well(pid_t child)
{
	int status;

	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
}

BEYOND_TEST(pipe_to_disk, 20, "a pipe's slots go to the disk in many bios at once, past the cache",
	    NO_GATE)
{
	pid_t child;

	gate_prepare(ends, other);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	test_fill(data, MIB, SEED + 1, 0);
	CHECK_EQ(write(ends[1], data, MIB), MIB);
	child = splicer(0, MIB, MIB);
	for (int i = 0; i < 500 && held() < 16; i++)
		test_sleep_ms(10);
	CHECK_EQ(held(), 16);
	gate_control("open");
	ended_well(child);
	CHECK_EQ(pread(gate, back, MIB, 0), MIB);
	CHECK(memcmp(back, data, MIB) == 0);
}

BEYOND_TEST(pipe_to_disk_errors, 20,
	    "an error of the disk is reported, after what was written before it; nothing is lost",
	    NO_GATE)
{
	loff_t at = 0;
	pid_t child;

	gate_prepare(ends, other);
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	CHECK_EQ(write(ends[1], data + 4096, 128 << 10), 128 << 10);
	child = splicer(0, 128 << 10, 64 << 10);
	for (int i = 0; i < 500 && held() < 2; i++)
		test_sleep_ms(10);
	gate_control("pass 1");
	gate_control("fail 1");
	gate_control("open");
	ended_well(child);
	gate_control("fail 1");
	CHECK_ERR(splice(ends[0], NULL, gate, &at, 4096, 0), EIO);
	CHECK_EQ(at, 0);
	at = 64 << 10;
	CHECK_EQ(splice(ends[0], NULL, gate, &at, 64 << 10, 0), 64 << 10);
	CHECK_EQ(pread(gate, back, 128 << 10, 0), 128 << 10);
	CHECK(memcmp(back, data + 4096, 128 << 10) == 0);
}

BEYOND_TEST(
	pipe_to_disk_sectors, 20,
	"what is no whole sector is EINVAL, with what was moved before; the disk's end is ENOSPC",
	NO_GATE)
{
	loff_t at = 512;

	gate_prepare(ends, other);
	gate_control("open");
	CHECK_EQ(write(ends[1], data, 4096), 4096);
	CHECK_EQ(write(ends[1], data, 100), 100);
	CHECK_EQ(splice(ends[0], NULL, gate, &at, 4196, 0), 4096);
	CHECK_ERR(splice(ends[0], NULL, gate, &at, 4196, 0), EINVAL);
	CHECK_EQ(read(ends[0], back, 4096), 100);
	CHECK_EQ(pread(gate, back, 4096, 512), 4096);
	CHECK(memcmp(back, data, 4096) == 0);
	CHECK_EQ(write(ends[1], data, 4096), 4096);
	at = 100;
	CHECK_ERR(splice(ends[0], NULL, gate, &at, 4096, 0), EINVAL);
	at = lseek(gate, 0, SEEK_END);
	CHECK_ERR(splice(ends[0], NULL, gate, &at, 4096, 0), ENOSPC);
}

BEYOND_TEST(pipe_to_disk_and_cache, 20,
	    "bytes spliced to a disk are seen by who reads it, and not by slots of it", NO_GATE)
{
	loff_t at = 0;

	gate_prepare(ends, other);
	gate_control("open");
	CHECK_EQ(splice(gate, &at, other[1], NULL, 8192, 0), 8192);
	CHECK_EQ(pread(gate, back, 16384, 0), 16384);
	CHECK_EQ(pwrite(gate, "dirty", 5, 12288), 5);
	CHECK_EQ(write(ends[1], data + 65536, 16384), 16384);
	at = 0;
	CHECK_EQ(splice(ends[0], NULL, gate, &at, 16384, 0), 16384);
	CHECK_EQ(pread(gate, back, 16384, 0), 16384);
	CHECK(!memcmp(back, data + 65536, 16384));
	CHECK_EQ(read_full(other[0], back, 8192), 8192);
	CHECK(!memcmp(back, data, 8192));
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(gate, back, 16384, 0), 16384);
	CHECK(!memcmp(back, data + 65536, 16384));
}

BEYOND_TEST(pipe_to_silent_disk_killed, 20,
	    "a kill ends a splice to a disk that is silent; the disk still gets the pipe's bytes",
	    NO_GATE)
{
	loff_t at = 0;
	char *fresh;
	pid_t child;
	long tasks;

	gate_prepare(ends, other);
	tasks = value_of("/proc/leaks", "tasks");
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	test_fill(data, MIB, SEED + 1, 0);
	CHECK_EQ(write(ends[1], data, MIB), MIB);
	child = splicer(0, MIB, 0);
	for (int i = 0; i < 500 && held() < 16; i++)
		test_sleep_ms(10);
	CHECK_EQ(held(), 16);
	CHECK_EQ(kill(child, SIGKILL), 0);
	for (int i = 0; i < 200 && waitpid(child, NULL, WNOHANG) == 0; i++)
		test_sleep_ms(10);
	CHECK_ERR(kill(child, 0), ESRCH);
	/* The pipe has its bytes still, and a reader of them does not take them from the disk. */
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 4096, 0), 4096);
	CHECK_EQ(read_full(other[0], back, 4096), 4096);
	CHECK(memcmp(back, data, 4096) == 0);
	close(ends[0]);
	close(ends[1]);
	fresh = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(fresh != MAP_FAILED);
	memset(fresh, 'x', 2 * MIB);
	/* What reads the disk at that place waits for the write. */
	CHECK_EQ(splice(gate, &at, other[1], NULL, 4096, 0), 4096);
	gate_control("open");
	CHECK_EQ(read_full(other[0], back, 4096), 4096);
	CHECK(memcmp(back, data, 4096) == 0);
	CHECK_EQ(pread(gate, back, MIB, 0), MIB);
	CHECK(memcmp(back, data, MIB) == 0);
	for (int i = 0; i < 200 && value_of("/proc/leaks", "tasks") > tasks; i++)
		test_sleep_ms(10);
	CHECK_EQ(value_of("/proc/leaks", "tasks"), tasks);
}

BEYOND_TEST(started_writes, 20,
	    "SYNC_FILE_RANGE_WRITE starts to write, and does not wait for the disk", NO_GATE)
{
	pid_t child;

	gate_fill(MIB);
	gate_control("close");
	test_fill(data, 8192, SEED + 1, 0);
	CHECK_EQ(pwrite(gate, data, 8192, 4096), 8192);
	CHECK_EQ(sync_file_range(gate, 4096, 4096, SYNC_FILE_RANGE_WRITE), 0);
	CHECK(held() > 0);
	/* The page is being written: it is passed over. */
	CHECK_EQ(sync_file_range(gate, 4096, 4096, SYNC_FILE_RANGE_WRITE), 0);
	/* Nothing is being written there, and what is dirty is not started. */
	CHECK_EQ(sync_file_range(gate, 65536, 0, SYNC_FILE_RANGE_WAIT_BEFORE), 0);
	child = fork();
	if (child == 0) {
		CHECK_EQ(sync_file_range(gate, 4096, 4096, SYNC_FILE_RANGE_WAIT_BEFORE), 0);
		_exit(0);
	}
	test_sleep_ms(100);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(sync_file_range(gate, 0, 0, 7), 0);
}
