/* User memory that is not there: the mutex goes, and the operation starts over. */
#include "pipes.h"

static unsigned char buffer[4];

static void absent_buffer(void)
{
	pipe_make(0, 1);
	buffer[0] = 0x00;
	buffer[1] = 0x01;
	ex_user_absent(buffer, sizeof(buffer));
}

static void read_absent(int unused)
{
	struct iter to;
	ssize_t n;

	iter_init_user(&to, buffer, 2);
	n = pipe_file_ops.read(&ends[0].reader, &to, NULL);
	must(n == 1 || n == 2);
	for (int i = 0; i < n; i++)
		got_byte(buffer[i]);
	if (n == 1)
		get_bytes(1);
}

static void write_absent(int unused)
{
	struct iter from;

	iter_init_user(&from, buffer, 2);
	must(pipe_file_ops.write(&ends[0].writer, &from, NULL) == 2);
}

static void got_two(void)
{
	must_have_got(0, 2, true);
	pipe_must_be_at_rest(0);
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
