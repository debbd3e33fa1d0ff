/*
 * large-file: makes, copies and checks files that are larger than memory, for
 * tests/guest-tool/files.
 *
 *	large-file write FILE MIB	writes a file of so many MiB
 *	large-file map FILE MIB		makes the same file, by stores to a shared mapping of a hole
 *	large-file check FILE MIB	compares the file with what it must have
 *	large-file splice FROM TO	copies a file by splice, through a pipe
 *	large-file squeeze FILE MIB	writes a file, and then fills memory until half of the
 *					file's pages have to give way
 *
 * Each word of the file depends on its place. The status is 0 if all went well.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB   (1u << 20)
#define PAGE  4096u
#define WORDS (MIB / 4)
#define AHEAD 65536 /* bytes in the pipe */

static uint32_t words[WORDS], wanted[WORDS];

static void fail(const char *what)
{
	fprintf(stderr, "large-file: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd < 0)
		fail(path);
	return fd;
}

/* The bytes of one MiB of the file. */
static void fill(uint32_t *to, unsigned int mib)
{
	for (uint32_t i = 0; i < WORDS; i++)
		to[i] = (mib * WORDS + i) * 2654435761u;
}

static int write_file(const char *path, unsigned int mib)
{
	int fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);

	for (unsigned int i = 0; i < mib; i++) {
		fill(words, i);
		if (write(fd, words, MIB) != MIB)
			fail("write");
	}
	return fd;
}

static void map_file(const char *path, unsigned int mib)
{
	int fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
	char *map;

	if (ftruncate(fd, (off_t)mib * MIB) < 0)
		fail("ftruncate");
	map = mmap(NULL, (size_t)mib * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		fail("mmap");
	for (unsigned int i = 0; i < mib; i++)
		fill((uint32_t *)(map + (size_t)i * MIB), i);
}

static void check_file(const char *path, unsigned int mib)
{
	int fd = open_file(path, O_RDONLY);

	if (lseek(fd, 0, SEEK_END) != (off_t)mib * MIB || lseek(fd, 0, SEEK_SET) != 0)
		fail("the size is wrong");
	for (unsigned int i = 0; i < mib; i++) {
		fill(wanted, i);
		if (read(fd, words, MIB) != MIB)
			fail("read");
		for (unsigned int k = 0; k < WORDS; k++)
			if (words[k] != wanted[k]) {
				fprintf(stderr, "large-file: word %u of MiB %u is %#x, not %#x\n",
					k, i, words[k], wanted[k]);
				exit(1);
			}
	}
}

static void splice_file(const char *from, const char *to)
{
	int in = open_file(from, O_RDONLY), out = open_file(to, O_WRONLY | O_CREAT | O_TRUNC),
	    ends[2];
	ssize_t n, moved;

	if (pipe(ends) < 0)
		fail("pipe");
	while ((n = splice(in, NULL, ends[1], NULL, AHEAD, 0)) > 0)
		for (; n > 0; n -= moved) {
			moved = splice(ends[0], NULL, out, NULL, n, SPLICE_F_MOVE);
			if (moved <= 0)
				fail("splice to a file");
		}
	if (n < 0)
		fail("splice from a file");
}

static unsigned long free_kib(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file) && sscanf(line, "MemFree: %lu", &kib) != 1)
		;
	if (!file || !kib)
		fail("/proc/meminfo");
	fclose(file);
	return kib;
}

static void squeeze(const char *path, unsigned int mib)
{
	int drop = open_file("/proc/sys/vm/drop_caches", O_WRONLY);
	size_t size;
	char *memory;

	sync();
	if (write(drop, "1", 1) != 1)
		fail("drop_caches");
	size = free_kib() * 1024 - (size_t)mib * MIB / 2;
	write_file(path, mib);
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		fail("mmap");
	for (size_t at = 0; at < size; at += PAGE)
		memory[at] = 1;
}

int main(int argc, char **argv)
{
	const char *what = argc == 4 ? argv[1] : "";

	if (!strcmp(what, "write"))
		write_file(argv[2], atoi(argv[3]));
	else if (!strcmp(what, "map"))
		map_file(argv[2], atoi(argv[3]));
	else if (!strcmp(what, "check"))
		check_file(argv[2], atoi(argv[3]));
	else if (!strcmp(what, "splice"))
		splice_file(argv[2], argv[3]);
	else if (!strcmp(what, "squeeze"))
		squeeze(argv[2], atoi(argv[3]));
	else
		return fprintf(stderr,
			       "usage: large-file write|map|check|splice|squeeze FILE MIB|TO\n"),
		       2;
	return 0;
}
