/*
 * File tables: from descriptors to open files.
 *
 * 1. table->lock guards the arrays. A table is shared by clone(CLONE_FILES), copied by fork.
 * 2. fd_get() takes a reference only if the table is shared; fd_put() undoes exactly what it did:
 *    so the common single-threaded case costs no atomic operation.
 */
#ifndef FS_FILE_FILE_H
#define FS_FILE_FILE_H

#include "fs/names/vfs.h"
#include "kernel/task.h"

#define OPEN_MAX_LIMIT 65536u

struct fd_slot {
	struct file *file; /* NULL: free, or reserved */
	bool used, cloexec;
};

struct file_table {
	struct atomic users;
	spinlock_t lock;
	unsigned int size;	 /* slots */
	unsigned int first_free; /* no free descriptor below this one */
	struct fd_slot *slots;
	struct fd_slot initial[32];
};

struct fd {
	struct file *file; /* NULL: EBADF */
	bool counted;	   /* fd_put must drop a reference */
};

struct fd fd_get_shared(unsigned int fd); /* the slow half: the table has other users */
/* The open file, to be given back by fd_put(). */
static inline struct fd fd_get(unsigned int fd)
{
	struct file_table *table = current->files;

	if (unlikely(atomic_read(&table->users) != 1))
		return fd_get_shared(fd);
	return (struct fd){ fd < table->size ? table->slots[fd].file : NULL, false };
}
static inline void fd_put(struct fd fd)
{
	if (fd.counted)
		file_put(fd.file);
}

/* The two files of a call that moves bytes from one to the other. */
struct fd_pair {
	struct file *in, *out;
	bool counted;
};

bool fd_get_pair_shared(struct fd_pair *pair, unsigned int in, unsigned int out);
/* False (EBADF): one of them is not open, and nothing is to be given back. */
static inline bool fd_get_pair(struct fd_pair *pair, unsigned int in, unsigned int out)
{
	struct file_table *table = current->files;

	if (unlikely(atomic_read(&table->users) != 1))
		return fd_get_pair_shared(pair, in, out);
	pair->counted = false;
	if (unlikely(in >= table->size || out >= table->size))
		return false;
	pair->in = table->slots[in].file;
	pair->out = table->slots[out].file;
	return pair->in && pair->out;
}
static inline void fd_put_pair(struct fd_pair *pair)
{
	if (unlikely(pair->counted)) {
		file_put(pair->in);
		file_put(pair->out);
	}
}

/*
 * The file's position is this call's alone until it is unlocked with what was returned; an error,
 * which is negative, if the task was killed meanwhile. A file with one reference needs no lock: it is
 * the caller's descriptor, of a table that nobody shares.
 */
static inline int file_lock_position(struct file *file)
{
	int error;

	if (atomic_read(&file->refs) == 1)
		return false;
	error = mutex_lock_killable(&file->pos_lock);
	return error ? error : true;
}
static inline void file_unlock_position(struct file *file, int shared)
{
	if (shared)
		mutex_unlock(&file->pos_lock);
}

/*
 * Where a call that takes an offset pointer reads or writes: at *user, or at the file's own position if
 * user is NULL. A file that cannot seek is at 0. Both functions return 0, -EFAULT, -EINVAL for a negative
 * offset, or -ERESTARTSYS. They may sleep.
 */
int file_get_position(struct file *file, const int64_t __user *user, int64_t *pos);
int file_set_position(struct file *file, int64_t __user *user, int64_t pos);

/* The lowest free descriptor >= from, reserved; -EMFILE, -ENOMEM. */
int fd_reserve(unsigned int from, bool cloexec);
/* Put the file (its reference goes to the table) at a reserved descriptor. */
void fd_install(int fd, struct file *file);
void fd_unreserve(int fd);
/* Reserve + install; drops the file's reference on error. */
int fd_add(struct file *file, bool cloexec);
/*
 * The same for two, whose numbers are told to the caller's memory: nothing is open if they cannot
 * be. 0, or an error.
 */
int fd_add_pair(struct file *files[2], bool cloexec, int32_t __user *to);

struct file_table *file_table_create(void);
struct file_table *file_table_copy(struct file_table *from); /* ERR_PTR(-ENOMEM) */
void file_table_put(struct file_table *table);
/*
 * The file at `fd` of any table (of which the caller holds a count), with a reference; NULL. For
 * /proc.
 */
struct file *file_table_get(struct file_table *table, unsigned int fd);
/* exec: a table of its own, close-on-exec descriptors closed. 0 or -ENOMEM. */
int file_table_unshare(void);
void file_table_close_on_exec(void);

#endif
