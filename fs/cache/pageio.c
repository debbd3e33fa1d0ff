/*
 * Pages become bios, and the ends of bios become the ends of page reads.
 *
 * 1. Consecutive pages share a bio as long as their blocks follow each other on the device. A page
 *    may be spread over several bios (small blocks), and be a hole in parts.
 * 2. While a locked page is read, page->private counts its parts that are still on their way, plus
 *    one while they are being handed out; the bits above hold how many of its bytes belong to the
 *    file. Who takes the last part away ends the read.
 * 3. A part that fails sets PG_ERROR at once; the page then fails as a whole.
 */
#include "fs/cache/writeback.h"
#include "fs/cache/pageio.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"

#define VALID_SHIFT 16 /* page->private: valid bytes << VALID_SHIFT | parts */
#define PARTS_MASK  ((1ul << VALID_SHIFT) - 1)

static void part_done(struct page *page, int error)
{
	unsigned long left;
	unsigned int valid;
	bool ok;

	if (error)
		set_bits(&page->flags, PG_ERROR | (error == -ENOMEM ? PG_NO_MEMORY : 0));
	left = __sync_sub_and_fetch(&page->private, 1);
	if (left & PARTS_MASK)
		return;
	valid = left >> VALID_SHIFT;
	ok = !page_has(page, PG_ERROR);
	if (ok && valid < PAGE_SIZE)
		page_zero(page, valid, PAGE_SIZE - valid);
	page_read_done(page, ok);
}

static void read_complete(struct bio *bio)
{
	for (unsigned int i = 0; i < bio->nr_segments; i++)
		part_done(bio->segments[i].page, bio->error);
	bio_free(bio);
}

struct reader {
	struct block_device *device;
	struct inode *inode;
	unsigned int sector_shift; /* from blocks to sectors */
	block_lookup lookup;
	struct bio *bio;       /* being filled; NULL */
	uint64_t next_sector;  /* where it ends */
	uint64_t block, first; /* the piece known: file's, device's block (0: hole) */
	unsigned int left;     /* blocks left of it */
};

static void submit(struct reader *reader)
{
	if (reader->bio)
		bio_submit(reader->bio);
	reader->bio = NULL;
}

/* Read sectors into a part of the page. 0, -ENOMEM. */
static int read_part(struct reader *reader, struct page *page, uint64_t sector, unsigned int offset,
		     unsigned int len)
{
	if (reader->bio && reader->next_sector != sector)
		submit(reader);
	if (reader->bio && !bio_add(reader->bio, page, offset, len))
		submit(reader);
	if (!reader->bio) {
		reader->bio = bio_alloc(reader->device, sector, false, 0);
		if (!reader->bio)
			return -ENOMEM;
		reader->bio->complete = read_complete;
		bio_add(reader->bio, page, offset, len);
	}
	__sync_add_and_fetch(&page->private, 1);
	reader->next_sector = sector + (len >> SECTOR_SHIFT);
	return 0;
}

/* Know where file block `block` is; `want` is how many are wanted from there on. */
static int look_up(struct reader *reader, uint64_t block, unsigned int want)
{
	int got = want;

	if (reader->left > 0 && block == reader->block)
		return 0;
	reader->block = reader->first = block;
	if (reader->lookup)
		got = reader->lookup(reader->inode, block, want, &reader->first);
	if (got < 0) {
		reader->left = 0;
		return got;
	}
	reader->left = MIN((unsigned int)got, want);
	return 0;
}

/*
 * Hand out the parts of one page. blocks: how many the page has before the end of the file; wanted:
 * the same for this page and all that follow.
 */
static int read_page(struct reader *reader, struct page *page, uint64_t block, unsigned int blocks,
		     unsigned int wanted)
{
	unsigned int block_size = SECTOR_SIZE << reader->sector_shift;
	unsigned int offset = 0;

	while (blocks > 0) {
		unsigned int n, len;
		int error = look_up(reader, block, wanted);

		if (error)
			return error;
		n = MIN(blocks, reader->left);
		len = n * block_size;
		if (reader->lookup && reader->first == 0) {
			page_zero(page, offset, len);
		} else {
			error = read_part(reader, page, reader->first << reader->sector_shift,
					  offset, len);
			if (error)
				return error;
			reader->first += n;
		}
		reader->block += n;
		reader->left -= n;
		block += n;
		blocks -= n;
		wanted -= n;
		offset += len;
	}
	return 0;
}

//BOOK: pages-to-bios
void pageio_read(struct block_device *device, struct mapping *mapping, unsigned int block_shift,
		 block_lookup lookup, struct page **pages, unsigned int nr)
{
	unsigned int per_page = 1u << (PAGE_SHIFT - block_shift);
	file_off_t start = (file_off_t)pages[0]->index << PAGE_SHIFT;
	file_off_t left = MAX(inode_size(mapping->inode) - start, (file_off_t)0);
	uint64_t block = (uint64_t)start >> block_shift;
	struct reader reader = {
		.device = device,
		.inode = mapping->inode,
		.lookup = lookup,
		.sector_shift = block_shift - SECTOR_SHIFT,
	};
	unsigned int wanted;

	left = MIN(left, (file_off_t)nr << PAGE_SHIFT);
	wanted = DIV_ROUND_UP((unsigned int)left, 1u << block_shift);
	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = pages[i];
		unsigned int valid = MIN(left, (file_off_t)PAGE_SIZE);
		unsigned int blocks = MIN(wanted, per_page);
		int error;

		page->private = (unsigned long)valid << VALID_SHIFT | 1;
		error = read_page(&reader, page, block, blocks, wanted);
		part_done(page, error);
		left -= valid;
		wanted -= blocks;
		block += per_page;
	}
	submit(&reader);
}

/* ---- writing ---- */

#define WRITE_FAILED (1ul << VALID_SHIFT) /* page->private while it is written: this bit | parts */

static void part_written(struct page *page, int error)
{
	unsigned long left;

	if (error)
		__sync_fetch_and_or(&page->private, WRITE_FAILED);
	left = __sync_sub_and_fetch(&page->private, 1);
	if (left & PARTS_MASK)
		return;
	page->private = 0;
	page_write_done(page, !(left & WRITE_FAILED));
}

static void write_complete(struct bio *bio)
{
	struct page *page = bio->segments[0].page;
	int error = bio->error;

	bio_free(bio);
	part_written(page, error);
}

#define PAGE_PARTS (PAGE_SIZE / SECTOR_SIZE)

/* Make the bios of a page, at most PAGE_PARTS, for its first `blocks` blocks. Returns how many, or an error. */
static int make_writes(struct reader *place, struct page *page, unsigned int blocks,
		       struct bio **bios)
{
	unsigned int shift = place->sector_shift + SECTOR_SHIFT;
	uint64_t block = (uint64_t)page->index << (PAGE_SHIFT - shift);
	int nr = 0;

	for (unsigned int done = 0, n; done < blocks; done += n) {
		int error = look_up(place, block + done, blocks - done);
		struct bio *bio;

		n = error ? 0 : MIN(place->left, blocks - done);
		place->left = 0;
		if (!error && place->first == 0)
			continue;
		bio = error ? NULL
			    : bio_alloc(place->device, place->first << place->sector_shift, true,
					0);
		if (!bio) {
			while (nr > 0)
				bio_free(bios[--nr]);
			return error ? error : -ENOMEM;
		}
		bio->complete = write_complete;
		bio_add(bio, page, done << shift, n << shift);
		bios[nr++] = bio;
	}
	return nr;
}

int pageio_write(struct block_device *device, struct mapping *mapping, unsigned int block_shift,
		 block_lookup lookup, struct page *page)
{
	unsigned int valid = mapping_page_bytes(mapping, page);
	struct reader place = {
		.device = device,
		.inode = mapping->inode,
		.lookup = lookup,
		.sector_shift = block_shift - SECTOR_SHIFT,
	};
	struct bio *bios[PAGE_PARTS];
	int nr = make_writes(&place, page, DIV_ROUND_UP(valid, 1u << block_shift), bios);

	if (nr < 0)
		return nr;
	if (valid < PAGE_SIZE)
		page_zero(page, valid, PAGE_SIZE - valid);
	page->private = nr + 1;
	for (int i = 0; i < nr; i++)
		bio_submit(bios[i]);
	part_written(page, 0);
	return 0;
}
