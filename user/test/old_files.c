/*
 * Calls on files that newer calls have replaced, and that programs still make by number: getdents,
 * readdir, utime, utimes, futimesat, ustat, remap_file_pages.
 */
#include "names.h"
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/shm.h>
#include <sys/time.h>

struct entry {
	unsigned long ino, off;
	unsigned short len;
	char name[256 + 2];
} __attribute__((packed));

TEST(getdents, 5, "getdents returns entries with their types; offsets lead to what follows")
{
	char buf[512];
	int fd, n, found = 0;
	off_t after_first = -1;

	enter();
	put("file", "x");
	CHECK_EQ(mkdir("directory", 0755), 0);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK_ERR(syscall(SYS_getdents, fd, buf, 8), EINVAL);
	CHECK_ERR(syscall(SYS_getdents, fd, 16, sizeof(buf)), EFAULT);
	n = syscall(SYS_getdents, fd, buf, sizeof(buf));
	CHECK(n > 0);
	for (int at = 0; at < n;) {
		struct entry *entry = (void *)(buf + at);
		char type = buf[at + entry->len - 1];

		CHECK_EQ(entry->len % 4, 0);
		if (after_first < 0)
			after_first = entry->off;
		found |= !strcmp(entry->name, "file") && type == DT_REG ? 1 : 0;
		found |= !strcmp(entry->name, "directory") && type == DT_DIR ? 2 : 0;
		at += entry->len;
	}
	CHECK_EQ(found, 3);
	CHECK_EQ(syscall(SYS_getdents, fd, buf, sizeof(buf)), 0);
	CHECK_EQ(lseek(fd, after_first, SEEK_SET), after_first);
	CHECK(syscall(SYS_getdents, fd, buf, sizeof(buf)) < n);
	CHECK_ERR(syscall(SYS_getdents, 999, buf, sizeof(buf)), EBADF);
	close(fd);
	fd = open("file", O_RDONLY);
	CHECK_ERR(syscall(SYS_getdents, fd, buf, sizeof(buf)), ENOTDIR);
	close(fd);
	leave();
}

TEST(readdir, 5, "readdir returns one entry at a time, with the length of its name")
{
	struct entry entry;
	int fd, nr = 0, found = 0;

	enter();
	put("file", "x");
	fd = open(".", O_RDONLY | O_DIRECTORY);
	while (syscall(SYS_readdir, fd, &entry, 1) == 1) {
		CHECK_EQ(entry.len, strlen(entry.name));
		found += !strcmp(entry.name, "file");
		nr++;
	}
	CHECK_EQ(found, 1);
	CHECK_EQ(nr, 3);
	CHECK_EQ(syscall(SYS_readdir, fd, &entry, 1), 0);
	CHECK_ERR(syscall(SYS_readdir, 999, &entry, 1), EBADF);
	close(fd);
	leave();
}

static bool has_times(const char *name, long atime, long atime_ns, long mtime)
{
	struct stat st;

	CHECK_EQ(stat(name, &st), 0);
	return st.st_atim.tv_sec == atime && st.st_atim.tv_nsec == atime_ns &&
	       st.st_mtim.tv_sec == mtime;
}

TEST(times, 5, "utime, utimes and futimesat set the times in their units")
{
	const int seconds[2] = { 10, 20 };
	int micros[4] = { 30, 999999, 40, 0 };
	struct stat st;
	int fd;

	enter();
	put("f", "x");
	CHECK_EQ(syscall(SYS_utime, "f", seconds), 0);
	CHECK(has_times("f", 10, 0, 20));
	CHECK_EQ(syscall(SYS_utimes, "f", micros), 0);
	CHECK(has_times("f", 30, 999999000, 40));
	micros[0] = 50;
	fd = open("f", O_RDONLY);
	CHECK_EQ(syscall(SYS_futimesat, fd, NULL, micros), 0);
	CHECK(has_times("f", 50, 999999000, 40));
	close(fd);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	micros[0] = 60;
	CHECK_EQ(syscall(SYS_futimesat, fd, "f", micros), 0);
	CHECK(has_times("f", 60, 999999000, 40));
	micros[1] = 1000000;
	CHECK_ERR(syscall(SYS_futimesat, fd, "f", micros), EINVAL);
	CHECK_ERR(syscall(SYS_utimes, "f", 16), EFAULT);
	CHECK_ERR(syscall(SYS_utime, "g", NULL), ENOENT);
	close(fd);
	CHECK_EQ(syscall(SYS_utime, "f", NULL), 0);
	CHECK_EQ(stat("f", &st), 0);
	CHECK(st.st_atime > 1000 && st.st_mtime > 1000);
	leave();
}

TEST(ustat, 5, "ustat reports on the file system that is mounted on a device")
{
	struct {
		int free_blocks;
		unsigned int free_files;
		char names[12];
	} st = { .free_blocks = -1 };
	struct stat root;

	enter();
	CHECK_EQ(mkdir("m", 0755), 0);
	CHECK_EQ(mount("none", "m", "tmpfs", 0, "size=64k"), 0);
	CHECK_EQ(stat("m", &root), 0);
	CHECK_EQ(syscall(SYS_ustat, (unsigned int)root.st_dev, &st), 0);
	CHECK_EQ(st.free_blocks, 16);
	CHECK_ERR(syscall(SYS_ustat, (unsigned int)root.st_dev, NULL), EFAULT);
	CHECK_EQ(umount("m"), 0);
	CHECK_ERR(syscall(SYS_ustat, (unsigned int)root.st_dev, &st), EINVAL);
	leave();
}

TEST(remap_file_pages, 5, "remap_file_pages shows another part of the file in a part of a mapping")
{
	int fd;
	char *map, *own;

	enter();
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(fd, 3 * 4096), 0);
	map = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	for (int i = 0; i < 3; i++)
		map[i * 4096] = 'a' + i;
	CHECK_EQ(syscall(SYS_remap_file_pages, map, 4096, 0, 2, 0), 0);
	CHECK_EQ(map[0], 'c');
	map[0] = 'C';
	CHECK_EQ(map[2 * 4096], 'C');
	CHECK_ERR(syscall(SYS_remap_file_pages, map, 4096, PROT_READ, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_remap_file_pages, map, 0, 0, 0, 0), EINVAL);
	CHECK_ERR(syscall(SYS_remap_file_pages, map, 64 * 4096, 0, 0, 0), EINVAL);
	own = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_ERR(syscall(SYS_remap_file_pages, own, 4096, 0, 0, 0), EINVAL);
	munmap(own, 4096);
	munmap(map, 3 * 4096);
	close(fd);
	leave();
}

static char *segment;
static atomic_int rounds_begun, rounds_done;

static void *unmap_segments(void *arg)
{
	for (int round = 1;; round++) {
		while (atomic_load(&rounds_begun) == round - 1)
			sched_yield();
		if (atomic_load(&rounds_begun) < 0)
			return NULL;
		for (volatile int i = 0; i < round % 400; i++)
			;
		CHECK_EQ(munmap(segment, 4096), 0);
		atomic_store(&rounds_done, round);
	}
}

TEST(remap_segment, 20, "remap_file_pages of a removed segment that another thread unmaps")
{
	long long start = test_ms();
	pthread_t thread;

	segment = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK_EQ(pthread_create(&thread, NULL, unmap_segments, NULL), 0);
	for (int round = 1; test_ms() - start < 2000; round++) {
		int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);

		CHECK(shmat(id, segment, SHM_REMAP) == segment);
		CHECK_EQ(shmctl(id, IPC_RMID, NULL), 0);
		atomic_store(&rounds_begun, round);
		for (volatile int i = 0; i < 100; i++)
			;
		CHECK(syscall(SYS_remap_file_pages, segment, 4096, 0, 0, 0) == 0 ||
		      errno == EINVAL);
		while (atomic_load(&rounds_done) < round)
			sched_yield();
	}
	atomic_store(&rounds_begun, -1);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_EQ(munmap(segment, 4096), 0);
}

TEST(invalidate, 5, "msync with MS_INVALIDATE refuses memory that is locked")
{
	int fd;
	char *map;

	enter();
	fd = open("f", O_RDWR | O_CREAT, 0600);
	CHECK_EQ(ftruncate(fd, 4096), 0);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK_EQ(msync(map, 4096, MS_SYNC | MS_INVALIDATE), 0);
	CHECK_EQ(mlock(map, 4096), 0);
	CHECK_ERR(msync(map, 4096, MS_SYNC | MS_INVALIDATE), EBUSY);
	munmap(map, 4096);
	close(fd);
	leave();
}

static void make_as_user(void)
{
	struct stat st;
	int fd = open("shared/f", O_CREAT | O_RDWR, S_ISGID | 0777);

	CHECK(fd >= 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_gid, 0);
	CHECK_EQ(st.st_mode & S_ISGID, 0);
	CHECK_EQ(fchmod(fd, 06777), 0);
	CHECK_EQ(fallocate(fd, 0, 0, 4096), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & (S_ISGID | S_ISUID), 0);
	CHECK_EQ(mkdir("shared/d", 0777), 0);
	CHECK_EQ(stat("shared/d", &st), 0);
	CHECK_EQ(st.st_mode & S_ISGID, S_ISGID);
	close(fd);
	_exit(0);
}

TEST(set_group, 5,
     "a user's new program does not act for a directory's group that the user is not in")
{
	pid_t pid;

	enter();
	umask(0);
	CHECK_EQ(chmod(".", 0777), 0);
	CHECK_EQ(mkdir("shared", 0777), 0);
	CHECK_EQ(chmod("shared", 02777), 0);
	pid = fork();
	if (pid == 0) {
		CHECK_EQ(setgid(1000) | setuid(1000), 0);
		make_as_user();
	}
	CHECK_EQ(test_wait(pid), 0);
	leave();
}

TEST(mode_of_link, 5, "the mode of a symbolic link does not change")
{
	char path[32];
	struct stat st;
	int fd;

	enter();
	CHECK_EQ(symlink("f", "s"), 0);
	fd = open("s", O_PATH | O_NOFOLLOW);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_ERR(chmod(path, 0600), EOPNOTSUPP);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0777);
	close(fd);
	leave();
}

TEST(create_errors, 5, "O_CREAT makes no directory, and O_EXCL finds that a directory exists")
{
	enter();
	CHECK_ERR(open("d", O_CREAT | O_DIRECTORY | O_RDWR, 0700), EINVAL);
	CHECK(open("/proc", O_RDONLY | 0x10000000) >= 0); /* an unknown flag is ignored */
	CHECK(!is_there("d"));
	CHECK_ERR(open(".", O_CREAT | O_EXCL | O_RDWR, 0700), EEXIST);
	CHECK_ERR(open(".", O_CREAT | O_RDWR, 0700), EISDIR);
	leave();
}
