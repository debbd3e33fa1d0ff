/*
 * File tables. See fs/file.h.
 *
 * 1. table->lock (plain) guards the arrays. A task that is the table's only user reads them without
 *    it: nobody else changes them; whoever looks in from outside (/proc) takes the lock and changes
 *    nothing.
 * 2. A descriptor is free, reserved (its `used` bit is set, no file yet) or open.
 * 3. Tables grow in steps; the three arrays are one piece of memory. They never shrink.
 * 4. Files are put after the lock is given back.
 */
#include "lib/string.h"
#include "kernel/process.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vmalloc.h"
#include "fs/file.h"
#include "fs/vfs_internal.h"

#define WORD_BITS 32u
#define GROWTH	  4u

struct arrays {
	unsigned int size; /* a multiple of WORD_BITS */
	struct file **files;
	uint32_t *used, *cloexec;
};

static bool bit_test(const uint32_t *map, unsigned int n)
{
	return map[n / WORD_BITS] & 1u << n % WORD_BITS;
}

static void bit_put(uint32_t *map, unsigned int n, bool on)
{
	uint32_t bit = 1u << n % WORD_BITS;

	if (on)
		map[n / WORD_BITS] |= bit;
	else
		map[n / WORD_BITS] &= ~bit;
}

/* ---- memory ---- */

static bool arrays_alloc(struct arrays *arrays, unsigned int size)
{
	size_t bytes = size * sizeof(struct file *) + 2 * (size / 8);
	void *memory = bytes <= PAGE_SIZE ? kzalloc(bytes, 0) : vmalloc(bytes);

	if (!memory)
		return false;
	arrays->size = size;
	arrays->files = memory;
	arrays->used = (uint32_t *)(arrays->files + size);
	arrays->cloexec = arrays->used + size / WORD_BITS;
	return true;
}

static void arrays_free(struct file **files, unsigned int size)
{
	if (size * sizeof(struct file *) + 2 * (size / 8) <= PAGE_SIZE)
		kfree(files);
	else
		vfree(files);
}

static void table_free_arrays(struct file_table *table)
{
	if (table->files != table->initial_files)
		arrays_free(table->files, table->size);
}

struct file_table *file_table_create(void)
{
	struct file_table *table = kzalloc(sizeof(*table), 0);

	if (!table)
		return NULL;
	atomic_set(&table->users, 1);
	spin_init(&table->lock, "file table");
	table->size = ARRAY_SIZE(table->initial_files);
	table->files = table->initial_files;
	table->used = table->initial_used;
	table->cloexec = table->initial_cloexec;
	return table;
}

/* Have room for `fd`. May sleep. 0, -ENOMEM. */
static int table_grow(struct file_table *table, unsigned int fd)
{
	unsigned int size = table->size;
	struct arrays new;
	struct file **old;

	while (size <= fd)
		size *= GROWTH;
	size = MIN(size, OPEN_MAX_LIMIT);
	if (!arrays_alloc(&new, size))
		return -ENOMEM;
	spin_lock(&table->lock);
	old = new.files; /* somebody else was faster: the new ones go again */
	if (table->size < size) {
		memcpy(new.files, table->files, table->size * sizeof(struct file *));
		memcpy(new.used, table->used, table->size / 8);
		memcpy(new.cloexec, table->cloexec, table->size / 8);
		old = table->files;
		size = table->size;
		table->files = new.files;
		table->used = new.used;
		table->cloexec = new.cloexec;
		table->size = new.size;
	}
	spin_unlock(&table->lock);
	if (old != table->initial_files)
		arrays_free(old, size);
	return 0;
}

/* ---- descriptors ---- */

static unsigned int descriptor_limit(void)
{
	uint64_t limit = OPEN_MAX_LIMIT;

	if (current->process)
		limit = MIN(limit, current->process->limits[RLIMIT_NOFILE].soft);
	return limit;
}

static unsigned int find_free(const struct file_table *table, unsigned int from)
{
	unsigned int fd = from;

	while (fd < table->size) {
		uint32_t free = ~table->used[fd / WORD_BITS] >> fd % WORD_BITS;

		if (free)
			return fd + __builtin_ctz(free);
		fd = (fd / WORD_BITS + 1) * WORD_BITS;
	}
	return fd;
}

int fd_reserve(unsigned int from, bool cloexec)
{
	struct file_table *table = current->files;
	unsigned int limit = descriptor_limit();
	unsigned int fd;

	for (;;) {
		spin_lock(&table->lock);
		fd = find_free(table, MAX(from, table->first_free));
		if (fd < MIN(table->size, limit))
			break;
		spin_unlock(&table->lock);
		if (fd >= limit)
			return -EMFILE;
		if (table_grow(table, fd) < 0)
			return -ENOMEM;
	}
	bit_put(table->used, fd, true);
	bit_put(table->cloexec, fd, cloexec);
	if (from <= table->first_free)
		table->first_free = fd + 1;
	spin_unlock(&table->lock);
	return fd;
}

void fd_install(int fd, struct file *file)
{
	struct file_table *table = current->files;

	spin_lock(&table->lock);
	table->files[fd] = file;
	spin_unlock(&table->lock);
}

static void fd_free(struct file_table *table, unsigned int fd)
{
	lockdep_held(&table->lock);
	table->files[fd] = NULL;
	bit_put(table->used, fd, false);
	if (fd < table->first_free)
		table->first_free = fd;
}

void fd_unreserve(int fd)
{
	struct file_table *table = current->files;

	spin_lock(&table->lock);
	fd_free(table, fd);
	spin_unlock(&table->lock);
}

int fd_add(struct file *file, bool cloexec)
{
	int fd = fd_reserve(0, cloexec);

	if (fd < 0)
		file_put(file);
	else
		fd_install(fd, file);
	return fd;
}

struct file *file_table_get(struct file_table *table, unsigned int fd)
{
	struct file *file = NULL;

	spin_lock(&table->lock);
	if (fd < table->size)
		file = table->files[fd];
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

/* The file leaves the table: its reference is the caller's. NULL: it was not open. */
static struct file *fd_take(struct file_table *table, unsigned int fd)
{
	struct file *file = NULL;

	spin_lock(&table->lock);
	if (fd < table->size)
		file = table->files[fd];
	if (file)
		fd_free(table, fd);
	spin_unlock(&table->lock);
	return file;
}

long sys_close(unsigned int fd)
{
	struct file *file = fd_take(current->files, fd);

	if (!file)
		return -EBADF;
	file_put(file);
	return 0;
}

/* Whether the open descriptor is closed by exec: 0 or 1, -EBADF. */
int fd_get_cloexec(unsigned int fd)
{
	struct file_table *table = current->files;
	int result = -EBADF;

	spin_lock(&table->lock);
	if (fd < table->size && table->files[fd])
		result = bit_test(table->cloexec, fd);
	spin_unlock(&table->lock);
	return result;
}

int fd_set_cloexec(unsigned int fd, bool on)
{
	struct file_table *table = current->files;
	int result = -EBADF;

	spin_lock(&table->lock);
	if (fd < table->size && table->files[fd]) {
		bit_put(table->cloexec, fd, on);
		result = 0;
	}
	spin_unlock(&table->lock);
	return result;
}

/* ---- dup ---- */

/*
 * Put `file` (the reference is taken over) at descriptor `fd`, whatever is open there: fd, or
 * an error.
 */
static int fd_replace(unsigned int fd, struct file *file, bool cloexec)
{
	struct file_table *table = current->files;
	struct file *old = file;
	int result = -EBUSY; /* another thread's open() is about to put its file there */

	if (fd >= table->size && table_grow(table, fd) < 0) {
		file_put(file);
		return -ENOMEM;
	}
	spin_lock(&table->lock);
	if (table->files[fd] || !bit_test(table->used, fd)) {
		old = table->files[fd];
		table->files[fd] = file;
		bit_put(table->used, fd, true);
		bit_put(table->cloexec, fd, cloexec);
		result = fd;
	}
	spin_unlock(&table->lock);
	if (old)
		file_put(old);
	return result;
}

long sys_dup(unsigned int number)
{
	return fd_duplicate(number, 0, false);
}

long fd_duplicate(unsigned int number, unsigned int from, bool cloexec)
{
	struct file *file = file_table_get(current->files, number);
	int fd;

	if (!file)
		return -EBADF;
	fd = -EINVAL;
	if (from == 0 || from < descriptor_limit())
		fd = fd_reserve(from, cloexec);
	if (fd < 0)
		file_put(file);
	else
		fd_install(fd, file);
	return fd;
}

long sys_dup3(unsigned int from, unsigned int to, unsigned int flags)
{
	struct file *file;

	if (flags & ~O_CLOEXEC || from == to)
		return -EINVAL;
	if (to >= descriptor_limit())
		return -EBADF;
	file = file_table_get(current->files, from);
	return file ? fd_replace(to, file, flags & O_CLOEXEC) : -EBADF;
}

long sys_dup2(unsigned int from, unsigned int to)
{
	if (from == to)
		return fd_get_cloexec(from) < 0 ? -EBADF : (long)to;
	return sys_dup3(from, to, 0);
}

/* ---- whole tables ---- */

/* Copy the open descriptors of `from`; to->size is large enough. from->lock is held. */
static void table_fill(struct file_table *to, const struct file_table *from)
{
	memcpy(to->cloexec, from->cloexec, from->size / 8);
	for (unsigned int fd = 0; fd < from->size; fd++) {
		to->files[fd] = from->files[fd];
		if (!to->files[fd])
			continue;
		file_get(to->files[fd]);
		bit_put(to->used, fd, true);
	}
	to->first_free = 0;
}

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
	table_fill(to, from);
	spin_unlock(&from->lock);
	return to;
}

void file_table_put(struct file_table *table)
{
	if (!table || !atomic_dec_and_test(&table->users))
		return;
	for (unsigned int fd = 0; fd < table->size; fd++)
		if (table->files[fd])
			file_put(table->files[fd]);
	table_free_arrays(table);
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
	flags = spin_lock_irqsave(&tasks_lock); /* /proc looks at other tasks' tables under it */
	current->files = new;
	spin_unlock_irqrestore(&tasks_lock, flags);
	file_table_put(old);
	return 0;
}

void file_table_close_on_exec(void)
{
	struct file_table *table = current->files;

	for (unsigned int fd = 0; fd < table->size; fd++)
		if (bit_test(table->cloexec, fd) && bit_test(table->used, fd))
			sys_close(fd);
}
