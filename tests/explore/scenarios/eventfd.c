/* eventfd: readers and writers of the counter. */
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/syscalls.h"
#include "files.h"
#include "shim.h"

#define COUNTER_MAX (UINT64_MAX - 1)

static uint64_t sum; /* of what readers got */

static void open_with(unsigned int flags)
{
	sum = 0;
	files_open(NULL);
	must(sys_eventfd2(0, flags) == FD_MADE);
}

static void plain(void)
{
	open_with(0);
}

static void semaphore(void)
{
	open_with(1);
}

static struct file *event_file_made(void)
{
	return current->files->slots[FD_MADE].file;
}

static void add(uint64_t value)
{
	struct file *file = event_file_made();
	struct iter from;

	iter_init_user(&from, &value, sizeof(value));
	must(file->ops->write(file, &from, NULL) == sizeof(value));
}

static uint64_t take(void)
{
	struct file *file = event_file_made();
	struct iter to;
	uint64_t value;

	iter_init_user(&to, &value, sizeof(value));
	must(file->ops->read(file, &to, NULL) == sizeof(value));
	return value;
}

static void full(void)
{
	open_with(0);
	add(COUNTER_MAX);
}

static void add_ones(int n)
{
	while (n-- > 0)
		add(1);
}

static void take_sum(int wanted)
{
	while (__atomic_load_n(&sum, __ATOMIC_SEQ_CST) < wanted)
		__atomic_fetch_add(&sum, take(), __ATOMIC_SEQ_CST);
}

static void take_one(int unused)
{
	must(take() == 1);
}

static void take_full(int unused)
{
	must(take() == COUNTER_MAX);
}

static void poll_and_take(int unused)
{
	struct pollfd fd = { FD_MADE, POLLIN, 0 };

	must(poll_until(&fd, 1, POLLERR, UINT64_MAX) == 1);
	must(fd.revents == POLLIN);
	must(take() == 1);
}

/* Closes the file. The counter is `left`. */
static void must_be_left(uint64_t left)
{
	struct file *file = event_file_made();

	file->flags |= O_NONBLOCK;
	if (left)
		must(take() == left);
	must(!(file->ops->poll(file, NULL) & POLLIN));
	files_close_made(FD_MADE);
}

static void nothing_is_left(void)
{
	must_be_left(0);
}

static void one_is_left(void)
{
	must_be_left(1);
}

SCENARIO(eventfd_sum, "two writers, and a reader that gets the sum", plain, nothing_is_left,
	 { "writer0", add_ones, 1 }, { "writer1", add_ones, 1, TWIN }, { "reader", take_sum, 2 });

SCENARIO(eventfd_semaphore, "one writer, and two readers that get 1 each", semaphore,
	 nothing_is_left, { "writer", add_ones, 2 }, { "reader0", take_one, 0 },
	 { "reader1", take_one, 0, TWIN });

SCENARIO(eventfd_full, "a writer waits for room", full, one_is_left, { "writer", add_ones, 1 },
	 { "reader", take_full, 0 });

SCENARIO(eventfd_poll, "poll for a value, then read it without waiting", plain, nothing_is_left,
	 { "poller", poll_and_take, 0 }, { "writer", add_ones, 1 });
