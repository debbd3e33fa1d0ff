/* lib/rbtree.c, against a sorted array; the rules of the tree are checked after every change. */
#include "tests/unit/shim.h"
#include "lib/rbtree.c"

#define KEYS 300

struct item {
	struct rb_node node;
	unsigned int key;
};
#define item_of(n) rb_entry(n, struct item, node)

static struct rb_root root = RB_ROOT;
static struct item *items[KEYS]; /* the model: by key; NULL: not in the tree */

static void insert(unsigned int key)
{
	struct rb_node **link = &root.node, *parent = NULL;
	struct item *item = malloc(sizeof(*item));

	item->key = key;
	while (*link) {
		parent = *link;
		link = key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_insert(&root, &item->node, parent, link);
	items[key] = item;
}

static void erase(unsigned int key)
{
	rb_erase(&root, &items[key]->node);
	free(items[key]); /* whoever still points to it is found by the sanitizer */
	items[key] = NULL;
}

/* The number of black nodes on every way down. */
static int check_subtree(struct rb_node *node, struct rb_node *parent)
{
	int left, right;

	if (!node)
		return 1;
	must(node->parent == parent);
	must(!(node->red && parent && parent->red));
	left = check_subtree(node->left, node);
	right = check_subtree(node->right, node);
	must(left == right);
	return left + !node->red;
}

static void check(void)
{
	struct rb_node *node = rb_first(&root), *last = NULL;

	must(!root.node || !root.node->red);
	check_subtree(root.node, NULL);
	for (unsigned int key = 0; key < KEYS; key++) {
		if (!items[key])
			continue;
		must(node == &items[key]->node);
		must(rb_prev(node) == last);
		last = node;
		node = rb_next(node);
	}
	must(!node);
	must(rb_last(&root) == last);
}

static void erase_all(void)
{
	for (unsigned int key = 0; key < KEYS; key++) {
		if (items[key])
			erase(key);
	}
	check();
}

int main(void)
{
	must(!rb_first(&root) && !rb_last(&root));
	for (unsigned int key = 0; key < KEYS; key++) {
		insert(key);
		check();
	}
	erase_all();
	ok(!root.node, "ascending insertion, ascending removal");

	for (unsigned int key = KEYS; key-- > 0;) {
		insert(key);
		check();
	}
	for (unsigned int key = KEYS; key-- > 0;) {
		erase(key);
		check();
	}
	ok(!root.node, "descending insertion, descending removal");

	for (int round = 0; round < 60000; round++) {
		unsigned int key = random_u32() % KEYS;
		bool grow = round / 2000 % 2 == 0;

		/* Phases that fill the tree and phases that empty it. */
		if (!items[key] && (grow || random_u32() % 4 == 0))
			insert(key);
		else if (items[key] && (!grow || random_u32() % 4 == 0))
			erase(key);
		check();
	}
	erase_all();
	ok(!root.node, "random insertion and removal");
	return tap_done();
}
