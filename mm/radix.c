/*
 * Radix trees. Level 1 is the leaves, level `height` the root; a node of level n covers 64^n
 * indices.
 *
 * 1. A node exists only while it has entries; a tree without entries has no node.
 * 2. Insert takes its nodes from a pool that was filled outside of the caller's lock, so it cannot
 *    fail for want of memory. Remove frees nodes, which never sleeps.
 * 3. The height grows with the highest index that was inserted, and falls to 0 with the last entry.
 */
#include "mm/radix.h"
#include "lib/errno.h"
#include "kernel/log.h"
#include "mm/slab.h"

#define MAX_HEIGHT 6u /* 6 * 6 bits cover 32 */

void radix_init(struct radix_tree *tree)
{
	tree->root = NULL;
	tree->height = 0;
	tree->count = 0;
}

/* Which entry of a node of that level leads to index. */
static inline unsigned int slot_at(unsigned int index, unsigned int level)
{
	return index >> ((level - 1) * RADIX_BITS) & (RADIX_SLOTS - 1);
}

/* Does a tree of that height reach index? */
static inline bool covers(unsigned int height, unsigned int index)
{
	return height >= MAX_HEIGHT || index >> (height * RADIX_BITS) == 0;
}

static inline struct radix_node *find_leaf(const struct radix_tree *tree, unsigned int index)
{
	struct radix_node *node = tree->root;

	if (!node || !covers(tree->height, index))
		return NULL;
	for (unsigned int level = tree->height; level > 1 && node; level--)
		node = node->slots[slot_at(index, level)];
	return node;
}

void *radix_lookup(const struct radix_tree *tree, unsigned int index)
{
	struct radix_node *leaf = find_leaf(tree, index);

	return leaf ? leaf->slots[slot_at(index, 1)] : NULL;
}

void **radix_slot(const struct radix_tree *tree, unsigned int index, unsigned int *left)
{
	struct radix_node *leaf = find_leaf(tree, index);

	*left = RADIX_SLOTS - slot_at(index, 1);
	return leaf ? &leaf->slots[slot_at(index, 1)] : NULL;
}

int radix_preload(struct radix_pool *pool, unsigned int nr)
{
	while (pool->count < nr) {
		struct radix_node *node = kzalloc(sizeof(*node), 0);

		if (!node)
			return -ENOMEM;
		pool->nodes[pool->count++] = node;
	}
	return 0;
}

void radix_pool_release(struct radix_pool *pool)
{
	while (pool->count > 0)
		kfree(pool->nodes[--pool->count]);
}

/* The height that the tree will have once index is in it. */
static unsigned int height_for(const struct radix_tree *tree, unsigned int index)
{
	unsigned int height = tree->height ? tree->height : 1;

	while (!covers(height, index))
		height++;
	return height;
}

unsigned int radix_need(const struct radix_tree *tree, unsigned int index)
{
	unsigned int height = height_for(tree, index);
	const struct radix_node *node = tree->root;

	if (!node)
		return height;
	if (height > tree->height) /* new roots, and a new way below the topmost */
		return height - tree->height + height - 1;
	for (unsigned int level = height; level > 1; level--) {
		node = node->slots[slot_at(index, level)];
		if (!node)
			return level - 1;
	}
	return 0;
}

static struct radix_node *pool_take(struct radix_pool *pool)
{
	assert(pool->count > 0);
	return pool->nodes[--pool->count];
}

/* Put roots on top until the tree reaches index. */
static void grow(struct radix_tree *tree, unsigned int index, struct radix_pool *pool)
{
	unsigned int height = height_for(tree, index);

	if (!tree->root) {
		tree->root = pool_take(pool);
		tree->height = height;
	}
	while (tree->height < height) {
		struct radix_node *root = pool_take(pool);

		root->slots[0] = tree->root;
		root->count = 1;
		tree->root = root;
		tree->height++;
	}
}

unsigned int radix_insert(struct radix_tree *tree, unsigned int index, void *const *entries,
			  unsigned int nr, struct radix_pool *pool)
{
	unsigned int room = RADIX_SLOTS - slot_at(index, 1), n;
	struct radix_node *node;
	void **slot;

	grow(tree, index, pool);
	node = tree->root;
	for (unsigned int level = tree->height; level > 1; level--) {
		slot = &node->slots[slot_at(index, level)];
		if (!*slot) {
			*slot = pool_take(pool);
			node->count++;
		}
		node = *slot;
	}
	slot = &node->slots[slot_at(index, 1)];
	for (n = 0; n < MIN(nr, room) && !slot[n]; n++)
		slot[n] = entries[n];
	node->count += n;
	tree->count += n;
	return n;
}

void *radix_replace(struct radix_tree *tree, unsigned int index, void *entry)
{
	struct radix_node *leaf = find_leaf(tree, index);
	void *old;

	assert(leaf && leaf->slots[slot_at(index, 1)] && entry);
	old = leaf->slots[slot_at(index, 1)];
	leaf->slots[slot_at(index, 1)] = entry;
	return old;
}

void *radix_remove(struct radix_tree *tree, unsigned int index)
{
	struct radix_node *way[MAX_HEIGHT + 1]; /* by level */
	void *entry = radix_lookup(tree, index);
	unsigned int level;

	if (!entry)
		return NULL;
	way[tree->height] = tree->root;
	for (level = tree->height; level > 1; level--)
		way[level - 1] = way[level]->slots[slot_at(index, level)];

	/*
	 * Clear the entry; where that was a node's last one, free the node and clear the entry
	 * above.
	 */
	for (level = 1; level <= tree->height; level++) {
		way[level]->slots[slot_at(index, level)] = NULL;
		if (--way[level]->count > 0)
			break;
		kfree(way[level]);
	}
	if (--tree->count == 0)
		radix_init(tree);
	return entry;
}

void *radix_next(const struct radix_tree *tree, unsigned int *index)
{
	unsigned int at = *index;

	while (tree->root && covers(tree->height, at)) {
		const struct radix_node *node = tree->root;
		unsigned int level = tree->height, slot, skip = 1;
		uint64_t next;

		while (level > 1 && node->slots[slot_at(at, level)]) {
			node = node->slots[slot_at(at, level)];
			level--;
		}
		if (level == 1 && node->slots[slot_at(at, 1)]) {
			*index = at;
			return node->slots[slot_at(at, 1)];
		}
		/*
		 * Nothing below this entry: go on with the node's next entry, or behind the node.
		 */
		slot = slot_at(at, level);
		while (slot + skip < RADIX_SLOTS && !node->slots[slot + skip])
			skip++;
		next = ((uint64_t)at >> ((level - 1) * RADIX_BITS)) + skip;
		next <<= (level - 1) * RADIX_BITS;
		if (next > UINT32_MAX)
			break;
		at = next;
	}
	return NULL;
}
