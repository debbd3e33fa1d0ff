/*
 * /init of the oracle's initramfs. It brings Linux into the state in which Sluice starts its init.
 *
 * It loads the modules listed in /modules, in that order, mounts the disk /dev/vda as the root,
 * moves into it and becomes the guest's init.
 */
#include <errno.h>
#include <sys/syscall.h>

#include "init.h"

#define ROOT_DISK "/dev/vda"
#define INIT	  "/sbin/guest-init"

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "linux-init: %s: %s\n", what, strerror(errno));
	power_off();
}

static void load_modules(void)
{
	FILE *list = fopen("/modules", "r");
	char path[256];

	if (!list)
		fail("/modules");
	while (fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = 0;
		fd = open(path, O_RDONLY);
		if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
			fail(path);
		close(fd);
	}
	fclose(list);
}

/* The driver may still be looking for its disk. */
static void wait_for_disk(void)
{
	int tries;

	for (tries = 0; access(ROOT_DISK, F_OK) < 0; tries++) {
		if (tries == 1000)
			fail(ROOT_DISK);
		usleep(10000);
	}
}

int main(void)
{
	mkdir("/dev", 0755);
	mkdir("/root", 0755);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	load_modules();
	wait_for_disk();
	if (mount(ROOT_DISK, "/root", "ext2", 0, NULL) < 0 &&
	    mount(ROOT_DISK, "/root", "ext4", 0, NULL) < 0)
		fail(ROOT_DISK);
	umount2("/dev", MNT_DETACH);
	if (chdir("/root") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		fail("/root");
	chdir("/");
	execl(INIT, INIT, (char *)NULL);
	fail(INIT);
}
