/*
 * Sets of semaphores.
 *
 * 1. A list of operations on a set happens as a whole or not at all. sem_table.lock is held while
 *    they are made, so nobody sees a part of them.
 * 2. If an operation cannot be made, the task waits on the set. Whenever the set has changed, the
 *    waiting tasks are looked at in the order in which they came, and each one whose whole list can
 *    be made gets it made. A task that does not have to wait does not look at those that do.
 * 3. An operation with SEM_UNDO is noted, to be undone when the task ends. The notes of a task are
 *    one sem_undo for each set. Tasks made by clone(CLONE_SYSVSEM) share them, and the last one
 *    undoes all. Undoing never waits. It stops at zero and at the largest value.
 */
#ifndef KERNEL_IPC_SEM_H
#define KERNEL_IPC_SEM_H

#include "kernel/ipc/ipc.h"
#include "kernel/task.h"

#define SEM_VALUE_MAX 32767
#define SEM_NR_SETS   32000u /* the first values of the limits below */
#define SEM_NR_IN_SET 32000u
#define SEM_NR	      (SEM_NR_SETS * SEM_NR_IN_SET) /* in all */
#define SEM_NR_OPS    500u			    /* in one call */
#define SEM_IN_SET_HIGHEST \
	65536u /* the highest value of that limit: an operation names them by 16 bits */
#define SEM_OPS_HIGHEST \
	10000u /* the highest value of that limit: they are copied to one block of memory */

/* A list shorter than this needs no allocation. */
#define SEM_FEW_OPS 8u

struct sem_op { /* struct sembuf of semop(2) */
	uint16_t number;
	int16_t change; /* 0: wait until the value is 0 */
	int16_t flags;	/* IPC_NOWAIT, SEM_UNDO */
};
#define SEM_UNDO 0x1000

struct semaphore {
	int16_t value;
	unsigned int last; /* process id of the last one that operated on it */
};

struct sem_set {
	struct ipc_object object;
	int64_t otime,
		ctime; /* seconds since 1970: of the last operation, of the last other change */
	struct list waiters; /* of struct sem_waiter, in the order in which they came */
	struct list undos;   /* of struct sem_undo */
	unsigned int nr;
	struct semaphore semaphores[];
};

/* What some tasks will add to the semaphores of a set when they end. */
struct sem_undo {
	struct list of_set, of_list; /* guarded by sem_table.lock, as the changes are */
	struct sem_set *set;
	unsigned int nr;
	int16_t changes[];
};

struct sem_undo_list {
	struct atomic users; /* tasks */
	struct list undos;   /* guarded by sem_table.lock */
};

/*
 * The limits in /proc/sys/kernel/sem, read without a lock: semaphores of a set, and of all;
 * operations of a call.
 */
extern unsigned int sem_in_set_max, sem_all_max, sem_ops_max;
extern struct ipc_table sem_table;
/* Returns the set with the object, or NULL for NULL. */
static inline struct sem_set *sem_set_of(struct ipc_object *object)
{
	return object ? container_of(object, struct sem_set, object) : NULL;
}

/*
 * Make the operations, and wait until time_now() is `until` if they cannot be made at once. Returns
 * 0 or an error of semop(2): -EINVAL, -EFBIG, -EACCES, -EAGAIN, -EIDRM, -EINTR, -ENOMEM, -ERANGE.
 * May sleep.
 */
int sem_operate(int id, const struct sem_op *ops, unsigned int nr, uint64_t until);
/*
 * semtimedop(2): copy the operations and the timeout from user memory, a timeout with 64-bit
 * seconds if `wide` is set, and make them. The timeout may be NULL. Returns 0 or an error. May
 * sleep. kernel/ipc/sem_calls.c
 */
long sem_timed_operate(int id, const void __user *ops, unsigned int nr, const void __user *timeout,
		       bool wide);
/* Remove a set. Its waiters get -EIDRM. Returns 0, -EINVAL or -EPERM. May sleep. */
long sem_remove(int id);
/*
 * Set semaphore `number`, or all of them if `values` has set->nr values, and forget what was to be
 * undone with them. Then serve the waiters. sem_table.lock is held.
 */
void sem_set_values_locked(struct sem_set *set, unsigned int number, const uint16_t *values,
			   unsigned int nr);
/*
 * Returns how many tasks wait for the semaphore to become zero, or to become larger. sem_table.lock
 * is held.
 */
unsigned int sem_count_waiters_locked(const struct sem_set *set, unsigned int number,
				      bool for_zero);

/*
 * For a new child, before it runs: with `share`, it undoes together with the current task. Returns
 * 0 or -ENOMEM. May sleep.
 */
int sem_fork(struct task *child, bool share);
/*
 * The task ends, does not come to life, or undoes alone from now on: undo its operations, unless
 * others share them. May sleep.
 */
void sem_exit(struct task *task);

#endif
