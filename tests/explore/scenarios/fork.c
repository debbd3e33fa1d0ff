/* Private memory: fork, copy-on-write, and pages that vmsplice lends or gives to a pipe. */
#include "cached.h"
#include "fs/file/file.h"
#include "fs/splice/splice.h"
#include "files.h"
#include "kernel/syscalls.h"
#include "spaces.h"

/* A page of its own, with ones in it. */
static void private_page(void)
{
	space_make(PRIVATE, NULL);
	must(ex_store(USER_PAGE, 1) == 0);
}

/* The child sees one state of the page, whatever the parent's other thread stores meanwhile. */
static void fork_and_load(int unused)
{
	struct mm *child = mm_fork(space);
	int seen;

	must(!IS_ERR(child));
	ex_run_in(child);
	seen = ex_load(USER_PAGE);
	must(seen == 1 || seen == 2);
	must(ex_load(USER_PAGE) == seen);
	ex_run_in(space);
	mm_put(child);
}

/* What the child stores is its own. */
static void fork_and_store(int value)
{
	struct mm *child = mm_fork(space);

	must(!IS_ERR(child));
	ex_run_in(child);
	must(ex_store(USER_PAGE, value) == 0);
	must(ex_load(USER_PAGE) == value);
	ex_run_in(space);
	mm_put(child);
}

static void store(int value)
{
	must(ex_store(USER_PAGE, value) == 0);
	must(ex_load(USER_PAGE) == value);
}

static void parent_has_2(void)
{
	must(ex_load(USER_PAGE) == 2);
	space_drop();
}

SCENARIO(fork_load, "fork while another thread stores: the child's page does not change",
	 private_page, parent_has_2, { "forker", fork_and_load, 0 }, { "thread", store, 2 });

SCENARIO(fork_store, "the same, and the child stores, too", private_page, parent_has_2,
	 { "forker", fork_and_store, 3 }, { "thread", store, 2 });

/* ---- a private mapping of a file ---- */

static struct mm *child;

static void private_file(void)
{
	cached_page();
	space_make(PRIVATE, &cached_file);
	must(ex_load(USER_PAGE) == 1);
}

static void fork_only(int unused)
{
	child = mm_fork(space);
	must(!IS_ERR(child));
}

/* Truncate finds a page in every address space that maps it. */
static void nobody_maps(void)
{
	must(space_entry(space) == 0 && space_entry(child) == 0);
	mm_put(child);
	space_drop();
	cached_must_be_gone();
}

SCENARIO(fork_truncate, "truncate removes a page that fork is sharing", private_file, nobody_maps,
	 { "forker", fork_only, 0 }, { "truncate", cached_truncate, 0 });

/* ---- vmsplice ---- */

static void page_and_pipe(void)
{
	private_page();
	pipe_make(0, 2);
	files_open(NULL);
}

static void splice_memory(size_t len, unsigned int flags)
{
	struct iovec segment = { (void *)USER_PAGE, len };

	must(sys_vmsplice(FD_WRITE0, &segment, 1, flags) == (long)len);
}

/* The owner stores after its page has been lent. */
static void lend_and_store(int value)
{
	splice_memory(1, 0);
	must(ex_store(USER_PAGE, value) == 0);
	must(ex_load(USER_PAGE) == value);
}

static void lend(int unused)
{
	splice_memory(1, 0);
}

static void slot_has_1(void)
{
	pipe_must_have(1, 1);
	parent_has_2();
	ex_must_have_freed();
}

SCENARIO(vmsplice_fork, "a page is lent to a pipe and stored to, while its owner forks",
	 page_and_pipe, slot_has_1, { "owner", lend_and_store, 2 },
	 { "forker", fork_and_store, 3 });

static void slot_has_either(void)
{
	pipe_must_have(1, 2);
	parent_has_2();
	ex_must_have_freed();
}

SCENARIO(vmsplice_store, "a page is lent to a pipe while another thread stores to it",
	 page_and_pipe, slot_has_either, { "owner", lend, 0 }, { "thread", store, 2 },
	 { "reader", pipe_look_twice, 0 });

/* ---- vmsplice of a page of a file ---- */

static void shared_page_and_pipe(void)
{
	cached_page();
	space_make(SHARED, &cached_file);
	must(ex_store(USER_PAGE, 1) == 0);
	pipe_make(0, 2);
	files_open(NULL);
}

SCENARIO(vmsplice_shared, "a shared page is lent to a pipe while another thread stores to it",
	 shared_page_and_pipe, slot_has_either, { "owner", lend, 0 }, { "thread", store, 2 },
	 { "reader", pipe_look_twice, 0 });

static void lend_if_there(int unused)
{
	struct iovec segment = { (void *)USER_PAGE, 1 };
	long n = sys_vmsplice(FD_WRITE0, &segment, 1, 0);

	must(n == 1 || n == -EFAULT);
}

static void truncated(void)
{
	must(space_entry(space) == 0);
	pipe_release(&ends[0].reader);
	pipe_release(&ends[0].writer);
	space_drop();
	cached_must_be_gone();
}

SCENARIO(vmsplice_truncate, "a shared page is lent to a pipe while truncate removes it",
	 shared_page_and_pipe, truncated, { "owner", lend_if_there, 0 },
	 { "truncate", cached_truncate, 0 });

/* ---- gifts ---- */

static void give_and_load(int unused)
{
	splice_memory(PAGE_SIZE, SPLICE_F_GIFT);
	must(ex_load(USER_PAGE) == 0);
}

/* The child has the page, or zeros if the page was given away before. */
static void fork_and_keep(int value)
{
	int seen;

	fork_only(0);
	ex_run_in(child);
	seen = ex_load(USER_PAGE);
	must(seen == 1 || seen == 0);
	must(ex_store(USER_PAGE, value) == 0);
	must(ex_load(USER_PAGE) == value);
	ex_run_in(space);
}

static void given(void)
{
	pipe_must_have(1, 1);
	must(ex_load(USER_PAGE) == 0);
	ex_run_in(child);
	must(ex_load(USER_PAGE) == 3);
	mm_put(child);
	space_drop();
	ex_must_have_freed();
}

SCENARIO(gift_fork, "a page is given to a pipe while its owner forks", page_and_pipe, given,
	 { "owner", give_and_load, 0 }, { "forker", fork_and_keep, 3 });
