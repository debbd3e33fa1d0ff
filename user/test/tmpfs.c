/*
 * tmpfs and the devices of /dev: mappings, limits, holes, unmounting; zeros by splice, raw disks.
 */
#include "tmpfs.h"

#include <dirent.h>
#include <setjmp.h>
#include <sys/sendfile.h>

#define PAGE		4096
#define NO_GATE		"lacks /dev/gate0: Linux has no such disk"
#define BLKGETSIZE64_32 0x80041272 /* <linux/fs.h> */
#define BLKSSZGET_	0x1268
#define BLKFLSBUF_	0x1261

static char buf[64 * PAGE], back[64 * PAGE];
static sigjmp_buf bus_error;

static int make(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	return fd;
}

static void on_bus(int sig)
{
	siglongjmp(bus_error, sig);
}

TEST(shared_mapping, 5,
     "stores to a shared mapping are in the file, writes to the file in the mapping")
{
	int fd = make("/tmp/map");
	char *map;

	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	map = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[PAGE], 0);
	map[PAGE + 7] = 'x';
	CHECK_EQ(pread(fd, back, 1, PAGE + 7), 1);
	CHECK_EQ(back[0], 'x');
	CHECK_EQ(pwrite(fd, "y", 1, 2 * PAGE), 1);
	CHECK_EQ(map[2 * PAGE], 'y');
	CHECK_EQ(ftruncate(fd, PAGE), 0);
	CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
	CHECK_EQ(map[PAGE + 7], 0);
	CHECK_EQ(unlink("/tmp/map"), 0);
	map[0] = 'z';
	CHECK_EQ(pread(fd, back, 1, 0), 1);
	CHECK_EQ(back[0], 'z');
}

TEST(private_mapping, 5, "stores to a private mapping stay private")
{
	int fd = make("/tmp/map");
	char *map;

	test_fill(buf, 2 * PAGE, 1, 0);
	CHECK_EQ(write(fd, buf, 2 * PAGE), 2 * PAGE);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(map != MAP_FAILED);
	map[PAGE] ^= 1;
	CHECK_EQ(pread(fd, back, 2 * PAGE, 0), 2 * PAGE);
	CHECK_EQ(test_differs(back, 2 * PAGE, 1, 0), 2 * PAGE);
	CHECK_EQ(unlink("/tmp/map"), 0);
}

TEST(holes_cost_nothing, 10, "reading a hole takes no room, writing into it does")
{
	struct statfs before, after;
	int fd;

	mount_here("size=256k");
	fd = make(DIR_NAME "/sparse");
	CHECK_EQ(ftruncate(fd, 1 << 30), 0);
	CHECK_EQ(pwrite(fd, "a", 1, 5 * PAGE), 1);
	CHECK_EQ(statfs(DIR_NAME, &before), 0);
	CHECK_EQ(before.f_blocks - before.f_bfree, 1);
	memset(back, 1, sizeof(back));
	CHECK_EQ(read_full(fd, back, sizeof(back)), sizeof(back));
	for (int i = 0; i < sizeof(back); i++)
		CHECK_EQ(back[i], i == 5 * PAGE ? 'a' : 0);
	CHECK_EQ(statfs(DIR_NAME, &after), 0);
	CHECK_EQ(after.f_bfree, before.f_bfree);
	CHECK_EQ(pread(fd, back, PAGE, (1 << 30) - 10), 10);
	close(fd);
	unmount_here();
}

/* Wants what is read to be zeros. */
static void all_zeros(ssize_t n, ssize_t wanted)
{
	CHECK_EQ(n, wanted);
	for (ssize_t i = 0; i < n; i++)
		CHECK_EQ(back[i], 0);
	memset(back, 1, sizeof(back));
}

TEST(hole_without_room, 20, "in a full file system a hole reads as zeros, and is ENOSPC to fill")
{
	int fill, sparse, copy, ends[2];
	off_t from = 5 * PAGE, to = 0;

	mount_here("size=256k");
	sparse = make(DIR_NAME "/sparse");
	copy = make(DIR_NAME "/copy");
	fill = make(DIR_NAME "/fill");
	CHECK_EQ(ftruncate(sparse, 1 << 30), 0);
	while (write(fill, buf, PAGE) > 0)
		;
	CHECK_ERR(write(fill, buf, PAGE), ENOSPC);
	CHECK_EQ(pipe(ends), 0);
	memset(back, 1, sizeof(back));
	all_zeros(pread(sparse, back, PAGE, PAGE), PAGE);
	CHECK_EQ(splice(sparse, &from, ends[1], NULL, 2 * PAGE, 0), 2 * PAGE);
	all_zeros(read(ends[0], back, 2 * PAGE), 2 * PAGE);
	CHECK_EQ(sendfile(ends[1], sparse, &from, PAGE - 1), PAGE - 1);
	all_zeros(read(ends[0], back, PAGE), PAGE - 1);
	CHECK_ERR(copy_file_range(sparse, &from, copy, &to, 3 * PAGE, 0), ENOSPC);
	CHECK_ERR(pwrite(sparse, "a", 1, 7 * PAGE), ENOSPC);
	/* Filling it with the bytes of another file is no better, and loses nothing of them. */
	CHECK_EQ(write(ends[1], "abc", 3), 3);
	CHECK_ERR(splice(ends[0], NULL, sparse, &from, 3, 0), ENOSPC);
	CHECK_EQ(read(ends[0], back, 10), 3);
	close(fill);
	CHECK_EQ(unlink(DIR_NAME "/fill"), 0);
	CHECK_EQ(copy_file_range(sparse, &from, copy, &to, 3 * PAGE, 0), 3 * PAGE);
	memset(back, 1, sizeof(back));
	all_zeros(pread(copy, back, 4 * PAGE, 0), 3 * PAGE);
	close(sparse);
	close(copy);
	unmount_here();
}

TEST(sparse_to_null, 20, "400 MiB of a hole go to a sink at once, and take no room")
{
	int null = open("/dev/null", O_WRONLY), fd, ends[2];
	const off_t size = 400 << 20;
	struct statfs st;
	off_t at = 0;
	ssize_t n;

	mount_here("size=256k");
	fd = make(DIR_NAME "/sparse");
	CHECK_EQ(ftruncate(fd, size), 0);
	CHECK_EQ(sendfile(null, fd, &at, size), size);
	CHECK_EQ(at, size);
	CHECK_EQ(pipe(ends), 0);
	at = 0;
	while (at < size / 16) {
		n = splice(fd, &at, ends[1], NULL, size, 0);
		CHECK(n > 0);
		while (n > 0) {
			ssize_t gone = splice(ends[0], NULL, null, NULL, n, 0);

			CHECK(gone > 0);
			n -= gone;
		}
	}
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_bfree, st.f_blocks);
	close(fd);
	unmount_here();
}

TEST(touched_holes, 20, "loads from a hole that find no room are SIGBUS, and leave nothing behind")
{
	static volatile int touched, refused;
	const int pages = 1 << 12;
	struct statfs st;
	struct stat file;
	char *map;
	int fd;

	signal(SIGBUS, on_bus);
	mount_here("size=64k");
	fd = make(DIR_NAME "/f");
	CHECK_EQ(ftruncate(fd, pages * PAGE), 0);
	map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (touched = 0; touched < pages; touched++) {
		if (sigsetjmp(bus_error, 1) == 0)
			CHECK_EQ(*(volatile char *)(map + touched * PAGE), 0);
		else
			refused++;
	}
	CHECK(refused >= pages - 16);
	CHECK_EQ(fstat(fd, &file), 0);
	CHECK(file.st_blocks <= 16 * PAGE / 512);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_blocks, 16);
	CHECK_EQ(st.f_bfree, 16 - (pages - refused));
	CHECK_EQ(munmap(map, pages * PAGE), 0);
	close(fd);
	unmount_here();
}

TEST(full_mapping, 10, "a store that finds no room is SIGBUS, and nothing else is lost")
{
	static volatile int touched, i;
	char *map;
	int fd;

	signal(SIGBUS, on_bus);
	mount_here("size=64k");
	fd = make(DIR_NAME "/f");
	CHECK_EQ(ftruncate(fd, 1 << 20), 0);
	map = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	if (sigsetjmp(bus_error, 1) == 0)
		for (; touched < 256; touched++)
			map[touched * PAGE] = touched + 1;
	CHECK_EQ(touched, 16);
	for (i = 0; i < 2000; i++) /* again and again: there is none the second time either */
		if (sigsetjmp(bus_error, 1) == 0) {
			map[(16 + i % 240) * PAGE] = 1;
			CHECK(0);
		}
	for (i = 0; i < 16; i++)
		CHECK_EQ(map[i * PAGE], i + 1);
	CHECK_ERR(pwrite(fd, "a", 1, 100 * PAGE), ENOSPC);
	CHECK_EQ(pwrite(fd, "a", 1, 3 * PAGE), 1);
	CHECK_EQ(ftruncate(fd, 8 * PAGE), 0);
	CHECK_EQ(pwrite(fd, buf, 8 * PAGE, 8 * PAGE), 8 * PAGE);
	CHECK_ERR(pwrite(fd, "a", 1, 16 * PAGE), ENOSPC);
	munmap(map, 1 << 20);
	close(fd);
	unmount_here();
}

TEST(full_splice, 10,
     "splice and sendfile from holes of a full file system end, and it stays usable")
{
	int fd, ends[2];
	off_t at = 0;

	mount_here("size=64k");
	fd = make(DIR_NAME "/f");
	CHECK_EQ(write(fd, buf, 16 * PAGE), 16 * PAGE);
	CHECK_EQ(ftruncate(fd, 1 << 20), 0);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 8 * PAGE, 0), 8 * PAGE);
	CHECK_EQ(read_full(ends[0], back, 8 * PAGE), 8 * PAGE);
	at = 20 * PAGE;
	for (int i = 0; i < 100; i++) {
		/*
		 * zeros, or an error that is told: whether holes take room is the file system's
		 * affair
		 */
		ssize_t n = splice(fd, &at, ends[1], NULL, 8 * PAGE, SPLICE_F_NONBLOCK);

		if (n > 0)
			n = read(ends[0], back, n);
		if (n <= 0)
			break;
		at %= 1 << 19;
	}
	close(ends[0]);
	close(ends[1]);
	memset(back, 1, 16 * PAGE);
	CHECK_EQ(pread(fd, back, 16 * PAGE, 20 * PAGE), 16 * PAGE);
	for (int i = 0; i < 16 * PAGE; i++)
		CHECK_EQ(back[i], 0);
	CHECK_EQ(ftruncate(fd, 0), 0);
	CHECK_EQ(pwrite(fd, buf, 16 * PAGE, 0), 16 * PAGE);
	close(fd);
	unmount_here();
}

TEST(stolen_pages_count, 10, "pages that a splice moves into a file take room, too")
{
	int fd, ends[2];
	long total = 0;
	ssize_t n;

	mount_here("size=64k");
	fd = make(DIR_NAME "/f");
	CHECK_EQ(pipe(ends), 0);
	for (int i = 0; i < 10; i++) {
		CHECK_EQ(write(ends[1], buf, 8 * PAGE), 8 * PAGE);
		n = splice(ends[0], NULL, fd, NULL, 8 * PAGE, SPLICE_F_MOVE);
		if (n < 8 * PAGE)
			break;
		total += n;
	}
	CHECK_EQ(total, 16 * PAGE);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 16 * PAGE);
	close(ends[0]);
	close(ends[1]);
	close(fd);
	unmount_here();
}

TEST(bad_options, 5, "unknown or senseless mount options are refused")
{
	mkdir(DIR_NAME, 0755);
	CHECK_ERR(mount("none", DIR_NAME, "tmpfs", 0, "bogus=1"), EINVAL);
	CHECK_ERR(mount("none", DIR_NAME, "tmpfs", 0, "size=12x"), EINVAL);
	CHECK_EQ(rmdir(DIR_NAME), 0);
}

TEST(other_size, 10, "a remount changes the limits, but not below what is in use")
{
	struct statfs st;
	int fd;

	mount_here("size=64k,mode=700");
	CHECK((fd = open(DIR_NAME "/f", O_RDWR | O_CREAT, 0600)) >= 0);
	CHECK_EQ(write(fd, buf, 8 * PAGE), 8 * PAGE);
	CHECK_ERR(mount("none", DIR_NAME, NULL, MS_REMOUNT, "size=16k"), EINVAL);
	CHECK_ERR(mount("none", DIR_NAME, NULL, MS_REMOUNT, "size=64k,nonsense"), EINVAL);
	CHECK_ERR(mount("none", DIR_NAME, NULL, MS_REMOUNT | MS_RDONLY, "size=128k"), EBUSY);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK_EQ(st.f_blocks, 16);
	CHECK_EQ(mount("none", DIR_NAME, NULL, MS_REMOUNT, "size=128k,mode=755,nr_inodes=50"), 0);
	CHECK_EQ(statfs(DIR_NAME, &st), 0);
	CHECK(st.f_blocks == 32 && st.f_files == 50);
	CHECK_EQ(write(fd, buf, 24 * PAGE), 24 * PAGE);
	CHECK_ERR(write(fd, buf, PAGE), ENOSPC);
	CHECK_EQ(close(fd), 0);
	CHECK_ERR(mount("none", DIR_NAME, NULL, MS_REMOUNT | MS_RDONLY, "size=64k"), EINVAL);
	CHECK((fd = open(DIR_NAME "/g", O_RDWR | O_CREAT, 0600)) >= 0);
	CHECK_EQ(close(fd), 0);
	unmount_here();
}

TEST(deep_tree, 20, "a tree a thousand directories deep is unmounted whole")
{
	int i;

	mount_here(NULL);
	CHECK_EQ(chdir(DIR_NAME), 0);
	for (i = 0; i < 1000; i++)
		if (mkdir("d", 0755) < 0 || chdir("d") < 0)
			break;
	CHECK_EQ(i, 1000);
	CHECK_EQ(chdir("/"), 0);
	unmount_here();
}

static ino_t parent_in_listing(const char *name)
{
	struct dirent *entry;
	DIR *dir = opendir(name);
	ino_t number = 0;

	CHECK(dir != NULL);
	while ((entry = readdir(dir)))
		if (!strcmp(entry->d_name, ".."))
			number = entry->d_ino;
	closedir(dir);
	return number;
}

TEST(moved_directory, 5, "a directory that moves has another parent and takes its link along")
{
	struct stat a, b;

	mount_here(NULL);
	CHECK_EQ(mkdir(DIR_NAME "/a", 0755), 0);
	CHECK_EQ(mkdir(DIR_NAME "/b", 0755), 0);
	CHECK_EQ(mkdir(DIR_NAME "/a/d", 0755), 0);
	CHECK_EQ(rename(DIR_NAME "/a/d", DIR_NAME "/b/d"), 0);
	CHECK_EQ(stat(DIR_NAME "/a", &a), 0);
	CHECK_EQ(stat(DIR_NAME "/b", &b), 0);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_EQ(b.st_nlink, 3);
	CHECK_EQ(parent_in_listing(DIR_NAME "/b/d"), b.st_ino);
	CHECK_EQ(mkdir(DIR_NAME "/c", 0755), 0);
	CHECK_EQ(rename(DIR_NAME "/b/d", DIR_NAME "/c"), 0);
	CHECK_EQ(stat(DIR_NAME, &a), 0);
	CHECK_EQ(a.st_nlink, 5);
	unmount_here();
}

TEST(unmounted_under_a_pipe, 5, "a pipe keeps the bytes of a file whose file system is gone")
{
	int fd, ends[2];
	off_t at = 0;

	mount_here(NULL);
	fd = make(DIR_NAME "/f");
	test_fill(buf, 4 * PAGE, 2, 0);
	CHECK_EQ(write(fd, buf, 4 * PAGE), 4 * PAGE);
	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 4 * PAGE, 0), 4 * PAGE);
	close(fd);
	unmount_here();
	CHECK_EQ(read_full(ends[0], back, 4 * PAGE), 4 * PAGE);
	CHECK_EQ(test_differs(back, 4 * PAGE, 2, 0), 4 * PAGE);
}

/* ---- devices ---- */

BEYOND_TEST(zeros_by_splice, 5, "splice from /dev/zero gives zeros; /dev/full takes none",
	    "Linux 6.1 cannot splice from /dev/zero")
{
	int zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR), ends[2], other[2];

	CHECK_EQ(pipe(ends), 0);
	CHECK_EQ(pipe(other), 0);
	CHECK_EQ(splice(zero, NULL, ends[1], NULL, 3 * PAGE + 5, 0), 3 * PAGE + 5);
	CHECK_EQ(tee(ends[0], other[1], 2 * PAGE, 0), 2 * PAGE);
	memset(back, 1, sizeof(back));
	CHECK_EQ(read_full(ends[0], back, 3 * PAGE + 5), 3 * PAGE + 5);
	for (int i = 0; i < 3 * PAGE + 5; i++)
		CHECK_EQ(back[i], 0);
	CHECK_EQ(back[3 * PAGE + 5], 1);
	CHECK_ERR(splice(other[0], NULL, full, NULL, PAGE, 0), ENOSPC);
	CHECK_EQ(read(other[0], back, PAGE), PAGE);
}

TEST(null_and_zero, 5, "null ends at once, zero never; both take what is written")
{
	int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
	char *map;

	CHECK_EQ(read(null, back, 10), 0);
	CHECK_EQ(pread(null, back, 10, 1000), 0);
	CHECK_EQ(write(zero, buf, 100), 100);
	CHECK_EQ(lseek(null, 100, SEEK_SET), 0);
	CHECK_ERR(read(zero, (void *)1, 10), EFAULT);
	map = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[PAGE], 0);
	map[PAGE] = 1;
	CHECK_EQ(read(zero, back, 1), 1);
	CHECK_EQ(back[0], 0);
}

BEYOND_TEST(raw_disk, 20, "a disk as a file: written in parts, read back cold, ends where it ends",
	    NO_GATE)
{
	int fd = test_open_own("/dev/gate0", O_RDWR), ends[2];
	uint64_t size = 0;
	int sector = 0;
	off_t at;

	CHECK_EQ(ioctl(fd, BLKGETSIZE64_32, &size), 0);
	CHECK_EQ(ioctl(fd, BLKSSZGET_, &sector), 0);
	CHECK(size >= 1 << 20 && sector == 512);
	CHECK_EQ(lseek(fd, 0, SEEK_END), size);
	CHECK_EQ(read(fd, back, 10), 0);
	CHECK_ERR(write(fd, "a", 1), ENOSPC);
	test_fill(buf, 10 * PAGE, 3, 0);
	CHECK_EQ(pwrite(fd, buf, 10 * PAGE, 0), 10 * PAGE);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(ioctl(fd, BLKFLSBUF_, 0), 0);
	CHECK_EQ(pwrite(fd, "hello", 5, 2 * PAGE - 2), 5);
	CHECK_EQ(fsync(fd), 0);
	CHECK_EQ(ioctl(fd, BLKFLSBUF_, 0), 0);
	memcpy(buf + 2 * PAGE - 2, "hello", 5);
	CHECK_EQ(pread(fd, back, 10 * PAGE, 0), 10 * PAGE);
	CHECK(!memcmp(buf, back, 10 * PAGE));
	CHECK_EQ(pread(fd, back, PAGE, size - 100),
		 100); /* its memory is no leak, but would look like one */

	CHECK_EQ(pipe(ends), 0);
	at = PAGE;
	CHECK_EQ(splice(fd, &at, ends[1], NULL, 2 * PAGE, 0), 2 * PAGE);
	at = 100 * PAGE + 3;
	CHECK_ERR(splice(ends[0], NULL, fd, &at, 2 * PAGE, 0), EINVAL);
	at = 100 * PAGE + 512;
	CHECK_EQ(splice(ends[0], NULL, fd, &at, 2 * PAGE, 0), 2 * PAGE);
	CHECK_EQ(pread(fd, back, 2 * PAGE, 100 * PAGE + 512), 2 * PAGE);
	CHECK(!memcmp(buf + PAGE, back, 2 * PAGE));
	CHECK_EQ(write(ends[1], buf, PAGE), PAGE);
	at = size;
	CHECK_ERR(splice(ends[0], NULL, fd, &at, PAGE, 0), ENOSPC);
	CHECK_ERR(open("/dev/gate0/", O_RDONLY), ENOTDIR);
}

TEST(empty_read, 5, "a read of no bytes is 0, in an empty file and elsewhere")
{
	char byte = 'x';
	int fd = open("/tmp/empty-read", O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(unlink("/tmp/empty-read"), 0);
	CHECK_EQ(read(fd, &byte, 0), 0);
	CHECK_EQ(pread(fd, &byte, 0, 5), 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(pread(fd, &byte, 0, 0), 0);
	CHECK_EQ(pread(fd, &byte, 1, 3), 0);
	CHECK_EQ(byte, 'x');
}

static long long size_of(const char *path)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	return st.st_size;
}

TEST(directory_sizes, 5, "a directory is as large as it has names, and the two that each one has")
{
	int fd;

	CHECK_EQ(mount("none", "/mnt", "tmpfs", 0, NULL), 0);
	CHECK_EQ(chdir("/mnt"), 0);
	CHECK_EQ(size_of("."), 40);
	CHECK_EQ(mkdir("a", 0700) | mkdir("b", 0700), 0);
	CHECK_EQ(size_of("."), 80);
	CHECK_EQ(size_of("a"), 40);
	fd = open("a/file", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK_EQ(link("a/file", "a/other") | symlink("file", "a/link") | mkfifo("a/fifo", 0600), 0);
	CHECK_EQ(size_of("a"), 120);
	CHECK_EQ(rename("a/file", "a/new"), 0);
	CHECK_EQ(size_of("a"), 120);
	CHECK_EQ(rename("a/new", "b/new"), 0);
	CHECK_EQ(size_of("a"), 100);
	CHECK_EQ(size_of("b"), 60);
	CHECK_EQ(rename("a/link", "b/new"), 0); /* in place of another one */
	CHECK_EQ(size_of("a"), 80);
	CHECK_EQ(size_of("b"), 60);
	CHECK_EQ(rename("a", "b/a"), 0);
	CHECK_EQ(size_of("."), 60);
	CHECK_EQ(size_of("b"), 80);
	CHECK_EQ(unlink("b/a/other") | unlink("b/a/fifo") | rmdir("b/a"), 0);
	CHECK_EQ(size_of("b"), 60);
	close(fd);
	CHECK_EQ(chdir("/"), 0);
	CHECK_EQ(umount("/mnt"), 0);
}
