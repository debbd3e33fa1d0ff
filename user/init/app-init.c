/*
 * The init of an image with one program, which `make iso APP=...` or `make microvm APP=...` has
 * made.
 *
 * 1. It mounts /proc, /sys, /dev and /tmp. If the image wants a disk for data, it mounts this
 *    disk at /data. If the disk is missing, it does not start the program, whose data would be
 *    lost.
 * 2. The program has the console as its terminal, and starts in /. Processes that lose their
 *    parent are reaped here.
 * 3. The machine ends when the program ends. Processes that the program leaves behind get
 *    SIGTERM, and have GRACE_MS to end.
 * 4. At the end the disks are clean. The exit status is printed on the console, and QEMU's
 *    device isa-debug-exit hands it on. If the status is 0, or there is no such device, the
 *    power is switched off.
 *
 * If n is written to the device, QEMU ends with the lower eight bits of 2 * n + 1. So the device
 * can tell the exit statuses from 1 to 126 apart, and 127 stands for all higher ones.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdint.h>
#include <sys/io.h>
#include <termios.h>
#include <time.h>

#include "init.h"

#define SETTINGS      "/sbin/app-init.conf"
#define STRINGS_MAX   65536
#define DATA	      "/data"
#define GRACE_MS      2000
#define CANNOT_START  126
#define EXIT_PORT     0xf4 /* where QEMU's command from tools/mkapp puts isa-debug-exit */
#define EXIT_MAX      127
#define IN_HYPERVISOR (1u << 31) /* of CPUID 1, ecx: this is a virtual machine */

/* The superblock of ext2, 1024 bytes from the start of the disk (fs/ext2/format.h). */
#define SUPER_AT       1024
#define SUPER_MAGIC    0xef53
#define COMPAT_JOURNAL 4

struct super {
	uint8_t before[56];
	uint16_t magic;
	uint8_t between[34];
	uint32_t compat;
	uint8_t more[24];
	char label[16];
};

/* From SETTINGS: the program, its arguments, and its disk for data or NULL. */
static char *path, **arguments, *data;
static struct termios console; /* its settings before the program has changed them */

/* --- settings --- */

/* Reads the strings of SETTINGS. The first letter of a string says what it is. */
static void read_settings(void)
{
	static char text[STRINGS_MAX];
	int fd = open(SETTINGS, O_RDONLY | O_CLOEXEC), count = 0;
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	arguments = calloc(len + 2, sizeof(char *));
	setenv("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 1);
	for (char *at = text; at < text + len; at += strlen(at) + 1) {
		if (*at == 'P')
			path = at + 1;
		else if (*at == 'A')
			arguments[count++] = at + 1;
		else if (*at == 'E')
			putenv(at + 1);
		else if (*at == 'D')
			data = at + 1;
	}
}

/* --- the disk for data --- */

static int read_super(const char *device, struct super *super)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	int good = pread(fd, super, sizeof(*super), SUPER_AT) == sizeof(*super);

	close(fd);
	return good && super->magic == SUPER_MAGIC;
}

/* Is this the disk that the settings name? The word `disk` stands for the first one. */
static int is_wanted(const char *name, const struct super *super)
{
	return strcmp(data, "disk") == 0 || strcmp(data, name) == 0 ||
	       strncmp(data, super->label, sizeof(super->label)) == 0;
}

/* Finds the disk for data. Returns the kind of its file system, or NULL. The root is ram0. */
static const char *find_data(char *device, size_t size)
{
	FILE *list = fopen("/proc/partitions", "re");
	char line[128], name[64];
	struct super super;

	while (list && fgets(line, sizeof(line), list)) {
		if (sscanf(line, "%*u %*u %*u %63s", name) != 1 || strcmp(name, "ram0") == 0)
			continue;
		snprintf(device, size, "/dev/%s", name);
		if (read_super(device, &super) && is_wanted(name, &super)) {
			fclose(list);
			return super.compat & COMPAT_JOURNAL ? "ext3" : "ext2";
		}
	}
	if (list)
		fclose(list);
	return NULL;
}

/* Returns 0, or prints why the disk cannot be mounted and returns -1. */
static int mount_data(void)
{
	char device[80];
	const char *type = find_data(device, sizeof(device));

	if (!type && strcmp(data, "disk") == 0) {
		printf("app-init: no disk has an ext2 or ext3 file system; mke2fs -t ext3 makes one\n");
		return -1;
	}
	if (!type) {
		printf("app-init: no ext2 or ext3 file system is on a disk named %s or has the label %s; "
		       "mke2fs -t ext3 -L %s makes one\n",
		       data, data, data);
		return -1;
	}
	if (mount(device, DATA, type, 0, NULL) < 0) {
		printf("app-init: cannot mount %s at " DATA ": %s; check it with e2fsck -f, and "
		       "note that ext4 is not supported\n",
		       device, strerror(errno));
		return -1;
	}
	return 0;
}

/* --- the program --- */

/* Runs the program. Returns its wait status. */
static int run(void)
{
	pid_t pid = fork();
	int error;

	if (pid != 0)
		return pid < 0 ? CANNOT_START << 8 : reap_until(pid);
	take_console();
	execv(path, arguments);
	error = errno;
	dprintf(2, "app-init: cannot start %s: %s\n", path, strerror(error));
	_exit(CANNOT_START);
}

/* Ask the processes that are left to end, and wait until they have, or GRACE_MS have passed. */
static void end_others(void)
{
	struct timespec step = { .tv_nsec = 10 * 1000 * 1000 };

	kill(-1, SIGTERM);
	for (int ms = 0; ms < GRACE_MS && waitpid(-1, NULL, WNOHANG) >= 0; ms += 10)
		nanosleep(&step, NULL);
}

/* --- the end --- */

/* Writes the status to isa-debug-exit. A real machine has no such device. */
static void hand_on(int status)
{
	unsigned int eax, ebx, ecx = 0, edx;

	if (status == 0 || !__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & IN_HYPERVISOR))
		return;
	if (ioperm(EXIT_PORT, 1, 1) == 0)
		outb(status < EXIT_MAX ? status : EXIT_MAX, EXIT_PORT);
}

static _Noreturn void end(int status)
{
	end_others();
	leave_disks();
	tcsetattr(1, TCSANOW, &console);
	if (WIFSIGNALED(status))
		printf("\nexit status %d: killed by signal %d (%s)\n", shell_status(status),
		       WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		printf("\nexit status %d\n", shell_status(status));
	fflush(stdout);
	tcdrain(1);
	hand_on(shell_status(status));
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

int main(void)
{
	mount_all();
	obey_poweroff();
	read_settings();
	tcgetattr(1, &console);
	end(data && mount_data() < 0 ? CANNOT_START << 8 : run());
}
