/*
 * Names: making, moving, removing and listing them, also by several processes at once.
 */
#include "names.h"
#include <dirent.h>
#include <sys/sysmacros.h>

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

TEST(order_of_errors, 5,
     "without permission, removing says so first; a slash at the end comes before")
{
	pid_t child;

	enter();
	put("file", "x");
	CHECK_EQ(mkdir("sub", 0755), 0);
	CHECK_ERR(rmdir("file"), ENOTDIR);
	CHECK_ERR(unlink("sub"), EISDIR);
	child = fork();
	if (child == 0) {
		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(rmdir("file"), EACCES);
		CHECK_ERR(rmdir("file/"), EACCES);
		CHECK_ERR(unlink("sub"), EACCES);
		CHECK_ERR(unlink("sub/"), EISDIR);
		CHECK_ERR(unlink("file/"), ENOTDIR);
		CHECK_ERR(rmdir("none"), ENOENT);
		CHECK_ERR(unlink("none/"), ENOENT);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	CHECK_ERR(ftruncate(-1, -1), EINVAL);
	CHECK_ERR(ftruncate(-1, 0), EBADF);
	leave();
}
