/*
 * Red-black trees with the nodes inside the objects. The caller walks down to find the place:
 *
 *	struct rb_node **link = &root->node, *parent = NULL;
 *	while (*link) { parent = *link; link = key < ... ? &parent->left : &parent->right; }
 *	rb_insert(root, node, parent, link);
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include "lib/types.h"

struct rb_node {
	struct rb_node *parent;
	union {
		struct {
			struct rb_node *left, *right;
		};
		struct rb_node *child[2]; /* the same, by side */
	};
	bool red;
};
struct rb_root {
	struct rb_node *node;
};

#define RB_ROOT      \
	{            \
		NULL \
	}
#define rb_entry(ptr, type, member) container_of(ptr, type, member)

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link);
void rb_erase(struct rb_root *root, struct rb_node *node);
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#endif
