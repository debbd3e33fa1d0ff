/*
 * Punching a hole into a file of ext2 against tasks that look for its blocks: fs/ext2/map.c and
 * fs/ext2/holes.c, with a file system of two blocks. The file's only block is found through an
 * indirect block. Each of the two gets other bytes at the first moment at which others may use it.
 */
#include "cached.h"
#include "fs/cache/places.h"
#include "fs/cache/writeback.h"
#include "fs/ext2/ext2.h"
#include "fs/file/allocate.h"
#include "kernel/cpu/cpu.h"
#include "kernel/signals/signal.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "mm/slab.h"

#define INDIRECT 5u /* its first pointer is that of the file's block HOLE */
#define DATA	 6u
#define HOLE	 EXT2_DIRECT
#define OWN	 1 /* the file's bytes on the disk */
#define FOREIGN	 9 /* what the blocks get when they have been freed */

static struct ext2_fs fs;
static struct ext2_inode own;
static struct super_block super;
static struct page *indirect; /* the page of its bytes */
static unsigned char disk;    /* the byte of DATA */
static bool freed[2];	      /* INDIRECT and DATA */

/* ---- a small file system in place of fs/ext2/metadata.c and space.c ---- */

static uint32_t *pointers_of(uint32_t block)
{
	must(block == INDIRECT);
	return page_address_low(indirect);
}

static int hole_begin(struct ext2_fs *unused)
{
	mutex_lock(&fs.lock);
	return 0;
}

/* A commit would come before anybody gets the block. Here that is at once. */
static int hole_end(struct ext2_fs *unused, int error)
{
	must(!error);
	if (freed[1])
		WRITE_ONCE(disk, FOREIGN);
	mutex_unlock(&fs.lock);
	return error;
}

static int hole_read(struct ext2_fs *unused, uint32_t block, unsigned int offset, void *to,
		     unsigned int len)
{
	for (unsigned int i = 0; i < len / 4; i++)
		((uint32_t *)to)[i] = READ_ONCE(pointers_of(block)[offset / 4 + i]);
	return 0;
}

static int hole_edit(struct ext2_fs *unused, uint32_t block, unsigned int offset, const void *from,
		     unsigned int len)
{
	for (unsigned int i = 0; i < len / 4; i++)
		WRITE_ONCE(pointers_of(block)[offset / 4 + i], ((const uint32_t *)from)[i]);
	return 0;
}

/* Few of the pointers are ever used, and the others are not looked at. */
static struct page *hole_page(struct ext2_fs *unused, uint32_t block)
{
	(void)pointers_of(block);
	page_ref(indirect);
	return indirect;
}

static int hole_give(struct ext2_fs *unused, uint32_t first, unsigned int nr)
{
	must(nr == 1 && (first == INDIRECT || first == DATA));
	if (first == DATA)
		WRITE_ONCE(freed[1], true);
	return 0;
}

static void hole_forget(struct ext2_fs *unused, uint32_t block)
{
	freed[0] = true;
	for (unsigned int i = 0; i < 2; i++)
		WRITE_ONCE(pointers_of(block)[i], DATA);
}

static void hole_nothing(const void *unused)
{
}

int hole_lookup(struct inode *inode, uint64_t block, unsigned int max, uint64_t *first);

#define ext2_lookup_block  hole_lookup
#define ext2_begin_in_page hole_begin
#define ext2_end	   hole_end
#define ext2_read	   hole_read
#define ext2_edit	   hole_edit
#define ext2_page	   hole_page
#define ext2_give_blocks   hole_give
#define ext2_forget	   hole_forget
#define ext2_changed	   hole_nothing
#define ext2_balance	   hole_nothing
#include "fs/ext2/map.c"
#include "fs/ext2/holes.c"

/* ---- the file ---- */

static unsigned int look_up(unsigned int block)
{
	uint64_t first;

	must(hole_lookup(&cached_inode, block, 1, &first) == 1);
	return first;
}

static void read_block(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	unsigned int block = look_up(pages[0]->index);

	must(nr == 1 && (block == 0 || block == DATA));
	page_zero(pages[0], 0, PAGE_SIZE);
	if (block)
		page_bytes(pages[0])[FIRST] = READ_ONCE(disk);
	page_read_done(pages[0], true);
}

static int write_block(struct mapping *mapping, struct page **pages, unsigned int nr)
{
	unsigned int block = look_up(pages[0]->index);

	must(nr == 1);
	if (block) {
		must(READ_ONCE(disk) != FOREIGN);
		WRITE_ONCE(disk, page_bytes(pages[0])[FIRST]);
		must(!READ_ONCE(freed[1]));
	}
	page_write_done(pages[0], 0);
	return 0;
}

static int get_room(struct mapping *mapping, struct page *page, unsigned int from, unsigned int to)
{
	return 0;
}

static const struct mapping_ops ops = {
	.read_pages = read_block,
	.write_pages = write_block,
	.begin_write = get_room,
	.has_store = true,
};

static void file_with_block(void)
{
	cached_nothing();
	cached_inode.mapping.ops = &ops;
	cached_inode.mode = S_IFREG;
	cached_inode.size = (HOLE + 2) << PAGE_SHIFT;
	cached_inode.private = &own;
	cached_inode.sb = &super;
	super.private = &fs;
	own.inode = &cached_inode;
	fs.layout = (struct ext2_layout){ .block_size = PAGE_SIZE,
					  .block_shift = PAGE_SHIFT,
					  .blocks = DATA + 1 };
	mutex_init(&fs.lock, "ext2");
	indirect = page_alloc(0, ALLOC_ZERO);
	must(indirect);
	own.block[EXT2_DIRECT] = INDIRECT;
	pointers_of(INDIRECT)[0] = DATA;
	disk = OWN;
	ex_count_memory();
}

/* The page of the block is in the cache, and dirty. */
static void file_with_dirty_page(void)
{
	struct page *page;
	bool fresh;

	file_with_block();
	page = mapping_find_or_add(&cached_inode.mapping, HOLE, &fresh);
	must(fresh);
	page_zero(page, 0, PAGE_SIZE);
	page_bytes(page)[FIRST] = OWN;
	page_end_write(page);
}

/* ---- tasks ---- */

static void punch_it(int unused)
{
	mutex_lock(&cached_inode.lock);
	must(ext2_allocate(&cached_inode, FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE,
			   (file_off_t)HOLE << PAGE_SHIFT,
			   (file_off_t)(HOLE + 1) << PAGE_SHIFT) == 0);
	mutex_unlock(&cached_inode.lock);
}

static void read_page(int unused)
{
	struct page *page = mapping_read_page(&cached_inode.mapping, HOLE);

	must(!IS_ERR(page));
	must(page_bytes(page)[FIRST] == 0 || page_bytes(page)[FIRST] == OWN);
	page_put(page);
}

/* As for a read of the page behind the hole, which has no block. */
static void look_behind(int unused)
{
	must(look_up(HOLE + 1) == 0);
}

static void write_it_back(int unused)
{
	must(mapping_write(&cached_inode.mapping) == 0);
}

static void hole_is_there(void)
{
	struct page *page;

	must(own.block[EXT2_DIRECT] == 0 && look_up(HOLE) == 0 && freed[0] && freed[1]);
	page = mapping_find(&cached_inode.mapping, HOLE);
	if (page) {
		must(!page_has(page, PG_LOCKED | PG_DIRTY) && page_bytes(page)[FIRST] == 0);
		must(page_trylock(page));
		must(mapping_remove_page(&cached_inode.mapping, page, true));
		page_unlock(page);
		page_put(page);
	}
	ex_must_have_freed();
}

SCENARIO(hole_read, "a page is read while it becomes a hole, and its block is used again",
	 file_with_block, hole_is_there, { "puncher", punch_it, 0 }, { "reader", read_page, 0 });
SCENARIO(hole_write, "a dirty page is written back while it becomes a hole", file_with_dirty_page,
	 hole_is_there, { "puncher", punch_it, 0 }, { "writer", write_it_back, 0 });
SCENARIO(hole_behind, "a block is looked for while a hole frees the indirect block on the way",
	 file_with_block, hole_is_there, { "puncher", punch_it, 0 }, { "reader", look_behind, 0 });
