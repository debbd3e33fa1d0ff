/* The times of a file. The contract is in fs/names/times.h. */
#include "fs/file/file.h"
#include "fs/names/lookup.h"
#include "fs/names/mount.h"
#include "fs/names/times.h"
#include "kernel/init.h"

#define SECONDS_PER_DAY 86400
#define ROUND_NS	(3600 * NSEC_PER_SEC)

uint32_t access_round = 1;

void access_new_round(void)
{
	uint32_t old = access_round, next, seen;

	for (;;) {
		next = old + 1 ? old + 1 : 1;
		seen = __sync_val_compare_and_swap(&access_round, old, next);
		if (seen == old)
			return;
		old = seen;
	}
}

static void clear_note(struct inode *inode)
{
	__sync_synchronize(); /* times.h, 4 */
	if (!S_ISFIFO(inode->mode) && !S_ISSOCK(inode->mode))
		WRITE_ONCE(inode->access_round, 0);
}

void inode_modified(struct inode *inode)
{
	inode->mtime = inode->ctime = time_wall_spec();
	clear_note(inode);
}

void inode_status_changed(struct inode *inode)
{
	inode->ctime = time_wall_spec();
	clear_note(inode);
}

static bool is_later(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

/* Was the file read after its last change, and less than a day ago? */
static bool was_read_lately(const struct inode *inode, const struct timespec64 *now)
{
	return is_later(&inode->atime, &inode->mtime) && is_later(&inode->atime, &inode->ctime) &&
	       now->sec - inode->atime.sec < SECONDS_PER_DAY;
}

void inode_note_access(struct mount *mount, struct inode *inode)
{
	unsigned int flags = READ_ONCE(mount->flags);
	struct timespec64 now = time_wall_spec();

	if (flags & MOUNT_NOATIME || (S_ISDIR(inode->mode) && flags & MOUNT_NODIRATIME))
		return;
	if (!inode->sb->strict_times) {
		WRITE_ONCE(inode->access_round, READ_ONCE(access_round));
		__sync_synchronize(); /* times.h, 4 */
	}
	if (flags & MOUNT_RELATIME && was_read_lately(inode, &now))
		return;
	if (mount_begin_writing(mount)) {
		/* Another mount of the file system may be writable. */
		if (!super_is_read_only(inode->sb))
			WRITE_ONCE(inode->access_round, 0);
		return;
	}
	inode->atime = now;
	inode_changed(inode);
	mount_end_writing(mount);
}

/* Devices, and files without a path, have no access times. */
void file_note_access(struct file *file)
{
	if (file->flags & O_NOATIME)
		return;
	if (file->path.dentry && file->path.dentry->inode == file->inode)
		inode_note_access(file->path.mount, file->inode);
	else
		WRITE_ONCE(file->inode->access_round, READ_ONCE(access_round));
}

static void round_ends(struct timer *timer)
{
	access_new_round();
	timer_repeat(timer, time_now() + ROUND_NS);
}

static struct timer round_timer = { .function = round_ends };

static void rounds_init(void)
{
	timer_start(&round_timer, time_now() + ROUND_NS);
}
INITCALL(2, rounds_init);
