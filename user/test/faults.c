/*
 * Allocations that fail, one after the other: whatever was being done ends with ENOMEM, or with the
 * kernel killing the process whose memory it was; nothing hangs, nothing is half done, nothing
 * leaks (the runner looks).
 *
 * Each case is run with the first allocation failing, then the second, and so on until one run
 * needs fewer.
 */
#include "text_files.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/param.h>
#include <sys/mount.h>
#include <sys/sendfile.h>

#define NTH	"/proc/sys/vm/fail_nth_any"
#define NO_NTH	"lacks " NTH ": Linux can be made to fail allocations only by a debug build"
#define MAX_NTH 400
#define ENOUGH	5 /* runs in a row that needed fewer allocations */
#define SEED	31

static char buf[100000], back[100000];

static int switch_fd = -1;

/*
 * The call that sets the switch may be the one that is hit by an older setting; then it is over
 * with that.
 */
static void set_nth(int n)
{
	char text[16];

	if (switch_fd < 0)
		switch_fd = open(NTH, O_RDWR);
	if (switch_fd < 0)
		switch_fd = test_open_own(NTH, O_RDWR);
	snprintf(text, sizeof(text), "%d", n);
	if (pwrite(switch_fd, text, strlen(text), 0) < 0)
		CHECK_EQ(pwrite(switch_fd, text, strlen(text), 0), strlen(text));
}

/* Was the fault not used up? If this very call is hit, it was not. */
static bool nth_is_left(void)
{
	char text[16] = "";
	ssize_t n = pread(switch_fd, text, sizeof(text) - 1, 0);

	return n < 0 || atoi(text) > 0;
}

/* A call that may fail for lack of memory, and for no other reason: that ends the body. */
#define MAY(call)                                                                       \
	({                                                                              \
		long _r = (call);                                                       \
		if (_r < 0 && (errno == ENOMEM || errno == also))                       \
			return;                                                         \
		if (_r < 0)                                                             \
			test_fail(__FILE__, __LINE__, "%s: allocation %d", #call, nth); \
		_r;                                                                     \
	})

static int nth;
static int also; /* another error that is fine */

/* Have all of our memory, so that faults hit the kernel's. */
static void touch(void)
{
	for (size_t i = 0; i < sizeof(buf); i += 4096)
		buf[i] = back[i] = 1;
}

/*
 * The body runs in a child, and all that it opened goes with it; `clean` takes away what it may
 * have left. The fault is set by the child: its fork is not what is tested.
 */
static void with_faults(void (*body)(void), void (*clean)(void))
{
	int idle = 0;

	set_nth(0);
	for (nth = 1; nth < MAX_NTH && idle < ENOUGH; nth++) {
		int status;
		pid_t child = fork();

		CHECK(child >= 0);
		if (!child) {
			touch();
			set_nth(nth);
			body();
			_exit(0);
		}
		CHECK_EQ(waitpid(child, &status, 0), child);
		idle = nth_is_left() ? idle + 1 : 0;
		set_nth(0);
		if (clean)
			clean();
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			continue; /* a page of its own was not to be had */
		if (status)
			test_fail(__FILE__, __LINE__, "allocation %d: status %x", nth, status);
	}
	printf("# %d allocations\n", nth - 1);
	CHECK(nth < MAX_NTH);
}

/* ---- pipes ---- */

static void pipe_body(void)
{
	int ends[2], other[2];
	ssize_t n, got = 0;

	test_fill(buf, 20000, SEED, 0);
	MAY(pipe(ends));
	MAY(pipe2(other, O_NONBLOCK));
	n = MAY(write(ends[1], buf, 20000));
	MAY(fcntl(ends[0], F_SETPIPE_SZ, 1 << 18));
	while (got < n) {
		ssize_t moved = MAY(splice(ends[0], NULL, other[1], NULL, n - got, 0));

		CHECK(moved > 0);
		CHECK_EQ(MAY(read(other[0], back, moved)), moved);
		CHECK_EQ(test_differs(back, moved, SEED, got), moved);
		got += moved;
	}
	MAY(write(other[1], buf, 3000));
	MAY(tee(other[0], ends[1], 3000, 0));
	CHECK_EQ(MAY(read(ends[0], back, 5000)), 3000);
	CHECK_EQ(test_differs(back, 3000, SEED, 0), 3000);
}

BEYOND_TEST(pipes, 60, "pipe, write, read, splice, tee, F_SETPIPE_SZ", NO_NTH)
{
	with_faults(pipe_body, NULL);
}

/* ---- files ---- */

#define NAME "/tmp/faults"

static int file_of(size_t n)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0)
		return fd;
	test_fill(buf, n, SEED, 0);
	return write(fd, buf, n) == (ssize_t)n ? fd : (errno = ENOMEM, -1);
}

static void clean_files(void)
{
	unlink(NAME);
	unlink(NAME "-link");
	unlink(NAME "-other");
	unlink(NAME "-fifo");
	unlink(NAME "-dir/f");
	rmdir(NAME "-dir");
}

static void file_body(void)
{
	int fd = MAY(open(NAME, O_RDWR | O_CREAT, 0600));
	struct stat st;
	ssize_t n;

	test_fill(buf, 50000, SEED, 0);
	n = MAY(write(fd, buf, 50000));
	MAY(fstat(fd, &st));
	CHECK_EQ(st.st_size, n);
	CHECK_EQ(MAY(pread(fd, back, n, 0)), n);
	CHECK_EQ(test_differs(back, n, SEED, 0), n);
	MAY(symlink("faults", NAME "-link"));
	CHECK_EQ(MAY(readlink(NAME "-link", back, 100)), 6);
	MAY(stat(NAME "-link", &st));
	MAY(rename(NAME, NAME "-other"));
	MAY(mkdir(NAME "-dir", 0700));
	close(MAY(open(NAME "-dir/f", O_RDWR | O_CREAT, 0600)));
	MAY(mkfifo(NAME "-fifo", 0600));
	close(MAY(open(NAME "-fifo", O_RDWR)));
	MAY(ftruncate(fd, 100));
	MAY(ftruncate(fd, 10000));
	CHECK_EQ(MAY(pread(fd, back, 20000, 0)), 10000);
	CHECK_EQ(test_differs(back, MIN(n, 100), SEED, 0), MIN(n, 100));
	CHECK_EQ(back[101], 0);
}

BEYOND_TEST(files, 60, "files, directories and links in a tmpfs", NO_NTH)
{
	with_faults(file_body, clean_files);
}

static void disk_body(void)
{
	int fd = MAY(open("/test/pipe", O_RDONLY)), link = open("/proc/self/exe", O_RDONLY);
	struct dirent *entry;
	DIR *dir;

	MAY(link);
	MAY(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
	CHECK_EQ(MAY(pread(fd, back, 4, 0)), 4);
	CHECK(!memcmp(back, "\177ELF", 4));
	MAY(pread(fd, back, 50000, 20000));
	dir = opendir("/test");
	MAY(dir ? 0 : -1);
	do
		errno = 0;
	while ((entry = readdir(dir)) != NULL);
	MAY(errno ? -1 : 0);
	MAY(access("/bin/sh", X_OK));
	CHECK(getcwd(back, 100) || errno == ENOMEM);
}

static void drop_all(void)
{
	drop_caches("3");
}

BEYOND_TEST(disk, 90, "cold reads of files, directories and links of the disk", NO_NTH)
{
	also = EIO; /* of a page whose read could not be started */
	drop_all();
	with_faults(disk_body, drop_all);
}

static void unmount(void)
{
	umount("/mnt");
}

static void mount_body(void)
{
	MAY(mount("tmpfs", "/mnt", "tmpfs", 0, "size=1M"));
	MAY(umount("/mnt"));
	MAY(mount("/dev/gate0", "/mnt", "ext2", MS_RDONLY, NULL));
	MAY(access("/mnt/small/file", R_OK));
	MAY(umount("/mnt"));
}

BEYOND_TEST(mounts, 60, "mounting and unmounting tmpfs and ext2", NO_NTH)
{
	int image = open("/test/data/ext2-1k", O_RDONLY),
	    gate = test_open_own("/dev/gate0", O_RDWR);
	ssize_t n;

	CHECK(image >= 0);
	while ((n = read(image, buf, 65536)) > 0)
		CHECK_EQ(write(gate, buf, n), n);
	CHECK_EQ(fsync(gate), 0);
	also = EIO;
	with_faults(mount_body, unmount);
}

/* ---- splice ---- */

static void splice_body(void)
{
	int fd = MAY(file_of(20000)), disk = MAY(open("/test/pipe", O_RDONLY)), ends[2], to;
	loff_t at = 0, from = 0, target = 0;
	ssize_t n;

	MAY(pipe(ends));
	n = MAY(splice(fd, &at, ends[1], NULL, 20000, 0));
	CHECK_EQ(at, n);
	/* What stands in the pipe stays, whether the write succeeds or not. */
	memset(back, 'X', 20000);
	pwrite(fd, back, 20000, 0);
	CHECK_EQ(MAY(read(ends[0], back, n)), n);
	CHECK_EQ(test_differs(back, n, SEED, 0), n);
	MAY(posix_fadvise(disk, 0, 0, POSIX_FADV_DONTNEED));
	n = MAY(splice(disk, NULL, ends[1], NULL, 30000, 0));
	to = MAY(open(NAME "-other", O_RDWR | O_CREAT, 0600));
	at = 0;
	while (at < n)
		CHECK(MAY(splice(ends[0], NULL, to, &at, n - at, 0)) > 0);
	MAY(sendfile(to, disk, NULL, 5000));
	MAY(syscall(SYS_copy_file_range, fd, &from, to, &target, (size_t)9000, 0));
}

BEYOND_TEST(splices, 90,
	    "splice from and to files, sendfile, copy_file_range, a write to a lent page", NO_NTH)
{
	also = EIO;
	with_faults(splice_body, clean_files);
}

/* ---- processes and memory ---- */

static void fork_body(void)
{
	pid_t child = fork();
	int status;

	if (child < 0 && errno == EAGAIN)
		return;
	MAY(child);
	if (!child) {
		dup2(open("/dev/null", O_WRONLY), 2);
		execl("/bin/busybox", "true", NULL);
		_exit(errno == ENOMEM ? 0 : 77);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	/* A C library that is refused memory as it starts gives up in its own way. */
	CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGSEGV);
}

BEYOND_TEST(processes, 120, "fork, exec and wait", NO_NTH)
{
	with_faults(fork_body, NULL);
}

static void *nothing(void *arg)
{
	return arg;
}

static void thread_body(void)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, nothing, NULL);

	CHECK(error == 0 || error == EAGAIN || error == ENOMEM);
	if (!error)
		CHECK_EQ(pthread_join(thread, NULL), 0);
}

BEYOND_TEST(threads, 60, "a thread comes and goes", NO_NTH)
{
	with_faults(thread_body, NULL);
}

static void memory_body(void)
{
	const size_t n = 64 * 4096;
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;
	int fd;

	MAY(p == MAP_FAILED ? -1 : 0);
	p[5 * 4096] = 1;
	MAY(mprotect(p + 4096, 4096, PROT_READ));
	MAY(munmap(p + 8 * 4096, 4096));
	CHECK_EQ(p[5 * 4096], 1);
	fd = MAY(file_of(10000));
	q = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	MAY(q == MAP_FAILED ? -1 : 0);
	CHECK_EQ(test_differs(q, 10000, SEED, 0), 10000);
	q[0] = 'Q';
	CHECK_EQ(MAY(pread(fd, back, 1, 0)), 1);
	CHECK_EQ(back[0], 'Q');
}

BEYOND_TEST(memory, 60, "mmap, faults, mprotect, a shared file mapping", NO_NTH)
{
	with_faults(memory_body, clean_files);
}

/* ---- waiting ---- */

static void poll_body(void)
{
	static struct pollfd many[200];
	struct timeval no_time = { 0, 1000 };
	fd_set set;
	int ends[2];

	MAY(pipe(ends));
	for (int i = 0; i < 200; i++)
		many[i] = (struct pollfd){ ends[0], POLLIN, 0 };
	CHECK_EQ(MAY(poll(many, 200, 1)), 0);
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	CHECK_EQ(MAY(select(ends[0] + 1, &set, NULL, NULL, &no_time)), 0);
}

BEYOND_TEST(polls, 60, "poll and select of many files", NO_NTH)
{
	with_faults(poll_body, NULL);
}

/* Signals are not lost: what has no memory for its details still comes. */
static volatile int hits;
static void on_signal(int sig)
{
	hits = sig;
}

static void signal_body(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t all;

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	sigfillset(&all);
	CHECK_EQ(sigprocmask(SIG_BLOCK, &all, NULL), 0);
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	CHECK_EQ(sigprocmask(SIG_UNBLOCK, &all, NULL), 0);
	CHECK_EQ(hits, SIGUSR1);
}

BEYOND_TEST(signals, 60, "a signal arrives without memory for its details", NO_NTH)
{
	with_faults(signal_body, NULL);
}
