/*
 * Functions that the guest's inits share. They mount file systems, take the console, and power off.
 */
#ifndef USER_INIT_INIT_H
#define USER_INIT_INIT_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Mounts the file systems that programs expect. If one is mounted already or does not exist, that
 * is no error.
 */
static inline void mount_all(void)
{
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	if (mount("dev", "/dev", "devtmpfs", 0, NULL) < 0)
		mount("dev", "/dev", "dev", 0, NULL);
	/* Sluice has these links. Linux leaves them to user space. */
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666");
	mkdir("/dev/shm", 01777);
	mount("shm", "/dev/shm", "tmpfs", 0, NULL);
}

/* Makes the calling process the leader of a new session on the console, which becomes fd 0 to 2. */
static inline void take_console(void)
{
	int fd;

	setsid();
	fd = open("/dev/console", O_RDWR);
	if (fd < 0)
		return;
	ioctl(fd, TIOCSCTTY, 0);
	dup2(fd, 0);
	dup2(fd, 1);
	dup2(fd, 2);
	if (fd > 2)
		close(fd);
}

/* Returns the exit status that a shell would report for a wait status. */
static inline int shell_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Reaps every child until `pid` has ended. Returns its wait status. */
static inline int reap_until(pid_t pid)
{
	int status;
	pid_t ended;

	do
		ended = waitpid(-1, &status, 0);
	while (ended > 0 && ended != pid);
	return ended == pid ? status : 127 << 8;
}

/*
 * Unmount the file system of a line of /proc/mounts if it is on a disk, or at least stop writing to
 * it.
 */
static inline void leave_mount(char *line)
{
	char *target = strchr(line, ' ');

	if (!target || strncmp(line, "/dev/", 5) != 0)
		return;
	*target++ = '\0';
	target[strcspn(target, " ")] = '\0';
	if (strcmp(target, "/") == 0 || umount2(target, 0) < 0)
		mount(line, target, NULL, MS_REMOUNT | MS_RDONLY, NULL);
}

/* End all other processes, and leave the disks clean: what is mounted last is unmounted first. */
static inline void leave_disks(void)
{
	static char text[16384];
	int fd = open("/proc/mounts", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	close(fd);
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	for (char *end = text + (len > 0 ? len : 0); end > text; *end = '\0') {
		char *line = end;

		while (line > text && line[-1] != '\n')
			line--;
		if (*line)
			leave_mount(line);
		end = line > text ? line - 1 : text;
	}
	sync();
}

/* SIGUSR1 halts the machine, SIGTERM starts it again, SIGUSR2 switches it off. */
static inline void end_machine(int signo)
{
	leave_disks();
	reboot(signo == SIGUSR1 ? RB_HALT_SYSTEM : signo == SIGTERM ? RB_AUTOBOOT : RB_POWER_OFF);
}

/*
 * The programs halt, reboot and poweroff send these signals to init, unless they have the option
 * -f.
 */
static inline void obey_poweroff(void)
{
	signal(SIGUSR1, end_machine);
	signal(SIGUSR2, end_machine);
	signal(SIGTERM, end_machine);
}

static inline _Noreturn void power_off(void)
{
	leave_disks();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

#endif
