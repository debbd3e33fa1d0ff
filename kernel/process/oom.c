/*
 * Choosing and killing the process that has to give way when memory has run out. The policy is in
 * kernel/process/oom.h.
 *
 * 1. tasks_lock guards the choice, and every process's oom_victim. A task's mm is read under it:
 *    the task clears it under tasks_lock before it drops its reference.
 * 2. One victim at a time. Another one is chosen only if the last one has not released its memory
 *    for VICTIM_NS.
 * 3. `released` counts the tasks of victims that have given up their memory. A waiter compares it.
 * 4. An allocation may fail just before a victim releases its memory, and ask for another victim
 *    just after that. So a task chooses a victim only if it has looked at `released` before its
 *    last try, and the count has not changed since then. Otherwise it tries once more. The task
 *    keeps the count that it saw (task->oom_seen) for as long as it lives: if it is the same now,
 *    no victim has released memory since an earlier allocation, and so none since the last try.
 */
#include "kernel/process/oom.h"
#include "kernel/init.h"
#include "kernel/log.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/time.h"
#include "kernel/wait.h"
#include "mm/mm.h"
#include "mm/page.h"

#define VICTIM_NS (2 * NSEC_PER_SEC) /* a victim that holds its memory for longer is stuck */
#define ENOUGH_LOW \
	16u /* free pages for page tables, and of all kinds, that one fault can rely on */
#define ENOUGH	32u
#define WAIT_NS NSEC_PER_SEC /* the longest wait while the caller may hold locks */

static struct wait_queue release_queue = WAIT_QUEUE_INIT(release_queue);
static struct atomic released; /* written under tasks_lock */

void (*oom_count_rings)(void);
bool (*oom_write_back)(void);

static uint64_t victim_since; /* when the last victim was killed; tasks_lock */

/* What a process holds, in pages. */
struct holding {
	unsigned int mapped, tables, rings;
};

/* ---- the choice; tasks_lock is held ---- */

static struct mm *mm_of(struct process *process)
{
	struct task *task;

	list_for_each(task, &process->threads, thread_link)
		if (task->mm)
			return task->mm;
	return NULL;
}

static unsigned int held(struct process *process, struct holding *holding)
{
	struct mm *mm = mm_of(process);

	*holding = (struct holding){ 0 };
	if (!mm || mm == mm_of(init_process))
		return 0;
	holding->mapped = MAX(atomic_read(&mm->resident), 0);
	holding->tables = MAX(atomic_read(&mm->nr_tables), 0);
	holding->rings = process->ring_pages;
	return holding->mapped + holding->tables + holding->rings;
}

/*
 * Init, kernel tasks and processes that have ended are no candidates: they count for 0 pages. So
 * does a process that is exempt.
 */
static unsigned int pages_of(struct process *process)
{
	struct holding holding;
	struct memory_stats memory;
	int pages = process == init_process ? 0 : held(process, &holding);

	if (pages == 0 || process->oom_adjust == 0)
		return pages;
	if (process->oom_adjust == -OOM_ADJUST_MAX)
		return 0;
	memory_stats(&memory);
	pages += (int)(memory.total / OOM_ADJUST_MAX) * process->oom_adjust;
	return MAX(pages, 1);
}

unsigned int oom_score(struct process *process)
{
	struct memory_stats memory;

	lockdep_held(&tasks_lock);
	memory_stats(&memory);
	return (uint64_t)pages_of(process) * OOM_ADJUST_MAX / memory.total;
}

/* The largest process, or the largest one of a user; `total` is what all of them hold. */
static struct process *largest(bool any_user, uint32_t uid, unsigned int *total)
{
	struct process *process, *found = NULL;
	unsigned int most = 0;

	*total = 0;
	list_for_each(process, &all_processes, all_link) {
		unsigned int pages = pages_of(process);

		if (!any_user && process->cred.uid != uid)
			continue;
		*total += pages;
		if (pages > most) {
			most = pages;
			found = process;
		}
	}
	return found;
}

/* The next user id above `after` that has a process, or 0. */
static uint32_t next_user(uint32_t after)
{
	struct process *process;
	uint32_t next = 0;

	list_for_each(process, &all_processes, all_link)
		if (process->cred.uid > after && (next == 0 || process->cred.uid < next))
			next = process->cred.uid;
	return next;
}

//BOOK: out-of-memory
static struct process *choose(void)
{
	struct process *process;

	unsigned int total, most;
	struct process *victim;

	list_for_each(process, &all_processes, all_link)
		process->ring_pages = 0;
	if (oom_count_rings)
		oom_count_rings();
	victim = largest(true, 0, &total);
	if (!victim)
		return NULL;
	most = 2 * pages_of(victim);
	for (uint32_t uid = next_user(0); uid != 0; uid = next_user(uid)) {
		struct process *of_user = largest(false, uid, &total);

		if (total > most) {
			most = total;
			victim = of_user;
		}
	}
	return victim;
}

/* A victim that has not released its memory yet, or NULL. One that is stuck does not count. */
static struct process *dying(void)
{
	struct process *process;

	if (time_now() - victim_since > VICTIM_NS)
		return NULL;
	list_for_each(process, &all_processes, all_link)
		if (process->oom_victim)
			return process;
	return NULL;
}

static void kill_victim(struct process *victim)
{
	struct mm *mm = mm_of(victim);
	struct process *process;
	struct holding holding;

	held(victim, &holding);
	log_warning(
		"out of memory: process %u (%s) of user %u is killed; it held %u KiB of memory, "
		"%u KiB of page tables, %u KiB in pipes and sockets",
		victim->pid, process_leader(victim)->name, victim->cred.uid,
		holding.mapped * (PAGE_SIZE / 1024), holding.tables * (PAGE_SIZE / 1024),
		holding.rings * (PAGE_SIZE / 1024));
	victim_since = time_now();
	/* Memory that processes share is free only when all of them have ended. */
	list_for_each(process, &all_processes, all_link) {
		if (process != victim && mm_of(process) != mm)
			continue;
		process->oom_victim = true;
		signal_send_locked(process, NULL, SIGKILL, NULL);
	}
}

enum verdict {
	OOM_WAIT,   /* a victim is about to release its memory */
	OOM_RETRY,  /* a victim has released it, perhaps after the last try */
	OOM_SELF,   /* the current process holds most */
	OOM_NOBODY, /* nobody can be killed */
};

/* May a victim have released memory since the last try of the current task? tasks_lock is held. */
static bool released_since_last_try(void)
{
	int now = atomic_read(&released);
	bool changed = now != current->oom_seen;

	current->oom_seen = now;
	return changed;
}

/* Find out who has to give way, and kill it if it is not the current process. */
static enum verdict find_victim(bool kill_self)
{
	struct process *self = current->process, *victim;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	enum verdict verdict = OOM_WAIT;

	victim = dying();
	if (victim) {
		verdict = victim == self ? OOM_SELF : OOM_WAIT;
	} else if (released_since_last_try()) {
		verdict = OOM_RETRY;
	} else {
		victim = choose();
		if (victim && (victim != self || kill_self))
			kill_victim(victim);
		if (!victim)
			verdict = OOM_NOBODY;
		else if (victim == self)
			verdict = OOM_SELF;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return verdict;
}

/* ---- waiting ---- */

/*
 * Wait until a victim has released memory after `before` was read, for at most WAIT_NS. Returns
 * false after that time, or if the current task is killed.
 *
 *	waiter				victim
 *	looks at `released`
 *					counts, wakes: nobody is on the queue
 *	joins the queue, sleeps
 *
 * cannot happen, because the waiter joins the queue before it looks.
 */
static bool wait_for_release(int before)
{
	uint64_t deadline = time_now() + WAIT_NS;
	struct waiter waiter = { .link = LIST_INIT(waiter.link) };
	bool in_time = true;

	while (in_time && !kill_pending()) {
		wait_prepare(&release_queue, &waiter, TASK_KILLABLE);
		if (atomic_read(&released) != before)
			break;
		in_time = schedule_until(deadline);
	}
	wait_finish(&release_queue, &waiter);
	return atomic_read(&released) != before;
}

/* For page_alloc(). Returns true if memory has been released, so that it should try again. */
static bool last_resort(void)
{
	int before = atomic_read(&released);
	enum verdict verdict;

	if (!init_process || kill_pending() || current->writes_for_memory)
		return false;
	if (oom_write_back && oom_write_back())
		return true;
	verdict = find_victim(false);
	return verdict == OOM_RETRY || (verdict == OOM_WAIT && wait_for_release(before));
}

/*
 * Is there memory, so that a fault would find some if it were tried again? Another task may have
 * freed it meanwhile.
 */
static bool memory_is_there(void)
{
	struct memory_stats memory;

	memory_stats(&memory);
	return memory.low_free > ENOUGH_LOW && memory.free > ENOUGH;
}

void oom_fault(void)
{
	int before = atomic_read(&released);
	enum verdict verdict;

	if (kill_pending() || memory_is_there())
		return;
	verdict = find_victim(true);
	/* If only init is left, it waits for another task to free something. */
	if (verdict != OOM_SELF && verdict != OOM_RETRY)
		wait_for_release(before);
}

void oom_released(void)
{
	struct process *process = current->process;
	unsigned int flags;

	if (!READ_ONCE(process->oom_victim))
		return;
	flags = spin_lock_irqsave(&tasks_lock);
	atomic_inc(&released);
	if (process->nr_running == 0)
		process->oom_victim = false;
	spin_unlock_irqrestore(&tasks_lock, flags);
	wake_all(&release_queue);
}

static void oom_init(void)
{
	page_alloc_last_resort = last_resort;
}
INITCALL(2, oom_init);
