/* Pipes: writers and readers, bytes and packets, and the last close. */
#include "pipes.h"

/* A task takes one of the mutexes at a time here, and sleeps with neither. */
static void make(unsigned int slots)
{
	pipe_make(0, slots);
	ex_no_sleep_with(&ends[0].pipe->ring.consumer);
	ex_no_sleep_with(&ends[0].pipe->ring.producer);
}

static void one_slot(void)
{
	make(1);
}

static void two_slots(void)
{
	make(2);
}

static void full_slot(void)
{
	struct ring *ring;

	one_slot();
	ring = &ends[0].pipe->ring;
	pipe_put_byte(0, FROM(0, 0), false);
	/* As in a slot that was moved here: nothing may be appended. */
	ring_at(ring, ring->tail)->flags = 0;
}

static void got_two_of_each(void)
{
	must_have_got(0, 2, false);
	must_have_got(1, 2, false);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

SCENARIO(bytes_1_1, "one writer, one reader, one slot: the second byte may be merged", one_slot,
	 pipe_gave_two_in_order, { "writer", put_bytes, FROM(0, 2) }, { "reader", get_bytes, 2 });

SCENARIO(full_1_1, "the only slot is full of bytes, and the writer waits for its end", full_slot,
	 pipe_gave_one_of_each, { "writer", put_bytes, FROM(1, 1) }, { "reader", get_bytes, 2 });

/*
 * A splice to a file takes the slot, sleeps, and keeps its place meanwhile. A writer that was about
 * to append finds neither the slot nor a place. The splice has two tasks here, since its sleep is
 * no preemption.
 */
static struct pipe_slot spliced;
static struct wait_queue written;
static bool taken;

static void one_byte(void)
{
	one_slot();
	wait_queue_init(&written, "written");
	pipe_put_byte(0, FROM(0, 0), false);
}

static void splice_takes(int unused)
{
	struct ring *ring = &ends[0].pipe->ring;

	spin_lock(&ring->lock);
	spliced = *ring_at(ring, ring->tail);
	ring_take(ring, 1, spliced.len);
	spin_unlock(&ring->lock);
	WRITE_ONCE(taken, true);
	wake_all(&written);
}

static void splice_settles(int unused)
{
	struct ring *ring = &ends[0].pipe->ring;

	must(wait_event_killable(&written, READ_ONCE(taken)) == 0);
	ring_free_places(ring);
	wake_all(&ring->writable);
	wake_all(&ring->readable);
	slot_release(&spliced);
}

static void spliced_or_left(void)
{
	size_t left = ends[0].pipe->ring.bytes;

	if (spliced.len + left != 2)
		ex_fail("%u bytes were spliced and %zu are left, of 2", spliced.len, left);
	if (left > 0)
		must(pipe_get_byte(0) == FROM(1, 0));
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

SCENARIO(kept_1_1, "a writer appends while a splice takes the slot and keeps its place", one_byte,
	 spliced_or_left, { "writer", put_bytes, FROM(1, 1) }, { "splice", splice_takes, 0 },
	 { "splice's end", splice_settles, 0 });

SCENARIO(packets_1_1, "the same with packets: the ring is full after each", one_slot,
	 pipe_gave_two_in_order, { "writer", put_packets, FROM(0, 2) }, { "reader", get_bytes, 2 });

SCENARIO(bytes_2_2, "two writers, two readers, one slot", one_slot, pipe_gave_one_of_each,
	 { "writer0", put_bytes, FROM(0, 1) }, { "writer1", put_bytes, FROM(1, 1), TWIN },
	 { "reader0", get_bytes, 1 }, { "reader1", get_bytes, 1, TWIN });

SCENARIO(packets_2_2, "the same with packets", one_slot, pipe_gave_one_of_each,
	 { "writer0", put_packets, FROM(0, 1) }, { "writer1", put_packets, FROM(1, 1), TWIN },
	 { "reader0", get_bytes, 1 }, { "reader1", get_bytes, 1, TWIN });

SCENARIO(mixed_2_2_two_slots, "bytes and packets, two readers, two slots", two_slots,
	 pipe_gave_one_of_each, { "writer0", put_bytes, FROM(0, 1) },
	 { "writer1", put_packets, FROM(1, 1) }, { "reader0", get_bytes, 1 },
	 { "reader1", get_bytes, 1, TWIN });

SCENARIO(packets_2_1, "two writers of packets, one reader, one slot", one_slot,
	 pipe_gave_one_of_each, { "writer0", put_packets, FROM(0, 1) },
	 { "writer1", put_packets, FROM(1, 1), TWIN }, { "reader", get_bytes, 2 });

SCENARIO(packets_1_2, "one writer of packets, two readers, one slot", one_slot, pipe_gave_two,
	 { "writer", put_packets, FROM(0, 2) }, { "reader0", get_bytes, 1 },
	 { "reader1", get_bytes, 1, TWIN });

SCENARIO(bytes_2_1_two_slots, "two writers, one reader, two slots", two_slots, got_two_of_each,
	 { "writer0", put_bytes, FROM(0, 2) }, { "writer1", put_bytes, FROM(1, 2), TWIN },
	 { "reader", get_bytes, 4 });

SCENARIO(packets_2_1_two_slots, "the same with packets", two_slots, got_two_of_each,
	 { "writer0", put_packets, FROM(0, 2) }, { "writer1", put_packets, FROM(1, 2), TWIN },
	 { "reader", get_bytes, 4 });

SCENARIO(mixed_2_1_two_slots, "bytes and packets, one reader, two slots", two_slots,
	 pipe_gave_one_of_each, { "writer0", put_bytes, FROM(0, 1) },
	 { "writer1", put_packets, FROM(1, 1) }, { "reader", get_bytes, 2 });

/* ---- the last close ---- */

static void got_one_and_end(void)
{
	must_have_got(0, 1, true);
	must(!ends[0].pipe->ring.consumer.owner && !ends[0].pipe->ring.producer.owner);
	must(list_empty(&ends[0].pipe->ring.readable.waiters));
	pipe_release(&ends[0].reader);
	ex_must_have_freed();
}

static void got_two_and_end(void)
{
	must_have_got(0, 2, false);
	pipe_release(&ends[0].reader);
	ex_must_have_freed();
}

SCENARIO(close_1_1, "write, close, read to the end", one_slot, got_one_and_end,
	 { "writer", put_and_close, FROM(0, 1) }, { "reader", get_to_end, 0 });

SCENARIO(close_1_2, "the same with two readers, both of which must see the end", one_slot,
	 got_one_and_end, { "writer", put_and_close, FROM(0, 1) }, { "reader0", get_to_end, 0 },
	 { "reader1", get_to_end, 0, TWIN });

SCENARIO(close_packets, "two packets, close, two readers", one_slot, got_two_and_end,
	 { "writer", put_packets_and_close, FROM(0, 2) }, { "reader0", get_to_end, 0 },
	 { "reader1", get_to_end, 0, TWIN });

/* The pipe may be left with a byte: the writer's close is the last one. */
static void broken_off(void)
{
	pipe_release(&ends[0].writer);
	ex_must_have_freed();
}

static void get_one_and_close(int unused)
{
	got_byte(pipe_get_byte(0));
	pipe_release(&ends[0].reader);
}

SCENARIO(broken, "the reader closes after a byte; writers that wait get EPIPE", one_slot,
	 broken_off, { "writer0", put_packets, FROM(0, 2) }, { "writer1", put_packets, FROM(1, 1) },
	 { "reader", get_one_and_close, 0 });

/* ---- a kill ---- */

/* The byte that it got, if it was not killed before, is not lost. */
static void get_or_be_killed(int unused)
{
	int byte = pipe_get_byte(0);

	must(byte >= 0 || (byte == -ERESTARTSYS && ex_killed()));
	if (byte >= 0)
		got_byte(byte);
}

static void kill_first(int unused)
{
	ex_kill(0);
}

/* What the killed reader left is still there. */
static void got_two_or_left(void)
{
	while (ends[0].pipe->ring.head != ends[0].pipe->ring.tail)
		got_byte(pipe_get_byte(0));
	pipe_gave_two();
}

SCENARIO(kill_reader, "a reader is killed; another one and a writer go on", two_slots,
	 got_two_or_left, { "killed", get_or_be_killed, 0 }, { "reader", get_bytes, 1 },
	 { "writer", put_bytes, FROM(0, 2) }, { "killer", kill_first, 0 });
