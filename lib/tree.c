/*
 * Treaps: binary search trees by key which are heaps by priority.
 *
 * 1. A node's priority is a hash of its address. No child has a higher priority than its parent. So
 *    the tree has the shape that it would have if the nodes had been inserted in the order of their
 *    priorities. That order is as good as random, so the height grows with the logarithm of the
 *    number of nodes.
 * 2. Insertion splits the subtree of lower priorities at the new key. Removal joins the two parts
 *    again.
 */
#include "lib/tree.h"

static uint32_t priority(const struct tree_node *node)
{
	uint32_t hash = (uintptr_t)node;

	hash = (hash ^ hash >> 16) * 0x45d9f3bu;
	hash = (hash ^ hash >> 16) * 0x45d9f3bu;
	return hash ^ hash >> 16;
}

void tree_insert(struct tree_node **root, struct tree_node *node)
{
	struct tree_node *rest, **end[2] = { &node->child[0], &node->child[1] };

	while (*root && priority(*root) >= priority(node))
		root = &(*root)->child[node->key >= (*root)->key];
	rest = *root;
	*root = node;
	/*
	 * Split the old subtree below the node. *end[0] and *end[1] are where the two parts grow.
	 */
	while (rest) {
		bool larger = rest->key > node->key;

		*end[larger] = rest;
		end[larger] = &rest->child[!larger];
		rest = rest->child[!larger];
	}
	*end[0] = *end[1] = NULL;
}

void tree_remove(struct tree_node **root, struct tree_node *node)
{
	struct tree_node *part[2] = { node->child[0], node->child[1] };

	while (*root != node)
		root = &(*root)->child[node->key > (*root)->key];
	while (part[0] && part[1]) {
		bool larger = priority(part[1]) > priority(part[0]);

		*root = part[larger];
		root = &part[larger]->child[!larger];
		part[larger] = *root;
	}
	*root = part[0] ? part[0] : part[1];
}

struct tree_node *tree_above(struct tree_node *root, uintptr_t key)
{
	struct tree_node *found = NULL;

	while (root) {
		if (root->key > key)
			found = root;
		root = root->child[root->key <= key];
	}
	return found;
}

struct tree_node *tree_below(struct tree_node *root, uintptr_t key)
{
	struct tree_node *found = NULL;

	while (root) {
		if (root->key < key)
			found = root;
		root = root->child[root->key < key];
	}
	return found;
}
