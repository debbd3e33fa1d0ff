/* Leases on files. The contract is in fs/file/lease.h. */
#include "fs/file/file.h"
#include "fs/file/lease.h"
#include "fs/file/lock.h"
#include "fs/file/owner.h"
#include "fs/names/vfs_internal.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscall.h"
#include "mm/slab.h"

/* What a lease allows. A greater number allows more. */
enum strength { NO_LEASE, READ_LEASE, WRITE_LEASE };

struct lease {
	struct list link;
	struct file *file; /* without a reference: the lease ends with it */
	int pid;	   /* of the process that has set it */
	enum strength strength;
	enum strength may_stay; /* less than `strength`: it is being broken */
	uint64_t deadline;	/* time_now() at which it is reduced by force */
};

static spinlock_t leases_lock = SPINLOCK_INIT("leases");
static struct list leases = LIST_INIT(leases);
unsigned int nr_leases;

unsigned int lease_break_time = 45;
bool leases_enabled = true;

/* Tasks that wait for a lease to be given up. `changes` counts what they wait for. */
static struct wait_queue breakers = WAIT_QUEUE_INIT(breakers);
static unsigned int changes; /* leases_lock */

static struct lease *lease_of(const struct file *file)
{
	struct lease *lease;

	lockdep_held(&leases_lock);
	list_for_each(lease, &leases, link)
		if (lease->file == file)
			return lease;
	return NULL;
}

/* Give a lease less or more strength. NO_LEASE frees it. */
static void change(struct lease *lease, enum strength strength)
{
	lockdep_held(&leases_lock);
	lease->strength = strength;
	if (strength == NO_LEASE) {
		list_del(&lease->link);
		WRITE_ONCE(nr_leases, nr_leases - 1);
		file_owner_forget(lease->file); /* as Linux does */
		kfree(lease);
	} else if (lease->may_stay == READ_LEASE && strength == READ_LEASE) {
		lease->may_stay = WRITE_LEASE; /* the holder has done what was asked */
	}
	WRITE_ONCE(changes, changes + 1);
}

/* ---- breaking ---- */

/* Tell the holder that its lease is being broken. */
static void begin_break(struct lease *lease, enum strength may_stay)
{
	unsigned int seconds = READ_ONCE(lease_break_time);

	lease->may_stay = may_stay;
	lease->deadline = seconds ? time_now() + seconds * NSEC_PER_SEC : UINT64_MAX;
	file_owner_tell(lease->file);
}

/*
 * Begin to break what conflicts with an open, and end what has been broken for too long. Returns
 * false if nothing conflicts. Otherwise the next deadline is written to *until.
 */
static bool break_conflicts(struct inode *inode, bool write, uint64_t *until)
{
	enum strength may_stay = write ? NO_LEASE : READ_LEASE;
	struct lease *lease, *next;
	bool found = false;

	lockdep_held(&leases_lock);
	*until = UINT64_MAX;
	list_for_each_safe(lease, next, &leases, link) {
		if (lease->file->inode != inode || lease->strength <= may_stay)
			continue;
		if (lease->may_stay > may_stay)
			begin_break(lease, may_stay);
		if (time_now() >= lease->deadline) {
			change(lease, lease->may_stay);
			continue;
		}
		found = true;
		*until = MIN(*until, lease->deadline);
	}
	return found;
}

int lease_break_slow(struct inode *inode, bool write, bool wait)
{
	for (;;) {
		uint64_t until;
		unsigned int before;
		bool found;
		int error;

		spin_lock(&leases_lock);
		found = break_conflicts(inode, write, &until);
		before = changes;
		spin_unlock(&leases_lock);
		if (!found)
			return 0;
		if (!wait)
			return -EAGAIN;
		error = wait_event_until(&breakers, READ_ONCE(changes) != before, until);
		if (error == -ERESTARTSYS)
			return error;
	}
}

/* ---- setting ---- */

/* Is the inode open in a way that forbids a lease of this strength on the file? */
static bool is_open_otherwise(const struct file *file, enum strength strength)
{
	struct inode *inode = file->inode;
	int writers = atomic_read(&inode->busy), readers = atomic_read(&inode->readers);

	if (strength == READ_LEASE)
		return writers > 0;
	return writers != file->writing || readers != file->reading;
}

/* Does a lease of another file forbid one of this strength? */
static bool is_leased_otherwise(const struct file *file, enum strength strength)
{
	struct lease *lease;

	lockdep_held(&leases_lock);
	list_for_each(lease, &leases, link)
		if (lease->file != file && lease->file->inode == file->inode &&
		    (strength == WRITE_LEASE || lease->may_stay == NO_LEASE))
			return true;
	return false;
}

/*
 * Enter the lease, or change the one that the file has. Returns 0 or -EAGAIN. Frees `new` if it is
 * not needed.
 */
static long enter(struct file *file, enum strength strength, struct lease *new)
{
	long error = -EAGAIN;
	struct lease *lease;

	spin_lock(&leases_lock);
	lease = lease_of(file);
	if (!lease)
		WRITE_ONCE(nr_leases, nr_leases + 1); /* now an open looks for leases: lease.h, 3 */
	__sync_synchronize();
	if (!is_leased_otherwise(file, strength) && !is_open_otherwise(file, strength))
		error = 0;
	if (!error && lease) {
		change(lease, strength);
	} else if (!error) {
		new->file = file;
		new->pid = current->process->pid;
		new->strength = strength;
		new->may_stay = WRITE_LEASE;
		list_add_tail(&leases, &new->link);
		new = NULL;
	} else if (!lease) {
		WRITE_ONCE(nr_leases, nr_leases - 1);
	}
	spin_unlock(&leases_lock);
	kfree(new);
	wake_all(&breakers);
	return error;
}

static long give_up(struct file *file)
{
	struct lease *lease;

	spin_lock(&leases_lock);
	lease = lease_of(file);
	if (lease)
		change(lease, NO_LEASE);
	spin_unlock(&leases_lock);
	wake_all(&breakers);
	return lease ? 0 : -EAGAIN;
}

long lease_set(unsigned int fd, struct file *file, unsigned int type)
{
	struct lease *lease;
	long error;

	if (type > F_UNLCK || !leases_enabled)
		return refuse(EINVAL, "no type of lease, or leases are not allowed");
	if (current_uid() != file->inode->uid && !capable(CAP_LEASE))
		return refuse(EACCES, "a lease is for the file's owner");
	if (!S_ISREG(file->inode->mode))
		return refuse(EINVAL, "not an ordinary file");
	if (type == F_UNLCK)
		return give_up(file);
	lease = kzalloc(sizeof(*lease), 0);
	if (!lease)
		return -ENOMEM;
	error = file_owner_default(file, fd);
	if (error) {
		kfree(lease);
		return error;
	}
	return enter(file, type == F_RDLCK ? READ_LEASE : WRITE_LEASE, lease);
}

/* Returns F_RDLCK, F_WRLCK or F_UNLCK: the lease, or, while it is being broken, what may stay. */
static unsigned int type_of(const struct lease *lease)
{
	static const unsigned int types[] = {
		[NO_LEASE] = F_UNLCK,
		[READ_LEASE] = F_RDLCK,
		[WRITE_LEASE] = F_WRLCK,
	};

	lockdep_held(&leases_lock);
	return types[lease ? MIN(lease->strength, lease->may_stay) : NO_LEASE];
}

long lease_get(struct file *file)
{
	long type;

	spin_lock(&leases_lock);
	type = type_of(lease_of(file));
	spin_unlock(&leases_lock);
	return type;
}

void leases_tell(size_t skipped, bool (*tell)(void *, const struct lease_state *), void *context)
{
	struct lease *lease;

	spin_lock(&leases_lock);
	list_for_each(lease, &leases, link) {
		struct lease_state state = { .file = lease->file,
					     .pid = lease->pid,
					     .type = type_of(lease),
					     .breaking = lease->may_stay < lease->strength };

		if (skipped > 0)
			skipped--;
		else if (!tell(context, &state))
			break;
	}
	spin_unlock(&leases_lock);
}

void lease_drop_slow(struct file *file)
{
	(void)give_up(file);
}
