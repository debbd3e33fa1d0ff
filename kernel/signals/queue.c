/*
 * The queues of pending signals. A task has one, and so has its process.
 *
 * 1. A standard signal (below SIGRTMIN) is pending at most once in a queue. A second one is dropped
 *    while the first is pending. The details of standard signals have their place in the queue, so
 *    that sending one needs no memory and cannot fail.
 * 2. Real-time signals are pending as often as they were sent. Those with the same number come out
 *    in the order in which they were sent. Each needs an entry, and RLIMIT_SIGPENDING limits the
 *    entries that are in the queues of a user's processes. kill(2) cannot report that there is no
 *    entry. It then makes the signal pending without details, but not twice.
 * 3. A timer keeps the entry of its signal for as long as it exists, so it can always send it.
 * 4. tasks_lock guards all queues.
 */
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/signals/timers.h"
#include "mm/slab.h"

SLAB_CACHE(queued_cache, "signal", struct queued_signal, 0);

/* ---- entries ---- */

unsigned int signal_entries_of(uint32_t uid)
{
	struct process *process;
	unsigned int queued = 0;

	lockdep_held(&tasks_lock);
	list_for_each(process, &all_processes, all_link)
		if (process->cred.uid == uid)
			queued += process->nr_queued;
	return queued;
}

struct queued_signal *signal_entry_alloc(struct process *process)
{
	struct queued_signal *entry;

	lockdep_held(&tasks_lock);
	if (signal_entries_of(process->cred.uid) >= process->limits[RLIMIT_SIGPENDING].soft)
		return NULL;
	entry = slab_alloc(queued_cache, ALLOC_ATOMIC | ALLOC_ZERO);
	if (!entry)
		return NULL;
	list_init(&entry->link);
	process->nr_queued++;
	return entry;
}

static void entry_free(struct process *process, struct queued_signal *entry)
{
	process->nr_queued--;
	slab_free(queued_cache, entry);
}

void signal_entry_drop(struct process *process, struct queued_signal *entry)
{
	lockdep_held(&tasks_lock);
	entry->kept = false;
	if (list_empty(&entry->link))
		entry_free(process, entry);
}

/* Take an entry out of its queue. A timer keeps its own. */
static void entry_remove(struct process *process, struct queued_signal *entry)
{
	list_del(&entry->link);
	list_init(&entry->link);
	if (!entry->kept)
		entry_free(process, entry);
}

static struct queued_signal *first_entry(struct signal_queue *queue, int signo)
{
	struct queued_signal *entry;

	list_for_each(entry, &queue->queued, link)
		if (entry->signo == signo)
			return entry;
	return NULL;
}

/* ---- putting in ---- */

void signal_queue_entry(struct process *process, struct signal_queue *queue,
			struct queued_signal *entry)
{
	lockdep_held(&tasks_lock);
	list_add_tail(&queue->queued, &entry->link);
	queue->set |= SIG_BIT(entry->signo);
	wake_all(&process->signal_wait);
}

//BOOK: signal-queue
int signal_queue_add(struct process *process, struct signal_queue *queue, int signo,
		     const struct signal_info *info)
{
	const struct signal_info from_kernel = { .code = SI_KERNEL };
	struct queued_signal *entry;

	lockdep_held(&tasks_lock);
	info = info ? info : &from_kernel;
	if (signo < SIGRTMIN) {
		if (queue->set & SIG_BIT(signo))
			return 0;
		queue->standard[signo - 1] = *info;
		queue->standard_set |= SIG_BIT(signo);
	} else {
		entry = signal_entry_alloc(process);
		if (!entry && info->code != SI_USER && info->code != SI_KERNEL)
			return -EAGAIN;
		if (entry) {
			entry->signo = signo;
			entry->info = *info;
			list_add_tail(&queue->queued, &entry->link);
		}
	}
	queue->set |= SIG_BIT(signo);
	wake_all(&process->signal_wait);
	return 0;
}

/* ---- taking out ---- */

/*
 * Returns the signal that is taken first: one of a fault, or else the one with the lowest number.
 */
static int first_of(sigmask_t set)
{
	/* The handler of a fault must see the registers of the fault. */
	if (set & BITS_FAULT)
		set &= BITS_FAULT;
	return (uint32_t)set ? __builtin_ctz((uint32_t)set) + 1
			     : __builtin_ctz((uint32_t)(set >> 32)) + 33;
}

/* Take the next signal of `mask` from the queue. Returns its number, or 0 if there is none. */
static int queue_take(struct process *process, struct signal_queue *queue, sigmask_t mask,
		      struct signal_info *info)
{
	sigmask_t set = queue->set & mask;
	struct queued_signal *entry;
	int signo;

	if (!set)
		return 0;
	signo = first_of(set);
	*info = (struct signal_info){ .code = SI_USER };
	entry = first_entry(queue, signo);
	if (signo < SIGRTMIN && (queue->standard_set & SIG_BIT(signo))) {
		*info = queue->standard[signo - 1];
		queue->standard_set &= ~SIG_BIT(signo);
	} else if (entry) {
		*info = entry->info;
		entry_remove(process, entry);
		entry = first_entry(queue, signo);
	}
	if (!entry)
		queue->set &= ~SIG_BIT(signo);
	return signo;
}

int signal_dequeue(sigmask_t mask, struct signal_info *info)
{
	struct task *task = current;
	struct process *process = task->process;
	int signo;

	lockdep_held(&tasks_lock);
	signo = queue_take(process, &task->signals, mask, info);
	return signo ? signo : queue_take(process, &process->signals, mask, info);
}

int signal_take(sigmask_t mask, struct signal_info *info)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	int signo = signal_dequeue(mask & ~BITS_UNBLOCKABLE, info);

	spin_unlock_irqrestore(&tasks_lock, flags);
	timers_signal_taken(signo, info);
	return signo;
}

bool signal_is_pending(sigmask_t mask)
{
	const struct task *task = current;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	sigmask_t set = (task->signals.set | task->process->signals.set) & mask;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return set & ~BITS_UNBLOCKABLE;
}

void signal_queue_forget(struct process *process, struct signal_queue *queue, sigmask_t mask)
{
	struct queued_signal *entry, *next;

	lockdep_held(&tasks_lock);
	if (!(queue->set & mask))
		return;
	queue->set &= ~mask;
	queue->standard_set &= ~mask;
	list_for_each_safe(entry, next, &queue->queued, link)
		if (mask & SIG_BIT(entry->signo))
			entry_remove(process, entry);
}

void signal_forget(struct process *process, sigmask_t mask)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	signal_queue_forget(process, &process->signals, mask);
	list_for_each(task, &process->threads, thread_link)
		signal_queue_forget(process, &task->signals, mask);
}

/* ---- looking ---- */

int signal_queue_peek(const struct signal_queue *queue, unsigned int index,
		      struct signal_info *info)
{
	const struct queued_signal *entry;
	int signo;

	lockdep_held(&tasks_lock);
	for (signo = 1; signo < SIGRTMIN; signo++) {
		if (!(queue->set & queue->standard_set & SIG_BIT(signo)) || index-- > 0)
			continue;
		*info = queue->standard[signo - 1];
		return signo;
	}
	list_for_each(entry, &queue->queued, link) {
		if (index-- > 0)
			continue;
		*info = entry->info;
		return entry->signo;
	}
	return 0;
}
