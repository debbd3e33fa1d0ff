/* mremap: a page moves to another address, while others look for it, store to it, or lend it. */
#include "cached.h"
#include "fs/file/file.h"
#include "fs/splice/splice.h"
#include "files.h"
#include "kernel/syscalls.h"
#include "mm/vm/tables.h"
#include "spaces.h"

#define NEW_PLACE MMAP_MIN
#define FIXED	  3u /* MREMAP_MAYMOVE and MREMAP_FIXED */

static void move(int unused)
{
	must(sys_mremap(USER_PAGE, PAGE_SIZE, PAGE_SIZE, FIXED, NEW_PLACE) == NEW_PLACE);
}

/* ---- truncate ---- */

static void mapped_page(void)
{
	cached_page();
	space_make(SHARED, &cached_file);
	must(ex_load(USER_PAGE) == 1);
}

static void nobody_maps(void)
{
	pte_t *entry = mm_pte(space, NEW_PLACE);

	must(space_entry(space) == 0 && (!entry || *entry == 0));
	space_drop();
	cached_must_be_gone();
}

SCENARIO(remap_truncate, "truncate removes a page whose mapping is moving", mapped_page,
	 nobody_maps, { "mover", move, 0 }, { "truncate", cached_truncate, 0 });

/* ---- lending ---- */

static void stored_page(void)
{
	cached_page();
	space_make(SHARED, &cached_file);
	must(ex_store(USER_PAGE, 1) == 0);
}

static struct page *lent;
static unsigned char promised;

/* From now on the page keeps its bytes, wherever it is mapped. */
static void lend(int unused)
{
	lent = cached_lend();
	promised = page_bytes(lent)[0];
}

/* Store at a place, if something is mapped there at this moment. */
static void store(uintptr_t place, int value)
{
	int error = ex_store(place, value);

	must(error == 0 || error == -EFAULT);
}

static void store_everywhere(int value)
{
	store(USER_PAGE, value);
	store(USER_PAGE, value + 1);
	store(NEW_PLACE, value + 2);
}

static void moved(void)
{
	must(page_bytes(lent)[0] == promised);
	page_unlend(lent);
	page_put(lent);
	must(space_entry(space) == 0);
	space_drop();
	ex_must_have_freed();
}

SCENARIO(remap_share, "a page of a file is lent while its mapping moves, and programs store to it",
	 stored_page, moved, { "mover", move, 0 }, { "lender", lend, 0 },
	 { "thread", store_everywhere, 2 });

/* ---- vmsplice ---- */

static void page_and_pipe(void)
{
	space_make(PRIVATE, NULL);
	must(ex_store(USER_PAGE, 1) == 0);
	must(ex_store(NEW_PLACE, 1) != 0);
	pipe_make(0, 2);
	files_open(NULL);
}

static void store_2(int unused)
{
	store(USER_PAGE, 2);
}

/* Once the page is lent at its new place, a store at the old one must not reach it any more. */
static void move_and_lend(int unused)
{
	struct iovec segment = { (void *)NEW_PLACE, 1 };

	move(0);
	must(sys_vmsplice(FD_WRITE0, &segment, 1, 0) == 1);
}

static void lent_and_moved(void)
{
	int byte = pipe_must_have(1, 2);

	must(ex_load(NEW_PLACE) == byte);
	must(space_entry(space) == 0);
	space_drop();
	ex_must_have_freed();
}

SCENARIO(remap_lend, "a page moves and is then lent, while another thread stores at its old place",
	 page_and_pipe, lent_and_moved, { "owner", move_and_lend, 0 }, { "thread", store_2, 0 },
	 { "reader", pipe_look_twice, 0 });
