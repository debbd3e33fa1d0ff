/*
 * Walks along a path: slashes, symbolic links, long names, parents, the current directory.
 */
#include "names.h"
#include <sys/mount.h>

TEST(slashes, 5, "any number of slashes is one; a slash at the end wants a directory")
{
	struct stat a, b;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	put("f", "x");
	CHECK_EQ(symlink("d", "to-d"), 0);
	CHECK_EQ(symlink("f", "to-f"), 0);
	CHECK_EQ(symlink("d/", "to-d-slash"), 0);
	CHECK_EQ(stat(DIR_NAME "///d//", &a), 0);
	CHECK_EQ(stat("d", &b), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(stat("f/", &a), ENOTDIR);
	CHECK_ERR(stat("f/.", &a), ENOTDIR);
	CHECK_ERR(stat("f/x", &a), ENOTDIR);
	CHECK_ERR(stat("to-f/", &a), ENOTDIR);
	CHECK_EQ(lstat("to-d", &a), 0);
	CHECK(S_ISLNK(a.st_mode));
	CHECK_EQ(lstat("to-d/", &a), 0);
	CHECK(S_ISDIR(a.st_mode));
	CHECK_EQ(lstat("to-d-slash", &a), 0);
	CHECK(S_ISLNK(a.st_mode));
	CHECK_EQ(lstat("to-d-slash/", &a), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERR(stat("", &a), ENOENT);
	CHECK_ERR(stat("no/such", &a), ENOENT);
	CHECK_ERR(stat("no/", &a), ENOENT);
	CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERR(open("new/", O_WRONLY | O_CREAT, 0644), EISDIR);
	CHECK_ERR(open("f/", O_WRONLY | O_CREAT, 0644), EISDIR);
	CHECK_EQ(mkdir("e/", 0755), 0);
	CHECK_EQ(rmdir("e/"), 0);
	CHECK_ERR(unlink("f/"), ENOTDIR);
	CHECK_ERR(link("f", "g/"), ENOENT);
	CHECK_ERR(symlink("f", "g/"), ENOENT);
	leave();
}

TEST(link_chains, 5, "40 symbolic links are followed, more are ELOOP; loops too")
{
	char from[16], to[16];
	struct stat st;

	enter();
	put("l0", "end");
	for (int i = 1; i <= 41; i++) {
		snprintf(from, sizeof(from), "l%d", i - 1);
		snprintf(to, sizeof(to), "l%d", i);
		CHECK_EQ(symlink(from, to), 0);
	}
	CHECK(holds("l40", "end"));
	CHECK_ERR(stat("l41", &st), ELOOP);
	CHECK_EQ(lstat("l41", &st), 0);
	CHECK_EQ(symlink("loop", "loop"), 0);
	CHECK_ERR(stat("loop", &st), ELOOP);
	CHECK_ERR(stat("loop/x", &st), ELOOP);
	CHECK_ERR(open("loop", O_RDONLY), ELOOP);
	CHECK_ERR(open("loop", O_WRONLY | O_CREAT, 0644), ELOOP);
	leave();
}

TEST(links_in_the_middle, 5, "links lead on from where they are, absolute ones from the root")
{
	enter();
	CHECK_EQ(mkdir("a", 0755), 0);
	CHECK_EQ(mkdir("a/b", 0755), 0);
	put("a/b/f", "deep");
	CHECK_EQ(symlink("b", "a/to-b"), 0);
	CHECK_EQ(symlink("a/to-b", "x"), 0);
	CHECK_EQ(symlink(DIR_NAME "/x//", "y"), 0);
	CHECK_EQ(symlink("../x/./f", "a/z"), 0);
	CHECK_EQ(symlink("/", "root"), 0);
	CHECK(holds("x/f", "deep"));
	CHECK(holds("y/f", "deep"));
	CHECK(holds("y/../b/f", "deep"));
	CHECK(holds("a/z", "deep"));
	CHECK(holds("root/tmp/names/a/z", "deep"));
	CHECK(holds("root/../tmp/names/root/tmp/names/y/../../a/to-b/f", "deep"));
	leave();
}

TEST(dangling_links, 5,
     "O_CREAT makes what a dangling link names; O_EXCL and O_NOFOLLOW do not follow it")
{
	char buf[16];
	int fd;

	enter();
	CHECK_EQ(symlink("target", "link"), 0);
	CHECK_ERR(open("link", O_RDONLY), ENOENT);
	CHECK_ERR(open("link", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
	CHECK_ERR(open("link", O_WRONLY | O_CREAT | O_NOFOLLOW, 0644), ELOOP);
	CHECK(!is_there("target"));
	fd = open("link", O_WRONLY | O_CREAT, 0644);
	CHECK(fd >= 0);
	close(fd);
	CHECK(is_there("target"));
	CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_ERR(mkdir("link", 0755), EEXIST);
	CHECK_EQ(readlink("link", buf, sizeof(buf)), 6);
	CHECK(!memcmp(buf, "target", 6));
	CHECK_EQ(readlink("link", buf, 3), 3);
	CHECK_ERR(readlink("target", buf, sizeof(buf)), EINVAL);
	CHECK_ERR(syscall(SYS_readlink, "link", buf, 0), EINVAL);
	CHECK_ERR(symlink("", "empty"), ENOENT);
	leave();
}

TEST(long_paths, 5, "names of 255 bytes, paths of 4095; one byte more is ENAMETOOLONG")
{
	static char path[5000], name[300];
	struct stat st;

	enter();
	memset(name, 'n', 256);
	CHECK_ERR(stat(name, &st), ENAMETOOLONG);
	CHECK_ERR(mkdir(name, 0755), ENAMETOOLONG);
	CHECK_ERR(symlink("x", name), ENAMETOOLONG);
	put("x", "");
	CHECK_ERR(rename("x", name), ENAMETOOLONG);
	name[255] = '\0';
	put(name, "long");
	CHECK(holds(name, "long"));
	CHECK_EQ(unlink(name), 0);
	memset(path, '/', 4095);
	path[4094] = '.';
	CHECK_EQ(stat(path, &st), 0);
	path[4094] = '/';
	path[4095] = '.';
	CHECK_ERR(stat(path, &st), ENAMETOOLONG);
	path[4095] = '\0';
	CHECK_EQ(stat(path, &st), 0);
	leave();
}

TEST(parents, 5, ".. stops at the root and crosses mount points")
{
	struct stat a, b;

	enter();
	CHECK_EQ(stat("/", &a), 0);
	CHECK_EQ(stat("/../../..", &b), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(mkdir("m", 0755), 0);
	put("beside", "it");
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK_EQ(mkdir("m/d", 0755), 0);
	CHECK(holds("m/../beside", "it"));
	CHECK(holds("m/d/../../beside", "it"));
	CHECK_EQ(stat("m/d/..", &a), 0);
	CHECK_EQ(stat("m", &b), 0);
	CHECK(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	CHECK_EQ(stat(".", &b), 0);
	CHECK(a.st_dev != b.st_dev);
	CHECK_EQ(umount("m"), 0);
	leave();
}

TEST(removed_cwd, 5, "a removed directory can be stood in, but nothing is found or made there")
{
	char cwd[64];
	struct stat st;

	enter();
	CHECK_EQ(mkdir("gone", 0755), 0);
	CHECK_EQ(chdir("gone"), 0);
	CHECK_ERR(stat("x", &st), ENOENT);
	CHECK_EQ(rmdir("../gone"), 0);
	CHECK_EQ(stat(".", &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_ERR(syscall(SYS_getcwd, cwd, sizeof(cwd)), ENOENT);
	CHECK_ERR(open("x", O_CREAT | O_WRONLY, 0644), ENOENT);
	CHECK_ERR(mkdir("x", 0755), ENOENT);
	CHECK_ERR(stat("x", &st), ENOENT);
	CHECK_EQ(stat("..", &st), 0);
	CHECK_EQ(chdir(".."), 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && !strcmp(cwd, DIR_NAME));
	leave();
}

TEST(working_directory, 5, "getcwd follows renames; ERANGE when the buffer is small")
{
	char cwd[64];

	enter();
	CHECK_EQ(mkdir("one", 0755), 0);
	CHECK_EQ(mkdir("one/two", 0755), 0);
	CHECK_EQ(chdir("one/two"), 0);
	CHECK_EQ(rename("../../one", "../../a-longer-name-than-the-first-one-had-been"), 0);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK(!strcmp(cwd, DIR_NAME "/a-longer-name-than-the-first-one-had-been/two"));
	CHECK_ERR(syscall(SYS_getcwd, cwd, 5), ERANGE);
	CHECK_ERR(chdir("nowhere"), ENOENT);
	leave();
}
