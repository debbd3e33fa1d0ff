/*
 * Numbers of the kernel and of processes that programs read and set in /proc and /sys.
 */
#include "text_files.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/prctl.h>

TEST(names_of_tasks, 5,
     "a program names its own threads by prctl and by comm, and no other process")
{
	int status;

	CHECK_EQ(prctl(PR_SET_NAME, "first"), 0);
	CHECK(strcmp(contents("/proc/self/comm"), "first\n") == 0);
	CHECK_EQ(put_text("/proc/self/comm", "second, which is longer"), 23);
	CHECK(strcmp(contents("/proc/self/comm"), "second, which i\n") == 0);
	CHECK_EQ(put_text("/proc/self/comm", "x"), 1);
	CHECK_EQ(prctl(PR_GET_NAME, text), 0);
	CHECK(strcmp(text, "x") == 0);
	pid_t child = fork();

	if (child == 0) {
		char path[40];

		snprintf(path, sizeof(path), "/proc/%d/comm", getppid());
		_exit(put_text(path, "y") == -1 && errno == EINVAL ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
}

TEST(oom_adjustment, 5, "oom_score_adj is inherited; only root may lower it")
{
	int status;

	CHECK_EQ(atoi(contents("/proc/self/oom_score_adj")), 0);
	CHECK_EQ(put_text("/proc/self/oom_score_adj", "-500\n"), 5);
	CHECK_EQ(atoi(contents("/proc/self/oom_score_adj")), -500);
	CHECK_ERR(put_text("/proc/self/oom_score_adj", "1001"), EINVAL);
	CHECK_ERR(put_text("/proc/self/oom_score_adj", "-1001"), EINVAL);
	CHECK_ERR(put_text("/proc/self/oom_score_adj", "many"), EINVAL);
	CHECK_EQ(put_text("/proc/self/oom_score_adj", "1000"), 4);
	CHECK(atoi(contents("/proc/self/oom_score")) >= 666);
	pid_t child = fork();

	if (child == 0) {
		CHECK_EQ(atoi(contents("/proc/self/oom_score_adj")), 1000);
		CHECK_EQ(setuid(1000), 0);
		/* A program that changed its user is no longer its own file's owner. */
		int fd = open("/proc/self/oom_score_adj", O_WRONLY);

		_exit(fd >= 0 && (write(fd, "1", 1) != -1 || errno != EACCES));
	}
	CHECK(waitpid(child, &status, 0) == child);
	CHECK_EQ(status, 0);
	CHECK_EQ(put_text("/proc/self/oom_score_adj", "-1000"), 5);
	CHECK_EQ(atoi(contents("/proc/self/oom_score")), 0);
	CHECK_EQ(put_text("/proc/self/oom_score_adj", "0"), 1);
}

/* Where a new program has its stack and its heap. */
static void places(char *stack, char *heap)
{
	FILE *maps = popen("exec cat /proc/self/maps", "r");
	char line[300];

	CHECK(maps != NULL);
	*stack = *heap = 0;
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "[stack]"))
			sscanf(line, "%20s", stack);
		if (strstr(line, "[heap]"))
			sscanf(line, "%20s", heap);
	}
	pclose(maps);
}

TEST(fixed_places, 20, "randomize_va_space 0 gives each program the same places")
{
	const char *path = "/proc/sys/kernel/randomize_va_space";
	char stack[2][24], heap[2][24];
	int before = atoi(contents("%s", path));

	CHECK(before >= 0 && before <= 2);
	CHECK_EQ(put_text(path, "0"), 1);
	CHECK_EQ(atoi(contents("%s", path)), 0);
	places(stack[0], heap[0]);
	places(stack[1], heap[1]);
	CHECK(stack[0][0] && strcmp(stack[0], stack[1]) == 0);
	CHECK(strcmp(heap[0], heap[1]) == 0);
	CHECK_EQ(put_text(path, "2"), 1);
	places(stack[0], heap[0]);
	places(stack[1], heap[1]);
	CHECK(strcmp(stack[0], stack[1]) != 0);
	snprintf(text, sizeof(text), "%d", before);
	CHECK_EQ(put_text(path, text), 1);
}

TEST(numbers, 5, "numbers that programs read have sensible values")
{
	unsigned int open_files, unused;
	unsigned long long most;

	CHECK(atoi(contents("/proc/sys/kernel/threads-max")) > 100);
	CHECK(strtoul(contents("/proc/sys/fs/file-max"), NULL, 10) > 1000);
	CHECK(atoi(contents("/proc/sys/fs/nr_open")) >= 65536);
	CHECK_EQ(sscanf(contents("/proc/sys/fs/file-nr"), "%u\t%u\t%llu", &open_files, &unused,
			&most),
		 3);
	CHECK(open_files < most); /* Linux counts on each CPU, and adds that up later */
	CHECK_EQ(atoi(contents("/proc/sys/vm/overcommit_memory")), 0);
	CHECK(strstr(contents("/proc/stat"), "\nintr ") != NULL);
	contents("/proc/diskstats");
}

TEST(cpus, 5, "/sys/devices/system/cpu tells which CPUs there are")
{
	int cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char wanted[16];

	snprintf(wanted, sizeof(wanted), cpus > 1 ? "0-%d\n" : "0\n", cpus - 1);
	CHECK(strcmp(contents("/sys/devices/system/cpu/online"), wanted) == 0);
	CHECK(strcmp(contents("/sys/devices/system/cpu/present"), wanted) == 0);
	CHECK(contents("/sys/devices/system/cpu/possible")[0] == '0');
	snprintf(text, sizeof(text), "/sys/devices/system/cpu/cpu%d", cpus - 1);
	CHECK_EQ(access(text, F_OK), 0);
	snprintf(text, sizeof(text), "/sys/devices/system/cpu/cpu%d", cpus);
	CHECK_ERR(access(text, F_OK), ENOENT);
}

TEST(read_only, 5, "files that nobody may write refuse root, too: /sys and /proc/sys when opened")
{
	CHECK_ERR(put_text("/proc/version", "x"), EIO);
	CHECK_ERR(put_text("/proc/self/stat", "x"), EINVAL);
	CHECK_ERR(open("/proc/sys/kernel/osrelease", O_RDWR), EACCES);
	CHECK_ERR(open("/proc/sys/vm/drop_caches", O_RDONLY), EACCES);
	CHECK_ERR(open("/sys/devices/system/cpu/online", O_WRONLY), EACCES);
}

/* Root is asked what it may do, and nothing happens. */
TEST(fixed_modes, 5, "in /proc/sys the mode holds for root, too, and cannot be changed")
{
	static const char *const only_read[] = { "/proc/sys/kernel/osrelease",
						 "/proc/sys/fs/file-nr" };
	struct stat st;

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(access(only_read[i], R_OK), 0);
		CHECK_ERR(access(only_read[i], W_OK), EACCES);
		CHECK_ERR(truncate(only_read[i], 0), EACCES);
		CHECK_ERR(open(only_read[i], O_WRONLY), EACCES);
		CHECK_ERR(open(only_read[i], O_RDWR | O_TRUNC), EACCES);
		CHECK_ERR(chmod(only_read[i], 0644), EPERM);
		CHECK_ERR(chown(only_read[i], 1000, 1000), EPERM);
		CHECK_EQ(stat(only_read[i], &st), 0);
		CHECK(st.st_mode == (S_IFREG | 0444) && st.st_uid == 0);
	}
	CHECK_EQ(access("/proc/sys/kernel/hostname", W_OK), 0);
	CHECK_EQ(truncate("/proc/sys/kernel/hostname", 0), 0);
	CHECK_ERR(chmod("/proc/sys/kernel/hostname", 0666), EPERM);
	CHECK_ERR(access("/proc/sys/kernel", W_OK), EACCES);
	CHECK_ERR(chmod("/proc/self/status", 0666), EPERM);
	CHECK_EQ(setuid(1000), 0);
	CHECK_ERR(access("/proc/sys/kernel/hostname", W_OK), EACCES);
	CHECK_ERR(chmod("/proc/sys/kernel/hostname", 0666), EPERM);
}

TEST(no_new_names, 5, "nobody makes a name in /proc: there is no such file or directory")
{
	CHECK_ERR(open("/proc/new", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERR(open("/proc/sys/new", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERR(mkdir("/proc/new", 0700), ENOENT);
	CHECK_ERR(symlink("x", "/proc/self/new"), ENOENT);
	CHECK_ERR(link("/proc/uptime", "/proc/new"), ENOENT);
	CHECK_ERR(rename("/proc/uptime", "/proc/new"), ENOENT);
	CHECK_ERR(mkdir("/proc/uptime", 0700), EEXIST);
}

TEST(kinds_of_names, 5, "reading a directory of /proc tells which names are files")
{
	DIR *dir = opendir("/proc/self");
	struct dirent *entry;
	int seen = 0;

	CHECK(dir);
	while ((entry = readdir(dir))) {
		int kind = !strcmp(entry->d_name, "status") ? DT_REG
			   : !strcmp(entry->d_name, "fd")   ? DT_DIR
			   : !strcmp(entry->d_name, "exe")  ? DT_LNK
							    : -1;

		CHECK(kind < 0 || entry->d_type == kind);
		seen += kind >= 0;
	}
	CHECK_EQ(seen, 3);
}

TEST(places_in_numbers, 5,
     "a number in /proc/sys has no bytes to seek to; cgroup is empty without hierarchies")
{
	int fd = open("/proc/sys/fs/file-max", O_RDONLY);

	CHECK(fd >= 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
	CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
	CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
	CHECK(atoi(contents("/proc/sys/kernel/random/entropy_avail")) > 0);
	CHECK_EQ(strlen(contents("/proc/self/cgroup")), 0);
	CHECK_EQ(strlen(contents("/proc/thread-self/cgroup")), 0);
}

TEST(most_mounts, 5, "mount-max bounds how much is mounted")
{
	char before[32];
	int result;

	strcpy(before, contents("/proc/sys/fs/mount-max"));
	CHECK_ERR(put_text("/proc/sys/fs/mount-max", "0"), EINVAL);
	CHECK_EQ(put_text("/proc/sys/fs/mount-max", "1"), 1);
	result = mount("none", "/mnt", "tmpfs", 0, NULL) == 0 ? 0 : errno;
	CHECK_EQ(put_text("/proc/sys/fs/mount-max", before), strlen(before));
	CHECK_EQ(result, ENOSPC);
	CHECK_EQ(mount("none", "/mnt", "tmpfs", 0, NULL), 0);
	CHECK_EQ(umount("/mnt"), 0);
}
