/* A page of a pipe becomes a page of a file, if nobody else holds it. */
#include "cached.h"
#include "files.h"
#include "fs/splice/splice.h"
#include "kernel/syscalls.h"
#include "spaces.h"

#define NEW 2 /* what the given page is full of; the file's own page has ones */

/* A program has given its page to pipe 0. The file is empty, or has its page. */
static void give_page(void)
{
	struct iovec segment = { (void *)USER_PAGE, PAGE_SIZE };

	space_make(PRIVATE, NULL);
	must(ex_store(USER_PAGE + FIRST, NEW) == 0 && ex_store(USER_PAGE + SECOND, NEW) == 0);
	pipe_make(0, 1);
	pipe_make(1, 1);
	files_open_file(&cached_file);
	must(sys_vmsplice(FD_WRITE0, &segment, 1, SPLICE_F_GIFT) == PAGE_SIZE);
}

static void empty_file(void)
{
	cached_nothing();
	give_page();
}

static void file_with_page(void)
{
	cached_page();
	give_page();
}

static void move(int unused)
{
	must(sys_splice(FD_READ0, NULL, FD_FILE, NULL, PAGE_SIZE, SPLICE_F_MOVE) == PAGE_SIZE);
}

/* The file's bytes may change as soon as they are the file's. */
static void move_and_write(int value)
{
	move(0);
	cached_write(value);
}

/* A reader sees no byte of the given page, or all of them. */
static void read_file(int unused)
{
	int first = cached_read(FIRST), second = cached_read(SECOND);

	must(first == -1 || first == 1 || first == NEW);
	must(second == first || (first != NEW && second == NEW));
}

static void drop_all(void)
{
	for (int i = 0; i < 2; i++) {
		pipe_release(&ends[i].reader);
		pipe_release(&ends[i].writer);
	}
	space_drop();
}

static void file_has(int value)
{
	struct page *page = cached_find();

	must(page && page_bytes(page)[FIRST] == value && page_bytes(page)[SECOND] == value);
	must(page->flags & PG_UPTODATE && page->flags & PG_DIRTY && !(page->flags & PG_LOCKED));
	must(atomic_read(&page->lent) == 0 && atomic_read(&page->refs) == 2);
	must(inode_size(&cached_inode) == PAGE_SIZE);
	page_put(page);
	drop_all();
	cached_remove();
}

static void file_has_new(void)
{
	file_has(NEW);
}

static void file_is_written(void)
{
	file_has(3);
}

SCENARIO(steal_read, "a page of a pipe fills an empty file, and is read", empty_file, file_has_new,
	 { "mover", move, 0 }, { "reader", read_file, 0 });

SCENARIO(steal_replace, "a page of a pipe replaces one of a file, which is read", file_with_page,
	 file_has_new, { "mover", move, 0 }, { "reader", read_file, 0 });

/* ---- the old page is mapped ---- */

static struct mm *program;

static void mapped_file_with_page(void)
{
	cached_page();
	space_make(SHARED, &cached_file);
	program = space;
	must(ex_load(USER_PAGE + FIRST) == 1);
	give_page();
}

static void load(int unused)
{
	int seen;

	ex_run_in(program);
	seen = ex_load(USER_PAGE + FIRST);
	must(seen == 1 || seen == NEW);
	must(ex_load(USER_PAGE + SECOND) == NEW || seen == 1);
	ex_run_in(space);
}

static void program_has_new(void)
{
	ex_run_in(program);
	must(ex_load(USER_PAGE + FIRST) == NEW);
	ex_run_in(space);
	mm_put(program);
	file_has_new();
}

SCENARIO(steal_load, "a page of a pipe replaces one that a program loads from",
	 mapped_file_with_page, program_has_new, { "mover", move, 0 }, { "program", load, 0 });

/* ---- truncate ---- */

static void whole_or_nothing(void)
{
	if (inode_size(&cached_inode) > 0) {
		file_has(NEW);
		return;
	}
	drop_all();
	cached_must_be_gone();
}

SCENARIO(steal_truncate, "a page of a pipe replaces one that truncate removes", file_with_page,
	 whole_or_nothing, { "mover", move, 0 }, { "truncate", cached_truncate, 0 });

/* ---- the old page is lent ---- */

static void lend(int unused)
{
	struct page *page;
	unsigned char seen;
	int error;

	do {
		page = cached_find();
		error = page_lend(page);
		if (error)
			page_put(page);
	} while (error == -ENODATA);
	seen = page_bytes(page)[FIRST];
	must(seen == 1 || seen == NEW || seen == 3);
	must(page_bytes(page)[SECOND] == seen && page_bytes(page)[FIRST] == seen);
	page_unlend(page);
	page_put(page);
}

SCENARIO(steal_lend, "a page of a pipe replaces one that is being lent, and is written to",
	 file_with_page, file_is_written, { "mover", move_and_write, 3 }, { "lender", lend, 0 });

/* ---- the page has other holders ---- */

/* A copy of the slot, if it is still there: its bytes stay when the file changes. */
static void tee(int unused)
{
	long n = sys_tee(FD_READ0, FD_WRITE1, PAGE_SIZE, SPLICE_F_NONBLOCK);

	must(n == PAGE_SIZE || n == -EAGAIN);
	if (n > 0)
		must(pipe_get_byte(1) == NEW);
}

SCENARIO(steal_tee, "a page of a pipe is copied by tee and moved to a file, which is written to",
	 empty_file, file_is_written, { "mover", move_and_write, 3 }, { "tee", tee, 0 });

static struct mm *child;

/* The program has forked before it gave its page away: the child maps it still. */
static void shared_with_child(void)
{
	struct iovec segment = { (void *)USER_PAGE, PAGE_SIZE };

	cached_nothing();
	space_make(PRIVATE, NULL);
	must(ex_store(USER_PAGE + FIRST, NEW) == 0 && ex_store(USER_PAGE + SECOND, NEW) == 0);
	child = mm_fork(space);
	pipe_make(0, 1);
	pipe_make(1, 1);
	files_open_file(&cached_file);
	must(sys_vmsplice(FD_WRITE0, &segment, 1, SPLICE_F_GIFT) == PAGE_SIZE);
}

static void child_stores(int value)
{
	ex_run_in(child);
	must(ex_load(USER_PAGE + FIRST) == NEW);
	must(ex_store(USER_PAGE + FIRST, value) == 0);
	must(ex_load(USER_PAGE + FIRST) == value && ex_load(USER_PAGE + SECOND) == NEW);
	ex_run_in(space);
	mm_put(child);
}

SCENARIO(steal_fork, "a page that a child maps is moved to a file, and both are written to",
	 shared_with_child, file_is_written, { "mover", move_and_write, 3 },
	 { "child", child_stores, 4 });
