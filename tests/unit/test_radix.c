/*
 * Compares mm/radix.c with an array, and tests it by example. The sanitizer sees nodes that are
 * lost or used after they were freed.
 */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "mm/radix.c"

#define MODEL 5000u

static struct radix_tree tree;
static void *model[MODEL];

static void *entry_for(unsigned int index)
{
	return (void *)(uintptr_t)(index * 2 + 1);
}

/* Inserts with exactly the nodes that radix_need() asks for, so that too few would be noticed. */
static unsigned int insert(unsigned int index, void *entry)
{
	struct radix_pool pool = { 0 };
	unsigned int nr;

	while (pool.count < radix_need(&tree, index))
		pool.nodes[pool.count++] = kzalloc(sizeof(struct radix_node), 0);
	nr = radix_insert(&tree, index, &entry, 1, &pool);
	must(pool.count == 0);
	return nr;
}

CASE(extremes)
{
	static const unsigned int indices[] = {
		0, 1, 63, 64, 4095, 4096, 262143, 262144, 0x7fffffff, 0xfffffffe, 0xffffffff,
	};
	unsigned int at = 0, found = 0;

	radix_init(&tree);
	must(!radix_next(&tree, &at) && at == 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++) {
		must(!radix_lookup(&tree, indices[i]));
		must(insert(indices[i], entry_for(indices[i])) == 1);
		must(insert(indices[i], entry_for(1)) == 0);
	}
	for (at = 0; radix_next(&tree, &at); at++) {
		must(at == indices[found++]);
		if (at == UINT32_MAX)
			break;
	}
	ok(found == ARRAY_SIZE(indices), "indices at every boundary are found, in order");
	for (unsigned int i = 0; i < ARRAY_SIZE(indices); i++)
		must(radix_remove(&tree, indices[i]) == entry_for(indices[i]));
	ok(!tree.root && tree.height == 0 && tree.count == 0, "an empty tree has no nodes");

	must(insert(0, entry_for(0)) == 1);
	ok(radix_need(&tree, UINT32_MAX) == RADIX_POOL_MAX,
	   "the pool holds the most nodes that one insert takes");
	must(insert(UINT32_MAX, entry_for(5)) == 1);
	must(radix_remove(&tree, 0) == entry_for(0) && radix_remove(&tree, 0) == NULL);
	must(radix_remove(&tree, UINT32_MAX) == entry_for(5));
	ok(!tree.root, "removed in the other order");
}

CASE(pool)
{
	struct radix_pool pool = { 0 };
	void *entry = entry_for(77);

	must(radix_preload(&pool, RADIX_POOL_MAX) == 0 && pool.count == RADIX_POOL_MAX);
	must(radix_insert(&tree, 77, &entry, 1, &pool) == 1);
	ok(pool.count == RADIX_POOL_MAX - 2, "an insert takes from the pool what it needs");
	must(radix_preload(&pool, RADIX_POOL_MAX) == 0 && pool.count == RADIX_POOL_MAX);
	radix_pool_release(&pool);
	shim_fail_nth = 4;
	ok(radix_preload(&pool, RADIX_POOL_MAX) == -ENOMEM && pool.count == 3,
	   "without memory, the nodes so far stay in the pool");
	radix_pool_release(&pool);
	must(radix_remove(&tree, 77) == entry);
}

/* A run stops at the end of a leaf and before an entry. */
CASE(runs)
{
	struct radix_pool pool = { 0 };
	void *entries[100];

	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		entries[i] = entry_for(i);
	must(radix_preload(&pool, RADIX_POOL_MAX) == 0);
	must(radix_insert(&tree, 50, entries + 50, 1, &pool) == 1);
	ok(radix_insert(&tree, 10, entries + 10, 90, &pool) == 40, "a run ends before an entry");
	ok(radix_insert(&tree, 51, entries + 51, 49, &pool) == 13, "a run ends with its leaf");
	ok(radix_insert(&tree, 64, entries + 64, 36, &pool) == 36 && tree.count == 90,
	   "and goes on in the next one");
	ok(radix_insert(&tree, 64, entries, 10, &pool) == 0, "a run does not overwrite an entry");
	radix_pool_release(&pool);
	for (unsigned int i = 10; i < 100; i++)
		must(radix_remove(&tree, i) == entry_for(i));
	must(!tree.root);
}

CASE(slots)
{
	unsigned int left = 0;
	void **slots;

	for (unsigned int i = 100; i < 128; i++)
		must(insert(i, entry_for(i)) == 1);
	slots = radix_slot(&tree, 100, &left);
	ok(slots && left == 28, "a slot is found, and the number of slots that follow in its leaf");
	for (unsigned int i = 0; i < left; i++)
		must(slots[i] == entry_for(100 + i));
	ok(!radix_slot(&tree, 128, &left) && !radix_slot(&tree, 5000, &left),
	   "without a leaf there is no slot");
	ok(radix_slot(&tree, 64, &left) && left == 64,
	   "an empty slot of an existing leaf is found");
	for (unsigned int i = 100; i < 128; i++)
		must(radix_remove(&tree, i));
}

static void check_all(void)
{
	unsigned int at = 0, count = 0;

	for (unsigned int i = 0; i < MODEL; i++) {
		void *next;

		must(radix_lookup(&tree, i) == model[i]);
		count += model[i] != NULL;
		if (!model[i])
			continue;
		next = radix_next(&tree, &at);
		must(next == model[i] && at == i);
		at++;
	}
	must(!radix_next(&tree, &at));
	must(tree.count == count);
}

CASE(random)
{
	for (int round = 0; round < 200000; round++) {
		unsigned int range = round / 20000 % 2 ? 100 : MODEL;
		unsigned int index = random_u32() % range;

		switch (random_u32() % 3) {
		case 0:
			must(insert(index, entry_for(index)) == !model[index]);
			if (!model[index])
				model[index] = entry_for(index);
			break;
		case 1:
			must(radix_remove(&tree, index) == model[index]);
			model[index] = NULL;
			break;
		case 2:
			if (model[index]) {
				must(radix_replace(&tree, index, entry_for(round)) == model[index]);
				model[index] = entry_for(round);
			}
		}
		if (round % 1000 == 0)
			check_all();
	}
	for (unsigned int i = 0; i < MODEL; i++) {
		must(radix_remove(&tree, i) == model[i]);
		model[i] = NULL;
	}
	ok(!tree.root && tree.count == 0, "random insertion, replacement and removal");
}
