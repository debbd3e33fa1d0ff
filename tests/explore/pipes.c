/* What scenarios with pipes have in common: see pipes.h. */
#include "pipes.h"
#include "cached.h"

struct ends ends[2];
static struct inode inode;
static unsigned char got[64];
static unsigned int nr_got;

void pipe_make(int number, unsigned int slots)
{
	struct ends *e = &ends[number];
	struct pipe *pipe = pipe_alloc(&inode);

	e->pipe = pipe;
	pipe->ring.nr_slots = pipe->ring.max_slots = slots;
	pipe->ring.readers = pipe->ring.writers = 1;
	pipe->users = 2;
	e->reader = (struct file){ .private = pipe, .readable = true, .ops = &pipe_file_ops };
	e->writer = (struct file){ .private = pipe, .writable = true, .ops = &pipe_file_ops };
	e->packets = e->writer;
	e->packets.flags = O_DIRECT;
	atomic_set(&e->reader.refs, 1);
	atomic_set(&e->writer.refs, 1);
	ex_no_faults_with(&pipe->ring.consumer);
	ex_no_faults_with(&pipe->ring.producer);
}

void pipe_put_byte(int number, unsigned char byte, bool packet)
{
	struct file *file = packet ? &ends[number].packets : &ends[number].writer;
	struct iter from;
	ssize_t n;

	iter_init_user(&from, &byte, 1);
	n = pipe_file_ops.write(file, &from, NULL);
	must(n == 1 || (n == -EPIPE && READ_ONCE(ends[number].pipe->ring.readers) == 0) ||
	     ex_killed());
}

int pipe_get_byte(int number)
{
	unsigned char byte = 0xee;
	struct iter to;
	ssize_t n;

	iter_init_user(&to, &byte, 1);
	n = pipe_file_ops.read(&ends[number].reader, &to, NULL);
	must(n <= 1);
	return n > 0 ? byte : n < 0 ? n : -1;
}

/* The page of the first slot, or NULL. */
static struct page *first_page(struct ring *ring)
{
	struct page *page = NULL;

	spin_lock(&ring->lock);
	if (ring_used(ring) > 0)
		page = ring_at(ring, ring->tail)->page;
	spin_unlock(&ring->lock);
	return page;
}

void pipe_look_twice(int unused)
{
	struct ring *ring = &ends[0].pipe->ring;
	struct page *page;
	unsigned char seen;

	wait_event(&ring->readable, (page = first_page(ring)) != NULL);
	seen = page_bytes(page)[0];
	must(seen == 1 || seen == 2);
	must(page_bytes(page)[0] == seen);
}

int pipe_must_have(unsigned char one, unsigned char other)
{
	int byte = pipe_get_byte(0);

	must(byte == one || byte == other);
	pipe_release(&ends[0].reader);
	pipe_release(&ends[0].writer);
	return byte;
}

static void put(int from, bool packet)
{
	for (int i = 0; i < (from & 15); i++)
		pipe_put_byte(0, (from & 0xf0) | i, packet);
}

void put_bytes(int from)
{
	put(from, false);
}

void put_packets(int from)
{
	put(from, true);
}

void put_and_close(int from)
{
	put(from, false);
	pipe_release(&ends[0].writer);
}

void put_packets_and_close(int from)
{
	put(from, true);
	pipe_release(&ends[0].writer);
}

void put_at_once(int from)
{
	unsigned char bytes[16];
	struct iter source;

	for (int i = 0; i < (from & 15); i++)
		bytes[i] = (from & 0xf0) | i;
	iter_init_user(&source, bytes, from & 15);
	must(pipe_file_ops.write(&ends[0].writer, &source, NULL) == (from & 15));
}

void get_bytes(int n)
{
	while (n-- > 0) {
		int byte = pipe_get_byte(0);

		must(byte >= 0);
		got_byte(byte);
	}
}

void get_to_end(int unused)
{
	int byte;

	while ((byte = pipe_get_byte(0)) >= 0)
		got_byte(byte);
	must(byte == -1);
}

void close_reader(int unused)
{
	pipe_release(&ends[0].reader);
}

/* One step, since no task looks at what others got. */
ONE_STEP void got_byte(unsigned char byte)
{
	ex_changes(&nr_got, sizeof(nr_got));
	ex_changes(&got[nr_got], 1);
	got[nr_got++] = byte;
}

void must_have_got(int writer, unsigned int n, bool in_order)
{
	unsigned int seen = 0, count = 0;

	for (unsigned int i = 0; i < nr_got; i++) {
		unsigned int place = got[i] & 15;

		must(got[i] < 0x40);
		if (got[i] >> 4 != writer)
			continue;
		if (in_order && place != count)
			ex_fail("byte %u of writer %d comes as number %u", place, writer, count);
		if (seen & 1u << place)
			ex_fail("byte %u of writer %d comes twice", place, writer);
		seen |= 1u << place;
		count++;
	}
	if (count != n || seen != (1u << n) - 1)
		ex_fail("of writer %d %u bytes were read, not %u", writer, count, n);
}

void pipe_must_be_at_rest(int number)
{
	struct pipe *pipe = ends[number].pipe;

	must(pipe->ring.head == pipe->ring.tail && pipe->ring.bytes == 0);
	must(!pipe->ring.consumer.owner && !pipe->ring.producer.owner && !pipe->ring.lock.owner);
	must(list_empty(&pipe->ring.readable.waiters) && list_empty(&pipe->ring.writable.waiters));
	pipe_release(&ends[number].reader);
	pipe_release(&ends[number].writer);
}

void pipe_gave_two_in_order(void)
{
	must_have_got(0, 2, true);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

void pipe_gave_two(void)
{
	must_have_got(0, 2, false);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}

void pipe_gave_one_of_each(void)
{
	must_have_got(0, 1, true);
	must_have_got(1, 1, true);
	pipe_must_be_at_rest(0);
	ex_must_have_freed();
}
