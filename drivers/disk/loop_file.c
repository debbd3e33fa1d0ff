/*
 * How the bios of a loop device are carried out: bytes go between the pages of a bio and the page
 * cache of the backing file. The contract is in drivers/disk/loop.h.
 *
 * Each piece of a bio lies in one page, which is mapped while the piece is read or written.
 */
#include "drivers/disk/loop.h"
#include "fs/cache/writeback.h"
#include "fs/file/generic.h"
#include "fs/file/seal.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/vm/iter.h"

#define RETRY_NS (10 * NSEC_PER_MSEC) /* between two looks for memory */

/*
 * Read up to `iter->left` bytes of the file. Returns the number of bytes, 0 at the end of the file,
 * or an error.
 */
static ssize_t read_piece(struct file *file, struct iter *iter, file_off_t pos)
{
	if (!file->readable)
		return -EBADF;
	return file->ops->read(file, iter, &pos);
}

static ssize_t write_piece(struct file *file, struct iter *iter, file_off_t pos)
{
	struct inode *inode = file->inode;
	size_t len = iter->left;
	ssize_t done;
	int error = mutex_lock_killable(&inode->lock);

	if (error)
		return error;
	if (sealed_against_writing(inode) || sealed_against_size(inode, pos + len)) {
		done = -EPERM;
	} else if (S_ISBLK(inode->mode) && pos + (file_off_t)len > inode->size) {
		done = -ENOSPC;
	} else {
		done = generic_cached_write(inode, iter, &pos, len);
		generic_written(inode, MAX(done, 0), len);
	}
	mutex_unlock(&inode->lock);
	return done;
}

/*
 * There was no memory. The reserve, and the pages of the file that are written now, are what the
 * next try will find.
 */
static void find_memory(struct loop_task *task, struct file *file)
{
	static struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	loop_give_up_reserve(task);
	(void)mapping_write(&file->inode->mapping);
	(void)wait_event_until(&nobody, false, time_now() + RETRY_NS);
}

/* Read or write the bytes of one page. Returns 0 or an error. */
static int move_piece(struct loop_task *task, struct file *file, bool write, char *address,
		      unsigned int len, file_off_t pos)
{
	unsigned int done = 0;

	while (done < len) {
		struct iter iter;
		ssize_t n;

		iter_init_kernel(&iter, address + done, len - done);
		n = write ? write_piece(file, &iter, pos + done)
			  : read_piece(file, &iter, pos + done);
		if (n == -ENOMEM) {
			find_memory(task, file);
			continue;
		}
		if (n < 0)
			return n;
		if (n == 0 && write)
			return -EIO;
		if (n == 0) { /* the end of the file, which has become shorter */
			memset(address + done, 0, len - done);
			break;
		}
		done += n;
	}
	return 0;
}

static int flush(struct file *file)
{
	return file->ops->fsync ? file->ops->fsync(file) : 0;
}

/* loop_io.carry_out */
int loop_carry_out(struct loop_task *task, struct bio *bio)
{
	struct loop *loop = bio->device->private;
	struct file *file = loop->file;
	file_off_t pos = loop->offset + (bio->sector << SECTOR_SHIFT);
	int error = 0;

	while (bio->nr_segments == 0 && (error = flush(file)) == -ENOMEM)
		find_memory(task, file);
	for (unsigned int i = 0; i < bio->nr_segments && !error; i++) {
		const struct bio_segment *segment = &bio->segments[i];
		unsigned int byte = segment->offset, end = byte + segment->len, len;

		for (; byte < end && !error; byte += len, pos += len) {
			unsigned int here = byte & (PAGE_SIZE - 1);
			char *address = kmap_local(segment->page + (byte >> PAGE_SHIFT));

			len = MIN(end - byte, PAGE_SIZE - here);
			error = move_piece(task, file, bio->write, address + here, len, pos);
			kunmap_local(address);
		}
	}
	return error ? -EIO : 0;
}
