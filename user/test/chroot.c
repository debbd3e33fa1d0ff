/*
 * chroot(2): what a process can name, and what it is told of names that it cannot.
 */
#include "background.h"
#include "names.h"
#include <sys/syscall.h>
#include <sys/wait.h>

static void below(void)
{
	char text[128];

	CHECK_EQ(chroot("jail"), 0);
	CHECK(syscall(SYS_getcwd, text, sizeof(text)) > 0);
	CHECK(strcmp(text, "(unreachable)" DIR_NAME) == 0);
	CHECK_EQ(chdir("/"), 0);
	CHECK(holds("/f", "inside"));
	CHECK(holds("/../../f", "inside"));
	CHECK(holds("/l", "inside")); /* an absolute link begins at the root */
	CHECK(holds("d/../../f", "inside"));
	CHECK(!is_there(DIR_NAME));
	CHECK_EQ(chdir("d"), 0);
	CHECK(getcwd(text, sizeof(text)) && strcmp(text, "/d") == 0);
}

TEST(jail, 5, "after chroot, paths begin at the new root, and .. does not leave it")
{
	enter();
	CHECK_EQ(mkdir("jail", 0755), 0);
	CHECK_EQ(mkdir("jail/d", 0755), 0);
	put("f", "outside");
	put("jail/f", "inside");
	CHECK_EQ(symlink("/f", "jail/l"), 0);
	CHECK_EQ(in_child(below), 0);
	CHECK(!is_there("/f"));
	leave();
}

static void escape(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK_EQ(chroot("jail"), 0);
	CHECK_EQ(chdir("/"), 0);
	CHECK(!is_there("outside"));
	CHECK_EQ(fchdir(fd), 0);
	CHECK(is_there("outside"));
	CHECK_EQ(chdir("../.."), 0);
	CHECK(is_there("tmp"));
}

TEST(escape, 5, "a descriptor of a directory outside leads out, as it always has")
{
	enter();
	CHECK_EQ(mkdir("jail", 0755), 0);
	put("outside", "o");
	CHECK_EQ(in_child(escape), 0);
	leave();
}

static void unprivileged(void)
{
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(chroot("jail"), EPERM);
	CHECK_ERR(chroot("no"), ENOENT);
	CHECK_ERR(chroot("f"), ENOTDIR);
	CHECK_ERR(chroot("locked"), EACCES);
}

TEST(refused, 5, "chroot is for those with CAP_SYS_CHROOT, and for directories")
{
	enter();
	CHECK_EQ(mkdir("jail", 0755), 0);
	CHECK_EQ(mkdir("locked", 0700), 0);
	put("f", "f");
	CHECK_EQ(in_child(unprivileged), 0);
	leave();
}

TEST(roots, 5, "/proc/PID/root is a process's own root, as its reader names it")
{
	char text[128], name[64];
	int ready[2], done[2], status;
	pid_t pid;
	ssize_t n;
	char byte;

	enter();
	CHECK_EQ(mkdir("jail", 0755), 0);
	put("jail/f", "inside");
	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		close(done[1]);
		_exit(chroot("jail") != 0 || write(ready[1], "x", 1) != 1 ||
		      read(done[0], &byte, 1) != 0);
	}
	close(done[0]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	snprintf(name, sizeof(name), "/proc/%d/root", pid);
	n = readlink(name, text, sizeof(text));
	CHECK(n == strlen(DIR_NAME "/jail") && !memcmp(text, DIR_NAME "/jail", n));
	snprintf(name, sizeof(name), "/proc/%d/root/f", pid);
	CHECK(holds(name, "inside"));
	close(done[1]);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	close(ready[0]);
	close(ready[1]);
	leave();
}
