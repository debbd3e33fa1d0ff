/*
 * The older calls that set the times of a file: utime in seconds, utimes and futimesat in
 * microseconds.
 */
#include "fs/names/vfs_internal.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define NSEC_PER_USEC 1000
#define USEC_PER_SEC  1000000

static const struct timespec64 present[2] = { { .nsec = UTIME_NOW }, { .nsec = UTIME_NOW } };

long sys_utime(const char __user *name, const int32_t __user *user_times)
{
	struct timespec64 times[2] = { { 0 } };
	int32_t seconds[2];

	if (!user_times)
		return times_set_at(AT_FDCWD, name, present, 0);
	if (copy_from_user(seconds, user_times, sizeof(seconds)))
		return -EFAULT;
	times[0].sec = seconds[0];
	times[1].sec = seconds[1];
	return times_set_at(AT_FDCWD, name, times, 0);
}

long sys_futimesat(int dirfd, const char __user *name, const struct timeval32 __user *user_times)
{
	struct timespec64 times[2];
	struct timeval32 values[2];

	if (!user_times)
		return times_set_at(dirfd, name, present, 0);
	if (copy_from_user(values, user_times, sizeof(values)))
		return -EFAULT;
	for (unsigned int i = 0; i < 2; i++) {
		if (values[i].usec < 0 || values[i].usec >= USEC_PER_SEC)
			return refuse(EINVAL, "microseconds out of range");
		times[i] = (struct timespec64){ values[i].sec, values[i].usec * NSEC_PER_USEC };
	}
	return times_set_at(dirfd, name, times, 0);
}

long sys_utimes(const char __user *name, const struct timeval32 __user *times)
{
	return sys_futimesat(AT_FDCWD, name, times);
}
