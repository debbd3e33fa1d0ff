/*
 * Users and groups of a process.
 */
#include "signals.h"

TEST(ids, 5, "set*id for root and for others, saved ids, groups")
{
	pid_t child = fork();
	gid_t groups[2] = { 5, 6 }, got[2];

	if (child == 0) {
		int bad = 0;

		bad |= setgroups(2, groups) || getgroups(2, got) != 2 || got[1] != 6;
		bad |= setresuid(100, 200, 300) || getuid() != 100 || geteuid() != 200;
		bad |= setuid(400) != -1 || errno != EPERM;
		bad |= seteuid(300) || geteuid() != 300;
		bad |= setresuid(-1, 200, -1) != -1 || errno != EPERM;
		bad |= setuid(100) || geteuid() != 100;
		bad |= setgroups(1, groups) != -1 || errno != EPERM;
		bad |= kill(1, SIGTERM) != -1 || errno != EPERM;
		_exit(bad);
	}
	CHECK(wait_status(child) == 0);
}
