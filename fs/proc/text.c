/*
 * Reading and writing the files of /proc: those that print themselves, and those of a process that are not text.
 *
 * When a file is read from its start, it is printed into a buffer of the open file, which is as large as needed.
 * Later reads come from that buffer. So a reader with a small buffer sees one state, not a mixture. reader->lock
 * serialises tasks that share an open file. It is held across copies to the user, since no page fault leads here.
 * Text that is printed with tasks_lock held goes into memory that has been allocated before.
 */
#include "fs/file/file.h"
#include "fs/proc/proc_internal.h"
#include "fs/splice/copy.h"
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
	size_t len;
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
	error = entry->show_process(process, fd_of(inode), text);
	process_put(process);
	return error;
}

/* Print the file. reader->lock is held. */
static int reader_fill(struct reader *reader, struct inode *inode)
{
	int error = -EFBIG;

	vfree(reader->buf);
	reader->buf = NULL;
	for (size_t size = TEXT_FIRST; size <= TEXT_MAX; size *= TEXT_GROWTH) {
		struct text text = { .buf = vmalloc(size, 0), .size = size };

		error = text.buf ? print(inode, &text) : -ENOMEM;
		if (!error && !text.full) {
			reader->buf = text.buf;
			reader->len = text.len;
			return 0;
		}
		vfree(text.buf);
		if (error)
			break;
	}
	return error;
}

static int text_open(struct inode *inode, struct file *file)
{
	struct reader *reader = kzalloc(sizeof(*reader), 0);

	if (!reader)
		return -ENOMEM;
	mutex_init(&reader->lock, "proc reader");
	file->private = reader;
	return 0;
}

static ssize_t text_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct reader *reader = file->private;
	ssize_t done = mutex_lock_killable(&reader->lock);

	if (done)
		return done;
	if (!reader->buf || *pos == 0)
		done = reader_fill(reader, file->inode);
	if (done == 0 && *pos < (file_off_t)reader->len) {
		size_t n = MIN(reader->len - (size_t)*pos, to->left);

		done = iter_copy_to(to, reader->buf + *pos, n);
		if (done == 0 && n > 0)
			done = -EFAULT;
		else
			*pos += done;
	}
	mutex_unlock(&reader->lock);
	return done;
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
	error = entry->store_process(process, fd_of(inode), input, len);
	process_put(process);
	return error;
}

static ssize_t text_write(struct file *file, struct iter *from, file_off_t *pos)
{
	const struct proc_entry *entry = entry_of(file->inode);
	size_t len = from->left;
	char *input;
	int error = -EFAULT;

	if ((!entry->store && !entry->store_process) || len >= PAGE_SIZE)
		return -EINVAL;
	input = kzalloc(len + 1, 0);
	if (!input)
		return -ENOMEM;
	if (iter_copy_from(from, input, len) == len)
		error = store(file->inode, input, len);
	kfree(input);
	return error ? error : (ssize_t)len;
}

const struct file_ops proc_text_ops = {
	.open = text_open,
	.release = text_release,
	.read = text_read,
	.write = text_write,
	.llseek = generic_llseek,
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
	.llseek = generic_llseek,
};
