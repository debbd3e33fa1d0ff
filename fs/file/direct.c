/*
 * Reading and writing without the page cache. The contract is in fs/file/direct.h.
 *
 * A request is moved in pieces, one after the other. Each piece
 *
 *	pins its memory		before it holds any place, for a fault may wait for a place
 *	holds its places	and looks at the size, and gives room, only then
 *	moves its bytes		in rounds of up to BIOS_MAX bios
 *	releases its places
 *	releases its memory	after the places, for this may copy to the program
 */
#include "fs/file/direct.h"
#include "fs/cache/pageio.h"
#include "fs/cache/places.h"
#include "fs/cache/writeback.h"
#include "fs/file/generic.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "lib/errno.h"
#include "mm/kmap.h"
#include "mm/slab.h"
#include "mm/vm/pin.h"

#define BIOS_MAX  16u
#define PARTS_MAX (DIRECT_PIECE / PAGE_SIZE + 1)
#define NO_SECTOR UINT64_MAX /* of a hole */

struct piece {
	struct file *file;
	struct inode *inode;
	struct file_store store;
	bool write;
	file_off_t pos;
	unsigned int len;   /* bytes; of a read up to the end of the last sector */
	unsigned int next;  /* so many of them have been handed out */
	unsigned int moved; /* so many have been moved, before the first failure */
	int error;
	struct places places;
	struct pin parts[PARTS_MAX];
	unsigned int nr_parts, part,
		used; /* the next byte is in parts[part], `used` bytes behind its start */
	/* One round. */
	struct bio *bios[BIOS_MAX];
	unsigned int starts[BIOS_MAX]; /* which byte of the piece each bio begins with */
	unsigned int nr_bios;
	struct atomic left; /* bios that have not ended */
};

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
 * Where up to `len` bytes from `pos` on lie. Returns how many of them lie in one piece, and sets *sector, or an error of
 * block_lookup.
 */
static int find_bytes(const struct piece *piece, file_off_t pos, unsigned int len, uint64_t *sector)
{
	unsigned int shift = piece->store.block_shift, within = pos & ((1u << shift) - 1);
	uint64_t first;
	int blocks;

	*sector = pos >> SECTOR_SHIFT;
	if (!piece->store.lookup)
		return len;
	blocks = piece->store.lookup(piece->inode, pos >> shift,
				     DIV_ROUND_UP(within + len, 1u << shift), &first);
	if (blocks < 0)
		return blocks;
	*sector = first ? (first << (shift - SECTOR_SHIFT)) + (within >> SECTOR_SHIFT) : NO_SECTOR;
	return MIN(((unsigned int)blocks << shift) - within, len);
}

/* ---- moving the bytes of a piece ---- */

/* Returns the memory of the next bytes, at most n, and moves on. */
static struct pin next_part(struct piece *piece, unsigned int n)
{
	struct pin part = piece->parts[piece->part];

	part.offset += piece->used;
	part.len = MIN(part.len - piece->used, n);
	piece->used += part.len;
	if (piece->used == piece->parts[piece->part].len) {
		piece->part++;
		piece->used = 0;
	}
	return part;
}

static void zero_parts(struct piece *piece, unsigned int n)
{
	while (n > 0) {
		struct pin part = next_part(piece, n);

		page_zero(part.page, part.offset, part.len);
		n -= part.len;
	}
}

/* The bio that the bytes at `sector` can be added to. NULL: there is no memory, or the round has all its bios. */
static struct bio *bio_for(struct piece *piece, uint64_t sector)
{
	struct bio *bio = piece->nr_bios > 0 ? piece->bios[piece->nr_bios - 1] : NULL;

	if (bio && bio->nr_segments < BIO_MAX_SEGMENTS &&
	    bio->sector + (bio->total >> SECTOR_SHIFT) == sector)
		return bio;
	if (piece->nr_bios == BIOS_MAX)
		return NULL;
	bio = bio_alloc(piece->store.device, sector, piece->write, 0);
	if (!bio)
		return NULL;
	piece->starts[piece->nr_bios] = piece->next;
	piece->bios[piece->nr_bios++] = bio;
	return bio;
}

/* Hand out n bytes, which lie in one piece on the disk, or as many of them as fit into the round. */
static void add_run(struct piece *piece, uint64_t sector, unsigned int n)
{
	while (n > 0) {
		struct bio *bio = bio_for(piece, sector);
		struct pin part;

		if (!bio)
			return;
		part = next_part(piece, n);
		bio_add(bio, part.page, part.offset, part.len);
		sector += part.len >> SECTOR_SHIFT;
		piece->next += part.len;
		n -= part.len;
	}
}

/* Hand out the next bytes, as many as fit into one round. */
//BOOK: direct-round
static void make_round(struct piece *piece)
{
	unsigned int before;

	do {
		unsigned int left = piece->len - piece->next;
		uint64_t sector;
		int n = find_bytes(piece, piece->pos + piece->next, left, &sector);

		before = piece->next;
		if (n < 0) {
			piece->error = n;
		} else if (sector != NO_SECTOR) {
			add_run(piece, sector, n);
		} else if (piece->write) {
			piece->error = -EIO; /* it has room: somebody has damaged the file system */
		} else {
			zero_parts(piece, n);
			piece->next += n;
		}
	} while (piece->next > before && piece->next < piece->len);
	if (piece->nr_bios == 0 && piece->next < piece->len && !piece->error)
		piece->error = -ENOMEM;
}

/* All bios of the round have ended. */
static void end_round(struct piece *piece)
{
	bool failed = false;

	piece->moved = piece->next;
	for (unsigned int i = 0; i < piece->nr_bios; i++) {
		struct bio *bio = piece->bios[i];

		if (bio->error && !failed) {
			failed = true;
			piece->error = bio->error;
			piece->moved = piece->starts[i];
		}
		bio_free(bio);
	}
	piece->nr_bios = 0;
}

/* Move all bytes, up to an error. Returns 0, or -ERESTARTSYS if the task has been killed and a round has not ended. */
static int move_bytes(struct piece *piece)
{
	while (piece->next < piece->len && !piece->error) {
		make_round(piece);
		if (piece->nr_bios > 0) {
			bio_submit_all(piece->bios, piece->nr_bios, &piece->left);
			if (bio_wait_all(&piece->left))
				return -ERESTARTSYS;
		}
		end_round(piece);
	}
	return 0;
}

static void release_places(struct piece *piece)
{
	/* Pages that have got room are written as a whole, so the last one counts only if its end has been moved. */
	places_release(&piece->places, (piece->pos + piece->moved) >> PAGE_SHIFT);
}

/* ---- after a kill ---- */

/*
 * The kernel task that has taken over a piece: it ends the write, but the size stays as it is, and room behind it is freed.
 */
static void end_piece_of_killed(void *arg)
{
	struct piece *piece = arg;
	struct inode *inode = piece->inode;

	bio_wait_all_always(&piece->left);
	end_round(piece);
	(void)move_bytes(
		piece); /* pages that have got room need their bytes; nobody kills this task */
	release_places(piece);
	pins_release(piece->parts, piece->nr_parts, !piece->write);
	if (piece->write && inode->ops && inode->ops->truncated) {
		mutex_lock(&inode->lock);
		inode->ops->truncated(inode);
		mutex_unlock(&inode->lock);
	}
	file_put(piece->file);
	kfree(piece);
}

/* The task has been killed while the disk works on its piece. Returns whether a kernel task has taken the piece over. */
static bool hand_over(struct piece *piece)
{
	file_get(piece->file);
	if (!IS_ERR(kernel_task_start("direct IO", end_piece_of_killed, piece)))
		return true;
	file_put(piece->file);
	return false;
}

/* Move the piece's bytes. Returns false if the task has been killed, and the piece is no longer the caller's. */
static bool move_or_hand_over(struct piece *piece)
{
	while (move_bytes(piece)) {
		if (hand_over(piece))
			return false;
		bio_wait_all_always(&piece->left);
		end_round(piece);
	}
	return true;
}

/* ---- beginning a piece ---- */

static struct piece *piece_alloc(struct file *file, bool write)
{
	struct piece *piece = kmalloc(sizeof(*piece), 0);

	if (!piece)
		return NULL;
	piece->file = file;
	piece->inode = file->inode;
	piece->write = write;
	file->inode->mapping.ops->store(file->inode, &piece->store);
	return piece;
}

/*
 * Begin a piece of up to n bytes at `pos`: pin its memory, and hold its places. Returns its length, 0 if the first page is in use (reads
 * only), or an error. If that is not positive, nothing is pinned or held.
 */
static ssize_t begin_piece(struct piece *piece, const struct iter *iter, file_off_t pos, size_t n)
{
	unsigned int within = pos & (PAGE_SIZE - 1), pages;
	ssize_t pinned;
	int held;

	piece->pos = pos;
	piece->next = piece->moved = piece->nr_bios = piece->part = piece->used = 0;
	piece->error = 0;
	n = MIN(n, DIRECT_PIECE - within);
	pinned = iter_pin(iter, n, !piece->write, piece->parts, PARTS_MAX, &piece->nr_parts);
	if (pinned < 0)
		return pinned;
	pages = DIV_ROUND_UP(within + pinned, PAGE_SIZE);
	held = places_hold(&piece->places, &piece->inode->mapping, pos >> PAGE_SHIFT, pages,
			   piece->write ? PLACES_WRITE : PLACES_READ);
	if (held <= 0) {
		pins_release(piece->parts, piece->nr_parts, !piece->write);
		return held;
	}
	piece->len = MIN((size_t)pinned, held * PAGE_SIZE - within);
	return piece->len;
}

/* Is a page of [pos, pos + len) cached that has one of these flags? With 0: is any page cached? */
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

/* What the last sector has behind the end of the file does not belong to it. */
static void zero_behind(struct piece *piece, unsigned int valid)
{
	if (piece->moved <= valid)
		return;
	piece->part = piece->used = 0;
	for (unsigned int skip = valid; skip > 0;)
		skip -= next_part(piece, skip).len;
	zero_parts(piece, piece->moved - valid);
}

/*
 * Read a piece of up to n bytes. Returns the number of bytes, an error, or 0 at the end of the file. Sets *cached, and returns 0, if
 * the first page is in use. After -EINTR the piece is no longer the caller's.
 */
static ssize_t read_piece(struct piece *piece, struct iter *to, file_off_t pos, size_t n,
			  bool *cached)
{
	file_off_t left;
	ssize_t result = begin_piece(piece, to, pos, n);

	*cached = result == 0;
	if (result <= 0)
		return result;
	/* Truncation sets the size and waits for the places afterwards. So either it waits for ours, or we see the new size. */
	left = MAX(inode_size(piece->inode) - pos, (file_off_t)0);
	piece->len = MIN((file_off_t)piece->len, round_up_sector(left));
	if (!move_or_hand_over(piece))
		return -EINTR;
	result = MIN((file_off_t)piece->moved, left);
	zero_behind(piece, result);
	release_places(piece);
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
	} while (n > 0 && to->left > 0 && *pos < size && !kill_pending());
	kfree(piece);
	return done ? done : n;
}

/* ---- writing ---- */

/* Have the bytes [pos, pos + n) room on the disk, next to no bytes that are not the file's? Returns 1, 0 or an error. */
static int has_room(const struct piece *piece, file_off_t pos, unsigned int n)
{
	file_off_t block = (pos + n - 1) & ~(((file_off_t)1 << piece->store.block_shift) - 1);

	if (piece->store.lookup && block >= piece->inode->size)
		return 0;
	while (n > 0) {
		uint64_t sector;
		int found = find_bytes(piece, pos, n, &sector);

		if (found < 0)
			return found;
		if (sector == NO_SECTOR)
			return 0;
		pos += found;
		n -= found;
	}
	return 1;
}

/* Give room to nr of the piece's pages, from number `at` on, which are written as a whole. Returns how many have it, or an error. */
static int give_room(struct piece *piece, unsigned int at, unsigned int nr)
{
	struct mapping *mapping = &piece->inode->mapping;

	if (nr == 0 || !mapping->ops->begin_add)
		return nr;
	return mapping->ops->begin_add(mapping, piece->places.pages + at, nr);
}

/*
 * See to it that the piece has room on the disk, and shorten it to the bytes that have. Returns their number, 0 if the first page has to go through
 * the cache, or an error.
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
	release_places(piece);
	pins_release(piece->parts, piece->nr_parts, false);
}

/*
 * Write a piece of up to n bytes. Returns the number of bytes, 0 if the first page has to go through the cache, or an error. After -EINTR
 * the piece is no longer the caller's.
 */
static ssize_t write_piece(struct piece *piece, struct iter *from, file_off_t pos, size_t n)
{
	struct inode *inode = piece->inode;
	ssize_t result = begin_piece(piece, from, pos, n);

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
	if (!move_or_hand_over(piece))
		return -EINTR;
	if (pos + piece->moved > inode->size)
		inode_set_size(inode, pos + piece->moved);
	result = piece->moved > 0 ? (ssize_t)piece->moved : piece->error;
	end_piece(piece);
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
	if (!error && mapping->write_error)
		error = -EIO; /* fsync reports it, too */
	return error ? error : done;
}

/* Wait for room that is being freed, as generic_begin_write() does. Returns whether to try again. */
static bool room_comes(struct mapping *mapping)
{
	return mapping->ops->wait_for_room && mapping->ops->wait_for_room(mapping);
}

/*
 * Write `len` bytes. Returns the number of bytes, or an error if there are none. Sets *left_behind if a kernel task ends the write.
 */
static ssize_t write_pieces(struct file *file, struct iter *from, file_off_t *pos, size_t len,
			    bool *left_behind)
{
	struct inode *inode = file->inode;
	struct piece *piece = piece_alloc(file, true);
	size_t done = 0;
	ssize_t n;

	if (!piece)
		return -ENOMEM;
	do {
		n = write_piece(piece, from, *pos, len - done);
		if (n == 0)
			n = write_cached(inode, from, *pos, len - done);
		if (n == -EINTR) {
			*left_behind = true;
			return done ? (ssize_t)done : n;
		}
		if (n == -ENOSPC && room_comes(&inode->mapping))
			continue;
		if (n < 0)
			break;
		*pos += n;
		done += n;
	} while (done < len && !kill_pending());
	kfree(piece);
	return done ? (ssize_t)done : n;
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
	bool left_behind = false;
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
		done = write_pieces(file, from, pos, len, &left_behind);
		/* The kernel task frees what the write has not used. */
		generic_written(inode, MAX(done, 0), left_behind ? (size_t)MAX(done, 0) : len);
	}
	mutex_unlock(&inode->lock);
	return done;
}
