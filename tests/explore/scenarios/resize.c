/* F_SETPIPE_SZ against writers, readers and moves. */
#include "files.h"

static void one_slot(void)
{
	pipe_make(0, 1);
}

static void resize(int slots)
{
	long size = pipe_set_size(&ends[0].writer, slots * PAGE_SIZE);

	must(size == slots * (long)PAGE_SIZE || size == -EBUSY);
}

static void resize_to_and_fro(int unused)
{
	resize(2);
	resize(1);
}

static void two_left(void)
{
	pipe_drain(0);
	must_have_got(0, 2, true);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

SCENARIO(resize_grows, "a writer waits for the room that F_SETPIPE_SZ makes", one_slot, two_left,
	 { "writer", put_packets, FROM(0, 2) }, { "resizer", resize, 2 });

SCENARIO(resize_1_1, "a writer, a reader, and a ring that grows and shrinks", one_slot, two_left,
	 { "writer", put_packets, FROM(0, 2) }, { "reader", get_bytes, 2 },
	 { "resizer", resize_to_and_fro, 0 });

SCENARIO(resize_merge, "the same while bytes are appended", one_slot, two_left,
	 { "writer", put_bytes, FROM(0, 2) }, { "reader", get_bytes, 2 },
	 { "resizer", resize_to_and_fro, 0 });

/* The first slot is in the second place. */
static void wrapped(void)
{
	pipe_make(0, 2);
	pipe_put_byte(0, 0x10, true);
	must(pipe_get_byte(0) == 0x10);
	pipe_put_byte(0, 0x00, true);
}

static void put_second(int unused)
{
	pipe_put_byte(0, 0x01, true);
}

SCENARIO(resize_wrapped, "a ring that wraps grows", wrapped, two_left, { "writer", put_second, 0 },
	 { "reader", get_bytes, 1 }, { "resizer", resize, 4 });

static void full(void)
{
	pipe_make(0, 2);
	pipe_put_byte(0, 0x00, true);
	pipe_put_byte(0, 0x01, true);
}

SCENARIO(resize_shrinks, "a ring of two slots shrinks while a reader empties it", full, two_left,
	 { "reader", get_bytes, 1 }, { "resizer", resize, 1 });

/* ---- against a move ---- */

static void two_pipes(void)
{
	pipe_make(0, 1);
	pipe_make(1, 1);
	files_open(NULL);
}

static void two_moved(void)
{
	pipe_drain(1);
	must_have_got(0, 1, true);
	pipe_must_be_at_rest(0);
	pipe_must_be_at_rest(1);
	ex_must_have_freed();
}

SCENARIO(resize_move, "a slot moves while its ring is resized", two_pipes, two_moved,
	 { "writer", put_packets, FROM(0, 1) }, { "mover", move_bytes, 1 },
	 { "resizer", resize_to_and_fro, 0 });
