/*
 * Path walks, names and descriptors: the rules at the edges. All of it in a fresh tmpfs directory.
 */
#include "test.h"
#include <dirent.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define DIR_NAME "/tmp/names"

/* A file with a text. */
static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Does the file hold just this text? */
static bool holds(const char *path, const char *text)
{
	char buf[256];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	close(fd);
	return n == (ssize_t)strlen(text) && !memcmp(buf, text, n);
}

static bool is_there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void remove_tree(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char name[512];

	while (dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (unlink(name) < 0)
			remove_tree(name);
	}
	if (dir)
		closedir(dir);
	rmdir(path);
}

static void enter(void)
{
	remove_tree(DIR_NAME); /* of a case that failed */
	CHECK_EQ(mkdir(DIR_NAME, 0755), 0);
	CHECK_EQ(chdir(DIR_NAME), 0);
}

static void leave(void)
{
	CHECK_EQ(chdir("/"), 0);
	remove_tree(DIR_NAME);
	CHECK(!is_there(DIR_NAME));
}

/* ---- walking ---- */

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

/* ---- open ---- */

TEST(open_flags, 5, "O_EXCL, O_DIRECTORY, O_CREAT of directories, O_TRUNC")
{
	int fd;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	put("f", "12345");
	CHECK_ERR(open("f", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	CHECK_ERR(open("d", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
	CHECK_ERR(open("d", O_WRONLY), EISDIR);
	CHECK_ERR(open("d", O_RDWR), EISDIR);
	CHECK_ERR(open("d", O_CREAT | O_RDONLY, 0644), EISDIR);
	CHECK_ERR(open(".", O_CREAT | O_RDONLY, 0644), EISDIR);
	CHECK_ERR(open("f", O_DIRECTORY | O_RDONLY), ENOTDIR);
	fd = open("d", O_DIRECTORY | O_RDONLY);
	CHECK(fd >= 0);
	CHECK_ERR(read(fd, &fd, 1), EISDIR);
	close(fd);
	fd = open("f", O_RDONLY | O_TRUNC);
	CHECK(fd >= 0);
	close(fd);
	CHECK(holds("f", ""));
	/* A new file opens for writing whatever its mode says. */
	fd = open("secret", O_CREAT | O_RDWR, 0);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "x", 1), 1);
	close(fd);
	leave();
}

TEST(relative_to_descriptors, 5, "the at-calls start at their descriptor")
{
	struct stat st;
	int dir, file;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	dir = open("d", O_RDONLY | O_DIRECTORY);
	file = openat(dir, "f", O_CREAT | O_RDWR, 0644);
	CHECK(file >= 0);
	CHECK_EQ(mkdirat(dir, "e", 0755), 0);
	CHECK_EQ(symlinkat("f", dir, "link"), 0);
	CHECK_EQ(linkat(dir, "link", dir, "hard-link", 0), 0);
	CHECK_EQ(linkat(dir, "link", dir, "hard-file", AT_SYMLINK_FOLLOW), 0);
	CHECK_EQ(lstat("d/hard-link", &st), 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(fstat(file, &st), 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(fstatat(file, "", &st, AT_EMPTY_PATH), 0);
	CHECK_ERR(fstatat(file, "", &st, 0), ENOENT);
	CHECK_ERR(fstatat(file, "x", &st, 0), ENOTDIR);
	CHECK_ERR(fstatat(99, "x", &st, 0), EBADF);
	CHECK_EQ(fstatat(99, DIR_NAME, &st, 0), 0);
	CHECK_EQ(renameat(dir, "f", AT_FDCWD, "g"), 0);
	CHECK(is_there("g"));
	CHECK_ERR(unlinkat(dir, "e", 0), EISDIR);
	CHECK_EQ(unlinkat(dir, "e", AT_REMOVEDIR), 0);
	CHECK_ERR(unlinkat(dir, "hard-file", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERR(unlinkat(dir, "link", 0x10000), EINVAL);
	close(file);
	close(dir);
	leave();
}

/* ---- changing names ---- */

TEST(renames, 5, "files over files, directories over empty directories, and nothing else")
{
	enter();
	put("a", "A");
	put("b", "B");
	CHECK_EQ(rename("a", "b"), 0);
	CHECK(holds("b", "A") && !is_there("a"));
	CHECK_EQ(mkdir("d", 0755), 0);
	CHECK_EQ(mkdir("e", 0755), 0);
	put("e/f", "x");
	CHECK_ERR(rename("b", "d"), EISDIR);
	CHECK_ERR(rename("d", "b"), ENOTDIR);
	CHECK_ERR(rename("d", "e"), ENOTEMPTY);
	CHECK_EQ(rename("e", "d"), 0);
	CHECK(holds("d/f", "x") && !is_there("e"));
	CHECK_ERR(rename("d", "d/inside"), EINVAL);
	CHECK_EQ(mkdir("d/sub", 0755), 0);
	CHECK_ERR(rename("d", "d/sub/x"), EINVAL);
	CHECK_ERR(rename("d/sub", "d"), ENOTEMPTY);
	CHECK_ERR(rename("d/f", "d"), ENOTEMPTY);
	CHECK_EQ(rename("d", "d"), 0);
	CHECK_ERR(rename("no", "x"), ENOENT);
	CHECK_ERR(rename("b", "no/x"), ENOENT);
	CHECK_ERR(rename("b", "b/x"), ENOTDIR);
	CHECK_ERR(rename(".", "x"), EBUSY);
	CHECK_ERR(rename("d/..", "x"), EBUSY);
	CHECK_ERR(rename("b", "."), EBUSY);
	CHECK_ERR(rename("b", "c/"), ENOTDIR);
	CHECK_ERR(rename("b/", "c"), ENOTDIR);
	CHECK_EQ(rename("d/", "c/"), 0);
	CHECK(holds("c/f", "x"));
	CHECK_EQ(link("b", "same"), 0);
	CHECK_EQ(rename("b", "same"), 0);
	CHECK(is_there("b") && is_there("same"));
	leave();
}

TEST(moved_directory, 5, "a directory that moved has another parent and the right link counts")
{
	struct stat a, b;

	enter();
	CHECK_EQ(mkdir("from", 0755), 0);
	CHECK_EQ(mkdir("from/d", 0755), 0);
	CHECK_EQ(mkdir("to", 0755), 0);
	put("to/here", "yes");
	CHECK_EQ(rename("from/d", "to/d"), 0);
	CHECK(holds("to/d/../here", "yes"));
	CHECK_EQ(stat("from", &a), 0);
	CHECK_EQ(stat("to", &b), 0);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_EQ(b.st_nlink, 3);
	CHECK_EQ(rmdir("from"), 0);
	leave();
}

TEST(removals, 5, "what unlink and rmdir refuse")
{
	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	put("d/f", "x");
	CHECK_ERR(unlink("d"), EISDIR);
	CHECK_ERR(rmdir("d"), ENOTEMPTY);
	CHECK_ERR(rmdir("d/f"), ENOTDIR);
	CHECK_ERR(rmdir("d/."), EINVAL);
	CHECK_ERR(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERR(rmdir("/"), EBUSY);
	CHECK_ERR(unlink("no"), ENOENT);
	CHECK_ERR(unlink("d/f/x"), ENOTDIR);
	CHECK_ERR(mkdir("d", 0755), EEXIST);
	CHECK_ERR(mkdir(".", 0755), EEXIST);
	CHECK_ERR(mkdir("/", 0755), EEXIST);
	CHECK_ERR(mkdir("no/x", 0755), ENOENT);
	CHECK_ERR(link("d", "e"), EPERM);
	CHECK_ERR(link("no", "e"), ENOENT);
	CHECK_ERR(link("d/f", "d"), EEXIST);
	CHECK_ERR(link("/dev/null", "null"), EXDEV);
	leave();
}

TEST(nodes, 5, "mknod of files, FIFOs and devices; the device numbers come back")
{
	struct stat st;

	enter();
	CHECK_EQ(mknod("r", S_IFREG | 0640, 0), 0);
	CHECK_EQ(mknod("z", 0600, 0), 0);
	CHECK_EQ(mkfifo("p", 0622), 0);
	CHECK_EQ(mknod("c", S_IFCHR | 0600, makedev(300, 70000)), 0);
	CHECK_EQ(mknod("s", S_IFSOCK | 0600, 0), 0);
	CHECK_ERR(mknod("r", S_IFREG | 0640, 0), EEXIST);
	CHECK_ERR(mknod("dir", S_IFDIR | 0755, 0), EPERM);
	CHECK_EQ(stat("c", &st), 0);
	CHECK(S_ISCHR(st.st_mode));
	CHECK(st.st_rdev == makedev(300, 70000));
	CHECK_ERR(open("c", O_RDONLY), ENXIO);
	CHECK_ERR(open("s", O_RDONLY), ENXIO);
	CHECK_EQ(stat("p", &st), 0);
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0600);
	leave();
}

/* ---- permissions ---- */

static int as_nobody(void (*function)(void))
{
	pid_t child = fork();

	if (!child) {
		CHECK_EQ(setgid(65534), 0);
		CHECK_EQ(setuid(65534), 0);
		function();
		_exit(0);
	}
	return test_wait(child);
}

static void nobody_tries(void)
{
	struct stat st;

	CHECK_ERR(open("private", O_RDONLY), EACCES);
	CHECK_ERR(open("readable", O_WRONLY), EACCES);
	CHECK_ERR(open("readable", O_RDONLY | O_TRUNC), EACCES);
	CHECK(holds("readable", "r"));
	CHECK_ERR(stat("closed/x", &st), EACCES);
	CHECK_ERR(unlink("readable"), EACCES);
	CHECK_ERR(mkdir("x", 0755), EACCES);
	CHECK_ERR(rename("readable", "x"), EACCES);
	CHECK_ERR(chmod("readable", 0777), EPERM);
	CHECK_ERR(chown("readable", 65534, 65534), EPERM);
	CHECK_ERR(truncate("readable", 0), EACCES);
	CHECK_ERR(utimensat(AT_FDCWD, "readable", NULL, 0), EACCES);
	CHECK_ERR(access("private", R_OK), EACCES);
	CHECK_EQ(access("readable", R_OK), 0);
	CHECK_ERR(access("readable", X_OK), EACCES);
	CHECK_EQ(access("readable", F_OK), 0);
	CHECK_ERR(chdir("closed"), EACCES);
	CHECK_ERR(unlink("sticky/theirs"), EPERM);
	CHECK_ERR(rename("sticky/theirs", "sticky/mine"), EPERM);
	CHECK_EQ(mkdir("sticky/own", 0700), 0);
	CHECK_EQ(rmdir("sticky/own"), 0);
	CHECK_ERR(mount("none", ".", "tmpfs", 0, NULL), EPERM);
	CHECK_ERR(umount("/tmp"), EPERM);
	CHECK_ERR(mknod("sticky/dev", S_IFCHR | 0600, makedev(1, 3)), EPERM);
}

TEST(permissions, 5, "what somebody else may not do")
{
	enter();
	umask(0);
	put("private", "p");
	CHECK_EQ(chmod("private", 0600), 0);
	put("readable", "r");
	CHECK_EQ(chmod("readable", 0644), 0);
	CHECK_EQ(mkdir("closed", 0700), 0);
	put("closed/x", "x");
	CHECK_EQ(mkdir("sticky", 01777), 0);
	put("sticky/theirs", "t");
	CHECK_EQ(as_nobody(nobody_tries), 0);
	/* Root may all that, but executes only what somebody may. */
	CHECK(holds("private", "p"));
	CHECK_ERR(access("readable", X_OK), EACCES);
	leave();
}

TEST(access_asks_for_real_ids, 5,
     "access(2) speaks for the real user, faccessat with AT_EACCESS for the effective one")
{
	pid_t child;

	enter();
	put("private", "p");
	CHECK_EQ(chmod("private", 0600), 0);
	child = fork();
	if (!child) {
		CHECK_EQ(setresuid(65534, 0, 0), 0);
		CHECK_ERR(access("private", R_OK), EACCES);
		CHECK_EQ(syscall(SYS_faccessat2, AT_FDCWD, "private", R_OK, AT_EACCESS), 0);
		CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "private", 8, 0), EINVAL);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	leave();
}

TEST(modes_and_owners, 5, "umask, chmod, chown, and what chown clears")
{
	struct stat st;
	int fd;

	enter();
	umask(027);
	fd = open("f", O_CREAT | O_RDWR, 0777);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 07777, 0750);
	CHECK_EQ(umask(022), 027);
	CHECK_EQ(fchmod(fd, 06755), 0);
	CHECK_EQ(chown("f", 1000, -1), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(st.st_gid, 0);
	CHECK_EQ(st.st_mode & 07777, 0755);
	CHECK_EQ(fchown(fd, -1, 70000), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_gid, 70000);
	CHECK_EQ(symlink("f", "link"), 0);
	CHECK_EQ(lchown("link", 5, 6), 0);
	CHECK_EQ(lstat("link", &st), 0);
	CHECK_EQ(st.st_uid, 5);
	CHECK_EQ(stat("link", &st), 0);
	CHECK_EQ(st.st_uid, 1000);
	CHECK_EQ(mkdir("group", 02775), 0);
	CHECK_EQ(chown("group", 0, 42), 0);
	CHECK_EQ(chmod("group", 02775), 0);
	CHECK_EQ(mkdir("group/d", 0755), 0);
	CHECK_EQ(stat("group/d", &st), 0);
	CHECK_EQ(st.st_gid, 42);
	CHECK((st.st_mode & S_ISGID) != 0);
	close(fd);
	leave();
}

TEST(times, 5, "utimensat with given, present and kept times")
{
	struct timespec times[2] = { { 1000, 5 }, { 2000, 6 } };
	struct stat st;

	enter();
	put("f", "x");
	CHECK_EQ(utimensat(AT_FDCWD, "f", times, 0), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 5);
	CHECK(st.st_mtim.tv_sec == 2000 && st.st_mtim.tv_nsec == 6);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	CHECK_EQ(utimensat(AT_FDCWD, "f", times, 0), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 1000000);
	times[0].tv_nsec = 1000000000;
	CHECK_ERR(utimensat(AT_FDCWD, "f", times, 0), EINVAL);
	/* Before 1970, by the call whose seconds have 64 bits. */
	CHECK_EQ(syscall(SYS_utimensat_time64, AT_FDCWD, "f",
			 (int64_t[2][2]){ { -5, 0 }, { -5, 0 } }, 0),
		 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK_EQ(st.st_mtim.tv_sec, -5);
	leave();
}

/* ---- descriptors ---- */

TEST(duplicates, 5,
     "dup, dup2, dup3, F_DUPFD: lowest free number, shared position, own close-on-exec")
{
	int fd, other;
	char c;

	enter();
	put("f", "0123456789");
	fd = open("f", O_RDONLY | O_CLOEXEC);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	other = dup(fd);
	CHECK_EQ(fcntl(other, F_GETFD), 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(read(other, &c, 1), 1);
	CHECK_EQ(c, '1');
	CHECK_EQ(close(other), 0);
	CHECK_EQ(fcntl(fd, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 100), 101);
	CHECK_EQ(fcntl(101, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(dup2(fd, 500), 500);
	CHECK_EQ(dup2(fd, fd), fd);
	CHECK_ERR(dup2(fd, -1), EBADF);
	CHECK_ERR(dup2(77, 78), EBADF);
	CHECK_ERR(dup2(77, 77), EBADF);
	CHECK_ERR(syscall(SYS_dup3, fd, fd, 0), EINVAL);
	CHECK_ERR(syscall(SYS_dup3, fd, 60, O_APPEND), EINVAL);
	CHECK_EQ(dup3(fd, 60, O_CLOEXEC), 60);
	CHECK_EQ(fcntl(60, F_GETFD), FD_CLOEXEC);
	CHECK_ERR(fcntl(fd, F_DUPFD, 1 << 20), EINVAL);
	CHECK_EQ(fcntl(500, F_GETFD), 0);
	CHECK_ERR(close(499), EBADF);
	leave();
}

TEST(many_descriptors, 10, "a table grows to its limit; then EMFILE")
{
	struct rlimit limit = { 1000, 1000 };
	int fd, last = -1;

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	CHECK_EQ(last, 999);
	CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
	CHECK_ERR(dup(0), EMFILE);
	CHECK_ERR(dup2(0, 1000), EBADF);
	CHECK_EQ(close(500), 0);
	CHECK_EQ(dup(0), 500);
	if (!fork()) {
		CHECK_EQ(close(999), 0);
		CHECK_EQ(dup(0), 999);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
}

TEST(file_flags, 5, "F_SETFL changes what it may; FIONREAD")
{
	int fd, n = 1;

	enter();
	put("f", "12345");
	fd = open("f", O_RDWR);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
	CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_CREAT | O_WRONLY), 0);
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK | O_CREAT),
		 O_RDWR | O_APPEND | O_NONBLOCK);
	CHECK_EQ(write(fd, "6", 1), 1);
	CHECK(holds("f", "123456"));
	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(ioctl(fd, FIONREAD, &n), 0);
	CHECK_EQ(n, 4);
	CHECK_ERR(ioctl(fd, 0x1234, &n), ENOTTY);
	CHECK_ERR(fcntl(fd, 9999), EINVAL);
	leave();
}

/* ---- bytes ---- */

TEST(positions, 5, "lseek, pread, pwrite, vectors")
{
	struct iovec iov[3] = { { "ab", 2 }, { NULL, 0 }, { "cde", 3 } };
	char buf[16] = "", more[4];
	struct iovec in[2] = { { buf, 3 }, { more, 4 } };
	int fd;

	enter();
	fd = open("f", O_CREAT | O_RDWR, 0644);
	CHECK_EQ(writev(fd, iov, 3), 5);
	CHECK(holds("f", "abcde"));
	CHECK_EQ(pwrite(fd, "XY", 2, 1), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_EQ(lseek(fd, -4, SEEK_END), 1);
	CHECK_EQ(readv(fd, in, 2), 4);
	CHECK(!memcmp(buf, "XYd", 3) && more[0] == 'e');
	CHECK_EQ(preadv(fd, in, 2, 0), 5);
	CHECK(!memcmp(buf, "aXY", 3));
	CHECK_EQ(pread(fd, buf, 5, 100), 0);
	CHECK_ERR(pread(fd, buf, 5, -1), EINVAL);
	CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERR(lseek(fd, 0, 17), EINVAL);
	CHECK_EQ(lseek(fd, 1ll << 33, SEEK_SET), 1ll << 33);
	CHECK_EQ(read(fd, buf, 1), 0);
	CHECK_ERR(syscall(SYS_lseek, fd, 0, SEEK_CUR), EOVERFLOW);
	CHECK_ERR(syscall(SYS_writev, fd, iov, 1025), EINVAL);
	CHECK_ERR(write(fd, (void *)4, 10), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, buf, 0x80000000u), EFAULT);
	CHECK_ERR(syscall(SYS_write, fd, (void *)0xc0000000u, 10), EFAULT);
	close(fd);
	fd = open("f", O_RDONLY);
	CHECK_ERR(write(fd, buf, 1), EBADF);
	close(fd);
	fd = open("f", O_WRONLY | O_APPEND);
	CHECK_ERR(read(fd, buf, 1), EBADF);
	CHECK_EQ(write(fd, "!", 1), 1);
	CHECK(holds("f", "aXYde!"));
	leave();
}

TEST(sizes, 5, "truncate in all forms; a hole reads as zeros")
{
	struct stat st;
	char c = 1;
	int fd;

	enter();
	put("f", "0123456789");
	CHECK_EQ(truncate("f", 4), 0);
	CHECK(holds("f", "0123"));
	fd = open("f", O_RDWR);
	CHECK_EQ(ftruncate(fd, 100000), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 100000);
	CHECK_EQ(pread(fd, &c, 1, 9), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_ERR(ftruncate(fd, -1), EINVAL);
	CHECK_ERR(truncate("f", -1), EINVAL);
	CHECK_ERR(truncate(".", 0), EISDIR);
	CHECK_ERR(truncate("no", 0), ENOENT);
	CHECK_ERR(ftruncate(99, 0), EBADF);
	close(fd);
	fd = open("f", O_RDONLY);
	CHECK_ERR(ftruncate(fd, 0), EINVAL);
	close(fd);
	leave();
}

TEST(size_limit, 5, "RLIMIT_FSIZE: EFBIG and SIGXFSZ")
{
	struct rlimit limit = { 1000, 1000 };
	int fd;

	enter();
	fd = open("f", O_CREAT | O_RDWR, 0644);
	signal(SIGXFSZ, SIG_IGN);
	if (!fork()) {
		char buf[600] = "";

		CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
		CHECK_EQ(write(fd, buf, 600), 600);
		CHECK_EQ(write(fd, buf, 600), 400);
		CHECK_ERR(write(fd, buf, 600), EFBIG);
		CHECK_ERR(ftruncate(fd, 1001), EFBIG);
		CHECK_EQ(ftruncate(fd, 10), 0);
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
	close(fd);
	leave();
}

/* ---- directories ---- */

TEST(reading_directories, 10,
     "every name comes once, also in small pieces and from a remembered place")
{
	enum { NAMES = 300 };
	bool seen[NAMES] = { false };
	struct dirent *entry;
	long place = 0;
	char name[32], *end;
	int fd, n = 0;
	DIR *dir;

	enter();
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put(name, "");
	}
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		long i = strtol(entry->d_name, &end, 10);

		if (entry->d_name[0] == '.')
			continue;
		CHECK(!*end && i >= 0 && i < NAMES && !seen[i]);
		CHECK_EQ(entry->d_type, DT_REG);
		seen[i] = true;
		if (++n == 100) {
			place = telldir(dir);
			strcpy(name, (entry = readdir(dir))->d_name);
			seen[atoi(name)] = true;
			n++;
		}
	}
	CHECK_EQ(n, NAMES);
	seekdir(dir, place);
	entry = readdir(dir);
	CHECK(entry && !strcmp(entry->d_name, name));
	closedir(dir);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK_ERR(syscall(SYS_getdents64, fd, name, 10), EINVAL);
	CHECK_ERR(syscall(SYS_getdents64, fd, (void *)4, 1000), EFAULT);
	n = 0;
	for (;;) {
		char small[64];
		int got = syscall(SYS_getdents64, fd, small, sizeof(small));

		CHECK(got >= 0);
		if (got == 0)
			break;
		for (int at = 0; at < got; at += *(uint16_t *)(small + at + 16))
			n++;
	}
	CHECK_EQ(n, NAMES + 2);
	close(fd);
	fd = open("1", O_RDONLY);
	CHECK_ERR(syscall(SYS_getdents64, fd, name, 32), ENOTDIR);
	leave();
}

TEST(removed_while_read, 5, "names removed while they are read are missed, others are not")
{
	struct dirent *entry;
	char name[32];
	int n = 0;
	DIR *dir;

	enter();
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put(name, "");
	}
	dir = opendir(".");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		CHECK_EQ(unlink(entry->d_name), 0);
		n++;
	}
	CHECK_EQ(n, 200);
	closedir(dir);
	leave();
}

/* ---- mounts ---- */

TEST(mounts, 5, "busy mounts stay; what is mounted on cannot be removed or renamed")
{
	struct statfs fs;
	struct stat a, b;
	int fd;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	put("m/below", "b");
	CHECK_EQ(stat("m", &a), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=1M"), 0);
	CHECK_EQ(stat("m", &b), 0);
	CHECK(a.st_dev != b.st_dev);
	CHECK_EQ(b.st_mode & 07777, 01777);
	CHECK(!is_there("m/below"));
	CHECK_EQ(statfs("m", &fs), 0);
	CHECK_EQ(fs.f_type, 0x01021994);
	fd = open("m/f", O_CREAT | O_RDWR, 0644);
	CHECK(fd >= 0);
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_ERR(rmdir("m"), EBUSY);
	CHECK_ERR(rename("m", "n"), EBUSY);
	CHECK_ERR(rename("m/f", "f"), EXDEV);
	CHECK_ERR(link("m/f", "f"), EXDEV);
	close(fd);
	CHECK_EQ(chdir("m"), 0);
	CHECK_ERR(umount(DIR_NAME "/m"), EBUSY);
	CHECK_EQ(mkdir("inner", 0755), 0);
	CHECK_EQ(mount("none", "inner", "tmpfs", MS_RDONLY, NULL), 0);
	CHECK_ERR(open("inner/x", O_CREAT | O_WRONLY, 0644), EROFS);
	CHECK_ERR(mkdir("inner/x", 0755), EROFS);
	CHECK_EQ(chdir(DIR_NAME), 0);
	CHECK_ERR(umount("m"), EBUSY);
	CHECK_EQ(umount("m/inner"), 0);
	CHECK_EQ(umount("m"), 0);
	CHECK(holds("m/below", "b"));
	CHECK_ERR(umount("m"), EINVAL);
	CHECK_ERR(umount("no"), ENOENT);
	CHECK_ERR(mount("none", "m/below", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERR(mount("none", "m", "nofs", 0, NULL), ENODEV);
	CHECK_ERR(mount("/dev/null", "m", "ext2", 0, NULL), ENOTBLK);
	/* One on top of the other. */
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	put("m/one", "1");
	CHECK_EQ(mount("none", "m", "tmpfs", 0, NULL), 0);
	CHECK(!is_there("m/one"));
	CHECK_EQ(umount("m"), 0);
	CHECK(holds("m/one", "1"));
	CHECK_EQ(umount("m"), 0);
	leave();
}

/* ---- many at once ---- */

static void shuffle(unsigned int seed)
{
	static const char *const places[] = { "a",   "b",     "c",   "a/x", "b/x",
					      "c/x", "a/x/y", "b/y", "c/y" };
	const int nr = sizeof(places) / sizeof(*places);

	srand(seed);
	for (int i = 0; i < 3000; i++) {
		const char *from = places[rand() % nr], *to = places[rand() % nr];

		switch (rand() % 8) {
		case 0:
			mkdir(from, 0755);
			break;
		case 1:
			rmdir(from);
			break;
		case 2:
			close(open(from, O_CREAT | O_WRONLY, 0644));
			break;
		case 3:
			unlink(from);
			break;
		case 4:
			link(from, to);
			break;
		default:
			rename(from, to);
			break;
		}
	}
	_exit(0);
}

TEST(renames_at_once, 60,
     "four processes that rename, make and remove across directories never lock each other up")
{
	enter();
	CHECK_EQ(mkdir("a", 0755), 0);
	CHECK_EQ(mkdir("b", 0755), 0);
	CHECK_EQ(mkdir("c", 0755), 0);
	for (int i = 0; i < 4; i++)
		if (!fork())
			shuffle(i + 1);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(test_wait(-1), 0);
	leave();
}

/* Rename `from` to `to` and back, until killed. */
static pid_t rename_forever(const char *from, const char *to)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	for (;;) {
		rename(from, to);
		rename(to, from);
	}
}

TEST(renames_of_parents, 60,
     "files cross between two directories while each is renamed over the other: all go on")
{
	pid_t pids[3];

	enter();
	CHECK_EQ(mkdir("a", 0755), 0);
	CHECK_EQ(mkdir("b", 0755), 0);
	CHECK_EQ(mkdir("a/keep", 0755), 0);
	CHECK_EQ(mkdir("b/keep", 0755), 0);
	CHECK_EQ(mkdir("a/x", 0755), 0);
	CHECK_EQ(mkdir("b/y", 0755), 0);
	pids[0] = rename_forever("a", "b");
	pids[1] = rename_forever("b/x", "a/x");
	pids[2] = rename_forever("a/y", "b/y");
	for (int i = 0; i < 3000; i++) {
		CHECK_ERR(rename("a", "b"), ENOTEMPTY);
		CHECK_ERR(rmdir("a"), ENOTEMPTY);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(kill(pids[i], SIGKILL), 0);
		CHECK_EQ(waitpid(pids[i], NULL, 0), pids[i]);
	}
	leave();
}

TEST(exclusive_create, 20, "of many that create one name with O_EXCL exactly one succeeds")
{
	enter();
	for (int round = 0; round < 50; round++) {
		int winners = 0;

		for (int i = 0; i < 4; i++)
			if (!fork())
				_exit(open("one", O_CREAT | O_EXCL | O_WRONLY, 0644) >= 0 ? 0
				      : errno == EEXIST					  ? 1
											  : 2);
		for (int i = 0; i < 4; i++) {
			int status = test_wait(-1);

			CHECK(status == 0 || status == 1);
			winners += status == 0;
		}
		CHECK_EQ(winners, 1);
		CHECK_EQ(unlink("one"), 0);
	}
	leave();
}
