/*
 * Search trees with the nodes inside the objects. They are treaps (Seidel, Aragon: Randomized
 * Search Trees, 1996). The caller does the locking. No function recurses, allocates or sleeps.
 */
#ifndef LIB_TREE_H
#define LIB_TREE_H

#include "lib/types.h"

struct tree_node {
	uintptr_t key;		    /* may be changed as long as the order stays the same */
	struct tree_node *child[2]; /* with smaller keys, with larger keys */
};

/*
 * Insert `node`, behind all nodes with the same key. *root is the root of the tree, or NULL if the
 * tree is empty.
 */
void tree_insert(struct tree_node **root, struct tree_node *node);
/* Remove `node`. No other node may have the same key. */
void tree_remove(struct tree_node **root, struct tree_node *node);
/*
 * Return the node with the smallest key above `key`, or the largest key below it. NULL if there is
 * none.
 */
struct tree_node *tree_above(struct tree_node *root, uintptr_t key);
struct tree_node *tree_below(struct tree_node *root, uintptr_t key);

#endif
