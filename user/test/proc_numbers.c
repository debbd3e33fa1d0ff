/*
 * Numbers of the inodes of /proc. Old programs, which have only 32 bits for them, can look at all
 * files, and no two files have the same number.
 */
#include "test.h"
#include <dirent.h>

#define NUMBERS 1000

static ino_t seen[NUMBERS];
static int nr_seen;

/* Not that of struct stat: this one has 32 bits for the number. */
#define NEW_LSTAT 107
static uint32_t old_stat[16];

static void look_at(int dir, const char *path, const char *name)
{
	char full[300];
	struct stat st;

	CHECK_EQ(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	CHECK(st.st_ino > 0 && st.st_ino <= UINT32_MAX);
	snprintf(full, sizeof(full), "%s/%s", path, name);
	CHECK_EQ(syscall(NEW_LSTAT, full, old_stat), 0);
	CHECK_EQ(old_stat[1], st.st_ino);
	for (int i = 0; i < nr_seen; i++)
		if (seen[i] == st.st_ino)
			test_fail(__FILE__, __LINE__, "%s has the number of another file", full);
	CHECK(nr_seen < NUMBERS);
	seen[nr_seen++] = st.st_ino;
}

/* List a directory with both calls of 32 bits, and look at its files. */
static void look_into(const char *path)
{
	static char entries[32768];
	struct dirent *entry;
	int fd = open(path, O_RDONLY | O_DIRECTORY);
	long n;
	DIR *dir;

	CHECK(fd >= 0);
	CHECK_EQ(syscall(SYS_readdir, fd, entries, 1), 1);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	while ((n = syscall(SYS_getdents, fd, entries, sizeof(entries))) > 0)
		;
	CHECK_EQ(n, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	dir = fdopendir(fd);
	CHECK(dir != NULL);
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.' && strcmp(entry->d_name, "task"))
			look_at(fd, path, entry->d_name);
	closedir(dir);
}

TEST(distinct, 10,
     "files of processes, threads and descriptors have numbers of 32 bits of their own")
{
	int low = open("/dev/null", O_RDONLY);
	char path[64];

	nr_seen = 0;
	CHECK_EQ(fcntl(low, F_DUPFD, 900), 900);
	look_into("/proc/sys/kernel");
	look_into("/proc/self");
	look_into("/proc/self/fd");
	look_into("/proc/self/fdinfo");
	for (int leader = 1; leader >= 0; leader--) {
		pid_t pid = leader ? getpid() : getppid();

		snprintf(path, sizeof(path), "/proc/%d/task/%d", pid, pid);
		look_into(path);
		strcat(path, "/fd");
		look_into(path);
		strcat(path, "info");
		look_into(path);
	}
	close(900);
	close(low);
}

TEST(all_processes, 10, "the names in /proc are listed by the calls of 32 bits, too")
{
	static char entries[32768];
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);
	bool found = false;
	char own[16];
	long n;

	CHECK(fd >= 0);
	snprintf(own, sizeof(own), "%d", getpid());
	while ((n = syscall(SYS_getdents, fd, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < n;) {
			/* A long, an offset, the length of the entry, and the name. */
			found |= strcmp(entries + at + 10, own) == 0;
			at += *(uint16_t *)(entries + at + 8);
		}
	}
	CHECK_EQ(n, 0);
	CHECK(found);
	close(fd);
}
