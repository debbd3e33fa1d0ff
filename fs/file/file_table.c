/*
 * File tables. See fs/file/file.h.
 *
 * 1. table->lock, a plain spinlock, guards the slots. A task that is the table's only user reads
 *    them without the lock, because no other task changes them. A task that looks into another
 *    task's table (/proc) takes the lock, and changes nothing.
 * 2. A descriptor is free, reserved (its slot is used but has no file yet) or open.
 * 3. Tables grow in steps, and never shrink.
 * 4. file_put() may sleep, so it is called after the lock is released.
 */
#include "lib/string.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "fs/file/file.h"
#include "fs/file/lock.h"
#include "fs/names/vfs_internal.h"

#define GROWTH 4u

struct file_table *file_table_create(void)
{
	struct file_table *table = kzalloc(sizeof(*table), 0);

	if (!table)
		return NULL;
	atomic_set(&table->users, 1);
	spin_init(&table->lock, "file table");
	table->size = ARRAY_SIZE(table->initial);
	table->slots = table->initial;
	return table;
}

static void slots_free(struct file_table *table, struct fd_slot *slots)
{
	if (slots != table->initial)
		vfree(slots);
}

/* Grow the table so that it has a slot for `fd`. Returns 0 or -ENOMEM. May sleep. */
static int table_grow(struct file_table *table, unsigned int fd)
{
	unsigned int size = table->size;
	struct fd_slot *old;

	while (size <= fd)
		size *= GROWTH;
	size = MIN(size, MOST_DESCRIPTORS_MAX);
	old = vmalloc(size * sizeof(*old), ALLOC_ZERO);
	if (!old)
		return -ENOMEM;
	spin_lock(&table->lock);
	if (table->size < size) { /* else another thread has grown it: free the new slots */
		struct fd_slot *new = old;

		memcpy(new, table->slots, table->size * sizeof(*new));
		old = table->slots;
		table->slots = new;
		table->size = size;
	}
	spin_unlock(&table->lock);
	slots_free(table, old);
	return 0;
}

/* The same, if a table may be so large. Returns -EMFILE if not. */
static int make_room(struct file_table *table, unsigned int fd)
{
	return fd < READ_ONCE(most_descriptors) ? table_grow(table, fd) : -EMFILE;
}

/* ---- descriptors ---- */

static unsigned int descriptor_limit(void)
{
	uint64_t limit = MOST_DESCRIPTORS_MAX;

	if (current->process)
		limit = MIN(limit, current->process->limits[RLIMIT_NOFILE].soft);
	return limit;
}

int fd_reserve(unsigned int from, bool cloexec)
{
	struct file_table *table = current->files;
	unsigned int limit = descriptor_limit();
	unsigned int fd;
	int error;

	for (;;) {
		spin_lock(&table->lock);
		fd = MAX(from, table->first_free);
		while (fd < table->size && table->slots[fd].used)
			fd++;
		if (fd < MIN(table->size, limit))
			break;
		spin_unlock(&table->lock);
		if (fd >= limit)
			return -EMFILE;
		error = make_room(table, fd);
		if (error)
			return error;
	}
	table->slots[fd] = (struct fd_slot){ NULL, true, cloexec };
	if (from <= table->first_free)
		table->first_free = fd + 1;
	spin_unlock(&table->lock);
	return fd;
}

void fd_install(int fd, struct file *file)
{
	struct file_table *table = current->files;

	spin_lock(&table->lock);
	table->slots[fd].file = file;
	spin_unlock(&table->lock);
}

/* Free the slot, and return its file. The caller takes over the reference. */
static struct file *fd_free(struct file_table *table, unsigned int fd)
{
	struct file *file = table->slots[fd].file;

	lockdep_held(&table->lock);
	table->slots[fd] = (struct fd_slot){ 0 };
	if (fd < table->first_free)
		table->first_free = fd;
	return file;
}

void fd_unreserve(int fd)
{
	struct file_table *table = current->files;

	spin_lock(&table->lock);
	fd_free(table, fd);
	spin_unlock(&table->lock);
}

/* As fd_add(), with the lowest free descriptor that is not below `from`. */
static int fd_add_from(struct file *file, unsigned int from, bool cloexec)
{
	int fd = fd_reserve(from, cloexec);

	if (fd < 0)
		file_put(file);
	else
		fd_install(fd, file);
	return fd;
}

int fd_add(struct file *file, bool cloexec)
{
	return fd_add_from(file, 0, cloexec);
}

int fd_add_pair(struct file *files[2], bool cloexec, int32_t __user *to)
{
	int numbers[2] = { -1, -1 };
	int error = numbers[0] = fd_reserve(0, cloexec);

	if (error >= 0)
		error = numbers[1] = fd_reserve(0, cloexec);
	if (error >= 0)
		error = copy_to_user(to, numbers, sizeof(numbers));
	for (int i = 0; i < 2; i++) {
		if (!error) {
			fd_install(numbers[i], files[i]);
			continue;
		}
		if (numbers[i] >= 0)
			fd_unreserve(numbers[i]);
		file_put(files[i]);
	}
	return error;
}

struct file *file_table_get(struct file_table *table, unsigned int fd)
{
	struct file *file = NULL;

	spin_lock(&table->lock);
	if (fd < table->size)
		file = table->slots[fd].file;
	if (file)
		file_get(file);
	spin_unlock(&table->lock);
	return file;
}

struct fd fd_get_shared(unsigned int fd)
{
	struct file *file = file_table_get(current->files, fd);

	return (struct fd){ file, file != NULL };
}

bool fd_get_pair_shared(struct fd_pair *pair, unsigned int in, unsigned int out)
{
	struct fd first = fd_get_shared(in), second = fd_get_shared(out);

	if (!first.file || !second.file || file_is_path(first.file) || file_is_path(second.file)) {
		fd_put(first);
		fd_put(second);
		return false;
	}
	*pair = (struct fd_pair){ first.file, second.file, true };
	return true;
}

/*
 * A descriptor of the table is closed. Drop its reference, and the table's locks on the file. A
 * path descriptor cannot have any, and leaves those of other descriptors alone.
 */
static void close_file(struct file_table *table, struct file *file)
{
	if (!file_is_path(file))
		lock_drop_owner(file, table);
	if (file->ops->closed)
		file->ops->closed(file);
	file_put(file);
}

long sys_close(unsigned int fd)
{
	struct file_table *table = current->files;
	struct file *file = NULL;

	spin_lock(&table->lock);
	if (fd < table->size && table->slots[fd].file)
		file = fd_free(table, fd);
	spin_unlock(&table->lock);
	if (!file)
		return -EBADF;
	close_file(table, file);
	return 0;
}

int fd_cloexec(unsigned int fd, int change)
{
	struct file_table *table = current->files;
	int result = -EBADF;

	spin_lock(&table->lock);
	if (fd < table->size && table->slots[fd].file) {
		result = table->slots[fd].cloexec;
		if (change >= 0)
			table->slots[fd].cloexec = change;
	}
	spin_unlock(&table->lock);
	return result;
}

/* ---- close_range ---- */

enum close_range_flags { CLOSE_RANGE_UNSHARE = 2, CLOSE_RANGE_CLOEXEC = 4 };

static void cloexec_range(struct file_table *table, unsigned int first, unsigned int last)
{
	spin_lock(&table->lock);
	for (unsigned int fd = first; fd < table->size && fd <= last; fd++)
		table->slots[fd].cloexec |= table->slots[fd].file != NULL;
	spin_unlock(&table->lock);
}

long sys_close_range(unsigned int first, unsigned int last, unsigned int flags)
{
	int error;

	if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
		return refuse(EINVAL, "an unknown flag, or a range that ends before it begins");
	error = flags & CLOSE_RANGE_UNSHARE ? file_table_unshare() : 0;
	if (error)
		return error;
	if (flags & CLOSE_RANGE_CLOEXEC) {
		cloexec_range(current->files, first, last);
		return 0;
	}
	for (unsigned int fd = first; fd < READ_ONCE(current->files->size) && fd <= last; fd++)
		sys_close(fd);
	return 0;
}

/* ---- dup ---- */

long fd_duplicate(unsigned int number, unsigned int from, bool cloexec)
{
	struct file *file = file_table_get(current->files, number);

	if (!file)
		return -EBADF;
	if (from == 0 || from < descriptor_limit())
		return fd_add_from(file, from, cloexec);
	file_put(file);
	return refuse(EINVAL, "no descriptor is that large");
}

long sys_dup(unsigned int number)
{
	return fd_duplicate(number, 0, false);
}

long sys_dup3(unsigned int from, unsigned int to, unsigned int flags)
{
	struct file_table *table = current->files;
	struct file *file, *old;
	long result = to;
	int error = 0;

	if (flags & ~O_CLOEXEC || from == to)
		return refuse(EINVAL, "an unknown flag, or the same descriptor twice");
	if (to >= descriptor_limit())
		return -EBADF;
	if (to >= table->size)
		error = make_room(table, to);
	file = file_table_get(table, from);
	if (!file)
		return -EBADF;
	if (error) {
		file_put(file);
		return error == -EMFILE ? -EBADF : error;
	}
	spin_lock(&table->lock);
	old = table->slots[to].file;
	if (old || !table->slots[to].used)
		table->slots[to] = (struct fd_slot){ file, true, flags & O_CLOEXEC };
	else
		result = -EBUSY; /* another thread's open() is about to put its file there */
	spin_unlock(&table->lock);
	if (old)
		close_file(table, old);
	if (result < 0)
		file_put(file);
	return result;
}

long sys_dup2(unsigned int from, unsigned int to)
{
	if (from == to)
		return fd_cloexec(from, -1) < 0 ? -EBADF : (long)to;
	return sys_dup3(from, to, 0);
}

/* ---- whole tables ---- */

struct file_table *file_table_copy(struct file_table *from)
{
	struct file_table *to = file_table_create();

	if (!to)
		return ERR_PTR(-ENOMEM);
	spin_lock(&from->lock);
	while (from->size > to->size) {
		unsigned int size = from->size;

		spin_unlock(&from->lock);
		if (table_grow(to, size - 1) < 0) {
			file_table_put(to);
			return ERR_PTR(-ENOMEM);
		}
		spin_lock(&from->lock);
	}
	for (unsigned int fd = 0; fd < from->size; fd++) {
		if (!from->slots[fd].file)
			continue; /* a reserved descriptor stays in the old table */
		to->slots[fd] = from->slots[fd];
		file_get(to->slots[fd].file);
	}
	spin_unlock(&from->lock);
	return to;
}

void file_table_put(struct file_table *table)
{
	if (!table || !atomic_dec_and_test(&table->users))
		return;
	for (unsigned int fd = 0; fd < table->size; fd++)
		if (table->slots[fd].file)
			close_file(table, table->slots[fd].file);
	slots_free(table, table->slots);
	kfree(table);
}

int file_table_unshare(void)
{
	struct file_table *old = current->files;
	struct file_table *new;
	unsigned int flags;

	if (atomic_read(&old->users) == 1)
		return 0;
	new = file_table_copy(old);
	if (IS_ERR(new))
		return PTR_ERR(new);
	flags = spin_lock_irqsave(&tasks_lock); /* /proc reads task->files under it */
	current->files = new;
	spin_unlock_irqrestore(&tasks_lock, flags);
	file_table_put(old);
	return 0;
}

void file_table_close_on_exec(void)
{
	struct file_table *table = current->files;

	for (unsigned int fd = 0; fd < table->size; fd++)
		if (table->slots[fd].cloexec)
			sys_close(fd);
}
