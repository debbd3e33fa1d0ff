/*
 * vmsplice(2): user memory and pipes.
 *
 * 1. Into a pipe: the caller's pages become slots, and no byte is copied. How the bytes are kept
 *    unchanged depends on the page. Private memory is shared copy-on-write with its owner. A page
 *    of a file is lent as by splice.
 * 2. With SPLICE_F_GIFT, whole pages are taken out of the caller's memory, which then reads as
 *    zeros. Parts of pages are lent. A gift cannot be put back, so it waits for room.
 * 3. A huge page that is mapped as a whole becomes one slot.
 * 4. Out of a pipe: the bytes are copied, as by readv.
 */
#include "fs/splice/splice.h"
#include "kernel/syscalls.h"
#include "mm/slab.h"
#include "mm/vm/vm.h"

/*
 * Lend up to max pages from va on, each with a reference for its slot, and set *size to the size of
 * each in bytes. Returns the number of pages, or an error.
 */
static int promised_pages(uintptr_t va, bool gift, struct page **pages, unsigned int max,
			  unsigned int *size)
{
	for (;;) {
		int nr = mm_lend_pages(current->mm, va, gift, pages, max, size), error;

		if (nr < 0)
			return nr;
		if (nr > 1 || !READ_ONCE(page_head(*pages)->mapping))
			return nr;
		/* A page of a file must be lent, which write-protects all its mappings. */
		error = page_lend(*pages);
		page_unlend(*pages);
		if (!error)
			return 1;
		page_put(*pages);
		/* The page has left its file meanwhile. Look up the one that is there now. */
		if (error != -ENODATA)
			return error;
	}
}

/*
 * Make slots for up to `len` bytes, from `offset` in the first page on. Returns the number of
 * bytes.
 */
static unsigned int fill_slots(struct pipe_slot *slot, struct page **pages, unsigned int nr,
			       unsigned int offset, unsigned int len, unsigned int size)
{
	unsigned int left = len;

	for (; nr > 0; nr--, slot++, offset = 0) {
		unsigned int n = MIN(left, size - offset);

		*slot = (struct pipe_slot){ *pages++, offset, n, &user_slot_ops, 0, 0, NULL };
		left -= n;
	}
	if (unlikely(page_has((--slot)->page, PG_TAIL))) { /* a part of a huge page comes alone */
		struct page *head = slot->page->head;

		slot->offset += (slot->page - head) * PAGE_SIZE;
		slot->page = head;
	}
	return len - left;
}

/*
 * Make slots for the next bytes of the segments, as many as the list has room for. Returns the
 * number of bytes, or an error if there are none.
 */
static ssize_t lend_segments(struct iter *from, struct slot_list *slots, bool gift)
{
	struct page *pages[SLOT_LIST_MAX];
	ssize_t done = 0;

	while (from->left > 0 && slots->nr < slots->max) {
		unsigned int max = slots->max - slots->nr, offset, n, size, bytes;
		uintptr_t va;
		bool whole;
		int nr;

		n = iter_piece(from);
		va = (uintptr_t)from->at;
		offset = va % PAGE_SIZE;
		whole = gift && n >= PAGE_SIZE && offset == 0;
		if (whole)
			max = MIN(max, n / PAGE_SIZE);
		else
			max = gift ? 1 : MIN(max, (offset + n - 1) / PAGE_SIZE + 1);
		nr = promised_pages(va - offset, whole, pages, max, &size);
		if (nr < 0)
			return done ? done : nr;
		offset = va & (size - 1);
		bytes = fill_slots(slots->slots + slots->nr, pages, nr, offset, n, size);
		slots->nr += nr;
		iter_advance(from, bytes);
		done += bytes;
	}
	return done;
}

static ssize_t memory_to_ring(struct iter *from, struct ring *ring, bool gift, uint64_t until)
{
	ssize_t n = 0, done = 0;

	while (from->left > 0) {
		struct pipe_slot slots[SLOT_LIST_MAX];
		struct slot_list list = { .slots = slots };
		ssize_t lent;

		/* A call that has moved something does not wait any more. */
		n = splice_wait_room(ring, done ? WAIT_NOT : until);
		if (n < 0)
			break;
		list.max = MIN((unsigned int)n, SLOT_LIST_MAX);
		n = lent = lend_segments(from, &list, gift);
		if (n < 0)
			break;
		list.bytes = n;
		n = gift ? splice_publish_all(ring, &list) : splice_publish(ring, &list);
		slot_list_release(&list);
		if (n > 0)
			done += n;
		if (n < lent)
			break;
	}
	if (n == -EPIPE)
		pipe_broken();
	return done ? done : n;
}

static ssize_t vmsplice(struct file *file, struct iter *memory, unsigned int flags)
{
	struct pipe *pipe = file_pipe(file);
	uint64_t until = flags & SPLICE_F_NONBLOCK ? WAIT_NOT : file_wait(file);
	struct ring_read read = { .to = memory, .until = until };

	if (memory->left == 0)
		return 0;
	if (!pipe)
		return refuse(EBADF, "not a pipe");
	if (file->writable)
		return memory_to_ring(memory, &pipe->ring, flags & SPLICE_F_GIFT, until);
	return ring_read(&pipe->ring, &read);
}

long sys_vmsplice(int number, const struct iovec __user *segments, size_t nr, unsigned int flags)
{
	struct iovec fast[IOV_FAST], *heap = NULL;
	struct iter memory;
	struct fd fd;
	ssize_t n = -EBADF;

	if (flags & ~SPLICE_F_ALL)
		return refuse(EINVAL, "an unknown flag");
	fd = fd_get(number);
	if (fd.file) {
		n = iter_import(&memory, segments, nr, fast, &heap);
		if (n == 0)
			n = vmsplice(fd.file, &memory, flags);
		kfree(heap);
	}
	fd_put(fd);
	return n;
}
