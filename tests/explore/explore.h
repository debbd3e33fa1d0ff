/*
 * What a scenario consists of, and what the shim and the shadow headers ask of the engine.
 *
 * 1. A scenario is a function that sets things up, up to MAX_TASKS tasks with a function and an
 *    argument each, and a function that says what holds when all of them have ended. The search
 *    runs the tasks in every order that the bound on preemptions allows.
 * 2. Everything that a run changes must be memory that the compiler's callbacks see (all kernel
 *    files, the shim and the scenarios are compiled with them), or be announced with ex_changes().
 *    The engine puts it back before the next run. setup runs once, before the first of them.
 * 3. A task ends when its function returns. If all tasks that are left sleep or wait for a
 *    spinlock, the run has failed: "asleep for ever". must() fails it, and so do panics,
 *    assertions, bad addresses, memory that is used after it was freed, and two accesses that
 *    nothing orders.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_TASKS 6

struct task_of_scenario {
	const char *name;
	void (*run)(int argument);
	int argument;
	/*
	 * TWIN: does the same as the task before it, so that each schedule has a mirror image in
	 * which the two have changed places. Only the one in which this task starts later is
	 * explored.
	 */
	bool twin;
};
#define TWIN true

struct scenario {
	const char *name;
	const char *about; /* one line for the list */
	void (*setup)(void);
	struct task_of_scenario tasks[MAX_TASKS + 1];
	void (*check)(void);
};

/* Registers a scenario; the tasks follow as { "name", function, argument }, or with TWIN. */
#define SCENARIO(id, text, setup_function, check_function, ...)                                \
	static struct scenario id##_scenario = {                                               \
		#id, text, setup_function, { __VA_ARGS__ }, check_function                     \
	};                                                                                     \
	static struct scenario *const __attribute__((section("scenarios"), used)) id##_entry = \
		&id##_scenario

/* The run has failed. Does not return from a task. */
void ex_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The kernel has panicked. Never returns. */
void ex_panic(const char *format, va_list args) __attribute__((noreturn));
#define must(condition)                                                               \
	do {                                                                          \
		if (!(condition))                                                     \
			ex_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition); \
	} while (0)

/* ---- for the shim ---- */

/* The functions of the shim that are one step for everybody else say themselves what they touch. */
#define ONE_STEP __attribute__((no_sanitize("thread")))

enum event_kind { /* unmarked ones first: two of them, one a write, must be ordered */
		  EV_READ,
		  EV_WRITE,
		  EV_MARKED_READ,
		  EV_MARKED_WRITE,
		  EV_ATOMIC,
		  EV_LOCK,
		  EV_UNLOCK,
		  EV_ARRIVES, /* a delayed store reaches memory */
		  EV_NOTE,    /* something the scenario or the shim says */
		  EV_END,
};

/* A point where another task may go on, and then the access. */
void ex_access(void *address, unsigned int size, enum event_kind kind);
/* These bytes are about to change, without a point: they are put back before the next run. */
void ex_changes(void *address, size_t size);
/* A full barrier. */
void ex_barrier(void);
/* Sleep until *state is 0. */
void ex_sleep(void *state);
/*
 * The CPU of a task is interrupted and has answered: its stores have arrived, and all that it has
 * done comes before what the caller does next.
 */
void ex_interrupt(int task);
/* Go on only after another task has written something (cpu_relax). */
void ex_relax(void);
/* A line of the trace. */
void ex_note(const char *text);
/* The number of the task that runs; MAX_TASKS in setup and check. */
int ex_running(void);
/* The memory may not be used (a page was freed), or may again. Multiples of EX_GRAIN. */
#define EX_GRAIN      1024u
#define EX_POOL	      0xc0000000u /* where the kernel has its direct map */
#define EX_POOL_PAGES 32u
/*
 * Scenarios use these first bytes of a page only. The others are neither cleared nor copied with
 * it.
 */
#define EX_PAGE_BYTES 96u
void ex_forbid(void *address, size_t size, bool forbidden);
/* For the printed trace: the object at this address has that type. */
void ex_object(void *address, const char *type, const char *name);
/* Called once before setup. */
void ex_shim_init(void);

/* ---- for the shadow headers ---- */

struct spinlock;
void ex_spin_lock(struct spinlock *lock);
bool ex_spin_trylock(struct spinlock *lock);
void ex_spin_unlock(struct spinlock *lock);
bool ex_spin_held(struct spinlock *lock);

#endif
