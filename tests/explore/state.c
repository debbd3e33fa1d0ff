/*
 * The state of a run: which words change, putting them back, and recognising a state.
 *
 * 1. Every write is announced before it happens, so the first announcement of all finds a word's
 *    initial value. Before the next run all announced words get theirs back; no other word differs
 *    from run to run. state_check() compares all of the kernel's data to find a write that nobody
 *    announced.
 * 2. A state is all of these words, the tasks' stacks, what they wait for, and their delayed
 *    stores. A run that comes to a state that was there before, with as many preemptions left, need
 *    not go on: what follows was explored. Two states are the same if a hash of 64 bits is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "engine.h"

uint32_t run_number;
bool grown;
unsigned long nr_states;

/*
 * In the order in which they were first used, so that a run touches few pages of the explorer's
 * memory: in a guest of QEMU, a page that is not in the TLB costs as much as hundreds of
 * instructions.
 */
static struct word words[MAX_WORDS];
static uint16_t places[2 * MAX_WORDS]; /* a hash table of numbers of words; 0: free */
static unsigned int nr_words = 1;
static struct word *changing[MAX_WORDS];
static unsigned int nr_changing;

static struct word *new_word(uint32_t address)
{
	struct word *word = &words[nr_words];

	if (nr_words == MAX_WORDS) {
		fprintf(stderr, "explore: too many words\n");
		exit(3);
	}
	nr_words++;
	word->address = address;
	word->locks = ~0u;
	return word;
}

/* Neighbours have neighbouring places. */
static uint32_t first_place(uint32_t address)
{
	return (address / 4 + (address >> 16) * 1021) % (2 * MAX_WORDS);
}

struct word *word_of(uint32_t address)
{
	struct word *word;
	uint32_t i;

	address &= ~3u;
	for (i = first_place(address); places[i]; i = (i + 1) % (2 * MAX_WORDS))
		if (words[places[i]].address == address)
			break;
	if (!places[i]) {
		new_word(address);
		places[i] = nr_words - 1;
	}
	word = &words[places[i]];
	if (word->epoch != checkpoint_epoch)
		checkpoint_word(word);
	if (word->run != run_number) {
		word->run = run_number;
		memset(&word->write, 0, sizeof(word->write) + sizeof(word->reads));
		memset(word->released, 0, sizeof(word->released));
	}
	return word;
}

void word_changes(struct word *word)
{
	if (word->changes || run_number == 0 || on_a_stack(word->address))
		return;
	if (nr_changing > MAX_WORDS / 4 * 3) {
		fprintf(stderr, "explore: too many words change\n");
		exit(3);
	}
	word->changes = true;
	word->initial = *(uint32_t *)word->address;
	changing[nr_changing++] = word;
}

void ex_changes(void *address, size_t size)
{
	for (uint32_t at = (uint32_t)address & ~3u; at < (uint32_t)address + size; at += 4)
		word_changes(word_of(at));
}

/* ---- memory that was freed ---- */

static uint8_t grains[EX_POOL_PAGES * 4096 / EX_GRAIN];

bool forbidden(uint32_t address)
{
	return address - EX_POOL < EX_POOL_PAGES * 4096 && grains[(address - EX_POOL) / EX_GRAIN];
}

void ex_forbid(void *address, size_t size, bool forbid)
{
	uint32_t first = ((uint32_t)address - EX_POOL) / EX_GRAIN;

	for (uint32_t i = first; i < first + size / EX_GRAIN; i++) {
		ex_changes(&grains[i], 1);
		grains[i] = forbid;
	}
}

/* ---- putting back ---- */

extern char __start_kdata[], __stop_kdata[], __start_kbss[], __stop_kbss[];
static char *saved_data, *saved_bss;

void state_snapshot(void)
{
	size_t data = __stop_kdata - __start_kdata, bss = __stop_kbss - __start_kbss;

	saved_data = memcpy(malloc(data), __start_kdata, data);
	saved_bss = memcpy(malloc(bss), __start_kbss, bss);
	run_number = 1;
}

void state_restore(void)
{
	run_number++;
	state_put(NULL, 0);
}

unsigned int state_size(void)
{
	return nr_changing;
}

void state_copy(uint32_t *values)
{
	for (unsigned int i = 0; i < nr_changing; i++)
		values[i] = *(uint32_t *)changing[i]->address;
}

void state_put(const uint32_t *values, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		*(uint32_t *)changing[i]->address = values[i];
	for (unsigned int i = nr; i < nr_changing; i++)
		*(uint32_t *)changing[i]->address = changing[i]->initial;
}

static void compare(const char *now, const char *saved, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (now[i] == saved[i] || word_of((uint32_t)&now[i])->changes)
			continue;
		fprintf(stderr, "explore: nobody announced that %p changes\n", &now[i]);
		exit(3);
	}
}

void state_check(void)
{
	compare(__start_kdata, saved_data, __stop_kdata - __start_kdata);
	compare(__start_kbss, saved_bss, __stop_kbss - __start_kbss);
}

void state_show_grown(void)
{
	for (unsigned int i = 1; i < nr_words; i++) {
		words[i].visible |= words[i].becomes_visible;
		words[i].becomes_visible = false;
	}
	grown = false;
}

/* ---- recognising ---- */

static struct seen {
	uint64_t hash;
	int32_t preemptions_left;
	uint32_t unused;
} * seen;
static size_t seen_size; /* a power of two */

/* Two hashes of 32 bits, which a 32-bit program computes faster than one of 64. */
struct hash {
	uint32_t a, b;
};

static inline void mix_word(struct hash *hash, uint32_t word)
{
	hash->a = (hash->a ^ word) * 0x9e3779b1u;
	hash->a ^= hash->a >> 15;
	hash->b = (hash->b + word) * 0x85ebca77u;
	hash->b = hash->b << 13 | hash->b >> 19;
}

static void mix(struct hash *hash, const void *from, size_t size)
{
	struct hash now = *hash;

	for (const uint32_t *word = from; size >= 4; size -= 4)
		mix_word(&now, *word++);
	*hash = now;
}

static void mix_task(struct hash *hash, int task)
{
	struct coroutine *c = &coroutines[task];
	char *from, *to;

	mix_word(hash, c->status);
	mix_word(hash, (uint32_t)c->waits_for);
	/* Of a task that relaxes: still nothing new. */
	mix_word(hash, c->status == RELAXES && c->writes_seen == writes);
	mix_word(hash, c->nr_delayed);
	for (int i = 0; i < c->nr_delayed; i++)
		mix(hash, &c->delayed[i], offsetof(struct delayed_store, others));
	coroutine_stack(task, &from, &to);
	if (c->status != OVER)
		mix(hash, from, to - from);
}

static uint64_t state_hash(int last)
{
	struct hash hash = { 0 };
	uint64_t whole;

	mix_word(&hash, last + 1);
	for (int i = 0; i < nr_tasks; i++)
		mix_task(&hash, i);
	for (unsigned int i = 0; i < nr_changing; i++)
		mix_word(&hash, *(uint32_t *)changing[i]->address);
	whole = (uint64_t)hash.a << 32 | hash.b;
	return whole + (whole == 0);
}

static struct seen *seen_find(uint64_t hash)
{
	for (size_t i = (uint32_t)hash % seen_size;; i = (i + 1) % seen_size)
		if (seen[i].hash == hash || seen[i].hash == 0)
			return &seen[i];
}

static void seen_resize(size_t size)
{
	struct seen *old = seen;
	size_t old_size = seen_size;

	seen = calloc(size, sizeof(*seen));
	seen_size = size;
	if (!seen) {
		fprintf(stderr, "explore: no memory for so many states\n");
		exit(3);
	}
	for (size_t i = 0; i < old_size; i++)
		if (old[i].hash)
			*seen_find(old[i].hash) = old[i];
	free(old);
}

//BOOK: explore-state
bool state_seen(int last, int preemptions_left)
{
	uint64_t hash = state_hash(last);
	struct seen *entry = seen_find(hash);

	if (entry->hash == hash && entry->preemptions_left >= preemptions_left)
		return true;
	nr_states += entry->hash == 0;
	entry->hash = hash;
	entry->preemptions_left = preemptions_left;
	if (nr_states > seen_size / 2)
		seen_resize(seen_size * 2);
	return false;
}

void state_forget(void)
{
	seen_size = 0;
	free(seen);
	seen = NULL;
	seen_resize(1 << 12);
	nr_states = 0;
}

/* ---- names for the trace ---- */

static struct {
	void *address;
	const char *type, *name;
} objects[32];
static int nr_objects;

void ex_object(void *address, const char *type, const char *name)
{
	if (running < 0 && nr_objects < 32) {
		objects[nr_objects].address = address;
		objects[nr_objects].type = type;
		objects[nr_objects++].name = name;
	}
}

void objects_print(FILE *out)
{
	for (int i = 0; i < nr_objects; i++)
		fprintf(out, "OBJECT %p %s|%s\n", objects[i].address, objects[i].type,
			objects[i].name);
}
