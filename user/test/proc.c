/*
 * /proc, and the calls that tell of the machine: uname, sysinfo, syslog, getrandom.
 */
#include "text_files.h"

#include <sched.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

static const char *of_pid(pid_t pid, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return path;
}

TEST(own_maps, 5, "maps names the program, the heap and the stack, and where they are")
{
	static int somewhere;
	unsigned long start, end, local = (unsigned long)&start;
	bool program = false, stack = false;
	char *line, *rest, access[8];

	contents("/proc/self/maps");
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		CHECK_EQ(sscanf(line, "%lx-%lx %7s", &start, &end, access), 3);
		CHECK(start < end && strlen(access) == 4);
		if ((unsigned long)&somewhere >= start && (unsigned long)&somewhere < end)
			program = access[0] == 'r' && access[1] == 'w';
		if (local >= start && local < end)
			stack = strstr(line, "[stack]") && access[1] == 'w';
	}
	CHECK(program);
	CHECK(stack);
	CHECK(strstr(contents("/proc/self/maps"), "/test/proc"));
}

TEST(stat_fields, 5, "stat has 52 fields; they say who and how large")
{
	int fields = 1, pid, ppid, pgrp;
	unsigned long size;
	const char *p;
	char state;

	p = strrchr(contents("/proc/self/stat"), ')');
	CHECK(p && sscanf(text, "%d", &pid) == 1 && pid == getpid());
	CHECK_EQ(sscanf(p, ") %c %d %d", &state, &ppid, &pgrp), 3);
	CHECK(state == 'R' && ppid == getppid() && pgrp == getpgrp());
	for (p += 1; *p; p++)
		fields += *p == ' ';
	CHECK_EQ(fields + 1, 52);
	p = strrchr(text, ')');
	CHECK(sscanf(p,
		     ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %lu",
		     &size) == 1);
	CHECK(size > 10000 && size < 1u << 30);
}

/* ---- a process that is gone while somebody looks at it ---- */

static char *cold_page, stacks[2][65536];

static int load_cold_page(void *unused)
{
	(void)unused;
	return *(volatile char *)cold_page;
}

static int sleeper(void *unused)
{
	(void)unused;
	while (pause() < 0)
		;
	return 0;
}

/* A page of the gate's file system that is not in memory. */
static void map_cold_page(void)
{
	int image = open("/test/data/ext2-1k", O_RDONLY), disk = open("/dev/gate0", O_RDWR), fd;
	ssize_t n;

	CHECK(image >= 0 && disk >= 0);
	while ((n = read(image, text, sizeof(text))) > 0)
		CHECK_EQ(write(disk, text, n), n);
	close(disk);
	CHECK_EQ(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL), 0);
	fd = open("/mnt/small/file", O_RDONLY);
	CHECK(fd >= 0);
	cold_page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(cold_page != MAP_FAILED);
	close(fd);
}

/*
 * The parent's memory is shared by two children: one is looked at, the other one waits for the
 * closed gate, and whoever asks how large that memory is waits for it.
 */
static pid_t parent_of_two(int tell)
{
	pid_t parent = fork(), child;

	CHECK(parent >= 0);
	if (parent)
		return parent;
	child = clone(sleeper, stacks[0] + sizeof(stacks[0]), CLONE_VM | SIGCHLD, NULL);
	CHECK(child > 0);
	/*
	 * From the next clone on, the parent must not fault, so it has all of its code mapped
	 * before.
	 */
	test_sleep_ms(1);
	CHECK_EQ(write(tell, &child, 0), 0);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	CHECK(clone(load_cold_page, stacks[1] + sizeof(stacks[1]), CLONE_VM | SIGCHLD, NULL) > 0);
	test_sleep_ms(100);
	CHECK_EQ(write(tell, &child, sizeof(child)), sizeof(child));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	_exit(0);
}

BEYOND_TEST(
	parent_of_the_dead, 20,
	"a process that is reaped, and its parent too, while it is looked at: no other's number",
	"lacks /proc/gate: Linux has no disk that is silent when it is told to")
{
	int tell[2], answer[2];
	pid_t parent, child, reader;
	unsigned int said;
	const char *line;
	ssize_t n;

	gate_control("open");
	map_cold_page();
	gate_control("close");
	CHECK_EQ(pipe(tell) | pipe(answer), 0);
	parent = parent_of_two(tell[1]);
	CHECK_EQ(read(tell[0], &child, sizeof(child)), sizeof(child));
	reader = fork();
	CHECK(reader >= 0);
	if (!reader) {
		contents("/proc/%d/status", child);
		CHECK_EQ(write(answer[1], text, strlen(text)), strlen(text));
		_exit(0);
	}
	close(answer[1]);
	test_sleep_ms(100);
	CHECK_EQ(kill(child, SIGKILL), 0);
	CHECK_EQ(test_wait(parent), 0);
	/* Others get the memory of both. */
	for (int i = 0; i < 30; i++) {
		pid_t other = fork();

		CHECK(other >= 0);
		if (!other)
			_exit(0);
		CHECK_EQ(test_wait(other), 0);
	}
	gate_control("open");
	n = read_full(answer[0], text, sizeof(text) - 1);
	CHECK(n >= 0);
	text[n] = 0;
	/* Or there is nothing to be read of it any more. */
	line = strstr(text, "PPid:");
	if (line) {
		CHECK_EQ(sscanf(line, "PPid: %u", &said), 1);
		CHECK(said == 0 || said == (unsigned int)parent);
	}
	test_wait(reader);
	CHECK_EQ(munmap(cold_page, 4096), 0);
	for (int i = 0; i < 100 && umount("/mnt") < 0; i++)
		test_sleep_ms(20);
}

TEST(other_process, 10, "another process: its command line, name, links and end")
{
	int ends[2], file;
	char path[256];
	pid_t child;
	ssize_t n;

	CHECK_EQ(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[0], 0);
		close(ends[1]);
		execl("/bin/busybox", "cat", "-", (char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	for (int i = 0; i < 500; i++) { /* until it has become cat */
		if (strstr(contents("/proc/%d/stat", child), "(busybox)"))
			break;
		test_sleep_ms(10);
	}
	CHECK(strstr(text, "(busybox)"));
	/* It has its name before its arguments: until it reads. */
	for (int i = 0; i < 500 && !strstr(contents("/proc/%d/status", child), "State:\tS"); i++)
		test_sleep_ms(10);
	CHECK(strstr(text, "State:\tS"));
	n = open(of_pid(child, "cmdline"), O_RDONLY);
	CHECK_EQ(read(n, text, 100), 6);
	CHECK(!memcmp(text, "cat\0-\0", 6));
	close(n);
	n = readlink(of_pid(child, "exe"), path, sizeof(path));
	CHECK(n == 12 && !memcmp(path, "/bin/busybox", 12));
	n = readlink(of_pid(child, "fd/0"), path, sizeof(path));
	CHECK(n > 6 && !memcmp(path, "pipe:[", 6));
	CHECK_EQ(access(of_pid(child, "fd/77"), F_OK), -1);

	file = open(of_pid(child, "stat"), O_RDONLY);
	CHECK(file >= 0);
	CHECK_EQ(kill(child, SIGKILL), 0);
	for (int i = 0; i < 500 && !strstr(contents("/proc/%d/stat", child), ") Z"); i++)
		test_sleep_ms(10);
	CHECK(strstr(text, ") Z"));
	CHECK(strstr(text, "(busybox)"));
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
	CHECK_ERR(read(file, text, 10), ESRCH);
	CHECK_ERR(open(of_pid(child, "stat"), O_RDONLY), ENOENT);
}

TEST(others_are_kept_out, 5, "another user sees that a process is there, but not into it")
{
	pid_t parent = getpid(), child = fork();
	char path[64];

	if (child == 0) {
		CHECK_EQ(setgid(1000), 0);
		CHECK_EQ(setuid(1000), 0);
		CHECK_EQ(access(of_pid(parent, "stat"), R_OK), 0);
		CHECK_ERR(open(of_pid(parent, "fd"), O_RDONLY), EACCES);
		CHECK_ERR(open(of_pid(parent, "fd/0"), O_RDONLY), EACCES);
		CHECK_ERR(readlink(of_pid(parent, "exe"), path, sizeof(path)), EACCES);
		CHECK_ERR(open("/proc/sys/vm/drop_caches", O_WRONLY), EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
}

TEST(own_descriptors, 5, "/proc/self/fd/N leads to the open file, under any name or none")
{
	int fd = open("/tmp/fd", O_RDWR | O_CREAT, 0600), ends[2], again;
	char path[64], name[64];

	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(unlink("/tmp/fd"), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	memset(name, 0, sizeof(name));
	CHECK(readlink(path, name, sizeof(name)) > 0);
	CHECK(!strcmp(name, "/tmp/fd (deleted)"));
	again = open(path, O_RDONLY);
	CHECK(again >= 0);
	CHECK_EQ(read(again, name, 10), 3); /* its own offset */
	close(again);

	CHECK_EQ(pipe(ends), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
	again = open(path, O_WRONLY);
	CHECK(again >= 0);
	CHECK_EQ(write(again, "xy", 2), 2);
	CHECK_EQ(read(ends[0], name, 10), 2);
	close(ends[1]);
	CHECK_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	CHECK_ERR(read(ends[0], name, 10), EAGAIN); /* there is a writer still */
	close(again);
	CHECK_EQ(read(ends[0], name, 10), 0);
	CHECK_ERR(open("/proc/self/fd/99", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/self/fd/x", O_RDONLY), ENOENT);
}

TEST(small_reads, 5, "a file read in small pieces is the text as it was at its start")
{
	int fd = open("/proc/self/status", O_RDONLY);
	char pieces[8192];
	size_t n = 0;

	CHECK(fd >= 0);
	while (n < sizeof(pieces) - 1 && read(fd, pieces + n, 1) == 1)
		n++;
	pieces[n] = 0;
	CHECK(strstr(pieces, "\nThreads:\t1\n"));
	CHECK(n > 100);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(read(fd, pieces, 5) == 5 && !memcmp(pieces, "Name:", 5));
	CHECK_EQ(pread(fd, pieces, 10, 100000), 0);
}

TEST(not_there, 5, "what is not there is ENOENT, what is no directory ENOTDIR; nothing can be made")
{
	CHECK_ERR(open("/proc/nothing", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/0", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/01", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/4294967297", O_RDONLY), ENOENT);
	CHECK_ERR(open("/proc/meminfo/x", O_RDONLY), ENOTDIR);
	CHECK(open("/proc/new", O_RDWR | O_CREAT, 0600) < 0);
	CHECK(mkdir("/proc/new", 0700) < 0);
	CHECK(unlink("/proc/meminfo") < 0);
}

TEST(settings, 5, "settings are read and written; nonsense is refused")
{
	int drop = open("/proc/sys/vm/drop_caches", O_WRONLY);

	CHECK(drop >= 0);
	CHECK_EQ(write(drop, "1", 1), 1);
	CHECK_EQ(write(drop, "2\n", 2), 2);
	CHECK_ERR(pwrite(drop, "9", 1, 0), EINVAL);
	CHECK_ERR(pwrite(drop, "x", 1, 0), EINVAL);
	CHECK_ERR(open("/proc/meminfo", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
}

TEST(machine_files, 5, "the machine's files have what programs look for")
{
	long total, available;
	double up, idle;

	CHECK_EQ(sscanf(contents("/proc/uptime"), "%lf %lf", &up, &idle), 2);
	CHECK(up > 0 && idle >= 0);
	CHECK(sscanf(contents("/proc/meminfo"), "MemTotal: %ld kB", &total) == 1);
	CHECK(sscanf(strstr(text, "MemAvailable:"), "MemAvailable: %ld kB", &available) == 1);
	CHECK(available > 0 && available <= total);
	CHECK(strstr(contents("/proc/cpuinfo"), "processor\t: 0\n"));
	CHECK(!strncmp(contents("/proc/stat"), "cpu  ", 5));
	CHECK(strstr(text, "\nbtime "));
	CHECK(strstr(contents("/proc/filesystems"), "nodev\ttmpfs\n"));
	CHECK(strstr(contents("/proc/mounts"), " /proc proc "));
}

TEST(mounted_twice, 5, "/proc can be mounted elsewhere, and goes again")
{
	char path[64];

	CHECK_EQ(mkdir("/tmp/proc", 0755), 0);
	CHECK_EQ(mount("proc", "/tmp/proc", "proc", 0, NULL), 0);
	snprintf(path, sizeof(path), "/tmp/proc/%d/status", getpid());
	CHECK(!strncmp(contents("%s", path), "Name:\tproc\n", 11));
	CHECK_EQ(umount("/tmp/proc"), 0);
	CHECK_EQ(rmdir("/tmp/proc"), 0);
}

TEST(system_calls, 5, "sysinfo, syslog, getrandom: what they give and refuse")
{
	struct sysinfo info;
	unsigned char a[300], b[300];

	CHECK_EQ(sysinfo(&info), 0);
	CHECK(info.totalram > 0 && info.freeram < info.totalram && info.mem_unit > 0 &&
	      info.procs > 0);
	CHECK_ERR(syscall(SYS_sysinfo, (void *)1), EFAULT);
	CHECK_ERR(syscall(SYS_uname, (void *)1), EFAULT);
	CHECK(klogctl(10, NULL, 0) > 0);
	CHECK(klogctl(3, text, sizeof(text)) > 0);
	CHECK(klogctl(3, text, 20) <= 20);
	CHECK_ERR(klogctl(99, NULL, 0), EINVAL);
	CHECK_ERR(klogctl(3, NULL, 10), EINVAL);
	CHECK_EQ(getrandom(a, sizeof(a), 0), sizeof(a));
	CHECK_EQ(getrandom(b, sizeof(b), GRND_NONBLOCK), sizeof(b));
	CHECK(memcmp(a, b, sizeof(a)));
	CHECK_EQ(getrandom(a, 0, 0), 0);
	CHECK_ERR(getrandom(a, 1, 0x100), EINVAL);
	CHECK_ERR(getrandom(a, 1, 6), EINVAL);
	CHECK_ERR(getrandom((void *)1, 10, 0), EFAULT);
}

static void only_no_memory(int error)
{
	CHECK_EQ(error, ENOMEM);
}

static void read_without_memory(const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0) {
		only_no_memory(errno);
		return;
	}
	do
		n = read(fd, text, sizeof(text));
	while (n > 0);
	if (n < 0)
		only_no_memory(errno);
	close(fd);
}

static void list_without_memory(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	if (fd < 0) {
		only_no_memory(errno);
		return;
	}
	while (syscall(SYS_getdents64, fd, text, sizeof(text)) > 0)
		;
	close(fd);
}

static void mount_without_memory(const char *type)
{
	char path[64];

	if (mount("none", "/tmp/nomem", type, 0, NULL) < 0) {
		only_no_memory(errno);
		return;
	}
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "stdin", "version", "self" };

		snprintf(path, sizeof(path), "/tmp/nomem/%s", names[i]);
		if (readlink(path, text, sizeof(text)) < 0 && errno != ENOENT && errno != EINVAL)
			only_no_memory(errno);
	}
	while (umount("/tmp/nomem") < 0)
		only_no_memory(errno);
}

BEYOND_TEST(
	no_memory, 60,
	"allocations that fail while /proc and /dev are read and mounted: ENOMEM, and nothing leaks",
	"lacks /proc/sys/vm/fail_nth: Linux can be made to fail allocations only by a debug build")
{
	static const char *const files[] = {
		"/proc/self/maps", "/proc/self/status", "/proc/self/cmdline",
		"/proc/meminfo",   "/proc/leaks",	"/proc/self/exe",
		"/proc/mounts",	   "/proc/pipes",	"/dev/gate0",
	};
	int nth = test_open_own("/proc/sys/vm/fail_nth", O_WRONLY);
	char number[16];

	CHECK_EQ(mkdir("/tmp/nomem", 0755), 0);
	memset(text, 1, sizeof(text));
	for (int n = 1; n <= 120; n++) {
		for (int i = 0; i < 12; i++) {
			int len = snprintf(number, sizeof(number), "%d",
					   i < 9 ? (n - 1) % 20 + 1 : n);

			CHECK_EQ(pwrite(nth, number, len, 0), len);
			errno = 0;
			if (i < 9)
				read_without_memory(files[i]);
			else if (i == 9)
				list_without_memory("/proc");
			else
				mount_without_memory(i == 10 ? "proc" : "dev");
			if (pwrite(nth, "0", 1, 0) < 0)
				CHECK_EQ(pwrite(nth, "0", 1, 0), 1);
		}
	}
	CHECK_EQ(rmdir("/tmp/nomem"), 0);
}

/* ---- many processes ---- */

static int idle(void *unused)
{
	(void)unused;
	while (pause() < 0)
		;
	return 0;
}

/* The best time that it takes to list /proc with `nr` more processes, in microseconds. */
static long long list_time(int nr)
{
	static char small_stack[8192];
	long long best = -1;
	pid_t *pids = calloc(nr, sizeof(*pids));

	CHECK(pids != NULL);
	for (int i = 0; i < nr; i++) {
		pids[i] = clone(idle, small_stack + sizeof(small_stack), CLONE_VM | SIGCHLD, NULL);
		CHECK(pids[i] > 0);
	}
	for (int round = 0; round < 5; round++) {
		int dir = open("/proc", O_RDONLY | O_DIRECTORY), found = 0;
		struct timespec start, end;
		long long took;
		ssize_t n;

		CHECK(dir >= 0);
		clock_gettime(CLOCK_MONOTONIC, &start);
		while ((n = syscall(SYS_getdents64, dir, text, sizeof(text))) > 0)
			for (ssize_t at = 0; at < n; at += *(unsigned short *)(text + at + 16))
				found += text[at + 19] >= '1' && text[at + 19] <= '9';
		clock_gettime(CLOCK_MONOTONIC, &end);
		CHECK_EQ(n, 0);
		CHECK(found > nr);
		close(dir);
		took = (end.tv_sec - start.tv_sec) * 1000000ll +
		       (end.tv_nsec - start.tv_nsec) / 1000;
		if (best < 0 || took < best)
			best = took;
	}
	for (int i = 0; i < nr; i++)
		CHECK_EQ(kill(pids[i], SIGKILL), 0);
	for (int i = 0; i < nr; i++)
		CHECK_EQ(test_wait(pids[i]), 128 + SIGKILL);
	free(pids);
	return best;
}

TEST(listed_in_time, 60,
     "the time to list /proc grows with the number of processes, not with its square")
{
	long long few = list_time(100), many = list_time(800);

	/* The host may have had other work meanwhile. */
	for (int i = 0; i < 4 && many >= 20 * few; i++) {
		long long again = list_time(800);

		many = again < many ? again : many;
	}
	printf("# 100 in %lld us, 800 in %lld us\n", few, many);
	/* Eight times as many: between 8 and 64 times as long. */
	CHECK(many < 20 * few);
}
