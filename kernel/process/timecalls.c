/*
 * Times as programs pass them, and the system calls that read the clocks.
 */
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "kernel/vdso_clock.h"
#include "mm/vm/uaccess.h"

#define FIRST_TIME64_CALL 403u	       /* clock_gettime64 */
#define SECONDS_MAX	  9000000000ll /* below UINT64_MAX nanoseconds, sums of two included */

/* ---- times as programs pass them ---- */

bool call_has_time64(void)
{
	return task_frame(current)->error >= FIRST_TIME64_CALL;
}

int time_from_user(uint64_t *ns, const void __user *from, bool wide)
{
	int32_t words[4], nsec;
	int64_t sec;

	if (copy_from_user(words, from, wide ? sizeof(words) : sizeof(words) / 2) < 0)
		return -EFAULT;
	/* The upper half of a 32-bit program's 64-bit nanoseconds may be undefined. */
	sec = wide ? (int64_t)((uint64_t)words[1] << 32 | (uint32_t)words[0]) : words[0];
	nsec = wide ? words[2] : words[1];
	if (sec < 0 || nsec < 0 || nsec >= (int32_t)NSEC_PER_SEC)
		return refuse(EINVAL, "negative time, or nanoseconds out of range");
	*ns = sec > SECONDS_MAX ? UINT64_MAX : (uint64_t)sec * NSEC_PER_SEC + nsec;
	return 0;
}

int time_to_user(uint64_t ns, void __user *to, bool wide)
{
	struct timespec64 ts = timespec_from_ns(ns);
	int32_t narrow[2] = { (int32_t)ts.sec, ts.nsec };
	int64_t words[2] = { ts.sec, ts.nsec };

	return wide ? copy_to_user(to, words, sizeof(words))
		    : copy_to_user(to, narrow, sizeof(narrow));
}

/* ---- clocks ---- */

/*
 * A negative number is a clock of CPU time: the inverted id of a process or thread (0: the calling
 * one) and three more bits, as clock_getcpuclockid() of the C libraries makes it.
 */
#define CPU_CLOCK_KIND(clock)	((clock)&3)
#define CPU_CLOCK_THREAD(clock) ((clock)&4)
#define CPU_CLOCK_ID(clock)	((unsigned int)~((clock) >> 3))
enum {
	CPU_CLOCK_PROF,
	CPU_CLOCK_VIRT,
	CPU_CLOCK_SCHED
}; /* user and system; user; as the scheduler counts */

bool clock_is_cpu(int clock)
{
	return clock < 0 || clock == CLOCK_PROCESS_CPUTIME || clock == CLOCK_THREAD_CPUTIME;
}

static int make_cpu_clock(unsigned int id, bool thread)
{
	return (int)(~id << 3) | (thread ? 4 : 0) | CPU_CLOCK_SCHED;
}

int clock_resolve(int clock)
{
	if (clock < 0 && CPU_CLOCK_KIND(clock) > CPU_CLOCK_SCHED)
		return clock;
	if (clock == CLOCK_PROCESS_CPUTIME ||
	    (clock < 0 && !CPU_CLOCK_THREAD(clock) && !CPU_CLOCK_ID(clock)))
		return make_cpu_clock(current->process->pid, false);
	if (clock == CLOCK_THREAD_CPUTIME || (clock < 0 && !CPU_CLOCK_ID(clock)))
		return make_cpu_clock(current->tid, true);
	return clock;
}

/* CPU_CLOCK_VIRT counts the time in user mode only. tasks_lock is held. */
static uint64_t read_process(struct process *process, int kind)
{
	return kind == CPU_CLOCK_VIRT ? process_usage(process).user : process_cpu_ns(process);
}

static uint64_t read_thread(const struct task *task, int kind)
{
	return kind == CPU_CLOCK_VIRT ? time_of_cycles(task->told_cycles - task->system_cycles)
				      : task_cpu_ns(task);
}

int clock_read_cpu(int clock, uint64_t *ns)
{
	struct process *process;
	struct task *task;
	unsigned int flags, id;
	int kind, error = 0;

	clock = clock_resolve(clock);
	id = CPU_CLOCK_ID(clock);
	kind = CPU_CLOCK_KIND(clock);
	if (kind > CPU_CLOCK_SCHED)
		return refuse(EINVAL, "no such clock");
	flags = spin_lock_irqsave(&tasks_lock);
	process = CPU_CLOCK_THREAD(clock) ? NULL : process_find_locked(id);
	task = CPU_CLOCK_THREAD(clock) ? task_find_locked(id) : NULL;
	if (process)
		*ns = read_process(process, kind);
	else if (task && task->process == current->process)
		*ns = read_thread(task, kind);
	else
		error = -EINVAL;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/* ---- clocks that time passes on ---- */

int clock_tai_offset;

bool clock_is_wall(int clock)
{
	return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

uint64_t clock_deadline(int clock, uint64_t ns)
{
	uint64_t offset = READ_ONCE(clock_tai_offset) * NSEC_PER_SEC;

	if (clock == CLOCK_TAI && ns != UINT64_MAX)
		ns = ns > offset ? ns - offset : 0;
	return clock_is_wall(clock) ? deadline_of_wall(ns) : ns;
}

int clock_read(int clock, uint64_t *ns)
{
	if (clock_is_cpu(clock))
		return clock_read_cpu(clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
		*ns = time_wall();
		return 0;
	case CLOCK_TAI:
		*ns = time_wall() + READ_ONCE(clock_tai_offset) * NSEC_PER_SEC;
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = time_now();
		return 0;
	case CLOCK_MONOTONIC_RAW:
		*ns = time_raw();
		return 0;
	}
	return refuse(EINVAL, "no such clock");
}

long sys_clock_gettime(int clock, void __user *to)
{
	uint64_t ns;
	int error = clock_read(clock, &ns);

	return error < 0 ? error : time_to_user(ns, to, call_has_time64());
}

/* Every clock that a program can read is as fine as the TSC, which is told as 1 ns. */
long sys_clock_getres(int clock, void __user *to)
{
	uint64_t ns;
	int error = clock_read(clock, &ns);

	return error < 0 || !to ? error : time_to_user(1, to, call_has_time64());
}

long sys_gettimeofday(void __user *tv, void __user *tz)
{
	struct timeval32 now = timeval_from_ns(time_wall());
	struct vdso_clock clock = time_for_programs();
	struct clock_figures figures = clock_newest(&clock);
	int32_t zone[2] = { figures.minutes_west, figures.daylight };

	if (tv && copy_to_user(tv, &now, sizeof(now)) < 0)
		return -EFAULT;
	return tz ? copy_to_user(tz, zone, sizeof(zone)) : 0;
}

long sys_time(void __user *to)
{
	uint32_t now = (uint32_t)time_wall_spec().sec;

	return to && put_user_u32(now, to) < 0 ? -EFAULT : (long)now;
}
