/* Processes: fork, exec, wait, groups and limits, under load too. */
#include "test.h"
#include <sys/resource.h>

TEST(exit_status, 5, "wait gives the exit status, its low eight bits")
{
	static const int codes[] = { 0, 1, 7, 125, 255, 256 + 3 };

	for (unsigned int i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		pid_t child = fork();

		if (!child)
			_exit(codes[i]);
		CHECK_EQ(test_wait(child), codes[i] & 255);
	}
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(getpid(), NULL, 0), ECHILD);
}

TEST(memory_is_copied, 5, "after fork each side has its own memory")
{
	static int value = 1;
	int *heap = malloc(sizeof(*heap));
	pid_t child;

	*heap = 10;
	child = fork();
	if (!child) {
		value = 2;
		*heap = 20;
		_exit(value + *heap);
	}
	CHECK_EQ(test_wait(child), 22);
	CHECK_EQ(value, 1);
	CHECK_EQ(*heap, 10);
}

TEST(offset_is_shared, 5, "after fork both sides share the file offset")
{
	char buf[4];
	int fd = open("/etc/passwd", O_RDONLY);
	pid_t child = fork();

	CHECK(fd >= 0);
	if (!child)
		_exit(read(fd, buf, 3) != 3);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
}

TEST(exec_arguments, 5, "exec passes arguments and environment, empty strings too")
{
	char *argv[] = { "sh",
			 "-c",
			 "[ $# = 3 ] && [ \"$1\" = '' ] && [ \"$2\" = 'a b' ] && [ \"$V\" = x ]",
			 "0",
			 "",
			 "a b",
			 "$HOME",
			 NULL };
	char *env[] = { "V=x", NULL };
	pid_t child = fork();

	if (!child) {
		execve("/bin/sh", argv, env);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(exec_errors, 5, "exec: ENOENT, EACCES, ENOEXEC, E2BIG, EFAULT; the caller lives on")
{
	char *argv[] = { "x", NULL }, *env[] = { NULL };
	static char *many[70000];
	int fd = open("/tmp/not-a-program", O_WRONLY | O_CREAT | O_TRUNC, 0755);

	CHECK_EQ(write(fd, "\177ELFgarbage", 11), 11);
	close(fd);
	CHECK_ERR(execve("/nonexistent", argv, env), ENOENT);
	CHECK_ERR(execve("/etc/passwd", argv, env), EACCES);
	CHECK_ERR(execve("/tmp", argv, env), EACCES);
	CHECK_ERR(execve("/tmp/not-a-program", argv, env), ENOEXEC);
	for (int i = 0; i < 69999; i++)
		many[i] = "0123456789012345678901234567890123456789012345678901234567890123456789";
	CHECK_ERR(execve("/bin/sh", many, env), E2BIG);
	CHECK_ERR(syscall(SYS_execve, (char *)8, argv, env), EFAULT);
	CHECK_ERR(syscall(SYS_execve, "/bin/sh", (char **)8, env), EFAULT);
	CHECK_EQ(unlink("/tmp/not-a-program"), 0);
}

/* Returns the error of an exec. */
static int exec_error(const char *path, void *argv, void *env)
{
	CHECK_EQ(syscall(SYS_execve, path, argv, env), -1);
	return errno;
}

TEST(exec_order, 5,
     "exec: a bad pointer or too many bytes are reported before what is wrong with the file")
{
	static const char *const paths[] = { "/nonexistent", "/etc/passwd", "/tmp" };
	static char long_string[131073];
	char *argv[] = { "x", NULL }, *none[] = { NULL };
	char *bad[] = { "x", (char *)8, NULL }, *large[] = { "x", long_string, NULL };

	memset(long_string, 'a', 131072);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(exec_error(paths[i], (void *)8, none), EFAULT);
		CHECK_EQ(exec_error(paths[i], bad, none), EFAULT);
		CHECK_EQ(exec_error(paths[i], argv, (void *)8), EFAULT);
		CHECK_EQ(exec_error(paths[i], argv, bad), EFAULT);
		CHECK_EQ(exec_error(paths[i], large, none), E2BIG);
		CHECK_EQ(exec_error(paths[i], argv, large), E2BIG);
		CHECK_EQ(exec_error(paths[i], argv, none), i ? EACCES : ENOENT);
	}
	CHECK_EQ(exec_error((void *)8, large, none), EFAULT);
	CHECK_EQ(exec_error("", bad, none), ENOENT);
}

TEST(exec_of_a_written_file, 5, "exec: what is open for writing is busy, be it a program or not")
{
	static const char *const texts[] = { "#!/bin/sh\nexit 3\n", "no program\n" };
	char *argv[] = { "x", NULL }, *none[] = { NULL };

	for (int i = 0; i < 2; i++) {
		int fd = open("/tmp/written", O_WRONLY | O_CREAT | O_TRUNC, 0755);

		CHECK(fd >= 0);
		CHECK_EQ(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		CHECK_EQ(exec_error("/tmp/written", argv, none), ETXTBSY);
		close(fd);
		pid_t child = fork();

		if (child == 0) {
			execv("/tmp/written", argv);
			_exit(errno == ENOEXEC ? 8 : 99);
		}
		CHECK_EQ(test_wait(child), i ? 8 : 3);
	}
	CHECK_EQ(unlink("/tmp/written"), 0);
}

/* Start true with so many arguments of so many bytes. Returns its exit status. */
static int start_with(int arguments, int bytes)
{
	static char string[131072], *argv[200000], *env[] = { NULL };
	pid_t child = fork();

	if (child)
		return test_wait(child);
	memset(string, 'a', bytes - 1);
	argv[0] = "true";
	for (int i = 1; i <= arguments; i++)
		argv[i] = string;
	execve("/bin/true", argv, env);
	_exit(errno == E2BIG ? 7 : 99);
}

TEST(long_arguments, 20,
     "arguments may take a quarter of the stack's limit, but 128 KiB in any case")
{
	struct rlimit stack = { 8 << 20, 8 << 20 };

	CHECK_EQ(setrlimit(RLIMIT_STACK, &stack), 0);
	CHECK_EQ(start_with(1, 131072), 0);
	CHECK_EQ(start_with(15, 131072), 0);
	CHECK_EQ(start_with(16, 131072), 7);
	CHECK_EQ(start_with(100000, 6), 0);
	CHECK_EQ(start_with(199000, 8), 7); /* the pointers count, too */
	stack.rlim_cur = 256 << 10;
	CHECK_EQ(setrlimit(RLIMIT_STACK, &stack), 0);
	CHECK_EQ(start_with(1, 130000), 0);
	CHECK_EQ(start_with(1, 131072), 7);
	CHECK_EQ(start_with(2, 100000), 7);
}

TEST(script, 5, "#! runs its interpreter with one argument and the script's path")
{
	int fd = open("/tmp/script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
	static const char text[] =
		"#!/bin/sh -e\n[ \"$0\" = /tmp/script ] && [ \"$1\" = one ] && exit 42\n";
	pid_t child;

	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	child = fork();
	if (!child) {
		execl("/tmp/script", "anything", "one", NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 42);
	CHECK_EQ(unlink("/tmp/script"), 0);
}

TEST(close_on_exec, 5, "FD_CLOEXEC descriptors are closed by exec, others stay")
{
	int keep = open("/dev/null", O_RDONLY), shut = open("/dev/null", O_RDONLY | O_CLOEXEC);
	char command[100];
	pid_t child;

	snprintf(command, sizeof(command), "[ -e /proc/self/fd/%d ] && [ ! -e /proc/self/fd/%d ]",
		 keep, shut);
	child = fork();
	if (!child) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(99);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(vfork_waits, 5, "vfork's parent goes on after exec or exit of the child")
{
	static volatile int seen;
	pid_t child = vfork();

	if (!child) {
		seen = 1;
		_exit(3);
	}
	CHECK_EQ(seen, 1);
	CHECK_EQ(test_wait(child), 3);
}

/*
 * A group whose leader has been waited for: its number is still in use. Returns the other member.
 */
static pid_t group_without_leader(pid_t *leader)
{
	int ends[2];
	pid_t member;

	CHECK_EQ(pipe(ends), 0);
	*leader = fork();
	if (!*leader) {
		setpgid(0, 0);
		member = fork();
		if (!member)
			for (;;)
				pause();
		_exit(write(ends[1], &member, sizeof(member)) != sizeof(member));
	}
	CHECK_EQ(read(ends[0], &member, sizeof(member)), sizeof(member));
	CHECK_EQ(test_wait(*leader), 0);
	close(ends[0]);
	close(ends[1]);
	return member;
}

TEST(numbers_in_use, 240, "process numbers go in a circle, past those of processes and of groups")
{
	pid_t leader, member = group_without_leader(&leader), before = 0;
	int circles = 0;

	for (int i = 0; i < 33000; i++) {
		pid_t child = vfork();

		if (!child)
			_exit(0);
		CHECK(child > 1);
		CHECK(child != before && child != leader && child != member && child != getpid());
		circles += child < before;
		before = child;
		CHECK_EQ(test_wait(child), 0);
	}
	CHECK(circles > 0);
	CHECK_EQ(kill(member, SIGKILL), 0);
}

TEST(fork_storm, 60, "five hundred children, each waited for")
{
	for (int round = 0; round < 10; round++) {
		pid_t children[50];

		for (int i = 0; i < 50; i++) {
			children[i] = fork();
			CHECK(children[i] >= 0);
			if (!children[i])
				_exit(i);
		}
		for (int i = 49; i >= 0; i--)
			CHECK_EQ(test_wait(children[i]), i);
	}
}

TEST(exec_storm, 90, "a hundred programs started and waited for, four at a time")
{
	for (int round = 0; round < 25; round++) {
		pid_t children[4];

		for (int i = 0; i < 4; i++) {
			children[i] = fork();
			if (!children[i]) {
				execl("/bin/busybox", "true", NULL);
				_exit(99);
			}
		}
		for (int i = 0; i < 4; i++)
			CHECK_EQ(test_wait(children[i]), 0);
	}
}

TEST(orphans, 10, "a child whose parent is gone belongs to another and is reaped")
{
	int p[2];
	pid_t middle, grandchild;
	char byte;

	CHECK_EQ(pipe(p), 0);
	middle = fork();
	if (!middle) {
		if (!(grandchild = fork())) {
			close(p[0]);
			while (getppid() == middle)
				test_sleep_ms(10);
			test_sleep_ms(100);
			_exit(write(p[1], "x", 1) != 1);
		}
		_exit(0);
	}
	close(p[1]);
	CHECK_EQ(test_wait(middle), 0);
	CHECK_EQ(read(p[0], &byte, 1), 1);
}

TEST(wait_nohang, 5, "WNOHANG: 0 while the child runs; the child's pid once it is gone")
{
	pid_t child = fork();
	int status;

	if (!child) {
		pause();
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	CHECK_ERR(kill(child, 0), ESRCH);
}

TEST(wait_kinds, 5, "__WALL waits for any child, __WCLONE for none that fork has made")
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(3);
	CHECK_ERR(waitpid(child, &status, __WCLONE), ECHILD);
	CHECK_EQ(waitpid(child, &status, __WALL | __WCLONE), child);
	CHECK_EQ(status, 3 << 8);
	CHECK_ERR(waitpid(-1, &status, __WALL), ECHILD);
	CHECK_ERR(waitpid(-1, &status, 0x100), EINVAL);
}

TEST(everybody, 5, "kill(-1) overlooks processes that it may not signal; a group of them is EPERM")
{
	pid_t child, group = fork();

	if (group == 0)
		for (;;)
			pause();
	CHECK_EQ(setpgid(group, group), 0);
	CHECK_EQ(kill(-1, 0), 0);
	CHECK_ERR(kill(-1, 65), EINVAL);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_EQ(kill(-1, 0), 0);
		CHECK_EQ(kill(-1, SIGUSR1), 0);
		CHECK_ERR(kill(-group, 0), EPERM);
		CHECK_ERR(kill(group, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	kill(group, SIGKILL);
	CHECK_EQ(test_wait(group), 128 + SIGKILL);
}

TEST(stop_and_continue, 10, "SIGSTOP, SIGCONT, WUNTRACED, WCONTINUED")
{
	pid_t child = fork();
	int status;

	if (!child)
		for (;;)
			pause();
	CHECK_EQ(kill(child, SIGSTOP), 0);
	CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_EQ(kill(child, SIGCONT), 0);
	CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

TEST(groups, 5, "process groups and sessions")
{
	pid_t child = fork();

	if (!child) {
		CHECK_EQ(setpgid(0, 0), 0);
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERR(setsid(), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	child = fork();
	if (!child) {
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgid(0), getpid());
		CHECK_ERR(setpgid(0, 0), EPERM);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_ERR(getpgid(999999), ESRCH);
}

TEST(kill_group, 10, "a signal to a group reaches all of it")
{
	pid_t first = fork(), second;

	if (!first) {
		setpgid(0, 0);
		for (;;)
			pause();
	}
	setpgid(first, first);
	second = fork();
	if (!second) {
		setpgid(0, first);
		for (;;)
			pause();
	}
	setpgid(second, first);
	CHECK_EQ(kill(-first, SIGTERM), 0);
	CHECK_EQ(test_wait(first), 128 + SIGTERM);
	CHECK_EQ(test_wait(second), 128 + SIGTERM);
	CHECK_ERR(kill(-first, SIGTERM), ESRCH);
}

TEST(ignored_children, 5, "SIGCHLD ignored: children vanish by themselves, wait says ECHILD")
{
	signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 5; i++)
		if (!fork())
			_exit(0);
	CHECK_ERR(waitpid(-1, NULL, 0), ECHILD);
}

TEST(limits, 5, "getrlimit and setrlimit; a limit may not be raised above the hard one")
{
	struct rlimit limit;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK(limit.rlim_cur >= 256);
	CHECK_ERR(getrlimit(99, &limit), EINVAL);
	limit.rlim_cur = 100;
	limit.rlim_max = 50;
	CHECK_ERR(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
}

TEST(unknown_calls, 5, "a number without a system call is ENOSYS")
{
	CHECK_ERR(syscall(511), ENOSYS);
	CHECK_ERR(syscall(100000), ENOSYS);
	CHECK_ERR(syscall(-1), ENOSYS);
}
