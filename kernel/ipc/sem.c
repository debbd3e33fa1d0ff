/*
 * Semaphores: making operations, waiting for them, and undoing them. The contract is in
 * kernel/ipc/sem.h.
 */
#include "kernel/ipc/sem.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"

struct sem_waiter {
	struct ipc_waiter base;
	const struct sem_op *ops;
	unsigned int nr, blocked_at; /* the operation that could not be made */
	bool changes;		     /* some operation changes a semaphore */
	struct sem_undo *undo;	     /* with the changes of its task; NULL: none has SEM_UNDO */
	unsigned int pid;
};

static unsigned int nr_semaphores; /* in all sets; guarded by sem_table.lock */

static int64_t now(void)
{
	return time_wall_spec().sec;
}

/* ---- life ---- */

static size_t set_bytes(unsigned int nr)
{
	return sizeof(struct sem_set) + nr * sizeof(struct semaphore);
}

static bool charge(unsigned int nr)
{
	bool fits;

	spin_lock(&sem_table.lock);
	fits = nr_semaphores + nr <= READ_ONCE(sem_all_max);
	if (fits)
		nr_semaphores += nr;
	spin_unlock(&sem_table.lock);
	return fits;
}

static void uncharge(unsigned int nr)
{
	spin_lock(&sem_table.lock);
	nr_semaphores -= nr;
	spin_unlock(&sem_table.lock);
}

static struct ipc_object *set_create(int32_t key, size_t nr, unsigned int flags)
{
	struct sem_set *set;

	if (nr == 0)
		return ERR_PTR(refuse(EINVAL, "a set without semaphores"));
	if (!charge(nr))
		return ERR_PTR(-ENOSPC);
	set = ipc_alloc(set_bytes(nr), ALLOC_ZERO);
	if (!set) {
		uncharge(nr);
		return ERR_PTR(-ENOMEM);
	}
	set->nr = nr;
	set->ctime = now();
	list_init(&set->waiters);
	list_init(&set->undos);
	return &set->object;
}

static bool set_is_large_enough(const struct ipc_object *object, size_t nr)
{
	return container_of(object, struct sem_set, object)->nr >= nr;
}

static void set_destroy(struct ipc_object *object)
{
	struct sem_set *set = sem_set_of(object);

	uncharge(set->nr);
	ipc_free(set, set_bytes(set->nr));
}

static const struct ipc_kind sem_kind = {
	.create = set_create,
	.is_large_enough = set_is_large_enough,
	.destroy = set_destroy,
};
unsigned int sem_in_set_max = SEM_NR_IN_SET, sem_all_max = SEM_NR, sem_ops_max = SEM_NR_OPS;
struct ipc_table sem_table = IPC_TABLE("semaphores", sem_kind, SEM_NR_SETS);

long sys_semget(int32_t key, int nr, unsigned int flags)
{
	if (nr < 0 || nr > (int)READ_ONCE(sem_in_set_max))
		return refuse(EINVAL, "more semaphores than a set can have");
	return ipc_get(&sem_table, key, nr, flags);
}

/* ---- operations. sem_table.lock is held. ---- */

/*
 * Make one operation. Returns 0, -ERANGE, IPC_WAITING if the task has to wait for it, or -EAGAIN if
 * it does not want to.
 */
static int operate(struct sem_set *set, struct sem_undo *undo, const struct sem_op *op)
{
	struct semaphore *semaphore = &set->semaphores[op->number];
	int value = semaphore->value + op->change;

	if (value < 0 || (op->change == 0 && value != 0))
		return op->flags & IPC_NOWAIT ? -EAGAIN : IPC_WAITING;
	if (value > SEM_VALUE_MAX)
		return -ERANGE;
	if (op->flags & SEM_UNDO) {
		int change = undo->changes[op->number] - op->change;

		if (change < -SEM_VALUE_MAX - 1 || change > SEM_VALUE_MAX)
			return -ERANGE;
		undo->changes[op->number] = change;
	}
	semaphore->value = value;
	return 0;
}

static void take_back(struct sem_set *set, struct sem_undo *undo, const struct sem_op *op)
{
	set->semaphores[op->number].value -= op->change;
	if (op->flags & SEM_UNDO)
		undo->changes[op->number] += op->change;
}

/* Make all operations or none. Returns the same as operate(). */
static int operate_all(struct sem_set *set, struct sem_waiter *waiter)
{
	unsigned int i = 0;
	int result = 0;

	while (i < waiter->nr && result == 0)
		result = operate(set, waiter->undo, &waiter->ops[i++]);
	if (result) {
		waiter->blocked_at = --i;
		while (i-- > 0)
			take_back(set, waiter->undo, &waiter->ops[i]);
		return result;
	}
	for (i = 0; i < waiter->nr; i++)
		set->semaphores[waiter->ops[i].number].last = waiter->pid;
	set->otime = now();
	return 0;
}

/* Serve one waiter that can be served. Returns true if that has changed the set. */
static bool serve_first(struct sem_set *set)
{
	struct sem_waiter *waiter, *next;

	list_for_each_safe(waiter, next, &set->waiters, base.link) {
		int result = operate_all(set, waiter);

		if (result == IPC_WAITING)
			continue;
		ipc_finish(&waiter->base, result);
		if (result == 0 && waiter->changes)
			return true;
	}
	return false;
}

//BOOK: serve-waiters
/*
 * The set has changed. What a waiter does may be what an earlier one waits for, so begin again
 * after each.
 */
static void serve(struct sem_set *set)
{
	while (serve_first(set))
		;
}

void sem_set_values_locked(struct sem_set *set, unsigned int number, const uint16_t *values,
			   unsigned int nr)
{
	struct sem_undo *undo;

	lockdep_held(&sem_table.lock);
	for (unsigned int i = 0; i < nr; i++) {
		set->semaphores[number + i].value = values[i];
		set->semaphores[number + i].last = current->process->pid;
	}
	list_for_each(undo, &set->undos, of_set)
		memset(&undo->changes[number], 0, nr * sizeof(undo->changes[0]));
	set->ctime = now();
	serve(set);
}

unsigned int sem_count_waiters_locked(const struct sem_set *set, unsigned int number, bool for_zero)
{
	struct sem_waiter *waiter;
	unsigned int nr = 0;

	lockdep_held(&sem_table.lock);
	list_for_each(waiter, &set->waiters, base.link) {
		const struct sem_op *op = &waiter->ops[waiter->blocked_at];

		nr += op->number == number && for_zero == (op->change == 0);
	}
	return nr;
}

/* ---- notes of what is to be undone ---- */

static size_t undo_bytes(unsigned int nr)
{
	return sizeof(struct sem_undo) + nr * sizeof(int16_t);
}

static void undo_free(struct sem_undo *undo)
{
	if (undo)
		ipc_free(undo, undo_bytes(undo->nr));
}

/* Give the current task a list of notes, if it has none. Returns 0 or -ENOMEM. */
static int need_undo_list(void)
{
	struct sem_undo_list *list = current->sem_undo;

	if (list)
		return 0;
	list = kmalloc(sizeof(*list), 0);
	if (!list)
		return -ENOMEM;
	atomic_set(&list->users, 1);
	list_init(&list->undos);
	current->sem_undo = list;
	return 0;
}

/* Returns the current task's notes for the set, or NULL if it has none. sem_table.lock is held. */
static struct sem_undo *find_undo(const struct sem_set *set)
{
	struct sem_undo *undo;

	list_for_each(undo, &current->sem_undo->undos, of_list)
		if (undo->set == set)
			return undo;
	return NULL;
}

/* Add notes for the set, which are empty. sem_table.lock is held. */
static void add_undo(struct sem_undo *undo, struct sem_set *set)
{
	undo->set = set;
	list_add_tail(&set->undos, &undo->of_set);
	list_add_tail(&current->sem_undo->undos, &undo->of_list);
}

static void remove_undo(struct sem_undo *undo)
{
	list_del(&undo->of_set);
	list_del(&undo->of_list);
}

static void undo_all(struct sem_undo *undo)
{
	struct sem_set *set = undo->set;

	for (unsigned int i = 0; i < undo->nr; i++) {
		struct semaphore *semaphore = &set->semaphores[i];

		if (undo->changes[i] == 0)
			continue;
		semaphore->value = MAX(0, MIN(semaphore->value + undo->changes[i], SEM_VALUE_MAX));
		semaphore->last = current->process->pid;
	}
	set->otime = now();
	serve(set);
}

int sem_fork(struct task *child, bool share)
{
	if (!share)
		return 0;
	if (need_undo_list() < 0)
		return -ENOMEM;
	child->sem_undo = current->sem_undo;
	atomic_inc(&child->sem_undo->users);
	return 0;
}

/*
 * Returns the first of the notes, which are in no list any more, or NULL. The operations have been
 * undone.
 */
static struct sem_undo *undo_one(struct sem_undo_list *list)
{
	struct sem_undo *undo = NULL;

	spin_lock(&sem_table.lock);
	if (!list_empty(&list->undos)) {
		undo = list_first(&list->undos, struct sem_undo, of_list);
		remove_undo(undo);
		undo_all(undo);
	}
	spin_unlock(&sem_table.lock);
	return undo;
}

void sem_exit(struct task *task)
{
	struct sem_undo_list *list = task->sem_undo;
	struct sem_undo *undo;

	task->sem_undo = NULL;
	if (!list || !atomic_dec_and_test(&list->users))
		return;
	while ((undo = undo_one(list)) != NULL)
		undo_free(undo);
	kfree(list);
}

/* ---- semop and removing ---- */

/* Returns 0 or why the current task cannot do this with the set. */
static int check(const struct sem_set *set, const struct sem_waiter *waiter)
{
	for (unsigned int i = 0; i < waiter->nr; i++)
		if (waiter->ops[i].number >= set->nr)
			return -EFBIG;
	return ipc_permitted(&set->object, waiter->changes ? IPC_WRITE : IPC_READ) ? 0 : -EACCES;
}

/* Prepare a waiter for the operations. Returns whether one of them is to be undone. */
static bool prepare(struct sem_waiter *waiter, const struct sem_op *ops, unsigned int nr)
{
	bool undo = false;

	*waiter = (struct sem_waiter){ .ops = ops, .nr = nr, .pid = current->process->pid };
	ipc_waiter_init(&waiter->base);
	for (unsigned int i = 0; i < nr; i++) {
		waiter->changes |= ops[i].change != 0;
		undo |= (ops[i].flags & SEM_UNDO) != 0;
	}
	return undo;
}

/*
 * Make sure that the current task has notes for the set, if there is such a set. The memory is
 * allocated without the lock, so all is looked at again afterwards. Returns 0 or -ENOMEM. May
 * sleep.
 */
static int need_undo(int id)
{
	struct sem_undo *spare;
	struct sem_set *set;
	unsigned int nr = 0;

	if (need_undo_list() < 0)
		return -ENOMEM;
	spin_lock(&sem_table.lock);
	set = sem_set_of(ipc_find_locked(&sem_table, id));
	if (set && !find_undo(set))
		nr = set->nr;
	spin_unlock(&sem_table.lock);
	if (nr == 0)
		return 0;
	spare = ipc_alloc(undo_bytes(nr), ALLOC_ZERO);
	if (!spare)
		return -ENOMEM;
	spare->nr = nr;
	spin_lock(&sem_table.lock);
	set = sem_set_of(ipc_find_locked(&sem_table, id));
	if (set && set->nr == nr && !find_undo(set)) {
		add_undo(spare, set);
		spare = NULL;
	}
	spin_unlock(&sem_table.lock);
	undo_free(spare);
	return 0;
}

/*
 * Make the operations, or add the waiter to those of the set. Returns what operate_all() does, or
 * another error. sem_table.lock is held.
 */
static int operate_or_queue(struct sem_waiter *waiter, int id, bool undo)
{
	struct sem_set *set = sem_set_of(ipc_find_locked(&sem_table, id));
	int result = set ? check(set, waiter) : -EINVAL;

	if (result)
		return result;
	if (undo)
		waiter->undo = find_undo(set);
	if (undo && !waiter->undo)
		return -EIDRM; /* the set that the notes were made for has gone meanwhile */
	result = operate_all(set, waiter);
	if (result == IPC_WAITING)
		list_add_tail(&set->waiters, &waiter->base.link);
	else if (result == 0 && waiter->changes)
		serve(set);
	return result;
}

int sem_operate(int id, const struct sem_op *ops, unsigned int nr, uint64_t until)
{
	struct sem_waiter waiter;
	bool undo = prepare(&waiter, ops, nr);
	int result = undo ? need_undo(id) : 0;

	if (result)
		return result;
	spin_lock(&sem_table.lock);
	result = operate_or_queue(&waiter, id, undo);
	spin_unlock(&sem_table.lock);
	if (result == IPC_WAITING)
		result = ipc_sleep(&sem_table.lock, &waiter.base, until);
	return result == -ERESTARTSYS ? -EINTR : result;
}

long sem_remove(int id)
{
	struct list undos = LIST_INIT(undos);
	struct ipc_object *object;

	spin_lock(&sem_table.lock);
	object = ipc_own_locked(&sem_table, id);
	if (!IS_ERR(object)) {
		struct sem_set *set = sem_set_of(object);
		struct sem_undo *undo, *next;

		ipc_remove_locked(&sem_table, object);
		ipc_finish_all(&set->waiters, -EIDRM);
		list_for_each_safe(undo, next, &set->undos, of_set) {
			remove_undo(undo);
			list_add_tail(&undos, &undo->of_set);
		}
	}
	spin_unlock(&sem_table.lock);
	if (IS_ERR(object))
		return PTR_ERR(object);
	while (!list_empty(&undos)) {
		struct sem_undo *undo = list_first(&undos, struct sem_undo, of_set);

		list_del(&undo->of_set);
		undo_free(undo);
	}
	set_destroy(object);
	return 0;
}
