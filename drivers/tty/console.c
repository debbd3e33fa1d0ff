/*
 * /dev/console: one terminal that stands for several devices.
 *
 * 1. Each console= names one device. Without console= the devices are ttyS0 and tty1. A named
 *    device joins when its driver registers it, before any program runs.
 * 2. Output goes to every member, and input from every member goes into the console's ring. A
 *    member is no terminal by itself. Its name in /dev means the console.
 * 3. Without any member, output is lost and input never comes.
 * 4. The kernel's log does not pass through here. The serial port and the screen are log sinks.
 */
#include "fs/dev/device.h"
#include "drivers/tty/tty.h"
#include "fs/file/open_file.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/param.h"
#include "kernel/task.h"
#include "lib/string.h"

#define MAX_MEMBERS 4u

static struct tty *members[MAX_MEMBERS];
static unsigned int nr_members;
static char wanted[MAX_MEMBERS][sizeof(members[0]->name)] = { "ttyS0", "tty1" };
static unsigned int nr_wanted; /* given by console=; 0: the two above */
static struct tty console_tty;

static int set_console(const char *value)
{
	size_t len = 0;

	while (value[len] != '\0' && value[len] != ',') /* ttyS0,115200: the speed is ignored */
		len++;
	if (len == 0 || len >= sizeof(wanted[0]) || nr_wanted == MAX_MEMBERS)
		return -EINVAL;
	strlcpy(wanted[nr_wanted++], value, len + 1);
	return 0;
}
KERNEL_PARAM(console, set_console, "ttyS0 and tty1",
	     "terminal of the first program: ttyS0, ttyS1 or tty1; may be repeated");

static bool is_wanted(const struct tty *tty)
{
	for (unsigned int i = 0; i < (nr_wanted ? nr_wanted : 2); i++) {
		if (strcmp(tty->name, wanted[i]) == 0)
			return true;
	}
	return false;
}

void tty_console_join(struct tty *tty)
{
	if (!is_wanted(tty) || nr_members == MAX_MEMBERS)
		return;
	members[nr_members++] = tty;
	tty->console = &console_tty;
	if (tty->window.rows != 0)
		console_tty.window = tty->window;
}

/* The first member decides how many bytes are taken. The others get the same bytes. */
//BOOK: console-write
static size_t console_write(struct tty *tty, const char *bytes, size_t len, bool atomic)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		size_t taken = members[i]->driver->write(members[i], bytes, len, atomic);

		if (i == 0)
			len = taken;
	}
	return len;
}

static void console_throttle(struct tty *tty, bool stop)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		if (members[i]->driver->throttle)
			members[i]->driver->throttle(members[i], stop);
	}
}

static bool console_can_write(struct tty *tty)
{
	for (unsigned int i = 0; i < nr_members; i++) {
		if (members[i]->driver->can_write && !members[i]->driver->can_write(members[i]))
			return false;
	}
	return true;
}

static const struct tty_driver console_driver = {
	.write = console_write,
	.throttle = console_throttle,
	.can_write = console_can_write,
};

static void console_init(void)
{
	strlcpy(console_tty.name, "console", sizeof(console_tty.name));
	console_tty.driver = &console_driver;
	tty_init(&console_tty, MAKEDEV(5, 1));
	if (chrdev_register(5, 1, "console", 0600, &tty_file_ops, &console_tty) < 0 ||
	    chrdev_register(5, 0, "tty", 0666, &tty_file_ops, NULL) < 0)
		cannot_start("too little memory for the console");
}
INITCALL(3, console_init);

/* Called once at boot, when all terminals have joined. */
static void name_those_missing(void)
{
	for (unsigned int i = 0; i < nr_wanted; i++) {
		bool found = false;

		for (unsigned int k = 0; k < nr_members; k++)
			found = found || strcmp(members[k]->name, wanted[i]) == 0;
		if (!found)
			log_warning("console=%s: there is no such terminal", wanted[i]);
	}
}

/* /dev is not mounted yet, so the file has no name. */
struct file *tty_open_console(void)
{
	struct inode *inode = inode_anonymous(S_IFCHR | 0600, "console");
	struct file *file;

	name_those_missing();
	if (IS_ERR(inode))
		return (void *)inode;
	inode->rdev = console_tty.device;
	file = file_alloc(inode, &tty_file_ops, O_RDWR);
	if (!IS_ERR(file))
		file->private = &console_tty;
	return file;
}
