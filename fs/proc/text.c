/*
 * Reading and writing the files of /proc: those that print themselves, and those of a process that
 * are not text.
 *
 * When a file is read from its start, it is printed into a buffer of the open file, which is as
 * large as needed. Later reads come from that buffer. So a reader with a small buffer sees one
 * state, not a mixture. Only files that may be very large, such as maps, are printed in parts: the
 * buffer has one of them, and each part shows the state of its own time.
 *
 * reader->lock serialises tasks that share an open file. It is held across copies to the user,
 * since no page fault leads here. Text that is printed with tasks_lock held goes into memory that
 * has been allocated before.
 */
#include "fs/file/file.h"
#include "fs/proc/proc_internal.h"
#include "fs/splice/copy.h"
#include "kernel/syscall.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vmalloc.h"

#define TEXT_FIRST  PAGE_SIZE /* size of the first buffer; it grows by TEXT_GROWTH */
#define TEXT_GROWTH 4u
#define TEXT_MAX    (4u << 20)

/* ---- text ---- */

struct reader {
	struct mutex lock;
	char *buf; /* from vmalloc; NULL: not printed yet */
	size_t size;
	file_off_t start; /* of what the buffer has in the file */
	size_t len;
	size_t next; /* as in struct text */
	bool more;
};

static int print(struct inode *inode, struct text *text)
{
	const struct proc_entry *entry = entry_of(inode);
	struct process *process;
	int error;

	if (entry->show) {
		entry->show(text);
		return 0;
	}
	if (!entry->show_process)
		return -EINVAL;
	process = proc_inspect(inode, entry->mode & 0044);
	if (IS_ERR(process))
		return PTR_ERR(process);
	error = entry->show_process(process, number_in(inode), text);
	process_put(process);
	return error;
}

/* Get a buffer of that size, which has no text. */
static int reader_resize(struct reader *reader, size_t size)
{
	if (reader->buf && reader->size >= size)
		return 0;
	vfree(reader->buf);
	reader->buf = vmalloc(size, 0);
	reader->size = size;
	reader->len = 0;
	reader->more = false;
	return reader->buf ? 0 : -ENOMEM;
}

/* Print the part that begins at `next`, which has that place in the file. reader->lock is held. */
static int reader_fill(struct reader *reader, struct inode *inode, size_t next, file_off_t start)
{
	for (size_t size = TEXT_FIRST; size <= TEXT_MAX; size *= TEXT_GROWTH) {
		struct text text = { .next = next };
		int error = reader_resize(reader, size);

		text.buf = reader->buf;
		text.size = reader->size;
		if (!error)
			error = print(inode, &text);
		if (error)
			return error;
		reader->start = start;
		reader->len = text.len;
		reader->next = text.next;
		reader->more = text.more;
		if (!text.full)
			return 0;
	}
	reader->len = 0;
	reader->more = false;
	return -EFBIG;
}

/* Print what the file has at the position, which may be behind its end. reader->lock is held. */
static int reader_find(struct reader *reader, struct inode *inode, file_off_t pos)
{
	int error = 0;

	if (!reader->buf || pos == 0 || pos < reader->start)
		error = reader_fill(reader, inode, 0, 0);
	while (!error && reader->more && pos >= reader->start + (file_off_t)reader->len)
		error = reader_fill(reader, inode, reader->next, reader->start + reader->len);
	return error;
}

/*
 * A file of /sys whose mode lets nobody read or write it cannot be opened for that, even by root,
 * who need not ask the mode.
 */
static bool mode_refuses(const struct proc_entry *entry, const struct file *file)
{
	return !strncmp(entry->path, "/sys/", 5) && ((file->readable && !(entry->mode & 0444)) ||
						     (file->writable && !(entry->mode & 0222)));
}

static int text_open(struct inode *inode, struct file *file)
{
	struct reader *reader;

	if (mode_refuses(entry_of(inode), file))
		return refuse(EACCES, "the mode of the file lets nobody do that");
	reader = kzalloc(sizeof(*reader), 0);
	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock, "proc reader");
	file->private = reader;
	return 0;
}

static ssize_t text_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct reader *reader = file->private;
	int error = mutex_lock_killable(&reader->lock);
	ssize_t done = 0;

	if (error)
		return error;
	while (!error && to->left) {
		file_off_t at;
		size_t n, copied;

		error = reader_find(reader, file->inode, *pos);
		at = *pos - reader->start;
		if (error || at >= (file_off_t)reader->len)
			break;
		n = MIN(reader->len - (size_t)at, to->left);
		copied = iter_copy_to(to, reader->buf + at, n);
		error = copied < n ? -EFAULT : 0;
		*pos += copied;
		done += copied;
	}
	mutex_unlock(&reader->lock);
	return done ? done : error;
}

static void text_release(struct file *file)
{
	struct reader *reader = file->private;

	vfree(reader->buf);
	kfree(reader);
}

static int store(struct inode *inode, char *input, size_t len)
{
	const struct proc_entry *entry = entry_of(inode);
	struct process *process;
	int error;

	if (entry->store)
		return entry->store(input, len);
	/* The mode and the owner of the file have said that the task may write. */
	process = proc_inspect(inode, true);
	if (IS_ERR(process))
		return PTR_ERR(process);
	error = entry->store_process(process, number_in(inode), input, len);
	process_put(process);
	return error;
}

static ssize_t text_write(struct file *file, struct iter *from, file_off_t *pos)
{
	const struct proc_entry *entry = entry_of(file->inode);
	size_t len = from->left;
	char *input;
	int error = -EFAULT;

	if (!entry->store && !entry->store_process)
		return pid_of(file->inode) ? -EINVAL : -EIO;
	if (len >= PAGE_SIZE)
		return -EINVAL;
	input = kzalloc(len + 1, 0);
	if (!input)
		return -ENOMEM;
	if (iter_copy_from(from, input, len) == len)
		error = store(file->inode, input, len);
	kfree(input);
	return error ? error : (ssize_t)len;
}

/* How long such a file is turns out when it is read. */
static file_off_t proc_llseek(struct file *file, file_off_t offset, int whence)
{
	bool setting = !strncmp(entry_of(file->inode)->path, "sys/", 4);

	if (setting && (whence == SEEK_DATA || whence == SEEK_HOLE))
		return -ENXIO;
	if (whence == SEEK_END && !setting)
		return refuse(EINVAL, "a file of /proc has no end to count from");
	return generic_llseek(file, offset, whence);
}

const struct file_ops proc_text_ops = {
	.open = text_open,
	.release = text_release,
	.read = text_read,
	.write = text_write,
	.llseek = proc_llseek,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};

/* ---- bytes ---- */

static int bytes_open(struct inode *inode, struct file *file)
{
	struct process *process = proc_inspect(inode, false);

	if (IS_ERR(process))
		return PTR_ERR(process);
	process_put(process);
	return 0;
}

static ssize_t transfer(struct file *file, struct iter *iter, file_off_t *pos, bool write)
{
	struct process *process = proc_inspect(file->inode, false);
	ssize_t done;

	if (IS_ERR(process))
		return PTR_ERR(process);
	done = entry_of(file->inode)->transfer(process, iter, pos, write);
	process_put(process);
	return done;
}

static ssize_t bytes_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return transfer(file, to, pos, false);
}

static ssize_t bytes_write(struct file *file, struct iter *from, file_off_t *pos)
{
	return transfer(file, from, pos, true);
}

const struct file_ops proc_bytes_ops = {
	.open = bytes_open,
	.read = bytes_read,
	.write = bytes_write,
	.llseek = proc_llseek,
};
