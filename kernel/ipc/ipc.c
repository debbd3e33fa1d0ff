/*
 * What the three kinds of System V IPC share: tables of objects, permissions, memory, and waiting.
 * The contract is in kernel/ipc/ipc.h.
 *
 * An id consists of a slot, which is small and is used again, and of the number of rounds in which
 * slots have been given out. A round ends well above the number of objects, so a slot stays free
 * for a while.
 */
#include "kernel/ipc/ipc.h"
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/process/credentials.h"
#include "lib/errno.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"

#define SLOT_BITS 15u
#define NR_SLOTS  (1u << SLOT_BITS)
#define NR_ROUNDS (1u << (31 - SLOT_BITS))
#define ROUND_MIN 64u /* slots */

/* ---- memory ---- */

static struct atomic used_bytes;
static int max_bytes;

static void __init ipc_init(void)
{
	struct memory_stats memory;

	memory_stats(&memory);
	max_bytes = memory.low_total / 4 * PAGE_SIZE;
}
INITCALL(2, ipc_init);

/* What the memory really takes. A large object of kmalloc() is a block of 1, 2, 4, ... pages. */
static int bytes_taken(size_t size)
{
	size_t block = PAGE_SIZE;

	if (size > KMALLOC_MAX)
		return PAGE_ALIGN(size);
	if (size <= PAGE_SIZE / 2)
		return size;
	while (block < size)
		block *= 2;
	return block;
}

void *ipc_alloc(size_t size, unsigned int flags)
{
	void *memory = NULL;

	if (atomic_add_return(&used_bytes, bytes_taken(size)) <= max_bytes)
		memory = buffer_alloc(size, flags);
	if (!memory)
		atomic_add(&used_bytes, -bytes_taken(size));
	return memory;
}

void ipc_free(void *memory, size_t size)
{
	if (!memory)
		return;
	buffer_free(memory, size);
	atomic_add(&used_bytes, -bytes_taken(size));
}

/* ---- permissions ---- */

bool ipc_permitted(const struct ipc_object *object, unsigned int ways)
{
	const struct credentials *cred = &current->process->cred;
	unsigned int mode = object->mode;

	if (cred->euid == object->uid || cred->euid == object->cuid)
		mode >>= 6;
	else if (credentials_in_group(object->gid, cred->fsgid) ||
		 credentials_in_group(object->cgid, cred->fsgid))
		mode >>= 3;
	return (ways & ~mode & 7) == 0 || capable(CAP_IPC_OWNER);
}

bool ipc_is_owner(const struct ipc_object *object)
{
	const struct credentials *cred = &current->process->cred;

	return cred->euid == object->uid || cred->euid == object->cuid || capable(CAP_SYS_ADMIN);
}

/* ---- tables ---- */

static struct ipc_object *of_slot(struct tree_node *node)
{
	return node ? container_of(node, struct ipc_object, by_slot) : NULL;
}

unsigned int ipc_slot(const struct ipc_object *object)
{
	return object->by_slot.key;
}

/*
 * Returns the node with the key, or NULL. tree_above() wants a smaller key, and there is none below
 * 0.
 */
static struct tree_node *tree_at(struct tree_node *root, uintptr_t key)
{
	struct tree_node *node = key ? tree_above(root, key - 1) : tree_below(root, 1);

	return node && node->key == key ? node : NULL;
}

struct ipc_object *ipc_next_locked(struct ipc_table *table, unsigned int slot)
{
	struct tree_node *node = tree_at(table->by_slot, slot);

	lockdep_held(&table->lock);
	return of_slot(node ? node : tree_above(table->by_slot, slot));
}

unsigned int ipc_highest_locked(struct ipc_table *table)
{
	struct tree_node *node = tree_below(table->by_slot, NR_SLOTS);

	lockdep_held(&table->lock);
	return node ? node->key : 0;
}

struct ipc_object *ipc_find_locked(struct ipc_table *table, int id)
{
	struct ipc_object *object = of_slot(tree_at(table->by_slot, id & (NR_SLOTS - 1)));

	lockdep_held(&table->lock);
	return object && object->id == id ? object : NULL;
}

static struct ipc_object *find_key(struct ipc_table *table, int32_t key)
{
	struct tree_node *node = tree_at(table->by_key, (uint32_t)key);

	return node && key != IPC_PRIVATE ? container_of(node, struct ipc_object, by_key) : NULL;
}

static void set_id(struct ipc_object *object, unsigned int round, unsigned int slot)
{
	object->by_slot.key = slot;
	object->id = (int)(round << SLOT_BITS | slot);
}

/*
 * Give the object the id that was written to /proc, or if its slot is taken, the next one. Returns
 * false if none is free.
 */
static bool use_wish(struct ipc_table *table, struct ipc_object *object)
{
	unsigned int wished = table->wished, slot = wished & (NR_SLOTS - 1);

	table->wished = -1;
	while (slot < NR_SLOTS && tree_at(table->by_slot, slot))
		slot++;
	if (slot < NR_SLOTS)
		set_id(object, wished >> SLOT_BITS, slot);
	return slot < NR_SLOTS;
}

/* Choose the object's slot and id. There are fewer objects than slots in a round. */
static void choose_id(struct ipc_table *table, struct ipc_object *object)
{
	unsigned int end = MIN(MAX(table->nr * 3 / 2, ROUND_MIN), NR_SLOTS);
	unsigned int slot = table->next_slot;

	while (slot < end && tree_at(table->by_slot, slot))
		slot++;
	if (slot >= end) {
		table->nr_rounds = (table->nr_rounds + 1) % NR_ROUNDS;
		for (slot = 0; tree_at(table->by_slot, slot);)
			slot++;
	}
	table->next_slot = slot + 1;
	set_id(object, table->nr_rounds, slot);
}

/* Add a new object. Returns false if there are too many. */
static bool add(struct ipc_table *table, struct ipc_object *object)
{
	if (table->nr >= READ_ONCE(table->limit))
		return false;
	if (table->wished < 0 || !use_wish(table, object))
		choose_id(table, object);
	tree_insert(&table->by_slot, &object->by_slot);
	if (object->key != IPC_PRIVATE) {
		object->by_key.key = (uint32_t)object->key;
		tree_insert(&table->by_key, &object->by_key);
	}
	table->nr++;
	return true;
}

void ipc_drop_key_locked(struct ipc_table *table, struct ipc_object *object)
{
	lockdep_held(&table->lock);
	if (object->key != IPC_PRIVATE)
		tree_remove(&table->by_key, &object->by_key);
	object->key = IPC_PRIVATE;
}

void ipc_remove_locked(struct ipc_table *table, struct ipc_object *object)
{
	ipc_drop_key_locked(table, object);
	tree_remove(&table->by_slot, &object->by_slot);
	table->nr--;
}

struct ipc_object *ipc_look_locked(struct ipc_table *table, int id, bool by_slot, bool any)
{
	struct ipc_object *object;

	lockdep_held(&table->lock);
	if (by_slot)
		object = of_slot(tree_at(table->by_slot, id & (NR_SLOTS - 1)));
	else
		object = ipc_find_locked(table, id);
	if (!object)
		return ERR_PTR(-EINVAL);
	return any || ipc_permitted(object, IPC_READ) ? object : ERR_PTR(-EACCES);
}

struct ipc_object *ipc_own_locked(struct ipc_table *table, int id)
{
	struct ipc_object *object = ipc_find_locked(table, id);

	if (!object)
		return ERR_PTR(-EINVAL);
	return ipc_is_owner(object) ? object : ERR_PTR(-EPERM);
}

/* ---- making objects ---- */

/* Returns the id of an existing object, or why the caller may not have it. */
static long check_existing(struct ipc_table *table, const struct ipc_object *object, size_t size,
			   unsigned int flags)
{
	unsigned int ways = (flags >> 6 | flags >> 3 | flags) & 7;

	if ((flags & (IPC_CREAT | IPC_EXCL)) == (IPC_CREAT | IPC_EXCL))
		return -EEXIST;
	if (table->kind->is_large_enough && !table->kind->is_large_enough(object, size))
		return -EINVAL;
	return ipc_permitted(object, ways) ? object->id : -EACCES;
}

static void set_owner(struct ipc_object *object, int32_t key, unsigned int flags)
{
	const struct credentials *cred = &current->process->cred;

	object->key = key;
	object->mode = flags & 0777;
	object->uid = object->cuid = cred->euid;
	object->gid = object->cgid = cred->egid;
}

/*
 * Add the new object, unless another task has made one with the same key meanwhile. Returns an id
 * or an error.
 */
static long add_new(struct ipc_table *table, struct ipc_object *new, size_t size,
		    unsigned int flags)
{
	struct ipc_object *other;
	bool added = false;
	long result;

	spin_lock(&table->lock);
	other = find_key(table, new->key);
	if (!other)
		added = add(table, new);
	if (other)
		result = check_existing(table, other, size, flags);
	else
		result = added ? new->id : -ENOSPC;
	spin_unlock(&table->lock);
	if (!added)
		table->kind->destroy(new);
	return result;
}

long ipc_get(struct ipc_table *table, int32_t key, size_t size, unsigned int flags)
{
	struct ipc_object *object;
	long result = -ENOENT;

	spin_lock(&table->lock);
	object = find_key(table, key);
	if (object)
		result = check_existing(table, object, size, flags);
	spin_unlock(&table->lock);
	if (object || (key != IPC_PRIVATE && !(flags & IPC_CREAT)))
		return result;
	object = table->kind->create(key, size, flags);
	if (IS_ERR(object))
		return PTR_ERR(object);
	set_owner(object, key, flags);
	return add_new(table, object, size, flags);
}

/* ---- waiting ---- */

void ipc_waiter_init(struct ipc_waiter *waiter)
{
	list_init(&waiter->link);
	wait_queue_init(&waiter->queue, "ipc waiter");
	waiter->result = IPC_WAITING;
}

//BOOK: leave-after-serving
/*
 * The result is set before the queue is woken, and the sleeper is on its queue before it looks at
 * the result:
 *
 *	sleeper				the task that serves it
 *	joins its queue
 *	looks: no result yet
 *					sets the result, wakes the queue
 *	goes on
 *
 * The queue lies on the sleeper's stack. The other task uses it with the lock held, so the sleeper
 * must take the lock once more before it returns:
 *
 *	sleeper				the task that serves it
 *					sets the result
 *	a signal wakes it: it sees the result, returns
 *					wakes a queue that is no more
 */
int ipc_sleep(spinlock_t *lock, struct ipc_waiter *waiter, uint64_t until)
{
	int error =
		wait_event_until(&waiter->queue, READ_ONCE(waiter->result) != IPC_WAITING, until);

	spin_lock(lock);
	if (waiter->result == IPC_WAITING) {
		list_del(&waiter->link);
		waiter->result = error;
	}
	spin_unlock(lock);
	return waiter->result;
}

void ipc_finish(struct ipc_waiter *waiter, int result)
{
	list_del(&waiter->link);
	WRITE_ONCE(waiter->result, result);
	wake_all(&waiter->queue);
}

void ipc_finish_all(struct list *waiters, int result)
{
	while (!list_empty(waiters))
		ipc_finish(list_first(waiters, struct ipc_waiter, link), result);
}
