/*
 * Calls in their older forms, by their numbers: other C libraries use them, this one's do not.
 */
#include "user/test/test.h"

#include <sys/resource.h>
#include <sys/select.h>
#include <sys/statfs.h>

#define NAME "/tmp/oldcalls"

TEST(creat_and_truncate, 5, "creat makes a file, truncate and ftruncate take sizes of 32 bits")
{
	int fd = syscall(SYS_creat, NAME, 0640);
	struct stat st;

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "hello, world", 12), 12);
	CHECK_ERR(read(fd, &st, 1), EBADF);
	CHECK_EQ(syscall(SYS_ftruncate, fd, 5), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK(st.st_size == 5 && (st.st_mode & 0777) == 0640);
	CHECK_EQ(syscall(SYS_truncate, NAME, 7000), 0);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 7000);
	CHECK_ERR(syscall(SYS_ftruncate, fd, -1), EINVAL);
	CHECK_ERR(syscall(SYS_truncate, NAME, -1), EINVAL);
	CHECK_EQ(syscall(SYS_fadvise64, fd, 0, 0, 0, 4), 0);
	CHECK_ERR(syscall(SYS_fadvise64, fd, 0, 0, 0, 77), EINVAL);
	close(fd);
	fd = syscall(SYS_creat, NAME, 0600);
	CHECK_EQ(fstat(fd, &st), 0);
	CHECK_EQ(st.st_size, 0);
	unlink(NAME);
}

TEST(ids, 5, "ids of 16 bits: those that do not fit are told as 65534")
{
	CHECK_EQ(syscall(SYS_getuid), getuid());
	CHECK_EQ(syscall(SYS_getgid), getgid());
	CHECK_EQ(setresgid(70000, 70001, 70000), 0);
	CHECK_EQ(setresuid(1001, 70000, 1001), 0);
	CHECK_EQ(syscall(SYS_getuid), 1001);
	CHECK_EQ(syscall(SYS_geteuid), 65534);
	CHECK_EQ(syscall(SYS_getgid), 65534);
	CHECK_EQ(syscall(SYS_getegid), 65534);
	CHECK_EQ(geteuid(), 70000);
}

TEST(limits, 5, "limits of 32 bits: those without limit are told as the largest number")
{
	struct rlimit limit = { 100, 200 };
	uint32_t words[2];

	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK_EQ(syscall(SYS_getrlimit, RLIMIT_NOFILE, words), 0);
	CHECK(words[0] == 100 && words[1] == 200);
	words[0] = 50;
	CHECK_EQ(syscall(75, RLIMIT_NOFILE, words), 0);
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	CHECK(limit.rlim_cur == 50 && limit.rlim_max == 200);
	words[0] = 300;
	CHECK_ERR(syscall(75, RLIMIT_NOFILE, words), EINVAL);
	limit = (struct rlimit){ RLIM_INFINITY, RLIM_INFINITY };
	CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
	CHECK_EQ(syscall(191, RLIMIT_FSIZE, words), 0);
	CHECK(words[0] == UINT32_MAX && words[1] == UINT32_MAX);
	CHECK_EQ(syscall(76, RLIMIT_FSIZE, words), 0);
	CHECK(words[0] == INT32_MAX && words[1] == INT32_MAX);
	CHECK_ERR(syscall(191, 1000, words), EINVAL);
	CHECK_ERR(syscall(191, RLIMIT_FSIZE, (void *)1), EFAULT);
}

TEST(arguments_in_memory, 5, "mmap and select with their arguments in memory")
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600), p[2];
	uint32_t map[6] = { 0, 4096, PROT_READ, MAP_SHARED, fd, 4096 }, wait[5];
	struct timeval none = { 0, 0 };
	fd_set set;
	char *at;

	CHECK_EQ(pwrite(fd, "there", 5, 4096), 5);
	at = (char *)syscall(SYS_mmap, map);
	CHECK(at != MAP_FAILED && !memcmp(at, "there", 5));
	map[5] = 100;
	CHECK_ERR(syscall(SYS_mmap, map), EINVAL);
	CHECK_ERR(syscall(SYS_mmap, 1), EFAULT);
	CHECK_EQ(pipe(p), 0);
	FD_ZERO(&set);
	FD_SET(p[1], &set);
	FD_SET(p[0], &set);
	int32_t narrow[2] = { none.tv_sec, none.tv_usec };
	wait[0] = p[1] + 1;
	wait[1] = 0;
	wait[2] = (uint32_t)&set;
	wait[3] = 0;
	wait[4] = (uint32_t)narrow;
	CHECK_EQ(syscall(SYS_select, wait), 1);
	CHECK(FD_ISSET(p[1], &set) && !FD_ISSET(p[0], &set));
	unlink(NAME);
}

TEST(statfs_words, 5, "statfs in 32 bits tells what statfs64 does")
{
	struct statfs wide;
	uint32_t words[16], again[16];
	int fd = open("/tmp", O_RDONLY);

	CHECK_EQ(statfs("/tmp", &wide), 0);
	CHECK_EQ(syscall(SYS_statfs, "/tmp", words), 0);
	CHECK_EQ(syscall(SYS_fstatfs, fd, again), 0);
	CHECK(words[0] == (uint32_t)wide.f_type && words[1] == wide.f_bsize &&
	      words[2] == wide.f_blocks && words[9] == wide.f_namelen);
	CHECK(again[0] == words[0] && again[2] == words[2]);
	CHECK_ERR(syscall(SYS_statfs, "/tmp", (void *)1), EFAULT);
	CHECK_ERR(syscall(SYS_statfs64, "/tmp", 64, words), EINVAL);
}

TEST(msync_ranges, 5, "msync wants whole pages that are mapped, and one way to wait")
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *at;

	CHECK_EQ(ftruncate(fd, 3 * 4096), 0);
	at = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	at[0] = at[8192] = 'x';
	CHECK_EQ(msync(at, 3 * 4096, MS_SYNC), 0);
	CHECK_EQ(msync(at, 3 * 4096, MS_ASYNC | MS_INVALIDATE), 0);
	CHECK_EQ(msync(at, 0, MS_SYNC), 0);
	CHECK_ERR(msync(at + 1, 4096, MS_SYNC), EINVAL);
	CHECK_ERR(msync(at, 4096, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERR(msync(at, 4096, 64), EINVAL);
	CHECK_EQ(munmap(at + 4096, 4096), 0);
	CHECK_ERR(msync(at, 3 * 4096, MS_SYNC), ENOMEM);
	CHECK_ERR(msync(at + 4096, 4096, MS_SYNC), ENOMEM);
	CHECK_EQ(msync(at + 8192, 4096, MS_SYNC), 0);
	unlink(NAME);
}

TEST(capabilities, 5, "root has them all, others none; an unknown version is told the one to use")
{
	uint32_t head[2] = { 0x20080522, 0 }, sets[6] = { 0 };

	CHECK_EQ(syscall(SYS_capget, head, sets), 0);
	CHECK(sets[0] == UINT32_MAX && sets[1] == UINT32_MAX);
	head[0] = 1;
	CHECK_ERR(syscall(SYS_capget, head, sets), EINVAL);
	CHECK_EQ(head[0], 0x20080522);
	head[0] = 1;
	CHECK_EQ(syscall(SYS_capget, head, NULL), 0);
	head[1] = -1;
	CHECK_ERR(syscall(SYS_capget, head, sets), EINVAL);
	CHECK_ERR(syscall(SYS_capget, NULL, sets), EFAULT);
	CHECK_EQ(setresuid(1001, 1001, 1001), 0);
	head[1] = 0;
	CHECK_EQ(syscall(SYS_capget, head, sets), 0);
	CHECK(sets[0] == 0 && sets[1] == 0 && sets[3] == 0);
}

TEST(names_are_needed, 5, "a call with a descriptor and a name wants the name")
{
	int fd = open("/tmp", O_RDONLY);
	struct stat st;

	CHECK_ERR(syscall(SYS_fchmodat, fd, NULL, 0777), EFAULT);
	CHECK_ERR(syscall(SYS_fchownat, fd, NULL, 0, 0, 0), EFAULT);
	CHECK_ERR(syscall(SYS_fstatat64, fd, NULL, &st, 0), EFAULT);
	CHECK_ERR(syscall(SYS_fstatat64, fd, NULL, &st, AT_EMPTY_PATH), EFAULT);
	CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, NULL, NULL, 0), EFAULT);
	CHECK_EQ(syscall(SYS_utimensat, fd, NULL, NULL, 0), 0);
	CHECK_ERR(syscall(SYS_utimensat, fd, NULL, NULL, AT_SYMLINK_NOFOLLOW), EINVAL);
	CHECK_EQ(syscall(SYS_fstatat64, fd, "", &st, AT_EMPTY_PATH), 0);
}
