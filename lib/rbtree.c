/*
 * Red-black trees. Cormen, Leiserson, Rivest, Stein: Introduction to Algorithms, chapter 13, with
 * NULL for the black leaves.
 *
 * 1. The root is black; a red node has no red child; every way down passes equally many black
 *    nodes.
 * 2. So the longest way is at most twice the shortest. No function here recurses or allocates.
 */
#include "lib/rbtree.h"

/* Put `new` where `old` hangs below its parent. */
static void replace_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
			  struct rb_node *new)
{
	if (!parent)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/* The right child takes the node's place, the node becomes its left child. */
static void rotate_left(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *child = node->right;

	node->right = child->left;
	if (child->left)
		child->left->parent = node;
	child->parent = node->parent;
	replace_child(root, node->parent, node, child);
	child->left = node;
	node->parent = child;
}

static void rotate_right(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *child = node->left;

	node->left = child->right;
	if (child->right)
		child->right->parent = node;
	child->parent = node->parent;
	replace_child(root, node->parent, node, child);
	child->right = node;
	node->parent = child;
}

static bool is_red(const struct rb_node *node)
{
	return node && node->red;
}

/* parent and node are red, the uncle is black: rotations end it. */
static void insert_rotate(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *parent = node->parent;
	struct rb_node *grandparent = parent->parent;

	if (parent == grandparent->left) {
		if (node == parent->right) {
			rotate_left(root, parent);
			parent = node;
		}
		rotate_right(root, grandparent);
	} else {
		if (node == parent->left) {
			rotate_right(root, parent);
			parent = node;
		}
		rotate_left(root, grandparent);
	}
	parent->red = false;
	grandparent->red = true;
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
	       struct rb_node **link)
{
	node->parent = parent;
	node->left = node->right = NULL;
	node->red = true;
	*link = node;

	while (is_red(node->parent)) { /* a red parent is not the root: there is a grandparent */
		struct rb_node *grandparent = node->parent->parent;
		struct rb_node *uncle =
			node->parent == grandparent->left ? grandparent->right : grandparent->left;

		if (!is_red(uncle)) {
			insert_rotate(root, node);
			break;
		}
		node->parent->red = uncle->red = false;
		grandparent->red = true;
		node = grandparent;
	}
	root->node->red = false;
}

/*
 * The ways through `parent` on the side of `node` have one black node too few. node is black, and
 * so its sibling exists. Returns the node where the loss is to be repaired next; the root: done.
 */
static struct rb_node *erase_fix_left(struct rb_root *root, struct rb_node *parent)
{
	struct rb_node *sibling = parent->right;

	if (sibling->red) {
		sibling->red = false;
		parent->red = true;
		rotate_left(root, parent);
		sibling = parent->right;
	}
	if (!is_red(sibling->left) && !is_red(sibling->right)) {
		sibling->red = true;
		return parent;
	}
	if (!is_red(sibling->right)) {
		sibling->left->red = false;
		sibling->red = true;
		rotate_right(root, sibling);
		sibling = parent->right;
	}
	sibling->red = parent->red;
	parent->red = false;
	sibling->right->red = false;
	rotate_left(root, parent);
	return root->node;
}

static struct rb_node *erase_fix_right(struct rb_root *root, struct rb_node *parent)
{
	struct rb_node *sibling = parent->left;

	if (sibling->red) {
		sibling->red = false;
		parent->red = true;
		rotate_right(root, parent);
		sibling = parent->left;
	}
	if (!is_red(sibling->left) && !is_red(sibling->right)) {
		sibling->red = true;
		return parent;
	}
	if (!is_red(sibling->left)) {
		sibling->right->red = false;
		sibling->red = true;
		rotate_left(root, sibling);
		sibling = parent->left;
	}
	sibling->red = parent->red;
	parent->red = false;
	sibling->left->red = false;
	rotate_right(root, parent);
	return root->node;
}

static void erase_fix(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
	while (node != root->node && !is_red(node)) {
		node = node == parent->left ? erase_fix_left(root, parent)
					    : erase_fix_right(root, parent);
		parent = node->parent;
	}
	if (node)
		node->red = false;
}

/* Take out a node that has one child at most; says which child took its place, and below whom. */
static void unlink_node(struct rb_root *root, struct rb_node *node, struct rb_node **child,
			struct rb_node **parent)
{
	*child = node->left ? node->left : node->right;
	*parent = node->parent;
	if (*child)
		(*child)->parent = *parent;
	replace_child(root, *parent, node, *child);
}

void rb_erase(struct rb_root *root, struct rb_node *node)
{
	struct rb_node *child, *parent;
	bool red;

	if (node->left && node->right) {
		/* The successor has no left child: it is taken out and put in the node's place. */
		struct rb_node *next = rb_next(node);

		red = next->red;
		unlink_node(root, next, &child, &parent);
		if (parent == node)
			parent = next;
		*next = *node;
		replace_child(root, node->parent, node, next);
		next->left->parent = next;
		if (next->right)
			next->right->parent = next;
	} else {
		red = node->red;
		unlink_node(root, node, &child, &parent);
	}
	if (!red && root->node)
		erase_fix(root, child, parent);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *node = root->node;

	while (node && node->left)
		node = node->left;
	return node;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *node = root->node;

	while (node && node->right)
		node = node->right;
	return node;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	if (node->right) {
		const struct rb_root subtree = { node->right };

		return rb_first(&subtree);
	}
	while (node->parent && node == node->parent->right)
		node = node->parent;
	return node->parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	if (node->left) {
		const struct rb_root subtree = { node->left };

		return rb_last(&subtree);
	}
	while (node->parent && node == node->parent->left)
		node = node->parent;
	return node->parent;
}
