/*
 * fs/pipe/ring.c: positions that wrap at 2^32, slots that are taken out and put back, resizing;
 * against a plain queue.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "fs/pipe/ring.c"

#define MODEL_MAX 64u

static struct ring ring;

/* The same as a plain array: what is in the ring, the first one first. */
static struct pipe_slot model[MODEL_MAX];
static unsigned int model_nr;
static unsigned int next_id;

static size_t model_bytes(const struct pipe_slot *slots, unsigned int nr)
{
	size_t bytes = 0;

	for (unsigned int i = 0; i < nr; i++)
		bytes += slots[i].len;
	return bytes;
}

static void start_with(unsigned int nr_slots, unsigned int start)
{
	memset(&ring, 0, sizeof(ring));
	ring.slots = calloc(nr_slots, sizeof(*ring.slots));
	ring.nr_slots = ring.max_slots = nr_slots;
	ring.readers = 1;
	ring.head = ring.tail = ring.kept = start;
	model_nr = 0;
}

static bool same(const struct pipe_slot *a, const struct pipe_slot *b)
{
	return a->page == b->page && a->offset == b->offset && a->len == b->len &&
	       a->flags == b->flags && a->private == b->private;
}

static void check(void)
{
	must(ring_used(&ring) == model_nr);
	must(ring.bytes == model_bytes(model, model_nr));
	must(ring_room(&ring) == ring.nr_slots - model_nr - (ring.tail - ring.kept));
	for (unsigned int i = 0; i < model_nr; i++)
		must(same(ring_at(&ring, ring.tail + i), &model[i]));
}

static void push(void)
{
	struct pipe_slot slot = { (struct page *)(uintptr_t)++next_id,
				  random_u32(),
				  random_u32() % (1u << 24),
				  NULL,
				  next_id & 7,
				  ~0ul,
				  NULL };

	must(ring_room(&ring) > 0);
	ring_copy_array(&ring, &slot, 1);
	ring_fill_places(&ring, 1, slot.len);
	model[model_nr++] = slot;
}

static struct pipe_slot model_first(void)
{
	struct pipe_slot first = model[0];

	model_nr--;
	memmove(model, model + 1, model_nr * sizeof(*model));
	return first;
}

static void pop(void)
{
	struct pipe_slot want = model_first();

	must(same(ring_at(&ring, ring.tail), &want));
	ring_take(&ring, 1, want.len);
	ring_free_places(&ring);
}

/* Takes some slots out, lets a producer add as many as fit, and puts some of them back. */
static void take_and_put_back(void)
{
	unsigned int nr = random_u32() % (ring_run(&ring, ring.tail, ring_used(&ring)) + 1),
		     keep = random_u32() % (nr + 1);
	struct pipe_slot *out = ring_at(&ring, ring.tail);
	struct pipe_slot was[MODEL_MAX];

	ring_take(&ring, nr, model_bytes(model, nr));
	must(ring.tail - ring.kept == nr);
	memcpy(was, model, nr * sizeof(*was));
	for (unsigned int i = 0; i < nr; i++)
		must(same(&out[i], &was[i]));
	memmove(model, model + nr, (model_nr - nr) * sizeof(*model));
	model_nr -= nr;
	check();
	while (ring_room(&ring) > 0 && random_u32() % 4)
		push();
	ring_put_back(&ring, keep, model_bytes(was + nr - keep, keep));
	ring_free_places(&ring);
	memmove(model + keep, model, model_nr * sizeof(*model));
	memcpy(model, was + nr - keep, keep * sizeof(*model));
	model_nr += keep;
	must(ring.kept == ring.tail);
	check();
}

/* From an array, and from another ring that wraps somewhere else. */
static void fill_many(void)
{
	static struct ring other;
	struct pipe_slot more[MODEL_MAX];
	unsigned int n = random_u32() % (ring.nr_slots - model_nr + 1), at = random_u32();

	other.nr_slots = MODEL_MAX;
	other.slots = calloc(MODEL_MAX, sizeof(*other.slots));
	for (unsigned int i = 0; i < n; i++) {
		more[i] = (struct pipe_slot){
			(struct page *)(uintptr_t)++next_id, i, n, NULL, 1, at, NULL
		};
		*ring_at(&other, at + i) = more[i];
	}
	if (random_u32() % 2)
		ring_copy_array(&ring, more, n);
	else
		ring_copy_slots(&ring, &other, at, n);
	check();
	ring_fill_places(&ring, n, model_bytes(more, n));
	memcpy(model + model_nr, more, n * sizeof(*more));
	model_nr += n;
	free(other.slots);
}

static void resize_to(unsigned int nr)
{
	struct pipe_slot *old = ring.slots;

	ring_resize(&ring, calloc(nr, sizeof(*old)), nr);
	must(ring.nr_slots == nr);
	free(old);
}

static void resize(void)
{
	unsigned int nr = 1u << random_u32() % 6;

	if (nr >= model_nr)
		resize_to(nr);
}

static void random_walk(unsigned int start, unsigned int steps)
{
	start_with(16, start);
	for (unsigned int i = 0; i < steps; i++) {
		switch (random_u32() % 9) {
		case 0:
		case 1:
		case 2:
			if (ring_room(&ring) > 0)
				push();
			break;
		case 3:
		case 4:
			if (model_nr > 0)
				pop();
			break;
		case 5:
		case 6:
			take_and_put_back();
			break;
		case 7:
			resize();
			break;
		case 8:
			fill_many();
		}
		check();
	}
	free(ring.slots);
}

CASE(wrap)
{
	start_with(16, UINT32_MAX - 7);
	for (int i = 0; i < 16; i++)
		push();
	must(ring.head == 8 && ring_room(&ring) == 0);
	check();
	for (int i = 0; i < 16; i++)
		pop();
	must(ring.tail == 8 && ring_used(&ring) == 0);
	free(ring.slots);
	ok(true, "sixteen slots in and out across 2^32");
}

CASE(sizes)
{
	ok(ring_slots_for(0) == 1 && ring_slots_for(1) == 1 && ring_slots_for(4096) == 1,
	   "at least one slot");
	ok(ring_slots_for(4097) == 2 && ring_slots_for(65536) == 16 && ring_slots_for(65537) == 32,
	   "sizes are rounded up to a power of two of pages");
	ok(ring_slots_for(1ul << 31) == 1u << 19, "the largest size");
	ok(ring_slots_for((1ul << 31) + 1) == 0 && ring_slots_for(~0ul) == 0, "no ring is larger");
}

/* A ring that wraps is given more places, and fewer. */
CASE(resize_wrapped)
{
	start_with(4, 2);
	for (int i = 0; i < 4; i++)
		push();
	resize_to(16);
	check();
	for (int i = 0; i < 3; i++)
		push();
	check();
	while (model_nr > 2)
		pop();
	resize_to(2);
	check();
	free(ring.slots);
	ok(true, "what is in the ring keeps its order");
}

CASE(walk_from_0)
{
	random_walk(0, 100000);
	ok(true, "a random walk from 0");
}

CASE(walk_that_wraps)
{
	random_walk(UINT32_MAX - 100, 100000);
	ok(true, "a random walk that wraps early");
}

CASE(walk_across_the_sign)
{
	random_walk(0x7ffffff0, 100000);
	ok(true, "a random walk across 2^31");
}
