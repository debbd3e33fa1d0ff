/*
 * What kernel/signals and timers need of clocks. Time stands still. A timer is due as soon as it is
 * armed, and fires when a scenario says so.
 */
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/signals/timers.h"
#include "shim.h"

struct list all_processes = LIST_INIT(all_processes);
struct process *init_process;

/* ---- time, and the ticks for kernel/timer.c ---- */

/* A tick fires the first timer, unless that waits for ever. */
static bool fires[MAX_TASKS + 1];

bool time_reached(uint64_t deadline)
{
	bool *one = &fires[ex_running()], reached = *one && deadline != UINT64_MAX;

	if (reached)
		*one = false;
	return reached;
}

void ex_tick(void)
{
	fires[ex_running()] = true;
	tick();
	fires[ex_running()] = false;
}

uint64_t time_due(uint64_t deadline)
{
	return deadline;
}

void time_interrupt_after(uint64_t ns)
{
}

void sched_tick(void)
{
}

/* ---- what no scenario asks for ---- */

void alarm_taken(struct process *process)
{
}

bool alarms_check_cpu(struct process *process)
{
	return false;
}

bool clock_is_cpu(int clock)
{
	return false;
}

int clock_resolve(int clock)
{
	return clock;
}

int clock_read_cpu(int clock, uint64_t *ns)
{
	return -EINVAL;
}

int clock_read(int clock, uint64_t *ns)
{
	*ns = 0;
	return 0;
}

bool clock_is_wall(int clock)
{
	return clock == CLOCK_REALTIME;
}

uint64_t clock_deadline(int clock, uint64_t ns)
{
	return ns;
}

bool call_has_time64(void)
{
	return true;
}

/* Programs say how many nanoseconds. */
int time_from_user(uint64_t *ns, const void __user *from, bool wide)
{
	*ns = *(const uint64_t *)from;
	return 0;
}

int time_to_user(uint64_t ns, void __user *to, bool wide)
{
	return -EFAULT;
}

bool limits_check_time(void)
{
	return false;
}

struct usage process_usage(struct process *process)
{
	return (struct usage){ 0 };
}

/* Tasks have the numbers from 1 on. */
ONE_STEP struct task *task_find_locked(unsigned int tid)
{
	return tid > 0 && tid <= MAX_TASKS ? &ex_tasks[tid - 1] : NULL;
}

struct process *process_find_locked(unsigned int pid)
{
	return NULL;
}

long signal_send_checked(struct process *process, struct task *task, unsigned int signo,
			 const struct signal_info *info)
{
	return -ESRCH;
}

long signal_send_thread(int tgid, int tid, unsigned int signo, const struct signal_info *info)
{
	return -ESRCH;
}

int signal_info_to_user(int signo, const struct signal_info *info, void __user *to)
{
	*(struct signal_info *)to = *info;
	return 0;
}
