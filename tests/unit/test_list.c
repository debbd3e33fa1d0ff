/* Compares lib/list.h with an array. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#define ITEMS 20

struct item {
	struct list link;
	int value;
};

static struct item items[ITEMS];

static void start(void)
{
	for (int i = 0; i < ITEMS; i++) {
		items[i].value = i;
		list_init(&items[i].link);
	}
}

/* Returns whether the list has exactly these values, in both directions. */
static bool holds(struct list *head, const int *values, int n)
{
	struct item *item;
	int i = 0;

	list_for_each(item, head, link) {
		if (i >= n || item->value != values[i++])
			return false;
	}
	if (i != n)
		return false;
	for (struct list *at = head->prev; at != head; at = at->prev) {
		if (list_entry(at, struct item, link)->value != values[--i])
			return false;
	}
	return i == 0;
}

CASE(random)
{
	struct list lists[2] = { LIST_INIT(lists[0]), LIST_INIT(lists[1]) };
	int model[2][ITEMS], n[2] = { 0, 0 };

	start();
	for (int round = 0; round < 100000; round++) {
		struct item *item = &items[random_u32() % ITEMS];
		int to = random_u32() % 2;

		if (!list_empty(&item->link)) {
			list_del(&item->link);
			for (int l = 0, i; l < 2; l++) {
				for (i = 0; i < n[l] && model[l][i] != item->value; i++)
					;
				if (i < n[l])
					memmove(&model[l][i], &model[l][i + 1],
						(--n[l] - i) * sizeof(int));
			}
		} else if (random_u32() % 2) {
			list_add_tail(&lists[to], &item->link);
			model[to][n[to]++] = item->value;
		} else {
			list_add(&lists[to], &item->link);
			memmove(&model[to][1], &model[to][0], n[to]++ * sizeof(int));
			model[to][0] = item->value;
		}
		if (round % 50 == 0) {
			list_splice_tail(&lists[to], &lists[!to]);
			memcpy(&model[to][n[to]], model[!to], n[!to] * sizeof(int));
			n[to] += n[!to];
			n[!to] = 0;
		}
		must(holds(&lists[0], model[0], n[0]));
		must(holds(&lists[1], model[1], n[1]));
	}
	ok(true, "random insertion, removal and moving of whole lists");
}

CASE(safe)
{
	struct list head = LIST_INIT(head);
	struct item *item, *next;
	int removed = 0;

	start();
	for (int i = 0; i < ITEMS; i++)
		list_add_tail(&head, &items[i].link);
	ok(list_first(&head, struct item, link) == &items[0] &&
		   list_last(&head, struct item, link) == &items[ITEMS - 1],
	   "first and last");
	list_for_each_safe(item, next, &head, link) {
		list_del(&item->link);
		removed++;
	}
	ok(removed == ITEMS && list_empty(&head), "items are removed while the list is walked");
	ok(list_empty(&items[3].link), "an item that was removed is on no list");
}
