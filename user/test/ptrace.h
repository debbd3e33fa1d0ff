/* What the tests of ptrace(2) have in common. */
#ifndef USER_TEST_PTRACE_H
#define USER_TEST_PTRACE_H

#include "test.h"
#include <elf.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
#define SYSGOOD_TRAP   (SIGTRAP | 0x80)
#define DEBUG_AT(n)    (offsetof(struct user, u_debugreg) + 4 * (n))
#define REGISTER_AT(r) offsetof(struct user_regs_struct, r)

/* The request without the library's own idea of PEEK. */
#define TRACE(request, pid, address, data) \
	syscall(SYS_ptrace, (long)(request), (long)(pid), (long)(address), (long)(data))

/*
 * Waits for the tracee's next stop, and returns what stopped it: a signal, and an event above it.
 */
__attribute__((unused)) static int next_stop(pid_t pid)
{
	int status;

	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	if (!WIFSTOPPED(status))
		test_fail(__FILE__, __LINE__, "status 0x%x instead of a stop", status);
	return status >> 8;
}

/*
 * Starts a child that asks to be traced, stops, and then calls `run`. Returns when it has stopped.
 */
__attribute__((unused)) static pid_t start_tracee(void (*run)(void))
{
	pid_t child = fork();

	if (!child) {
		TRACE(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		run();
		_exit(0);
	}
	CHECK_EQ(next_stop(child), SIGSTOP);
	return child;
}

/* Starts a child that is not traced, and returns when it has called `run`, which waits for ever. */
__attribute__((unused)) static pid_t start_child(void (*run)(void))
{
	int ready[2];
	pid_t child;
	char byte;

	CHECK(pipe(ready) == 0);
	child = fork();
	if (!child) {
		CHECK_EQ(write(ready[1], "x", 1), 1);
		close(ready[0]);
		close(ready[1]);
		if (run)
			run();
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_EQ(read(ready[0], &byte, 1), 0);
	close(ready[0]);
	return child;
}

/* Lets the tracee go on and end. Returns its exit status as test_wait() does. */
__attribute__((unused)) static int finish(pid_t pid)
{
	CHECK_EQ(TRACE(PTRACE_CONT, pid, 0, 0), 0);
	return test_wait(pid);
}

__attribute__((unused)) static void kill_tracee(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	do
		CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	while (WIFSTOPPED(status));
	CHECK_EQ(status, SIGKILL);
}

__attribute__((unused)) static long peek_user(pid_t pid, unsigned long at)
{
	long word = 0;

	CHECK_EQ(TRACE(PTRACE_PEEKUSER, pid, at, &word), 0);
	return word;
}

__attribute__((unused)) static struct user_regs_struct get_registers(pid_t pid)
{
	struct user_regs_struct regs;

	CHECK_EQ(TRACE(PTRACE_GETREGS, pid, 0, &regs), 0);
	return regs;
}

/* The letter of the process's state in /proc, and a number from a line of its status. */
__attribute__((unused)) static long status_field(pid_t pid, const char *name, char *letter)
{
	char path[64], text[4096], *line;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY);
	CHECK(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n > 0);
	close(fd);
	text[n] = 0;
	line = strstr(text, name);
	CHECK(line != NULL);
	line += strlen(name) + 1;
	while (*line == '\t' || *line == ' ')
		line++;
	if (letter)
		*letter = *line;
	return atol(line);
}

__attribute__((unused)) static char state_letter(pid_t pid)
{
	char letter;

	status_field(pid, "State", &letter);
	return letter;
}

#endif
