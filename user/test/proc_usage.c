/*
 * /proc/PID: how much memory a process has of each kind, which call each thread makes, and what its
 * calls have read and written.
 */
#include "ext2.h"

#include <pthread.h>

#define PAGES 200
#define BYTES (PAGES * 4096)
#define KB    (BYTES / 1024)

/* Returns the number in the line "NAME:" of a file of the process. */
static long long line(const char *file, int pid, const char *name)
{
	return atoll(named_line(contents("/proc/%d/%s", pid, file), name));
}

static long long status(const char *name)
{
	return line("status", getpid(), name);
}

static char *map(int flags, int fd)
{
	char *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, flags, fd, 0);

	CHECK(memory != MAP_FAILED);
	return memory;
}

TEST(peak, 10, "VmPeak is the largest size of all, VmSize that of now")
{
	long long size = status("VmSize"), peak = status("VmPeak");
	char *memory;

	CHECK(peak >= size);
	memory = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED);
	CHECK_EQ(status("VmSize"), size + (64 << 10));
	CHECK_EQ(status("VmPeak"), size + (64 << 10));
	CHECK_EQ(munmap(memory + (32 << 20), 32 << 20), 0);
	CHECK_EQ(munmap(memory, 8 << 20), 0);
	CHECK_EQ(status("VmSize"), size + (24 << 10));
	CHECK_EQ(status("VmPeak"), size + (64 << 10));
	pid_t child = fork();

	if (child == 0)
		_exit(status("VmPeak") != size + (24 << 10));
	CHECK_EQ(test_wait(child), 0);
	CHECK(mremap(memory + (8 << 20), 24 << 20, 60 << 20, MREMAP_MAYMOVE) != MAP_FAILED);
	CHECK_EQ(status("VmSize"), size + (60 << 10));
	CHECK(status("VmPeak") >= size + (64 << 10));
}

/* Linux counts some pages for each CPU apart, and adds them up later. */
static bool grew(long long before, long long now)
{
	return now >= before + KB - 256 && now <= before + KB + 256;
}

TEST(kinds_of_memory, 10, "RssAnon, RssFile and RssShmem are the parts of VmRSS")
{
	long long anonymous = status("RssAnon"), file = status("RssFile"),
		  shared = status("RssShmem");
	char *memory = map(MAP_PRIVATE | MAP_ANONYMOUS, -1);
	int fd = open("/test/proc_usage", O_RDONLY), sum = 0;

	memset(memory, 1, BYTES);
	CHECK(grew(anonymous, status("RssAnon")));
	memset(map(MAP_SHARED | MAP_ANONYMOUS, -1), 1, BYTES);
	CHECK(grew(shared, status("RssShmem")));
	memory = mmap(NULL, 16 * 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(memory != MAP_FAILED);
	for (int i = 0; i < 8; i++)
		sum += memory[i * 4096];
	CHECK(sum != 0 && status("RssFile") >= file + 8 * 4);
	/* A private page of a file that has been stored to is anonymous. */
	CHECK(status("VmRSS") - status("RssAnon") - status("RssFile") - status("RssShmem") < 64);
	CHECK(status("VmHWM") >= status("VmRSS") - 256);
	CHECK(status("VmPTE") >= 8 && status("VmPTE") < 1024);
}

/* ---- calls ---- */

static int line_in[2];

static void *sleeper(void *unused)
{
	char byte;

	(void)unused;
	CHECK_EQ(read(line_in[0], &byte, 1), 1);
	return NULL;
}

/* Waits until the process sleeps. */
static void await_sleep(pid_t pid)
{
	do {
		test_sleep_ms(5);
		contents("/proc/%d/stat", pid);
	} while (strrchr(text, ')')[2] != 'S');
}

static void stay_on(int cpu)
{
	unsigned long set = 1ul << cpu;

	CHECK_EQ(syscall(SYS_sched_setaffinity, 0, sizeof(set), &set), 0);
}

TEST(calls, 10, "syscall tells the call, its arguments, and the stack pointer of a process")
{
	unsigned long number, arguments[6], stack, at;
	volatile int *rounds =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	CHECK(rounds != MAP_FAILED);
	CHECK_EQ(pipe(line_in), 0);
	child = fork();
	/* If there is a second CPU, the child may still be there when its stop is reported. */
	stay_on(child == 0 ? sysconf(_SC_NPROCESSORS_CONF) - 1 : 0);
	if (child == 0) {
		sleeper(NULL);
		for (;;)
			++*rounds;
	}
	await_sleep(child);
	CHECK_EQ(sscanf(contents("/proc/%d/syscall", child),
			"%lu 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx 0x%lx", &number, arguments,
			arguments + 1, arguments + 2, arguments + 3, arguments + 4, arguments + 5,
			&stack, &at),
		 9);
	CHECK_EQ(number, SYS_read);
	CHECK_EQ(arguments[0], line_in[0]);
	CHECK_EQ(arguments[2], 1);
	CHECK(stack > 0x1000 && at > 0x1000);
	CHECK(contents("/proc/%d/wchan", child)[0] > '9');
	CHECK_EQ(atoi(contents("/proc/self/syscall")), SYS_read);
	CHECK_EQ(write(line_in[1], "", 1), 1);
	while (*rounds == 0)
		test_sleep_ms(2);
	kill(child, SIGSTOP);
	CHECK_EQ(waitpid(child, NULL, WUNTRACED), child);
	CHECK_EQ(sscanf(contents("/proc/%d/syscall", child), "-1 0x%lx 0x%lx", &stack, &at), 2);
	kill(child, SIGKILL);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

TEST(calls_of_others, 10, "syscall cannot be read by another user")
{
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		contents("/proc/1/wchan");
		CHECK(strcmp(text, "0") == 0);
		_exit(open("/proc/1/syscall", O_RDONLY) >= 0);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(old_oom_adjustment, 10, "oom_adj is oom_score_adj on a scale that ends at 15")
{
	const struct {
		int old, new;
	} values[] = { { -17, -1000 }, { 0, 0 }, { 15, 1000 }, { 8, 8 * 1000 / 17 } };
	char number[16];
	int fd = open("/proc/self/oom_adj", O_RDWR);

	CHECK(fd >= 0);
	for (int i = 0; i < 4; i++) {
		snprintf(number, sizeof(number), "%d", values[i].old);
		CHECK_EQ(write(fd, number, strlen(number)), strlen(number));
		CHECK_EQ(atoi(contents("/proc/self/oom_score_adj")), values[i].new);
		CHECK_EQ(atoi(contents("/proc/self/oom_adj")),
			 values[i].old == 8 ? 7 : values[i].old);
	}
	CHECK_ERR(write(fd, "16", 2), EINVAL);
	CHECK_ERR(write(fd, "-18", 3), EINVAL);
}

/* ---- what was read and written ---- */

static long long io(const char *name)
{
	return line("io", getpid(), name);
}

TEST(bytes_moved, 10,
     "io counts the calls and the bytes of read and write, threads and pipes included")
{
	long long bytes_in = io("rchar"), bytes_out = io("wchar");
	long long reads = io("syscr"), writes = io("syscw");
	struct iovec parts[2] = { { text, 10 }, { text + 10, 20 } };
	int line[2];

	CHECK_EQ(pipe(line), 0);
	CHECK_EQ(write(line[1], text, 1000), 1000);
	CHECK_EQ(writev(line[1], parts, 2), 30);
	CHECK_EQ(read(line[0], text, 500), 500);
	CHECK_EQ(io("wchar"), bytes_out + 1030);
	CHECK_EQ(io("syscw"), writes + 2);
	CHECK(io("rchar") >= bytes_in + 500 && io("rchar") < bytes_in + 5000);
	CHECK(io("syscr") > reads);
	pid_t child = fork();

	if (child == 0)
		_exit(io("wchar") > 100);
	CHECK_EQ(test_wait(child), 0);
}

TEST(bytes_of_disks, 10, "io counts the bytes that come from a disk, and those that will go to one")
{
	char page[4096] = "x";
	long long in, out;
	int fd;

	put_image("blank-4k");
	mount_writable();
	out = io("write_bytes");
	fd = open(MNT "/new", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(write(fd, page, sizeof(page)), sizeof(page));
	CHECK(io("write_bytes") >= out + 16 * 4096);
	out = io("write_bytes");
	/* These pages are dirty already. */
	for (int i = 0; i < 16; i++)
		CHECK_EQ(pwrite(fd, page, 100, i * 4096), 100);
	CHECK(io("write_bytes") < out + 16 * 4096);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	in = io("read_bytes");
	CHECK_EQ(pread(fd, page, 4096, 0), 4096);
	CHECK(io("read_bytes") >= in + 4096);
	CHECK(io("cancelled_write_bytes") >= 0);
	CHECK_EQ(close(fd), 0);
	unmount();
}
