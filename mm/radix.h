/*
 * Radix trees: from a 32-bit index to a pointer, 64 entries a node. The tree grows with its highest
 * index; empty nodes are freed. No locking: the caller's.
 */
#ifndef MM_RADIX_H
#define MM_RADIX_H

#include "lib/types.h"

#define RADIX_BITS  6
#define RADIX_SLOTS (1u << RADIX_BITS)

struct radix_node {
	unsigned int count; /* entries in use */
	void *slots[RADIX_SLOTS];
};
struct radix_tree {
	struct radix_node *root;
	unsigned int height; /* levels; 0: empty */
	unsigned int count;  /* entries in the whole tree */
};

void radix_init(struct radix_tree *tree);
/* The entry at index, or NULL. */
void *radix_lookup(const struct radix_tree *tree, unsigned int index);
/*
 * The place of index, NULL if it has no leaf. It and the entries that follow it up to the leaf's
 * end are *left, whether there is a leaf or not.
 */
void **radix_slot(const struct radix_tree *tree, unsigned int index, unsigned int *left);
/*
 * Insert needs up to RADIX_POOL_MAX nodes (a tree of one level that grows to six, and the new way
 * down), and must not sleep under the caller's lock: radix_preload() outside of it fills `pool` up
 * to nr nodes; 0 or -ENOMEM. A pool starts with count 0.
 */
#define RADIX_POOL_MAX 10u
struct radix_pool {
	unsigned int count;
	struct radix_node *nodes[RADIX_POOL_MAX];
};
int radix_preload(struct radix_pool *pool, unsigned int nr);
void radix_pool_release(struct radix_pool *pool);
/*
 * How many nodes an insert at index takes from its pool now; mostly none. So a caller may try first
 * with what its pool has, and let go of its lock to preload only if that is less than this.
 */
unsigned int radix_need(const struct radix_tree *tree, unsigned int index);
/*
 * Insert entries[0..nr), none of them NULL, from index on: up to the first place that is taken, or
 * to the end of the first one's leaf. How many; 0: the first place is taken. Takes nodes from the
 * pool, which has radix_need() of them at least.
 */
unsigned int radix_insert(struct radix_tree *tree, unsigned int index, void *const *entries,
			  unsigned int nr, struct radix_pool *pool);
/* Replace an entry that exists; returns the old one. */
void *radix_replace(struct radix_tree *tree, unsigned int index, void *entry);
/* Remove; returns what was there, or NULL. */
void *radix_remove(struct radix_tree *tree, unsigned int index);
/* The first entry at or after *index; sets *index to its place; NULL: none. */
void *radix_next(const struct radix_tree *tree, unsigned int *index);

#endif
