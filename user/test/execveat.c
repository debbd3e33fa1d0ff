/*
 * execveat: executing a file by a descriptor, or from a directory on.
 */
#include "signals.h"

enum { NR_EXECVEAT = 358 };
#define EMPTY_PATH 0x1000
#define NOFOLLOW   0x100

/* Start `name` with one argument, as a child of ours that is the same program again. Returns its status. */
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

/* The case above executes the next two, in an environment of its own. */
TEST(name, 5, "the name of such a program leads to the descriptor")
{
	char name[64] = "";
	FILE *file = fopen("/proc/self/auxv", "r");
	uint32_t entry[2];

	if (!getenv("EXECUTED"))
		return;
	while (fread(entry, sizeof(entry), 1, file) == 1)
		if (entry[0] == 31) /* AT_EXECFN */
			snprintf(name, sizeof(name), "%s", (char *)entry[1]);
	fclose(file);
	CHECK(!strncmp(name, "/dev/fd/", 8));
}

TEST(absolute, 5, "an absolute name stays as it is")
{
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
