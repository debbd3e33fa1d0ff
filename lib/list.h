/*
 * Doubly linked circular lists. The links are inside the objects. A list head is a struct list
 * outside of the objects. An empty list points to itself.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

/*
 * list_empty_unlocked() reads a list without its lock. The pointer to the next item must therefore
 * change in one store, which the compiler neither splits nor repeats.
 */
static inline void list_set_next(struct list *item, struct list *next)
{
	*(struct list *volatile *)&item->next = next;
}

/* Returns true if the list was empty at some moment during the call. Needs no lock. */
static inline bool list_empty_unlocked(const struct list *list)
{
	return *(struct list *const volatile *)&list->next == list;
}

static inline void list_insert(struct list *item, struct list *prev, struct list *next)
{
	next->prev = item;
	item->next = next;
	item->prev = prev;
	list_set_next(prev, item);
}

/* Insert `item` at the front. */
static inline void list_add(struct list *head, struct list *item)
{
	list_insert(item, head, head->next);
}

/* Insert `item` at the end. */
static inline void list_add_tail(struct list *head, struct list *item)
{
	list_insert(item, head->prev, head);
}

/* Remove `item` from its list. Afterwards list_empty(item) is true. It may be called twice. */
static inline void list_del(struct list *item)
{
	list_set_next(item->prev, item->next);
	item->next->prev = item->prev;
	list_init(item);
}

/* Move all items of `from` to the end of `to`. Afterwards `from` is empty. */
static inline void list_splice_tail(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(ptr, type, member)  container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member)  list_entry((head)->prev, type, member)

/*
 * At the end of a walk, pos does not point to an object, and may be misaligned. Its link is
 * therefore computed from its address.
 */
#define list_link(pos, member) ((struct list *)((char *)(pos) + offsetof(typeof(*(pos)), member)))
#define list_next(pos, member) list_entry(list_link(pos, member)->next, typeof(*(pos)), member)

#define list_for_each(pos, head, member)                           \
	for (pos = list_entry((head)->next, typeof(*pos), member); \
	     list_link(pos, member) != (head); pos = list_next(pos, member))

/* The same for loops that may remove `pos` from the list. */
#define list_for_each_safe(pos, tmp, head, member)                                               \
	for (pos = list_entry((head)->next, typeof(*pos), member), tmp = list_next(pos, member); \
	     list_link(pos, member) != (head); pos = tmp, tmp = list_next(tmp, member))

#endif
