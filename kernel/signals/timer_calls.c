/*
 * The system calls for POSIX timers.
 *
 * A timer may measure the clocks that time passes on, and the CPU time of its own process and of
 * the threads of that. A timer that was set for a time of the wall clock follows that clock when it
 * is set.
 */
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/signals/posix_timer.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define TIMER_ABSTIME 1u

struct user_sigevent { /* struct sigevent, as far as it matters */
	uint32_t value;
	int signo, notify, tid;
};

/* ---- making and deleting ---- */

static int check_clock(int clock)
{
	uint64_t now;

	if (clock_is_cpu(clock))
		return clock_read_cpu(clock, &now);
	if (clock_read(clock, &now) < 0)
		return -EINVAL;
	if (clock == CLOCK_REALTIME_ALARM || clock == CLOCK_BOOTTIME_ALARM)
		return capable(CAP_WAKE_ALARM) ? 0 : refuse(EPERM, "no CAP_WAKE_ALARM");
	if (clock_is_wall(clock) || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME)
		return 0;
	return refuse(EOPNOTSUPP, "a timer cannot use that clock");
}

static int check_event(const struct user_sigevent *event)
{
	unsigned int flags;
	struct task *task;
	bool ours;

	if (event->notify == SIGEV_THREAD_ID) {
		flags = spin_lock_irqsave(&tasks_lock);
		task = event->tid > 0 ? task_find_locked(event->tid) : NULL;
		ours = task && task->process == current->process;
		spin_unlock_irqrestore(&tasks_lock, flags);
		if (!ours)
			return refuse(EINVAL, "not a thread of this process");
	} else if (event->notify == SIGEV_NONE) {
		return 0;
	} else if (event->notify != SIGEV_SIGNAL && event->notify != SIGEV_THREAD) {
		return refuse(EINVAL, "unknown sigev_notify");
	}
	if (event->signo < 1 || event->signo > NR_SIGNALS)
		return refuse(EINVAL, "no such signal");
	return 0;
}

static int add_timer(struct posix_timer *timer, const struct user_sigevent *event)
{
	struct process *process = timer->process;
	unsigned int flags = spin_lock_irqsave(&interval_lock);
	struct signal_info *info = &timer->entry->info;

	do {
		timer->id = process->next_timer_id;
		process->next_timer_id = timer->id == INT32_MAX ? 0 : timer->id + 1;
	} while (timer_find(process, timer->id));
	*info = (struct signal_info){ .code = SI_TIMER };
	info->timer_id = timer->id;
	info->value = event ? event->value : (uint32_t)timer->id;
	list_add_tail(&process->timers, &timer->link);
	spin_unlock_irqrestore(&interval_lock, flags);
	return timer->id;
}

static long delete_by_id(int id)
{
	unsigned int flags = spin_lock_irqsave(&interval_lock);
	struct posix_timer *timer = timer_find(current->process, id);

	if (timer)
		timer_delete(timer);
	spin_unlock_irqrestore(&interval_lock, flags);
	return timer ? 0 : refuse(EINVAL, "no such timer");
}

long sys_timer_create(int clock, const void __user *from, void __user *to)
{
	struct user_sigevent event = { .signo = SIGALRM, .notify = SIGEV_SIGNAL };
	struct posix_timer *timer;
	int id, error = check_clock(clock);

	if (error < 0)
		return error;
	if (from && copy_from_user(&event, from, sizeof(event)) < 0)
		return -EFAULT;
	error = check_event(&event);
	if (error < 0)
		return error;
	timer = timer_make(current->process);
	if (!timer)
		return -EAGAIN;
	timer->clock = clock_resolve(clock);
	timer->notify = event.notify;
	timer->tid = event.notify == SIGEV_THREAD_ID ? event.tid : 0;
	timer->entry->signo = event.signo;
	id = add_timer(timer, from ? &event : NULL);
	if (put_user_u32(id, to) < 0) {
		(void)delete_by_id(id);
		return -EFAULT;
	}
	return 0;
}

long sys_timer_delete(int id)
{
	return delete_by_id(id);
}

/* ---- setting ---- */

struct setting { /* in nanoseconds */
	uint64_t interval, value;
};

/*
 * What is left of the timer. 0 means that it is not armed, so it is 1 if the timer is about to
 * fire.
 */
static struct setting setting_of(const struct posix_timer *timer)
{
	struct setting setting = { .interval = timer->interval };
	uint64_t now = timer_now(timer), expires;
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool armed = timer->armed;

	expires = timer->expires;
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (expires == 0)
		return setting;
	/*
	 * Nothing fires a timer without a signal, and one whose signal is pending goes on when it
	 * is taken.
	 */
	if (timer->interval && expires <= now && (!armed || timer->notify == SIGEV_NONE))
		(void)timer_advance(&expires, timer->interval, now);
	if (expires > now)
		setting.value = armed || timer->interval ? expires - now : 0;
	else
		setting.value = armed && timer->notify != SIGEV_NONE ? 1 : 0;
	return setting;
}

static void set(struct posix_timer *timer, const struct setting *wanted, bool absolute)
{
	uint64_t now;

	timer_disarm(timer);
	timer->wall = absolute && clock_is_wall(timer->clock);
	now = timer_now(timer);
	timer->setting = timer->setting + 1 ? timer->setting + 1 : 1;
	timer->overrun = 0;
	timer->interval = wanted->value ? wanted->interval : 0;
	timer->expires = wanted->value;
	if (!wanted->value)
		return;
	if (!absolute)
		timer->expires =
			wanted->value > UINT64_MAX - now ? UINT64_MAX : now + wanted->value;
	timer_arm(timer);
}

static int setting_to_user(const struct setting *setting, void __user *to)
{
	bool wide = call_has_time64();
	int error = time_to_user(setting->interval, to, wide);

	return error < 0 ? error : time_to_user(setting->value, to + (wide ? 16 : 8), wide);
}

long sys_timer_settime(int id, unsigned int options, const void __user *from, void __user *to)
{
	bool wide = call_has_time64();
	struct setting wanted, old = { 0 };
	struct posix_timer *timer;
	unsigned int flags;
	int error;

	if (!from)
		return refuse(EINVAL, "no setting");
	error = time_from_user(&wanted.interval, from, wide);
	if (error == 0)
		error = time_from_user(&wanted.value, from + (wide ? 16 : 8), wide);
	if (error < 0)
		return error;
	flags = spin_lock_irqsave(&interval_lock);
	timer = timer_find(current->process, id);
	if (timer) {
		old = setting_of(timer);
		set(timer, &wanted, options & TIMER_ABSTIME);
	}
	spin_unlock_irqrestore(&interval_lock, flags);
	if (!timer)
		return refuse(EINVAL, "no such timer");
	return to ? setting_to_user(&old, to) : 0;
}

long sys_timer_gettime(int id, void __user *to)
{
	unsigned int flags = spin_lock_irqsave(&interval_lock);
	struct posix_timer *timer = timer_find(current->process, id);
	struct setting now = { 0 };

	if (timer)
		now = setting_of(timer);
	spin_unlock_irqrestore(&interval_lock, flags);
	return timer ? setting_to_user(&now, to) : refuse(EINVAL, "no such timer");
}

long sys_timer_getoverrun(int id)
{
	unsigned int flags = spin_lock_irqsave(&interval_lock);
	struct posix_timer *timer = timer_find(current->process, id);
	long overrun = timer ? timer->overrun : -EINVAL;

	spin_unlock_irqrestore(&interval_lock, flags);
	return overrun;
}
