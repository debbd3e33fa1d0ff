/*
 * Reports disks that do not answer.
 *
 * 1. Every LOOK_SECONDS a kernel task looks at the counts of every disk. A disk that has had
 *    requests in flight for SILENT_ROUNDS looks, and has answered none of them, is named in the log
 *    once. It is named once more when it answers. Requests pay nothing for this.
 * 2. Nothing else happens. Tasks that wait for the disk go on waiting, since it may come back.
 * 3. The counts are read without a lock. An answer that arrives between the two reads is seen by
 *    the next look.
 */
#include "drivers/disk/block.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/process/report.h"
#include "kernel/task.h"

#define LOOK_SECONDS  2u
#define SILENT_ROUNDS 3u

static void look_at(struct block_device *device)
{
	int answers = atomic_read(&device->reads) + atomic_read(&device->writes);
	int owed = atomic_read(&device->in_flight);

	if (owed == 0 || answers != device->watch.answers) {
		if (device->watch.rounds >= SILENT_ROUNDS)
			log_warning("%s answers again", device->name);
		device->watch.answers = answers;
		device->watch.rounds = 0;
		return;
	}
	if (device->watch.rounds < SILENT_ROUNDS && ++device->watch.rounds == SILENT_ROUNDS)
		log_warning("%s has not answered for %u s, requests in flight: %d", device->name,
			    SILENT_ROUNDS * LOOK_SECONDS, owed);
}

static void watch(void *unused)
{
	struct block_device *device;

	for (;;) {
		current->state = TASK_UNINTERRUPTIBLE; /* only the clock wakes it */
		(void)schedule_until(time_now() + LOOK_SECONDS * NSEC_PER_SEC);
		list_for_each(device, &block_devices, link)
			if (!device->whole)
				look_at(device);
	}
}

static void print_owed(void)
{
	struct block_device *device;

	list_for_each(device, &block_devices, link)
		if (atomic_read(&device->in_flight) > 0 && !device->whole)
			log_warning("%s: requests in flight: %d", device->name,
				    atomic_read(&device->in_flight));
}
static struct reporter owed = { .print = print_owed };

static void block_watch_init(void)
{
	report_add(&owed);
	if (IS_ERR(kernel_task_start("block watch", watch, NULL)))
		cannot_start("too little memory for the disk watch");
}
INITCALL(2, block_watch_init);
