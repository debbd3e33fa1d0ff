/* A seal against writing, against a write and against a new mapping. */
#include "fs/file/generic.h"
#include "fs/file/seal.h"
#include "lib/string.h"
#include "mm/vm/iter.h"
#include "cached.h"
#include "spaces.h"

static bool sealed;
static unsigned char at_the_seal;

static void sealable(void)
{
	cached_page();
	cached_inode.mapping.seals = SEALABLE;
	sealed = false;
}

/* All tasks share an address space, which does not map the file yet. */
static void sealable_unmapped(void)
{
	sealable();
	space_make(PRIVATE, NULL);
}

/* When the seal is set, the bytes are what they will be for ever, and no write is half done. */
static void seal(int unused)
{
	struct page *page;
	long error = file_add_seals(&cached_file, SEAL_WRITE);

	must(error == 0 || error == -EBUSY);
	if (error)
		return;
	page = cached_find();
	must(page_bytes(page)[FIRST] == page_bytes(page)[SECOND]);
	at_the_seal = page_bytes(page)[STORED];
	sealed = true;
	page_put(page);
}

static void write_bytes(int value)
{
	unsigned char bytes[SECOND + 1];
	file_off_t pos = 0;
	struct iter from;
	ssize_t n;

	memset(bytes, value, sizeof(bytes));
	iter_init_kernel(&from, bytes, sizeof(bytes));
	n = generic_file_write(&cached_file, &from, &pos);
	must(n == (ssize_t)sizeof(bytes) || n == -EPERM);
}

static void map_and_store(int value)
{
	int error = mm_map(space, USER_PAGE, PAGE_SIZE, SHARED, &cached_file, 0);

	must(error == 0 || error == -EPERM);
	if (!error)
		must(ex_store(USER_PAGE + STORED, value) == 0);
}

static void unchanged(void)
{
	struct page *page = cached_find();

	must(!sealed || page_bytes(page)[STORED] == at_the_seal);
	must(cached_inode.mapping.seals == (sealed ? SEALABLE | SEAL_WRITE : SEALABLE));
	page_put(page);
}

static void unchanged_in_space(void)
{
	unchanged();
	space_drop();
}

SCENARIO(seal_write, "a file is sealed while it is written to", sealable, unchanged,
	 { "sealer", seal, 0 }, { "writer", write_bytes, 2 });

SCENARIO(seal_two_writes, "the same with two writers", sealable, unchanged, { "sealer", seal, 0 },
	 { "writer2", write_bytes, 2 }, { "writer3", write_bytes, 3 });

SCENARIO(seal_map, "a file is sealed while a program maps it and stores to it", sealable_unmapped,
	 unchanged_in_space, { "sealer", seal, 0 }, { "program", map_and_store, 2 });
