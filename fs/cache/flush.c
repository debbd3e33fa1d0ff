/*
 * Writing dirty pages when memory has ended. A process is killed only if that frees nothing.
 *
 * 1. A kernel task starts the writes. A task that finds no memory may hold page locks and the locks
 *    of a file system, so it cannot start them itself. It asks the task, and waits until a write
 *    has ended.
 * 2. The task writes the pages that have been in memory for longest. It only tries their locks, and
 *    takes no lock of a file system for which it would have to wait.
 * 3. The task waits for no write, so a disk that does not answer holds up no other disk.
 * 4. Nothing waits, and nobody is killed, for an allocation of the task itself. It has a few pages
 *    in reserve, which it frees when it has found no memory for a bio.
 */
#include "fs/cache/lru.h"
#include "fs/cache/pageio.h"
#include "fs/cache/writeback.h"
#include "kernel/init.h"
#include "kernel/process/oom.h"
#include "kernel/task.h"

#define BATCH	64u /* pages that are looked at for one request; each may bring its neighbours */
#define RESERVE 8u
#define WAIT_NS NSEC_PER_SEC /* the longest wait for a write: the caller may hold locks */

static struct wait_queue flush_queue = WAIT_QUEUE_INIT(flush_queue); /* the task */
static struct atomic asked;					     /* requests */
static volatile uint32_t answered; /* those for which all writes have been started */
static struct page *reserve[RESERVE];

static void fill_reserve(void)
{
	for (unsigned int i = 0; i < RESERVE; i++)
		if (!reserve[i])
			reserve[i] = page_alloc(0, ALLOC_OPTIONAL);
}

static void free_reserve(void)
{
	for (unsigned int i = 0; i < RESERVE; i++)
		if (reserve[i]) {
			page_put(reserve[i]);
			reserve[i] = NULL;
		}
}

static void write_oldest(void)
{
	struct page *pages[BATCH];
	unsigned int nr = lru_find_dirty(pages, BATCH);

	for (unsigned int i = 0; i < nr; i++) {
		if (page_try_write(pages[i]) == -ENOMEM) {
			free_reserve();
			(void)page_try_write(pages[i]);
		}
		page_put(pages[i]);
	}
}

static void flush_task(void *arg)
{
	current->writes_for_memory = true;
	for (;;) {
		uint32_t serving;

		fill_reserve();
		(void)wait_event_interruptible(&flush_queue,
					       (uint32_t)atomic_read(&asked) != answered);
		serving = atomic_read(&asked);
		write_oldest();
		answered = serving;
		wake_all(&pageio_write_queue);
	}
}

/* Has request `mine` been served, and has a write ended since `before`, or is none running? */
static bool is_served(uint32_t mine, int before)
{
	return (int32_t)(answered - mine) >= 0 &&
	       (atomic_read(&pageio_written) != before || atomic_read(&pageio_writing) == 0);
}

//BOOK: write-for-memory
/*
 * Have pages written, and drop them. Returns whether pages have been freed. Pages that have been
 * written may be dirty again, or be held by somebody, so one write is not enough in all cases.
 */
static bool write_for_memory(void)
{
	uint64_t deadline = time_now() + WAIT_NS;
	unsigned int freed = 0;
	bool waiting = true;

	while (waiting && freed == 0 && !kill_pending()) {
		int before = atomic_read(&pageio_written);
		uint32_t mine = atomic_add_return(&asked, 1);

		wake_all(&flush_queue);
		waiting = !wait_event_killable_until(&pageio_write_queue, is_served(mine, before),
						     deadline) &&
			  atomic_read(&pageio_written) != before;
		freed = lru_shrink(BATCH);
	}
	return freed > 0;
}

static void flush_init(void)
{
	if (IS_ERR(kernel_task_start("write-back", flush_task, NULL)))
		cannot_start("too little memory for the task that writes pages back");
	oom_write_back = write_for_memory;
}
INITCALL(2, flush_init);
