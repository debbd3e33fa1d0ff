/*
 * The cases of a unit test. Each runs in a process of its own, so one that fails or panics does not
 * end the others, and each finds the test's variables and random numbers as they are at the start.
 *
 *	CASE(full_pool)
 *	{
 *		start_with(1);
 *		ok(waits == 1, "a full pool makes its caller wait");
 *	}
 *
 * 1. Include it after the shim. It brings main().
 * 2. `prog` runs all cases, `prog CASE...` some of them, and `prog --list` prints their names.
 * 3. The output is TAP, with a line for each ok(). The first must() that fails ends its case. A
 *    case that dies adds a line `not ok`.
 * 4. A case that runs for CASE_SECONDS is killed.
 */
#ifndef TESTS_UNIT_CASES_H
#define TESTS_UNIT_CASES_H

#include <sys/mman.h>
#include <unistd.h>

#define CASE_SECONDS 60
#define SIGNAL_MASK  0x7f /* of a status */
#define ABORT_SIGNAL 6

/* Not from sys/wait.h, which may bring names of signals that kernel/task.h has as well. */
int waitpid(int pid, int *status, int options);

struct unit_case {
	const char *name;
	void (*run)(void);
	struct unit_case *next;
};

static struct unit_case *unit_first, **unit_last = &unit_first;

#define CASE(id)                                                      \
	static void case_##id(void);                                  \
	static struct unit_case unit_##id = { #id, case_##id, NULL }; \
	__attribute__((constructor)) static void register_##id(void)  \
	{                                                             \
		*unit_last = &unit_##id;                              \
		unit_last = &unit_##id.next;                          \
	}                                                             \
	static void case_##id(void)

/* Does the function panic? It runs in a process of its own. */
__attribute__((unused)) static bool panics(void (*function)(void))
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	must(child >= 0);
	if (child == 0) {
		must(freopen("/dev/null", "w", stderr));
		function();
		_exit(0);
	}
	must(waitpid(child, &status, 0) == child);
	return (status & SIGNAL_MASK) == ABORT_SIGNAL;
}

static void unit_ended(const struct unit_case *unit, int status)
{
	int signal = status & SIGNAL_MASK;

	printf("not ok %d - the case %s %s %d\n", ++tap->count, unit->name,
	       signal ? "was killed by signal" : "ended with status",
	       signal ? signal : status >> 8);
	tap->failures++;
}

static void unit_run(const struct unit_case *unit)
{
	int failures = tap->failures, count = tap->count, status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(CASE_SECONDS);
		unit->run();
		exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		status = -1;
	if (status != 0 && tap->failures == failures)
		unit_ended(unit, status);
	else if (tap->count == count)
		printf("ok %d - %s\n", ++tap->count, unit->name);
}

static bool unit_wanted(const struct unit_case *unit, char **names)
{
	bool all = !*names;

	while (*names && strcmp(*names, unit->name) != 0)
		names++;
	return all || *names;
}

int main(int argc, char **argv)
{
	bool list = argc == 2 && !strcmp(argv[1], "--list");

	/* The cases count in shared memory. */
	tap = mmap(NULL, sizeof(*tap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tap == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct unit_case *unit = unit_first; unit; unit = unit->next) {
		if (list)
			printf("%s\n", unit->name);
		else if (unit_wanted(unit, argv + 1))
			unit_run(unit);
	}
	if (list)
		return 0;
	if (tap->count == 0) {
		printf("not ok 1 - there is no such case\n");
		tap->count = tap->failures = 1;
	}
	printf("1..%d\n", tap->count);
	return tap->failures != 0;
}

#endif
