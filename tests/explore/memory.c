/*
 * The callbacks of -fsanitize=thread: every access to memory comes here first.
 *
 * 1. A word is *visible* if two tasks touch it, one of them writing, and no spinlock is held at
 *    every access. Only there may another task go on: a switch anywhere else makes no difference to
 *    anybody. Which words are visible is learned while searching; when the set grows, the search
 *    begins again.
 * 2. The access itself comes after the callback has returned, so its value is known at the task's
 *    next callback.
 * 3. memcpy and memset are renamed when the kernel's files are linked, so that they come here too.
 */
#include <stdlib.h>
#include <string.h>
#include "engine.h"

struct event events[MAX_EVENTS];
int nr_events;
bool exploring;
unsigned long writes;

void finish_access(void)
{
	struct coroutine *c = &coroutines[running];

	if (c->steps > MAX_STEPS)
		ex_fail("the run does not end");
	delayed_settle(c);
	for (int i = c->unfinished_event; i >= 0 && i < nr_events; i++) {
		struct event *event = &events[i];

		if (event->task == running && event->kind <= EV_ATOMIC)
			memcpy(&event->value, (void *)event->address, event->size);
	}
	c->unfinished_event = -1;
	c->copies = false;
}

void note_event(enum event_kind kind, uint32_t address, unsigned int size, uint32_t pc)
{
	if (nr_events == MAX_EVENTS) {
		nr_events--;
		ex_fail("the run does not end");
	}
	if (kind <= EV_ATOMIC && coroutines[running].unfinished_event < 0)
		coroutines[running].unfinished_event = nr_events;
	events[nr_events++] = (struct event){
		.task = running, .kind = kind, .size = size, .pc = pc, .address = address
	};
}

/*
 * Ends in a jump, without a frame of its own. Words of a frame that nobody has written would become
 * a part of the state, so that states that are the same look different.
 */
void point(bool visible)
{
	coroutines[running].steps++;
	if (repeating() ? repeated_switch() : visible)
		coroutine_yield();
}

/* Learns from an access of the running task. */
static void learn(struct word *word, bool write)
{
	uint8_t me = 1 << running;
	uint32_t held = coroutines[running].held;

	if (word->tasks & me && (!write || word->writers & me) && !(word->locks & ~held))
		return;
	word->tasks |= me;
	word->writers |= write ? me : 0;
	word->locks &= held;
	if (word->visible || word->becomes_visible || !word->writers || word->locks ||
	    !(word->tasks & (word->tasks - 1)))
		return;
	/* Not in the middle of a search, whose runs must repeat their beginnings. */
	word->becomes_visible = true;
	grown = true;
}

/* `size` bytes that lie in one word. */
//BOOK: explore-access
static void access_word(uint32_t address, unsigned int size, enum event_kind kind, uint32_t pc)
{
	struct word *word = word_of(address);
	bool write = is_write(kind);

	if (write)
		word_changes(word);
	if (!exploring || running < 0)
		return;
	if (forbidden(address))
		ex_fail("memory at %08x is used after it was freed", (unsigned int)address);
	learn(word, write);
	if (kind == EV_ATOMIC)
		delayed_drain();
	point(word->visible);
	if (word->visible || repeating()) {
		note_event(kind, address, size, pc);
		writes += write;
		if (write && kind != EV_ATOMIC && store_buffers && !on_own_stack(address))
			delay_store(address, size);
	}
	if (watch_races)
		clocks_access(word, address, size, kind, pc);
}

/*
 * The words of one access: all of them are stored after the callback, so none is finished before.
 */
static void access_words(uint32_t address, unsigned int size, enum event_kind kind, uint32_t pc)
{
	while (size > 0) {
		unsigned int n = 4 - (address & 3);

		n = n < size ? n : size;
		access_word(address, n, kind, pc);
		address += n;
		size -= n;
	}
}

void access_at(uint32_t address, unsigned int size, enum event_kind kind, uint32_t pc)
{
	if (exploring && running >= 0) {
		coroutine_reaches(__builtin_frame_address(0));
		finish_access();
	}
	access_words(address, size, kind, pc);
}

void ex_access(void *address, unsigned int size, enum event_kind kind)
{
	access_at((uint32_t)address, size, kind, CALLER);
}

void ex_barrier(void)
{
	if (!exploring || running < 0)
		return;
	finish_access();
	delayed_drain();
}

void ex_note(const char *text)
{
	if (!exploring || running < 0)
		return;
	finish_access();
	note_event(EV_NOTE, 0, 0, CALLER);
	events[nr_events - 1].text = text;
}

void ex_sleep(void *state)
{
	struct coroutine *c = &coroutines[running];

	if (running < 0) {
		fprintf(stderr, "explore: setup or check sleeps\n");
		exit(3);
	}
	finish_access();
	delayed_drain();
	c->waits_for = state;
	c->status = ASLEEP;
	c->steps++; /* a repeated run tells this apart from a stop at the point before */
	coroutine_yield();
	c->status = READY;
	c->waits_for = NULL;
	clocks_acquire(word_of((uint32_t)state));
}

void ex_interrupt(int task)
{
	if (!exploring || running < 0 || task >= nr_tasks)
		return;
	finish_access();
	while (coroutines[task].nr_delayed > 0)
		delayed_arrives(task);
	clocks_meet(task);
}

void ex_relax(void)
{
	struct coroutine *c = &coroutines[running];

	if (!exploring || running < 0)
		return;
	finish_access();
	c->writes_seen = writes;
	c->status = RELAXES;
	c->steps++;
	coroutine_yield();
	c->status = READY;
}

int ex_running(void)
{
	return running < 0 ? MAX_TASKS : running;
}

/* ---- plain and volatile accesses ---- */

#define PLAIN(size)                                                     \
	void __tsan_read##size(void *at)                                \
	{                                                               \
		access_at((uint32_t)at, size, EV_READ, CALLER);         \
	}                                                               \
	void __tsan_write##size(void *at)                               \
	{                                                               \
		access_at((uint32_t)at, size, EV_WRITE, CALLER);        \
	}                                                               \
	void __tsan_unaligned_read##size(void *at)                      \
	{                                                               \
		access_at((uint32_t)at, size, EV_READ, CALLER);         \
	}                                                               \
	void __tsan_unaligned_write##size(void *at)                     \
	{                                                               \
		access_at((uint32_t)at, size, EV_WRITE, CALLER);        \
	}                                                               \
	void __tsan_volatile_read##size(void *at)                       \
	{                                                               \
		access_at((uint32_t)at, size, EV_MARKED_READ, CALLER);  \
	}                                                               \
	void __tsan_volatile_write##size(void *at)                      \
	{                                                               \
		access_at((uint32_t)at, size, EV_MARKED_WRITE, CALLER); \
	}
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

/*
 * A structure is announced as written and then as read, or the other way round, and copied as a
 * whole after both: that it could be torn is not seen. So what is written is not finished at the
 * read.
 */
void __tsan_read_range(void *at, unsigned long size)
{
	if (running >= 0 && coroutines[running].copies)
		access_words((uint32_t)at, size, EV_READ, CALLER);
	else
		access_at((uint32_t)at, size, EV_READ, CALLER);
}
void __tsan_write_range(void *at, unsigned long size)
{
	access_at((uint32_t)at, size, EV_WRITE, CALLER);
	if (running >= 0)
		coroutines[running].copies = true;
}

/* The files' constructors call it. */
void __tsan_init(void)
{
}

void *ex_memcpy(void *to, const void *from, size_t size)
{
	uint32_t pc = CALLER;

	if (size == 4096)
		size = EX_PAGE_BYTES;
	for (size_t at = 0; at < size; at += 4) {
		size_t n = size - at < 4 ? size - at : 4;

		access_at((uint32_t)from + at, n, EV_READ, pc);
		access_at((uint32_t)to + at, n, EV_WRITE, pc);
		memcpy((char *)to + at, (char *)from + at, n);
	}
	return to;
}

void *ex_memset(void *to, int byte, size_t size)
{
	uint32_t pc = CALLER;

	for (size_t at = 0; at < size; at += 4) {
		size_t n = size - at < 4 ? size - at : 4;

		access_at((uint32_t)to + at, n, EV_WRITE, pc);
		memset((char *)to + at, byte, n);
	}
	return to;
}

/* ---- atomic operations ---- */

/* Compare and exchange. With the same value twice it is a load, for example of 64 bits at once. */
static void compare_access(uint32_t address, unsigned int size, bool load, uint32_t pc)
{
	if (load)
		ex_barrier();
	access_at(address, size, load ? EV_MARKED_READ : EV_ATOMIC, pc);
}

#define FETCH(bits, type, name, expression)                                           \
	type __tsan_atomic##bits##_fetch_##name(volatile type *at, type v, int order) \
	{                                                                             \
		type old;                                                             \
                                                                                      \
		access_at((uint32_t)at, bits / 8, EV_ATOMIC, CALLER);                 \
		old = *at;                                                            \
		*at = expression;                                                     \
		return old;                                                           \
	}
#define ATOMIC(bits, type)                                                                        \
	type __tsan_atomic##bits##_load(const volatile type *at, int order)                       \
	{                                                                                         \
		access_at((uint32_t)at, bits / 8, EV_MARKED_READ, CALLER);                        \
		return *at;                                                                       \
	}                                                                                         \
	void __tsan_atomic##bits##_store(volatile type *at, type v, int order)                    \
	{                                                                                         \
		/* Sequentially consistent: an exchange. */                                       \
		access_at((uint32_t)at, bits / 8,                                                 \
			  order == __ATOMIC_SEQ_CST ? EV_ATOMIC : EV_MARKED_WRITE, CALLER);       \
		*at = v;                                                                          \
	}                                                                                         \
	FETCH(bits, type, add, old + v)                                                           \
	FETCH(bits, type, sub, old - v)                                                           \
	FETCH(bits, type, and, old &v)                                                            \
	FETCH(bits, type, or, old | v)                                                            \
	FETCH(bits, type, xor, old ^ v)                                                           \
	type __tsan_atomic##bits##_exchange(volatile type *at, type v, int order)                 \
	{                                                                                         \
		type old;                                                                         \
                                                                                                  \
		access_at((uint32_t)at, bits / 8, EV_ATOMIC, CALLER);                             \
		old = *at;                                                                        \
		*at = v;                                                                          \
		return old;                                                                       \
	}                                                                                         \
	int __tsan_atomic##bits##_compare_exchange_strong(volatile type *at, type *expected,      \
							  type v, int order, int failure)         \
	{                                                                                         \
		compare_access((uint32_t)at, bits / 8, v == *expected, CALLER);                   \
		if (*at == *expected) {                                                           \
			*at = v;                                                                  \
			return 1;                                                                 \
		}                                                                                 \
		*expected = *at;                                                                  \
		return 0;                                                                         \
	}                                                                                         \
	type __tsan_atomic##bits##_compare_exchange_val(volatile type *at, type expected, type v, \
							int order, int failure)                   \
	{                                                                                         \
		type old;                                                                         \
                                                                                                  \
		compare_access((uint32_t)at, bits / 8, v == expected, CALLER);                    \
		old = *at;                                                                        \
		if (old == expected)                                                              \
			*at = v;                                                                  \
		return old;                                                                       \
	}
ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)

void __tsan_atomic_thread_fence(int order)
{
	if (order == __ATOMIC_SEQ_CST)
		ex_barrier();
}
