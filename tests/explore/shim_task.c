/*
 * The scheduler and signals, as far as the files under test see them.
 *
 * As in kernel/sched.c, a run queue's lock makes waking and going to sleep one step each.
 */
#include "fs/pipe/owners.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "lib/string.h"
#include "shim.h"

unsigned int nr_cpus = 1; /* nobody spins for the owner of a mutex */
struct cpu cpus[MAX_CPUS];
struct cpu_features cpu_has;
struct task ex_tasks[MAX_TASKS + 1];
static struct signal_handlers handlers;
static struct process process = { .handlers = &handlers }; /* all tasks belong to it */
static unsigned int killed, signalled;			   /* a bit for each task */
spinlock_t tasks_lock = SPINLOCK_INIT("tasks");

void (*ex_kernel_task)(void *);

struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg)
{
	ex_kernel_task = function;
	return NULL;
}

ONE_STEP struct task *current_task(void)
{
	return &ex_tasks[ex_running()];
}

void ex_shim_tasks_init(void)
{
	process.cred.effective = CAP_ALL;
	process.cred.euid = 0;
	process.limits[RLIMIT_AS].soft = process.limits[RLIMIT_DATA].soft = RLIM_INFINITY;
	for (unsigned int i = 0; i <= MAX_TASKS; i++) {
		ex_tasks[i].tid = i + 1;
		ex_tasks[i].process = &process;
		list_init(&ex_tasks[i].signals.queued);
		list_init(&ex_tasks[i].thread_link);
		list_init(&ex_tasks[i].tracees);
		list_init(&ex_tasks[i].lenders);
	}
	list_init(&process.threads);
	list_init(&process.timers);
	list_init(&process.signals.queued);
	wait_queue_init(&process.signal_wait, "signal_wait");
	wait_queue_init(&process.child_wait, "child_wait");
}

ONE_STEP bool sched_wake(struct task *task)
{
	ex_access((void *)&task->state, sizeof(task->state), EV_ATOMIC);
	if (task->state == TASK_RUNNING || task->state == TASK_DEAD)
		return false;
	task->state = TASK_RUNNING;
	return true;
}

/* Who runs next is up to the search, so this is only stored. */
void sched_inherit(struct task *task, unsigned int urgency)
{
	task->inherited = urgency;
	WRITE_ONCE(task->urgency, MAX(task->own_urgency, urgency));
}

static struct mutex *watched[2];
static unsigned int nr_watched;

void ex_no_sleep_with(struct mutex *mutex)
{
	watched[nr_watched++] = mutex;
}

/* A task that holds a mutex reads only its own name there, so this is no access for the search. */
ONE_STEP static void must_hold_nothing(void)
{
	for (unsigned int i = 0; i < nr_watched; i++)
		if (watched[i]->owner == current)
			ex_fail("a task sleeps with a mutex held");
}

ONE_STEP void schedule(void)
{
	volatile enum task_state *state = &current->state;

	ex_access((void *)state, sizeof(*state), EV_ATOMIC);
	if (*state != TASK_RUNNING) {
		must_hold_nothing();
		ex_note("sleeps");
		ex_sleep((void *)state);
	}
}

/* Time stands still: no deadline passes. */
bool schedule_until(uint64_t deadline)
{
	schedule();
	return true;
}

uint64_t time_now(void)
{
	return 0;
}

uint64_t deadline_after(uint64_t ns)
{
	return ns;
}

struct timespec64 time_wall_spec(void)
{
	return (struct timespec64){ 0, 0 };
}

/* ---- signals ---- */

ONE_STEP static bool pending(unsigned int *set)
{
	ex_access(set, sizeof(*set), EV_MARKED_READ);
	return *set & 1u << ex_running();
}

/* The sets are read when `work` is, which every sender changes after them. */
ONE_STEP static bool queued(void)
{
	const struct task *task = current;

	ex_access((void *)&task->work, sizeof(task->work), EV_ATOMIC);
	return (task->signals.set | process.signals.set) & ~(task->blocked & ~task->awaited);
}

bool signal_pending(void)
{
	return queued() || pending(&signalled);
}

void ex_add_thread(int task, sigmask_t blocked)
{
	struct task *thread = &ex_tasks[task];

	if (process.nr_threads == 0) {
		list_add_tail(&all_processes, &process.all_link);
		process.limits[RLIMIT_SIGPENDING].soft = 100;
	}
	list_add_tail(&process.threads, &thread->thread_link);
	process.nr_threads++;
	thread->blocked = blocked;
}

bool kill_pending(void)
{
	return pending(&killed);
}

ONE_STEP bool ex_killed(void)
{
	return killed & 1u << ex_running();
}

ONE_STEP static void send(int task, bool kill)
{
	enum task_state state;

	if (kill) {
		ex_access(&killed, sizeof(killed), EV_ATOMIC);
		killed |= 1u << task;
	}
	ex_access(&signalled, sizeof(signalled), EV_ATOMIC);
	signalled |= 1u << task;
	ex_access((void *)&ex_tasks[task].state, sizeof(state), EV_MARKED_READ);
	state = ex_tasks[task].state;
	if (state == TASK_INTERRUPTIBLE || (kill && state == TASK_KILLABLE))
		task_wake(&ex_tasks[task]);
}

void ex_kill(int task)
{
	send(task, true);
}

void ex_signal(int task)
{
	send(task, false);
}

/* Memory does not run out here, so nobody asks which process made a ring. */
void ring_register(struct ring *ring)
{
}

void ring_unregister(struct ring *ring)
{
}

/* ---- the log ---- */

void panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ex_panic(format, args);
}

void log_at(enum log_level level, const char *format, ...)
{
}

long refuse(int error, const char *why)
{
	return -error;
}
