/* Advisory locks: record locks of processes and of open files, and flock. */
#include "test.h"
#include <sys/file.h>

#define PATH "/tmp/locks"

#ifndef F_OFD_SETLK
#define F_OFD_GETLK  36
#define F_OFD_SETLK  37
#define F_OFD_SETLKW 38
#endif

static int fd, other;

static void set_up(void)
{
	unlink(PATH);
	fd = open(PATH, O_RDWR | O_CREAT, 0600);
	other = open(PATH, O_RDWR);
	CHECK(fd >= 0 && other >= 0);
	CHECK_EQ(unlink(PATH), 0);
}

static int lock(int file, int command, int type, off_t start, off_t len)
{
	struct flock range = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};

	return fcntl(file, command, &range);
}

/* Returns the range that excludes the lock: its start, or -1 if there is none. Sets the others. */
static off_t excluded(int command, int type, off_t start, off_t len, struct flock *range)
{
	*range = (struct flock){
		.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len
	};
	CHECK_EQ(fcntl(fd, command, range), 0);
	return range->l_type == F_UNLCK ? -1 : range->l_start;
}

/* Runs the function in a child. Returns its exit status. */
static int in_child(int (*function)(void))
{
	pid_t child = fork();

	if (!child)
		_exit(function());
	CHECK(child > 0);
	return test_wait(child);
}

static int write_is_refused(void)
{
	CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 10, 1), EAGAIN);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 20, 1), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	return 0;
}

static int read_is_granted(void)
{
	CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
	CHECK_EQ(lock(fd, F_SETLK, F_RDLCK, 15, 1), 0);
	return 0;
}

TEST(excludes, 10,
     "a lock excludes those of other processes that overlap, and not those for reading")
{
	set_up();
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 10, 10), 0);
	CHECK_EQ(in_child(write_is_refused), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_RDLCK, 10, 10), 0);
	CHECK_EQ(in_child(read_is_granted), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 0, 0), 0);
	CHECK_EQ(lock(other, F_SETLK, F_WRLCK, 0, 0), 0);
}

static int look(void)
{
	struct flock range;

	CHECK_EQ(excluded(F_GETLK, F_WRLCK, 0, 0, &range), 10);
	CHECK_EQ(range.l_len, 5);
	CHECK_EQ(range.l_pid, getppid());
	CHECK_EQ(excluded(F_GETLK, F_WRLCK, 15, 5, &range), -1);
	CHECK_EQ(excluded(F_GETLK, F_RDLCK, 15, 0, &range), 20);
	CHECK_EQ(range.l_len, 0);
	CHECK_EQ(range.l_type, F_WRLCK);
	CHECK_EQ(excluded(F_GETLK, F_RDLCK, 0, 20, &range), -1);
	return 0;
}

TEST(divided, 10, "an unlock in the middle leaves two locks; what touches becomes one again")
{
	set_up();
	CHECK_EQ(lock(fd, F_SETLK, F_RDLCK, 10, 20), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 20, 0), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 15, 5), 0);
	CHECK_EQ(in_child(look), 0);
	/* From pieces in any order to one, and back. */
	for (int i = 0; i < 50; i++)
		CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, i * 37 % 50 * 2, 2), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 0, 10), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 15, 0), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(lock(fd, F_SETLK, F_RDLCK, 10 + i, 1), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 20, 0), 0);
	CHECK_EQ(in_child(look), 0);
}

static int closed_elsewhere(void)
{
	return lock(fd, F_SETLK, F_WRLCK, 0, 0) < 0;
}

TEST(close_unlocks, 10,
     "closing any descriptor of the file removes the process's locks; exit does, too")
{
	set_up();
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 5), 0);
	CHECK_EQ(in_child(closed_elsewhere), 1);
	CHECK_EQ(close(other), 0);
	CHECK_EQ(in_child(closed_elsewhere), 0);
	CHECK_EQ(in_child(closed_elsewhere), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 5), 0);
	CHECK_EQ(dup2(0, dup(fd)) < 0, 0);
	CHECK_EQ(in_child(closed_elsewhere), 0);
}

static int ready[2];

static int wait_for_lock(void)
{
	CHECK_EQ(write(ready[1], "x", 1), 1);
	CHECK_EQ(lock(fd, F_SETLKW, F_WRLCK, 0, 1), 0);
	return 0;
}

/* Returns a child that is about to wait for the first byte. */
static pid_t start_waiter(void)
{
	char c;
	pid_t child = fork();

	if (!child)
		_exit(wait_for_lock());
	CHECK(child > 0);
	CHECK_EQ(read(ready[0], &c, 1), 1);
	return child;
}

TEST(waits, 20, "F_SETLKW sleeps until the range is free; a signal ends it")
{
	int status;
	pid_t child;

	set_up();
	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	child = start_waiter();
	test_sleep_ms(50);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	/* Freeing a part that is not wanted changes nothing. */
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 5, 5), 0);
	test_sleep_ms(20);
	CHECK_EQ(waitpid(child, &status, WNOHANG), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 0, 1), 0);
	CHECK_EQ(test_wait(child), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
	child = start_waiter();
	test_sleep_ms(20);
	CHECK_EQ(kill(child, SIGTERM), 0);
	CHECK_EQ(test_wait(child), 128 + SIGTERM);
}

TEST(close_wakes, 20, "closing the file, or the end of its process, lets a waiter go on")
{
	char c;

	set_up();
	CHECK_EQ(pipe(ready), 0);
	for (int round = 0; round < 2; round++) {
		pid_t holder = fork();

		if (!holder) {
			CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 10), 0);
			CHECK_EQ(write(ready[1], "h", 1), 1);
			test_sleep_ms(100);
			if (round == 0)
				close(other);
			else
				_exit(0);
			test_sleep_ms(10000);
			_exit(0);
		}
		CHECK_EQ(read(ready[0], &c, 1), 1);
		CHECK_EQ(test_wait(start_waiter()), 0);
		kill(holder, SIGKILL);
		test_wait(holder);
	}
}

TEST(deadlock, 20, "a wait that would never end is EDEADLK")
{
	char c;
	pid_t child;

	set_up();
	CHECK_EQ(pipe(ready), 0);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 1), 0);
	child = fork();
	if (!child) {
		CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 1, 1), 0);
		_exit(wait_for_lock());
	}
	CHECK_EQ(read(ready[0], &c, 1), 1);
	test_sleep_ms(50);
	CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
	CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 0, 1), 0);
	CHECK_EQ(test_wait(child), 0);
}

TEST(arguments, 5, "what the calls refuse: EBADF, EINVAL, EFAULT, EOVERFLOW")
{
	int reader;
	struct flock range = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = -5 };

	set_up();
	CHECK_EQ(fcntl(fd, F_SETLK, &range), 0);
	range.l_len = -6;
	CHECK_ERR(fcntl(fd, F_SETLK, &range), EINVAL);
	range.l_whence = 7;
	CHECK_ERR(fcntl(fd, F_SETLK, &range), EINVAL);
	range = (struct flock){ .l_type = F_RDLCK, .l_start = INT64_MAX, .l_len = 2 };
	CHECK_ERR(fcntl(fd, F_SETLK, &range), EOVERFLOW);
	CHECK_ERR(lock(fd, F_SETLK, 9, 0, 1), EINVAL);
	CHECK_ERR(fcntl(fd, F_SETLK, (void *)1), EFAULT);
	CHECK_ERR(lock(999, F_SETLK, F_RDLCK, 0, 1), EBADF);
	reader = open("/proc/self/exe", O_RDONLY);
	CHECK(reader >= 0);
	CHECK_ERR(lock(reader, F_SETLK, F_WRLCK, 0, 1), EBADF);
	CHECK_EQ(lock(reader, F_SETLK, F_RDLCK, 0, 1), 0);
	CHECK_ERR(flock(fd, 0), EINVAL);
	CHECK_ERR(flock(fd, LOCK_SH | LOCK_EX), EINVAL);
	CHECK_ERR(flock(999, LOCK_SH), EBADF);
	CHECK_EQ(flock(fd, 32 | LOCK_SH), 0); /* LOCK_MAND, which Linux takes for done */
	CHECK_EQ(flock(reader, 32), 0);
}

TEST(open_file_locks, 10,
     "locks of open files exclude each other within a process, and live with the file")
{
	struct flock range;
	int copy;

	set_up();
	CHECK_EQ(lock(other, F_OFD_SETLK, F_WRLCK, 5, 5), 0);
	CHECK_ERR(lock(fd, F_OFD_SETLK, F_RDLCK, 0, 6), EAGAIN);
	CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 0, 6), EAGAIN);
	CHECK_EQ(excluded(F_OFD_GETLK, F_RDLCK, 0, 0, &range), 5);
	CHECK_EQ(range.l_pid, -1);
	copy = dup(other);
	CHECK_EQ(close(other), 0);
	CHECK_ERR(lock(fd, F_OFD_SETLK, F_RDLCK, 0, 6), EAGAIN);
	CHECK_EQ(close(copy), 0);
	CHECK_EQ(lock(fd, F_OFD_SETLK, F_RDLCK, 0, 6), 0);
	range = (struct flock){ .l_type = F_RDLCK, .l_pid = 1 };
	CHECK_ERR(fcntl(fd, F_OFD_SETLK, &range), EINVAL);
}

static int flock_here(void)
{
	return flock(fd, LOCK_EX | LOCK_NB) < 0;
}

TEST(whole_files, 10, "flock: shared and alone, converted, inherited, apart from record locks")
{
	set_up();
	CHECK_EQ(flock(fd, LOCK_SH), 0);
	CHECK_EQ(flock(other, LOCK_SH), 0);
	CHECK_ERR(flock(other, LOCK_EX | LOCK_NB), EAGAIN);
	CHECK_EQ(flock(fd, LOCK_UN), 0);
	CHECK_EQ(flock(other, LOCK_EX), 0);
	CHECK_ERR(flock(fd, LOCK_SH | LOCK_NB), EAGAIN);
	CHECK_EQ(in_child(flock_here), 1);
	CHECK_EQ(lock(fd, F_SETLK, F_WRLCK, 0, 0), 0);
	CHECK_EQ(close(other), 0);
	CHECK_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
	CHECK_EQ(in_child(flock_here), 0); /* the child has the same open file */
}

#define ROUNDS	 200
#define CHILDREN 4

/* Adds to a number in the file, with a lock around it. */
static int add_many(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		int number;

		CHECK_EQ(lock(fd, F_SETLKW, F_WRLCK, 0, 4), 0);
		CHECK_EQ(pread(fd, &number, 4, 0), 4);
		number++;
		CHECK_EQ(pwrite(fd, &number, 4, 0), 4);
		CHECK_EQ(lock(fd, F_SETLK, F_UNLCK, 0, 4), 0);
	}
	return 0;
}

TEST(counter, 30, "four processes count in one file under its lock, and no count is lost")
{
	pid_t children[CHILDREN];
	int number = 0;

	set_up();
	CHECK_EQ(pwrite(fd, &number, 4, 0), 4);
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (!children[i])
			_exit(add_many());
	}
	for (int i = 0; i < CHILDREN; i++)
		CHECK_EQ(test_wait(children[i]), 0);
	CHECK_EQ(pread(fd, &number, 4, 0), 4);
	CHECK_EQ(number, ROUNDS * CHILDREN);
}
