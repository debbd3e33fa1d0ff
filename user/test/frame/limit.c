/*
 * limit SECONDS PROGRAM [ARGUMENT...]: runs a program in a process group of its own and, when its
 * time is over, kills the whole group. A guest that is busy gets more time, as the cases of the
 * guest tests do (../patience.h). Returns the program's exit status, or 128 + the signal. It is for
 * tests/programs, and not in the root image.
 */
#include "../patience.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

static pid_t child;

static void time_over(int sig)
{
	(void)sig;
	if (!patience_goes_on())
		kill(-child, SIGKILL);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = time_over, .sa_flags = SA_RESTART };
	int seconds = argc > 2 ? atoi(argv[1]) : 0, status;

	if (seconds <= 0) {
		fprintf(stderr, "usage: limit SECONDS PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	patience_begin(seconds);
	child = fork();
	if (child < 0) {
		perror("limit");
		return 1;
	}
	setpgid(child, child);
	if (child == 0) {
		setpgid(0, 0);
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	sigaction(SIGALRM, &action, NULL);
	alarm(seconds);
	if (waitpid(child, &status, 0) != child)
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
