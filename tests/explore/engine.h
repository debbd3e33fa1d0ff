/*
 * The engine's own interface: coroutines, accesses, clocks, the store buffer, the state and the search. One
 * thread of the host runs it all, so nothing here needs a lock.
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
	struct delayed_store delayed[128], pending[64];
	int nr_delayed, nr_pending;
};

extern struct coroutine coroutines[MAX_TASKS];
extern int nr_tasks, running; /* running: -1 outside of all tasks */
extern const struct scenario *scenario;

/* Give each task a fresh stack. */
void coroutines_reset(void);
/* Run a task until it comes back. */
void coroutine_resume(int task);
/* Back to the search; returns when the search resumes the task. */
void coroutine_yield(void);
/* The part of a task's stack that is in use. */
void coroutine_stack(int task, char **from, char **to);
/*
 * Of a task, or of the program: there the setup and the check run, whose variables are gone by the next
 * run.
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
	uint32_t run;
	int last_writer;
	struct access write, reads[MAX_TASKS];
	uint32_t released[MAX_TASKS];
};
void clocks_access(struct word *word, uint32_t address, unsigned int size, enum event_kind kind,
		   uint32_t pc);
void clocks_acquire(const struct word *from);
void clocks_release(struct word *to);
/* The running task and another one: what each has done comes before what the other one does next. */
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
/* Words that became visible in the last search are so in the next one. */
void state_show_grown(void);
/* Was the present state reached before, with as many preemptions left? last: the task that ran. */
bool state_seen(int last, int preemptions_left);
void state_forget(void);
/* Has something changed that nobody announced? */
void state_check(void);
extern unsigned long nr_states;
void objects_print(FILE *out);

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
/* The oldest one of a task that does not run reaches memory; returns the step at which it was stored. */
uint32_t delayed_arrives(int task);
/* All of the running task's, in order; others may run first. */
void delayed_drain(void);

/* ---- search.c ---- */

extern bool run_failed;
/* One of two, of which the second costs a preemption. */
bool choose_delay(void);
/* In a repeated run: does the task leave the CPU at this step? */
bool repeated_switch(void);
bool repeating(void);

#endif
