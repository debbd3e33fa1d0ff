/*
 * Rows for processes: starting and ending them, starting programs, touching a mapped file for the
 * first time, and giving up the CPU.
 */
#include "bench.h"

#define PROGRAM "/bin/busybox" /* static, linked with glibc, as Debian ships it */
#define DYNAMIC \
	"/bench/nothing" /* user/bench/dynamic: needs Debian's ld-linux.so.2 and libc.so.6 */
#define TOUCHED 64u	 /* pages */

static volatile char *mapped;
static int source = -1;

static void wait_for(pid_t pid)
{
	int status;

	need(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "the child");
}

static void fork_and_wait(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	wait_for(pid);
}

static void become_true(void)
{
	static char name[] = "true";
	static char *const arguments[] = { name, NULL };

	execve(PROGRAM, arguments, arguments + 1);
	_exit(127);
}

static void vfork_and_exec(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		become_true();
	wait_for(pid);
}

static void fork_and_exec(void)
{
	pid_t pid = fork();

	if (pid == 0)
		become_true();
	wait_for(pid);
}

static bool has_dynamic(void)
{
	return access(DYNAMIC, X_OK) == 0;
}

static void vfork_and_exec_dynamic(void)
{
	static char name[] = "nothing";
	static char *const arguments[] = { name, NULL };
	pid_t pid = vfork();

	if (pid == 0) {
		execve(DYNAMIC, arguments, arguments + 1);
		_exit(127);
	}
	wait_for(pid);
}

static bool open_file(void)
{
	source = open(PROGRAM, O_RDONLY);
	return source >= 0;
}

/* After the first run the pages are in the cache, but in no page table of this process. */
static void map_afresh(void)
{
	if (mapped)
		need(munmap((void *)mapped, TOUCHED * 4096) == 0, "munmap");
	mapped = mmap(NULL, TOUCHED * 4096, PROT_READ, MAP_SHARED, source, 0);
	need(mapped != MAP_FAILED, "mmap");
}

static void touch_all(void)
{
	for (unsigned int i = 0; i < TOUCHED; i++)
		(void)mapped[i * 4096];
}

static bool yielding_task(void)
{
	if (bench_child() == 0)
		for (;;)
			sched_yield();
	return true;
}

static void yield(void)
{
	sched_yield();
}

static struct row rows[] = {
	{ "fork + exit + wait", "a child that ends at once, and its parent's wait", .reach = 62000,
	  .rounds = 100, .once = fork_and_wait },
	{ "vfork + exec + wait",
	  "the same, but the child becomes BusyBox's true; all that the program does, too",
	  .reach = 90000, .rounds = 50, .once = vfork_and_exec },
	{ "fork + exec + wait", "the same with a copy of the parent's memory", .reach = 134000,
	  .rounds = 50, .once = fork_and_exec },
	{ "vfork + exec + wait, dynamic",
	  "the same with a program of Debian's C library, which its loader maps and links",
	  .reach = 432000, .rounds = 20, .setup = has_dynamic, .once = vfork_and_exec_dynamic },
	{ "first touch of 64 cached file pages",
	  "a read of each page of a mapping that was just made; not the mmap", .reach = 20000,
	  .rounds = 50, .setup = open_file, .prepare = map_afresh, .once = touch_all },
	{ "sched_yield between two tasks", "two calls and two switches; both tasks' work",
	  .reach = 2000, .rounds = 1000, .setup = yielding_task, .once = yield },
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
