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

/* The child opposite of `side` takes the node's place, the node becomes its child on that side. */
static void rotate(struct rb_root *root, struct rb_node *node, bool side)
{
	struct rb_node *child = node->child[!side];

	node->child[!side] = child->child[side];
	if (child->child[side])
		child->child[side]->parent = node;
	child->parent = node->parent;
	replace_child(root, node->parent, node, child);
	child->child[side] = node;
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
	bool side = parent == grandparent->right;

	if (node == parent->child[!side]) {
		rotate(root, parent, side);
		parent = node;
	}
	rotate(root, grandparent, !side);
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
 * The ways through `parent` on `side`, where the node hangs, have one black node too few. The node is black, and
 * so its sibling exists. Returns the node where the loss is to be repaired next; the root: done.
 */
static struct rb_node *erase_fix_at(struct rb_root *root, struct rb_node *parent, bool side)
{
	struct rb_node *sibling = parent->child[!side];

	if (sibling->red) {
		sibling->red = false;
		parent->red = true;
		rotate(root, parent, side);
		sibling = parent->child[!side];
	}
	if (!is_red(sibling->left) && !is_red(sibling->right)) {
		sibling->red = true;
		return parent;
	}
	if (!is_red(sibling->child[!side])) {
		sibling->child[side]->red = false;
		sibling->red = true;
		rotate(root, sibling, !side);
		sibling = parent->child[!side];
	}
	sibling->red = parent->red;
	parent->red = false;
	sibling->child[!side]->red = false;
	rotate(root, parent, side);
	return root->node;
}

static void erase_fix(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
	while (node != root->node && !is_red(node)) {
		node = erase_fix_at(root, parent, node != parent->left);
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

static struct rb_node *outermost(struct rb_node *node, bool side)
{
	while (node && node->child[side])
		node = node->child[side];
	return node;
}

static struct rb_node *neighbour(const struct rb_node *node, bool side)
{
	if (node->child[side])
		return outermost(node->child[side], !side);
	while (node->parent && node == node->parent->child[side])
		node = node->parent;
	return node->parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->node, false);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->node, true);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, true);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, false);
}
