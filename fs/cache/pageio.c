/*
 * Pages become bios, and the ends of bios become the ends of page reads and writes.
 *
 * 1. Consecutive pages share a bio as long as their blocks follow each other on the device. A page
 *    may be spread over several bios (small blocks), and be a hole in parts.
 * 2. While a locked page is read, page->private counts its parts that are still on their way, plus
 *    one while they are being handed out; the bits above hold how many of its bytes belong to the
 *    file. The read ends when the last part is taken away.
 * 3. A part that fails sets PG_ERROR at once; the page then fails as a whole.
 * 4. While a page is written, page->private counts its parts in the same way, and the bits above
 *    hold how it has failed.
 * 5. Blocks behind the end of a file that have room are written, too, with zeros: the end may move
 *    behind them before they are freed.
 */
#include "fs/cache/writeback.h"
#include "fs/cache/pageio.h"
#include "fs/names/vfs.h"
#include "mm/kmap.h"

#define VALID_SHIFT 16 /* page->private: valid bytes << VALID_SHIFT | parts */
#define PARTS_MASK  ((1ul << VALID_SHIFT) - 1)

struct atomic pageio_writing, pageio_written;
struct wait_queue pageio_write_queue = WAIT_QUEUE_INIT(pageio_write_queue);

/* ---- the ends of parts ---- */

/* Has nothing been wrong with the disk? The task had no memory, or was killed. */
static bool not_started(int error)
{
	return error == -ENOMEM || error == -ERESTARTSYS;
}

static void part_read(struct page *page, int error)
{
	unsigned long left;
	unsigned int valid;
	bool ok;

	if (error)
		set_bits(&page->flags, PG_ERROR | (not_started(error) ? PG_NOT_READ : 0));
	left = __sync_sub_and_fetch(&page->private, 1);
	if (left & PARTS_MASK)
		return;
	valid = left >> VALID_SHIFT;
	page->private = 0;
	ok = !page_has(page, PG_ERROR);
	if (ok && valid < PAGE_SIZE)
		page_zero(page, valid, PAGE_SIZE - valid);
	page_read_done(page, ok);
}

static void read_complete(struct bio *bio)
{
	for (unsigned int i = 0; i < bio->nr_segments; i++)
		part_read(bio->segments[i].page, bio->error);
	bio_free(bio);
}

#define WRITE_FAILED \
	(1ul << VALID_SHIFT) /* page->private of a page that is written, above its parts */
#define WRITE_LACKED (2ul << VALID_SHIFT) /* it could not be started, though the disk is well */

static void part_written(struct page *page, int error)
{
	unsigned long left;

	if (error)
		__sync_fetch_and_or(&page->private, error == -EIO ? WRITE_FAILED : WRITE_LACKED);
	left = __sync_sub_and_fetch(&page->private, 1);
	if (left & PARTS_MASK)
		return;
	page->private = 0;
	page_write_done(page, left & WRITE_FAILED ? -EIO : left & WRITE_LACKED ? -EAGAIN : 0);
}

static void write_complete(struct bio *bio)
{
	for (unsigned int i = 0; i < bio->nr_segments; i++)
		part_written(bio->segments[i].page, bio->error);
	if (!bio->error)
		atomic_inc(&pageio_written);
	bio_free(bio);
	atomic_dec(&pageio_writing);
	wake_all(&pageio_write_queue);
}

/* ---- handing out parts ---- */

struct transfer {
	bool write;
	struct block_device *device;
	struct inode *inode;
	unsigned int sector_shift; /* from blocks to sectors */
	block_lookup lookup;
	struct bio *bio;       /* being filled; NULL */
	uint64_t next_sector;  /* where it ends */
	uint64_t block, first; /* the piece known: file's, device's block (0: hole) */
	unsigned int left;     /* blocks left of it */
};

static void submit(struct transfer *transfer)
{
	if (transfer->bio && transfer->write)
		atomic_inc(&pageio_writing);
	if (transfer->bio)
		bio_submit(transfer->bio);
	transfer->bio = NULL;
}

/* Read or write a part of the page. Returns 0 or -ENOMEM. */
static int add_part(struct transfer *transfer, struct page *page, uint64_t sector,
		    unsigned int offset, unsigned int len)
{
	if (transfer->bio && transfer->next_sector != sector)
		submit(transfer);
	if (transfer->bio && !bio_add(transfer->bio, page, offset, len))
		submit(transfer);
	if (!transfer->bio) {
		transfer->bio = bio_alloc(transfer->device, sector, transfer->write, 0);
		if (!transfer->bio)
			return -ENOMEM;
		transfer->bio->complete = transfer->write ? write_complete : read_complete;
		bio_add(transfer->bio, page, offset, len);
	}
	__sync_add_and_fetch(&page->private, 1);
	transfer->next_sector = sector + (len >> SECTOR_SHIFT);
	return 0;
}

/* Know where file block `block` is; `want` is how many are wanted from there on. */
static int look_up(struct transfer *transfer, uint64_t block, unsigned int want)
{
	int got = want;

	if (transfer->left > 0 && block == transfer->block)
		return 0;
	transfer->block = transfer->first = block;
	if (transfer->lookup)
		got = transfer->lookup(transfer->inode, block, want, &transfer->first);
	if (got < 0) {
		transfer->left = 0;
		return got;
	}
	transfer->left = MIN((unsigned int)got, want);
	return 0;
}

/*
 * Hand out the first `blocks` blocks of one page. `wanted` blocks are left in this page and those
 * behind it together.
 */
static int add_page(struct transfer *transfer, struct page *page, uint64_t block,
		    unsigned int blocks, unsigned int wanted)
{
	unsigned int block_size = SECTOR_SIZE << transfer->sector_shift;
	unsigned int offset = 0;

	while (blocks > 0) {
		unsigned int n, len;
		int error = look_up(transfer, block, wanted);

		if (error)
			return error;
		n = MIN(blocks, transfer->left);
		len = n * block_size;
		if (transfer->lookup && transfer->first == 0) {
			if (!transfer->write)
				page_zero(page, offset, len);
		} else {
			error = add_part(transfer, page, transfer->first << transfer->sector_shift,
					 offset, len);
			if (error)
				return error;
			transfer->first += n;
		}
		transfer->block += n;
		transfer->left -= n;
		block += n;
		blocks -= n;
		wanted -= n;
		offset += len;
	}
	return 0;
}

//BOOK: pages-to-bios
/*
 * Hand out the parts of consecutive pages. Returns 0, or the first error, which the page knows,
 * too.
 */
static int transfer_pages(struct transfer *transfer, struct page **pages, unsigned int nr)
{
	unsigned int block_shift = transfer->sector_shift + SECTOR_SHIFT;
	unsigned int per_page = 1u << (PAGE_SHIFT - block_shift), wanted;
	file_off_t start = (file_off_t)pages[0]->index << PAGE_SHIFT;
	file_off_t left = MAX(inode_size(transfer->inode) - start, (file_off_t)0);
	uint64_t block = (uint64_t)start >> block_shift;
	int result = 0;

	left = MIN(left, (file_off_t)nr << PAGE_SHIFT);
	wanted = DIV_ROUND_UP((unsigned int)left, 1u << block_shift);
	if (transfer->write && transfer->lookup)
		wanted = nr * per_page;
	for (unsigned int i = 0; i < nr; i++) {
		struct page *page = pages[i];
		unsigned int valid = MIN(left, (file_off_t)PAGE_SIZE);
		unsigned int blocks = MIN(wanted, per_page);
		int error;

		page->private = transfer->write ? 1 : (unsigned long)valid << VALID_SHIFT | 1;
		if (transfer->write && valid < PAGE_SIZE)
			page_zero(page, valid, PAGE_SIZE - valid);
		error = add_page(transfer, page, block, blocks, wanted);
		if (transfer->write)
			part_written(page, error);
		else
			part_read(page, error);
		result = result ? result : error;
		left -= valid;
		wanted -= blocks;
		block += per_page;
	}
	submit(transfer);
	return result;
}

void pageio_read(struct block_device *device, struct mapping *mapping, unsigned int block_shift,
		 block_lookup lookup, struct page **pages, unsigned int nr)
{
	struct transfer transfer = {
		.device = device,
		.inode = mapping->inode,
		.lookup = lookup,
		.sector_shift = block_shift - SECTOR_SHIFT,
	};

	(void)transfer_pages(&transfer, pages, nr);
}

int pageio_write(struct block_device *device, struct mapping *mapping, unsigned int block_shift,
		 block_lookup lookup, struct page **pages, unsigned int nr)
{
	struct transfer transfer = {
		.write = true,
		.device = device,
		.inode = mapping->inode,
		.lookup = lookup,
		.sector_shift = block_shift - SECTOR_SHIFT,
	};

	return transfer_pages(&transfer, pages, nr);
}
