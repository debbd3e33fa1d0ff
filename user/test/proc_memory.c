/*
 * What /proc says about memory, mapping by mapping: smaps and smaps_rollup. And what fdinfo says of
 * an epoll, and the identifiers in /proc/sys/kernel/random.
 */
#include "names.h"
#include "text_files.h"
#include <sys/epoll.h>

/*
 * Returns the entry of the mapping that begins at an address. It ends at the next line with an
 * address.
 */
static const char *entry_of(const void *start)
{
	char head[16], *at, *end;

	contents("/proc/self/smaps");
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

	contents("/proc/self/smaps");
	contents("/proc/self/smaps"); /* the buffer itself is present now */
	for (const char *at = text; (at = strstr(at, "\nRss:")); at++)
		resident += atol(at + 5);
	for (const char *at = text; (at = strstr(at, "\nPrivate_Dirty:")); at++)
	private += atol(at + 15);
	contents("/proc/self/smaps_rollup");
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
	contents("%s", path);
	snprintf(line, sizeof(line), "tfd: %8d events: %8x data: %16x", ends[0],
		 (int)(wanted.events | EPOLLERR | EPOLLHUP), 0);
	line[strlen(line) - 16] = 0;
	CHECK(strstr(text, line));
	CHECK(strstr(text, "1234567890  pos:0 ino:"));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", event);
	contents("%s", path);
	CHECK(strstr(text, "eventfd-count:                5\n"));
}

TEST(identifiers, 5, "boot_id stays the same, and uuid is another one at each read")
{
	char first[64];

	contents("/proc/sys/kernel/random/boot_id");
	CHECK_EQ(strlen(text), 37);
	strcpy(first, text);
	contents("/proc/sys/kernel/random/boot_id");
	CHECK(!strcmp(first, text));
	contents("/proc/sys/kernel/random/uuid");
	CHECK(strlen(text) == 37 && text[8] == '-' && text[14] == '4');
	CHECK(strcmp(first, text));
	strcpy(first, text);
	contents("/proc/sys/kernel/random/uuid");
	CHECK(strcmp(first, text));
}

TEST(locked, 5, "status tells how much memory is locked")
{
	void *map =
		mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	contents("/proc/self/status");
	CHECK_EQ(kb(text, "VmLck"), 0);
	CHECK_EQ(mlock(map, 4 * 4096), 0);
	contents("/proc/self/status");
	CHECK_EQ(kb(text, "VmLck"), 16);
	munmap(map, 4 * 4096);
}

#define PAGE	  4096ul
#define PRESENT	  (1ull << 63)
#define OF_FILE	  (1ull << 61)
#define EXCLUSIVE (1ull << 56)
#define KNOWN	  (PRESENT | OF_FILE | EXCLUSIVE)

/* What pagemap says of a page, without the number of its frame. */
static uint64_t page_word(int fd, const char *at)
{
	uint64_t word;

	CHECK_EQ(pread(fd, &word, 8, (off_t)((uintptr_t)at / PAGE) * 8), 8);
	return word & KNOWN;
}

TEST(pagemap, 5, "pagemap tells of each page whether it is present, of a file, and mapped once")
{
	char *own =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int file = open("/tmp/pagemap", O_RDWR | O_CREAT, 0600);
	int fd = open("/proc/self/pagemap", O_RDONLY);
	uint64_t words[8];
	char *shared;

	CHECK(own != MAP_FAILED && file >= 0 && fd >= 0);
	CHECK(unlink("/tmp/pagemap") == 0 && ftruncate(file, PAGE) == 0);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	CHECK(shared != MAP_FAILED);
	own[0] = own[2 * PAGE] = shared[0] = 1;
	CHECK_EQ(*(volatile char *)(own + 3 * PAGE), 0);
	CHECK_EQ(page_word(fd, own), PRESENT | EXCLUSIVE);
	CHECK_EQ(page_word(fd, own + PAGE), 0);
	CHECK_EQ(page_word(fd, own + 2 * PAGE), PRESENT | EXCLUSIVE);
	CHECK_EQ(page_word(fd, own + 3 * PAGE), PRESENT);
	CHECK_EQ(page_word(fd, shared), PRESENT | OF_FILE | EXCLUSIVE);
	CHECK_EQ(page_word(fd, NULL), 0);
	if (!fork()) {
		CHECK_EQ(page_word(fd, own), PRESENT); /* the parent's; both map it now */
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	CHECK_EQ(pread(fd, words, 64, (0xc0000000 / PAGE - 1) * 8), 8);
	CHECK_EQ(pread(fd, words, 64, 0xc0000000 / PAGE * 8), 0);
	CHECK_EQ(pread(fd, words, 0, 0), 0);
	CHECK_ERR(pread(fd, words, 12, 0), EINVAL);
	CHECK_ERR(pread(fd, words, 8, 4), EINVAL);
	CHECK_ERR(pread(fd, (void *)1, 8, 0), EFAULT);
	CHECK((fd = open("/proc/self/pagemap", O_RDWR)) >= 0);
	CHECK_ERR(write(fd, words, 8), EINVAL);
	if (!fork()) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(open("/proc/1/pagemap", O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
}

#define AREAS 8000 /* their smaps have more than 4 MiB */

/* Reads a file of maps in pieces, and counts its areas in [start, end), which follow each other. */
static int areas_of(const char *path, uintptr_t start, uintptr_t end)
{
	int fd = open(path, O_RDONLY), areas = 0;
	FILE *file = fdopen(fd, "r");
	unsigned long from, to;
	uintptr_t at = start;
	char line[512];

	CHECK(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) != 2 || from < start || from >= end)
			continue;
		CHECK_EQ(from, at);
		at = to;
		areas++;
	}
	CHECK_EQ(ferror(file), 0);
	CHECK_EQ(at, end);
	fclose(file);
	return areas;
}

TEST(many_areas, 20, "maps and smaps of a process with thousands of mappings are whole")
{
	size_t size = AREAS * PAGE;
	char *at = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char buf[64], again[64];
	int fd;

	CHECK(at != MAP_FAILED);
	for (int i = 0; i < AREAS; i += 2)
		CHECK_EQ(mprotect(at + i * PAGE, PAGE, PROT_NONE), 0);
	CHECK_EQ(areas_of("/proc/self/maps", (uintptr_t)at, (uintptr_t)at + size), AREAS);
	CHECK_EQ(areas_of("/proc/self/smaps", (uintptr_t)at, (uintptr_t)at + size), AREAS);
	/* A position may be anywhere, before and behind. */
	CHECK((fd = open("/proc/self/maps", O_RDONLY)) >= 0);
	CHECK_EQ(pread(fd, buf, sizeof(buf), 200000), sizeof(buf));
	CHECK_EQ(pread(fd, again, sizeof(again), 100), sizeof(again));
	CHECK_EQ(pread(fd, again, sizeof(again), 1ll << 32), 0);
	CHECK_EQ(pread(fd, again, sizeof(again), 200000), sizeof(again));
	CHECK(!memcmp(buf, again, sizeof(buf)));
	close(fd);
}

/* Does the mapping that begins at an address have this name in maps? */
static bool is_called(const void *start, const char *name)
{
	char head[16], *at;

	contents("/proc/self/maps");
	snprintf(head, sizeof(head), "%08lx-", (unsigned long)start);
	at = strstr(text, head);
	CHECK(at);
	*strchrnul(at, '\n') = 0;
	at = strchr(at, '/');
	return at && !strcmp(at, name);
}

TEST(shared_names, 5, "shared anonymous memory is called /dev/zero (deleted)")
{
	int fd = open("/dev/zero", O_RDWR);
	char *anonymous, *zeros;

	anonymous = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(anonymous != MAP_FAILED);
	CHECK(is_called(anonymous, "/dev/zero (deleted)"));
	zeros = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(zeros != MAP_FAILED);
	CHECK(is_called(zeros, "/dev/zero (deleted)"));
	close(fd);
}
