/*
 * The search: every schedule of a scenario with at most so many preemptions, depth first.
 *
 * 1. A run is a sequence of decisions: who goes on, where a task came to a visible point or
 *    stopped; and with store buffers, whether a store is delayed and when it arrives. The first
 *    choice is always to go on; others cost one preemption if the task could have gone on. A search
 *    repeats the beginning of the run before and takes the next choice at its last decision that
 *    has one.
 * 2. Bounds are searched from 0 on, so that the first failure has the fewest preemptions. For a
 *    while the search goes on to find a shorter one.
 * 3. The next run begins at the deepest checkpoint that it shares with the run before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "engine.h"

#define MAX_DECISIONS 20000

extern struct scenario *__start_scenarios[], *__stop_scenarios[];

static struct decision {
	uint8_t chosen, nr;
	uint8_t choices[2 * MAX_TASKS];
	bool preempts[2 * MAX_TASKS];
	/* what the search knew before it, for the next run, which may begin here */
	int used, last;
	struct schedule_end schedule;
} path[MAX_DECISIONS];
static int depth, prefix; /* decisions made; how many are repeated */
static int bound, used;	  /* preemptions */

static bool run_cut; /* it came to a state that is known */

/* ---- deciding ---- */

static uint32_t random_state;
static bool at_random;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static bool enabled(int task)
{
	const struct coroutine *c = &coroutines[task];

	switch (c->status) {
	case READY:
		return true;
	case WANTS_LOCK:
		return lock_is_free(c->waits_for);
	case ASLEEP:
		return *(volatile uint32_t *)c->waits_for == 0;
	case RELAXES:
		return c->writes_seen != writes;
	default:
		return false;
	}
}

/* Is it enough to start the task after the one before it, of which it is the mirror image? */
static bool waits_for_twin(int task)
{
	return scenario->tasks[task].twin && coroutines[task].steps == 0 &&
	       coroutines[task - 1].steps == 0 && coroutines[task - 1].status != OVER;
}

static void offer(struct decision *decision, int choice, bool preempts)
{
	if (preempts && used >= bound)
		return;
	decision->preempts[decision->nr] = preempts;
	decision->choices[decision->nr++] = choice;
}

static void offer_all(struct decision *decision, int last)
{
	bool on = last >= 0 && enabled(last);

	decision->nr = 0;
	if (on)
		offer(decision, last, false);
	for (int i = 0; i < nr_tasks; i++)
		if (i != last && enabled(i) && !waits_for_twin(i))
			offer(decision, i, on);
	on = decision->nr > 0;
	for (int i = 0; i < nr_tasks; i++)
		if (coroutines[i].nr_delayed > 0)
			offer(decision, ARRIVES + i, on);
}

/* The next run with the same beginning can go on here. */
static void keep_decision(struct decision *decision, int last)
{
	decision->used = used;
	decision->last = last;
	decision->schedule = schedule_end();
	checkpoint_take(depth);
}

/* Goes back to a decision up to the last one that is repeated. Returns false if none was kept. */
static bool back_to_decision(int *last)
{
	const struct decision *decision;
	int at = prefix ? checkpoint_restore(prefix - 1) : -1;

	if (at < 0)
		return false;
	decision = &path[at];
	depth = at;
	used = decision->used;
	*last = decision->last;
	schedule_shorten(decision->schedule);
	return true;
}

/* The choice of the decision that comes now; -1: what follows is known. */
//BOOK: explore-decide
static int decide(struct decision *now, int last)
{
	struct decision *decision = &path[depth];

	if (now->nr == 1)
		return now->choices[0];
	if (at_random)
		return now->choices[random_below(8) ? 0 : random_below(now->nr)];
	if (depth >= prefix) {
		if (depth == MAX_DECISIONS - 1) {
			ex_fail("the run does not end");
			return now->choices[0];
		}
		if (state_seen(last, bound - used))
			return -1;
		*decision = *now;
		decision->chosen = 0;
		keep_decision(decision, last);
	} else if (decision->nr != now->nr) {
		fprintf(stderr, "explore: a repeated run differs\n");
		exit(3);
	}
	depth++;
	used += decision->preempts[decision->chosen];
	return decision->choices[decision->chosen];
}

bool choose_delay(void)
{
	struct decision *decision = &path[depth];
	bool delay;

	if (repeating()) {
		delay = repeated_delay();
	} else if (at_random) {
		delay = random_below(4) == 0;
	} else if (used >= bound || depth == MAX_DECISIONS - 1) {
		return false;
	} else {
		if (depth >= prefix)
			*decision = (struct decision){ .nr = 2, .preempts = { false, true } };
		delay = decision->chosen;
		used += delay;
		depth++;
	}
	if (delay)
		schedule_add('d', running, coroutines[running].steps);
	return delay;
}

/* ---- one run ---- */

static void fail_asleep(void)
{
	char text[200] = "";
	size_t n = 0;

	for (int i = 0; i < nr_tasks; i++) {
		const struct coroutine *c = &coroutines[i];

		if (c->status == WANTS_LOCK)
			n += snprintf(text + n, sizeof(text) - n, " %s (spinlock %s)",
				      c->task->name, lock_name(c->waits_for));
		else if (c->status != OVER)
			n += snprintf(text + n, sizeof(text) - n, " %s", c->task->name);
	}
	if (n > 0)
		ex_fail("waits for ever:%s", text);
}

static void run_tasks(int last)
{
	while (!run_failed) {
		struct decision now;
		int choice;

		offer_all(&now, last);
		if (now.nr == 0)
			return;
		choice = repeating() ? repeated_choice(now.choices, now.nr) : decide(&now, last);
		if (choice < 0) {
			run_cut = true;
			return;
		}
		if (choice >= ARRIVES) {
			schedule_add('a', choice - ARRIVES, delayed_arrives(choice - ARRIVES));
			continue;
		}
		last = choice;
		coroutine_resume(choice);
		schedule_add('r', choice, coroutines[choice].steps);
	}
}

static void begin(void)
{
	state_restore();
	coroutines_reset();
	checkpoints_forget();
	schedule_begin();
	nr_events = depth = used = 0;
	writes = 0;
}

static void run(void)
{
	int last = -1;

	if (!back_to_decision(&last))
		begin();
	run_failed = run_cut = false;
	exploring = true;
	run_tasks(last);
	exploring = false;
	if (run_failed || run_cut)
		return;
	fail_asleep();
	if (!run_failed && scenario->check)
		failure_check(scenario->check);
}

/* To the last decision that has another choice. */
static bool next_path(void)
{
	for (; depth > 0; depth--) {
		struct decision *decision = &path[depth - 1];

		if (++decision->chosen < decision->nr) {
			prefix = depth;
			return true;
		}
	}
	return false;
}

/* Of the CPU, so that a busy host does not matter. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* ---- searching ---- */

static double deadline, shorten = 1.0;

/*
 * Runs all schedules with `bound` preemptions, and returns how many they were. If one fails, it is
 * in failure_kept.
 */
static unsigned long search(bool *in_time)
{
	unsigned long runs = 0;
	double until = deadline;

	prefix = 0;
	*in_time = true;
	state_forget();
	state_show_grown();
	do {
		run();
		runs++;
		if (run_failed) {
			if (!failure_kept && now() + shorten < until)
				until = now() + shorten;
			failure_keep(used);
		}
		if (grown && runs > 1000)
			break; /* begin again, with more places to switch at */
		if (runs % 64 == 0 && now() > until) {
			*in_time = false;
			break;
		}
	} while (next_path());
	state_check();
	return runs;
}

static int search_bound(double start)
{
	unsigned long runs;
	bool in_time;

	do
		runs = search(&in_time);
	while (grown && in_time && !failure_kept);
	if (failure_kept)
		printf("FOUND %d %lu %.2f\n%s", bound, runs, now() - start, failure_kept);
	else
		printf("%s %d %lu %.2f %lu\n", in_time ? "CLEAN" : "LATE", bound, runs,
		       now() - start, nr_states);
	return failure_kept || !in_time;
}

static int search_all(int max)
{
	double start = now();
	int status = 0;

	for (bound = 0; bound <= max && !status; bound++)
		status = search_bound(start);
	objects_print(stdout);
	races_print();
	return status;
}

/* Schedules with any number of preemptions, drawn at random. */
static int search_random(uint32_t seed)
{
	double start = now();
	unsigned long runs = 0;

	bound = 1 << 20;
	random_state = seed;
	at_random = true;
	while (!run_failed && (++runs % 64 || now() < deadline)) {
		state_show_grown();
		run();
	}
	if (run_failed)
		failure_keep(used);
	printf("%s random %lu %.2f\n%s", run_failed ? "FOUND" : "CLEAN", runs, now() - start,
	       failure_kept ? failure_kept : "");
	races_print();
	return run_failed;
}

static int repeat(void)
{
	bound = 1 << 20;
	run();
	if (!run_failed) {
		printf("CLEAN repeated 1 0 0\n");
		return 0;
	}
	failure_keep(used);
	printf("FOUND repeated 1 0\n%s", failure_kept);
	return 1;
}

static int list(void)
{
	for (struct scenario **s = __start_scenarios; s < __stop_scenarios; s++)
		printf("%s %s\n", (*s)->name, (*s)->about);
	return 0;
}

static void prepare(void)
{
	size_t size = EX_POOL_PAGES * 4096;

	if (mmap((void *)EX_POOL, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (void *)EX_POOL) {
		perror("explore: the place of the kernel's direct map");
		exit(3);
	}
	failure_catch_bad_addresses();
	while (nr_tasks < MAX_TASKS && scenario->tasks[nr_tasks].run)
		nr_tasks++;
	ex_shim_init();
	scenario->setup();
	failure_ends_setup();
	state_snapshot();
}

int main(int argc, char **argv)
{
	const char *name = NULL, *schedule = NULL, *seed = NULL;
	double seconds = 60;
	int max = 2;

	program_stack = (uint32_t)__builtin_frame_address(0);
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "-l"))
			return list();
		if (!strcmp(argv[i], "--tso")) {
			store_buffers = true;
			continue;
		}
		if (argv[i][0] != '-') {
			name = argv[i];
			continue;
		}
		if (!strcmp(argv[i], "--bound"))
			max = atoi(value);
		else if (!strcmp(argv[i], "--seconds"))
			seconds = atof(value);
		else if (!strcmp(argv[i], "--shorten"))
			shorten = atof(value);
		else if (!strcmp(argv[i], "--random"))
			seed = value;
		else if (!strcmp(argv[i], "--schedule"))
			schedule = value;
		i++;
	}
	for (struct scenario **s = __start_scenarios; s < __stop_scenarios; s++)
		if (name && !strcmp((*s)->name, name))
			scenario = *s;
	if (!scenario) {
		fprintf(stderr, "explore: no such scenario\n");
		return 2;
	}
	prepare();
	deadline = now() + seconds;
	if (schedule) {
		schedule_parse(schedule);
		return repeat();
	}
	return seed ? search_random(atoi(seed)) : search_all(max);
}
