/*
 * Search trees with the nodes inside the objects: treaps (Seidel, Aragon: Randomized Search Trees,
 * 1996). No locking: the caller's. Nothing here recurses or allocates.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include "lib/types.h"

struct tree_node {
	uintptr_t key;		    /* the caller's; it may change as long as the order stays */
	struct tree_node *child[2]; /* smaller keys, larger keys */
};

/* Put `node` in, behind those that have the same key. A tree is its root; NULL: it is empty. */
void tree_insert(struct tree_node **root, struct tree_node *node);
/* Take `node` out. No other one has its key. */
void tree_remove(struct tree_node **root, struct tree_node *node);
/* The node with the smallest key above `key`, or with the largest one below it; NULL: none. */
struct tree_node *tree_above(struct tree_node *root, uintptr_t key);
struct tree_node *tree_below(struct tree_node *root, uintptr_t key);

#endif
