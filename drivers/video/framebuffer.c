/*
 * The linear framebuffer of QEMU's standard VGA as /dev/fb0. The device has the Bochs VBE interface
 * ("dispi"), and the ioctls are those of Linux, <linux/fb.h>.
 *
 * 1. The first open sets a mode with 32 bits per pixel (blue, green, red, unused). The last close
 *    brings back what the screen showed before, text or a picture. Meanwhile drivers/video/vga.c
 *    keeps the text that is written to it.
 * 2. The file contains the visible picture and has its size. FBIOPUT_VSCREENINFO changes the
 *    geometry, and the next first open resets it.
 * 3. fb.lock (mutex) guards the mode and the openers.
 */
#include "fs/dev/device.h"
#include "drivers/device_memory.h"
#include "drivers/pci.h"
#include "drivers/tty/console.h"
#include "kernel/cpu/cpu.h"
#include "kernel/init.h"
#include "kernel/mutex.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/vmalloc.h"
#include "mm/vm/uaccess.h"
#include "fs/splice/copy.h"

#define FB_MAJOR	    29
#define VENDOR_BOCHS	    0x1234
#define DEVICE_BOCHS_VGA    0x1111
#define DEFAULT_WIDTH	    640
#define DEFAULT_HEIGHT	    480
#define PIXEL_BYTES	    4u

#define FBIOGET_VSCREENINFO 0x4600
#define FBIOPUT_VSCREENINFO 0x4601

/* The text screen's characters, fonts and attributes are in the first bytes of video memory. */
#define TEXT_BYTES (8 * PAGE_SIZE)

/* The Bochs VBE interface: two ports, and the registers behind them. */
#define DISPI_PORT     0x1ce
#define DISPI_ON       0x01
#define DISPI_ENABLED  0x41 /* with a linear framebuffer */
#define DISPI_KEEP     0x80 /* the mode starts with what is in video memory */
#define DISPI_ID_MASK  0xfff0
#define DISPI_ID_FIRST 0xb0c0
enum {
	DISPI_ID,
	DISPI_WIDTH,
	DISPI_HEIGHT,
	DISPI_BITS,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRTUAL_WIDTH,
	DISPI_VIRTUAL_HEIGHT, /* follows from the memory */
	DISPI_X,
	DISPI_Y,
	DISPI_REGISTERS,
};

struct colour {
	uint32_t offset, length, msb_right;
};

/* struct fb_var_screeninfo */
struct screen_variable {
	uint32_t width, height, virtual_width, virtual_height, x, y, bits, grey;
	struct colour red, green, blue, transparent;
	uint32_t rest[20]; /* timings: none */
};
static struct {
	struct mutex lock;
	struct device_memory memory; /* phys is set once */
	uint32_t max_size;
	struct pci_device *pci;
	unsigned int openers, width, height;
	/*
	 * The mode before the first open, and what was then in the part of video memory that it
	 * shows.
	 */
	uint16_t before[DISPI_REGISTERS];
	void *shown;
	uint32_t shown_bytes;
} fb = { .lock = MUTEX_INIT(fb.lock) };

static void dispi_write(uint16_t reg, uint16_t value)
{
	outw(DISPI_PORT, reg);
	outw(DISPI_PORT + 1, value);
}

static uint16_t dispi_read(uint16_t reg)
{
	outw(DISPI_PORT, reg);
	return inw(DISPI_PORT + 1);
}

/*
 * Saves the mode and the part of video memory that it shows. Returns 0 or -ENOMEM. fb.lock is held.
 */
static int save_screen(void)
{
	const uint16_t *mode = fb.before;
	uint64_t bytes = TEXT_BYTES;

	for (unsigned int reg = 0; reg < DISPI_REGISTERS; reg++)
		fb.before[reg] = dispi_read(reg);
	if (mode[DISPI_ENABLE] & DISPI_ON)
		bytes = (uint64_t)mode[DISPI_VIRTUAL_WIDTH] * (mode[DISPI_Y] + mode[DISPI_HEIGHT]) *
			((mode[DISPI_BITS] + 7) / 8);
	fb.shown_bytes = MIN(MAX(bytes, TEXT_BYTES), fb.max_size);
	fb.shown = vmalloc(fb.shown_bytes, ALLOC_ZERO);
	if (!fb.shown)
		return -ENOMEM;
	vga_text(false);
	device_memory_copy(&fb.memory, fb.shown, fb.shown_bytes, false);
	return 0;
}

/* Makes the screen what it was when save_screen() ran. fb.lock is held. */
static void restore_screen(void)
{
	/* The last ones count only while the mode is on. */
	static const uint8_t order[] = { DISPI_WIDTH, DISPI_HEIGHT,	   DISPI_BITS, DISPI_ENABLE,
					 DISPI_BANK,  DISPI_VIRTUAL_WIDTH, DISPI_X,    DISPI_Y };

	dispi_write(DISPI_ENABLE, 0);
	fb.memory.size = fb.max_size;
	device_memory_copy(&fb.memory, fb.shown, fb.shown_bytes, true);
	vfree(fb.shown);
	fb.before[DISPI_ENABLE] |= DISPI_KEEP;
	for (unsigned int i = 0; fb.before[DISPI_ENABLE] & DISPI_ON && i < ARRAY_SIZE(order); i++)
		dispi_write(order[i], fb.before[order[i]]);
	vga_text(true);
}

/* Returns 0, or -EINVAL if the picture does not fit into the device's memory. fb.lock is held. */
static int set_mode(struct inode *inode, uint32_t width, uint32_t height)
{
	if (width == 0 || height == 0 || width % 8 || width > UINT16_MAX || height > UINT16_MAX ||
	    height > fb.max_size / (width * PIXEL_BYTES))
		return refuse(EINVAL, "not a picture that fits");
	fb.width = width;
	fb.height = height;
	dispi_write(DISPI_ENABLE, 0);
	dispi_write(DISPI_WIDTH, width);
	dispi_write(DISPI_HEIGHT, height);
	dispi_write(DISPI_BITS, PIXEL_BYTES * 8);
	dispi_write(DISPI_ENABLE, DISPI_ENABLED);
	/* The device has cleared the picture, so it may be read now. */
	WRITE_ONCE(fb.memory.size, width * height * PIXEL_BYTES);
	inode_set_size(inode, width * height * PIXEL_BYTES);
	return 0;
}

static int fb_open(struct inode *inode, struct file *file)
{
	int error = 0;

	if (fb.pci->driver)
		return refuse(EBUSY, "the device has a driver");
	mutex_lock(&fb.lock);
	if (fb.openers == 0)
		error = save_screen();
	if (!error && fb.openers++ == 0)
		set_mode(inode, DEFAULT_WIDTH, DEFAULT_HEIGHT);
	mutex_unlock(&fb.lock);
	file->private = &fb.memory;
	return error;
}

static void fb_release(struct file *file)
{
	mutex_lock(&fb.lock);
	if (--fb.openers == 0)
		restore_screen();
	mutex_unlock(&fb.lock);
}

static long put_variable(struct file *file, void __user *argument)
{
	struct screen_variable wanted;
	int error;

	if (copy_from_user(&wanted, argument, sizeof(wanted)))
		return -EFAULT;
	if (wanted.bits != PIXEL_BYTES * 8 || wanted.x || wanted.y)
		return refuse(EINVAL, "only 32 bits per pixel, and no panning");
	mutex_lock(&fb.lock);
	error = set_mode(file->inode, wanted.width, wanted.height);
	mutex_unlock(&fb.lock);
	return error;
}

static long fb_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	void __user *to = (void __user *)argument;
	struct screen_variable variable = {
		.bits = PIXEL_BYTES * 8,
		.red = { 16, 8, 0 },
		.green = { 8, 8, 0 },
		.blue = { 0, 8, 0 },
	};

	mutex_lock(&fb.lock);
	variable.width = variable.virtual_width = fb.width;
	variable.height = variable.virtual_height = fb.height;
	mutex_unlock(&fb.lock);
	if (command == FBIOGET_VSCREENINFO)
		return copy_to_user(to, &variable, sizeof(variable));
	return command == FBIOPUT_VSCREENINFO ? put_variable(file, to) : -ENOTTY;
}

static const struct file_ops fb_ops = {
	.open = fb_open,
	.release = fb_release,
	.read = device_memory_read,
	.write = device_memory_write,
	.llseek = generic_llseek,
	.ioctl = fb_ioctl,
	.mmap = device_memory_mmap,
	.splice_read = device_memory_splice_read,
	.splice_write = copy_splice_write,
};

static int __init framebuffer_probe(void)
{
	struct pci_device *pci;

	list_for_each(pci, &pci_devices, link)
		if (pci->vendor == VENDOR_BOCHS && pci->id == DEVICE_BOCHS_VGA)
			fb.pci = pci;
	if (!fb.pci || fb.pci->bars[0].size < DEFAULT_WIDTH * DEFAULT_HEIGHT * PIXEL_BYTES)
		return 0;
	outw(DISPI_PORT, DISPI_ID);
	if ((inw(DISPI_PORT + 1) & DISPI_ID_MASK) != DISPI_ID_FIRST)
		return 0;
	fb.memory.phys = fb.pci->bars[0].phys;
	fb.memory.size = fb.max_size = fb.pci->bars[0].size;
	return chrdev_register(FB_MAJOR, 0, "fb0", 0660, &fb_ops, NULL);
}
DRIVER(framebuffer, framebuffer_probe);
