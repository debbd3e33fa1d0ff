/* What /proc tells of locks: /proc/locks, and the files of descriptors in /proc/self/fdinfo. */
#include "test.h"

#include <sys/stat.h>
#include <sys/file.h>
#include <sys/sysmacros.h>

#ifndef F_OFD_SETLK
#define F_OFD_SETLK 37
#endif

#define PATH "/tmp/locks_shown"

static char text[1 << 20];

static int make_file(void)
{
	int fd = open(PATH, O_RDWR | O_CREAT | O_TRUNC, 0600);

	CHECK(fd >= 0);
	CHECK_EQ(unlink(PATH), 0);
	return fd;
}

static void lock(int fd, int command, int type, off_t start, off_t len)
{
	struct flock range = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};

	CHECK_EQ(fcntl(fd, command, &range), 0);
}

static void read_all(const char *path, size_t piece)
{
	int fd = open(path, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	CHECK(fd >= 0);
	while ((n = read(fd, text + len, piece)) > 0)
		len += n;
	CHECK_EQ(n, 0);
	CHECK(len + piece < sizeof(text));
	text[len] = 0;
	close(fd);
}

/* How often does the text have the words, after the number, for a lock of this file? */
static int count(int fd, const char *before, int pid, const char *behind)
{
	char wanted[200];
	struct stat st;
	int n = 0;

	CHECK_EQ(fstat(fd, &st), 0);
	snprintf(wanted, sizeof(wanted), ": %s %d %02x:%02x:%llu %s\n", before, pid,
		 major(st.st_dev), minor(st.st_dev), (unsigned long long)st.st_ino, behind);
	for (const char *at = text; (at = strstr(at, wanted)); at++)
		n++;
	return n;
}

TEST(kinds, 10, "/proc/locks shows each kind of lock, its process, file and range")
{
	int fd = make_file(), other = make_file(), leased = make_file();

	lock(fd, F_SETLK, F_WRLCK, 10, 10);
	lock(fd, F_SETLK, F_RDLCK, 100, 0);
	lock(other, F_OFD_SETLK, F_RDLCK, 0, 1);
	CHECK_EQ(flock(other, LOCK_EX), 0);
	CHECK_EQ(fcntl(leased, F_SETLEASE, F_WRLCK), 0);
	read_all("/proc/locks", 4096);
	CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), "10 19"), 1);
	CHECK_EQ(count(fd, "POSIX  ADVISORY  READ", getpid(), "100 EOF"), 1);
	CHECK_EQ(count(other, "OFDLCK ADVISORY  READ", -1, "0 0"), 1);
	CHECK_EQ(count(other, "FLOCK  ADVISORY  WRITE", getpid(), "0 EOF"), 1);
	CHECK_EQ(count(leased, "LEASE  ACTIVE    WRITE", getpid(), "0 EOF"), 1);
	lock(fd, F_SETLK, F_UNLCK, 13, 2);
	CHECK_EQ(flock(other, LOCK_SH), 0);
	CHECK_EQ(fcntl(leased, F_SETLEASE, F_UNLCK), 0);
	read_all("/proc/locks", 4096);
	CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), "10 19"), 0);
	CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), "10 12"), 1);
	CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), "15 19"), 1);
	CHECK_EQ(count(other, "FLOCK  ADVISORY  READ", getpid(), "0 EOF"), 1);
	CHECK_EQ(count(leased, "LEASE  ACTIVE    WRITE", getpid(), "0 EOF"), 0);
	close(fd);
	read_all("/proc/locks", 4096);
	CHECK(!strstr(text, "15 19\n"));
}

TEST(fdinfo, 10, "fdinfo shows the locks that belong to the descriptor")
{
	int fd = make_file(), other, none = make_file();
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR);
	CHECK(other >= 0);
	lock(fd, F_SETLK, F_WRLCK, 10, 10);
	lock(other, F_OFD_SETLK, F_WRLCK, 50, 1);
	CHECK_EQ(flock(other, LOCK_EX), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	read_all(path, 4096);
	CHECK(strstr(text, "lock:\t1: POSIX "));
	CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), "10 19"), 1);
	CHECK(!strstr(text, "OFDLCK") && !strstr(text, "FLOCK "));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", other);
	read_all(path, 4096);
	CHECK_EQ(count(fd, "OFDLCK ADVISORY  WRITE", -1, "50 50"), 1);
	CHECK_EQ(count(fd, "FLOCK  ADVISORY  WRITE", getpid(), "0 EOF"), 1);
	CHECK_EQ(fcntl(none, F_SETLEASE, F_RDLCK), -1);
	CHECK_EQ(fcntl(none, F_SETLEASE, F_WRLCK), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", none);
	read_all(path, 4096);
	CHECK(strstr(text, "lock:\t1: LEASE  ACTIVE    WRITE "));
}

/* Starts a child that waits for a lock which its parent has. Returns when it does. */
static pid_t start_waiter(int fd, void (*wait_for)(int fd), const char *shown, const char *range,
			  int pid)
{
	pid_t child = fork();

	if (child == 0) {
		wait_for(fd);
		_exit(0);
	}
	CHECK(child > 0);
	do
		read_all("/proc/locks", 4096);
	while (count(fd, shown, pid ?: child, range) == 0);
	return child;
}

static void wait_for_record(int fd)
{
	lock(fd, F_SETLKW, F_RDLCK, 15, 100);
}

static void wait_for_file(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_EQ(flock(open(path, O_RDWR), LOCK_SH), 0);
}

TEST(waiters, 10, "who waits for a lock is shown behind it")
{
	int fd = make_file(), status;
	pid_t children[2];
	const char *at;

	lock(fd, F_SETLK, F_WRLCK, 10, 10);
	CHECK_EQ(flock(fd, LOCK_EX), 0);
	children[0] = start_waiter(fd, wait_for_record, "-> POSIX  ADVISORY  READ", "15 114", 0);
	children[1] = start_waiter(fd, wait_for_file, "-> FLOCK  ADVISORY  READ", "0 EOF", 0);
	CHECK_EQ(count(fd, "-> POSIX  ADVISORY  READ", children[0], "15 114"), 1);
	at = strstr(text, "-> POSIX");
	while (at > text && at[-1] != '\n')
		at--;
	CHECK(at > text);
	for (at--; at > text && at[-1] != '\n'; at--)
		;
	CHECK(strstr(at, "POSIX  ADVISORY  WRITE") < strchr(at, '\n'));
	CHECK_EQ(kill(children[0], SIGKILL), 0);
	CHECK_EQ(waitpid(children[0], &status, 0), children[0]);
	CHECK_EQ(flock(fd, LOCK_UN), 0);
	CHECK_EQ(waitpid(children[1], &status, 0), children[1]);
	CHECK_EQ(status, 0);
	read_all("/proc/locks", 4096);
	CHECK(!strstr(text, "-> "));
	CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), "10 19"), 1);
}

TEST(many_locks, 20,
     "thousands of locks are shown, each once, however small the pieces that are read")
{
	static const size_t pieces[] = { 4096, 1000, 65536 };
	int fd = make_file();
	char range[32];

	for (int i = 0; i < 3000; i++)
		lock(fd, F_SETLK, F_WRLCK, i * 3, 2);
	CHECK_EQ(fcntl(fd, F_SETLEASE, F_WRLCK), 0);
	for (unsigned int p = 0; p < 3; p++) {
		read_all("/proc/locks", pieces[p]);
		for (int i = 0; i < 3000; i += 97) {
			snprintf(range, sizeof(range), "%d %d", i * 3, i * 3 + 1);
			CHECK_EQ(count(fd, "POSIX  ADVISORY  WRITE", getpid(), range), 1);
		}
		CHECK_EQ(count(fd, "LEASE  ACTIVE    WRITE", getpid(), "0 EOF"), 1);
	}
}
