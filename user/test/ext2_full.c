/*
 * ext2 on a nearly full disk: several processes make, change and delete files, each of which has
 * room if what is deleted is room again. No call may say that there is none.
 */
#include "ext2.h"
#include <sys/xattr.h>

#define MS	  1000 /* of each case */
#define PROCESSES 3
#define LONG	  2000 /* milliseconds that no call takes */

static struct statfs space(void)
{
	struct statfs st;

	sync();
	CHECK_EQ(statfs(MNT, &st), 0);
	return st;
}

/* Leave so many blocks. */
static void fill_but(unsigned int left, int block)
{
	int fd = create(MNT "/filler");
	off_t size = 0;

	memset(buf, 'f', block);
	for (unsigned int n = space().f_bfree - left; n > 0; n = space().f_bfree - left)
		for (unsigned int i = 0; i <= n / 4; i++, size += block) /* and indirect blocks */
			CHECK_EQ(pwrite(fd, buf, block, size), block);
	close(fd);
}

static void leave_inodes(unsigned int left)
{
	char path[64];

	for (int i = space().f_ffree - left; i > 0; i--) {
		snprintf(path, sizeof(path), MNT "/node-%d", i);
		CHECK_EQ(mknod(path, S_IFREG | 0600, 0), 0);
	}
}

/* Have all processes do this again and again, each with a path of its own. */
static void all_do(void (*work)(const char *path))
{
	long long end = test_ms() + MS;
	char path[64];

	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			snprintf(path, sizeof(path), MNT "/of-%d", i);
			while (test_ms() < end)
				work(path);
			_exit(0);
		}
	for (int i = 0; i < PROCESSES; i++)
		CHECK_EQ(test_wait(-1), 0);
}

/* Delete the file, which then changes once more. */
static void delete_open(const char *path, int fd)
{
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(pwrite(fd, "bytes", 5, 0), 5);
	CHECK_EQ(close(fd), 0);
}

static int make(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);

	if (fd < 0)
		test_fail(__FILE__, __LINE__, "no file: errno %d", errno);
	return fd;
}

static void make_changed(const char *path)
{
	delete_open(path, make(path));
}

TEST(inodes, 30, "three processes have a file each, and there are six inodes")
{
	put_image("blank-1k");
	mount_writable();
	leave_inodes(6);
	all_do(make_changed);
	CHECK_EQ(space().f_ffree, 6);
	unmount();
}

static void make_directory(const char *path)
{
	char file[80];
	int fd;

	snprintf(file, sizeof(file), "%s/file", path);
	CHECK_EQ(mkdir(path, 0700), 0);
	fd = make(file);
	CHECK_EQ(write(fd, buf, 3000), 3000);
	delete_open(file, fd);
	CHECK_EQ(rmdir(path), 0);
}

/* Fill all blocks but some, and have the processes do this. */
static void all_on_full_disk(unsigned int left, void (*work)(const char *path))
{
	put_image("blank-1k");
	mount_writable();
	fill_but(left, 1024);
	all_do(work);
	CHECK_EQ(space().f_bfree, left);
	unmount();
}

TEST(directories, 30, "three processes have a directory and a small file each")
{
	all_on_full_disk(48, make_directory);
}

static void write_more(const char *path)
{
	int fd = make(path);

	for (int i = 0; i < 12; i++)
		CHECK_EQ(pwrite(fd, buf, 1024, i * 1024), 1024);
	delete_open(path, fd);
}

TEST(writes, 30, "three processes have twelve blocks each")
{
	all_on_full_disk(100, write_more);
}

static void store_more(const char *path)
{
	int fd = make(path);
	char *map;

	CHECK_EQ(ftruncate(fd, 3 * 4096), 0);
	CHECK_EQ(unlink(path), 0);
	map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < 3; i++)
		map[i * 4096] = i;
	CHECK_EQ(munmap(map, 3 * 4096), 0);
	CHECK_EQ(close(fd), 0);
}

TEST(stores, 30, "the same with stores to mapped holes")
{
	all_on_full_disk(100, store_more);
}

static void set_attribute(const char *path)
{
	int fd = make(path);

	CHECK_EQ(fsetxattr(fd, "user.a", buf, 500, 0), 0);
	CHECK_EQ(unlink(path), 0);
	CHECK_EQ(fchmod(fd, 0644), 0);
	CHECK_EQ(close(fd), 0);
}

TEST(attributes, 30, "the same with a block of attributes each")
{
	all_on_full_disk(6, set_attribute);
}

/* ---- a sync beside them ---- */

/* As write_more(), and what has no room does not matter. */
static void write_on(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT, 0600);

	for (int i = 0; i < 12; i++)
		(void)pwrite(fd, buf, 1024, i * 1024);
	(void)unlink(path);
	(void)pwrite(fd, "bytes", 5, 0);
	close(fd);
}

static pid_t start_writer(int number)
{
	pid_t child = fork();
	char path[64];

	snprintf(path, sizeof(path), MNT "/of-%d", number);
	while (child == 0)
		write_on(path);
	return child;
}

static void stop_writer(pid_t writer)
{
	CHECK_EQ(kill(writer, SIGKILL), 0);
	CHECK_EQ(waitpid(writer, NULL, 0), writer);
}

TEST(syncs, 30, "a sync ends while three processes write and delete small files on a full disk")
{
	pid_t writers[PROCESSES];

	put_image("blank-1k");
	mount_writable();
	fill_but(100, 1024);
	for (int i = 0; i < PROCESSES; i++)
		writers[i] = start_writer(i);
	for (long long end = test_ms() + MS, before; (before = test_ms()) < end;) {
		sync();
		CHECK(test_ms() - before < LONG);
	}
	for (int i = 0; i < PROCESSES; i++)
		stop_writer(writers[i]);
	unmount();
}

/* ---- ends ---- */

static void end_killed(const char *image, const char *type)
{
	unsigned int free, super[256];
	int pipes[2], fd;
	pid_t child;

	put_image(image);
	CHECK_EQ(mount(disk_path, MNT, type, 0, NULL), 0);
	free = space().f_bfree;
	CHECK_EQ(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		fd = make_file(MNT "/file", 200000, 1);
		CHECK_EQ(unlink(MNT "/file"), 0);
		CHECK_EQ(write(pipes[1], "x", 1), 1);
		while (true) {
			CHECK_EQ(pwrite(fd, "bytes", 5, 0), 5);
			CHECK_EQ(syncfs(fd), 0);
		}
	}
	CHECK_EQ(read(pipes[0], buf, 1), 1);
	CHECK_EQ(umount2(MNT, MNT_DETACH), 0);
	usleep(30000);
	stop_writer(child);
	close(pipes[0]);
	close(pipes[1]);
	/* The one who detaches it does not wait for its end. */
	for (int i = 0; mount(disk_path, MNT, type, MS_RDONLY, NULL) < 0; i++) {
		CHECK(i < 500);
		usleep(10000);
	}
	CHECK_EQ(ioctl(disk, BLKFLSBUF, 0), 0);
	CHECK_EQ(pread(disk, super, sizeof(super), 1024), sizeof(super));
	CHECK_EQ(super[58 / 4] >> 16, 1); /* clean */
	CHECK_EQ(super[96 / 4] & 4, 0);	  /* no journal to be replayed */
	CHECK_EQ(super[12 / 4], free);
	CHECK_EQ(super[232 / 4], 0); /* no orphans */
	unmount();
}

TEST(ends, 30, "the last user of a detached file system is killed in a sync: it is clean")
{
	for (int i = 0; i < 10; i++) {
		end_killed("blank-1k", "ext2");
		end_killed("journal-1k", "ext3");
	}
}

/* ---- a slow disk ---- */

BEYOND_TEST(waits, 30, "a write waits for a deleted file's blocks while a commit takes two seconds",
	    "lacks /proc/gate: Linux has no gate device")
{
	int more, gone;
	pid_t child;

	put_image("blank-1k");
	mount_writable();
	more = make(MNT "/more");
	fill_but(8, 1024);
	gone = make(MNT "/gone");
	CHECK_EQ(pwrite(gone, buf, 8 * 1024, 0), 8 * 1024);
	CHECK_EQ(space().f_bfree, 0);
	CHECK_EQ(fsync(gone) | fsync(more), 0);
	gate_control("close");
	delete_open(MNT "/gone", gone);
	child = fork();
	if (child == 0)
		_exit(pwrite(more, buf, 1024, 0) == 1024 ? 0 : errno);
	test_sleep_ms(2000);
	gate_control("open");
	CHECK_EQ(test_wait(child), 0);
	close(more);
	unmount();
}

/* ---- one who may not take the last blocks, beside root, who goes on with them ---- */

static void fill_as_somebody(void)
{
	int fd = create(MNT "/theirs");

	CHECK_EQ(setgid(1000) | setuid(1000), 0);
	for (off_t at = 0; pwrite(fd, buf, 1024, at) == 1024; at += 1024)
		;
	_exit(0);
}

static void lack_space(void)
{
	int fd = create(MNT "/more");
	long long before = test_ms();

	CHECK_EQ(setgid(1000) | setuid(1000), 0);
	CHECK_ERR(pwrite(fd, buf, 1024, 0), ENOSPC);
	CHECK(test_ms() - before < LONG);
	_exit(0);
}

TEST(reserved, 30, "a write without room fails, while root writes and deletes small files")
{
	pid_t root;

	put_image("blank-1k");
	mount_writable();
	if (fork() == 0)
		fill_as_somebody();
	CHECK_EQ(test_wait(-1), 0);
	root = start_writer(0);
	for (int i = 0; i < 5; i++) {
		pid_t child = fork();

		if (child == 0)
			lack_space();
		CHECK_EQ(test_wait(child), 0);
	}
	stop_writer(root);
	unmount();
}
