/*
 * The memory devices, major number 1: null, zero, full, random, urandom, kmsg.
 *
 * 1. null takes everything, slots whose bytes have not arrived too, and is always at its end.
 * 2. zero and full give zeros without end; a splice from zero publishes the zero page and copies
 *    nothing. Writing to full is ENOSPC.
 * 3. random and urandom are one generator (kernel/random.c). What is written to them is stirred in.
 * 4. kmsg: a write is a line in the log; a read gives the log as text from where the last one
 *    ended, and 0 when there is nothing new.
 */
#include "fs/splice.h"
#include "fs/vfs.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/random.h"
#include "kernel/wait.h"
#include "lib/string.h"
#include "mm/tables.h"

#define MEM_MAJOR 1
#define PIECE	  256u /* bytes between two looks at pending signals */
#define KMSG_LINE 256u

/* Everything that is not read from a place has none; seeking is allowed and does nothing. */
static file_off_t mem_llseek(struct file *file, file_off_t offset, int whence)
{
	return file->pos = 0;
}

/* ---- null ---- */

static ssize_t null_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *file, struct iter *from, file_off_t *pos)
{
	size_t n = from->left;

	iter_advance(from, n);
	return n;
}

/* The end of file is here. */
static ssize_t null_splice_read(struct file *file, file_off_t *pos, size_t len,
				struct slot_list *slots)
{
	return 0;
}

static const struct file_ops null_ops = {
	.read = null_read,
	.write = null_write,
	.llseek = mem_llseek,
	.splice_read = null_splice_read,
	.splice_write = null_splice_write,
};

/* ---- zero and full ---- */

static ssize_t zero_read(struct file *file, struct iter *to, file_off_t *pos)
{
	size_t done = 0;

	while (to->left > 0) {
		size_t n = MIN(to->left, (size_t)PAGE_SIZE), zeroed = iter_zero(to, n);

		done += zeroed;
		if (zeroed < n)
			return done ? (ssize_t)done : -EFAULT;
		if (signal_pending())
			break;
	}
	return done;
}

/* The zero page is never written, never freed and not counted: there is nothing to hold. */
static bool zero_slot_get(struct pipe_slot *slot)
{
	return true;
}

static void zero_slot_release(struct pipe_slot *slot)
{
}

static const struct pipe_slot_ops zero_slot_ops = {
	.kind = "zero",
	.get = zero_slot_get,
	.release = zero_slot_release,
};

static ssize_t zero_splice_read(struct file *file, file_off_t *pos, size_t len,
				struct slot_list *slots)
{
	size_t done = 0;

	while (done < len && slots->nr < slots->max) {
		struct pipe_slot *slot = &slots->slots[slots->nr++];

		*slot = (struct pipe_slot){
			.page = zero_page,
			.len = MIN(len - done, (size_t)PAGE_SIZE),
			.ops = &zero_slot_ops,
		};
		done += slot->len;
	}
	return done;
}

/* Zeros to write to are anonymous memory: the mapping has nothing to do with this file any more. */
static int zero_mmap(struct file *file, struct vma *vma)
{
	struct file *memory = NULL;

	if (vma->flags & VMA_SHARED) {
		memory = shared_memory_file(vma->end - vma->start);
		if (IS_ERR(memory))
			return PTR_ERR(memory);
	}
	file_put(vma->file); /* the caller has a reference, too */
	vma->file = memory;
	vma->page_offset = 0;
	return 0;
}

static ssize_t full_write(struct file *file, struct iter *from, file_off_t *pos)
{
	return -ENOSPC;
}

static const struct file_ops zero_ops = {
	.read = zero_read,
	.write = null_write,
	.llseek = mem_llseek,
	.mmap = zero_mmap,
	.splice_read = zero_splice_read,
	.splice_write = null_splice_write,
};

static const struct file_ops full_ops = {
	.read = zero_read,
	.write = full_write,
	.llseek = mem_llseek,
	.splice_read = zero_splice_read,
	.splice_write = copy_splice_write,
};

/* ---- random and urandom ---- */

static ssize_t random_read(struct file *file, struct iter *to, file_off_t *pos)
{
	uint8_t piece[PIECE];
	size_t done = 0;

	while (to->left > 0) {
		size_t n = MIN(to->left, sizeof(piece)), copied;

		random_bytes(piece, n);
		copied = iter_copy_to(to, piece, n);
		done += copied;
		if (copied < n)
			return done ? (ssize_t)done : -EFAULT;
		if (signal_pending())
			break;
	}
	return done;
}

static ssize_t random_write(struct file *file, struct iter *from, file_off_t *pos)
{
	uint8_t piece[PIECE];
	size_t done = 0;

	while (from->left > 0) {
		size_t n = MIN(from->left, sizeof(piece)), copied = iter_copy_from(from, piece, n);

		random_add(piece, copied);
		done += copied;
		if (copied < n)
			return done ? (ssize_t)done : -EFAULT;
		if (signal_pending())
			break;
	}
	return done;
}

static const struct file_ops random_ops = {
	.read = random_read,
	.write = random_write,
	.llseek = mem_llseek,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};

/* ---- kmsg ---- */

/* The position is the log's own (32 bits that go round). */
static ssize_t kmsg_read(struct file *file, struct iter *to, file_off_t *pos)
{
	char piece[PIECE];
	size_t done = 0;

	while (to->left > 0) {
		unsigned int position = *pos, before;
		size_t n = log_read(&position, piece, MIN(to->left, sizeof(piece)));
		size_t copied = iter_copy_to(to, piece, n);

		before = position - n;
		*pos = before + copied;
		done += copied;
		if (copied < n)
			return done ? (ssize_t)done : -EFAULT;
		if (n == 0)
			break;
	}
	return done;
}

/* "<6>text\n": the level in front is optional; facilities (the bits above) are not kept. */
static void kmsg_log(char *line)
{
	enum log_level level = LOG_WARNING;
	char *end = strchr(line, '>');

	if (line[0] == '<' && line[1] >= '0' && line[1] <= '9' && end) {
		unsigned int digit = 0;

		for (char *p = line + 1; p < end; p++)
			digit = digit * 10 + (*p - '0');
		digit &= 7;
		level = digit <= LOG_ERROR     ? LOG_ERROR
			: digit == LOG_WARNING ? LOG_WARNING
			: digit < LOG_DEBUG    ? LOG_INFO
					       : LOG_DEBUG;
		line = end + 1;
	}
	log_at(level, "%s", line);
}

static ssize_t kmsg_write(struct file *file, struct iter *from, file_off_t *pos)
{
	char line[KMSG_LINE];
	size_t n = from->left;

	if (n >= sizeof(line))
		return -EINVAL;
	if (iter_copy_from(from, line, n) < n)
		return -EFAULT;
	line[n] = 0;
	for (size_t i = 0; i < n; i++) { /* one write is one line of text */
		if (line[i] == '\n' && i == n - 1)
			line[i] = 0;
		else if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	}
	kmsg_log(line);
	return n;
}

static const struct file_ops kmsg_ops = {
	.read = kmsg_read,
	.write = kmsg_write,
	.llseek = mem_llseek,
	.splice_read = copy_splice_read,
	.splice_write = copy_splice_write,
};

static void __init memdev_init(void)
{
	static const struct {
		const char *name;
		unsigned int minor, mode;
		const struct file_ops *ops;
	} devices[] = {
		{ "null", 3, 0666, &null_ops },	     { "zero", 5, 0666, &zero_ops },
		{ "full", 7, 0666, &full_ops },	     { "random", 8, 0666, &random_ops },
		{ "urandom", 9, 0666, &random_ops }, { "kmsg", 11, 0644, &kmsg_ops },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
		if (chrdev_register(MEM_MAJOR, devices[i].minor, devices[i].name, devices[i].mode,
				    devices[i].ops, NULL) < 0)
			panic("no memory for /dev/%s", devices[i].name);
}
INITCALL(3, memdev_init);
