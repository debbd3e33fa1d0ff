/*
 * The guest's side of tests/guest-tool/device. It moves bytes between device memory and its
 * standard streams. The runner does not run it, because the runner's guests have no such device.
 *
 *	device read|mmap-read|splice-read BAR OFFSET LENGTH	to standard output
 *	device write|mmap-write|splice-write BAR OFFSET LENGTH	from standard input
 *	device check BAR	checks the ends, the size and the slots; it writes to the first
 *				pages
 *	device claimed BAR	checks that a driver has claimed the BAR
 *	device resize FB	reads, writes and splices at the picture's end while the picture is
 *				resized
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

#define CHECK(cond)                                                               \
	do {                                                                      \
		errno = 0;                                                        \
		if (!(cond)) {                                                    \
			fprintf(stderr, "device: %d: %s (%s)\n", __LINE__, #cond, \
				strerror(errno));                                 \
			exit(1);                                                  \
		}                                                                 \
	} while (0)
#define CHECK_EQ(a, b)	       CHECK((a) == (b))
#define CHECK_ERR(call, error) CHECK((call) == -1 && errno == (error))

static int open_bar(const char *path)
{
	int fd = open(path, O_RDWR);

	CHECK(fd >= 0);
	return fd;
}

static void all(ssize_t (*move)(int, void *, size_t), int fd, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = move(fd, (char *)data + done, len - done);

		CHECK(n > 0);
		done += n;
	}
}

static ssize_t put(int fd, void *data, size_t len)
{
	return write(fd, data, len);
}

static void by_read_and_write(int fd, off_t at, size_t len, bool out)
{
	char *data = malloc(len);

	CHECK_EQ(lseek(fd, at, SEEK_SET), at);
	all(read, out ? fd : 0, data, len);
	all(put, out ? 1 : fd, data, len);
}

static void by_mmap(int fd, off_t at, size_t len, bool out)
{
	off_t start = at & ~(off_t)(PAGE - 1);
	char *map = mmap(NULL, len + (at - start), PROT_READ | PROT_WRITE, MAP_SHARED, fd, start);

	CHECK(map != MAP_FAILED);
	if (out)
		all(put, 1, map + (at - start), len);
	else
		all(read, 0, map + (at - start), len);
}

/* Standard input and output need not be pipes, so the bytes go through a pipe in between. */
static void by_splice(int fd, off_t at, size_t len, bool out)
{
	loff_t from = at, to = at;
	int ends[2];

	CHECK(pipe(ends) == 0);
	while (len > 0) {
		ssize_t n, left;

		if (out)
			n = splice(fd, &from, ends[1], NULL, len, 0);
		else
			n = splice(0, NULL, ends[1], NULL, len, 0);
		CHECK(n > 0);
		len -= n;
		for (left = n; left > 0; left -= n) {
			if (out)
				n = splice(ends[0], NULL, 1, NULL, left, 0);
			else
				n = splice(ends[0], NULL, fd, &to, left, 0);
			CHECK(n > 0);
		}
	}
}

static void check_ends(int fd, off_t size)
{
	char bytes[8] = "abcdefg", *map;

	CHECK_EQ(lseek(fd, 0, SEEK_END), size);
	CHECK_EQ(read(fd, bytes, 8), 0);
	CHECK_ERR(write(fd, bytes, 8), ENOSPC);
	CHECK_EQ(pwrite(fd, bytes, 8, size - 3), 3);
	CHECK_EQ(pread(fd, bytes + 3, 5, size - 2), 2);
	CHECK(memcmp(bytes, "abcbc", 5) == 0);
	CHECK_ERR(pwrite(fd, (void *)16, 8, 0), EFAULT);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, size) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EINVAL);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, size - PAGE);
	CHECK(map != MAP_FAILED && memcmp(map + PAGE - 3, "abc", 3) == 0);
}

/*
 * Slots of device memory are references, so a later write to the device shows in them, even after
 * tee into a second pipe. They cannot become pages of a file.
 */
//BOOK: test-device-slots
static void check_slots(int fd)
{
	int a[2], b[2], pipes = open("/proc/pipes", O_RDONLY), file;
	char text[1024] = "", bytes[PAGE];
	loff_t at = 100;

	CHECK(pipe(a) == 0 && pipe(b) == 0);
	CHECK_EQ(pwrite(fd, "before", 6, 100), 6);
	CHECK_EQ(splice(fd, &at, a[1], NULL, 6, 0), 6);
	CHECK_EQ(at, 106);
	CHECK(read(pipes, text, sizeof(text) - 1) > 0 && strstr(text, "mmio"));
	CHECK_EQ(tee(a[0], b[1], 6, 0), 6);
	CHECK_EQ(pwrite(fd, "after!", 6, 100), 6);
	CHECK(read(a[0], bytes, 3) == 3 && read(a[0], bytes + 3, 3) == 3);
	CHECK(read(b[0], bytes + 6, 6) == 6 && !memcmp(bytes, "after!after!", 12));

	file = open("/tmp/device", O_RDWR | O_CREAT | O_TRUNC, 0600);
	at = 0;
	CHECK_EQ(splice(fd, &at, a[1], NULL, PAGE, 0), PAGE);
	CHECK_EQ(splice(a[0], NULL, file, NULL, PAGE, 0), PAGE);
	CHECK_EQ(pwrite(fd, "never!", 6, 100), 6);
	CHECK(pread(file, bytes, 6, 100) == 6 && !memcmp(bytes, "after!", 6));
	CHECK(unlink("/tmp/device") == 0);
	/* The slots that are left in the pipe are released with it. */
	at = 0;
	CHECK_EQ(splice(fd, &at, a[1], NULL, 2 * PAGE, 0), 2 * PAGE);
}

#define FBIOGET_VSCREENINFO 0x4600
#define FBIOPUT_VSCREENINFO 0x4601
#define SMALL		    (640 * 480 * 4)
#define RESIZE_SECONDS	    4

/*
 * Sets the two sizes in turn, for ever. The picture always has one of them, and never a mix of
 * both.
 */
static void resize(int fd)
{
	uint32_t screen[40]; /* struct fb_var_screeninfo: width, height ... bits a pixel */

	for (unsigned int i = 0;; i++) {
		CHECK_EQ(ioctl(fd, FBIOGET_VSCREENINFO, screen), 0);
		CHECK_EQ(screen[0] * 3, screen[1] * 4);
		screen[0] = i & 1 ? 640 : 1024;
		screen[1] = i & 1 ? 480 : 768;
		CHECK_EQ(ioctl(fd, FBIOPUT_VSCREENINFO, screen), 0);
	}
}

static void check_resized(int fd)
{
	const size_t len = 64 << 10;
	char *bytes = calloc(1, len);
	int ends[2], status;
	time_t end;
	pid_t child = fork();

	CHECK(child >= 0 && bytes && pipe(ends) == 0);
	if (!child)
		resize(fd);
	for (end = time(NULL) + RESIZE_SECONDS; time(NULL) < end;) {
		loff_t at = SMALL + PAGE;
		ssize_t n = pread(fd, bytes, len, at);

		CHECK(n == 0 || n == (ssize_t)len);
		CHECK((n = pwrite(fd, bytes, len, at)) == (ssize_t)len || errno == ENOSPC);
		n = splice(fd, &at, ends[1], NULL, len, 0);
		CHECK(n == 0 || n == (ssize_t)len);
		if (n > 0)
			all(read, ends[0], bytes, n);
	}
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
}

int main(int argc, char **argv)
{
	bool out = argc == 5 && strstr(argv[1], "read");
	struct stat st;
	int fd;

	if (argc < 3)
		return 0;
	if (!strcmp(argv[1], "claimed")) {
		CHECK_ERR(open(argv[2], O_RDONLY), EBUSY);
		return 0;
	}
	CHECK(stat(argv[2], &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)));
	fd = open_bar(argv[2]);
	if (!strcmp(argv[1], "check")) {
		check_ends(fd, st.st_size);
		check_slots(fd);
	} else if (!strcmp(argv[1], "resize")) {
		check_resized(fd);
	} else if (strstr(argv[1], "mmap")) {
		by_mmap(fd, atol(argv[3]), atol(argv[4]), out);
	} else if (strstr(argv[1], "splice")) {
		by_splice(fd, atol(argv[3]), atol(argv[4]), out);
	} else {
		by_read_and_write(fd, atol(argv[3]), atol(argv[4]), out);
	}
	return 0;
}
