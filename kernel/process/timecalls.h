/*
 * Times as programs pass them, and sleeping until one of them.
 */
#ifndef KERNEL_PROCESS_TIMECALLS_H
#define KERNEL_PROCESS_TIMECALLS_H

#include "lib/types.h"

/*
 * Has the system call that runs struct timespecs with 64-bit seconds? Those are the numbers from
 * 403 on; each has an older twin with 32 bits, which is the same function.
 */
bool call_has_time64(void);
/* struct timespec, with 64-bit seconds if `wide`. 0, -EFAULT; -EINVAL: no time. */
int time_from_user(uint64_t *ns, const void __user *from, bool wide);
int time_to_user(uint64_t ns, void __user *to, bool wide);

/* Sleep until time_now() is `deadline` (0) or a signal is there to be delivered (-EINTR). */
int sleep_until(uint64_t deadline);

#endif
