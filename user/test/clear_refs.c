/*
 * /proc/PID/clear_refs: forgetting which pages have been used, and the most memory so far.
 */
#include "text_files.h"

#include <sys/resource.h>

#define PAGES 64
#define BYTES (PAGES * 4096)

static int clear(const char *what)
{
	return put_text("/proc/self/clear_refs", what);
}

/* Returns the KiB in a line of smaps, for the area that begins at the address. */
static long area(const char *memory, const char *name)
{
	char start[16];
	const char *at;

	snprintf(start, sizeof(start), "%08lx-", (unsigned long)memory);
	at = strstr(contents("/proc/self/smaps"), start);
	CHECK(at);
	return atol(named_line(strchr(at, '\n') + 1, name));
}

static long referenced(const char *memory)
{
	return area(memory, "Referenced");
}

/* A hole on both sides keeps the area from being joined with others. */
static char *map_apart(int protection, int flags, int fd)
{
	char *memory = mmap(NULL, BYTES + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memory = mmap(memory + 4096, BYTES, protection, flags | MAP_FIXED, fd, 0);
	CHECK(memory != MAP_FAILED);
	return memory;
}

static int there[2], back[2];

/* Start a process that other_turn() can wait for. */
static void start_other(void)
{
	char c;

	CHECK_EQ(pipe(there) | pipe(back), 0);
	if (fork() == 0)
		for (;;)
			CHECK_EQ(read(there[0], &c, 1) + write(back[1], &c, 1), 2);
}

/* Linux does not flush the TLB. The CPU notes a use only after another process has had its turn. */
static void other_turn(void)
{
	char c = 0;

	CHECK_EQ(write(there[1], &c, 1) + read(back[0], &c, 1), 2);
}

TEST(used_pages, 10, "1, 2 and 3 clear the use of all pages, of anonymous ones, and of files")
{
	char *memory = map_apart(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *shared = map_apart(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);

	start_other();
	memset(memory, 1, BYTES);
	memset(shared, 1, BYTES);
	CHECK_EQ(referenced(memory), BYTES / 1024);
	CHECK_EQ(clear("1"), 1);
	other_turn();
	CHECK_EQ(referenced(memory), 0);
	CHECK_EQ(area(memory, "Rss"), BYTES / 1024);
	CHECK_EQ(area(memory, "Private_Dirty"), BYTES / 1024);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(*(volatile char *)(memory + i * 4096), 1);
	memory[BYTES - 1] = 2;
	CHECK_EQ(referenced(memory), 11 * 4);
	memset(shared, 2, BYTES);
	CHECK_EQ(clear("3\n"), 2); /* the shared memory is a file */
	other_turn();
	CHECK_EQ(referenced(memory), 11 * 4);
	CHECK(referenced(shared) < BYTES / 1024);
	memset(shared, 3, BYTES);
	CHECK_EQ(clear(" 2 "), 3);
	other_turn();
	CHECK_EQ(referenced(memory), 0);
	CHECK_EQ(referenced(shared), BYTES / 1024);
	memory[0] = 4;
	CHECK_EQ(clear("4"), 1); /* no entry has the bit that it would clear */
	CHECK_EQ(referenced(memory), 4);
}

TEST(used_by_another, 10, "the use of another process's memory is forgotten")
{
	char *memory = map_apart(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	int go[2], done[2];
	char path[40], c;
	pid_t child;

	CHECK_EQ(pipe(go) | pipe(done), 0);
	child = fork();
	if (child == 0) {
		for (;;) {
			memset(memory, 1, 8 * 4096);
			CHECK_EQ(write(done[1], "x", 1), 1);
			CHECK_EQ(read(go[0], &c, 1), 1);
			CHECK_EQ(referenced(memory), 0);
		}
	}
	CHECK_EQ(read(done[0], &c, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/clear_refs", child);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(put_text(path, "1"), 1);
		CHECK_EQ(write(go[1], "x", 1), 1);
		CHECK_EQ(read(done[0], &c, 1), 1);
	}
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

static long status(const char *name)
{
	return atol(named_line(contents("/proc/self/status"), name));
}

TEST(most_memory, 10, "5 makes VmHWM what it is now")
{
	long before = status("VmHWM"), most, size;
	struct rusage usage;
	char *memory =
		mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory != MAP_FAILED);
	memset(memory, 1, 8 << 20);
	CHECK_EQ(munmap(memory, 8 << 20), 0);
	most = status("VmHWM");
	size = status("VmPeak");
	CHECK(most > before + 7000);
	CHECK_EQ(clear("5"), 1);
	CHECK(status("VmHWM") < most - 7000);
	CHECK(status("VmHWM") <= status("VmRSS") + 512);
	CHECK_EQ(status("VmPeak"), size);
	CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
	CHECK(usage.ru_maxrss < most - 7000);
}

TEST(bad_numbers, 10, "only its owner writes, and only 1 to 5")
{
	static const char *const bad[] = { "0", "6", "-1", "x", "1x", "1 2", "0x1", "" };
	struct stat st;
	char c;
	int fd;

	CHECK_EQ(stat("/proc/self/clear_refs", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0200);
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(*bad) - 1; i++)
		CHECK_ERR(clear(bad[i]), EINVAL);
	CHECK_ERR(clear("4294967295"), ERANGE);
	fd = open("/proc/self/clear_refs", O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERR(read(fd, &c, 1), EINVAL);
	CHECK(open("/proc/thread-self/clear_refs", O_WRONLY) >= 0);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(open("/proc/1/clear_refs", O_WRONLY), EACCES);
}
