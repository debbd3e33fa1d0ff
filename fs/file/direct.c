/*
 * Reading and writing without the page cache. The contract is in fs/file/direct.h, and how a piece
 * is moved in fs/file/direct_piece.h.
 */
#include "fs/file/direct_piece.h"
#include "fs/cache/writeback.h"
#include "fs/file/generic.h"
#include "fs/names/times.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"

/* Are the offset, the length and all memory aligned? */
static bool is_aligned(const struct iter *iter, file_off_t pos, size_t len)
{
	struct iter at = *iter;
	size_t bits = (pos | len) & (DIRECT_ALIGN - 1);

	while (at.left > 0) {
		size_t n = MIN(iter_piece(&at), at.left);

		bits |= ((uintptr_t)at.at | n) & (DIRECT_ALIGN - 1);
		iter_advance(&at, n);
	}
	return bits == 0;
}

/*
 * Is any page of [pos, pos + len) cached that has one of these flags? With 0: is any page cached at
 * all?
 */
static bool is_cached(struct inode *inode, file_off_t pos, size_t len, unsigned int flags)
{
	unsigned int index = pos >> PAGE_SHIFT, last = (pos + len - 1) >> PAGE_SHIFT;
	struct page *page;
	bool found = false;

	for (; !found && (page = mapping_next_page(&inode->mapping, &index, last)); index++) {
		found = flags == 0 || page_has(page, flags);
		page_put(page);
	}
	return found;
}

/* ---- reading ---- */

static file_off_t round_up_sector(file_off_t bytes)
{
	return (bytes + SECTOR_SIZE - 1) & ~(file_off_t)(SECTOR_SIZE - 1);
}

/*
 * The bytes of the last sector behind the end of the file are not the file's. Zero them in the
 * memory.
 */
static void zero_behind(struct piece *piece, unsigned int valid)
{
	if (piece->moved <= valid)
		return;
	piece->part = piece->used = 0;
	for (unsigned int skip = valid; skip > 0;)
		skip -= piece_next_part(piece, skip).len;
	piece_zero(piece, piece->moved - valid);
}

/*
 * Read a piece of up to n bytes. Returns the number of bytes, an error, or 0 at the end of the
 * file. Sets *cached, and returns 0, if the first page is in use. After -EINTR the piece is no
 * longer the caller's.
 */
static ssize_t read_piece(struct piece *piece, struct iter *to, file_off_t pos, size_t n,
			  bool *cached)
{
	file_off_t left;
	ssize_t result = piece_begin(piece, to, pos, n);

	*cached = result == 0;
	if (result <= 0)
		return result;
	/*
	 * Truncation sets the size and waits for the places afterwards. So either it waits for
	 * ours, or we see the new size.
	 */
	left = MAX(inode_size(piece->inode) - pos, (file_off_t)0);
	piece->len = MIN((file_off_t)piece->len, round_up_sector(left));
	if (!piece_move(piece))
		return -EINTR;
	result = MIN((file_off_t)piece->moved, left);
	zero_behind(piece, result);
	piece_release_places(piece);
	result = iter_unpin(to, result, piece->parts, piece->nr_parts, true);
	return result == 0 && piece->error ? piece->error : result;
}

/* Read the rest of one page through the cache. */
static ssize_t read_cached(struct file *file, struct iter *to, file_off_t pos, size_t n)
{
	size_t rest;
	ssize_t done;

	n = MIN(n, PAGE_SIZE - (pos & (PAGE_SIZE - 1)));
	rest = to->left - n;
	to->left = n;
	done = generic_cached_read(file, to, &pos);
	to->left += rest;
	return done;
}

ssize_t direct_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct inode *inode = file->inode;
	file_off_t size = inode_size(inode);
	struct piece *piece;
	ssize_t done = 0, n = 0;
	bool nowait = to->nowait;

	if (to->left == 0 || *pos >= size)
		return 0;
	if (!is_aligned(to, *pos, to->left))
		return refuse(EINVAL, "O_DIRECT needs multiples of a sector");
	if (nowait && is_cached(inode, *pos, to->left, PG_DIRTY | PG_WRITEBACK))
		return -EAGAIN;
	piece = piece_alloc(file, false);
	if (!piece)
		return -ENOMEM;
	do {
		size_t wanted = MIN((file_off_t)to->left, round_up_sector(size - *pos));
		bool cached;

		n = read_piece(piece, to, *pos, wanted, &cached);
		if (cached)
			n = read_cached(file, to, *pos, wanted);
		if (n == -EINTR)
			return n;
		done += MAX(n, 0);
		*pos += MAX(n, 0);
	} while (n > 0 && n % DIRECT_ALIGN == 0 && to->left > 0 && *pos < size && !kill_pending());
	kfree(piece);
	if (done)
		file_accessed(file);
	return done ? done : n;
}

/* ---- writing ---- */

/*
 * Do the bytes [pos, pos + n) have room on the disk? Returns 1, 0 or an error. A block behind the
 * end of the file does not count, because its other bytes are not the file's.
 */
static int has_room(const struct piece *piece, file_off_t pos, unsigned int n)
{
	file_off_t block = (pos + n - 1) & ~(((file_off_t)1 << piece->store.block_shift) - 1);

	if (piece->store.lookup && block >= piece->inode->size)
		return 0;
	while (n > 0) {
		uint64_t sector;
		int found = piece_find(piece, pos, n, &sector);

		if (found < 0)
			return found;
		if (sector == NO_SECTOR)
			return 0;
		pos += found;
		n -= found;
	}
	return 1;
}

/*
 * Give room to nr of the piece's pages, from number `at` on, which are written as a whole. Returns
 * how many have it, or an error.
 */
static int give_room(struct piece *piece, unsigned int at, unsigned int nr)
{
	struct mapping *mapping = &piece->inode->mapping;

	if (nr == 0 || !mapping->ops->begin_add)
		return nr;
	return mapping->ops->begin_add(mapping, piece->places.pages + at, nr);
}

/*
 * Give the piece room on the disk, and shorten it to the bytes that have room. Returns their
 * number, 0 if the first page has to go through the cache, or an error.
 */
//BOOK: direct-room
static int make_room(struct piece *piece)
{
	unsigned int within = piece->pos & (PAGE_SIZE - 1), head, whole, tail;
	int room = 1, given;

	head = within || piece->len < PAGE_SIZE ? MIN(PAGE_SIZE - within, piece->len) : 0;
	whole = (piece->len - head) >> PAGE_SHIFT;
	tail = piece->len - head - (whole << PAGE_SHIFT);
	if (head)
		room = has_room(piece, piece->pos, head);
	if (room <= 0)
		return room;
	given = give_room(piece, head > 0, whole);
	if (given < 0 && head == 0)
		return given;
	given = MAX(given, 0);
	if (given < whole || (tail && has_room(piece, piece->pos + piece->len - tail, tail) <= 0))
		tail = 0;
	piece->len = head + (given << PAGE_SHIFT) + tail;
	return piece->len;
}

static void end_piece(struct piece *piece)
{
	piece_release_places(piece);
	pins_release(piece->parts, piece->nr_parts, false);
}

/*
 * Write a piece of up to n bytes. Returns the number of bytes, 0 if the first page has to go
 * through the cache, or an error. After -EINTR the piece is no longer the caller's.
 */
static ssize_t write_piece(struct piece *piece, struct iter *from, file_off_t pos, size_t n)
{
	struct inode *inode = piece->inode;
	file_off_t old = inode->size;
	ssize_t result = piece_begin(piece, from, pos, n);

	if (result < 0)
		return result;
	if (from->nowait && !has_room(piece, pos, piece->len))
		result = -EAGAIN;
	else
		result = make_room(piece);
	if (result <= 0) {
		end_piece(piece);
		return result;
	}
	if (!piece_move(piece))
		return -EINTR;
	/*
	 * A page that has just got room becomes zeros if its end has not been moved. So it counts
	 * as a whole, or not at all.
	 */
	if (piece->moved < piece->len)
		piece->moved = MAX(((pos + piece->moved) & ~(file_off_t)(PAGE_SIZE - 1)) - pos,
				   (file_off_t)0);
	if (pos + piece->moved > old)
		inode_set_size(inode, pos + piece->moved);
	result = piece->moved > 0 ? (ssize_t)piece->moved : piece->error;
	end_piece(piece);
	if (inode->size > old) /* the old last page may have come into memory meanwhile */
		mapping_grown(&inode->mapping, old);
	iter_advance(from, MAX(result, 0));
	return result;
}

/* Write the rest of one page through the cache, and have it written back. */
static ssize_t write_cached(struct inode *inode, struct iter *from, file_off_t pos, size_t n)
{
	struct mapping *mapping = &inode->mapping;
	unsigned int index = pos >> PAGE_SHIFT;
	ssize_t done = generic_cached_write(inode, from, &pos,
					    MIN(n, PAGE_SIZE - (pos & (PAGE_SIZE - 1))));
	int error;

	if (done <= 0)
		return done;
	error = mapping_write_range(mapping, index, index);
	if (!error && mapping_has_failed(mapping))
		error = -EIO; /* fsync reports it, too */
	return error ? error : done;
}

/*
 * Write the `len` bytes with this piece. Returns the number of bytes, or an error if there are
 * none. Sets *left_behind if a kernel task ends the write. The piece is then its own.
 */
static ssize_t write_pieces(struct piece *piece, struct iter *from, file_off_t *pos, size_t len,
			    bool *left_behind)
{
	struct inode *inode = piece->inode;
	struct room_wait wait = { 0 };
	size_t done = 0;
	ssize_t n;

	do {
		n = write_piece(piece, from, *pos, len - done);
		if (n == 0)
			n = write_cached(inode, from, *pos, len - done);
		*left_behind = n == -EINTR;
		if (n == -ENOSPC && mapping_room_comes(&inode->mapping, &wait))
			continue;
		if (n < 0)
			break;
		*pos += n;
		done += n;
		/* The next byte is not aligned, or some bytes before it have not been moved. */
		if (n % DIRECT_ALIGN != 0 || piece->error)
			break;
	} while (done < len && !kill_pending());
	return done ? (ssize_t)done : n;
}

/* Write with inode->lock held, after all checks. */
static ssize_t write_locked(struct file *file, struct iter *from, file_off_t *pos, size_t len)
{
	struct inode *inode = file->inode;
	struct piece *piece = piece_alloc(file, true);
	bool left_behind;
	ssize_t done;

	if (!piece)
		return -ENOMEM;
	done = write_pieces(piece, from, pos, len, &left_behind);
	if (left_behind) { /* the kernel task frees the room that the write has not used */
		generic_written(inode, MAX(done, 0), MAX(done, 0));
		return done;
	}
	if (piece->error)
		piece_zero_behind_end(piece);
	generic_written(inode, MAX(done, 0), len);
	kfree(piece);
	return done;
}

static int lock_for_write(struct inode *inode, bool nowait)
{
	if (!nowait)
		return mutex_lock_killable(&inode->lock);
	if (!mutex_trylock(&inode->lock))
		return -EAGAIN;
	mutex_taken(&inode->lock);
	return 0;
}

ssize_t direct_write(struct file *file, struct iter *from, file_off_t *pos)
{
	struct inode *inode = file->inode;
	size_t len = from->left;
	ssize_t done;

	if (len == 0)
		return 0;
	done = lock_for_write(inode, from->nowait);
	if (done)
		return done;
	done = generic_write_limit(file, pos, &len);
	if (!done && !is_aligned(from, *pos, len))
		done = refuse(EINVAL, "O_DIRECT needs multiples of a sector");
	if (!done && from->nowait && is_cached(inode, *pos, len, 0))
		done = -EAGAIN;
	if (!done) {
		inode_drop_privileges(inode);
		done = write_locked(file, from, pos, len);
	}
	mutex_unlock(&inode->lock);
	return done;
}
