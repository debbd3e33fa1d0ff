/* splice and tee between pipes, from files and to files. */
#include "fs/splice/splice.h"
#include "files.h"

static void two_pipes(void)
{
	pipe_make(0, 1);
	pipe_make(1, 1);
	files_open(NULL);
}

static void rest(void)
{
	pipe_must_be_at_rest(0);
	pipe_must_be_at_rest(1);
	ex_must_have_freed();
}

static void read_other(int n)
{
	while (n-- > 0) {
		int byte = pipe_get_byte(1);

		must(byte >= 0);
		got_byte(byte);
	}
}

static void moved_two(void)
{
	must_have_got(0, 2, true);
	rest();
}

SCENARIO(move_packets, "two packets go through two pipes of one slot each", two_pipes, moved_two,
	 { "writer", put_packets, FROM(0, 2) }, { "mover", move_bytes, 2 },
	 { "reader", read_other, 2 });

SCENARIO(move_bytes, "the same with bytes: a slot may be divided", two_pipes, moved_two,
	 { "writer", put_bytes, FROM(0, 2) }, { "mover", move_bytes, 2 },
	 { "reader", read_other, 2 });

/* ---- both directions ---- */

static void a_byte_in_each(void)
{
	pipe_make(0, 2);
	pipe_make(1, 2);
	files_open(NULL);
	pipe_put_byte(0, 0x00, false);
	pipe_put_byte(1, 0x10, false);
}

static void move_back(int n)
{
	while (n-- > 0)
		must(splice_byte(FD_READ1, FD_WRITE0, 0) == 1);
}

static void one_of_each_is_left(void)
{
	pipe_drain(0);
	pipe_drain(1);
	must_have_got(0, 1, true);
	must_have_got(1, 1, true);
	rest();
}

SCENARIO(both_directions, "a byte in each of two pipes, moved to and fro", a_byte_in_each,
	 one_of_each_is_left, { "there", move_bytes, 2 }, { "back", move_back, 2 });

/* ---- a move that waits for room holds nothing up ---- */

static void no_room_there(void)
{
	pipe_make(0, 2);
	pipe_make(1, 1);
	files_open(NULL);
	put_packets(FROM(0, 2));
	pipe_put_byte(1, 0x10, false);
}

static void read_here_then_there(int unused)
{
	get_bytes(1);
	read_other(2);
}

static void all_three(void)
{
	must_have_got(0, 2, false);
	must_have_got(1, 1, true);
	rest();
}

SCENARIO(move_waits, "a pipe is read while a move out of it waits for room", no_room_there,
	 all_three, { "mover", move_bytes, 1 }, { "reader", read_here_then_there, 0 });

/* ---- the right to append does not travel ---- */

static void wide_pipes(void)
{
	pipe_make(0, 2);
	pipe_make(1, 4);
	files_open(NULL);
}

static void put_other(int from)
{
	pipe_put_byte(1, from, false);
}

static void two_and_one(void)
{
	pipe_drain(0);
	pipe_drain(1);
	must_have_got(0, 2, false);
	must_have_got(1, 1, true);
	rest();
}

SCENARIO(append_at_home, "both pipes are written to while a slot moves", wide_pipes, two_and_one,
	 { "writer", put_bytes, FROM(0, 2) }, { "mover", move_bytes, 1 },
	 { "other", put_other, 0x10 });

/* Two bytes in one slot, of which one moves. */
static void two_in_a_slot(void)
{
	wide_pipes();
	put_at_once(FROM(0, 2));
}

SCENARIO(divide, "a slot is divided, and the other pipe is written to", two_in_a_slot, two_and_one,
	 { "mover", move_bytes, 1 }, { "other", put_other, 0x10 });

static void three_and_none(void)
{
	pipe_drain(1);
	pipe_drain(0);
	must_have_got(0, 2, true);
	rest();
}

SCENARIO(divide_and_merge, "a slot is divided while a writer appends to it", wide_pipes,
	 three_and_none, { "writer", put_bytes, FROM(0, 2) }, { "mover", move_bytes, 1 });

/* ---- tee ---- */

static void tee_one(int unused)
{
	must(tee_byte(FD_READ0, FD_WRITE1) == 1);
}

/* Byte 0 comes out of both pipes: the other reader counts it as of writer 1. */
static void read_copy(int n)
{
	int byte = pipe_get_byte(1);

	must(byte == 0x00);
	got_byte(0x10);
}

static void take_after_tee(int unused)
{
	tee_one(0);
	get_bytes(1);
}

static void got_both(void)
{
	must_have_got(0, 1, true);
	must_have_got(1, 1, true);
	rest();
}

SCENARIO(tee_copies, "a byte is read from its pipe and from a copy", two_pipes, got_both,
	 { "writer", put_bytes, FROM(0, 1) }, { "tee", take_after_tee, 0 },
	 { "reader", read_copy, 1 });

static void tee_and_appends(void)
{
	pipe_drain(0);
	pipe_drain(1);
	rest();
}

static void read_only_zero(int unused)
{
	must(pipe_get_byte(1) == 0x00);
}

SCENARIO(tee_and_append, "a copy does not show what is appended afterwards", two_pipes,
	 tee_and_appends, { "writer", put_bytes, FROM(0, 2) }, { "tee", tee_one, 0 },
	 { "reader", read_only_zero, 0 });

/* ---- pipe to file, with bytes that go back ---- */

static void to_a_sink(void)
{
	pipe_make(0, 1);
	files_open(&one_byte_sink);
}

static void two_for_a_sink(void)
{
	pipe_make(0, 2);
	files_open(&one_byte_sink);
	put_packets(FROM(0, 2));
	ends[0].reader.flags |= O_NONBLOCK;
}

static void sink(int n)
{
	while (n > 0) {
		long taken = splice_bytes(FD_READ0, FD_FILE, 8);

		must(taken > 0);
		n -= taken;
	}
}

/* One that does not wait: the file may have taken both. */
static void try_read(int unused)
{
	int byte;

	byte = pipe_get_byte(0);
	must(byte >= 0 || byte == -EAGAIN);
	if (byte >= 0)
		got_byte(byte);
}

static void all_two_drained(void)
{
	pipe_drain(0);
	pipe_gave_two();
}

SCENARIO(sink_refuses, "a file takes one of two bytes, the other goes back and is read",
	 two_for_a_sink, all_two_drained, { "sink", sink, 1 }, { "reader", try_read, 0 });

SCENARIO(sink_frees_room, "a writer waits for the room that a splice to a file leaves", to_a_sink,
	 pipe_gave_two_in_order, { "writer", put_packets, FROM(0, 2) }, { "sink", sink, 2 });

SCENARIO(sink_and_merge, "a file takes bytes while a writer appends", to_a_sink,
	 pipe_gave_two_in_order, { "writer", put_bytes, FROM(0, 2) }, { "sink", sink, 2 });

static void one_for_a_sink(void)
{
	to_a_sink();
	put_packets(FROM(0, 1));
}

SCENARIO(sink_keeps_places, "a writer looks for room while a file has the only slot",
	 one_for_a_sink, pipe_gave_one_of_each, { "sink", sink, 2 },
	 { "writer", put_packets, FROM(1, 1) });

/* The reader may look at the pipe while the file has its only slot. */
SCENARIO(sink_returns, "a file takes one of two bytes, the other comes back to a reader that waits",
	 to_a_sink, pipe_gave_two, { "reader", get_bytes, 1 },
	 { "writer", put_at_once, FROM(0, 2) }, { "sink", sink, 1 });

static void put_two_at_once(int from)
{
	put_at_once(from);
	put_bytes(FROM(1, 1));
}

static void three(void)
{
	must_have_got(0, 2, true);
	must_have_got(1, 1, true);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

SCENARIO(sink_part, "a slot with two bytes goes back in part, and is appended to", to_a_sink, three,
	 { "writer", put_two_at_once, FROM(0, 2) }, { "sink", sink, 3 });

/* ---- file to pipe ---- */

static void from_a_source(void)
{
	pipe_make(0, 1);
	files_open(&one_byte_source);
}

static void source(int unused)
{
	must(splice_byte(FD_FILE, FD_WRITE0, 0) == 1);
}

static void source_and_byte(void)
{
	must_have_got(0, 1, true);
	must_have_got(3, 1, true);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

SCENARIO(splice_in, "a splice from a file and a write, one slot", from_a_source, source_and_byte,
	 { "splice", source, 0 }, { "writer", put_packets, FROM(0, 1) },
	 { "reader", get_bytes, 2 });

/* What loses the race for the only place is read from the file again. */
static void from_a_file(void)
{
	pipe_make(0, 1);
	files_open(&one_byte_file);
}

static void once_from_file(void)
{
	must(file_position() == 1);
	source_and_byte();
}

SCENARIO(splice_in_again, "a splice from a file that can seek and a write, one slot", from_a_file,
	 once_from_file, { "splice", source, 0 }, { "writer", put_packets, FROM(0, 1) },
	 { "reader", get_bytes, 2 });

static void only_source(void)
{
	must_have_got(3, 1, true);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

SCENARIO(splice_in_alone, "a reader waits for a splice from a file", from_a_source, only_source,
	 { "splice", source, 0 }, { "reader", get_bytes, 1 });
