/*
 * Leases (F_SETLEASE), and signals about directories (F_NOTIFY).
 */
#include "names.h"

#define READ  F_RDLCK
#define WRITE F_WRLCK
#define NONE  F_UNLCK

static volatile int got, got_fd, got_code;

static void on_signal(int signo, siginfo_t *info, void *context)
{
	got++;
	got_fd = info->si_fd;
	got_code = info->si_code;
}

/* Signals of a file come as this one, with their details. */
#define SIGNAL (SIGRTMIN + 3)

static void expect_signals(int fd)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_RESTART };

	CHECK_EQ(sigaction(SIGNAL, &action, NULL), 0);
	CHECK_EQ(fcntl(fd, F_SETSIG, SIGNAL), 0);
	got = 0;
}

static void await_signal(int nr)
{
	for (int i = 0; got < nr && i < 300; i++)
		test_sleep_ms(10);
	CHECK_EQ(got, nr);
}

static void set_break_time(const char *seconds)
{
	int fd = open("/proc/sys/fs/lease-break-time", O_WRONLY);

	CHECK(fd >= 0);
	CHECK_EQ(write(fd, seconds, strlen(seconds)), strlen(seconds));
	close(fd);
}

TEST(types, 5, "which leases a file can have depends on how it is open")
{
	int reader, writer, both;

	enter();
	put("f", "x");
	reader = open("f", O_RDONLY);
	CHECK_EQ(fcntl(reader, F_GETLEASE), NONE);
	CHECK_ERR(fcntl(reader, F_SETLEASE, NONE), EAGAIN);
	CHECK_ERR(fcntl(reader, F_SETLEASE, 7), EINVAL);
	CHECK_EQ(fcntl(reader, F_SETLEASE, READ), 0);
	CHECK_EQ(fcntl(reader, F_GETLEASE), READ);
	CHECK_EQ(fcntl(reader, F_SETLEASE, WRITE), 0);
	CHECK_EQ(fcntl(reader, F_GETLEASE), WRITE);
	CHECK_EQ(fcntl(reader, F_SETLEASE, NONE), 0);
	/* Another reader forbids the lease for writing, and a writer both. */
	both = open("f", O_RDONLY);
	CHECK_ERR(fcntl(reader, F_SETLEASE, WRITE), EAGAIN);
	CHECK_EQ(fcntl(reader, F_SETLEASE, READ), 0);
	CHECK_EQ(fcntl(both, F_SETLEASE, READ), 0);
	CHECK_EQ(fcntl(reader, F_SETLEASE, NONE), 0);
	close(both); /* and its lease goes */
	close(reader);
	writer = open("f", O_WRONLY);
	CHECK_ERR(fcntl(writer, F_SETLEASE, READ), EAGAIN);
	CHECK_EQ(fcntl(writer, F_SETLEASE, WRITE), 0);
	CHECK_EQ(fcntl(writer, F_SETLEASE, NONE), 0);
	reader = open("f", O_RDONLY);
	CHECK_ERR(fcntl(reader, F_SETLEASE, READ), EAGAIN);
	CHECK_ERR(fcntl(writer, F_SETLEASE, WRITE), EAGAIN);
	close(reader);
	close(writer);
	reader = open(".", O_RDONLY);
	CHECK_ERR(fcntl(reader, F_SETLEASE, READ), EINVAL);
	close(reader);
	leave();
}

/*
 * In a child, which does not share the holder's file: open the file, and exit with what came of it.
 */
static pid_t open_in_child(int holder, int flags)
{
	pid_t pid = fork();

	if (pid == 0) {
		int fd;

		close(holder);
		fd = open("f", flags);
		_exit(fd < 0 ? errno : 0);
	}
	return pid;
}

TEST(broken, 10,
     "an open that conflicts with a lease signals its holder and waits until it gives way")
{
	long long start;
	int fd, status;
	pid_t pid;

	enter();
	put("f", "x");
	fd = open("f", O_RDONLY);
	expect_signals(fd);
	CHECK_EQ(fcntl(fd, F_SETLEASE, READ), 0);
	CHECK_EQ(test_wait(open_in_child(fd, O_RDONLY)), 0);
	CHECK_EQ(test_wait(open_in_child(fd, O_WRONLY | O_NONBLOCK)), EWOULDBLOCK);
	await_signal(1);
	CHECK_EQ(got_fd, fd);
	CHECK_EQ(got_code, POLL_MSG);
	CHECK_EQ(fcntl(fd, F_GETLEASE), NONE); /* it has to go */
	CHECK_EQ(fcntl(fd, F_SETLEASE, NONE), 0);
	/* A lease for writing is reduced to one for reading. */
	expect_signals(fd); /* the file has forgotten its signal with its lease */
	CHECK_EQ(fcntl(fd, F_SETLEASE, WRITE), 0);
	pid = open_in_child(fd, O_RDONLY);
	await_signal(1);
	CHECK_EQ(fcntl(fd, F_GETLEASE), READ);
	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(fcntl(fd, F_SETLEASE, READ), 0);
	CHECK_EQ(test_wait(pid), 0);
	CHECK_EQ(fcntl(fd, F_GETLEASE), READ);
	/* truncate(2) is a write, too. */
	got = 0;
	pid = fork();
	if (pid == 0)
		_exit(truncate("f", 0) < 0 ? errno : 0);
	await_signal(1);
	CHECK_EQ(fcntl(fd, F_SETLEASE, NONE), 0);
	CHECK_EQ(test_wait(pid), 0);
	/* A holder that does nothing loses its lease in time. */
	set_break_time("1");
	expect_signals(fd);
	CHECK_EQ(fcntl(fd, F_SETLEASE, READ), 0);
	start = test_ms();
	CHECK_EQ(test_wait(open_in_child(fd, O_WRONLY)), 0);
	CHECK(test_ms() - start >= 900);
	CHECK_EQ(fcntl(fd, F_GETLEASE), NONE);
	CHECK_ERR(fcntl(fd, F_SETLEASE, NONE), EAGAIN);
	set_break_time("45");
	/* Closing the file gives the lease up. */
	expect_signals(fd);
	CHECK_EQ(fcntl(fd, F_SETLEASE, READ), 0);
	pid = open_in_child(fd, O_WRONLY);
	await_signal(1);
	close(fd);
	CHECK_EQ(test_wait(pid), 0);
	leave();
}

TEST(owners, 5, "only a file's owner, or root, may have a lease on it")
{
	pid_t pid;

	enter();
	put("f", "x");
	pid = fork();
	if (pid == 0) {
		int fd = open("f", O_RDONLY);

		CHECK_EQ(setuid(1000), 0);
		CHECK_ERR(fcntl(fd, F_SETLEASE, READ), EACCES);
		_exit(0);
	}
	CHECK_EQ(test_wait(pid), 0);
	leave();
}

TEST(directory, 5, "F_NOTIFY sends a signal when something happens in a directory")
{
	int fd, file;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	put("d/f", "x");
	fd = open("d", O_RDONLY);
	expect_signals(fd);
	/* Once, and only for what was asked. */
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_CREATE), 0);
	CHECK_EQ(chmod("d/f", 0600), 0);
	CHECK_EQ(got, 0);
	put("d/g", "x");
	await_signal(1);
	CHECK_EQ(got_fd, fd);
	put("d/h", "x");
	CHECK_EQ(got, 1);
	/* Each time, and for all that was asked since. */
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_ATTRIB | DN_MULTISHOT), 0);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_MODIFY | DN_MULTISHOT), 0);
	got = 0;
	CHECK_EQ(chmod("d/f", 0644), 0);
	await_signal(1);
	file = open("d/f", O_WRONLY);
	CHECK_EQ(write(file, "y", 1), 1);
	close(file);
	await_signal(2);
	/* Until it is asked for nothing. */
	CHECK_EQ(fcntl(fd, F_NOTIFY, 0), 0);
	CHECK_EQ(chmod("d/f", 0600), 0);
	CHECK_EQ(got, 2);
	CHECK_EQ(fcntl(fd, F_NOTIFY, DN_DELETE | DN_RENAME | DN_MULTISHOT), 0);
	CHECK_EQ(unlink("d/g"), 0);
	await_signal(3);
	CHECK_EQ(rename("d/h", "d/i"), 0);
	CHECK(got >= 4);
	/* Or until a descriptor of it is closed. */
	close(dup(fd));
	got = 0;
	CHECK_EQ(unlink("d/i"), 0);
	CHECK_EQ(got, 0);
	close(fd);
	fd = open("d/f", O_RDONLY);
	CHECK_ERR(fcntl(fd, F_NOTIFY, DN_ACCESS), ENOTDIR);
	close(fd);
	leave();
}

/* Ask for signals about the directory, and end while the requests are still there. */
static void end_with_requests(void)
{
	for (int i = 0; i < 40; i++)
		(void)fcntl(open("d", O_RDONLY), F_NOTIFY, DN_ATTRIB | DN_MULTISHOT);
	_exit(0);
}

TEST(directory_exit, 20, "processes end whose directory is changed just then")
{
	long long start = test_ms();
	pid_t changes, ends;

	enter();
	CHECK_EQ(mkdir("d", 0755), 0);
	put("d/f", "x");
	CHECK(signal(SIGIO, SIG_IGN) != SIG_ERR);
	changes = fork();
	while (changes == 0)
		(void)chmod("d/f", 0600);
	while (test_ms() - start < 1000) {
		ends = fork();
		if (ends == 0)
			end_with_requests();
		CHECK_EQ(test_wait(ends), 0);
	}
	CHECK_EQ(kill(changes, SIGKILL), 0);
	CHECK_EQ(waitpid(changes, NULL, 0), changes);
	leave();
}
