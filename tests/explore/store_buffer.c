/*
 * The store buffer of x86: a store may reach memory after later loads of the same CPU.
 *
 * 1. A store to a visible word may be delayed, which costs as much as a preemption. From then on
 *    all stores of the task queue up behind it, in order; the task itself sees them.
 * 2. The kernel's files store by themselves, after the callback: `pending` is found done at the
 *    next callback. While another task runs, the values that only this one sees are taken out of
 *    memory.
 * 3. Atomic operations, barriers, spin_lock, sleeping and the end of a task drain the buffer.
 *    Others may run before that. spin_unlock is a store like others.
 */
#include <string.h>
#include "engine.h"

bool store_buffers;

static void put(const struct delayed_store *store, uint32_t value)
{
	memcpy((void *)store->address, &value, store->size);
}

static bool is_delayed(const struct coroutine *c, uint32_t address)
{
	for (int i = 0; i < c->nr_delayed; i++)
		if ((c->delayed[i].address ^ address) < 4)
			return true;
	return false;
}

void delayed_show(struct coroutine *c)
{
	for (int i = 0; i < c->nr_delayed; i++) {
		struct delayed_store *store = &c->delayed[i];

		store->others = 0;
		memcpy(&store->others, (void *)store->address, store->size);
		put(store, store->value);
	}
	/*
	 * The others may have changed what the coming stores of this access will hide. If one of
	 * them has been done already, it stands in memory again, and not the one before it.
	 */
	for (int i = 0; i < c->nr_pending; i++) {
		struct delayed_store *store = &c->pending[i];

		memcpy(&store->others, (void *)store->address, store->size);
		if (is_delayed(c, store->address))
			put(store, store->value);
	}
}

void delayed_hide(struct coroutine *c)
{
	for (int i = 0; i < c->nr_pending; i++)
		memcpy(&c->pending[i].value, (void *)c->pending[i].address, c->pending[i].size);
	for (int i = c->nr_delayed; i-- > 0;)
		put(&c->delayed[i], c->delayed[i].others);
}

//BOOK: explore-delay
void delay_store(uint32_t address, unsigned int size)
{
	struct coroutine *c = &coroutines[running];
	struct delayed_store *store;

	if (!c->nr_delayed && !c->nr_pending && !choose_delay())
		return;
	events[nr_events - 1].delayed = true;
	if (c->nr_pending == 64)
		ex_fail("more than 64 stores at once");
	store = &c->pending[c->nr_pending++];
	*store = (struct delayed_store){ .address = address, .size = size, .step = c->steps };
	memcpy(&store->others, (void *)address, size);
}

void delayed_settle(struct coroutine *c)
{
	for (int i = 0; i < c->nr_pending; i++) {
		struct delayed_store *store = &c->pending[i];

		memcpy(&store->value, (void *)store->address, store->size);
		if (c->nr_delayed == 128)
			ex_fail("more than 128 stores are delayed");
		c->delayed[c->nr_delayed++] = *store;
	}
	c->nr_pending = 0;
}

void delay_unlock(struct spinlock *lock)
{
	struct coroutine *c = &coroutines[running];

	c->steps++;
	if (!c->nr_delayed)
		return;
	if (c->nr_delayed == 128)
		ex_fail("more than 128 stores are delayed");
	c->delayed[c->nr_delayed++] = (struct delayed_store){ .address = (uint32_t)&lock->owner,
							      .size = sizeof(lock->owner),
							      .others = (uint32_t)lock->owner,
							      .step = c->steps };
}

uint32_t delayed_arrives(int task)
{
	struct coroutine *c = &coroutines[task];
	struct delayed_store *store = &c->delayed[0];
	uint32_t step = store->step;
	int before = running;

	checkpoint_task(task);
	running = task;
	note_event(EV_ARRIVES, store->address, store->size, 0);
	events[nr_events - 1].value = store->value;
	running = before;
	writes++;
	put(store, store->value);
	memmove(c->delayed, c->delayed + 1, --c->nr_delayed * sizeof(*store));
	return step;
}

void delayed_drain(void)
{
	struct coroutine *c = &coroutines[running];

	if (!c->nr_delayed)
		return;
	point(true); /* the others may run while the stores are still this task's alone */
	delayed_hide(c);
	while (c->nr_delayed)
		delayed_arrives(running);
}
