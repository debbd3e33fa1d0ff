/*
 * What the kernel keeps to itself: bytes of its stack, other users' pipes, programs that may be run
 * but not read.
 */
#include "user/test/test.h"

#define _LINUX_CAPABILITY_VERSION_3 0x20080522
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <ucontext.h>

#define PAINT 0xa7 /* this byte stands all over the kernel stack when a call is made */
#define USER  1000

/* ---- the kernel stack ---- */

static unsigned char out[4096];

/*
 * poll and select copy what they are given to the kernel stack; a negative descriptor is ignored.
 */
static void paint_stack(void)
{
	static struct pollfd fds[512];
	static fd_set sets[3];

	memset(fds, PAINT, sizeof(fds));
	for (int nr = 1; nr <= 512; nr *= 2)
		poll(fds, nr, 0);
	for (int bits = 32; bits <= 1024; bits += 32) {
		struct timeval none = { 0, 0 };

		memset(sets, PAINT, sizeof(sets));
		select(bits, &sets[0], &sets[1], &sets[2], &none);
	}
	memset(out, 0, sizeof(out));
}

/* Two bytes of paint side by side were never written by the call. */
static bool has_paint(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i + 1 < len; i++)
		if (bytes[i] == PAINT && bytes[i + 1] == PAINT)
			return true;
	return false;
}

#define CLEAN(call)                                                                           \
	do {                                                                                  \
		paint_stack();                                                                \
		CHECK((call) >= 0);                                                           \
		if (has_paint(out, sizeof(out)))                                              \
			test_fail(__FILE__, __LINE__, "%s tells of the kernel stack", #call); \
	} while (0)

TEST(of_a_file, 10, "structures about files and directories hold nothing of the kernel stack")
{
	socklen_t len = 110;
	int fd, ends[2];

	CHECK((fd = open("/etc", O_RDONLY | O_DIRECTORY)) >= 0);
	CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	CLEAN(syscall(SYS_stat64, "/etc/passwd", out));
	CLEAN(syscall(SYS_fstat64, fd, out));
	CLEAN(syscall(SYS_statx, fd, "", 0x1000, 0x7ff, out));
	CLEAN(syscall(SYS_statfs64, "/", 84, out));
	CLEAN(syscall(SYS_statfs, "/", out));
	CLEAN(syscall(SYS_getdents64, fd, out, sizeof(out)));
	CLEAN(syscall(SYS_readlink, "/proc/self/exe", out, sizeof(out)));
	CLEAN(syscall(SYS_getcwd, out, sizeof(out)));
	CLEAN(getsockname(ends[0], (void *)out, &len));
	len = 110;
	CLEAN(getpeername(ends[0], (void *)out, &len));
	CLEAN(pipe2((int *)out, 0));
	CLEAN(socketpair(AF_UNIX, SOCK_STREAM, 0, (int *)out));
	CLEAN(read(open("/proc/self/stat", O_RDONLY), out, sizeof(out)));
	CLEAN(read(open("/proc/self/status", O_RDONLY), out, sizeof(out)));
}

TEST(of_a_process, 10,
     "structures about processes and the machine hold nothing of the kernel stack")
{
	const int header[2] = { _LINUX_CAPABILITY_VERSION_3, 0 };
	int master;

	CLEAN(syscall(SYS_uname, out));
	CLEAN(syscall(SYS_sysinfo, out));
	CLEAN(syscall(SYS_times, out));
	CLEAN(syscall(SYS_ugetrlimit, RLIMIT_NOFILE, out));
	CLEAN(syscall(SYS_prlimit64, 0, RLIMIT_STACK, NULL, out));
	CLEAN(syscall(SYS_getgroups32, 32, out));
	CLEAN(syscall(SYS_capget, header, out));
	CLEAN(syscall(SYS_sched_getaffinity, 0, 4, out));
	CLEAN(syscall(SYS_rt_sigaction, SIGUSR1, NULL, out, 8));
	CLEAN(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, out, 8));
	CLEAN(syscall(SYS_rt_sigpending, out, 8));
	CLEAN(syscall(SYS_clock_gettime32, CLOCK_MONOTONIC, out));
	CLEAN(syscall(SYS_clock_gettime64, CLOCK_REALTIME, out));
	CLEAN(syscall(SYS_gettimeofday_time32, out, NULL));
	if (!fork())
		_exit(0);
	CLEAN(syscall(SYS_wait4, -1, out, 0, out + 8));
	master = open("/dev/ttyS0", O_RDWR | O_NONBLOCK | O_NOCTTY);
	CHECK(master >= 0);
	CLEAN(ioctl(master, 0x5401 /* TCGETS */, out));
	CLEAN(ioctl(master, TIOCGWINSZ, out));
}

TEST(names, 5, "behind a thread's name stand zeros")
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(pages != MAP_FAILED);
	/* The name ends with its page, and other bytes follow. */
	memset(pages, 'y', 8192);
	strcpy(pages + 4094, "x");
	memset(pages + 4096, 'y', 4096);
	paint_stack();
	CHECK_EQ(prctl(PR_SET_NAME, pages + 4094), 0);
	CHECK_EQ(prctl(PR_GET_NAME, out), 0);
	CHECK(!strcmp((char *)out, "x"));
	for (int i = 1; i < 16; i++)
		CHECK_EQ(out[i], 0);
	CHECK_EQ(prctl(PR_SET_NAME, "0123456789abcdef"), 0);
	CHECK_EQ(prctl(PR_SET_NAME, ""), 0);
	CHECK_EQ(prctl(PR_GET_NAME, out), 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(out[i], 0);
}

static volatile bool frame_is_clean;

static void look_at_frame(int signo, siginfo_t *info, void *context)
{
	const unsigned char *from = (unsigned char *)info;
	const unsigned char *to =
		(unsigned char *)((ucontext_t *)context)->uc_mcontext.gregs[REG_ESP];

	frame_is_clean = !has_paint(from, to - from);
}

static void look_at_old_frame(int signo)
{
	/*
	 * What follows the number is struct sigcontext and, further up, the floating-point state.
	 */
	frame_is_clean = !has_paint((unsigned char *)&signo, 700);
}

TEST(signal_frames, 5, "the frames of handlers hold nothing of the kernel stack")
{
	struct sigaction action = { .sa_sigaction = look_at_frame, .sa_flags = SA_SIGINFO };

	CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
	paint_stack();
	raise(SIGUSR1);
	CHECK(frame_is_clean);
	frame_is_clean = false;
	signal(SIGUSR2, look_at_old_frame);
	paint_stack();
	raise(SIGUSR2);
	CHECK(frame_is_clean);
}

/* ---- others' pipes ---- */

static bool told_of(int fd)
{
	static char text[65536];
	char line[32];
	struct stat st;
	int list = open("/proc/pipes", O_RDONLY);
	ssize_t n;

	CHECK(list >= 0);
	n = read_full(list, text, sizeof(text) - 1);
	CHECK(n >= 0);
	close(list);
	text[n] = 0;
	CHECK_EQ(fstat(fd, &st), 0);
	snprintf(line, sizeof(line), "pipe %lu:", (unsigned long)st.st_ino);
	return strstr(text, line);
}

BEYOND_TEST(pipes_of_others, 5,
	    "/proc/pipes tells root of all pipes, and a user only of the user's own",
	    "lacks /proc/pipes: what a pipe holds is nowhere to be seen")
{
	int roots[2], own[2];

	close(test_open_own("/proc/pipes", O_RDONLY));
	CHECK_EQ(pipe(roots), 0);
	CHECK(told_of(roots[0]));
	CHECK_EQ(setgid(USER), 0);
	CHECK_EQ(setuid(USER), 0);
	CHECK_EQ(pipe(own), 0);
	CHECK(told_of(own[0]));
	CHECK(!told_of(roots[0]));
}

/* ---- programs that may be run, not read ---- */

static void copy_program(const char *to, int mode)
{
	static char bytes[65536];
	int in = open("/proc/self/exe", O_RDONLY), fd = open(to, O_WRONLY | O_CREAT, 0700);
	ssize_t n;

	CHECK(in >= 0 && fd >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		CHECK_EQ(write(fd, bytes, n), n);
	CHECK_EQ(n, 0);
	CHECK_EQ(fchmod(fd, mode), 0);
	close(fd);
	close(in);
}

static void become_user(void)
{
	CHECK_EQ(setgid(USER), 0);
	CHECK_EQ(setuid(USER), 0);
}

/* For the copies of this program that the next case starts: there descriptor 3 is a pipe. */
TEST(sleeper, 5, "the program that others try to look into waits until descriptor 3 ends")
{
	char byte;

	CHECK(read(3, &byte, 1) <= 0);
}

/* Run PROGRAM's sleeper as USER; *hold keeps it alive. */
static pid_t start_sleeper(const char *program, int *hold)
{
	int in[2], ready[2];
	char byte;
	pid_t child;

	CHECK_EQ(pipe2(in, O_CLOEXEC), 0);
	CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	CHECK(child >= 0);
	if (!child) {
		become_user();
		dup2(in[0], 3);
		fcntl(3, F_SETFD, 0); /* in[0] may have been 3 already */
		execl(program, program, "sleeper", NULL);
		write(ready[1], "x", 1);
		_exit(1);
	}
	close(ready[1]);
	close(in[0]);
	CHECK_EQ(read(ready[0], &byte, 1), 0); /* the exec closed the other end */
	*hold = in[1];
	return child;
}

static int try_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return open(path, O_RDONLY);
}

static ssize_t try_read(pid_t pid, const char *name)
{
	char text[4096];
	int fd = try_open(pid, name);

	return fd < 0 ? -1 : read(fd, text, sizeof(text));
}

/* As the user of both sleepers: one may be looked into, the other one may not. */
static void look_into(pid_t unread, pid_t readable)
{
	char link[64], text[64];

	CHECK_ERR(open("/tmp/bin/unread", O_RDONLY), EACCES);
	CHECK(try_read(readable, "maps") > 0);
	CHECK(try_open(readable, "fd") >= 0);
	CHECK(try_read(unread, "maps") <= 0);
	CHECK_ERR(try_open(unread, "fd"), EACCES);
	snprintf(link, sizeof(link), "/proc/%d/exe", unread);
	CHECK_ERR(readlink(link, text, sizeof(text)), EACCES);
	snprintf(link, sizeof(link), "/proc/%d/fd/0", unread);
	CHECK_ERR(open(link, O_RDONLY), EACCES);
}

TEST(only_executable, 10,
     "a program of mode 0711 runs for those who cannot read it, and stays unread")
{
	int hold, other;
	pid_t unread, readable, child;

	CHECK_EQ(mkdir("/tmp/bin", 0755), 0);
	copy_program("/tmp/bin/unread", 0711);
	copy_program("/tmp/bin/read", 0755);
	unread = start_sleeper("/tmp/bin/unread", &hold);
	readable = start_sleeper("/tmp/bin/read", &other);
	child = fork();
	if (!child) {
		become_user();
		look_into(unread, readable);
		_exit(0);
	}
	CHECK_EQ(test_wait(child), 0);
	close(hold);
	close(other);
	CHECK_EQ(test_wait(unread), 0);
	CHECK_EQ(test_wait(readable), 0);
	unlink("/tmp/bin/unread");
	unlink("/tmp/bin/read");
	CHECK_EQ(rmdir("/tmp/bin"), 0);
}

TEST(scripts_need_reading, 10,
     "a script of mode 0711 does not run, since its interpreter cannot read it")
{
	static const char script[] = "#!/bin/sh\nexit 0\n";
	int fd = open("/tmp/script", O_WRONLY | O_CREAT | O_TRUNC, 0700), status;

	CHECK_EQ(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	CHECK_EQ(fchmod(fd, 0711), 0);
	close(fd);
	for (int as_user = 0; as_user < 2; as_user++) {
		if (!fork()) {
			if (as_user)
				become_user();
			close(2);
			execl("/tmp/script", "script", NULL);
			_exit(99);
		}
		CHECK(wait(&status) > 0);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) != 99);
		CHECK_EQ(WEXITSTATUS(status) == 0, !as_user);
	}
	unlink("/tmp/script");
}

TEST(dumpable, 5, "prctl and a change of the user say whether others look into a process")
{
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 0), 0);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
	CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
	CHECK_ERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
	become_user();
	CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
}
