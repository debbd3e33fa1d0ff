/* shmctl(2): what programs are told of segments, and how they change them. */
#include "kernel/ipc/layout.h"
#include "kernel/ipc/shm.h"
#include "kernel/syscalls.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/vm/uaccess.h"

enum shm_commands { /* linux/shm.h */
		    SHM_LOCK = 11,
		    SHM_UNLOCK = 12,
		    SHM_STAT = 13,
		    SHM_INFO = 14,
		    SHM_STAT_ANY = 15,
};

static long put_description(void __user *to, const struct shmid64_ds *ds, bool old)
{
	struct shmid_old_ds narrow = {
		.perm = ipc_old_perm_of(&ds->perm),
		.size = MIN(ds->size, (uint32_t)INT32_MAX),
		.atime = ds->atime,
		.dtime = ds->dtime,
		.ctime = ds->ctime,
		.cpid = ds->cpid,
		.lpid = ds->lpid,
		.nattch = ipc_narrow(ds->nattch),
	};

	return old ? copy_to_user(to, &narrow, sizeof(narrow)) : copy_to_user(to, ds, sizeof(*ds));
}

static long describe(int id, int command, void __user *to, bool old)
{
	struct ipc_object *object;
	struct shmid64_ds ds;
	long result;

	memset(&ds, 0, sizeof(ds));
	spin_lock(&shm_table.lock);
	object = ipc_look_locked(&shm_table, id, command != IPC_STAT, command == SHM_STAT_ANY);
	if (!IS_ERR(object)) {
		const struct shm_segment *segment = shm_of(object);

		ds.perm = ipc_perm_of(object);
		ds.size = segment->size;
		ds.atime = segment->atime;
		ds.dtime = segment->dtime;
		ds.ctime = segment->ctime;
		ds.cpid = segment->creator;
		ds.lpid = segment->last;
		ds.nattch = segment->nr_attached;
		result = command == IPC_STAT ? 0 : object->id;
	} else {
		result = PTR_ERR(object);
	}
	spin_unlock(&shm_table.lock);
	if (result >= 0 && put_description(to, &ds, old) < 0)
		result = -EFAULT;
	return result;
}

static unsigned int highest(void)
{
	unsigned int slot;

	spin_lock(&shm_table.lock);
	slot = ipc_highest_locked(&shm_table);
	spin_unlock(&shm_table.lock);
	return slot;
}

/* Copy the limits. The older form of the structure has only the first five words. */
static long tell_limits(void __user *to, bool old)
{
	struct shminfo64 info = {
		.shmmax = shm_max,
		.shmmin = SHM_MIN,
		.shmmni = shm_table.limit,
		.shmseg = shm_table.limit,
		.shmall = shm_all,
	};

	if (old)
		info.shmmax = MIN(info.shmmax, (uint32_t)INT32_MAX);
	if (copy_to_user(to, &info, old ? 5 * sizeof(uint32_t) : sizeof(info)) < 0)
		return -EFAULT;
	return highest();
}

static long tell_use(void __user *to)
{
	struct shm_info info = { 0 };
	struct ipc_object *object;

	spin_lock(&shm_table.lock);
	info.used_ids = shm_table.nr;
	object = ipc_next_locked(&shm_table, 0);
	for (; object; object = ipc_next_locked(&shm_table, ipc_slot(object) + 1)) {
		info.shm_tot += shm_pages(shm_of(object));
		info.shm_rss += shm_resident(shm_of(object));
	}
	spin_unlock(&shm_table.lock);
	return copy_to_user(to, &info, sizeof(info)) < 0 ? -EFAULT : (long)highest();
}

static long change(int id, const void __user *from, bool old)
{
	struct ipc64_perm perm;
	struct ipc_object *object;
	long result;

	if (ipc_perm_from_user(&perm, from, old) < 0)
		return -EFAULT;
	spin_lock(&shm_table.lock);
	object = ipc_own_locked(&shm_table, id);
	result = IS_ERR(object) ? PTR_ERR(object) : ipc_set_locked(object, &perm);
	if (result == 0)
		shm_of(object)->ctime = time_wall_spec().sec;
	spin_unlock(&shm_table.lock);
	return result;
}

long shm_control(int id, int command, void __user *argument, bool old)
{
	if (id < 0)
		return -EINVAL;
	switch (command) {
	case IPC_INFO:
		return tell_limits(argument, old);
	case SHM_INFO:
		return tell_use(argument);
	case IPC_STAT:
	case SHM_STAT:
	case SHM_STAT_ANY:
		return describe(id, command, argument, old);
	case IPC_SET:
		return change(id, argument, old);
	case IPC_RMID:
		return shm_remove(id);
	case SHM_LOCK:
	case SHM_UNLOCK:
		return shm_lock(id, command == SHM_LOCK);
	default:
		return refuse(EINVAL, "an unknown command");
	}
}

long sys_shmctl(int id, int command, void __user *argument)
{
	return shm_control(id, command, argument, false);
}
