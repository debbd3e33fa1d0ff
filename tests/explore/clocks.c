/*
 * Vector clocks: two accesses to one byte, one of them a write, by two tasks, are a race if nothing
 * orders them, unless both are marked (READ_ONCE, WRITE_ONCE, volatile, atomic).
 *
 * 1. Each task counts its releases; its clock says what it has seen of the others. A spinlock, an
 *    atomic operation and a wakeup order what comes before and after. On x86 every store is a
 *    release and every load an acquire, and a marked access stops the compiler from making more of
 *    it.
 * 2. Words have byte masks, so that neighbours are not mistaken for each other.
 */
#include <stdio.h>
#include <string.h>
#include "engine.h"

#define MAX_RACES 100

static struct race {
	struct access first, second;
	uint32_t address, count;
} races[MAX_RACES];
static int nr_races;
bool watch_races = true;

static void race(const struct access *first, const struct access *second, uint32_t address)
{
	for (int i = 0; i < nr_races; i++) {
		if (races[i].first.pc == first->pc && races[i].second.pc == second->pc) {
			races[i].count++;
			return;
		}
	}
	if (nr_races < MAX_RACES)
		races[nr_races++] = (struct race){ *first, *second, address, 1 };
}

static void join(uint32_t *to, const uint32_t *from)
{
	for (int i = 0; i < MAX_TASKS; i++)
		if (from[i] > to[i])
			to[i] = from[i];
}

void clocks_acquire(const struct word *from)
{
	if (from->run == run_number)
		join(coroutines[running].clock, from->released);
}

void clocks_release(struct word *to)
{
	struct coroutine *c = &coroutines[running];

	join(to->released, c->clock);
	c->clock[running]++;
}

void clocks_meet(int task)
{
	struct coroutine *me = &coroutines[running], *other = &coroutines[task];

	checkpoint_task(task);
	join(me->clock, other->clock);
	join(other->clock, me->clock);
	me->clock[running]++;
	other->clock[task]++;
}

static bool marked(const struct access *access)
{
	return access->kind >= EV_MARKED_READ;
}

static bool unordered(const struct access *before, int task, const struct access *now)
{
	return task != running && before->bytes & now->bytes &&
	       before->clock > coroutines[running].clock[task] && !(marked(before) && marked(now));
}

void clocks_access(struct word *word, uint32_t address, unsigned int size, enum event_kind kind,
		   uint32_t pc)
{
	struct coroutine *c = &coroutines[running];
	struct access now = { c->clock[running], pc, kind, ((1u << size) - 1) << (address & 3) };

	if (marked(&now) && kind != EV_MARKED_WRITE)
		clocks_acquire(word);
	if (word->write.bytes && unordered(&word->write, word->last_writer, &now))
		race(&word->write, &now, address);
	for (int i = 0; is_write(kind) && i < nr_tasks; i++)
		if (unordered(&word->reads[i], i, &now))
			race(&word->reads[i], &now, address);
	if (is_write(kind)) {
		word->write = now;
		word->last_writer = running;
	}
	if (!is_write(kind) || kind == EV_ATOMIC)
		word->reads[running] = now;
	if (kind == EV_MARKED_WRITE || kind == EV_ATOMIC)
		clocks_release(word);
}

void races_print(void)
{
	for (int i = 0; i < nr_races; i++)
		printf("RACE %u %08x %d %08x %d %08x\n", (unsigned int)races[i].count,
		       (unsigned int)races[i].address, races[i].first.kind,
		       (unsigned int)races[i].first.pc, races[i].second.kind,
		       (unsigned int)races[i].second.pc);
}
