/*
 * The search: every schedule of a scenario with at most so many preemptions, depth first.
 *
 * 1. A run is a sequence of decisions: who goes on, where a task came to a visible point or stopped; and
 *    with store buffers, whether a store is delayed and when it arrives. The first choice is always to go
 *    on; others cost one preemption if the task could have gone on. A search repeats the beginning of the
 *    run before and takes the next choice at its last decision that has one.
 * 2. Bounds are searched from 0 on, so that the first failure has the fewest preemptions. For a while
 *    the search goes on to find a shorter one.
 * 3. A schedule has a name that does not depend on what the search has learned: `a57.b12!.b40.~b12.a80`
 *    says that task a runs to its 57th point, b delays the store at its 12th and runs to its 40th,
 *    that the store then arrives, and that a runs to its 80th point. The rest goes by the first choice.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include "engine.h"

#define MAX_DECISIONS 20000
#define MAX_PRINTED   1500	/* events: the last ones of a run that does not end say why */
#define ARRIVES	      MAX_TASKS /* choice ARRIVES + i: the oldest delayed store of task i arrives */

extern struct scenario *__start_scenarios[], *__stop_scenarios[];

static struct decision {
	uint8_t chosen, nr;
	uint8_t choices[2 * MAX_TASKS];
	bool preempts[2 * MAX_TASKS];
} path[MAX_DECISIONS];
static int depth, prefix; /* decisions made; how many are repeated */
static int bound, used;	  /* preemptions */

bool run_failed;
static bool run_cut; /* it came to a state that is known */
static char failure[300];

/* ---- the name of a schedule ---- */

static struct leg {
	char kind; /* 'r' runs to a step, 'd' delays the store there, 'a' that store arrives */
	uint8_t task;
	uint32_t step;
} legs[MAX_DECISIONS], given[MAX_DECISIONS];
static int nr_legs, nr_given, at_given;
static bool repeats;

bool repeating(void)
{
	return repeats;
}

static void add_leg(char kind, int task, uint32_t step)
{
	struct leg *last = nr_legs ? &legs[nr_legs - 1] : NULL;

	if (kind == 'r' && last && last->kind == 'r' && last->task == task)
		last->step = step;
	else if (nr_legs < MAX_DECISIONS)
		legs[nr_legs++] = (struct leg){ kind, task, step };
}

static void print_schedule(FILE *out)
{
	fprintf(out, "SCHEDULE ");
	for (int i = 0; i < nr_legs; i++) {
		const struct leg *leg = &legs[i];

		fprintf(out, "%s%s%c%u%s", i ? "." : "", leg->kind == 'a' ? "~" : "",
			'a' + leg->task, (unsigned int)leg->step, leg->kind == 'd' ? "!" : "");
	}
	fprintf(out, "\n");
}

static void parse_schedule(const char *text)
{
	while (*text && nr_given < MAX_DECISIONS) {
		struct leg *leg = &given[nr_given++];
		char *end;

		leg->kind = *text == '~' ? 'a' : 'r';
		text += *text == '~';
		leg->task = *text - 'a';
		leg->step = strtoul(text + 1, &end, 10);
		if (*end == '!') {
			leg->kind = 'd';
			end++;
		}
		if (leg->task >= MAX_TASKS || (*end && *end != '.') || end == text + 1) {
			fprintf(stderr, "explore: not the name of a schedule\n");
			exit(2);
		}
		text = *end ? end + 1 : end;
	}
	repeats = true;
}

bool repeated_switch(void)
{
	const struct leg *leg = &given[at_given];

	return at_given < nr_given && leg->kind == 'r' && leg->step == coroutines[running].steps;
}

/* ---- failing ---- */

/* Where a check goes on that ran into something broken. */
static sigjmp_buf after_check;
static bool checking;

static void note_failure(const char *format, va_list args)
{
	if (!run_failed)
		vsnprintf(failure, sizeof(failure), format, args);
	run_failed = true;
	while (running >= 0)
		coroutine_yield();
}

void ex_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_failure(format, args);
	va_end(args);
}

static void end_if_setup_failed(void)
{
	if (!run_failed)
		return;
	printf("FOUND setup 0 0\nFAILURE setup: %s\nSCHEDULE -\n", failure);
	exit(1);
}

void ex_panic(const char *format, va_list args)
{
	char line[200];

	snprintf(line, sizeof(line), "panic: %s", format);
	note_failure(line, args);
	if (checking)
		siglongjmp(after_check, 1);
	end_if_setup_failed();
	abort();
}

/* The kernel calls a function that is neither in a listed file nor in the shim: tests/explore/run */
void ex_missing(const char *name)
{
	if (running < 0) {
		fprintf(stderr, "explore: the shim has no %s()\n", name);
		exit(3);
	}
	ex_fail("the shim has no %s()", name);
}

/* A bad address of the kernel's files, or of the scenario's. */
static void bad_address(int signal, siginfo_t *info, void *context)
{
	if (checking) {
		ex_fail("the check comes to a bad address, %p", info->si_addr);
		siglongjmp(after_check, 1);
	}
	if (running < 0) {
		static const char text[] = "explore: a bad address outside of all tasks\n";

		fwrite(text, 1, sizeof(text) - 1, stderr);
		_exit(3);
	}
	finish_access();
	ex_fail("bad address %p", info->si_addr);
}

static void catch_bad_addresses(void)
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = bad_address,
				    .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
}

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
	} else if (decision->nr != now->nr) {
		fprintf(stderr, "explore: a repeated run differs\n");
		exit(3);
	}
	depth++;
	used += decision->preempts[decision->chosen];
	return decision->choices[decision->chosen];
}

/* Have the task's stores up to that step arrived? */
static bool stored_before(int task, uint32_t step)
{
	const struct coroutine *c = &coroutines[task];

	return c->nr_delayed == 0 || c->delayed[0].step > step;
}

static int decide_repeated(const struct decision *now, int last)
{
	int choice;

	while (at_given < nr_given) {
		const struct leg *leg = &given[at_given];

		if (leg->kind == 'r' && leg->step <= coroutines[leg->task].steps) {
			at_given++;
			continue;
		}
		if (leg->kind == 'a' && stored_before(leg->task, leg->step)) {
			at_given++;
			continue;
		}
		choice = leg->kind == 'a' ? ARRIVES + leg->task : leg->task;
		for (int i = 0; i < now->nr; i++)
			if (now->choices[i] == choice)
				return choice;
		fprintf(stderr,
			"explore: this schedule is of another scenario, or of another kernel\n");
		exit(2);
	}
	return now->choices[0];
}

bool choose_delay(void)
{
	struct decision *decision = &path[depth];
	uint32_t step = coroutines[running].steps;
	bool delay;

	if (repeats) {
		const struct leg *leg = &given[at_given];

		delay = at_given < nr_given && leg->kind == 'd' && leg->task == running &&
			leg->step == step;
		at_given += delay;
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
		add_leg('d', running, step);
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

static void run_tasks(void)
{
	int last = -1;

	while (!run_failed) {
		struct decision now;
		int choice;

		offer_all(&now, last);
		if (now.nr == 0)
			return;
		choice = repeats ? decide_repeated(&now, last) : decide(&now, last);
		if (choice < 0) {
			run_cut = true;
			return;
		}
		if (choice >= ARRIVES) {
			add_leg('a', choice - ARRIVES, delayed_arrives(choice - ARRIVES));
			continue;
		}
		last = choice;
		coroutine_resume(choice);
		add_leg('r', choice, coroutines[choice].steps);
	}
}

static void run(void)
{
	state_restore();
	coroutines_reset();
	nr_events = depth = used = nr_legs = at_given = 0;
	writes = 0;
	run_failed = run_cut = false;
	exploring = true;
	run_tasks();
	exploring = false;
	if (run_failed || run_cut)
		return;
	fail_asleep();
	checking = !run_failed && scenario->check && sigsetjmp(after_check, 0) == 0;
	if (checking)
		scenario->check();
	checking = false;
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

/* ---- what is printed: one fact a line, for tests/explore/run ---- */

static void print_failure(FILE *out)
{
	int first = nr_events > MAX_PRINTED ? nr_events - MAX_PRINTED : 0;

	fprintf(out, "FAILURE %s\n", failure);
	fprintf(out, "PREEMPTIONS %d\n", used);
	print_schedule(out);
	for (int i = 0; i < nr_tasks; i++) {
		char *from, *to;

		coroutine_stack(i, &from, &to);
		fprintf(out, "TASK %s %p\n", coroutines[i].task->name, to);
	}
	objects_print(out);
	if (first)
		fprintf(out, "EVENT %u %u 0 0 0 0 0|(%d steps before these are left out)\n",
			events[first].task, EV_NOTE, first);
	for (int i = first; i < nr_events; i++) {
		const struct event *event = &events[i];

		fprintf(out, "EVENT %u %u %08x %08x %u %x %u|%s\n", event->task, event->kind,
			(unsigned int)event->pc, (unsigned int)event->address, event->size,
			(unsigned int)event->value, event->delayed, event->text ? event->text : "");
	}
}

/* Of the CPU, so that a busy host does not matter. */
static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* A failure is kept as text, since the search goes on to find a shorter one. */
static char *kept;
static int kept_events;

static void keep_failure(void)
{
	size_t size;
	FILE *out;

	if (kept && nr_events >= kept_events)
		return;
	free(kept);
	kept_events = nr_events;
	out = open_memstream(&kept, &size);
	if (!out)
		return;
	print_failure(out);
	fclose(out);
}

/* ---- searching ---- */

static double deadline, shorten = 1.0;

/* All schedules with `bound` preemptions: how many runs; a failure is in `kept`. */
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
			if (!kept && now() + shorten < until)
				until = now() + shorten;
			keep_failure();
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
	while (grown && in_time && !kept);
	if (kept)
		printf("FOUND %d %lu %.2f\n%s", bound, runs, now() - start, kept);
	else
		printf("%s %d %lu %.2f %lu\n", in_time ? "CLEAN" : "LATE", bound, runs,
		       now() - start, nr_states);
	return kept || !in_time;
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
		keep_failure();
	printf("%s random %lu %.2f\n%s", run_failed ? "FOUND" : "CLEAN", runs, now() - start,
	       kept ? kept : "");
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
	keep_failure();
	printf("FOUND repeated 1 0\n%s", kept);
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
	catch_bad_addresses();
	while (nr_tasks < MAX_TASKS && scenario->tasks[nr_tasks].run)
		nr_tasks++;
	ex_shim_init();
	scenario->setup();
	end_if_setup_failed();
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
		parse_schedule(schedule);
		return repeat();
	}
	return seed ? search_random(atoi(seed)) : search_all(max);
}
