/* semop(2) and semctl(2): what programs do with sets of semaphores. */
#include "kernel/ipc/layout.h"
#include "kernel/ipc/sem.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

enum sem_commands { /* linux/sem.h */
		    GETPID = 11,
		    GETVAL = 12,
		    GETALL = 13,
		    GETNCNT = 14,
		    GETZCNT = 15,
		    SETVAL = 16,
		    SETALL = 17,
		    SEM_STAT = 18,
		    SEM_INFO = 19,
		    SEM_STAT_ANY = 20,
};
#define SEM_UNDO_SIZE 20 /* in struct seminfo, where it has no meaning any more */

/* ---- operations ---- */

/* Copy the operations and make them. `few` has room for SEM_FEW_OPS. */
static long operate_from_user(int id, const void __user *from, unsigned int nr, uint64_t until)
{
	struct sem_op few[SEM_FEW_OPS], *ops = few;
	long result;

	if (nr > sem_ops_max)
		return -E2BIG;
	if (nr > SEM_FEW_OPS)
		ops = kmalloc(nr * sizeof(*ops), 0);
	if (!ops)
		return -ENOMEM;
	if (copy_from_user(ops, from, nr * sizeof(*ops)) < 0)
		result = -EFAULT;
	else if (nr == 0 || id < 0)
		result = -EINVAL;
	else
		result = sem_operate(id, ops, nr, until);
	if (ops != few)
		kfree(ops);
	return result;
}

long sem_timed_operate(int id, const void __user *ops, unsigned int nr, const void __user *timeout,
		       bool wide)
{
	uint64_t ns, until = UINT64_MAX;
	int error;

	if (timeout) {
		error = time_from_user(&ns, timeout, wide);
		if (error)
			return error;
		until = deadline_after(ns);
	}
	return operate_from_user(id, ops, nr, until);
}

long sys_semtimedop_time64(int id, const void __user *ops, unsigned int nr,
			   const void __user *timeout)
{
	return sem_timed_operate(id, ops, nr, timeout, true);
}

/* ---- descriptions ---- */

static long put_description(void __user *to, const struct semid64_ds *ds, bool old)
{
	struct semid_old_ds narrow = {
		.perm = ipc_old_perm_of(&ds->perm),
		.otime = ds->otime,
		.ctime = ds->ctime,
		.nsems = ipc_narrow(ds->nsems),
	};

	return old ? copy_to_user(to, &narrow, sizeof(narrow)) : copy_to_user(to, ds, sizeof(*ds));
}

static long describe(int id, int command, void __user *to, bool old)
{
	struct ipc_object *object;
	struct semid64_ds ds;
	long result;

	memset(&ds, 0, sizeof(ds));
	spin_lock(&sem_table.lock);
	object = ipc_look_locked(&sem_table, id, command != IPC_STAT, command == SEM_STAT_ANY);
	if (!IS_ERR(object)) {
		ds.perm = ipc_perm_of(object);
		ds.otime = sem_set_of(object)->otime;
		ds.ctime = sem_set_of(object)->ctime;
		ds.nsems = sem_set_of(object)->nr;
		result = command == IPC_STAT ? 0 : object->id;
	} else {
		result = PTR_ERR(object);
	}
	spin_unlock(&sem_table.lock);
	if (result >= 0 && put_description(to, &ds, old) < 0)
		result = -EFAULT;
	return result;
}

/*
 * The limits, or with SEM_INFO how many sets and semaphores there are, in two fields of the
 * structure.
 */
static long tell(void __user *to, bool use)
{
	struct seminfo info = {
		.semmap = sem_all_max,
		.semmni = sem_table.limit,
		.semmns = sem_all_max,
		.semmnu = sem_all_max,
		.semmsl = sem_in_set_max,
		.semopm = sem_ops_max,
		.semume = sem_ops_max,
		.semusz = SEM_UNDO_SIZE,
		.semvmx = SEM_VALUE_MAX,
		.semaem = SEM_VALUE_MAX,
	};
	struct ipc_object *object;
	unsigned int highest, nr = 0;

	spin_lock(&sem_table.lock);
	object = ipc_next_locked(&sem_table, 0);
	for (; object; object = ipc_next_locked(&sem_table, ipc_slot(object) + 1))
		nr += sem_set_of(object)->nr;
	highest = ipc_highest_locked(&sem_table);
	if (use) {
		info.semusz = sem_table.nr;
		info.semaem = nr;
	}
	spin_unlock(&sem_table.lock);
	return copy_to_user(to, &info, sizeof(info)) < 0 ? -EFAULT : (long)highest;
}

static long change(int id, const void __user *from, bool old)
{
	struct ipc64_perm perm;
	struct ipc_object *object;
	long result;

	if (ipc_perm_from_user(&perm, from, old) < 0)
		return -EFAULT;
	spin_lock(&sem_table.lock);
	object = ipc_own_locked(&sem_table, id);
	result = IS_ERR(object) ? PTR_ERR(object) : ipc_set_locked(object, &perm);
	if (result == 0)
		sem_set_of(object)->ctime = time_wall_spec().sec;
	spin_unlock(&sem_table.lock);
	return result;
}

/* ---- values ---- */

/* Find the set. Returns it or ERR_PTR(-EINVAL, -EACCES). sem_table.lock is held. */
static struct sem_set *find(int id, unsigned int ways)
{
	struct ipc_object *object = ipc_find_locked(&sem_table, id);

	if (!object)
		return ERR_PTR(-EINVAL);
	return ipc_permitted(object, ways) ? sem_set_of(object) : ERR_PTR(-EACCES);
}

static long get_one(int id, unsigned int number, int command)
{
	struct sem_set *set;
	long result;

	spin_lock(&sem_table.lock);
	set = find(id, IPC_READ);
	if (IS_ERR(set))
		result = PTR_ERR(set);
	else if (number >= set->nr)
		result = -EINVAL;
	else if (command == GETVAL)
		result = set->semaphores[number].value;
	else if (command == GETPID)
		result = set->semaphores[number].last;
	else
		result = sem_count_waiters_locked(set, number, command == GETZCNT);
	spin_unlock(&sem_table.lock);
	return result;
}

static long set_one(int id, unsigned int number, int value)
{
	uint16_t new = value;
	struct sem_set *set;
	long result = 0;

	if (value < 0 || value > SEM_VALUE_MAX)
		return -ERANGE;
	spin_lock(&sem_table.lock);
	set = sem_set_of(ipc_find_locked(&sem_table, id));
	if (!set || number >= set->nr)
		result = -EINVAL;
	else if (!ipc_permitted(&set->object, IPC_WRITE))
		result = -EACCES;
	else
		sem_set_values_locked(set, number, &new, 1);
	spin_unlock(&sem_table.lock);
	return result;
}

/* Returns the number of semaphores in the set, or an error. */
static long count(int id, unsigned int ways)
{
	struct sem_set *set;
	long result;

	spin_lock(&sem_table.lock);
	set = find(id, ways);
	result = IS_ERR(set) ? PTR_ERR(set) : (long)set->nr;
	spin_unlock(&sem_table.lock);
	return result;
}

static int check_values(const uint16_t *values, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++)
		if (values[i] > SEM_VALUE_MAX)
			return -ERANGE;
	return 0;
}

/*
 * Copy all values from or to `values`, which has room for nr. Returns -EIDRM if the set is another
 * one now.
 */
static long move_all(int id, uint16_t *values, unsigned int nr, bool set_them)
{
	struct sem_set *set;

	spin_lock(&sem_table.lock);
	set = find(id, set_them ? IPC_WRITE : IPC_READ);
	if (!IS_ERR(set) && set->nr == nr) {
		if (set_them)
			sem_set_values_locked(set, 0, values, nr);
		for (unsigned int i = 0; !set_them && i < nr; i++)
			values[i] = set->semaphores[i].value;
	} else {
		set = ERR_PTR(-EIDRM);
	}
	spin_unlock(&sem_table.lock);
	return IS_ERR(set) ? PTR_ERR(set) : 0;
}

static long all_values(int id, void __user *user, bool set_them)
{
	long nr = count(id, set_them ? IPC_WRITE : IPC_READ), result = 0;
	uint16_t *values;

	if (nr < 0)
		return nr;
	values = kmalloc(nr * sizeof(*values), 0);
	if (!values)
		return -ENOMEM;
	if (set_them && copy_from_user(values, user, nr * sizeof(*values)) < 0)
		result = -EFAULT;
	if (result == 0 && set_them)
		result = check_values(values, nr);
	if (result == 0)
		result = move_all(id, values, nr, set_them);
	if (result == 0 && !set_them)
		result = copy_to_user(user, values, nr * sizeof(*values));
	kfree(values);
	return result;
}

long sem_control(int id, int number, int command, unsigned long argument, bool old)
{
	void __user *user = (void __user *)argument;

	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
	case SEM_INFO:
		return tell(user, command == SEM_INFO);
	case IPC_STAT:
	case SEM_STAT:
	case SEM_STAT_ANY:
		return describe(id, command, user, old);
	case GETALL:
	case SETALL:
		return all_values(id, user, command == SETALL);
	case GETVAL:
	case GETPID:
	case GETNCNT:
	case GETZCNT:
		return get_one(id, number, command);
	case SETVAL:
		return set_one(id, number, (int)argument);
	case IPC_SET:
		return change(id, user, old);
	case IPC_RMID:
		return sem_remove(id);
	default:
		return refuse(EINVAL, "an unknown command");
	}
}

long sys_semctl(int id, int number, int command, unsigned long argument)
{
	return sem_control(id, number, command, argument, false);
}
