/*
 * The system calls that set the wall clock, for which a program needs CAP_SYS_TIME. The RTC is not
 * set.
 */
#include "kernel/capability.h"
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/syscalls.h"
#include "kernel/vdso_clock.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vdso.h"

#define MINUTES_WEST_MAX (15 * 60)

int clock_set_wall(uint64_t ns)
{
	struct vdso_clock *programs;
	int error;

	if (!capable(CAP_SYS_TIME))
		return refuse(EPERM, "no CAP_SYS_TIME");
	programs = vdso_clock_begin();
	if (IS_ERR(programs))
		return PTR_ERR(programs);
	error = time_set_wall(programs, ns);
	vdso_clock_end(programs);
	return error < 0 ? refuse(EINVAL, "the boot would have been before 1970") : 0;
}

static int set_zone(const int32_t zone[2])
{
	struct vdso_clock *programs;

	if (!capable(CAP_SYS_TIME))
		return refuse(EPERM, "no CAP_SYS_TIME");
	if (zone[0] > MINUTES_WEST_MAX || zone[0] < -MINUTES_WEST_MAX)
		return refuse(EINVAL, "the time zone is more than 15 hours away");
	programs = vdso_clock_begin();
	if (IS_ERR(programs))
		return PTR_ERR(programs);
	time_set_zone(programs, zone[0], zone[1]);
	vdso_clock_end(programs);
	return 0;
}

/* Unlike Linux, a time zone without a time does not make the wall clock jump by that zone. */
long sys_settimeofday(const void __user *tv, const void __user *tz)
{
	struct timeval32 time;
	int32_t zone[2];
	int error = 0;

	if (tv && copy_from_user(&time, tv, sizeof(time)) < 0)
		return -EFAULT;
	if (tv && (time.usec < 0 || time.usec >= 1000000 || time.sec < 0))
		return refuse(EINVAL, "no valid time");
	if (tz && copy_from_user(zone, tz, sizeof(zone)) < 0)
		return -EFAULT;
	if (!capable(CAP_SYS_TIME))
		return -EPERM;
	if (tz)
		error = set_zone(zone);
	if (!error && tv)
		error = clock_set_wall(time.sec * NSEC_PER_SEC + time.usec * 1000ull);
	return error;
}

long sys_stime(const void __user *from)
{
	uint32_t seconds;

	if (get_user_u32(&seconds, from) < 0)
		return -EFAULT;
	return (int32_t)seconds < 0 ? -EINVAL : clock_set_wall(seconds * NSEC_PER_SEC);
}

long sys_clock_settime(int clock, const void __user *from)
{
	uint64_t ns;
	int error;

	if (clock < 0)
		return clock_read(clock, &ns) < 0 ? -EINVAL : refuse(EPERM, "a clock of CPU time");
	if (clock != CLOCK_REALTIME)
		return refuse(EINVAL, "not a clock that can be set");
	error = time_from_user(&ns, from, call_has_time64());
	return error < 0 ? error : clock_set_wall(ns);
}
