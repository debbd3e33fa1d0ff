/*
 * Chains of pipes on bytes that have not arrived, and everything that may end while they are on
 * their way: waits, readers, caches, mounts and processes. The gate says when a disk answers.
 */
#include "gate.h"
#include "text_files.h"
#include <sys/sendfile.h>
#include <sys/socket.h>

#define BYTES 65536
#define LINKS 4

static int pipes[LINKS][2];

/* The gate holds known bytes, none cached, and is closed; there are LINKS pipes. */
static void prepare(void)
{
	gate_fill(BYTES);
	for (int i = 0; i < LINKS; i++)
		CHECK_EQ(pipe(pipes[i]), 0);
	gate_control("close");
}

static void lazy(int to, loff_t at, size_t n)
{
	CHECK_EQ(splice(gate, &at, to, NULL, n, 0), n);
}

static int tmp_file(void)
{
	int fd = open("/tmp/chains", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	unlink("/tmp/chains");
	return fd;
}

/* Nothing of what is in the pipe can be read now. */
static void expect_on_its_way(int fd)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int n = -1;

	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
}

/* A child that takes all of the pipe's bytes into the file; it exits with 0. */
static pid_t start_drain(int from, int file)
{
	pid_t child = fork();

	CHECK(child >= 0);
	if (!child) {
		size_t done = 0;
		ssize_t n;

		while (done < BYTES && (n = splice(from, NULL, file, NULL, BYTES - done, 0)) > 0)
			done += n;
		_exit(done != BYTES);
	}
	test_sleep_ms(50);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	return child;
}

//BOOK: test-nobody-asks
BEYOND_TEST(
	nobody_asks, 20,
	"file, pipe, tee, pipe, pipe, file: nothing is waited for until the last file needs bytes",
	NO_GATE)
{
	int file = tmp_file();
	long tasks;
	pid_t child;

	prepare();
	tasks = value_of("/proc/leaks", "tasks");
	lazy(pipes[0][1], 0, BYTES);
	CHECK_EQ(tee(pipes[0][0], pipes[1][1], BYTES, 0), BYTES);
	CHECK_EQ(splice(pipes[1][0], NULL, pipes[2][1], NULL, BYTES, 0), BYTES);
	CHECK_EQ(splice(pipes[2][0], NULL, pipes[3][1], NULL, BYTES, 0), BYTES);
	CHECK_EQ(value_of("/proc/leaks", "tasks"), tasks);
	expect_on_its_way(pipes[0][0]);
	expect_on_its_way(pipes[3][0]);
	CHECK_ERR(splice(pipes[3][0], NULL, file, NULL, BYTES, SPLICE_F_NONBLOCK), EAGAIN);
	child = start_drain(pipes[3][0], file);
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(file, back, BYTES, 0), BYTES);
	CHECK_EQ(test_differs(back, BYTES, SEED, 0), BYTES);
	expect(pipes[0][0], 0, BYTES);
}

//BOOK: test-tee-and-socket
BEYOND_TEST(
	tee_and_socket, 20,
	"file, pipe, tee, pipe, socket, pipe, file: only the last file waits, or who reads the tee",
	NO_GATE)
{
	int file = tmp_file(), s[2], n = -1;
	long tasks;
	pid_t child;

	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, s), 0);
	prepare();
	tasks = value_of("/proc/leaks", "tasks");
	lazy(pipes[0][1], 0, BYTES);
	CHECK_EQ(tee(pipes[0][0], pipes[1][1], BYTES, 0), BYTES);
	CHECK_EQ(splice(pipes[1][0], NULL, s[0], NULL, BYTES, 0), BYTES);
	expect_on_its_way(s[1]);
	CHECK_ERR(recv(s[1], back, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(splice(s[1], NULL, pipes[2][1], NULL, BYTES, 0), BYTES);
	CHECK_EQ(ioctl(s[1], FIONREAD, &n), 0);
	CHECK_EQ(n, 0);
	expect_on_its_way(pipes[2][0]);
	CHECK_EQ(value_of("/proc/leaks", "tasks"), tasks);
	CHECK_ERR(splice(pipes[2][0], NULL, file, NULL, BYTES, SPLICE_F_NONBLOCK), EAGAIN);
	child = start_drain(pipes[2][0], file);
	expect_on_its_way(pipes[0][0]);
	gate_control("reverse");
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(pread(file, back, BYTES, 0), BYTES);
	CHECK_EQ(test_differs(back, BYTES, SEED, 0), BYTES);
	expect(pipes[0][0], 0, BYTES);
}

BEYOND_TEST(pieces, 20, "a chain in pieces that are no pages, the ends of which are shared",
	    NO_GATE)
{
	prepare();
	lazy(pipes[0][1], 100, 20000);
	for (int n = 0; n < 20000; n += 2500) {
		CHECK_EQ(splice(pipes[0][0], NULL, pipes[1][1], NULL, 2500, 0), 2500);
		CHECK_EQ(tee(pipes[1][0], pipes[2][1], 1000, 0), 1000);
		CHECK_EQ(splice(pipes[1][0], NULL, pipes[3][1], NULL, 2500, 0), 2500);
		expect_on_its_way(pipes[3][0]);
		if (n == 5000)
			gate_control("open");
		if (n == 5000)
			expect(pipes[3][0], 100, 7500);
		else if (n > 5000)
			expect(pipes[3][0], 100 + n, 2500);
		if (n >= 5000)
			break;
	}
	for (int n = 0; n <= 5000; n += 2500)
		expect(pipes[2][0], 100 + n, 1000);
	expect(pipes[0][0], 100 + 7500, 12500);
}

/* ---- waits end ---- */

static void handler(int sig)
{
	(void)sig;
}

/* Each needs bytes that do not come. */
static ssize_t wait_read(int file)
{
	(void)file;
	return read(pipes[0][0], back, 4096);
}
static ssize_t wait_splice(int file)
{
	return splice(pipes[0][0], NULL, file, NULL, 4096, 0);
}
static ssize_t wait_vmsplice(int file)
{
	struct iovec segment = { back, 4096 };

	(void)file;
	return vmsplice(pipes[0][0], &segment, 1, 0);
}
static ssize_t wait_poll(int file)
{
	struct pollfd p = { pipes[0][0], POLLIN, 0 };

	(void)file;
	return poll(&p, 1, -1);
}
static ssize_t wait_pread(int file)
{
	(void)file;
	return pread(gate, back, 4096, 0);
}
static ssize_t wait_pwrite(int file)
{
	(void)file;
	return pwrite(gate, "partly", 6, 10);
}
static ssize_t wait_sendfile(int file)
{
	off_t at = 0;

	return sendfile(file, gate, &at, 4096);
}

static const struct {
	const char *name;
	ssize_t (*run)(int file);
	bool interruptible;
} waits[] = {
	{ "read", wait_read, true },	      { "splice", wait_splice, true },
	{ "vmsplice", wait_vmsplice, true },  { "poll", wait_poll, true },
	{ "pread", wait_pread, false },	      { "pwrite", wait_pwrite, false },
	{ "sendfile", wait_sendfile, false },
};
#define WAITS (int)(sizeof(waits) / sizeof(waits[0]))

static pid_t start(int wait, int file)
{
	struct sigaction action = { .sa_handler = handler };
	pid_t child;

	sigaction(SIGUSR1, &action, NULL);
	child = fork();
	CHECK(child >= 0);
	if (!child)
		_exit(waits[wait].run(file) < 0 && errno == EINTR ? 42 : 1);
	test_sleep_ms(60);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0); /* it waits */
	return child;
}

BEYOND_TEST(signals_interrupt, 30, "a signal ends a wait for bytes of a pipe with EINTR", NO_GATE)
{
	int file = tmp_file();

	prepare();
	lazy(pipes[0][1], 0, 4096);
	for (int i = 0; i < WAITS; i++) {
		pid_t child;

		if (!waits[i].interruptible)
			continue;
		child = start(i, file);
		printf("# %s\n", waits[i].name);
		CHECK_EQ(kill(child, SIGUSR1), 0);
		CHECK_EQ(test_wait(child), 42);
	}
	gate_control("open");
	expect(pipes[0][0], 0, 4096);
}

//BOOK: test-every-wait-ends
BEYOND_TEST(kill_ends_all_waits, 30, "SIGKILL ends every wait for a disk", NO_GATE)
{
	int file = tmp_file();

	prepare();
	lazy(pipes[0][1], 0, 4096);
	for (int i = 0; i < WAITS; i++) {
		pid_t child = start(i, file);

		printf("# %s\n", waits[i].name);
		CHECK_EQ(kill(child, SIGKILL), 0);
		CHECK_EQ(test_wait(child), 128 + SIGKILL);
	}
	gate_control("open");
	expect(pipes[0][0], 0, 4096);
}

BEYOND_TEST(short_count, 20, "what was moved before the wait is what a call returns", NO_GATE)
{
	int file = tmp_file();

	prepare();
	CHECK_EQ(write(pipes[0][1], "here", 4), 4);
	lazy(pipes[0][1], 0, 4096);
	CHECK_EQ(splice(pipes[0][0], NULL, file, NULL, 4100, 0), 4);
	CHECK_EQ(pread(file, back, 100, 0), 4);
	CHECK_EQ(memcmp(back, "here", 4), 0);
	gate_control("open");
	expect(pipes[0][0], 0, 4096);
}

/* ---- what ends with reads in flight ---- */

BEYOND_TEST(caches_dropped, 20, "drop_caches with reads in flight frees no page under the device",
	    NO_GATE)
{
	prepare();
	lazy(pipes[0][1], 0, BYTES);
	drop_caches("3");
	gate_control("reverse");
	gate_control("open");
	expect(pipes[0][0], 0, BYTES);
}

BEYOND_TEST(device_flushed, 20,
	    "a raw disk's cache is emptied once its reads have ended, and the pipe keeps its bytes",
	    NO_GATE)
{
	pid_t child;

	prepare();
	lazy(pipes[0][1], 0, BYTES);
	child = fork();
	if (!child)
		_exit(ioctl(gate, BLKFLSBUF, 0) != 0);
	test_sleep_ms(50);
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	expect(pipes[0][0], 0, BYTES);
}

BEYOND_TEST(chain_closed, 20,
	    "a chain that is closed, and a process that ends, leave the reads alone", NO_GATE)
{
	pid_t child;

	prepare();
	child = fork();
	if (!child) {
		lazy(pipes[0][1], 0, BYTES);
		CHECK_EQ(tee(pipes[0][0], pipes[1][1], BYTES, 0), BYTES);
		kill(getpid(), SIGKILL);
	}
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	for (int i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
	gate_control("open");
	CHECK_EQ(pread(gate, back, BYTES, 0), BYTES);
	CHECK_EQ(test_differs(back, BYTES, SEED, 0), BYTES);
}

static void mount_gate(void)
{
	gate_mount();
	for (int i = 0; i < LINKS; i++)
		CHECK_EQ(pipe(pipes[i]), 0);
}

/* Start reads of the mounted gate, and a child that unmounts it. Returns the child. */
static pid_t umount_with_reads(void)
{
	int file;
	pid_t child;

	mount_gate();
	file = gate_open_cold();
	gate_control("close");
	CHECK_EQ(splice(file, NULL, pipes[0][1], NULL, DIRECT_SIZE, 0), DIRECT_SIZE);
	close(file);
	child = fork();
	if (!child)
		_exit(umount("/mnt") < 0 ? errno : 0);
	test_sleep_ms(50);
	return child;
}

BEYOND_TEST(unmounted, 20,
	    "umount with reads in flight: it is busy, or waits for them; the pipe keeps its bytes",
	    NO_GATE)
{
	int status;
	pid_t child;

	child = umount_with_reads();
	gate_control("open");
	status = test_wait(child);
	CHECK(status == 0 || status == EBUSY);
	CHECK_EQ(read_full(pipes[0][0], back, DIRECT_SIZE), DIRECT_SIZE);
	CHECK_EQ(test_differs(back, DIRECT_SIZE, IMAGE_SEED, 0), DIRECT_SIZE);
	CHECK(status == 0 || umount("/mnt") == 0);
}

BEYOND_TEST(unmount_killed, 20,
	    "umount that waits for reads in flight is ended by SIGKILL, and the mount stays",
	    NO_GATE)
{
	int status;
	pid_t child;

	child = umount_with_reads();
	CHECK(contents("/proc/mounts")[0] != 0);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	gate_control("open");
	CHECK_EQ(read_full(pipes[0][0], back, DIRECT_SIZE), DIRECT_SIZE);
	CHECK_EQ(test_differs(back, DIRECT_SIZE, IMAGE_SEED, 0), DIRECT_SIZE);
	CHECK_EQ(umount("/mnt"), 0);
}
