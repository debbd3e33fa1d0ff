/*
 * The calls that lock files: fcntl's commands for record locks, and flock.
 *
 * fcntl has three structures for a range: that of 32-bit offsets, that of 64-bit offsets, which
 * begins with the same two words, and the latter for the locks of open files. The end of a range
 * comes from its length, which may be negative: the range then ends before its start. A length of 0
 * means up to the end, however far the file grows.
 */
#include "fs/file/file.h"
#include "fs/file/lock.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

enum fcntl_lock_command {
	F_GETLK = 5,
	F_SETLK = 6,
	F_SETLKW = 7,
	F_GETLK64 = 12,
	F_SETLK64 = 13,
	F_SETLKW64 = 14,
	F_OFD_GETLK = 36,
	F_OFD_SETLK = 37,
	F_OFD_SETLKW = 38,
};

enum { LOCK_SH = 1, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8, LOCK_MAND = 32 };

struct flock { /* of F_GETLK and its like */
	int16_t type, whence;
	int32_t start, len;
	int32_t pid;
};

struct flock64 {
	int16_t type, whence;
	int64_t start, len;
	int32_t pid;
} __attribute__((packed, aligned(4)));

bool is_lock_command(unsigned int command)
{
	return (command >= F_GETLK && command <= F_SETLKW) ||
	       (command >= F_GETLK64 && command <= F_SETLKW64) ||
	       (command >= F_OFD_GETLK && command <= F_OFD_SETLKW);
}

static bool is_short(unsigned int command)
{
	return command <= F_SETLKW;
}

static bool is_get(unsigned int command)
{
	return command == F_GETLK || command == F_GETLK64 || command == F_OFD_GETLK;
}

static bool waits(unsigned int command)
{
	return command == F_SETLKW || command == F_SETLKW64 || command == F_OFD_SETLKW;
}

static int get_range(struct flock64 *range, unsigned int command, const void __user *from)
{
	struct flock small;

	if (!is_short(command))
		return copy_from_user(range, from, sizeof(*range));
	if (copy_from_user(&small, from, sizeof(small)))
		return -EFAULT;
	*range = (struct flock64){ small.type, small.whence, small.start, small.len, small.pid };
	return 0;
}

static int put_range(const struct flock64 *range, unsigned int command, void __user *to)
{
	struct flock small = { range->type, range->whence, range->start, range->len, range->pid };

	if (!is_short(command))
		return copy_to_user(to, range, sizeof(*range));
	if (small.start != range->start || small.len != range->len)
		return -EOVERFLOW;
	return copy_to_user(to, &small, sizeof(small));
}

/* Fill in the bytes that the range has. Returns 0, -EINVAL or -EOVERFLOW. */
static int set_bytes(struct file_lock *lock, struct file *file, const struct flock64 *range)
{
	file_off_t base = 0, end;

	if (range->whence == SEEK_CUR)
		base = file->pos;
	else if (range->whence == SEEK_END)
		base = inode_size(file->inode);
	else if (range->whence != SEEK_SET)
		return refuse(EINVAL, "whence is not SEEK_SET, SEEK_CUR or SEEK_END");
	if (__builtin_add_overflow(base, range->start, &lock->first))
		return -EOVERFLOW;
	if (range->len == 0) {
		lock->last = FILE_LOCK_END;
	} else if (range->len > 0) {
		if (__builtin_add_overflow(lock->first, range->len - 1, &lock->last))
			return -EOVERFLOW;
	} else {
		end = lock->first;
		if (__builtin_add_overflow(end, range->len, &lock->first))
			return refuse(EINVAL, "the range begins before the file");
		lock->last = end - 1;
	}
	return lock->first < 0 ? refuse(EINVAL, "the range begins before the file") : 0;
}

static int make_lock(struct file_lock *lock, struct file *file, const struct flock64 *range,
		     unsigned int command)
{
	bool of_table = command < F_OFD_GETLK;

	if (range->type != F_RDLCK && range->type != F_WRLCK && range->type != F_UNLCK)
		return refuse(EINVAL, "not F_RDLCK, F_WRLCK or F_UNLCK");
	if (is_get(command) && range->type == F_UNLCK)
		return refuse(EINVAL, "F_GETLK asks for no lock");
	if (!of_table && range->pid != 0)
		return refuse(EINVAL, "the lock of an open file has no pid");
	*lock = (struct file_lock){
		.owner = of_table ? (const void *)current->files : file,
		.kind = ADVISORY_RECORD,
		.write = range->type == F_WRLCK,
		.pid = of_table ? (int32_t)current->process->pid : -1,
	};
	return set_bytes(lock, file, range);
}

static long get_lock(struct file *file, const struct file_lock *lock, struct flock64 *range,
		     unsigned int command, void __user *to)
{
	struct file_lock found;

	if (lock_conflict(file, lock, &found))
		*range = (struct flock64){
			.type = found.write ? F_WRLCK : F_RDLCK,
			.whence = SEEK_SET,
			.start = found.first,
			.len = found.last == FILE_LOCK_END ? 0 : found.last - found.first + 1,
			.pid = found.pid,
		};
	else
		range->type = F_UNLCK;
	return put_range(range, command, to);
}

/*
 * The table is shared, and another thread may have closed the descriptor and removed the table's
 * locks before this one was set. Then nothing would ever remove it.
 */
static long check_still_open(unsigned int fd, struct file *file, struct file_lock *lock)
{
	struct fd again = fd_get(fd);
	bool open = again.file == file;

	fd_put(again);
	if (open)
		return 0;
	lock->first = 0;
	lock->last = FILE_LOCK_END;
	lock_clear(file, lock);
	return -EBADF;
}

long fcntl_lock(unsigned int fd, struct file *file, unsigned int command, void __user *argument)
{
	struct flock64 range;
	struct file_lock lock;
	long error;

	if (get_range(&range, command, argument))
		return -EFAULT;
	error = make_lock(&lock, file, &range, command);
	if (error)
		return error;
	if (is_get(command))
		return get_lock(file, &lock, &range, command, argument);
	if (range.type == F_UNLCK)
		return lock_clear(file, &lock);
	if (lock.write ? !file->writable : !file->readable)
		return -EBADF;
	error = lock_set(file, &lock, waits(command));
	if (!error && command < F_OFD_GETLK && atomic_read(&current->files->users) > 1)
		error = check_still_open(fd, file, &lock);
	return error;
}

/*
 * A lock of the other kind goes away before the new one is tried, as on Linux. Otherwise two that
 * share a lock and both want it alone would wait for each other.
 */
static long lock_whole(struct file *file, unsigned int operation)
{
	struct file_lock lock = {
		.owner = file,
		.kind = ADVISORY_FLOCK,
		.write = operation & LOCK_EX,
		.last = FILE_LOCK_END,
		.pid = (int32_t)current->process->pid,
	};
	long error;

	if (!(operation & LOCK_UN) && lock_has(file, &lock))
		return 0;
	error = lock_clear(file, &lock);
	if (error || operation & LOCK_UN)
		return error;
	return lock_set(file, &lock, !(operation & LOCK_NB));
}

long sys_flock(unsigned int number, unsigned int operation)
{
	unsigned int what = operation & ~LOCK_NB;
	struct fd fd;
	long result = -EBADF;

	/* Linux had such locks once, and still takes them for done. */
	if (operation & LOCK_MAND)
		return 0;
	if (what != LOCK_SH && what != LOCK_EX && what != LOCK_UN)
		return refuse(EINVAL, "not LOCK_SH, LOCK_EX or LOCK_UN");
	fd = fd_get(number);
	if (fd.file)
		result = lock_whole(fd.file, operation);
	fd_put(fd);
	return result;
}
