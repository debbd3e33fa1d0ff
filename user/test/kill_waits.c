/*
 * A kill ends a wait, also one for a lock whose holder waits for a disk. The disk is the gate's,
 * which is closed: a process whose memory lies on it faults, and holds its address space's lock.
 */
#include "gate.h"
#include <sched.h>

#define STACK	   16384
#define FUTEX_WAIT 0

static int file;

/* A file system on the gate, of whose file nothing is cached; the gate is closed. */
static volatile char *cold_memory(void)
{
	volatile char *at;

	gate_mount();
	file = gate_open_cold();
	at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, file, 0);
	CHECK(at != MAP_FAILED);
	gate_control("close");
	return at;
}

static void finish(volatile char *at)
{
	gate_control("open");
	munmap((void *)at, 4096);
	close(file);
	CHECK_EQ(umount("/mnt"), 0);
}

/* The child is asleep; a kill ends it within a second. */
static void expect_killed(pid_t pid, const char *what)
{
	int status;

	CHECK_EQ(kill(pid, SIGKILL), 0);
	for (int ms = 0; ms < 1000; ms += 20) {
		pid_t ended = waitpid(pid, &status, WNOHANG);

		if (ended == pid)
			return;
		CHECK_EQ(ended, 0);
		test_sleep_ms(20);
	}
	gate_control("open");
	test_fail(__FILE__, __LINE__, "%s: not killed within a second", what);
}

/* Start a child that reads a file of /proc/PID, and ends with status 0 if it has read something. */
static pid_t read_proc(pid_t pid, const char *name, char path[64])
{
	pid_t reader;

	snprintf(path, 64, "/proc/%d/%s", pid, name);
	reader = fork();
	if (!reader) {
		int fd = open(path, O_RDONLY);

		_exit(fd < 0 ? 1 : read(fd, data, sizeof(data)) <= 0);
	}
	return reader;
}

BEYOND_TEST(
	proc_of_a_faulting_process, 30,
	"of a process that waits for its disk, ps reads its files at once, and who reads the others can be killed",
	NO_GATE)
{
	static const char *const at_once[] = { "stat", "statm", "status" };
	static const char *const names[] = { "maps", "cmdline" };
	volatile char *at = cold_memory();
	pid_t faulter = fork(), reader;
	char path[64];

	if (!faulter)
		_exit(*at);
	test_sleep_ms(100);
	for (unsigned int i = 0; i < sizeof(at_once) / sizeof(*at_once); i++) {
		int status = -1;

		reader = read_proc(faulter, at_once[i], path);
		for (int ms = 0; ms < 3000 && waitpid(reader, &status, WNOHANG) == 0; ms += 20)
			test_sleep_ms(20);
		CHECK_EQ(status, 0);
	}
	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++) {
		reader = read_proc(faulter, names[i], path);
		test_sleep_ms(100);
		expect_killed(reader, path);
	}
	expect_killed(faulter, "the one that faults");
	finish(at);
}

/* Others wait for the position or the directory that a reader of the disk holds. */
BEYOND_TEST(
	position_of_a_waiting_reader, 20,
	"lseek, read and getdents of a file that another one reads from a silent disk can be killed",
	NO_GATE)
{
	volatile char *at = cold_memory();
	pid_t reader = fork(), other;

	if (!reader)
		_exit(read(file, data, 4096) != 4096);
	test_sleep_ms(100);
	for (int i = 0; i < 2; i++) {
		other = fork();
		if (!other)
			_exit(i ? read(file, data, 1) : lseek(file, 1, SEEK_SET));
		test_sleep_ms(100);
		expect_killed(other, i ? "read" : "lseek");
	}
	expect_killed(reader, "the reader");
	finish(at);
}

static volatile char *touched;

static int touch(void *unused)
{
	(void)unused;
	return *touched;
}

static int sleep_for_ever(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

/*
 * The word lies in a page that the killed task has not touched: it has to fault it in, and the
 * lock is held by a task that shares the memory and waits for the disk.
 */
BEYOND_TEST(
	killed_task_clears_its_tid, 20,
	"a killed task clears its tid and wakes who waits for that, though its memory is locked",
	NO_GATE)
{
	static char stacks[2][STACK] __attribute__((aligned(16)));
	int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t waiter, holder, victim;

	CHECK(word != MAP_FAILED);
	touched = cold_memory();
	waiter = fork();
	if (!waiter) {
		*word = 1;
		while (*(volatile int *)word == 1)
			syscall(SYS_futex, word, FUTEX_WAIT, 1, NULL, NULL, 0);
		_exit(*word != 0);
	}
	test_sleep_ms(100);
	victim =
		clone(sleep_for_ever, stacks[0] + STACK,
		      CLONE_VM | CLONE_FS | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, NULL, word);
	CHECK(victim > 0);
	holder = clone(touch, stacks[1] + STACK, CLONE_VM | CLONE_FS | SIGCHLD, NULL);
	CHECK(holder > 0);
	test_sleep_ms(100);
	CHECK_EQ(kill(victim, SIGKILL), 0);
	test_sleep_ms(100);
	CHECK_EQ(kill(holder, SIGKILL), 0);
	CHECK_EQ(test_wait(holder), 128 + SIGKILL);
	CHECK_EQ(test_wait(victim), 128 + SIGKILL);
	for (int ms = 0; ms < 1000 && waitpid(waiter, NULL, WNOHANG) == 0; ms += 20)
		test_sleep_ms(20);
	CHECK_ERR(kill(waiter, 0), ESRCH);
	CHECK_EQ(munmap(word, 4096), 0);
	finish(touched);
}
