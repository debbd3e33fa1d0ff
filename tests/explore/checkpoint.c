/*
 * Checkpoints: at its decisions, a run keeps what it has come to, so that the next run, which
 * shares the beginning, can go on there.
 *
 * 1. A checkpoint has the values of all words that change, and each task's stack and coroutine.
 *    What belongs to a task is kept again only if it has changed since the checkpoint before. Other
 *    tasks change a stack, too, where a structure lies in which they wake its task.
 * 2. What a word knows of the run (clocks.c) is kept when it changes for the first time after a
 *    checkpoint, and put back in the opposite order.
 * 3. Checkpoints are a stack: going back to one forgets those above it. What they keep lies in one
 *    piece of memory in the same order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

#define MAX_CHECKPOINTS 4096 /* of one run; what is deeper is repeated */

static struct checkpoint {
	int decision;
	unsigned long writes;
	int nr_events;
	size_t values, tasks[MAX_TASKS]; /* where they are kept */
	unsigned int nr_values;
	size_t end; /* of what is kept */
	size_t nr_changed;
} checkpoints[MAX_CHECKPOINTS];
static int nr_checkpoints;

static bool changed_task[MAX_TASKS]; /* since the last checkpoint */

static char *kept;
static size_t kept_size, kept_end;

/* What a word knew at the checkpoint before. */
static struct changed_word {
	struct word *word;
	struct word before;
} * changed;
static size_t changed_size, nr_changed;
uint32_t checkpoint_epoch;

static void *more(void *old, size_t size)
{
	void *new = realloc(old, size);

	if (!new) {
		fprintf(stderr, "explore: no memory for so many checkpoints\n");
		exit(3);
	}
	return new;
}

/* Room for so many bytes more: where it is kept. */
static size_t keep(size_t size)
{
	size_t at = kept_end;

	kept_end += (size + 3) & ~3u;
	if (kept_end > kept_size)
		kept = more(kept, kept_size = 2 * kept_end);
	return at;
}

/* Keeps the part of the stack that is in use, and the coroutine up to its last delayed store. */
static size_t keep_task(int task)
{
	const struct coroutine *c = &coroutines[task];
	size_t size = offsetof(struct coroutine, delayed) + c->nr_delayed * sizeof(c->delayed[0]);
	char *from, *to;
	size_t at;

	coroutine_stack(task, &from, &to);
	at = keep(sizeof(size) + size + (to - from));
	memcpy(kept + at, &size, sizeof(size));
	memcpy(kept + at + sizeof(size), c, size);
	memcpy(kept + at + sizeof(size) + size, from, to - from);
	return at;
}

/* Where the stack is kept. */
static char *kept_stack(size_t at)
{
	return kept + at + sizeof(size_t) + *(size_t *)(kept + at);
}

/* Of a task that has not run since then. */
static bool stack_is_kept(int task, size_t at)
{
	char *from, *to;

	coroutine_stack(task, &from, &to);
	return !memcmp(from, kept_stack(at), to - from);
}

static void put_task(int task, size_t at, bool has_run)
{
	char *from, *to;

	if (has_run) {
		coroutine_clear_stack(task);
		memcpy(&coroutines[task], kept + at + sizeof(size_t), *(size_t *)(kept + at));
	}
	coroutine_stack(task, &from, &to);
	memcpy(from, kept_stack(at), to - from);
}

void checkpoints_forget(void)
{
	nr_checkpoints = 0;
	kept_end = nr_changed = 0;
	checkpoint_epoch++;
	memset(changed_task, true, sizeof(changed_task));
}

void checkpoint_task(int task)
{
	changed_task[task] = true;
}

void checkpoint_word(struct word *word)
{
	word->epoch = checkpoint_epoch;
	if (nr_checkpoints == 0)
		return;
	if (nr_changed == changed_size)
		changed =
			more(changed, (changed_size = 2 * changed_size + 1024) * sizeof(*changed));
	changed[nr_changed++] = (struct changed_word){ word, *word };
}

void checkpoint_take(int decision)
{
	struct checkpoint *now = &checkpoints[nr_checkpoints];

	if (nr_checkpoints == MAX_CHECKPOINTS)
		return;
	*now = (struct checkpoint){ .decision = decision,
				    .writes = writes,
				    .nr_events = nr_events,
				    .nr_values = state_size(),
				    .nr_changed = nr_changed };
	for (int i = 0; i < nr_tasks; i++)
		now->tasks[i] = !changed_task[i] && stack_is_kept(i, now[-1].tasks[i])
					? now[-1].tasks[i]
					: keep_task(i);
	now->values = keep(now->nr_values * sizeof(uint32_t));
	state_copy((uint32_t *)(kept + now->values));
	now->end = kept_end;
	nr_checkpoints++;
	checkpoint_epoch++;
	memset(changed_task, false, sizeof(changed_task));
}

int checkpoint_restore(int decision)
{
	const struct checkpoint *then;
	bool changed_since[MAX_TASKS];

	memcpy(changed_since, changed_task, sizeof(changed_since));
	while (nr_checkpoints > 0 && checkpoints[nr_checkpoints - 1].decision > decision) {
		nr_checkpoints--;
		for (int i = 0; i < nr_tasks && nr_checkpoints > 0; i++)
			changed_since[i] |= checkpoints[nr_checkpoints].tasks[i] !=
					    checkpoints[nr_checkpoints - 1].tasks[i];
	}
	if (nr_checkpoints == 0)
		return -1;
	then = &checkpoints[nr_checkpoints - 1];
	for (int i = 0; i < nr_tasks; i++)
		put_task(i, then->tasks[i], changed_since[i]);
	state_put((const uint32_t *)(kept + then->values), then->nr_values);
	while (nr_changed > then->nr_changed) {
		const struct changed_word *last = &changed[--nr_changed];
		size_t start = offsetof(struct word, run);

		memcpy((char *)last->word + start, (const char *)&last->before + start,
		       sizeof(struct word) - start);
	}
	kept_end = then->end;
	writes = then->writes;
	nr_events = then->nr_events;
	checkpoint_epoch++;
	memset(changed_task, false, sizeof(changed_task));
	return then->decision;
}
