/*
 * What /proc says about memory, mapping by mapping: smaps and smaps_rollup. And what fdinfo says of an epoll, and
 * the identifiers in /proc/sys/kernel/random.
 */
#include "names.h"
#include <sys/epoll.h>

static char text[65536];

static void read_proc(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	CHECK(fd >= 0);
	n = read_full(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	text[n] = 0;
	close(fd);
}

/* Returns the entry of the mapping that begins at an address. It ends at the next line with an address. */
static const char *entry_of(const void *start)
{
	char head[16], *at, *end;

	read_proc("/proc/self/smaps");
	snprintf(head, sizeof(head), "%08lx-", (unsigned long)start);
	at = strstr(text, head);
	CHECK(at);
	end = strstr(at, "VmFlags:");
	CHECK(end);
	*strchr(end, '\n') = 0;
	return at;
}

static long kb(const char *entry, const char *field)
{
	const char *at;
	char name[32];
	long value = -1;

	snprintf(name, sizeof(name), "\n%s:", field);
	at = strstr(entry, name);
	CHECK(at);
	CHECK_EQ(sscanf(at + strlen(name), "%ld kB", &value), 1);
	return value;
}

TEST(smaps, 5, "smaps counts the pages that are present, private, dirty and locked")
{
	char *map =
		mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *entry;
	pid_t pid;

	/* A mapping without access on each side, so that it is one of its own. */
	CHECK_EQ(mprotect(map, 4096, PROT_NONE) | mprotect(map + 7 * 4096, 4096, PROT_NONE), 0);
	map += 4096;
	memset(map, 1, 3 * 4096);
	entry = entry_of(map);
	CHECK_EQ(kb(entry, "Size"), 24);
	CHECK_EQ(kb(entry, "KernelPageSize"), 4);
	CHECK_EQ(kb(entry, "MMUPageSize"), 4);
	CHECK_EQ(kb(entry, "Rss"), 12);
	CHECK_EQ(kb(entry, "Pss"), 12);
	CHECK_EQ(kb(entry, "Private_Dirty"), 12);
	CHECK_EQ(kb(entry, "Shared_Dirty"), 0);
	CHECK_EQ(kb(entry, "Anonymous"), 12);
	CHECK_EQ(kb(entry, "Swap"), 0);
	CHECK_EQ(kb(entry, "Locked"), 0);
	CHECK(strstr(entry, "VmFlags: rd wr mr mw me"));
	pid = fork();
	if (pid == 0) {
		entry = entry_of(map);
		CHECK_EQ(kb(entry, "Rss"), 12);
		CHECK_EQ(kb(entry, "Pss"), 6);
		CHECK_EQ(kb(entry, "Private_Dirty"), 0);
		CHECK_EQ(kb(entry, "Shared_Dirty"), 12);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(mlock(map, 6 * 4096), 0);
	entry = entry_of(map);
	CHECK_EQ(kb(entry, "Rss"), 24);
	CHECK_EQ(kb(entry, "Locked"), 24);
	CHECK(strstr(strstr(entry, "VmFlags:"), " lo "));
	munmap(map - 4096, 8 * 4096);
}

TEST(smaps_of_file, 5, "pages of a file are clean until they are written, and belong to the file")
{
	const char *entry;
	char *map;
	int fd;

	enter();
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(fd, 2 * 4096), 0);
	map = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	map[0] = 1;
	entry = entry_of(map);
	CHECK(strstr(entry, DIR_NAME "/f\n"));
	CHECK_EQ(kb(entry, "Size"), 8);
	CHECK(kb(entry, "Rss") >= 4);
	CHECK_EQ(kb(entry, "Anonymous"), 0);
	CHECK_EQ(kb(entry, "Private_Dirty") + kb(entry, "Shared_Dirty") +
			 kb(entry, "Private_Clean") + kb(entry, "Shared_Clean"),
		 kb(entry, "Rss"));
	CHECK(strstr(entry, "VmFlags: rd wr sh mr mw me ms"));
	munmap(map, 2 * 4096);
	close(fd);
	leave();
}

TEST(smaps_rollup, 5, "smaps_rollup has the sums of smaps")
{
	long resident = 0, private = 0;

	read_proc("/proc/self/smaps");
	read_proc("/proc/self/smaps"); /* the buffer itself is present now */
	for (const char *at = text; (at = strstr(at, "\nRss:")); at++)
		resident += atol(at + 5);
	for (const char *at = text; (at = strstr(at, "\nPrivate_Dirty:")); at++)
	private += atol(at + 15);
	read_proc("/proc/self/smaps_rollup");
	CHECK(strstr(text, "[rollup]\n"));
	CHECK(labs(kb(text, "Rss") - resident) <= 16);
	CHECK(labs(kb(text, "Private_Dirty") - private) <= 16);
	CHECK(kb(text, "Pss") <= kb(text, "Rss"));
	CHECK(kb(text, "Pss_Anon") + kb(text, "Pss_File") <= kb(text, "Pss"));
}

TEST(fdinfo, 5, "fdinfo of an epoll lists what it watches; that of an eventfd has its count")
{
	int epoll = epoll_create1(0), ends[2], event = syscall(SYS_eventfd2, 5, 0);
	struct epoll_event wanted = { EPOLLIN | EPOLLET, { .u64 = 0x1234567890 } };
	char path[64], line[128];

	CHECK(epoll >= 0 && event >= 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &wanted), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", epoll);
	read_proc(path);
	snprintf(line, sizeof(line), "tfd: %8d events: %8x data: %16x", ends[0],
		 (int)(wanted.events | EPOLLERR | EPOLLHUP), 0);
	line[strlen(line) - 16] = 0;
	CHECK(strstr(text, line));
	CHECK(strstr(text, "1234567890  pos:0 ino:"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", event);
	read_proc(path);
	CHECK(strstr(text, "eventfd-count:                5\n"));
}

TEST(identifiers, 5, "boot_id stays the same, and uuid is another one at each read")
{
	char first[64];

	read_proc("/proc/sys/kernel/random/boot_id");
	CHECK_EQ(strlen(text), 37);
	strcpy(first, text);
	read_proc("/proc/sys/kernel/random/boot_id");
	CHECK(!strcmp(first, text));
	read_proc("/proc/sys/kernel/random/uuid");
	CHECK(strlen(text) == 37 && text[8] == '-' && text[14] == '4');
	CHECK(strcmp(first, text));
	strcpy(first, text);
	read_proc("/proc/sys/kernel/random/uuid");
	CHECK(strcmp(first, text));
}

TEST(locked, 5, "status tells how much memory is locked")
{
	void *map =
		mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	read_proc("/proc/self/status");
	CHECK_EQ(kb(text, "VmLck"), 0);
	CHECK_EQ(mlock(map, 4 * 4096), 0);
	read_proc("/proc/self/status");
	CHECK_EQ(kb(text, "VmLck"), 16);
	munmap(map, 4 * 4096);
}
