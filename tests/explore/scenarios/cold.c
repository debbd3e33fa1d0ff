/* Slots whose bytes a disk is still reading: arrival against read, poll, close, errors. */
#include "fs/file/poll.h"
#include "files.h"

/* Pipe 0 has a slot with two bytes on their way. */
static void cold_pipe(void)
{
	cold_page_make();
	pipe_make(0, 2);
	files_open(&cold_source);
	must(splice_bytes(FD_FILE, FD_WRITE0, 2) == 2);
}

static void done(void)
{
	pipe_must_be_at_rest(0);
	cold_page_put();
	must(atomic_read(&file_inode.refs) == 1 && atomic_read(&file_inode.mapping.reads) == 0);
	ex_must_have_freed();
}

static void got_two(void)
{
	must_have_got(3, 2, false);
	done();
}

SCENARIO(cold_read, "a reader waits for the disk", cold_pipe, got_two, { "reader", get_bytes, 2 },
	 { "disk", disk_serve, 1 });

SCENARIO(cold_two_readers, "two readers wait for one page", cold_pipe, got_two,
	 { "reader0", get_bytes, 1 }, { "reader1", get_bytes, 1, TWIN }, { "disk", disk_serve, 1 });

static void got_two_and_one(void)
{
	must_have_got(0, 1, true);
	got_two();
}

SCENARIO(cold_and_write, "the page arrives while a writer adds a slot", cold_pipe, got_two_and_one,
	 { "reader", get_bytes, 3 }, { "disk", disk_serve, 1 },
	 { "writer", put_bytes, FROM(0, 1) });

/* The disk ends its read only after a reader that does not wait has returned. */
static void look_and_serve(int unused)
{
	struct file nonblocking = ends[0].reader;
	unsigned char byte;
	struct iter to;

	nonblocking.flags = O_NONBLOCK;
	iter_init_user(&to, &byte, 1);
	must(pipe_file_ops.read(&nonblocking, &to, NULL) == -EAGAIN);
	disk_serve(1);
}

SCENARIO(cold_nonblock, "a reader that waits for the disk holds up no other", cold_pipe, got_two,
	 { "reader", get_bytes, 2 }, { "other", look_and_serve, 0 });

/* ---- poll ---- */

static void poll_and_read(int unused)
{
	struct pollfd fd = { FD_READ0, POLLIN, 0 };
	struct file *reader = &ends[0].reader;

	must(poll_until(&fd, 1, POLLERR | POLLHUP, UINT64_MAX) == 1);
	must(fd.revents & POLLIN);
	/* What poll says is so: this read does not wait. */
	reader->flags |= O_NONBLOCK;
	get_bytes(2);
}

SCENARIO(cold_poll, "poll waits for the disk, and then a read does not wait", cold_pipe, got_two,
	 { "poller", poll_and_read, 0 }, { "disk", disk_serve, 1 });

/* ---- closing ---- */

static void close_both(int unused)
{
	pipe_release(&ends[0].writer);
	pipe_release(&ends[0].reader);
}

static void only_page(void)
{
	cold_page_put();
	must(atomic_read(&file_inode.refs) == 1);
	ex_must_have_freed();
}

SCENARIO(cold_close, "the pipe goes while its page is being read", cold_pipe, only_page,
	 { "closer", close_both, 0 }, { "disk", disk_serve, 1 });

static void close_writer(int unused)
{
	pipe_release(&ends[0].writer);
}

static void got_two_and_end(void)
{
	must_have_got(3, 2, true);
	pipe_release(&ends[0].reader);
	only_page();
}

SCENARIO(cold_end, "the last writer closes while a reader waits for the disk", cold_pipe,
	 got_two_and_end, { "reader", get_to_end, 0 }, { "closer", close_writer, 0 },
	 { "disk", disk_serve, 1 });

/* A poll has armed the arrival waiter. */
static void poll_and_close(int unused)
{
	struct pollfd fd = { FD_READ0, POLLIN, 0 };

	must(poll_until(&fd, 1, POLLERR | POLLHUP, 0) <= 1);
	pipe_file_ops.poll(&ends[0].reader, NULL);
	close_both(0);
}

SCENARIO(cold_poll_close, "the pipe goes after a poll has armed its arrival waiter", cold_pipe,
	 only_page, { "closer", poll_and_close, 0 }, { "disk", disk_serve, 1 });

/* ---- errors ---- */

static void failing_pipe(void)
{
	disk_failing = true;
	cold_pipe();
}

static void get_with_errors(int n)
{
	int errors = 0;

	while (n > 0) {
		int byte = pipe_get_byte(0);

		must(byte >= 0 || (byte == -EIO && ++errors < 4));
		if (byte < 0)
			continue;
		got_byte(byte);
		n--;
	}
}

SCENARIO(cold_error, "the first read fails; a reader is told, and the second one heals it",
	 failing_pipe, got_two, { "reader", get_with_errors, 2 }, { "disk", disk_serve, 2 });

SCENARIO(cold_error_two, "the same with two readers", failing_pipe, got_two,
	 { "reader0", get_with_errors, 1 }, { "reader1", get_with_errors, 1, TWIN },
	 { "disk", disk_serve, 2 });

/* poll may say that there is something before a read finds that the disk was not asked. */
static void poll_and_read_later(int unused)
{
	struct pollfd fd = { FD_READ0, POLLIN, 0 };

	must(poll_until(&fd, 1, POLLERR | POLLHUP, UINT64_MAX) == 1);
	get_bytes(2);
}

/* The disk was not asked, so no reader is told. The first one to notice asks it. */
static void pipe_of_killed_reader(void)
{
	reader_killed = true;
	cold_pipe();
}

SCENARIO(cold_not_read, "whoever asked for a page was killed; a reader asks again",
	 pipe_of_killed_reader, got_two, { "reader", get_bytes, 2 }, { "disk", disk_serve, 2 });

SCENARIO(cold_not_read_two, "the same with two readers", pipe_of_killed_reader, got_two,
	 { "reader0", get_bytes, 1 }, { "reader1", get_bytes, 1, TWIN }, { "disk", disk_serve, 2 });

SCENARIO(cold_not_read_poll, "the same, and poll waits with the reader", pipe_of_killed_reader,
	 got_two, { "poller", poll_and_read_later, 0 }, { "disk", disk_serve, 2 });

/* The page leaves its file: the promise is broken once, and then forgotten. */
static void get_lost(int unused)
{
	int byte, n = 0, calls = 0;

	while ((byte = pipe_get_byte(0)) != 0x00) {
		must(byte == -EIO || byte == -ENODATA || byte >> 4 == 3);
		n += byte == -ENODATA;
		must(n <= 1 && ++calls < 8);
	}
	got_byte(byte);
}

static void lost_pipe(void)
{
	failing_pipe();
	pipe_put_byte(0, 0x00, false);
}

/* A reader that was told of the error starts the read again, perhaps before the page leaves. */
static void fail_and_lose(int unused)
{
	do
		disk_serve(1);
	while (!cold_page_lose());
}

static void lost(void)
{
	must_have_got(0, 1, true);
	done();
}

SCENARIO(cold_lost, "the read fails and the page leaves its file; what follows is read", lost_pipe,
	 lost, { "reader", get_lost, 0 }, { "disk", fail_and_lose, 0 });

/* ---- two pipes with one page ---- */

static void cold_two_pipes(void)
{
	cold_pipe();
	pipe_make(1, 2);
	files_open(&cold_source);
	must(splice_bytes(FD_FILE, FD_WRITE1, 2) == 2);
}

static void get_other(int unused)
{
	must(pipe_get_byte(1) == 0x30);
	must(pipe_get_byte(1) == 0x31);
}

static void got_both(void)
{
	pipe_must_be_at_rest(1);
	got_two();
}

SCENARIO(cold_two_pipes_one_page, "two lazy readers of one page", cold_two_pipes, got_both,
	 { "reader0", get_bytes, 2 }, { "reader1", get_other, 0 }, { "disk", disk_serve, 1 });

/* ---- moving what has not arrived ---- */

static void two_empty_pipes(void)
{
	cold_page_make();
	pipe_make(0, 1);
	pipe_make(1, 1);
	files_open(&cold_source);
}

static void add_cold_slot(int unused)
{
	must(splice_bytes(FD_FILE, FD_WRITE0, 2) == 2);
}

static void cold_move(void)
{
	two_empty_pipes();
	add_cold_slot(0);
}

static void get_other_counted(int unused)
{
	for (int i = 0; i < 2; i++) {
		int byte = pipe_get_byte(1);

		must(byte >= 0);
		got_byte(byte);
	}
}

static void move_and_serve(int unused)
{
	must(splice_bytes(FD_READ0, FD_WRITE1, 2) == 2);
	disk_serve(1);
}

SCENARIO(cold_move_first, "a move does not wait for the disk; the reader of the other pipe does",
	 cold_move, got_both, { "mover", move_and_serve, 0 }, { "reader", get_other_counted, 0 });

/* The disk ends its read only after a splice that waited for a slot has moved it. */
static void other_has_two(void)
{
	pipe_drain(1);
	got_both();
}

SCENARIO(cold_mover_waits, "a move waits for a slot, but not for its bytes", two_empty_pipes,
	 other_has_two, { "mover", move_and_serve, 0 }, { "splice", add_cold_slot, 0 });

/*
 * A reader waits for the first slot, which moves away. The disk ends its read only after that
 * reader.
 */
static void cold_then_byte(void)
{
	cold_page_make();
	pipe_make(0, 2);
	pipe_make(1, 1);
	files_open(&cold_source);
	must(splice_bytes(FD_FILE, FD_WRITE0, 2) == 2);
	pipe_put_byte(0, 0x00, false);
}

static void move_first(int unused)
{
	must(splice_bytes(FD_READ0, FD_WRITE1, 2) == 2);
}

static void get_first_and_serve(int unused)
{
	int byte = pipe_get_byte(0);

	must(byte == 0x00);
	got_byte(byte);
	disk_serve(1);
}

static void moved_away(void)
{
	must_have_got(0, 1, true);
	pipe_drain(1);
	got_both();
}

SCENARIO(cold_moved_away, "the slot that a reader waits for moves away", cold_then_byte, moved_away,
	 { "mover", move_first, 0 }, { "reader", get_first_and_serve, 0 });

static void throw_away(int unused)
{
	must(splice_bytes(FD_READ0, FD_FILE, 2) == 2);
}

static void thrown_away(void)
{
	must_have_got(0, 1, true);
	pipe_must_be_at_rest(1);
	done();
}

SCENARIO(cold_thrown_away, "the slot that a reader waits for goes to /dev/null", cold_then_byte,
	 thrown_away, { "sink", throw_away, 0 }, { "reader", get_first_and_serve, 0 });

/* ---- a copy of what has not arrived ---- */

static void tee_and_get(int unused)
{
	must(tee_byte(FD_READ0, FD_WRITE1) == 1);
	get_bytes(2);
}

static void get_copy(int unused)
{
	must(pipe_get_byte(1) == 0x30);
}

SCENARIO(cold_tee, "a slot on its way is copied while it arrives, and both are read", cold_move,
	 got_both, { "tee", tee_and_get, 0 }, { "reader", get_copy, 0 }, { "disk", disk_serve, 1 });

/* ---- waiting for the page itself ---- */

static void wait_for_page(int error)
{
	must(cold_page_wait() == error);
}

SCENARIO(cold_wait, "two tasks wait for one page", cold_page_make, only_page,
	 { "waiter0", wait_for_page, 0 }, { "waiter1", wait_for_page, 0, TWIN },
	 { "disk", disk_serve, 1 });

static void failing_page(void)
{
	disk_failing = true;
	cold_page_make();
}

SCENARIO(cold_wait_error, "a task that waits for a page is told that its read has failed",
	 failing_page, only_page, { "waiter", wait_for_page, -EIO }, { "disk", disk_serve, 1 });

static void page_of_killed_reader(void)
{
	reader_killed = true;
	cold_page_make();
}

SCENARIO(cold_wait_not_read, "a task that waits for a page that was not read asks the disk itself",
	 page_of_killed_reader, only_page, { "waiter", wait_for_page, 0 },
	 { "disk", disk_serve, 2 });

static void wait_for_lost_page(int unused)
{
	int error = cold_page_wait();

	must(error == -EIO || error == -ENODATA);
}

static void fail_lose_and_wait(int unused)
{
	fail_and_lose(0);
	must(cold_page_wait() == -ENODATA);
}

SCENARIO(cold_wait_lost, "the page leaves its file after its read has failed", failing_page,
	 only_page, { "waiter", wait_for_lost_page, 0 }, { "disk", fail_lose_and_wait, 0 });

/* The disk ends its read only after the task that waited has gone. */
static void wait_until_killed(int unused)
{
	must(cold_page_wait() == -ERESTARTSYS);
	disk_serve(1);
}

static void kill_waiter(int unused)
{
	ex_kill(0);
}

SCENARIO(cold_wait_killed, "a task that waits for a page can be killed", cold_page_make, only_page,
	 { "waiter", wait_until_killed, 0 }, { "killer", kill_waiter, 0 });
