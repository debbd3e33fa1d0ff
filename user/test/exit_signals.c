/*
 * Exit signals: clone(2) chooses the signal with which a process tells its parent that it has
 * ended, and wait4(2) finds such a process with __WCLONE or __WALL.
 */
#include "signals.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#define NO_SIGNAL 100 /* not a signal, but it fits in the flags */

static volatile siginfo_t seen; /* what the handler was told last */

static void on_end(int sig, siginfo_t *info, void *context)
{
	(void)context;
	seen = *info;
	on_signal(sig);
}

static void watch(void)
{
	handle(SIGCHLD, on_end, SA_SIGINFO | SA_RESTART);
	handle(SIGUSR1, on_end, SA_SIGINFO | SA_RESTART);
	handle(SIGUSR2, on_end, SA_SIGINFO | SA_RESTART);
}

/* A fork with these flags. */
static pid_t clone_child(unsigned int flags)
{
	return syscall(SYS_clone, flags, 0, 0, 0, 0);
}

static pid_t child_with(int signo, int status)
{
	pid_t child = clone_child(signo);

	if (child == 0)
		syscall(SYS_exit_group, status);
	return child;
}

/* The state that /proc shows, as a letter. */
static char state_of(pid_t pid)
{
	char name[40], text[100] = "";
	int fd;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	fd = open(name, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = 0;
	close(fd);
	return text[0] ? strrchr(text, ')')[2] : 0;
}

static void await_end(pid_t pid)
{
	while (state_of(pid) != 'Z')
		test_sleep_ms(5);
}

TEST(chosen, 10, "the parent gets the chosen signal with the code and the status, and no SIGCHLD")
{
	int status;
	pid_t child;

	watch();
	child = child_with(SIGUSR1, 9);
	CHECK(child > 0);
	await_end(child);
	CHECK_EQ(hits, 1);
	CHECK_EQ(order[0], SIGUSR1);
	CHECK_EQ(seen.si_signo, SIGUSR1);
	CHECK_EQ(seen.si_code, CLD_EXITED);
	CHECK_EQ(seen.si_pid, child);
	CHECK_EQ(seen.si_status, 9);
	CHECK_EQ(waitpid(child, &status, __WCLONE), child);
	CHECK_EQ(status, 9 << 8);
	child = child_with(SIGURG, 0);
	await_end(child);
	CHECK_EQ(hits, 1);
	CHECK_EQ(test_wait(child), -1);
	CHECK_EQ(waitpid(child, &status, __WALL), child);
}

TEST(realtime, 10, "a real-time exit signal comes once for each child")
{
	sigset_t set = set_of(SIGRTMIN + 1);
	siginfo_t info;
	pid_t children[3];

	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 3; i++) {
		children[i] = child_with(SIGRTMIN + 1, i);
		await_end(children[i]);
	}
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(sigwaitinfo(&set, &info), SIGRTMIN + 1);
		CHECK_EQ(info.si_pid, children[i]);
		CHECK_EQ(info.si_status, i);
		CHECK_EQ(waitpid(-1, NULL, __WCLONE), children[i]);
	}
	CHECK_ERR(waitpid(-1, NULL, __WALL), ECHILD);
}

TEST(none, 10, "with exit signal 0, or one that does not exist, a child ends silently")
{
	const int signals[] = { 0, NO_SIGNAL };
	int status;

	watch();
	for (int i = 0; i < 2; i++) {
		pid_t child = child_with(signals[i], 4);

		CHECK(child > 0);
		await_end(child);
		CHECK_EQ(hits, 0);
		CHECK_ERR(waitpid(-1, &status, 0), ECHILD);
		CHECK_EQ(waitpid(-1, &status, __WCLONE), child);
		CHECK_EQ(status, 4 << 8);
	}
}

TEST(clone3_chooses, 10, "clone3 has a field for the exit signal")
{
	uint64_t arguments[8] = { 0 };
	int status;
	pid_t child;

	watch();
	for (int i = 0; i < 2; i++) {
		arguments[4] = i ? SIGUSR2 : 0;
		child = syscall(435, arguments, sizeof(arguments));
		if (child == 0)
			syscall(SYS_exit_group, 3);
		CHECK(child > 0);
		await_end(child);
		CHECK_EQ(hits, i);
		CHECK_EQ(waitpid(child, &status, __WCLONE), child);
	}
	CHECK_EQ(order[0], SIGUSR2);
	arguments[4] = 65;
	CHECK_ERR(syscall(435, arguments, sizeof(arguments)), EINVAL);
}

TEST(kinds, 10, "a wait sees children with SIGCHLD, with __WCLONE the others, with __WALL both")
{
	pid_t ordinary = child_with(SIGCHLD, 1), special = child_with(SIGURG, 2);
	siginfo_t info;

	await_end(ordinary);
	await_end(special);
	CHECK_ERR(waitpid(special, NULL, 0), ECHILD);
	CHECK_ERR(waitpid(ordinary, NULL, __WCLONE), ECHILD);
	CHECK_ERR(waitid(P_PID, special, &info, WEXITED), ECHILD);
	CHECK_EQ(waitid(P_PID, special, &info, WEXITED | WNOWAIT | __WCLONE), 0);
	CHECK_EQ(info.si_pid, special);
	CHECK_EQ(info.si_signo, SIGCHLD);
	CHECK_EQ(waitpid(-1, NULL, 0), ordinary);
	CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
	CHECK_EQ(waitpid(-1, NULL, __WALL), special);
}

TEST(stops, 10, "a stop is told with SIGCHLD, whatever the exit signal is")
{
	pid_t child;
	int status;

	watch();
	child = clone_child(SIGUSR1);
	if (child == 0)
		for (;;)
			pause();
	kill(child, SIGSTOP);
	CHECK_ERR(waitpid(child, &status, WUNTRACED), ECHILD);
	CHECK_EQ(waitpid(child, &status, WUNTRACED | __WCLONE), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(hits, 1);
	CHECK_EQ(order[0], SIGCHLD);
	CHECK_EQ(seen.si_code, CLD_STOPPED);
	kill(child, SIGKILL);
	CHECK_EQ(waitpid(child, &status, __WALL), child);
	CHECK_EQ(order[1], SIGUSR1);
	CHECK_EQ(seen.si_code, CLD_KILLED);
	CHECK_EQ(seen.si_status, SIGKILL);
}

TEST(ignored, 10, "a child is waited for although its parent ignores SIGCHLD or the exit signal")
{
	pid_t child;

	signal(SIGCHLD, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	child = child_with(SIGUSR1, 0);
	await_end(child);
	CHECK_EQ(waitpid(child, NULL, __WCLONE), child);
	child = child_with(SIGCHLD, 0);
	CHECK_ERR(waitpid(child, NULL, __WALL), ECHILD);
}

TEST(exec_resets, 10, "exec makes the exit signal SIGCHLD again")
{
	pid_t child;

	watch();
	child = clone_child(SIGUSR1);
	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exit 5", NULL);
		_exit(1);
	}
	await_end(child);
	CHECK_EQ(hits, 1);
	CHECK_EQ(order[0], SIGCHLD);
	CHECK_EQ(test_wait(child), 5);
}

TEST(parent_execs, 20, "a parent that has called exec gets SIGCHLD instead of the exit signal")
{
	int begun[2], go[2];
	pid_t parent, child;
	char byte;

	CHECK(pipe2(begun, O_CLOEXEC) == 0 && pipe(go) == 0);
	parent = fork();
	if (parent == 0) {
		child = clone_child(SIGUSR1);
		if (child == 0) {
			close(begun[1]);
			for (;;)
				pause();
		}
		CHECK_EQ(write(begun[1], &child, sizeof(child)), sizeof(child));
		dup2(go[0], 0);
		execl("/bin/sh", "sh", "-c", "read x; exit 7", NULL);
		_exit(1);
	}
	close(begun[1]);
	CHECK_EQ(read_full(begun[0], &child, sizeof(child)), sizeof(child));
	CHECK_EQ(read(begun[0], &byte, 1), 0);
	kill(child, SIGKILL);
	await_end(child);
	CHECK_EQ(write(go[1], "\n", 1), 1);
	CHECK_EQ(test_wait(parent), 7);
}

TEST(orphans, 10, "whoever adopts a child gets SIGCHLD when it ends")
{
	int hold[2];
	pid_t parent, child;

	CHECK(pipe(hold) == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	watch();
	parent = fork();
	if (parent == 0) {
		child = clone_child(SIGUSR1);
		if (child == 0) {
			close(hold[1]);
			_exit(read(hold[0], &child, 1));
		}
		_exit(0);
	}
	CHECK_EQ(test_wait(parent), 0);
	CHECK_ERR(waitpid(-1, NULL, __WCLONE | WNOHANG), ECHILD);
	hits = nr_order = 0;
	close(hold[1]);
	CHECK(waitpid(-1, NULL, 0) > 0);
	CHECK_EQ(hits, 1);
	CHECK_EQ(order[0], SIGCHLD);
}

TEST(siblings, 10, "with CLONE_PARENT the exit signal is that of the caller")
{
	pid_t child, sibling;
	int line[2];

	CHECK(pipe(line) == 0);
	watch();
	child = clone_child(SIGUSR1);
	if (child == 0) {
		sibling = clone_child(CLONE_PARENT | SIGUSR2);
		if (sibling == 0)
			_exit(0);
		_exit(write(line[1], &sibling, sizeof(sibling)) != sizeof(sibling));
	}
	CHECK_EQ(read_full(line[0], &sibling, sizeof(sibling)), sizeof(sibling));
	await_end(child);
	await_end(sibling);
	CHECK(hits > 0 && order[0] == SIGUSR1);
	CHECK(hits == 1 || order[1] == SIGUSR1);
	CHECK_EQ(waitpid(sibling, NULL, __WCLONE), sibling);
	CHECK_EQ(waitpid(child, NULL, __WCLONE), child);
}

TEST(tracees, 10, "a tracee can be waited for without flags, and its parent gets the exit signal")
{
	pid_t child;
	int status;

	watch();
	child = clone_child(SIGUSR1);
	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		kill(getpid(), SIGSTOP);
		_exit(6);
	}
	CHECK_EQ(waitpid(child, &status, __WCLONE), child);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(order[0], SIGCHLD);
	CHECK_EQ(ptrace(PTRACE_CONT, child, 0, 0), 0);
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 6 << 8);
	CHECK_EQ(hits, 2);
	CHECK_EQ(order[1], SIGUSR1);
}

/* ---- the threads of the parent ---- */

static int made[2], leave[2];
static pid_t maker_tid;

/* Make a child that only waits, tell its number, and end when a byte arrives. */
static void *make_child(void *unused)
{
	pid_t child = fork();
	char byte;

	(void)unused;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGUSR1);
		child = getpid();
		write_full(made[1], &child, sizeof(child));
		for (;;)
			pause();
	}
	maker_tid = gettid();
	CHECK_EQ(read(leave[0], &byte, 1), 1);
	return NULL;
}

static pid_t start_maker(pthread_t *maker)
{
	pid_t child;

	CHECK(pipe2(made, O_CLOEXEC) == 0 && pipe2(leave, O_CLOEXEC) == 0);
	CHECK(pthread_create(maker, NULL, make_child, NULL) == 0);
	CHECK_EQ(read_full(made[0], &child, sizeof(child)), sizeof(child));
	return child;
}

TEST(own_children, 10, "__WNOTHREAD: only children that the thread itself has made")
{
	pthread_t maker;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	CHECK_EQ(waitpid(-1, NULL, __WNOTHREAD), child);
	CHECK_ERR(waitpid(-1, NULL, __WNOTHREAD), ECHILD);
	child = start_maker(&maker);
	CHECK_ERR(waitpid(-1, NULL, __WNOTHREAD | WNOHANG), ECHILD);
	CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	CHECK_EQ(test_wait(child), 128 + SIGKILL);
}

TEST(thread_ends, 10,
     "when a thread ends, its children get its death signal and pass to another thread")
{
	pthread_t maker;
	pid_t child = start_maker(&maker);
	char path[64];
	int status;

	CHECK_EQ(write(leave[1], "", 1), 1);
	CHECK(pthread_join(maker, NULL) == 0);
	/* It has given its memory back by now, but may still have its children. */
	snprintf(path, sizeof(path), "/proc/self/task/%d", maker_tid);
	while (access(path, F_OK) == 0)
		sched_yield();
	CHECK_EQ(waitpid(child, &status, __WNOTHREAD), child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}
