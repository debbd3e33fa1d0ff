/*
 * The init of a machine that no tools/guest controls, such as a real one or a boot image. It runs a
 * login shell on the console, and powers off when the shell ends.
 */
#include "init.h"

static pid_t start(const char *program, char *const argv[])
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setenv("PATH", "/bin:/sbin:/test:/bench:/usr/bin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "linux", 0);
	take_console();
	if (chdir("/root") < 0)
		chdir("/");
	execv(program, argv);
	perror(program);
	_exit(127);
}

int main(void)
{
	char *shell[] = { "-sh", NULL };

	mount_all();
	obey_poweroff();
	reap_until(start("/bin/sh", shell));
	power_off();
}
