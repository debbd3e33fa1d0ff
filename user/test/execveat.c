/*
 * execveat: executing a file by a descriptor, or from a directory on.
 */
#include "signals.h"

#include <sys/auxv.h>

enum { NR_EXECVEAT = 358 };
#define EMPTY_PATH 0x1000
#define NOFOLLOW   0x100

/*
 * Execute `name` in a child, with one argument. If it is this program, that is the case to run.
 * Returns its exit status.
 */
static int start(int dirfd, const char *name, int flags, const char *argument)
{
	char *argv[] = { "execveat", (char *)argument, NULL }, *envp[] = { "EXECUTED=1", NULL };
	pid_t child = fork();

	if (child == 0) {
		syscall(NR_EXECVEAT, dirfd, name, argv, envp, flags);
		_exit(errno);
	}
	return WEXITSTATUS(wait_status(child));
}

TEST(descriptor, 10, "AT_EMPTY_PATH executes an open file, also one that is open as a path only")
{
	int fd = open("/proc/self/exe", O_PATH | O_CLOEXEC),
	    dir = open("/test", O_RDONLY | O_CLOEXEC);

	CHECK_EQ(start(fd, "", EMPTY_PATH, "name"), 0);
	CHECK_EQ(start(dir, "execveat", 0, "name"), 0);
	CHECK_EQ(start(AT_FDCWD, "/test/execveat", 0, "absolute"), 0);
	CHECK_EQ(start(99, "/test/execveat", 0, "absolute"), 0);
	close(fd);
	close(dir);
}

/*
 * The name by which the kernel has executed this program. The C library has it from the auxiliary
 * vector (AT_EXECFN).
 */
static const char *executed_name(void)
{
	return (const char *)getauxval(AT_EXECFN);
}

/*
 * The case above executes the next two with EXECUTED in their environment. Otherwise they have
 * nothing to check.
 */
TEST(name, 5, "a program that is found from a descriptor on has a name that leads through it")
{
	if (getenv("EXECUTED"))
		CHECK(!strncmp(executed_name(), "/dev/fd/", 8));
}

TEST(absolute, 5, "an absolute name stays as it is")
{
	if (getenv("EXECUTED"))
		CHECK(!strcmp(executed_name(), "/test/execveat"));
}

TEST(errors, 10, "wrong flags, descriptors, names and links")
{
	int dir = open("/tmp", O_RDONLY), fd = open("/tmp/execveat.sh", O_CREAT | O_RDWR, 0755);

	CHECK_EQ(start(AT_FDCWD, "/test/execveat", 1, ""), EINVAL);
	CHECK_EQ(start(-1, "none", 0, ""), EBADF);
	CHECK_EQ(start(-1, "", EMPTY_PATH, ""), EBADF);
	CHECK_EQ(start(dir, "", 0, ""), ENOENT);
	CHECK_EQ(start(dir, "none", 0, ""), ENOENT);
	CHECK_EQ(start(dir, "", EMPTY_PATH, ""), EACCES);
	CHECK_EQ(start(fd, "none", 0, ""), ENOTDIR);
	CHECK_EQ(symlink("/test/execveat", "/tmp/execveat.link"), 0);
	CHECK_EQ(start(dir, "execveat.link", NOFOLLOW, "name"), ELOOP);
	CHECK_EQ(start(dir, "execveat.link", 0, "name"), 0);
	CHECK_EQ(write(fd, "#!/bin/sh\nexit 7\n", 17), 17);
	close(fd);
	/* The shell opens a script by its name, so its descriptor has to stay open. */
	fd = open("/tmp/execveat.sh", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(start(fd, "", EMPTY_PATH, ""), ENOENT);
	CHECK_EQ(fcntl(fd, F_SETFD, 0), 0);
	CHECK_EQ(start(fd, "", EMPTY_PATH, ""), 7);
	close(fd);
	close(dir);
	unlink("/tmp/execveat.sh");
	unlink("/tmp/execveat.link");
}
