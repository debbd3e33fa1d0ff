/*
 * The queues of a loop device, and the tasks that carry out its bios.
 *
 * 1. Bios are added by loop_submit() and carried out in order, reads by one task, writes and
 *    flushes by the other.
 * 2. While the queues are frozen, bios are kept, and no task has one.
 * 3. loop_tasks_stop() waits until all bios have ended. A bio that is submitted later fails.
 * 4. io->lock, a plain spinlock, guards all fields but the reserves. It is not held while a bio is
 *    carried out or completed.
 * 5. Each task has a few pages in reserve, which are for the time when memory has ended. While it
 *    has them, it asks nobody else for memory (kernel/process/oom.h).
 */
#ifndef DRIVERS_DISK_LOOP_QUEUE_H
#define DRIVERS_DISK_LOOP_QUEUE_H

#include "drivers/disk/block.h"
#include "kernel/wait.h"

#define LOOP_RESERVE 8u /* pages */

enum loop_task_kind { LOOP_READS, LOOP_WRITES, LOOP_TASKS };

struct loop_io;

struct loop_task {
	struct loop_io *io;
	struct list bios;		    /* not taken yet */
	bool busy;			    /* the task has a bio */
	struct page *reserve[LOOP_RESERVE]; /* the task's own; NULL: given up */
};

struct loop_io {
	spinlock_t lock;
	bool open;   /* bios are accepted */
	bool frozen; /* no bio is taken */
	unsigned int nr_tasks;
	struct wait_queue work; /* the tasks */
	struct wait_queue idle; /* those who freeze or stop the tasks */
	struct loop_task tasks[LOOP_TASKS];
	/* Carries out a bio in its task, and returns its error, 0 or -EIO. May sleep. */
	int (*carry_out)(struct loop_task *task, struct bio *bio);
};

/* Prepare the queues of a new device. Never sleeps. */
void loop_io_init(struct loop_io *io, int (*carry_out)(struct loop_task *task, struct bio *bio));
/*
 * Start the tasks, whose names begin with `name`, and accept bios. Returns 0 or -ENOMEM. May sleep.
 */
int loop_tasks_start(struct loop_io *io, const char *name);
/* End the tasks, after all bios that have been submitted. Sleeps, and no signal ends that. */
void loop_tasks_stop(struct loop_io *io);
/* Add a bio, or complete it with -EIO if none are accepted. Never sleeps. */
void loop_submit(struct loop_io *io, struct bio *bio);
/* Keep the bios, and wait until none is being carried out. No signal ends the wait. */
void loop_freeze(struct loop_io *io);
/* Go on with the bios that have been kept. Never sleeps. */
void loop_thaw(struct loop_io *io);
/*
 * For carry_out: there was no memory. Give up the reserve. Until the bio has ended, the task asks
 * for memory like any other.
 */
void loop_give_up_reserve(struct loop_task *task);

#endif
