/*
 * The queues of a loop device. The contract is in drivers/disk/loop_queue.h.
 *
 * Both tasks sleep on io->work, and those who freeze or stop the device sleep on io->idle. Each
 * condition changes with io->lock held, before the wakeup. A sleeper tests it with this lock held,
 * when it is on the queue already. So no wakeup is lost.
 */
#include "drivers/disk/loop_queue.h"
#include "kernel/task.h"
#include "lib/errno.h"
#include "lib/print.h"

void loop_io_init(struct loop_io *io, int (*carry_out)(struct loop_task *task, struct bio *bio))
{
	spin_init(&io->lock, "loop queues");
	wait_queue_init(&io->work, "loop work");
	wait_queue_init(&io->idle, "loop idle");
	io->carry_out = carry_out;
	for (unsigned int i = 0; i < LOOP_TASKS; i++) {
		io->tasks[i].io = io;
		list_init(&io->tasks[i].bios);
	}
}

/* ---- the reserve ---- */

static void fill_reserve(struct loop_task *task)
{
	current->writes_for_memory = true;
	for (unsigned int i = 0; i < LOOP_RESERVE; i++)
		if (!task->reserve[i])
			task->reserve[i] = page_alloc(0, ALLOC_OPTIONAL);
}

void loop_give_up_reserve(struct loop_task *task)
{
	for (unsigned int i = 0; i < LOOP_RESERVE; i++)
		if (task->reserve[i]) {
			page_put(task->reserve[i]);
			task->reserve[i] = NULL;
		}
	current->writes_for_memory = false;
}

/* ---- the tasks ---- */

/* Take the next bio. Returns NULL if there is none. *end is set if there will be no more. */
static struct bio *take_bio(struct loop_task *task, bool *end)
{
	struct loop_io *io = task->io;
	struct bio *bio = NULL;

	spin_lock(&io->lock);
	if (list_empty(&task->bios)) {
		*end = !io->open;
	} else if (!io->frozen) {
		bio = list_first(&task->bios, struct bio, link);
		list_del(&bio->link);
		task->busy = true;
	}
	spin_unlock(&io->lock);
	return bio;
}

static void carry_out(struct loop_task *task, struct bio *bio)
{
	struct loop_io *io = task->io;

	bio_complete(bio, io->carry_out(task, bio));
	spin_lock(&io->lock);
	task->busy = false;
	spin_unlock(&io->lock);
	wake_all(&io->idle);
}

static void run(void *arg)
{
	struct loop_task *task = arg;
	struct loop_io *io = task->io;
	struct bio *bio = NULL;
	bool end = false;

	for (;;) {
		fill_reserve(task);
		(void)wait_event_interruptible(&io->work, (bio = take_bio(task, &end)) || end);
		if (!bio)
			break;
		carry_out(task, bio);
	}
	loop_give_up_reserve(task);
	spin_lock(&io->lock);
	io->nr_tasks--;
	spin_unlock(&io->lock);
	wake_all(&io->idle);
}

int loop_tasks_start(struct loop_io *io, const char *name)
{
	static const char *const kinds[LOOP_TASKS] = { "reads", "writes" };
	char task_name[24];

	io->open = true; /* there are no tasks yet, and the device has no sectors */
	for (unsigned int i = 0; i < LOOP_TASKS; i++) {
		snprintf(task_name, sizeof(task_name), "%s %s", name, kinds[i]);
		spin_lock(&io->lock);
		io->nr_tasks++;
		spin_unlock(&io->lock);
		if (!IS_ERR(kernel_task_start(task_name, run, &io->tasks[i])))
			continue;
		spin_lock(&io->lock);
		io->nr_tasks--;
		spin_unlock(&io->lock);
		loop_tasks_stop(io);
		return -ENOMEM;
	}
	return 0;
}

static bool have_ended(struct loop_io *io)
{
	bool ended;

	spin_lock(&io->lock);
	ended = io->nr_tasks == 0;
	spin_unlock(&io->lock);
	return ended;
}

void loop_tasks_stop(struct loop_io *io)
{
	spin_lock(&io->lock);
	io->open = false;
	spin_unlock(&io->lock);
	wake_all(&io->work);
	wait_event(&io->idle, have_ended(io));
}

/* ---- bios ---- */

void loop_submit(struct loop_io *io, struct bio *bio)
{
	struct loop_task *task = &io->tasks[bio->write ? LOOP_WRITES : LOOP_READS];
	bool open;

	spin_lock(&io->lock);
	open = io->open;
	if (open)
		list_add_tail(&task->bios, &bio->link);
	spin_unlock(&io->lock);
	if (open)
		wake_all(&io->work);
	else
		bio_complete(bio, -EIO);
}

static bool is_idle(struct loop_io *io)
{
	bool busy = false;

	spin_lock(&io->lock);
	for (unsigned int i = 0; i < LOOP_TASKS; i++)
		busy |= io->tasks[i].busy;
	spin_unlock(&io->lock);
	return !busy;
}

void loop_freeze(struct loop_io *io)
{
	spin_lock(&io->lock);
	io->frozen = true;
	spin_unlock(&io->lock);
	wait_event(&io->idle, is_idle(io));
}

void loop_thaw(struct loop_io *io)
{
	spin_lock(&io->lock);
	io->frozen = false;
	spin_unlock(&io->lock);
	wake_all(&io->work);
}
