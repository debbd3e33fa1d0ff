/*
 * The files of a process or thread in /proc/PID and /proc/PID/task/TID that tell its state.
 *
 * tasks_lock is held while fields of a process are read and printed. Its memory is counted before.
 */
#include "drivers/tty/tty.h"
#include "fs/file/file.h"
#include "fs/proc/proc_internal.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/syscall.h"
#include "kernel/signals/signal.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/tables.h"
#include "fs/names/lookup.h"

#define NS_A_TICK	(NSEC_PER_SEC / 100) /* USER_HZ: the unit of times in /proc */
#define NORMAL_PRIORITY 20
#define KB_A_PAGE	(PAGE_SIZE / 1024)
#define LOCK_TRIES	20 /* one a tick */

static const char *const state_names[] = {
	[TASK_RUNNING] = "R (running)",	    [TASK_INTERRUPTIBLE] = "S (sleeping)",
	[TASK_KILLABLE] = "D (disk sleep)", [TASK_UNINTERRUPTIBLE] = "D (disk sleep)",
	[TASK_STOPPED] = "T (stopped)",	    [TASK_DEAD] = "Z (zombie)",
	[TASK_TRACED] = "t (tracing stop)",
};

/* ---- its memory ---- */

static void count_area(struct memory_use *use, const struct mm *mm, const struct vma *vma)
{
	unsigned int pages = (vma->end - vma->start) >> PAGE_SHIFT;

	if (vma->flags & VMA_LOCKED)
		use->locked += pages;
	if (vma->flags & VMA_STACK)
		use->stack += pages;
	else if (vma->flags & VMA_EXEC && vma->file && vma->file == mm->program)
		use->text += pages;
	else if (vma->flags & VMA_EXEC && vma->file)
		use->libraries += pages;
	else if (vma->flags & VMA_WRITE && !(vma->flags & VMA_SHARED))
		use->data += pages;
}

/*
 * Try to take mm->lock, but not for long. Returns true if it has been taken. A page fault holds it
 * for as long as a disk does not answer, and ps must not wait for that. The reader then gets the
 * figures of the last time.
 */
static bool lock_soon(struct mm *mm)
{
	for (unsigned int try = 0; !mutex_trylock(&mm->lock); try++) {
		if (try == LOCK_TRIES)
			return false;
		(void)sleep_until(time_now() + TICK_NS);
	}
	return true;
}

/* The memory of a process. `kinds` asks whether its pages are of files, which takes longer. */
static struct memory_use memory_use(struct process *process, bool kinds)
{
	struct memory_use use = { 0 };
	struct mm *mm = process_mm(process);
	struct vma *vma;

	if (!mm)
		return use;
	if (lock_soon(mm)) {
		for (vma = mm_find_next(mm, 0); vma; vma = mm_find_next(mm, vma->end))
			count_area(&use, mm, vma);
		use.in_memory = mm->counted.in_memory;
		use.of_files = mm->counted.of_files;
		if (kinds)
			proc_count_kinds(mm, &use);
		use.pages = mm->size >> PAGE_SHIFT;
		use.most_pages = mm->peak_size >> PAGE_SHIFT;
		mm->counted = use;
		mutex_unlock(&mm->lock);
	} else {
		use = mm->counted;
	}
	use.resident = MAX(atomic_read(&mm->resident), 0);
	use.most = MAX(use.resident, (unsigned int)MAX(mm->peak_resident, 0));
	use.tables = atomic_read(&mm->nr_tables);
	mm_put(mm);
	return use;
}

static int show_statm(struct process *process, unsigned int number, struct text *text)
{
	struct memory_use use = memory_use(process, true);

	text_printf(text, "%u %u %u %u 0 %u 0\n", use.pages, use.resident,
		    use.of_files + use.in_memory, use.text, use.data + use.stack);
	return 0;
}
PROC_ENTRY(pid_statm, .path = "/pid/statm", .mode = 0444, .show_process = show_statm);
PROC_ENTRY(task_statm, .path = "/pid/task/N/statm", .mode = 0444, .show_process = show_statm);

/* ---- its threads ---- */

static const char *state_of(const struct task *task)
{
	return state_names[task ? task->state : TASK_DEAD];
}

/* A zombie's threads are gone. */
static const char *name_of(const struct process *process, const struct task *task)
{
	return task ? task->name : process->name;
}

static unsigned int parent_of(const struct process *process)
{
	return process->parent ? process->parent->pid : 0;
}

static unsigned int ticks(uint64_t ns)
{
	return div_u64(ns, NS_A_TICK, NULL);
}

/* As proc(5) counts: 0 to 39 is the nice value, and urgent tasks are below. */
static int priority_of(const struct task *task)
{
	return task->urgency ? -1 - (int)task->urgency : NORMAL_PRIORITY + task->nice;
}

/* The fields of proc(5), in order. Those that are not kept (addresses, wchan) are 0. */
static int show_stat(struct process *process, unsigned int tid, struct text *text)
{
	static const struct task none;
	struct memory_use memory = memory_use(process, false);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *found = proc_thread(process, tid), *task = found ? found : &none;
	const struct tty *tty = process->tty;
	struct usage own = tid ? task_usage(task) : process_usage(process);
	struct usage children = process->children_usage;

	text_printf(text, "%u (%s) %c %u %u %u %u %d ", tid ? tid : process->pid,
		    name_of(process, found), *state_of(found), parent_of(process), process->pgid,
		    process->sid, tty ? device_encode(tty->device) : 0,
		    tty ? (int)tty->foreground : -1);
	text_printf(text, "0 %u %u %u %u %u %u %u %u ", own.minor_faults, children.minor_faults,
		    own.major_faults, children.major_faults, ticks(own.user), ticks(own.system),
		    ticks(children.user), ticks(children.system));
	text_printf(text, "%d %d %u 0 %u %u %u %llu ", priority_of(task), task->nice,
		    process->nr_threads, ticks(task->started_ns), memory.pages << PAGE_SHIFT,
		    memory.resident,
		    (unsigned long long)MIN(process->limits[RLIMIT_RSS].soft, UINT32_MAX));
	text_printf(text, "0 0 0 0 0 0 0 0 0 0 0 0 %u %u %u %u 0 0 0 0 0 0 0 0 0 0 %d\n", SIGCHLD,
		    task->cpu ? task->cpu->id : 0, task->own_urgency, task->policy,
		    process->exit_status);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_stat, .path = "/pid/stat", .mode = 0444, .show_process = show_stat);
PROC_ENTRY(task_stat, .path = "/pid/task/N/stat", .mode = 0444, .show_process = show_stat);

static int show_comm(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	text_printf(text, "%s\n", name_of(process, proc_thread(process, tid)));
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

/* A program may name its own threads. */
static int store_comm(struct process *process, unsigned int tid, char *input, size_t len)
{
	unsigned int flags;
	struct task *task;

	if (process != current->process)
		return refuse(EINVAL, "the name of another process");
	flags = spin_lock_irqsave(&tasks_lock);
	task = proc_thread(process, tid);
	if (task) {
		memset(task->name, 0, sizeof(task->name));
		strlcpy(task->name, input, sizeof(task->name));
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return task ? 0 : -ESRCH;
}
PROC_ENTRY(pid_comm, .path = "/pid/comm", .mode = 0644, .show_process = show_comm,
	   .store_process = store_comm);
PROC_ENTRY(task_comm, .path = "/pid/task/N/comm", .mode = 0644, .show_process = show_comm,
	   .store_process = store_comm);

/* ---- status ---- */

static void show_ids(struct text *text, const struct credentials *cred, unsigned int slots)
{
	text_printf(text, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", cred->uid, cred->euid,
		    cred->suid, cred->fsuid, cred->gid, cred->egid, cred->sgid, cred->fsgid);
	text_printf(text, "FDSize:\t%u\nGroups:\t", slots);
	for (unsigned int i = 0; i < cred->nr_groups; i++)
		text_printf(text, "%s%u", i ? " " : "", cred->groups[i]);
	text_printf(text, " \n");
}

static void show_memory(struct text *text, const struct memory_use *use)
{
	const struct {
		const char *name;
		unsigned int pages;
	} lines[] = {
		{ "VmPeak", use->most_pages },
		{ "VmSize", use->pages },
		{ "VmLck", use->locked },
		{ "VmPin", 0 },
		{ "VmHWM", use->most },
		{ "VmRSS", use->resident },
		{ "RssAnon", use->resident - MIN(use->resident, use->of_files + use->in_memory) },
		{ "RssFile", use->of_files },
		{ "RssShmem", use->in_memory },
		{ "VmData", use->data },
		{ "VmStk", use->stack },
		{ "VmExe", use->text },
		{ "VmLib", use->libraries },
		{ "VmPTE", use->tables },
		{ "VmSwap", 0 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(lines) && use->pages; i++)
		text_printf(text, "%s:\t%8u kB\n", lines[i].name, lines[i].pages * KB_A_PAGE);
}

static void show_mask(struct text *text, const char *name, uint64_t mask)
{
	text_printf(text, "%s:\t%016llx\n", name, (unsigned long long)mask);
}

static void show_signals(struct text *text, const struct process *process, const struct task *task)
{
	uint64_t ignored = 0, caught = 0;

	for (unsigned int i = 0; i < NR_SIGNALS; i++) {
		if (process->handlers->actions[i].handler == SIG_IGN)
			ignored |= SIG_BIT(i + 1);
		else if (process->handlers->actions[i].handler != SIG_DFL)
			caught |= SIG_BIT(i + 1);
	}
	text_printf(text, "SigQ:\t%u/%u\n", signal_entries_of(process->cred.uid),
		    (unsigned int)MIN(process->limits[RLIMIT_SIGPENDING].soft, UINT32_MAX));
	show_mask(text, "SigPnd", task ? task->signals.set : 0);
	show_mask(text, "ShdPnd", process->signals.set);
	show_mask(text, "SigBlk", task ? task->blocked : 0);
	show_mask(text, "SigIgn", ignored);
	show_mask(text, "SigCgt", caught);
}

static void show_capabilities(struct text *text, const struct credentials *cred)
{
	show_mask(text, "CapInh", cred->inheritable);
	show_mask(text, "CapPrm", cred->permitted);
	show_mask(text, "CapEff", cred->effective);
	show_mask(text, "CapBnd", cred->bounding);
	show_mask(text, "CapAmb", cred->ambient);
	text_printf(text, "NoNewPrivs:\t%u\n", cred->no_new_privileges);
}

/* The CPUs that the task may use, as a mask, and as a list such as 0-2,5. */
static void show_cpus(struct text *text, unsigned int mask)
{
	const char *separator = "";

	text_printf(text, "Cpus_allowed:\t%x\nCpus_allowed_list:\t", mask);
	for (unsigned int first = 0, next; first < nr_cpus; first = next + 1) {
		for (next = first; next < nr_cpus && mask & 1u << next; next++)
			;
		if (next == first)
			continue;
		text_printf(text, next == first + 1 ? "%s%u" : "%s%u-%u", separator, first,
			    next - 1);
		separator = ",";
	}
	text_printf(text, "\n");
}

static int show_status(struct process *process, unsigned int tid, struct text *text)
{
	struct memory_use memory = memory_use(process, true);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = proc_thread(process, tid);

	text_printf(text, "Name:\t%s\n", name_of(process, task));
	if (task && task->fs)
		text_printf(text, "Umask:\t%04o\n", task->fs->umask);
	text_printf(text, "State:\t%s\nTgid:\t%u\nPid:\t%u\nPPid:\t%u\nTracerPid:\t%u\n",
		    state_of(task), process->pid, tid ? tid : process->pid, parent_of(process),
		    task && task->ptrace.tracer ? task->ptrace.tracer->tid : 0);
	show_ids(text, &process->cred, task && task->files ? task->files->size : 0);
	text_printf(text, "NStgid:\t%u\nNSpid:\t%u\nNSpgid:\t%u\nNSsid:\t%u\n", process->pid,
		    tid ? tid : process->pid, process->pgid, process->sid);
	show_memory(text, &memory);
	text_printf(text, "Threads:\t%u\n", process->nr_threads);
	show_signals(text, process, task);
	show_capabilities(text, &process->cred);
	if (task) {
		show_cpus(text, task->allowed & ((1u << nr_cpus) - 1));
		text_printf(text,
			    "Mems_allowed:\t1\nMems_allowed_list:\t0\n"
			    "voluntary_ctxt_switches:\t%u\nnonvoluntary_ctxt_switches:\t%u\n",
			    task->switches[false], task->switches[true]);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_status, .path = "/pid/status", .mode = 0444, .show_process = show_status);
PROC_ENTRY(task_status, .path = "/pid/task/N/status", .mode = 0444, .show_process = show_status);

/* ---- limits ---- */

static const struct {
	unsigned int resource;
	const char *name, *unit;
} limits[] = {
	{ RLIMIT_CPU, "Max cpu time", "seconds" },
	{ RLIMIT_FSIZE, "Max file size", "bytes" },
	{ RLIMIT_DATA, "Max data size", "bytes" },
	{ RLIMIT_STACK, "Max stack size", "bytes" },
	{ RLIMIT_CORE, "Max core file size", "bytes" },
	{ RLIMIT_RSS, "Max resident set", "bytes" },
	{ RLIMIT_NPROC, "Max processes", "processes" },
	{ RLIMIT_NOFILE, "Max open files", "files" },
	{ RLIMIT_MEMLOCK, "Max locked memory", "bytes" },
	{ RLIMIT_AS, "Max address space", "bytes" },
	{ RLIMIT_LOCKS, "Max file locks", "locks" },
	{ RLIMIT_SIGPENDING, "Max pending signals", "signals" },
	{ RLIMIT_MSGQUEUE, "Max msgqueue size", "bytes" },
	{ RLIMIT_NICE, "Max nice priority", "" },
	{ RLIMIT_RTPRIO, "Max realtime priority", "" },
	{ RLIMIT_RTTIME, "Max realtime timeout", "us" },
};

static void show_limit(struct text *text, uint64_t limit)
{
	if (limit == RLIM_INFINITY)
		text_printf(text, "%-20s ", "unlimited");
	else
		text_printf(text, "%-20llu ", (unsigned long long)limit);
}

static int show_limits(struct process *process, unsigned int number, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	text_printf(text, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit",
		    "Units");
	for (unsigned int i = 0; i < ARRAY_SIZE(limits); i++) {
		text_printf(text, "%-25s ", limits[i].name);
		show_limit(text, process->limits[limits[i].resource].soft);
		show_limit(text, process->limits[limits[i].resource].hard);
		text_printf(text, "%-10s\n", limits[i].unit);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_limits, .path = "/pid/limits", .mode = 0444, .show_process = show_limits);
PROC_ENTRY(task_limits, .path = "/pid/task/N/limits", .mode = 0444, .show_process = show_limits);

static int show_personality(struct process *process, unsigned int tid, struct text *text)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	const struct task *task = proc_thread(process, tid);

	text_printf(text, "%08x\n", task ? task->personality : 0);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}
PROC_ENTRY(pid_personality, .path = "/pid/personality", .mode = 0400,
	   .show_process = show_personality);
PROC_ENTRY(task_personality, .path = "/pid/task/N/personality", .mode = 0400,
	   .show_process = show_personality);
