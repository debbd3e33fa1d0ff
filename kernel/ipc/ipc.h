/*
 * System V IPC: segments of shared memory, sets of semaphores, and queues of messages.
 *
 * 1. There are three kinds of objects. A kind has one table, with the objects by their ids and by
 *    their keys. table->lock guards the table and everything in its objects, and is held for short
 *    times only. Nobody holds two of these locks. Memory is allocated, and bytes are copied from
 *    and to programs, before or after.
 * 2. An object stays until it is removed. It has no references: whoever has slept or has released
 *    the lock looks for the id again. An id is not given to another object soon after its object
 *    was removed.
 * 3. A task that has to wait lies on its object's list, as a struct ipc_waiter on its own stack.
 *    Whoever makes the step possible does it in the sleeper's name, under the lock, and tells the
 *    sleeper the result. So the tasks are served in the order in which they came, and a sleeper
 *    never has to try again. Removing an object ends the waits for it with -EIDRM.
 * 4. The permissions are those of files: user, group, others, and two capabilities (CAP_IPC_OWNER
 *    for using an object, CAP_SYS_ADMIN for changing or removing it).
 * 5. All objects and messages together take at most a quarter of low memory (ipc_alloc). The pages
 *    of shared memory belong to files in memory, and are limited there (kernel/ipc/shm.c).
 */
#ifndef KERNEL_IPC_IPC_H
#define KERNEL_IPC_IPC_H

#include "kernel/spinlock.h"
#include "kernel/wait.h"
#include "lib/list.h"
#include "lib/print.h"
#include "lib/tree.h"

enum { /* linux/ipc.h: flags of the calls, and commands of semctl, shmctl and msgctl */
       IPC_CREAT = 01000,
       IPC_EXCL = 02000,
       IPC_NOWAIT = 04000,
       IPC_RMID = 0,
       IPC_SET = 1,
       IPC_STAT = 2,
       IPC_INFO = 3,
};
#define IPC_PRIVATE 0

/* For ipc_permitted(), as in a mode's bits for others. */
enum { IPC_READ = 4, IPC_WRITE = 2, IPC_EXEC = 1 };

struct ipc_object {
	struct tree_node by_slot; /* in the table; its key is the id's lower part */
	struct tree_node by_key;  /* in the table, unless the key is IPC_PRIVATE */
	int id;
	int32_t key;
	uint32_t uid, gid;   /* the owner */
	uint32_t cuid, cgid; /* the creator */
	unsigned int mode;   /* permissions; a segment has flags above them */
};

struct ipc_kind {
	/*
	 * Make an object for the size and flags of shmget(2) or the like, with its key set. Returns
	 * it or ERR_PTR. May sleep.
	 */
	struct ipc_object *(*create)(int32_t key, size_t size, unsigned int flags);
	/*
	 * May a caller that asks for this size have the existing object? Never sleeps. NULL: yes.
	 */
	bool (*is_large_enough)(const struct ipc_object *object, size_t size);
	/* Free an object that is in no table. May sleep. */
	void (*destroy)(struct ipc_object *object);
};

struct ipc_table {
	spinlock_t lock;
	const struct ipc_kind *kind;
	unsigned int limit; /* of objects; read without a lock */
	/* guarded by lock */
	int wished; /* the id that the next object gets if its slot is free, or -1 */
	struct tree_node *by_slot, *by_key;
	unsigned int nr;
	unsigned int next_slot; /* where the search for a free one begins */
	unsigned int nr_rounds; /* how often the search has begun again: the ids' upper part */
};
#define IPC_TABLE(name, kind, limit)                                           \
	{                                                                      \
		SPINLOCK_INIT(name), &(kind), (limit), -1, NULL, NULL, 0, 0, 0 \
	}

/* ---- objects: kernel/ipc/ipc.c. Functions that end with _locked need table->lock. ---- */

/*
 * shmget(2) and the like, when the size has been checked: find the object with this key, or make
 * one. Returns its id, or -ENOENT, -EEXIST, -EINVAL if the existing one is too small, -EACCES,
 * -ENOSPC if there are too many, or an error of create. May sleep. Takes table->lock.
 */
long ipc_get(struct ipc_table *table, int32_t key, size_t size, unsigned int flags);
/* Returns the object with this id, or NULL if there is none (EINVAL). */
struct ipc_object *ipc_find_locked(struct ipc_table *table, int id);
/* Returns the first object whose slot is `slot` or higher, or NULL. For walks through all. */
struct ipc_object *ipc_next_locked(struct ipc_table *table, unsigned int slot);
/* Returns the slot of an object, the index of shmctl(SHM_STAT) and the like. */
unsigned int ipc_slot(const struct ipc_object *object);
/* Returns the highest slot that is used, or 0. */
unsigned int ipc_highest_locked(struct ipc_table *table);
/* Take an object out of the table. It keeps its id, so that it can still be told from others. */
void ipc_remove_locked(struct ipc_table *table, struct ipc_object *object);
/* Make the object one without a key. Only its id leads to it from now on. */
void ipc_drop_key_locked(struct ipc_table *table, struct ipc_object *object);
/*
 * Find the object that STAT commands ask for: by its slot if `by_slot` is set, otherwise by its id.
 * With `any`, everybody may read it. Returns it, or ERR_PTR(-EINVAL, -EACCES).
 */
struct ipc_object *ipc_look_locked(struct ipc_table *table, int id, bool by_slot, bool any);
/* Find the object for IPC_SET and IPC_RMID. Returns it, or ERR_PTR(-EINVAL, -EPERM). */
struct ipc_object *ipc_own_locked(struct ipc_table *table, int id);

/* May the current process use the object in all these ways (IPC_READ, IPC_WRITE)? Never sleeps. */
bool ipc_permitted(const struct ipc_object *object, unsigned int ways);
/* May it change and remove the object? */
bool ipc_is_owner(const struct ipc_object *object);

/*
 * Allocate or free memory for objects and messages. Returns NULL if their share of the memory is
 * used up, or if there is no memory. Contents are undefined unless flags has ALLOC_ZERO. The size
 * must be the same in both calls. May sleep.
 */
void *ipc_alloc(size_t size, unsigned int flags);
void ipc_free(void *memory, size_t size);

/* ---- waiting ---- */

#define IPC_WAITING 1 /* a result that is none yet */

struct ipc_waiter {
	struct list link; /* on a list of its object; guarded by table->lock, as `result` is */
	struct wait_queue queue;
	int result; /* IPC_WAITING, or what the sleeper's call returns */
};

/* Prepare a waiter for the object's list. The caller adds it there under the lock. Never sleeps. */
void ipc_waiter_init(struct ipc_waiter *waiter);
/*
 * Sleep until another task has set the result, a signal arrives, or time_now() is `until`. Then the
 * waiter is on no list any more. Returns the result, -ERESTARTSYS after a signal, or -EAGAIN when
 * the time has passed. Takes `lock`, that of the waiter's list.
 */
int ipc_sleep(spinlock_t *lock, struct ipc_waiter *waiter, uint64_t until);
/* Take the waiter off its list, and wake it with this result. table->lock is held. Never sleeps. */
void ipc_finish(struct ipc_waiter *waiter, int result);
/* Do this with all waiters on a list. */
void ipc_finish_all(struct list *waiters, int result);

#endif
