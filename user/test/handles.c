/* File handles: name_to_handle_at and open_by_handle_at. */
#include "ext2.h"

#define HANDLE_MAX 128

struct handle { /* struct file_handle, with room for every handle */
	uint32_t bytes;
	int32_t type;
	uint32_t data[HANDLE_MAX / 4];
};

static int mount_id;

static int handle_at(int dirfd, const char *path, struct handle *handle, int flags)
{
	return syscall(SYS_name_to_handle_at, dirfd, path, handle, &mount_id, flags);
}

static int open_handle(int dirfd, const struct handle *handle, int flags)
{
	return syscall(SYS_open_by_handle_at, dirfd, handle, flags);
}

static struct handle handle_of(const char *path)
{
	struct handle handle = { .bytes = HANDLE_MAX };

	if (handle_at(AT_FDCWD, path, &handle, 0))
		test_fail(__FILE__, __LINE__, "%s has no handle", path);
	CHECK(handle.bytes >= 8 && handle.bytes <= HANDLE_MAX);
	return handle;
}

static void make_tree(const char *dir)
{
	CHECK_EQ(chdir(dir), 0);
	close(make_file("f", 1000, 1));
	CHECK_EQ(mkdir("d", 0755) | mkdir("d/e", 0755) | mkdir("d/e/g", 0755), 0);
	close(make_file("d/e/h", 100, 2));
	CHECK_EQ(symlink("f", "link"), 0);
}

static void leave_tree(void)
{
	CHECK_EQ(chdir("/"), 0);
	unmount();
}

static void on_tmpfs(void)
{
	umount(MNT);
	CHECK_EQ(mount("none", MNT, "tmpfs", 0, NULL), 0);
	make_tree(MNT);
}

static void on_ext2(void)
{
	put_image("blank-1k");
	mount_writable();
	make_tree(MNT);
}

/* Is the descriptor open on the file at the path? */
static bool leads_to(int fd, const char *path)
{
	struct stat opened, named = stat_of(path);

	CHECK_EQ(fstat(fd, &opened), 0);
	close(fd);
	return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

/* ---- handles ---- */

static int number_of_mount(void)
{
	char line[512];
	FILE *file = fopen("/proc/self/mountinfo", "r");
	int number = 0, id;

	CHECK(file != NULL);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%d", &id) == 1 && strstr(line, " " MNT " "))
			number = id;
	fclose(file);
	return number;
}

static void compare_handles(void)
{
	struct handle file = handle_of("f"), dir = handle_of("d"), other = { .bytes = HANDLE_MAX };
	int fd = open("f", O_PATH);

	CHECK_EQ(mount_id, number_of_mount());
	CHECK(memcmp(file.data, dir.data, file.bytes) != 0);
	CHECK_EQ(handle_at(fd, "", &other, AT_EMPTY_PATH), 0);
	CHECK(other.bytes == file.bytes && other.type == file.type);
	CHECK(!memcmp(other.data, file.data, file.bytes));
	CHECK_EQ(handle_at(AT_FDCWD, "link", &other, 0), 0);
	CHECK(memcmp(other.data, file.data, file.bytes) != 0);
	CHECK_EQ(handle_at(AT_FDCWD, "link", &other, AT_SYMLINK_FOLLOW), 0);
	CHECK(!memcmp(other.data, file.data, file.bytes));
	/* A handle of too few bytes tells how many are needed. */
	other.bytes = 0;
	mount_id = -1;
	CHECK_ERR(handle_at(AT_FDCWD, "f", &other, 0), EOVERFLOW);
	CHECK_EQ(other.bytes, file.bytes);
	CHECK_EQ(mount_id, number_of_mount());
	other.bytes--;
	CHECK_ERR(handle_at(AT_FDCWD, "f", &other, 0), EOVERFLOW);
	CHECK_EQ(other.bytes, file.bytes);
	CHECK_EQ(handle_at(AT_FDCWD, "f", &other, 0), 0);
	close(fd);
}

TEST(same_file, 20, "paths to one file have the same handle; other files have other handles")
{
	on_tmpfs();
	compare_handles();
	leave_tree();
	on_ext2();
	compare_handles();
	leave_tree();
}

TEST(no_handles, 20, "what name_to_handle_at refuses")
{
	struct handle handle = { .bytes = HANDLE_MAX };
	int ends[2];

	on_tmpfs();
	CHECK_EQ(pipe(ends), 0);
	CHECK_ERR(handle_at(AT_FDCWD, "/proc/self", &handle, 0), EOPNOTSUPP);
	CHECK_ERR(handle_at(ends[0], "", &handle, AT_EMPTY_PATH), EOPNOTSUPP);
	CHECK_ERR(handle_at(AT_FDCWD, "none", NULL, 0), ENOENT);
	CHECK_ERR(handle_at(AT_FDCWD, "", &handle, 0), ENOENT);
	CHECK_ERR(handle_at(99, "f", &handle, 0), EBADF);
	CHECK_ERR(handle_at(AT_FDCWD, "f", &handle, AT_SYMLINK_NOFOLLOW), EINVAL);
	CHECK_ERR(handle_at(AT_FDCWD, "f", (void *)1, 0), EFAULT);
	CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, (void *)1, 0), EFAULT);
	handle.bytes = HANDLE_MAX + 1;
	CHECK_ERR(handle_at(AT_FDCWD, "f", &handle, 0), EINVAL);
	leave_tree();
}

/* ---- opening ---- */

static void open_files(void)
{
	struct handle file = handle_of("f"), dir = handle_of("d/e"), link = handle_of("link");
	int root = open(".", O_RDONLY), path = open(".", O_PATH), fd;

	fd = open_handle(root, &file, O_RDWR);
	CHECK(fd >= 0);
	has_bytes(fd, 0, 1000, 1);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK(leads_to(fd, "f"));
	CHECK(leads_to(open_handle(AT_FDCWD, &file, O_RDONLY | O_CLOEXEC), "f"));
	CHECK(leads_to(open_handle(open("d/e/h", O_RDONLY), &file, O_CREAT | O_RDWR), "f"));
	CHECK(leads_to(open_handle(root, &link, O_PATH), "link"));
	CHECK_ERR(open_handle(root, &link, O_RDONLY), ELOOP);
	CHECK_ERR(open_handle(root, &file, O_DIRECTORY), ENOTDIR);
	CHECK_ERR(open_handle(root, &file, O_CREAT | O_EXCL | O_RDWR), EEXIST);
	CHECK_ERR(open_handle(root, &dir, O_RDWR), EISDIR);
	CHECK_ERR(open_handle(99, &file, O_RDONLY), EBADF);
	CHECK_ERR(open_handle(path, &file, O_RDONLY), EBADF);
	CHECK_ERR(open_handle(open("/proc", O_RDONLY), &file, O_RDONLY), ESTALE);
	CHECK_ERR(open_handle(root, (void *)1, O_RDONLY), EFAULT);
	link.bytes = 0;
	CHECK_ERR(open_handle(root, &link, O_PATH), EINVAL);
	link.bytes = HANDLE_MAX + 1;
	CHECK_ERR(open_handle(root, &link, O_PATH), EINVAL);
	link.bytes = 4;
	CHECK_ERR(open_handle(root, &link, O_PATH), ESTALE);
	/* Other names lead to the same file. */
	CHECK_EQ(rename("d", "other") | rename("f", "other/f"), 0);
	CHECK(leads_to(open_handle(root, &file, O_RDONLY), "other/f"));
	fd = open_handle(root, &dir, O_RDONLY);
	CHECK(leads_to(openat(fd, "h", O_RDONLY), "other/e/h"));
	CHECK(leads_to(openat(fd, "../f", O_RDONLY), "other/f"));
	CHECK(leads_to(fd, "other/e"));
	close(root);
	close(path);
	/* Other descriptors, and the paths of all handles above, are closed by the end. */
}

static void in_child(void (*function)(void))
{
	if (fork() == 0) {
		function();
		_exit(0);
	}
	CHECK_EQ(test_wait(-1), 0);
}

TEST(opened, 20, "a handle opens its file, wherever that has moved")
{
	on_tmpfs();
	in_child(open_files);
	leave_tree();
	on_ext2();
	in_child(open_files);
	leave_tree();
}

TEST(from_the_disk, 20, "handles of ext2 are valid when nothing is in memory, and after a mount")
{
	struct handle file, deep, dir;
	int root, fd;

	on_ext2();
	file = handle_of("d/e/h");
	deep = handle_of("d/e/g");
	dir = handle_of("d");
	for (int i = 0; i < 2; i++) {
		root = open(MNT, O_RDONLY);
		forget();
		fd = open_handle(root, &deep, O_RDONLY);
		CHECK(fd >= 0);
		CHECK(leads_to(openat(fd, "../../e/h", O_RDONLY), MNT "/d/e/h"));
		CHECK(leads_to(fd, MNT "/d/e/g"));
		forget();
		fd = open_handle(root, &file, O_RDONLY);
		has_bytes(fd, 0, 100, 2);
		CHECK(leads_to(fd, MNT "/d/e/h"));
		forget();
		CHECK(leads_to(open_handle(root, &dir, O_RDONLY), MNT "/d"));
		close(root);
		leave_tree();
		if (i == 0)
			mount_writable();
	}
}

/* ---- stale handles ---- */

static void opens_or_is_stale(int root, const struct handle *handle)
{
	int fd = open_handle(root, handle, O_RDONLY), error = errno;

	if (fd < 0)
		CHECK_EQ(error, ESTALE);
	close(fd);
}

static void delete_files(void)
{
	struct handle file = handle_of("f"), dir = handle_of("d/e/g"), other = file;
	int root = open(".", O_RDONLY), fd = open("f", O_RDONLY), again;

	CHECK_EQ(unlink("f") | rmdir("d/e/g"), 0);
	again = open_handle(root, &file, O_RDONLY);
	CHECK(again >= 0); /* it is open, so it exists */
	has_bytes(again, 0, 1000, 1);
	close(again);
	close(fd);
	sync();
	CHECK_ERR(open_handle(root, &file, O_RDONLY), ESTALE);
	CHECK_ERR(open_handle(root, &dir, O_RDONLY), ESTALE);
	/* Their numbers are used again. */
	close(make_file("f", 10, 3));
	CHECK_EQ(mkdir("d/e/g", 0755), 0);
	sync();
	CHECK_ERR(open_handle(root, &file, O_RDONLY), ESTALE);
	CHECK_ERR(open_handle(root, &dir, O_RDONLY), ESTALE);
	for (unsigned int i = 0; i < 64; i++) { /* files that there never were */
		other.data[0] = i < 32 ? 1u << i : i - 32;
		opens_or_is_stale(root, &other);
	}
	close(root);
}

TEST(stale, 20, "the handle of a deleted file is ESTALE, even if another one has its number")
{
	on_tmpfs();
	in_child(delete_files);
	leave_tree();
	on_ext2();
	in_child(delete_files);
	leave_tree();
}

/* Linux opens the directory as long as it is in memory. */
TEST(removed, 20,
     "the handle of a directory that was removed with the one above it opens it, or is stale")
{
	struct handle handle;
	int fd, again;
	bool stale;

	on_tmpfs();
	handle = handle_of("d/e/g");
	fd = open("d/e/g", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK_EQ(unlink("d/e/h") | rmdir("d/e/g") | rmdir("d/e") | rmdir("d"), 0);
	again = open_handle(AT_FDCWD, &handle, O_RDONLY);
	stale = again < 0 && errno == ESTALE;
	CHECK(again >= 0 || stale);
	close(again);
	close(fd);
	leave_tree();
}

TEST(reserved, 20, "no handle opens the inodes that ext2 keeps for itself")
{
	struct handle root;
	int fd;

	on_ext2();
	root = handle_of(MNT);
	fd = open(MNT, O_RDONLY);
	CHECK(leads_to(open_handle(fd, &root, O_RDONLY), MNT));
	CHECK_EQ(root.data[0], 2);
	for (unsigned int number = 0; number < 11; number++) {
		root.data[0] = number;
		if (number != 2)
			CHECK_ERR(open_handle(fd, &root, O_RDONLY), ESTALE);
	}
	close(fd);
	leave_tree();
}

static void as_nobody(void)
{
	struct handle handle = handle_of("f");

	CHECK_EQ(setgid(65534) | setuid(65534), 0);
	handle_of("f");
	CHECK_ERR(open_handle(AT_FDCWD, &handle, O_RDONLY), EPERM);
	CHECK_ERR(open_handle(99, NULL, O_RDONLY), EPERM);
}

TEST(privilege, 20, "everybody may ask for a handle, and only CAP_DAC_READ_SEARCH may open one")
{
	on_tmpfs();
	in_child(as_nobody);
	leave_tree();
}

/* Linux refuses some of these with other errors than ESTALE. */
static void open_often(const struct handle *handles, int nr)
{
	int root = open(MNT, O_RDONLY);
	struct stat st;

	for (int i = 0; access(MNT "/end", F_OK); i++) {
		int fd = open_handle(root, &handles[i % nr], O_RDONLY);

		if (fd < 0)
			continue;
		CHECK_EQ(fstat(fd, &st), 0);
		CHECK_EQ(st.st_ino, handles[i % nr].data[0]);
		close(fd);
	}
}

TEST(races, 30, "a file that is being deleted or made is opened by its handle, or is stale")
{
	struct handle handles[2];
	pid_t child;

	on_ext2();
	look_at_space();
	for (int round = 0; round < 3; round++) {
		close(make_file("a", 3000, round));
		close(make_file("b", 3000, round));
		handles[0] = handle_of("a");
		handles[1] = handle_of("b");
		child = fork();
		if (child == 0) {
			open_often(handles, 2);
			_exit(0);
		}
		for (int i = 0; i < 40; i++) {
			CHECK_EQ(unlink(i % 2 ? "a" : "b"), 0);
			if (i % 8 == 0)
				forget();
			close(make_file(i % 2 ? "a" : "b", 2000, i));
		}
		close(make_file("end", 0, 0));
		CHECK_EQ(test_wait(child), 0);
		CHECK_EQ(unlink("end") | unlink("a") | unlink("b"), 0);
	}
	space_is_whole();
	leave_tree();
}

BEYOND_TEST(freed_late, 20, "a file whose blocks are still being freed cannot be opened any more",
	    "lacks /proc/gate: the disk must answer late")
{
	struct handle handle;
	pid_t unlinks, opens;
	int root;

	on_ext2();
	gate_control("open");
	CHECK_EQ(truncate("f", 0), 0);
	close(make_file("f", 40000, 1)); /* it has an indirect block */
	handle = handle_of("f");
	root = open(MNT, O_RDONLY);
	forget();
	CHECK_EQ(stat_of("f").st_size, 40000);
	gate_control("close");
	unlinks = fork();
	if (unlinks == 0)
		_exit(unlink("f"));
	while (access("f", F_OK) == 0)
		test_sleep_ms(1);
	test_sleep_ms(20); /* now it reads the indirect block, or it will do so soon */
	opens = fork();
	if (opens == 0) {
		CHECK_ERR(open_handle(root, &handle, O_RDONLY), ESTALE);
		_exit(0);
	}
	test_sleep_ms(20);
	gate_control("open");
	CHECK_EQ(test_wait(opens), 0);
	CHECK_EQ(test_wait(unlinks), 0);
	close(root);
	leave_tree();
}
