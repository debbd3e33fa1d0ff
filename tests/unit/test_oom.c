/*
 * Tests kernel/process/oom.c: when a victim is chosen. There are three processes with a task each:
 * one that asks for memory, and two that hold some. A test decides when a victim releases its
 * memory.
 */
#include "tests/unit/memory_shim.h"
#include "tests/unit/cases.h"

#define KERNEL_TASK_H
#define KERNEL_PROCESS_PROCESS_H
#define KERNEL_SIGNALS_SIGNAL_H
#define MM_MM_H
#define SIGKILL 9

struct mm {
	struct atomic resident, nr_tables;
};
struct process {
	struct list all_link, threads;
	unsigned int pid, ring_pages, nr_running;
	struct {
		uint32_t uid;
	} cred;
	bool oom_victim, killed;
	int oom_adjust;
};
struct task {
	struct list thread_link;
	struct process *process;
	struct mm *mm;
	const char *name;
	enum task_state state;
	int oom_seen;
	bool writes_for_memory;
};

static struct page frames[ARENA_FRAMES];
struct page *mem_map = frames;

enum { ASKER, LARGE, LARGER, NR };
static struct process processes[NR], init;
static struct task tasks[NR];
static struct mm mms[NR];
static struct task *running;
struct process *init_process = &init;
struct list all_processes = LIST_INIT(all_processes);
spinlock_t tasks_lock;

#undef current
#define current running

static struct task *process_leader(struct process *process)
{
	return &tasks[process - processes];
}

static void signal_send_locked(struct process *process, struct task *task, int signo,
			       const void *info)
{
	must(spin_held(&tasks_lock) && signo == SIGKILL);
	process->killed = true;
}

static void wait_prepare(struct wait_queue *queue, struct waiter *waiter, enum task_state state)
{
}

static void wait_finish(struct wait_queue *queue, struct waiter *waiter)
{
}

static void (*while_asleep)(void);
static uint64_t now;

static bool schedule_until(uint64_t deadline)
{
	if (!while_asleep)
		return false;
	while_asleep();
	return true;
}

#include "kernel/process/oom.c"

uint64_t time_now(void)
{
	return now + 10 * NSEC_PER_SEC;
}

bool (*page_alloc_last_resort)(void);

void memory_stats(struct memory_stats *stats)
{
	*stats = (struct memory_stats){ .total = 1000 };
}

static void start(void)
{
	list_init(&init.threads);
	for (unsigned int i = 0; i < NR; i++) {
		processes[i] = (struct process){ .pid = 2 + i, .nr_running = 1 };
		tasks[i] = (struct task){ .process = &processes[i], .mm = &mms[i], .name = "task" };
		list_init(&processes[i].threads);
		list_add_tail(&processes[i].threads, &tasks[i].thread_link);
		list_add_tail(&all_processes, &processes[i].all_link);
	}
	atomic_set(&mms[ASKER].resident, 1);
	atomic_set(&mms[LARGE].resident, 100);
	atomic_set(&mms[LARGER].resident, 200);
	running = &tasks[ASKER];
	oom_init();
}

/* The process ends. */
static void end(unsigned int i)
{
	struct task *before = running;

	must(processes[i].killed);
	tasks[i].mm = NULL;
	processes[i].nr_running = 0;
	running = &tasks[i];
	oom_released();
	running = before;
	list_del(&processes[i].all_link);
}

static void larger_ends(void)
{
	end(LARGER);
	while_asleep = NULL;
}

static void large_ends(void)
{
	end(LARGE);
	while_asleep = NULL;
}

CASE(waits_for_its_victim)
{
	start();
	while_asleep = larger_ends;
	ok(page_alloc_last_resort() && processes[LARGER].killed && !processes[LARGE].killed,
	   "the process that holds most is killed, and its memory is waited for");
}

/*
 * asker				another task
 * finds no memory
 *					kills the larger process, which ends
 * asks for a victim
 */
CASE(release_after_the_try)
{
	start();
	running = &tasks[LARGE];
	while_asleep = larger_ends;
	must(page_alloc_last_resort());
	running = &tasks[ASKER];
	now += 60 * NSEC_PER_SEC;
	ok(page_alloc_last_resort() && !processes[LARGE].killed,
	   "a task that may have failed before a victim's release tries again");
	while_asleep = large_ends;
	(void)page_alloc_last_resort();
	ok(processes[LARGE].killed, "if that fails, too, it chooses another victim");
}
