/*
 * The memory devices, major number 1: null, zero, full, random, urandom.
 *
 * 1. null takes everything, including slots whose bytes have not arrived. Reading it finds the end
 *    of the file.
 * 2. zero and full supply zeros without end. A splice from them publishes the zero page and copies
 *    nothing. Writing to full returns -ENOSPC.
 * 3. random and urandom are the same generator (kernel/random.c). Bytes written to them are mixed
 *    in.
 */
#include "fs/dev/device.h"
#include "fs/splice/copy.h"
#include "fs/file/open_file.h"
#include "kernel/init.h"
#include "kernel/random.h"
#include "kernel/wait.h"
#include "lib/string.h"
#include "mm/vm/tables.h"

#define MEM_MAJOR 1
#define PIECE	  256u

/* These files have no position. Seeking is allowed and does nothing. */
static file_off_t mem_llseek(struct file *file, file_off_t offset, int whence)
{
	return file->pos = 0;
}

/* Call move() for up to `most` bytes at a time until all are moved or a signal is pending. */
static ssize_t move_all(struct iter *iter, size_t (*move)(struct iter *iter, size_t n), size_t most)
{
	size_t done = 0;

	while (iter->left > 0) {
		size_t n = MIN(iter->left, most), moved = move(iter, n);

		done += moved;
		if (moved < n)
			return done ? (ssize_t)done : -EFAULT;
		if (signal_pending())
			break;
	}
	return done;
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

/* Always at the end of the file. */
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
	return move_all(to, iter_zero, PAGE_SIZE);
}

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

/* A mapping of /dev/zero is anonymous memory. It does not keep a reference to this file. */
static int zero_mmap(struct file *file, struct vma *vma)
{
	struct file *memory = NULL;

	if (vma->flags & VMA_SHARED) {
		memory = shared_memory_file(vma->end - vma->start);
		if (IS_ERR(memory))
			return PTR_ERR(memory);
	}
	file_put(vma->file); /* the caller has a reference as well */
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
};

static const struct file_ops full_ops = {
	.read = zero_read,
	.write = full_write,
	.llseek = mem_llseek,
	.splice_read = zero_splice_read,
	.splice_write = copy_splice_write,
};

/* ---- random and urandom ---- */

static size_t give_random(struct iter *to, size_t n)
{
	uint8_t piece[PIECE];

	random_bytes(piece, n);
	return iter_copy_to(to, piece, n);
}

static ssize_t random_read(struct file *file, struct iter *to, file_off_t *pos)
{
	return move_all(to, give_random, PIECE);
}

static size_t take_random(struct iter *from, size_t n)
{
	uint8_t piece[PIECE];

	n = iter_copy_from(from, piece, n);
	random_add(piece, n);
	return n;
}

static ssize_t random_write(struct file *file, struct iter *from, file_off_t *pos)
{
	return move_all(from, take_random, PIECE);
}

static const struct file_ops random_ops = {
	.read = random_read,
	.write = random_write,
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
		{ "urandom", 9, 0666, &random_ops },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(devices); i++)
		if (chrdev_register(MEM_MAJOR, devices[i].minor, devices[i].name, devices[i].mode,
				    devices[i].ops, NULL) < 0)
			cannot_start("too little memory for /dev/%s", devices[i].name);
}
INITCALL(3, memdev_init);
