/*
 * Laziness, shown with the gate device: its completions come when the test says so, and no clock is
 * needed. The data lies on /dev/gate0 itself; the last cases mount a file system from it.
 */
#include "test.h"
#include <sys/mount.h>
#include <sys/sendfile.h>

#ifndef BLKFLSBUF
#define BLKFLSBUF 0x1261
#endif

#define NO_GATE "lacks /proc/gate: Linux has no gate device and waits for the disk in splice"
#define MIB	(1 << 20)
#define SEED	11

static int gate, ends[2], other[2];
static char data[MIB], back[2 * MIB];

static void control(const char *command)
{
	int fd = test_open_own("/proc/gate", O_WRONLY);

	CHECK_EQ(write(fd, command, strlen(command)), strlen(command));
	close(fd);
}

/* The first MiB of the gate holds known bytes, none of them cached; the gate is closed. */
static void prepare(void)
{
	control("open");
	gate = open("/dev/gate0", O_RDWR);
	CHECK(gate >= 0);
	test_fill(data, MIB, SEED, 0);
	CHECK_EQ(pwrite(gate, data, MIB, 0), MIB);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(other), 0);
	control("close");
}

static short poll_now(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static void nonblocking(int fd, bool on)
{
	CHECK_EQ(fcntl(fd, F_SETFL, on ? O_NONBLOCK : 0), 0);
}

/* Splice `n` bytes from `at` while the gate is closed. */
static void lazy(loff_t at, size_t n)
{
	CHECK_EQ(splice(gate, &at, ends[1], NULL, n, 0), n);
}

static void expect(int fd, size_t from, size_t n)
{
	CHECK_EQ(read_full(fd, back, n), n);
	CHECK_EQ(test_differs(back, n, SEED, from), n);
}

static long count(const char *what)
{
	char name[64];
	long value, found = -1;
	FILE *file = fopen("/proc/leaks", "r");

	CHECK(file != NULL);
	while (fscanf(file, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, what))
			found = value;
	fclose(file);
	return found;
}

/* Slots of all pipes that are still on their way. */
static int on_their_way(void)
{
	char line[256];
	int n = 0;
	FILE *file = fopen("/proc/pipes", "r");

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, "on its way") != NULL;
	fclose(file);
	return n;
}

BEYOND_TEST(returns_at_once, 20,
	    "a cold splice of 1 MiB returns with 256 pages on their way and no task added", NO_GATE)
{
	long tasks;
	int n = -1;

	prepare();
	tasks = count("tasks");
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	lazy(0, MIB);
	CHECK_EQ(on_their_way(), 256);
	CHECK_EQ(count("tasks"), tasks);
	CHECK_EQ(ioctl(ends[0], FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	control("open");
	expect(ends[0], 0, MIB);
}

//BOOK: test-tells-the-truth
BEYOND_TEST(tells_the_truth, 20,
	    "on their way: poll says nothing, O_NONBLOCK read EAGAIN, then both see them", NO_GATE)
{
	prepare();
	lazy(0, 65536);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	nonblocking(ends[0], true);
	CHECK_ERR(read(ends[0], back, 100), EAGAIN);
	control("open");
	nonblocking(ends[0], false);
	CHECK_EQ(read(ends[0], back, 1), 1);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	expect(ends[0], 1, 65535);
}

BEYOND_TEST(hangup_waits, 20, "POLLHUP does not show while the first slot is on its way", NO_GATE)
{
	prepare();
	lazy(0, 4096);
	close(ends[1]);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	control("open");
	expect(ends[0], 0, 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLHUP);
	CHECK_EQ(read(ends[0], back, 1), 0);
}

BEYOND_TEST(poller_wakes, 20, "the arrival of the first page wakes a poller", NO_GATE)
{
	struct pollfd p;
	pid_t child;

	prepare();
	lazy(0, 8192);
	child = fork();
	if (!child) {
		test_sleep_ms(100);
		control("open");
		_exit(0);
	}
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	CHECK_EQ(poll(&p, 1, 15000), 1);
	CHECK_EQ(p.revents, POLLIN);
	expect(ends[0], 0, 8192);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(readers_wake, 20, "the arrival of the pages wakes readers that wait", NO_GATE)
{
	pid_t children[3];

	prepare();
	lazy(0, 12288);
	for (int i = 0; i < 3; i++)
		if (!(children[i] = fork()))
			_exit(read_full(ends[0], back, 4096) != 4096);
	test_sleep_ms(100);
	control("open");
	for (int i = 0; i < 3; i++)
		CHECK_EQ(test_wait(children[i]), 0);
}

//BOOK: test-writer-is-not-held-up
BEYOND_TEST(writer_is_not_held_up, 20,
	    "a reader that waits for the disk blocks no writer and no other reader", NO_GATE)
{
	pid_t reader;

	prepare();
	lazy(0, 4096);
	reader = fork();
	if (!reader)
		_exit(read_full(ends[0], back, 4096) != 4096);
	test_sleep_ms(100);
	CHECK_EQ(write(ends[1], "behind", 6), 6);
	nonblocking(ends[0], true);
	CHECK_ERR(read(ends[0], back, 1), EAGAIN);
	nonblocking(ends[0], false);
	control("open");
	CHECK_EQ(test_wait(reader), 0);
	CHECK_EQ(read_full(ends[0], back, 6), 6);
	CHECK(!memcmp(back, "behind", 6));
}

BEYOND_TEST(moves_on, 20, "slots on their way move to a second pipe, by splice and by tee", NO_GATE)
{
	int third[2];

	prepare();
	CHECK_EQ(pipe(third), 0);
	lazy(0, 16384);
	CHECK_EQ(tee(ends[0], third[1], 16384, 0), 16384);
	CHECK_EQ(splice(ends[0], NULL, other[1], NULL, 16384, 0), 16384);
	CHECK_EQ(poll_now(other[0], POLLIN), 0);
	CHECK_EQ(poll_now(third[0], POLLIN), 0);
	control("open");
	expect(other[0], 0, 16384);
	expect(third[0], 0, 16384);
}

BEYOND_TEST(null_waits_for_nothing, 20, "/dev/null takes slots that have not arrived", NO_GATE)
{
	int null = open("/dev/null", O_WRONLY);

	prepare();
	lazy(0, 65536);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 65536, 0), 65536);
	CHECK_EQ(on_their_way(), 0);
	control("open");
	CHECK_EQ(pread(gate, back, 65536, 0), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 0), 65536);
}

BEYOND_TEST(short_read_stops, 20, "a read that has copied something stops before a slot on its way",
	    NO_GATE)
{
	prepare();
	CHECK_EQ(write(ends[1], "first", 5), 5);
	lazy(0, 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_EQ(read(ends[0], back, 10000), 5);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	control("open");
	expect(ends[0], 0, 4096);
}

BEYOND_TEST(out_of_order, 20, "completions in reverse order: the stream stays in order", NO_GATE)
{
	prepare();
	for (int i = 0; i < 8; i++)
		lazy((loff_t)i * 131072, 4096);
	control("reverse");
	control("open");
	for (int i = 0; i < 8; i++)
		expect(ends[0], i * 131072, 4096);
}

//BOOK: test-error-in-its-place
BEYOND_TEST(error_in_its_place, 20,
	    "a failed read is EIO after all that stands before it, and heals", NO_GATE)
{
	prepare();
	CHECK_EQ(write(ends[1], "before", 6), 6);
	lazy(0, 4096);
	control("fail 1");
	CHECK_EQ(write(ends[1], "after", 5), 5);
	control("open");
	CHECK_EQ(read(ends[0], back, 100000), 6);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_ERR(read(ends[0], back, 100000), EIO);
	expect(ends[0], 0, 4096);
	CHECK_EQ(read(ends[0], back, 100), 5);
	CHECK(!memcmp(back, "after", 5));
}

BEYOND_TEST(signal_interrupts, 20,
	    "a signal interrupts a reader that waits for the disk, SIGKILL always", NO_GATE)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	pid_t child;
	int status;

	prepare();
	lazy(0, 4096);
	for (int sig = SIGTERM; sig; sig = sig == SIGTERM ? SIGKILL : 0) {
		sigaction(SIGUSR1, &action, NULL);
		child = fork();
		if (!child)
			_exit(read(ends[0], back, 4096) > 0);
		test_sleep_ms(100);
		CHECK_EQ(kill(child, sig), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == sig);
	}
	control("open");
	expect(ends[0], 0, 4096);
}

BEYOND_TEST(exit_with_reads_in_flight, 20,
	    "a process ends with its reads in flight: nothing hangs, nothing leaks", NO_GATE)
{
	pid_t child;

	prepare();
	child = fork();
	if (!child) {
		int own[2];
		loff_t at = 65536;

		_exit(pipe(own) || splice(gate, &at, own[1], NULL, 65536, 0) != 65536);
	}
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (!child) {
		int own[2];
		loff_t at = 262144;

		if (pipe(own) || splice(gate, &at, own[1], NULL, 4096, 0) != 4096)
			_exit(1);
		_exit(read(own[0], back, 4096)); /* the pipe waits for its first page */
	}
	test_sleep_ms(100);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	for (int i = 0; i < 100; i++) { /* other pipes take the memory of the one that is gone */
		int own[2];

		CHECK_EQ(pipe(own), 0);
	}
	control("open");
	CHECK_EQ(pread(gate, back, 65536, 65536), 65536);
	CHECK_EQ(test_differs(back, 65536, SEED, 65536), 65536);
}

BEYOND_TEST(readers_follow, 20, "who waits for a page gets what follows when that goes elsewhere",
	    NO_GATE)
{
	int null = open("/dev/null", O_WRONLY);
	pid_t child;

	prepare();
	lazy(0, 4096);
	CHECK_EQ(write(ends[1], "behind", 6), 6);
	child = fork();
	if (!child)
		_exit(read(ends[0], back, 4096) != 6);
	test_sleep_ms(100);
	CHECK_EQ(splice(ends[0], NULL, null, NULL, 4096, 0), 4096);
	CHECK_EQ(test_wait(child), 0);
}

BEYOND_TEST(lost_page, 20,
	    "a page that left its file before it was read is ENODATA, once, and the rest follows",
	    NO_GATE)
{
	prepare();
	lazy(0, 4096);
	lazy(MIB / 2, 4096);
	control("fail 1");
	control("open");
	control("fail 0");
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	/* The whole page is written: the one that could not be read is in no file any more. */
	CHECK_EQ(pwrite(gate, data + 8192, 4096, 0), 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), POLLIN);
	CHECK_ERR(read(ends[0], back, 4096), ENODATA);
	expect(ends[0], MIB / 2, 4096);
}

BEYOND_TEST(killed_at_the_mutex, 20,
	    "who waits for a pipe whose slots are on their way to a disk can be killed", NO_GATE)
{
	loff_t at = 0;
	pid_t taker, child;

	prepare();
	CHECK_EQ(write(ends[1], data + 4096, 4096), 4096);
	taker = fork();
	if (!taker)
		_exit(splice(ends[0], NULL, gate, &at, 4096, 0) != 4096);
	test_sleep_ms(100);
	for (int i = 0; i < 4; i++) {
		child = fork();
		if (!child) {
			int null = open("/dev/null", O_WRONLY);

			_exit(i == 0   ? read(ends[0], back, 1)
			      : i == 1 ? splice(ends[0], NULL, null, NULL, 1, 0)
			      : i == 2 ? tee(ends[0], other[1], 1, 0)
				       : fcntl(ends[0], F_SETPIPE_SZ, MIB));
		}
		test_sleep_ms(50);
		CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(test_wait(child), 128 + SIGKILL);
	}
	control("open");
	CHECK_EQ(test_wait(taker), 0);
}

BEYOND_TEST(asleep_with_bytes, 20,
	    "who waits for a disk in the middle of a copy goes on with the same bytes", NO_GATE)
{
	loff_t at = 0;
	pid_t child;
	int own[2];

	prepare();
	CHECK_EQ(pipe(own), 0);
	/* The cache has a page that cannot go, so it must be written to, once it has been read. */
	CHECK_EQ(splice(gate, &at, other[1], NULL, 4096, 0), 4096);
	CHECK_EQ(write(ends[1], data + 8192, 512), 512);
	child = fork();
	if (!child) {
		at = 512;
		_exit(splice(ends[0], NULL, gate, &at, 512, 0) != 512);
	}
	test_sleep_ms(100);
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(write(own[1], back, 4096), 4096);
		CHECK_EQ(read(own[0], back, 4096), 4096);
	}
	control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(gate, back, 1024, 0), 1024);
	CHECK_EQ(test_differs(back, 512, SEED, 0), 512);
	CHECK_EQ(test_differs(back + 512, 512, SEED, 8192), 512);
	expect(other[0], 0, 4096);
}

BEYOND_TEST(write_to_a_page_on_its_way, 20,
	    "a write to a page on its way waits, and the pipe keeps the old bytes", NO_GATE)
{
	pid_t child;

	prepare();
	lazy(0, 4096);
	child = fork();
	if (!child) {
		memset(data, 'N', 4096);
		_exit(pwrite(gate, data, 4096, 0) != 4096);
	}
	test_sleep_ms(100);
	control("open");
	CHECK_EQ(test_wait(child), 0);
	expect(ends[0], 0, 4096);
	CHECK_EQ(pread(gate, back, 4096, 0), 4096);
	CHECK_EQ(back[17], 'N');
}

BEYOND_TEST(pass_some, 20, "requests that the gate lets through arrive, the others stay away",
	    NO_GATE)
{
	prepare();
	lazy(0, 4096);
	lazy(524288, 4096);
	control("pass 1");
	expect(ends[0], 0, 4096);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	control("open");
	expect(ends[0], 524288, 4096);
}

/* ---- a file system on the gate ---- */

#define IMAGE	    "/test/data/ext2-4k"
#define IMAGE_SEED  21		/* as tests/images has it */
#define DIRECT_SIZE (12 * 4096) /* of its file `direct`, whose blocks the inode itself names */

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "3", 1), 1);
	close(fd);
}

static void mount_gate(void)
{
	int image = open(IMAGE, O_RDONLY);
	ssize_t n;

	control("open");
	umount("/mnt"); /* what a failed case left */
	gate = open("/dev/gate0", O_RDWR);
	CHECK(gate >= 0 && image >= 0);
	while ((n = read(image, data, sizeof(data))) > 0)
		CHECK_EQ(write_full(gate, data, n), n);
	CHECK_EQ(fsync(gate), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	close(image);
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(pipe(ends), 0);
}

BEYOND_TEST(cold_file, 20,
	    "a cold splice of a file of a mounted disk returns while the gate is closed", NO_GATE)
{
	int file;

	mount_gate();
	file = open("/mnt/direct", O_RDONLY);
	CHECK(file >= 0);
	CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	control("close");
	CHECK_EQ(splice(file, NULL, ends[1], NULL, DIRECT_SIZE, 0), DIRECT_SIZE);
	CHECK_EQ(on_their_way(), 12);
	CHECK_EQ(poll_now(ends[0], POLLIN), 0);
	close(file);
	control("open");
	CHECK_EQ(read_full(ends[0], back, DIRECT_SIZE), DIRECT_SIZE);
	CHECK_EQ(test_differs(back, DIRECT_SIZE, IMAGE_SEED, 0), DIRECT_SIZE);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(failed_neighbour, 20,
	    "a page whose read failed does not come into a mapping with its neighbour's fault",
	    NO_GATE)
{
	const char *at;
	int file;

	mount_gate();
	file = open("/mnt/direct", O_RDONLY);
	CHECK(file >= 0);
	CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	control("fail 1");
	CHECK_ERR(pread(file, back, 4096, 5 * 4096), EIO);
	CHECK_EQ(pread(file, back, 4096, 3 * 4096), 4096);
	at = mmap(NULL, DIRECT_SIZE, PROT_READ, MAP_SHARED, file, 0);
	CHECK(at != MAP_FAILED);
	close(file);
	CHECK_EQ(test_differs(at + 3 * 4096, 4096, IMAGE_SEED, 3 * 4096), 4096);
	CHECK_EQ(test_differs(at, DIRECT_SIZE, IMAGE_SEED, 0), DIRECT_SIZE);
	CHECK_EQ(munmap((void *)at, DIRECT_SIZE), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(fault_holds_nobody, 20,
	    "a reader and a writer whose memory must be read from a disk hold up no others",
	    NO_GATE)
{
	pid_t reader, writer;
	int file;
	char *at;

	mount_gate();
	file = open("/mnt/direct", O_RDONLY);
	CHECK(file >= 0);
	CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	at = mmap(NULL, DIRECT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	CHECK(at != MAP_FAILED);
	close(file);
	control("close");
	CHECK_EQ(write(ends[1], "hello", 5), 5);
	reader = fork();
	if (!reader)
		_exit(read(ends[0], at, 5) <= 0);
	writer = fork();
	if (!writer)
		_exit(write(ends[1], at + 32768, 4) != 4);
	test_sleep_ms(100);
	CHECK_EQ(write(ends[1], "again", 5), 5);
	CHECK_EQ(read(ends[0], back, 100), 10);
	CHECK(!memcmp(back, "helloagain", 10));
	control("open");
	/* The one has its memory now, and the other what it wrote. */
	CHECK_EQ(test_wait(writer), 0);
	CHECK_EQ(test_wait(reader), 0);
	CHECK_EQ(munmap(at, DIRECT_SIZE), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(cold_file_fails, 20,
	    "its EIO stands in its place: what was read before it comes first, and it heals",
	    NO_GATE)
{
	static const int pages[] = {
		11, 5, 0
	}; /* in an order that is not read ahead: a request for each */
	int file;

	mount_gate();
	file = open("/mnt/direct", O_RDONLY);
	CHECK(file >= 0);
	CHECK_EQ(posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED), 0);
	control("close");
	for (int i = 0; i < 3; i++) {
		loff_t at = pages[i] * 4096;

		CHECK_EQ(splice(file, &at, ends[1], NULL, 4096, 0), 4096);
	}
	control("pass 1");
	control("fail 1");
	control("open");
	CHECK_EQ(read(ends[0], back, 12288), 4096);
	CHECK_ERR(read(ends[0], back, 8192), EIO);
	CHECK_EQ(test_differs(back, 4096, IMAGE_SEED, pages[0] * 4096), 4096);
	for (int i = 1; i < 3; i++) {
		CHECK_EQ(read_full(ends[0], back, 4096), 4096);
		CHECK_EQ(test_differs(back, 4096, IMAGE_SEED, pages[i] * 4096), 4096);
	}
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(metadata_fails, 20, "a failed read of metadata is EIO, and the next try succeeds",
	    NO_GATE)
{
	struct stat st;
	int file;

	mount_gate();
	drop_caches();
	control("fail 1");
	CHECK_ERR(stat("/mnt/small/file", &st), EIO);
	CHECK_EQ(stat("/mnt/small/file", &st), 0);
	file = open("/mnt/big", O_RDONLY);
	CHECK(file >= 0);
	drop_caches();
	control("fail 1");
	CHECK_ERR(pread(file, back, 100, 12 * 4096), EIO);
	CHECK_EQ(pread(file, back, 100, 12 * 4096), 100);
	CHECK_EQ(test_differs(back, 100, IMAGE_SEED, 12 * 4096), 100);
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
	control("fail 1");
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	CHECK_ERR(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), EIO);
	control("fail 0");
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

BEYOND_TEST(killed_while_mounting, 20,
	    "mount waits for its disk, and nothing is lost when it comes at last", NO_GATE)
{
	pid_t child;

	mount_gate();
	CHECK_EQ(umount("/mnt"), 0);
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	control("close");
	child = fork();
	if (!child)
		_exit(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL) != 0);
	test_sleep_ms(50);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	control("open");
	test_wait(child);
	umount("/mnt");
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	CHECK_EQ(umount("/mnt"), 0);
}

#define UNUSED (3 * MIB) /* behind the image */

static void wait_in_read(void)
{
	pread(gate, back, 4096, UNUSED);
}
static void wait_in_fault(void)
{
	int file = open("/mnt/direct", O_RDONLY);

	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	back[0] += *(volatile char *)mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 4096);
}
static void wait_in_part_write(void)
{
	pwrite(gate, back, 10, UNUSED + 4096);
}
static void wait_in_fsync(void)
{
	pwrite(gate, back, 4096, UNUSED + 8192);
	fsync(gate);
}
static void wait_in_sendfile(void)
{
	loff_t at = UNUSED + 12288;

	sendfile64(open("/tmp/copy", O_RDWR | O_CREAT, 0600), gate, &at, 4096);
}
static void wait_in_pipe_to_file(void)
{
	loff_t at = UNUSED + 16384;

	splice(gate, &at, ends[1], NULL, 4096, 0);
	splice(ends[0], NULL, open("/tmp/copy", O_RDWR | O_CREAT, 0600), NULL, 4096, 0);
}
static void wait_in_lookup(void)
{
	open("/mnt/small/file", O_RDONLY);
}

BEYOND_TEST(killed_while_waiting, 20,
	    "whoever waits for the disk's bytes is ended by SIGKILL, while the disk is silent",
	    NO_GATE)
{
	static void (*const waits[])(void) = {
		wait_in_read,	  wait_in_fault,	wait_in_part_write, wait_in_fsync,
		wait_in_sendfile, wait_in_pipe_to_file, wait_in_lookup,
	};

	mount_gate();
	drop_caches();
	CHECK_EQ(ioctl(gate, BLKFLSBUF, 0), 0);
	for (unsigned int i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
		int status;
		pid_t child;

		control("close");
		child = fork();
		if (!child) {
			waits[i]();
			_exit(i);
		}
		test_sleep_ms(30);
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(waitpid(child, &status, 0), child);
		CHECK_EQ(status, SIGKILL);
		control("open");
	}
	unlink("/tmp/copy");
	CHECK_EQ(umount("/mnt"), 0);
}

/* ---- from a pipe to the disk ---- */

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

	prepare();
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	test_fill(data, MIB, SEED + 1, 0);
	CHECK_EQ(write(ends[1], data, MIB), MIB);
	child = splicer(0, MIB, MIB);
	for (int i = 0; i < 500 && held() < 16; i++)
		test_sleep_ms(10);
	CHECK_EQ(held(), 16);
	control("open");
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

	prepare();
	CHECK_EQ(fcntl(ends[1], F_SETPIPE_SZ, MIB), MIB);
	CHECK_EQ(write(ends[1], data + 4096, 128 << 10), 128 << 10);
	child = splicer(0, 128 << 10, 64 << 10);
	for (int i = 0; i < 500 && held() < 2; i++)
		test_sleep_ms(10);
	control("pass 1");
	control("fail 1");
	control("open");
	ended_well(child);
	control("fail 1");
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

	prepare();
	control("open");
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

	prepare();
	control("open");
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
