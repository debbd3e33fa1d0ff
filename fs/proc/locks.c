/*
 * /proc/locks: all advisory locks and leases, each before those that wait for it; and the locks of
 * a descriptor in its file in /proc/PID/fdinfo.
 *
 * /proc/locks may be large, so it is printed in parts. Each part begins with a lock or lease, of
 * which text->next is the number.
 */
#include "fs/file/lease.h"
#include "fs/file/lock.h"
#include "fs/names/vfs_internal.h"
#include "fs/proc/proc_internal.h"

struct listing {
	struct text *text;
	size_t number;		   /* of the lock or lease that is told, from 1 on */
	size_t whole;		   /* bytes of text before it */
	const struct inode *inode; /* of its file */
};

/* The locks of a file that it or a table owns. */
struct file_listing {
	struct listing list;
	const struct file *file;
	const struct file_table *table;
};

static void show_inode(struct text *text, int pid, const struct inode *inode)
{
	unsigned int device = inode->sb->dev;

	text_printf(text, "%d %02x:%02x:%llu ", pid, MAJOR(device), MINOR(device),
		    (unsigned long long)shown_number(inode->sb, inode->number));
}

static void show_lock(struct listing *list, const struct file_lock *lock, const char *prefix)
{
	static const char *const kinds[] = { "POSIX ", "FLOCK " };
	struct text *text = list->text;

	text_printf(text, "%u: %s%s ADVISORY  %s ", (unsigned int)list->number, prefix,
		    lock_is_of_file(lock) ? "OFDLCK" : kinds[lock->kind],
		    lock->write ? "WRITE" : "READ");
	show_inode(text, lock->pid, list->inode);
	if (lock->last == FILE_LOCK_END)
		text_printf(text, "%lld EOF\n", (long long)lock->first);
	else
		text_printf(text, "%lld %lld\n", (long long)lock->first, (long long)lock->last);
}

static void begin(struct listing *list, const struct inode *inode)
{
	list->number++;
	list->whole = list->text->len;
	list->inode = inode;
}

static bool list_lock(void *context, const struct file_lock *lock, bool waits)
{
	struct listing *list = context;

	if (!waits)
		begin(list, lock->inode);
	show_lock(list, lock, waits ? "-> " : "");
	return !list->text->full;
}

static bool list_lease(void *context, const struct lease_state *lease)
{
	static const char *const types[] = { "READ", "WRITE", "UNLCK" };
	struct listing *list = context;

	begin(list, lease->file->inode);
	text_printf(list->text, "%u: LEASE  %s  %s ", (unsigned int)list->number,
		    lease->breaking ? "BREAKING" : "ACTIVE  ", types[lease->type]);
	show_inode(list->text, lease->pid, list->inode);
	text_printf(list->text, "0 EOF\n");
	return !list->text->full;
}

/*
 * The leases have the numbers behind those of the locks. What does not fit begins the next part,
 * unless it is all that there is in this one.
 */
static void show_locks(struct text *text)
{
	struct listing list = { .text = text, .number = text->next };
	size_t nr_locks = locks_tell(text->next, list_lock, &list);

	if (!text->full) {
		list.number = MAX(text->next, nr_locks);
		leases_tell(list.number - nr_locks, list_lease, &list);
	}
	if (text->full && list.whole > 0) {
		text->len = list.whole;
		text->full = false;
		text->more = true;
		text->next = list.number - 1;
	}
}
PROC_FILE(locks, "locks", 0444, show_locks, NULL);

static bool list_lock_of_file(void *context, const struct file_lock *lock, bool waits)
{
	struct file_listing *of = context;

	if (lock->owner != of->file && lock->owner != of->table)
		return true;
	text_printf(of->list.text, "lock:\t");
	list_lock(&of->list, lock, false);
	return !of->list.text->full;
}

static bool list_lease_of_file(void *context, const struct lease_state *lease)
{
	struct file_listing *of = context;

	if (lease->file != of->file)
		return true;
	text_printf(of->list.text, "lock:\t");
	list_lease(&of->list, lease);
	return false; /* a file has no other */
}

void proc_show_file_locks(struct text *text, const struct file *file,
			  const struct file_table *table)
{
	struct file_listing of = { .list.text = text, .file = file, .table = table };

	locks_tell_file(file, list_lock_of_file, &of);
	if (READ_ONCE(nr_leases) > 0)
		leases_tell(0, list_lease_of_file, &of);
}
