/*
 * Doubly linked circular lists with the links inside the objects. A list head is a struct list
 * that belongs to no object; an empty list points to itself.
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
 * A list's first item may be asked for without its lock (list_empty_unlocked). So the pointer to the
 * next item changes in one store, which the compiler neither splits nor repeats.
 */
static inline void list_set_next(struct list *item, struct list *next)
{
	*(struct list *volatile *)&item->next = next;
}

/* Was the list empty at some moment? For callers without its lock. */
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

/* Put `item` first. */
static inline void list_add(struct list *head, struct list *item)
{
	list_insert(item, head, head->next);
}

/* Put `item` last. */
static inline void list_add_tail(struct list *head, struct list *item)
{
	list_insert(item, head->prev, head);
}

/* Take `item` out of its list and leave it empty, so that list_empty(item) says it is on none. */
static inline void list_del(struct list *item)
{
	list_set_next(item->prev, item->next);
	item->next->prev = item->prev;
	list_init(item);
}

/* Move every item of `from` to the end of `to`; `from` is empty afterwards. */
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
 * At the end of a walk pos is no object and may not be aligned as one: its link is computed from
 * its address.
 */
#define list_link(pos, member) ((struct list *)((char *)(pos) + offsetof(typeof(*(pos)), member)))
#define list_next(pos, member) list_entry(list_link(pos, member)->next, typeof(*(pos)), member)

#define list_for_each(pos, head, member)                           \
	for (pos = list_entry((head)->next, typeof(*pos), member); \
	     list_link(pos, member) != (head); pos = list_next(pos, member))

/* The same, safe against removal of `pos`. */
#define list_for_each_safe(pos, tmp, head, member)                                               \
	for (pos = list_entry((head)->next, typeof(*pos), member), tmp = list_next(pos, member); \
	     list_link(pos, member) != (head); pos = tmp, tmp = list_next(tmp, member))

#endif
