/*
 * File tables, which map descriptors to open files.
 *
 * 1. table->lock guards the slots. clone(CLONE_FILES) shares a table, and fork copies it.
 * 2. fd_get() takes a reference to the file only if the table is shared, and fd_put() drops it only
 *    then. So the common single-threaded case costs no atomic operation.
 * 3. A path descriptor (O_PATH) stands for a place in the tree, not for a file that can be used.
 *    The lookups of descriptors pass it over, so that a call refuses it (EBADF) unless its code
 *    asks for it with fd_get_any().
 */
#ifndef FS_FILE_FILE_H
#define FS_FILE_FILE_H

#include "fs/file/open_file.h"
#include "fs/names/notify.h"
#include "kernel/task.h"

#define FD_INITIAL 32u /* slots of a table that has not grown */

struct fd_slot {
	struct file *file;  /* NULL: the descriptor is free or reserved */
	bool used, cloexec; /* used: reserved or open */
};

struct file_table {
	struct atomic users;
	spinlock_t lock;
	unsigned int size;	 /* slots */
	unsigned int first_free; /* no free descriptor below this one */
	struct fd_slot *slots;
	struct fd_slot initial[FD_INITIAL];
};

struct fd {
	struct file *file; /* NULL: the descriptor is not open */
	bool counted;	   /* fd_put() drops a reference */
};

/* Do other tasks use the table? If not, no other task can begin to change it. */
static inline bool file_table_is_shared(const struct file_table *table)
{
	return atomic_read(&table->users) != 1;
}
struct fd fd_get_shared(unsigned int fd); /* slow path of fd_get_any(): the table has other users */
/*
 * Returns the open file of a descriptor, which may be a path descriptor. The caller calls fd_put(),
 * even if there is none.
 */
static inline struct fd fd_get_any(unsigned int fd)
{
	struct file_table *table = current->files;

	if (unlikely(file_table_is_shared(table)))
		return fd_get_shared(fd);
	return (struct fd){ fd < table->size ? table->slots[fd].file : NULL, false };
}
static inline void fd_put(struct fd fd)
{
	if (fd.counted)
		file_put(fd.file);
}
/* Does the file only stand for a path (O_PATH)? */
static inline bool file_is_path(const struct file *file)
{
	return unlikely(file->flags & O_PATH);
}
/* The same as fd_get_any(), but a path descriptor counts as one that is not open. */
static inline struct fd fd_get(unsigned int number)
{
	struct fd fd = fd_get_any(number);

	if (!fd.file || !file_is_path(fd.file))
		return fd;
	fd_put(fd);
	return (struct fd){ NULL, false };
}

/*
 * The same for the table of the current task, which is not shared and does not become so while the
 * file is used. There is no reference.
 */
static inline struct file *file_table_at(const struct file_table *table, unsigned int number)
{
	struct file *file = number < table->size ? table->slots[number].file : NULL;

	return file && !file_is_path(file) ? file : NULL;
}

/* The two files of a call that moves bytes from one to the other. */
struct fd_pair {
	struct file *in, *out;
	bool counted;
};

bool fd_get_pair_shared(struct fd_pair *pair, unsigned int in, unsigned int out); /* slow path */
/*
 * Get the files of two descriptors. The caller releases them with fd_put_pair(). Returns false if
 * one of them is not open or is a path descriptor (EBADF); then there is nothing to release.
 */
static inline bool fd_get_pair(struct fd_pair *pair, unsigned int in, unsigned int out)
{
	struct file_table *table = current->files;

	if (unlikely(file_table_is_shared(table)))
		return fd_get_pair_shared(pair, in, out);
	pair->counted = false;
	if (unlikely(in >= table->size || out >= table->size))
		return false;
	pair->in = table->slots[in].file;
	pair->out = table->slots[out].file;
	return pair->in && pair->out && !file_is_path(pair->in) && !file_is_path(pair->out);
}
static inline void fd_put_pair(struct fd_pair *pair)
{
	if (unlikely(pair->counted)) {
		file_put(pair->in);
		file_put(pair->out);
	}
}

/*
 * Does the position of a file need its lock? With one reference it does not: that reference is the
 * descriptor that the caller is using, in a table that is not shared.
 */
static inline bool file_is_shared(const struct file *file)
{
	return atomic_read(&file->refs) != 1;
}
/*
 * Lock the position of a file, if it is shared, and pass the result to file_unlock_position().
 * Returns -ERESTARTSYS if the task is killed. May sleep.
 */
static inline int file_lock_position(struct file *file)
{
	int error;

	if (!file_is_shared(file))
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
 * Read or set the offset of a call that takes an offset pointer. It is *user, or the file's own
 * position if user is NULL. For a file that cannot seek it is 0. Both functions return 0, -EFAULT,
 * -EINVAL for a negative offset, or -ERESTARTSYS. They may sleep.
 */
int file_get_position(struct file *file, const int64_t __user *user, int64_t *pos);
int file_set_position(struct file *file, int64_t __user *user, int64_t pos);

/*
 * Reserve the lowest free descriptor that is not below `from`. Returns it, or -EMFILE or -ENOMEM.
 * May sleep.
 */
int fd_reserve(unsigned int from, bool cloexec);
/* Open `file` at a reserved descriptor. The table takes over the reference. Cannot fail. */
void fd_install(int fd, struct file *file);
/* Free a descriptor that was reserved but not installed. */
void fd_unreserve(int fd);
/*
 * Reserve the lowest free descriptor and install the file there. Takes over the reference, even on
 * failure. Returns the descriptor, -EMFILE or -ENOMEM. May sleep.
 */
int fd_add(struct file *file, bool cloexec);
/*
 * The same for two files. The two descriptors are written to user memory at `to`. Returns 0,
 * -EMFILE, -ENOMEM or -EFAULT; after an error neither is open.
 */
int fd_add_pair(struct file *files[2], bool cloexec, int32_t __user *to);

/* Create an empty table with one user. Returns NULL if there is no memory. May sleep. */
struct file_table *file_table_create(void);
/* Create a copy of a table, with one user. Returns ERR_PTR(-ENOMEM) on failure. May sleep. */
struct file_table *file_table_copy(struct file_table *from);
/* Drop a use. The last one closes all files. Ignores NULL. May sleep. */
void file_table_put(struct file_table *table);
/*
 * Returns the file of a descriptor in a table that the caller keeps in use, with a reference, or
 * NULL. Never sleeps.
 */
struct file *file_table_get(struct file_table *table, unsigned int fd);
/* Replace a shared table of the current task by a copy. Returns 0 or -ENOMEM. May sleep. */
int file_table_unshare(void);
/*
 * For exec: close the descriptors with the close-on-exec flag. The table is not shared. May sleep.
 */
void file_table_close_on_exec(void);

/*
 * The last reference to a file that epolls watch has gone. Its queues still exist.
 * fs/events/epoll_file.c sets it. May sleep.
 */
extern void (*before_watched_file_closes)(struct file *file);

/*
 * A call has read (direction 0) or written (1) n bytes of the file, or n is an error. The first
 * function tells those who watch the file. The second one also counts the call for /proc/PID/io.
 */
static inline void file_tell_moved(struct file *file, unsigned int direction, ssize_t n)
{
	if (n > 0)
		notify_file(file, direction ? IN_MODIFY : IN_ACCESS);
}
static inline void file_moved(struct file *file, unsigned int direction, ssize_t n)
{
	current->io.calls[direction]++;
	if (n <= 0)
		return;
	current->io.moved[direction] += (size_t)n;
	file_tell_moved(file, direction, n);
}

#endif
