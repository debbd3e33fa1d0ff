/*
 * crash_work: changes a file system and says on the disk itself how far it has come, or lists what
 * a file system has. The host records the disk's writes, and judges which of them must survive a
 * crash (tests/crash/run).
 *
 *	crash_work play DISK TYPE AT	mounts DISK, carries out the operations on standard input,
 *					and unmounts it
 *	crash_work list DISK TYPE	mounts DISK, lists everything on it, and unmounts it
 *
 * Each line of standard input is an operation. F, G are paths in the file system, N and AT numbers
 * of bytes.
 *
 *	create F		makes an empty file
 *	write F AT N SEED	writes bytes of SEED. If there is no file, makes it
 *	store F AT N SEED	the same to a mapping of the file
 *	direct F AT N SEED	the same without the page cache (O_DIRECT)
 *	truncate F N		sets the size
 *	punch F AT N		punches a hole
 *	xset F NAME N SEED	sets the extended attribute user.NAME to N bytes of SEED
 *	xremove F NAME		removes it
 *	link F G, symlink TEXT F, unlink F, rename F G, mkdir F, rmdir F
 *	hold F, release		opens a file, and closes it
 *	fsync F, fdatasync F	F may be a directory
 *	sync
 *
 * 1. Bytes come in words of eight: three hexadecimal digits of the seed, and five of the word's
 *    number in the file. So the host sees of each byte who wrote it, and where it belongs.
 * 2. After each operation of the last two lines a mark with the operation's number, which starts at
 *    0, is written to the disk at AT, behind the file system. As the disk's writes are recorded in
 *    order, all that comes after the mark was written when the call had returned.
 * 3. The list has a line for each name: the type (f, d or l), the path, and for a file its size and
 *    the CRC-32 of its bytes, or for a symbolic link its text. An extended attribute has a line
 *    with x, the path, its name, its size and the CRC-32 of its value.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MNT	  "/mnt"
#define MARK_SIZE 4096
#define MOST	  (1 << 20) /* bytes of one operation */

static char bytes[MOST] __attribute__((aligned(4096)));
static int disk, held = -1;
static off_t marks_at;

static int fail(const char *what)
{
	printf("%s: %s\n", what, strerror(errno));
	return 1;
}

/* ---- operations ---- */

static void fill(char *to, off_t at, size_t n, unsigned int seed)
{
	char word[16];

	for (size_t i = 0; i < n; i++) {
		if (i == 0 || (at + i) % 8 == 0)
			snprintf(word, sizeof(word), "%03x%05x", seed & 0xfff,
				 (unsigned int)((at + i) / 8) & 0xfffff);
		to[i] = word[(at + i) % 8];
	}
}

static int write_bytes(const char *path, int flags, off_t at, size_t n, unsigned int seed)
{
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0644), bad;

	if (fd < 0)
		return -1;
	fill(bytes, at, n, seed);
	bad = pwrite(fd, bytes, n, at) != (ssize_t)n;
	return close(fd) || bad ? -1 : 0;
}

static int store_bytes(const char *path, off_t at, size_t n, unsigned int seed)
{
	int fd = open(path, O_RDWR);
	char *map;

	if (fd < 0)
		return -1;
	map = mmap(NULL, at + n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return -1;
	fill(map + at, at, n, seed);
	return munmap(map, at + n);
}

static int punch(const char *path, off_t at, off_t n)
{
	int fd = open(path, O_WRONLY), bad;

	if (fd < 0)
		return -1;
	bad = fallocate(fd, 3 /* PUNCH_HOLE | KEEP_SIZE */, at, n);
	return close(fd) || bad ? -1 : 0;
}

static int set_attribute(const char *path, const char *name, size_t n, unsigned int seed)
{
	char full[64];

	snprintf(full, sizeof(full), "user.%s", name);
	fill(bytes, 0, n, seed);
	return setxattr(path, full, bytes, n, 0);
}

static int remove_attribute(const char *path, const char *name)
{
	char full[64];

	snprintf(full, sizeof(full), "user.%s", name);
	return removexattr(path, full);
}

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	return fd < 0 ? -1 : close(fd);
}

static int hold(const char *path)
{
	held = open(path, O_RDONLY);
	return held < 0 ? -1 : 0;
}

static int release(void)
{
	int fd = held;

	held = -1;
	return close(fd);
}

static int sync_file(const char *path, int (*call)(int fd))
{
	int fd = open(path, O_RDONLY), result;

	if (fd < 0)
		return -1;
	result = call(fd);
	return close(fd) || result ? -1 : 0;
}

static int mark(int number)
{
	static char text[MARK_SIZE] __attribute__((aligned(MARK_SIZE)));

	snprintf(text, sizeof(text), "mark %d\n", number);
	return pwrite(disk, text, sizeof(text), marks_at) == sizeof(text) ? 0 : -1;
}

static int operate(int number, char *line)
{
	char *name = strtok(line, " \n"), *word[4];
	int result;

	for (int i = 0; i < 4; i++) {
		word[i] = strtok(NULL, " \n");
		word[i] = word[i] ? word[i] : "";
	}
	if (!strcmp(name, "create"))
		return create(word[0]);
	if (!strcmp(name, "write"))
		return write_bytes(word[0], 0, atoi(word[1]), atoi(word[2]), atoi(word[3]));
	if (!strcmp(name, "direct"))
		return write_bytes(word[0], O_DIRECT, atoi(word[1]), atoi(word[2]), atoi(word[3]));
	if (!strcmp(name, "store"))
		return store_bytes(word[0], atoi(word[1]), atoi(word[2]), atoi(word[3]));
	if (!strcmp(name, "truncate"))
		return truncate(word[0], atoi(word[1]));
	if (!strcmp(name, "punch"))
		return punch(word[0], atoi(word[1]), atoi(word[2]));
	if (!strcmp(name, "xset"))
		return set_attribute(word[0], word[1], atoi(word[2]), atoi(word[3]));
	if (!strcmp(name, "xremove"))
		return remove_attribute(word[0], word[1]);
	if (!strcmp(name, "link"))
		return link(word[0], word[1]);
	if (!strcmp(name, "symlink"))
		return symlink(word[0], word[1]);
	if (!strcmp(name, "unlink"))
		return unlink(word[0]);
	if (!strcmp(name, "rename"))
		return rename(word[0], word[1]);
	if (!strcmp(name, "mkdir"))
		return mkdir(word[0], 0755);
	if (!strcmp(name, "rmdir"))
		return rmdir(word[0]);
	if (!strcmp(name, "hold"))
		return hold(word[0]);
	if (!strcmp(name, "release"))
		return release();
	errno = EINVAL;
	result = -1;
	if (!strcmp(name, "fsync"))
		result = sync_file(word[0], fsync);
	else if (!strcmp(name, "fdatasync"))
		result = sync_file(word[0], fdatasync);
	else if (!strcmp(name, "sync"))
		result = (sync(), 0);
	return result ? result : mark(number);
}

static int play(const char *path)
{
	char line[512], copy[512];

	disk = open(path, O_RDWR | O_DIRECT); /* so that a mark is on the disk at once */
	if (disk < 0)
		return fail(path);
	for (int number = 0; fgets(line, sizeof(line), stdin); number++) {
		strcpy(copy, line);
		if (operate(number, copy))
			return fail(line);
	}
	return 0;
}

/* ---- the list ---- */

static uint32_t crc32(uint32_t crc, const char *from, size_t n)
{
	static uint32_t table[256];

	for (unsigned int i = 0; !table[255] && i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
	crc = ~crc;
	while (n--)
		crc = crc >> 8 ^ table[(unsigned char)(crc ^ *from++)];
	return ~crc;
}

static int list_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	uint32_t crc = 0;
	long long size = 0;
	ssize_t n;

	if (fd < 0)
		return fail(path);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		crc = crc32(crc, bytes, n);
		size += n;
	}
	close(fd);
	printf("f %s %lld %08x\n", path, size, crc);
	return n < 0 ? fail(path) : 0;
}

static int list_link(const char *path)
{
	char text[1024] = "";

	if (readlink(path, text, sizeof(text) - 1) < 0)
		return fail(path);
	printf("l %s %s\n", path, text);
	return 0;
}

static int list_attributes(const char *path)
{
	char names[4096];
	ssize_t n = llistxattr(path, names, sizeof(names)), size;

	if (n < 0)
		return fail(path);
	for (char *name = names; name < names + n; name += strlen(name) + 1) {
		size = lgetxattr(path, name, bytes, sizeof(bytes));
		if (size < 0)
			return fail(path);
		printf("x %s %s %zd %08x\n", path, name, size, crc32(0, bytes, size));
	}
	return 0;
}

static int list(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int bad = 0;

	if (!dir)
		return fail(folder);
	while ((entry = readdir(dir)) != NULL) {
		char path[512];
		struct stat st;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		bad |= list_attributes(path);
		if (lstat(path, &st))
			bad |= fail(path);
		else if (S_ISLNK(st.st_mode))
			bad |= list_link(path);
		else if (S_ISREG(st.st_mode))
			bad |= list_file(path);
		else if (S_ISDIR(st.st_mode)) {
			printf("d %s\n", path);
			bad |= list(path);
		}
	}
	closedir(dir);
	return bad;
}

/* ---- the whole ---- */

int main(int argc, char **argv)
{
	int bad;

	if (argc == 2 && !strcmp(argv[1], "--list")) /* the runner's question */
		return 0;
	if (argc < 4) {
		fprintf(stderr, "usage: crash_work play DISK TYPE AT | list DISK TYPE\n");
		return 2;
	}
	mkdir(MNT, 0755);
	if (mount(argv[2], MNT, argv[3], 0, NULL) || chdir(MNT))
		return fail("mount");
	if (!strcmp(argv[1], "play")) {
		marks_at = argc > 4 ? atoi(argv[4]) : 0;
		bad = play(argv[2]);
	} else {
		bad = list(".");
	}
	if (chdir("/") || umount(MNT))
		return fail("umount");
	if (!bad)
		printf("done\n");
	return bad;
}
