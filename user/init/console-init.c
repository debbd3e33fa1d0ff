/*
 * The init of a machine that no tools/guest controls, such as a real one or a boot image.
 *
 * If there is a program /app (make iso APP=...), it runs this on the console, prints its exit status and
 * powers off. Otherwise it runs a login shell on the console, and powers off when the shell ends.
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

static void run_app(void)
{
	char *argv[] = { "/app", NULL };
	int status = reap_until(start(argv[0], argv));
	int console = open("/dev/console", O_RDWR | O_NOCTTY);

	if (WIFSIGNALED(status))
		dprintf(console, "killed by signal %d\n", WTERMSIG(status));
	dprintf(console, "exit status %d\n", shell_status(status));
}

int main(void)
{
	char *shell[] = { "-sh", NULL };

	mount_all();
	obey_poweroff();
	if (access("/app", X_OK) == 0) {
		run_app();
		power_off();
	}
	reap_until(start("/bin/sh", shell));
	power_off();
}
