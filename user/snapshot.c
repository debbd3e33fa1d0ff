/*
 * snapshot: shows that bytes in a pipe do not change.
 *
 * It splices a page of a file into a pipe, changes the file, and reads the pipe. The pipe has the
 * bytes that the file had when it was spliced, and the file has the new ones. It changes the file
 * in four ways, and then does the same with memory and vmsplice. The status is 0 if all bytes in
 * the pipe were the old ones.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGE 4096
#define PATH "/tmp/snapshot"

static int ends[2], changed;

static void fail(const char *what)
{
	fprintf(stderr, "snapshot: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Prints the slots of our pipe from /proc/pipes, which only Sluice has. */
static void show_slots(void)
{
	FILE *file = fopen("/proc/pipes", "r");
	char line[200];

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, "cache") || strstr(line, "user"))
			printf("    /proc/pipes: %s", line);
	if (file)
		fclose(file);
}

/* Reads the pipe, and prints the first letters of its bytes and of the changed page. */
static void compare(const char *what, const char *now)
{
	static char page[PAGE];

	if (read(ends[0], page, PAGE) != PAGE)
		fail("read");
	for (int i = 1; i < PAGE; i++)
		changed += page[i] != 'o';
	changed += page[0] != 'o';
	printf("  %-34s the pipe has %.4s..., the page %.4s...\n", what, page, now);
}

static void splice_page(int file)
{
	static char old[PAGE];
	loff_t at = 0;

	memset(old, 'o', PAGE);
	if (ftruncate(file, PAGE) < 0 || pwrite(file, old, PAGE, 0) != PAGE)
		fail(PATH);
	if (splice(file, &at, ends[1], NULL, PAGE, 0) != PAGE)
		fail("splice");
}

static void file_changes(int file)
{
	char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	if (map == MAP_FAILED)
		fail("mmap");
	printf("A page of a file, spliced into a pipe and then changed:\n");
	splice_page(file);
	show_slots();
	if (pwrite(file, "new!", 4, 0) != 4)
		fail("pwrite");
	compare("write to the file", map);
	splice_page(file);
	memcpy(map, "new!", 4);
	compare("store through a shared mapping", map);
	splice_page(file);
	if (ftruncate(file, 0) < 0 || ftruncate(file, PAGE) < 0)
		fail("truncate");
	compare("truncate, and extend again", map[0] ? "old!" : "zero");
	splice_page(file);
	unlink(PATH);
	compare("unlink", "gone");
	munmap(map, PAGE);
}

static void memory_changes(void)
{
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec segment = { memory, PAGE };

	if (memory == MAP_FAILED)
		fail("mmap");
	memset(memory, 'o', PAGE);
	printf("A page of memory, given to a pipe by vmsplice and then changed:\n");
	if (vmsplice(ends[1], &segment, 1, 0) != PAGE)
		fail("vmsplice");
	show_slots();
	memcpy(memory, "new!", 4);
	compare("store by its owner", memory);
	munmap(memory, PAGE);
}

int main(void)
{
	int file = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (file < 0)
		fail(PATH);
	if (pipe(ends) < 0)
		fail("pipe");
	file_changes(file);
	memory_changes();
	if (changed)
		printf("%d bytes changed while they were in the pipe.\n", changed);
	else
		printf("No byte in the pipe changed. Each change was made in a new page.\n");
	return changed != 0;
}
