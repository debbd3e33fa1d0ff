/* User memory that is not there: the mutex goes, and the operation starts over. */
#include "cached.h"
#include "pipes.h"
#include "spaces.h"

/* The program has not used its memory yet, which is a copy of a file's page. */
static void absent_buffer(void)
{
	struct page *page;

	cached_page();
	page = cached_find();
	page_bytes(page)[0] = 0x00;
	page_bytes(page)[1] = 0x01;
	page_put(page);
	space_make(PRIVATE, &cached_file);
	pipe_make(0, 1);
}

static void read_absent(int unused)
{
	struct iter to;
	ssize_t n;

	iter_init_user(&to, (void *)USER_PAGE, 2);
	n = pipe_file_ops.read(&ends[0].reader, &to, NULL);
	must(n == 1 || n == 2);
	for (int i = 0; i < n; i++)
		got_byte(ex_load(USER_PAGE + i));
	if (n == 1)
		get_bytes(1);
}

static void write_absent(int unused)
{
	struct iter from;

	iter_init_user(&from, (void *)USER_PAGE, 2);
	must(pipe_file_ops.write(&ends[0].writer, &from, NULL) == 2);
}

static void got_two(void)
{
	must_have_got(0, 2, true);
	pipe_must_be_at_rest(0);
	space_drop();
	ex_must_have_freed();
}
static void got_all(void)
{
	must_have_got(1, 1, true);
	got_two();
}

SCENARIO(fault_read, "a reader's buffer is not there", absent_buffer, got_two,
	 { "reader", read_absent, 0 }, { "writer", put_bytes, FROM(0, 2) });

SCENARIO(fault_write, "a writer's buffer is not there, and another one writes", absent_buffer,
	 got_all, { "writer0", write_absent, 0 }, { "writer1", put_bytes, FROM(1, 1) },
	 { "reader", get_bytes, 3 });
