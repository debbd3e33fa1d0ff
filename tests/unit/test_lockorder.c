/* Tests kernel/lockorder.c: which orders it learns, which it reports, and which it allows. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include <setjmp.h>

#undef DEBUG
#define DEBUG 1
#define KERNEL_TASK_H
#include "kernel/lockorder.h"
struct task {
	struct lock_holds mutexes;
};

static struct task task;
static jmp_buf reported;
static char report_text[256];
static unsigned int stacks_printed;

#undef current
#define current (&task)
#undef panic
#define panic(...)                                                       \
	do {                                                             \
		snprintf(report_text, sizeof(report_text), __VA_ARGS__); \
		longjmp(reported, 1);                                    \
	} while (0)

static void stack_walk(const void *ebp, uintptr_t *addresses, unsigned int max)
{
	(void)ebp;
	memset(addresses, 0, max * sizeof(*addresses));
}

static void stack_print(const uintptr_t *addresses, unsigned int max)
{
	(void)addresses;
	(void)max;
	stacks_printed++;
}

#include "kernel/lockorder.c"

/* Classes are told apart by the pointers to their names. */
static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
static char object[8];

static void take(int i, enum lock_kind kind)
{
	lock_wanted(names[i], kind);
	lock_taken(&object[i], names[i], kind);
}

static void give(int i, enum lock_kind kind)
{
	lock_given(&object[i], kind);
}

/*
 * Takes the locks in turn and releases them, the first one first. Returns whether an order was
 * reported.
 */
static bool reports(enum lock_kind kind, const char *order)
{
	bool bad = true;

	if (setjmp(reported) == 0) {
		for (const char *at = order; *at; at++)
			take(*at - 'a', kind);
		bad = false;
	}
	for (const char *at = order; *at; at++)
		give(*at - 'a', kind);
	return bad;
}

/* As at the boot. */
static void forget(void)
{
	memset(classes, 0, sizeof(classes));
	memset(edge_of, 0, sizeof(edge_of));
	memset(spinlocks_of, 0, sizeof(spinlocks_of));
	memset(&task, 0, sizeof(task));
	nr_edges = stacks_printed = 0;
	off = false;
	report_text[0] = '\0';
}

CASE(pairs)
{
	forget();
	ok(!reports(LOCK_SPIN, "ab") && !reports(LOCK_SPIN, "ab") && nr_edges == 1,
	   "an order that is known is learnt once");
	ok(!reports(LOCK_SPIN, "b") && !reports(LOCK_SPIN, "a"), "one lock alone has no order");
	ok(reports(LOCK_SPIN, "ba") && stacks_printed == 1, "the other way around is reported");
	ok(strstr(report_text, "lock order: a is wanted under b") == report_text,
	   "the report names both: %s", report_text);
	ok(!reports(LOCK_SPIN, "ba"), "but only once");
}

CASE(circles)
{
	forget();
	ok(!reports(LOCK_MUTEX, "ab") && !reports(LOCK_MUTEX, "bc") && !reports(LOCK_MUTEX, "cd") &&
		   !reports(LOCK_MUTEX, "ad") && !reports(LOCK_MUTEX, "abcd"),
	   "a chain and its short cuts are an order");
	ok(reports(LOCK_MUTEX, "da"), "the end of a chain before its beginning is reported");
	forget();
	must(!reports(LOCK_MUTEX, "ab") && !reports(LOCK_MUTEX, "bc") &&
	     !reports(LOCK_MUTEX, "ef"));
	ok(reports(LOCK_MUTEX, "ca") && stacks_printed == 2,
	   "a circle of three is reported with the stacks of its other two edges");
}

CASE(classes)
{
	forget();
	ok(reports(LOCK_MUTEX, "aa"), "two locks of one class are reported");
	forget();
	lock_wanted(ordered[0], LOCK_MUTEX);
	lock_taken(&object[0], ordered[0], LOCK_MUTEX);
	lock_wanted(ordered[0], LOCK_MUTEX);
	lock_taken(&object[1], ordered[0], LOCK_MUTEX);
	ok(task.mutexes.nr == 2, "unless their class says how they are ordered");
	forget();
	take(0, LOCK_MUTEX);
	take(0, LOCK_SPIN);
	ok(nr_edges == 1, "a mutex and a spinlock of one name are two classes");
}

CASE(kinds)
{
	forget();
	must(!reports(LOCK_MUTEX, "a"));
	take(1, LOCK_SPIN);
	ok(reports(LOCK_MUTEX, "a") && strstr(report_text, "mutex a is wanted under spinlock b"),
	   "a mutex under a spinlock is reported");
	forget();
	lock_taken(&object[1], names[1], LOCK_SPIN);
	take(0, LOCK_SPIN);
	give(1, LOCK_SPIN);
	give(0, LOCK_SPIN);
	ok(edge_of[class_of(names[1], LOCK_SPIN)][class_of(names[0], LOCK_SPIN)] &&
		   spinlocks_of[0].nr == 0,
	   "a lock that was taken without waiting counts as held");
}
