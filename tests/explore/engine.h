/*
 * The engine's own interface: coroutines, accesses, clocks, the state, checkpoints, the store
 * buffer, schedules, failures and the search. One thread of the host runs it all, so nothing here
 * needs a lock.
 */
#ifndef EXPLORE_ENGINE_H
#define EXPLORE_ENGINE_H

#include <stdio.h>
#include "explore.h"

#define MAX_WORDS  (1u << 16) /* distinct words that a scenario touches */
#define MAX_EVENTS 20000      /* of one run; more of them is a run that does not end */
#define MAX_STEPS  20000 /* of one task in one run; the same for a loop that nobody else sees */

/* ---- coroutine.c ---- */

enum status { READY, WANTS_LOCK, ASLEEP, RELAXES, OVER };

struct delayed_store {
	uint32_t address, size, value;
	uint32_t others; /* what the other tasks see there, while this one runs */
	uint32_t step;	 /* of the task that stored */
};

struct coroutine {
	uint32_t stack_pointer;
	enum status status;
	void *waits_for; /* the spinlock, or the state that becomes 0 */
	unsigned long writes_seen;
	const struct task_of_scenario *task;
	uint32_t held;		   /* spinlocks, by number */
	uint32_t steps;		   /* points passed, visible or not: names a place in a run */
	uint32_t clock[MAX_TASKS]; /* what it has seen of the others */
	bool copies;		   /* a structure has been announced as written */
	int unfinished_event;	   /* the first one whose value is not known yet; -1 */
	int nr_delayed, nr_pending;
	struct delayed_store pending[64], delayed[128];
};

extern struct coroutine coroutines[MAX_TASKS];
extern int nr_tasks, running; /* running: -1 outside of all tasks */
extern const struct scenario *scenario;

extern const char *stack_end; /* how far down the running task has used its stack */

/* Give each task a fresh stack. */
void coroutines_reset(void);
/* Run a task until it comes back. */
void coroutine_resume(int task);
/* Back to the search; returns when the search resumes the task. */
void coroutine_yield(void);
/* The part of a task's stack that is in use. All below it is zero while the task does not run. */
void coroutine_stack(int task, char **from, char **to);
void coroutine_clear_stack(int task);
/* The running task's stack is in use down to here. */
static inline void coroutine_reaches(const void *here)
{
	if ((const char *)here < stack_end)
		stack_end = here;
}
/*
 * Of a task, or of the program: there the setup and the check run, whose variables are gone by the
 * next run.
 */
bool on_a_stack(uint32_t address);
/* Where the program's stack ends that is in use outside of tasks. */
extern uint32_t program_stack;
/* Of the running task. */
bool on_own_stack(uint32_t address);

/* ---- memory.c ---- */

struct event {
	uint8_t task, kind, size, delayed;
	uint32_t pc, address, value;
	const char *text;
};
extern struct event events[MAX_EVENTS];
extern int nr_events;
extern bool exploring;	     /* tasks run */
extern unsigned long writes; /* visible ones, in this run */
void note_event(enum event_kind kind, uint32_t address, unsigned int size, uint32_t pc);
/* The last access of the running task has happened: note what it left there. */
void finish_access(void);
/* A place where another task may go on; `visible`: it can make a difference. */
void point(bool visible);
void access_at(uint32_t address, unsigned int size, enum event_kind kind, uint32_t pc);
static inline bool is_write(enum event_kind kind)
{
	return kind == EV_WRITE || kind == EV_MARKED_WRITE || kind == EV_ATOMIC;
}
#define CALLER ((uint32_t)__builtin_return_address(0))

/* ---- spinlock.c ---- */

struct spinlock { /* as shadow/kernel/spinlock.h has it */
	void *owner;
	const char *name;
};
bool lock_is_free(const void *lock);
const char *lock_name(const void *lock);

/* ---- clocks.c ---- */

struct access {
	uint32_t clock, pc;
	uint8_t kind, bytes; /* mask of the word's bytes */
};

struct word {
	uint32_t address; /* of 4 bytes */
	/* what a search has learned */
	uint32_t initial;
	bool changes; /* differs from run to run */
	uint8_t tasks, writers;
	bool visible, becomes_visible;
	uint32_t locks; /* held at every access */
	/* of one run, see clocks.c */
	uint32_t epoch; /* kept since the checkpoint before */
	uint32_t run;
	int last_writer;
	struct access write, reads[MAX_TASKS];
	uint32_t released[MAX_TASKS];
};
void clocks_access(struct word *word, uint32_t address, unsigned int size, enum event_kind kind,
		   uint32_t pc);
void clocks_acquire(const struct word *from);
void clocks_release(struct word *to);
/*
 * The running task and another one: what each has done comes before what the other one does next.
 */
void clocks_meet(int task);
void races_print(void);
extern bool watch_races;

/* ---- state.c ---- */

extern uint32_t run_number;
extern bool grown; /* a word has become visible */
struct word *word_of(uint32_t address);
/* The word is about to change. */
void word_changes(struct word *word);
bool forbidden(uint32_t address);
void state_snapshot(void);
void state_restore(void);
/* How many words change, as far as is known, and their present values. */
unsigned int state_size(void);
void state_copy(uint32_t *values);
/* Puts back so many values; the words that have joined since then get their initial ones. */
void state_put(const uint32_t *values, unsigned int nr);
/* Words that became visible in the last search are so in the next one. */
void state_show_grown(void);
/* Was the present state reached before, with as many preemptions left? last: the task that ran. */
bool state_seen(int last, int preemptions_left);
void state_forget(void);
/* Has something changed that nobody announced? */
void state_check(void);
extern unsigned long nr_states;
void objects_print(FILE *out);

/* ---- checkpoint.c ---- */

/* A run begins: no checkpoint is left. */
void checkpoints_forget(void);
/* The present state, where no task runs, is kept as that of a decision, deeper than all others. */
void checkpoint_take(int decision);
/*
 * Back to the state of the deepest decision up to this one that has kept it. Returns this decision;
 * -1 if there is none.
 */
int checkpoint_restore(int decision);
/* The task's stack or its coroutine has changed, or is about to. */
void checkpoint_task(int task);
/* What a word knows of the run is about to change. */
extern uint32_t checkpoint_epoch;
void checkpoint_word(struct word *word);

/* ---- store_buffer.c ---- */

extern bool store_buffers;
/* The running task comes, or goes: its delayed stores are to be seen by it alone. */
void delayed_show(struct coroutine *c);
void delayed_hide(struct coroutine *c);
/* The running task is about to store: later, if the search says so. */
void delay_store(uint32_t address, unsigned int size);
void delay_unlock(struct spinlock *lock);
/* The stores that were begun since the last callback are known now. */
void delayed_settle(struct coroutine *c);
/*
 * The oldest one of a task that does not run reaches memory; returns the step at which it was
 * stored.
 */
uint32_t delayed_arrives(int task);
/* All of the running task's, in order; others may run first. */
void delayed_drain(void);

/* ---- schedule.c ---- */

#define ARRIVES MAX_TASKS /* choice ARRIVES + i: the oldest delayed store of task i arrives */

struct leg {
	char kind; /* 'r' runs to a step, 'd' delays the store there, 'a' that store arrives */
	uint8_t task;
	uint32_t step;
};
struct schedule_end {
	int nr_legs;
	struct leg last; /* of which only the step may change */
};
/* The present run's schedule. */
void schedule_begin(void);
void schedule_add(char kind, int task, uint32_t step);
struct schedule_end schedule_end(void);
void schedule_shorten(struct schedule_end end);
void schedule_print(FILE *out);
/* The schedule that this run repeats; exits if it has none of that name. */
void schedule_parse(const char *text);
bool repeating(void);
/* Does the task leave the CPU at this step, or delay the store there? */
bool repeated_switch(void);
bool repeated_delay(void);
/* Which of these choices the schedule makes. */
int repeated_choice(const uint8_t *choices, int nr);

/* ---- failure.c ---- */

extern bool run_failed;
/* The shortest run that has failed, as it is printed: the search goes on to find a shorter one. */
extern char *failure_kept;
void failure_keep(int preemptions);
/* Exits if the setup has failed. */
void failure_ends_setup(void);
void failure_catch_bad_addresses(void);
/* Calls the scenario's check, which may fail in the middle. */
void failure_check(void (*check)(void));

/* ---- search.c ---- */

/* One of two, of which the second costs a preemption. */
bool choose_delay(void);

#endif
