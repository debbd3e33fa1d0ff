/* The queues of a loop device, drivers/disk/loop_queue.c: bios, both tasks, and changes. */
#include "drivers/disk/loop_queue.h"
#include "shim.h"

static struct loop_io io;
static int file; /* the file that the device has; 0: none */
static unsigned int nr_carried_out, nr_failed;

static int carry_out(struct loop_task *task, struct bio *bio)
{
	int before = file;

	must(task == &io.tasks[bio->write ? LOOP_WRITES : LOOP_READS]);
	must(before != 0);
	loop_give_up_reserve(task);
	must(file == before);
	__sync_fetch_and_add(&nr_carried_out, 1);
	return 0;
}

static const struct block_device_ops ops;
static struct block_device device = { .ops = &ops, .sectors = 100 };

/* Only the task for writes runs, as if the other one had ended. */
static void bind(void)
{
	ex_count_memory();
	loop_io_init(&io, carry_out);
	file = 1;
	must(loop_tasks_start(&io, "loop") == 0);
	io.nr_tasks = 1;
}

static void run_task(int kind)
{
	ex_kernel_task(&io.tasks[kind]);
}

static void complete(struct bio *bio)
{
	__sync_fetch_and_add(&nr_failed, bio->error != 0);
	bio_free(bio);
}

static void submit(int nr)
{
	while (nr-- > 0) {
		struct bio *bio = bio_alloc(&device, 0, true, 0);

		bio->complete = complete;
		loop_submit(&io, bio);
	}
}

static void unbind(int unused)
{
	loop_tasks_stop(&io);
	file = 0;
}

static void change_file(int unused)
{
	loop_freeze(&io);
	file = 2;
	loop_thaw(&io);
	unbind(0);
}

static void all_have_ended(void)
{
	must(nr_carried_out + nr_failed == 2);
	must(io.nr_tasks == 0);
	ex_must_have_freed();
}

SCENARIO(loop_unbind, "two bios for a loop device that is unbound", bind, all_have_ended,
	 { "user", submit, 2 }, { "writes", run_task, LOOP_WRITES }, { "unbind", unbind, 0 });

SCENARIO(loop_change, "two bios while another file is bound, and then none", bind, all_have_ended,
	 { "user", submit, 2 }, { "writes", run_task, LOOP_WRITES }, { "change", change_file, 0 });
