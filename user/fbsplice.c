/*
 * fbsplice [PICTURE]: shows a picture without touching its bytes. They go from the file through a
 * pipe to the framebuffer. splice publishes references to the file's pages, and the bytes are
 * copied once, to the screen. The text comes back after a line, or the end, of standard input.
 *
 * PICTURE is a BMP with 32 bits a pixel, from top to bottom. Its pixels have the format of the
 * screen. tools/picture makes such a file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PICTURE		    "/etc/ring.bmp"
#define FBIOGET_VSCREENINFO 0x4600
#define FBIOPUT_VSCREENINFO 0x4601

struct screen { /* the beginning of struct fb_var_screeninfo, <linux/fb.h> */
	uint32_t width, height, rest[38];
};

struct __attribute__((packed)) bmp {
	char magic[2];
	uint32_t size, reserved, pixels, header;
	int32_t width, height; /* negative: from top to bottom */
	uint16_t planes, bits;
	uint32_t compression;
};

static void fail(const char *what)
{
	fprintf(stderr, "fbsplice: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Splices the bytes from *from to `end` of the file to the screen. */
static void splice_all(int file, loff_t *from, loff_t end, int screen)
{
	int ends[2];

	if (pipe(ends) < 0)
		fail("pipe");
	while (*from < end) {
		ssize_t n = splice(file, from, ends[1], NULL, end - *from, 0);

		if (n <= 0)
			fail("splice from the file");
		while (n > 0) {
			ssize_t shown = splice(ends[0], NULL, screen, NULL, n, 0);

			if (shown <= 0)
				fail("splice to the screen");
			n -= shown;
		}
	}
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : PICTURE;
	int file = open(name, O_RDONLY), screen;
	struct screen info;
	struct bmp bmp;
	loff_t from;

	if (file < 0 || read(file, &bmp, sizeof(bmp)) != sizeof(bmp))
		fail(name);
	if (memcmp(bmp.magic, "BM", 2) || bmp.bits != 32 || bmp.height >= 0 || bmp.width <= 0) {
		fprintf(stderr,
			"fbsplice: %s is not a BMP with 32 bits a pixel, from top to bottom\n",
			name);
		return 1;
	}
	screen = open("/dev/fb0", O_RDWR);
	if (screen < 0 && errno == ENOENT) {
		fprintf(stderr, "fbsplice: there is no screen; start the guest with "
				"tools/guest --qemu '-vga std -display gtk'\n");
		return 1;
	}
	if (screen < 0)
		fail("/dev/fb0");
	if (ioctl(screen, FBIOGET_VSCREENINFO, &info) < 0)
		fail("the screen");
	info.width = bmp.width;
	info.height = -bmp.height;
	if (ioctl(screen, FBIOPUT_VSCREENINFO, &info) < 0)
		fail("the picture's size");
	from = bmp.pixels;
	splice_all(file, &from, from + 4ll * bmp.width * -bmp.height, screen);
	printf("%s: %d x %d; press Enter to get the text back\n", name, bmp.width, -bmp.height);
	fflush(stdout);
	(void)getchar();
	return 0;
}
