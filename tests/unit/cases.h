/*
 * Cases for a unit test. Each runs in a process of its own, so one that fails or panics does not end the
 * others.
 *
 *	CASE(full_pool)
 *	{
 *		ok(waits == 1, "a full pool makes its caller wait");
 *	}
 *
 *	CASES
 *
 * 1. Include it after the shim. A file has either cases or a main() of its own.
 * 2. `prog` runs all cases and `prog CASE...` some of them. The output is TAP, with a line for each ok(). A
 *    case that dies, or in which a must() fails, adds a line `not ok`.
 * 3. A case that runs for CASE_SECONDS is killed.
 */
#ifndef TESTS_UNIT_CASES_H
#define TESTS_UNIT_CASES_H

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_SECONDS 60

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

static inline void unit_run(struct unit_case *unit)
{
	int failures = tap->failures, status = 0;
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
		ok(false, "%s: ended with wait status %#x", unit->name, status);
}

static inline int unit_main(int argc, char **argv)
{
	/* The children count there, too. */
	tap = mmap(NULL, sizeof(*tap), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tap == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (struct unit_case *unit = unit_first; unit; unit = unit->next) {
		bool wanted = argc < 2;

		for (int i = 1; i < argc; i++)
			wanted = wanted || !strcmp(argv[i], unit->name);
		if (wanted)
			unit_run(unit);
	}
	if (tap->count == 0)
		ok(false, "there is no such case");
	return tap_done();
}

#define CASES                                 \
	int main(int argc, char **argv)       \
	{                                     \
		return unit_main(argc, argv); \
	}

#endif
