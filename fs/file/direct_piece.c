/*
 * Moving a piece of a request. The contract is in fs/file/direct_piece.h.
 */
#include "fs/file/direct_piece.h"
#include "fs/cache/writeback.h"
#include "fs/file/generic.h"
#include "kernel/task.h"
#include "lib/errno.h"
#include "mm/kmap.h"
#include "mm/slab.h"

int piece_find(const struct piece *piece, file_off_t pos, unsigned int len, uint64_t *sector)
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

struct pin piece_next_part(struct piece *piece, unsigned int n)
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

void piece_zero(struct piece *piece, unsigned int n)
{
	while (n > 0) {
		struct pin part = piece_next_part(piece, n);

		page_zero(part.page, part.offset, part.len);
		n -= part.len;
	}
}

/*
 * The bio that the bytes at `sector` can be added to. NULL: there is no memory, or the round has
 * all its bios.
 */
static struct bio *bio_for(struct piece *piece, uint64_t sector)
{
	struct bio *bio = piece->nr_bios > 0 ? piece->bios[piece->nr_bios - 1] : NULL;

	if (bio && bio->nr_segments < BIO_MAX_SEGMENTS &&
	    bio->sector + (bio->total >> SECTOR_SHIFT) == sector)
		return bio;
	if (piece->nr_bios == PIECE_BIOS)
		return NULL;
	bio = bio_alloc(piece->store.device, sector, piece->write, 0);
	if (!bio)
		return NULL;
	piece->starts[piece->nr_bios] = piece->next;
	piece->bios[piece->nr_bios++] = bio;
	return bio;
}

/*
 * Hand out n bytes, which lie in one piece on the disk, or as many of them as fit into the round.
 */
static void add_run(struct piece *piece, uint64_t sector, unsigned int n)
{
	while (n > 0) {
		struct bio *bio = bio_for(piece, sector);
		struct pin part;

		if (!bio)
			return;
		part = piece_next_part(piece, n);
		bio_add(bio, part.page, part.offset, part.len);
		if (piece->write)
			current->io.stored[1] += part.len;
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
		int n = piece_find(piece, piece->pos + piece->next, left, &sector);

		before = piece->next;
		if (n < 0) {
			piece->error = n;
		} else if (sector != NO_SECTOR) {
			add_run(piece, sector, n);
		} else if (piece->write) {
			piece->error = -EIO; /* the piece has room, so the file system is damaged */
		} else {
			piece_zero(piece, n);
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

/*
 * Move all bytes, up to an error. Returns 0, or -ERESTARTSYS if the task has been killed and a
 * round has not ended.
 */
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

/* Lock the page in which the file ends if the piece begins in a page behind it. */
static void lock_last(struct piece *piece)
{
	struct inode *inode = piece->inode;

	piece->last = NULL;
	if (piece->write && piece->pos >> PAGE_SHIFT > inode->size >> PAGE_SHIFT)
		piece->last = mapping_begin_grow(&inode->mapping, inode->size);
}

static void unlock_last(struct piece *piece)
{
	if (piece->last) {
		page_unlock(piece->last);
		page_put(piece->last);
	}
	piece->last = NULL;
}

void piece_release_places(struct piece *piece)
{
	/*
	 * Pages that have got room are written as a whole, so the last one counts only if its end
	 * has been moved.
	 */
	places_release(&piece->places, (piece->pos + piece->moved) >> PAGE_SHIFT);
	unlock_last(piece);
}

void piece_zero_behind_end(const struct piece *piece)
{
	struct inode *inode = piece->inode;
	file_off_t size = inode->size;
	unsigned int from = size & (PAGE_SIZE - 1);
	struct page *tail;

	if (from == 0 || piece->pos >> PAGE_SHIFT > size >> PAGE_SHIFT ||
	    piece->pos + piece->len <= size)
		return;
	tail = page_begin_write(&inode->mapping, size >> PAGE_SHIFT, from, PAGE_SIZE);
	if (IS_ERR(tail))
		return;
	page_zero(tail, from, PAGE_SIZE - from);
	page_end_write(tail);
}

/* ---- after a kill ---- */

/*
 * The kernel task that has taken over a piece: it ends the write, but the size stays as it is, and
 * room behind it is freed. Another task may hold inode->lock and wait for the places, so they are
 * released before the lock is taken.
 */
static void end_piece_of_killed(void *arg)
{
	struct piece *piece = arg;
	struct inode *inode = piece->inode;

	bio_wait_all_always(&piece->left);
	end_round(piece);
	/* Pages that have got room need their bytes. Nobody kills this task, so this ends. */
	(void)move_bytes(piece);
	piece_release_places(piece);
	pins_release(piece->parts, piece->nr_parts, !piece->write);
	if (piece->write) {
		mutex_lock(&inode->lock);
		piece_zero_behind_end(piece);
		generic_forget_behind(inode);
		mutex_unlock(&inode->lock);
	}
	file_put(piece->file);
	kfree(piece);
}

/*
 * The task has been killed while the disk works on its piece. Returns whether a kernel task has
 * taken the piece over.
 */
static bool hand_over(struct piece *piece)
{
	file_get(piece->file);
	if (!IS_ERR(kernel_task_start("direct IO", end_piece_of_killed, piece)))
		return true;
	file_put(piece->file);
	return false;
}

bool piece_move(struct piece *piece)
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

struct piece *piece_alloc(struct file *file, bool write)
{
	struct piece *piece = kmalloc(sizeof(*piece), 0);

	if (!piece)
		return NULL;
	piece->file = file;
	piece->inode = file->inode;
	piece->write = write;
	file->inode->mapping.ops->direct->store(file->inode, &piece->store);
	return piece;
}

ssize_t piece_begin(struct piece *piece, const struct iter *iter, file_off_t pos, size_t n)
{
	unsigned int within = pos & (PAGE_SIZE - 1), pages;
	ssize_t pinned;
	int held;

	piece->pos = pos;
	piece->next = piece->moved = piece->nr_bios = piece->part = piece->used = 0;
	piece->error = 0;
	n = MIN(n, DIRECT_PIECE - within);
	pinned = iter_pin(iter, n, !piece->write, piece->parts, PIECE_PARTS, &piece->nr_parts);
	if (pinned < 0)
		return pinned;
	pages = DIV_ROUND_UP(within + pinned, PAGE_SIZE);
	lock_last(piece);
	held = places_hold(&piece->places, &piece->inode->mapping, pos >> PAGE_SHIFT, pages,
			   piece->write ? PLACES_WRITE : PLACES_READ);
	if (held <= 0) {
		unlock_last(piece);
		pins_release(piece->parts, piece->nr_parts, !piece->write);
		return held;
	}
	piece->len = MIN((size_t)pinned, held * PAGE_SIZE - within);
	return piece->len;
}
