/* lib/tree.c, against a sorted array; the rules of the tree are checked after every change. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "lib/tree.c"

#define KEYS	   300
#define HEIGHT_MAX 40 /* of KEYS nodes with random priorities: far more than is ever seen */

static struct tree_node *root;
static struct tree_node *items[KEYS]; /* the model: by key; NULL: not in the tree */

static void insert(unsigned int key)
{
	items[key] = malloc(sizeof(*items[key]));
	items[key]->key = key;
	tree_insert(&root, items[key]);
}

static void erase(unsigned int key)
{
	tree_remove(&root, items[key]);
	free(items[key]); /* whoever still points to it is found by the sanitizer */
	items[key] = NULL;
}

/* Returns its height. */
static int check_subtree(struct tree_node *node)
{
	int height = 0;

	for (int side = 0; node && side < 2; side++) {
		int below = check_subtree(node->child[side]);

		must(!node->child[side] || priority(node->child[side]) <= priority(node));
		height = MAX(height, below + 1);
	}
	return height;
}

static void check(void)
{
	struct tree_node *node = tree_above(root, 0), *last = items[0];

	must(check_subtree(root) <= HEIGHT_MAX);
	must(tree_below(root, 1) == items[0]);
	for (unsigned int key = 1; key < KEYS; key++) {
		must(tree_below(root, key) == last);
		if (!items[key])
			continue;
		must(node == items[key]);
		last = node;
		node = tree_above(root, key);
	}
	must(!node);
	must(tree_below(root, KEYS) == last);
}

/* A node whose key is another's goes behind it; then the first one gets a smaller key. */
static void split(unsigned int key)
{
	struct tree_node *lower = items[key];

	insert(key);
	must(tree_below(root, key + 1) == items[key]);
	lower->key = key - 1;
	items[key - 1] = lower;
	check();
}

static void erase_all(void)
{
	for (unsigned int key = 0; key < KEYS; key++) {
		if (items[key])
			erase(key);
	}
	check();
}

CASE(ascending)
{
	must(!tree_above(root, 0) && !tree_below(root, KEYS));
	for (unsigned int key = 0; key < KEYS; key++) {
		insert(key);
		check();
	}
	erase_all();
	ok(!root, "ascending insertion, ascending removal");
}

CASE(descending)
{
	for (unsigned int key = KEYS; key-- > 0;) {
		insert(key);
		check();
	}
	for (unsigned int key = KEYS; key-- > 0;) {
		erase(key);
		check();
	}
	ok(!root, "descending insertion, descending removal");
}

CASE(random)
{
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
	ok(!root, "random insertion and removal");
}

CASE(split)
{
	for (unsigned int key = 2; key < KEYS; key += 2)
		insert(key);
	for (unsigned int key = 2; key < KEYS; key += 2)
		split(key);
	erase_all();
	ok(!root, "a node is split in two");
}
