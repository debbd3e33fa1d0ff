/*
 * prctl(2), but for the options that concern credentials, which are in capability.c.
 *
 * The slack of timers is a permission to be late, of which this kernel makes no use: a timer is at
 * most one tick late.
 */
#include "kernel/capability.h"
#include "kernel/cpu/tsc.h"
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/mm.h"
#include "mm/vm/uaccess.h"

enum { /* options; the others are in capability.c */
       PR_SET_PDEATHSIG = 1,
       PR_GET_PDEATHSIG = 2,
       PR_GET_DUMPABLE = 3,
       PR_SET_DUMPABLE = 4,
       PR_GET_TIMING = 13,
       PR_SET_TIMING = 14,
       PR_SET_NAME = 15,
       PR_GET_NAME = 16,
       PR_GET_SECCOMP = 21,
       PR_GET_TSC = 25,
       PR_SET_TSC = 26,
       PR_SET_TIMERSLACK = 29,
       PR_GET_TIMERSLACK = 30,
       PR_TASK_PERF_EVENTS_DISABLE = 31,
       PR_TASK_PERF_EVENTS_ENABLE = 32,
       PR_SET_MM = 35,
       PR_SET_CHILD_SUBREAPER = 36,
       PR_GET_CHILD_SUBREAPER = 37,
       PR_GET_TID_ADDRESS = 40,
       PR_SET_THP_DISABLE = 41,
       PR_GET_THP_DISABLE = 42,
};

enum { /* what PR_SET_MM sets */
       PR_SET_MM_ARG_START = 8,
       PR_SET_MM_ARG_END = 9,
       PR_SET_MM_ENV_START = 10,
       PR_SET_MM_ENV_END = 11,
};

enum { TIMING_STATISTICAL }; /* CPU time is told apart by where the ticks find a task */
enum { TSC_ENABLE = 1, TSC_SIGSEGV = 2 };

/* Set the name of a thread, which ps shows. */
static long set_name(const char __user *from)
{
	char name[TASK_NAME_LEN];
	ssize_t len = strncpy_from_user(name, from, sizeof(name));

	if (len == -EFAULT)
		return -EFAULT;
	/*
	 * Cut a longer name. Fill up a shorter one with zeros, because PR_GET_NAME copies all 16
	 * bytes.
	 */
	if (len < 0 || len >= sizeof(name))
		len = sizeof(name) - 1;
	memset(name + len, 0, sizeof(name) - len);
	memcpy(current->name, name, sizeof(name));
	return 0;
}

/* Set whether other processes of the user may inspect this one in /proc. */
static long set_dumpable(unsigned long value)
{
	if (value > 1)
		return refuse(EINVAL, "dumpable is 0 or 1");
	current->process->undumpable = !value;
	return 0;
}

/* Set the signal that the process gets when its parent ends. It belongs to the calling thread. */
static long set_death_signal(unsigned long signo)
{
	unsigned int flags;

	if (signo > NR_SIGNALS)
		return refuse(EINVAL, "no such signal");
	flags = spin_lock_irqsave(&tasks_lock);
	current->death_signal = signo;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

static long set_subreaper(bool on)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	current->process->subreaper = on;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

/* Whether the thread may read the TSC itself. */
static long set_tsc(unsigned long value)
{
	if (value != TSC_ENABLE && value != TSC_SIGSEGV)
		return refuse(EINVAL, "not PR_TSC_ENABLE or PR_TSC_SIGSEGV");
	tsc_forbid(value == TSC_SIGSEGV);
	return 0;
}

/*
 * Huge pages are never made of small ones here, so there is nothing to disable. The process only
 * keeps its wish.
 */
static long thp_disable(unsigned long option, const unsigned long arguments[4])
{
	bool get = option == PR_GET_THP_DISABLE;

	if ((get && arguments[0]) || arguments[1] || arguments[2] || arguments[3])
		return refuse(EINVAL, "arguments that must be 0");
	if (get)
		return current->process->thp_disabled;
	current->process->thp_disabled = arguments[0];
	return 0;
}

/*
 * Set one end of the arguments or of the environment, where /proc/PID/cmdline and environ read
 * them. A program that shows another command line does that. There is nothing that would read the
 * other addresses that Linux can set. An address where nothing is mapped is not refused, because
 * the files end there.
 */
static long set_mm(const unsigned long arguments[4])
{
	struct mm *mm = current->mm;
	uintptr_t at = arguments[1], arg_start, arg_end, env_start, env_end;
	long error;

	if (arguments[2] || arguments[3])
		return refuse(EINVAL, "arguments that must be 0");
	if (!capable(CAP_SYS_RESOURCE))
		return refuse(EPERM, "needs CAP_SYS_RESOURCE");
	if (at < MMAP_MIN || at >= USER_END || arguments[0] < PR_SET_MM_ARG_START ||
	    arguments[0] > PR_SET_MM_ENV_END)
		return refuse(EINVAL, "not an address of a program, or not one that can be set");
	error = mutex_lock_killable(&mm->lock);
	if (error)
		return error;
	arg_start = arguments[0] == PR_SET_MM_ARG_START ? at : mm->arg_start;
	arg_end = arguments[0] == PR_SET_MM_ARG_END ? at : mm->arg_end;
	env_start = arguments[0] == PR_SET_MM_ENV_START ? at : mm->env_start;
	env_end = arguments[0] == PR_SET_MM_ENV_END ? at : mm->env_end;
	if (arg_start > arg_end || env_start > env_end) {
		error = refuse(EINVAL, "the end would come before the start");
	} else {
		mm->arg_start = arg_start;
		mm->arg_end = arg_end;
		mm->env_start = env_start;
		mm->env_end = env_end;
	}
	mutex_unlock(&mm->lock);
	return error;
}

long sys_prctl(unsigned long option, unsigned long argument, unsigned long third,
	       unsigned long fourth, unsigned long fifth)
{
	const unsigned long arguments[] = { argument, third, fourth, fifth };

	switch (option) {
	case PR_SET_PDEATHSIG:
		return set_death_signal(argument);
	case PR_GET_PDEATHSIG:
		return put_user_u32(current->death_signal, (void __user *)argument);
	case PR_SET_CHILD_SUBREAPER:
		return set_subreaper(argument);
	case PR_SET_MM:
		return set_mm(arguments);
	case PR_GET_CHILD_SUBREAPER:
		return put_user_u32(current->process->subreaper, (void __user *)argument);
	case PR_GET_DUMPABLE:
		return !current->process->undumpable;
	case PR_SET_DUMPABLE:
		return set_dumpable(argument);
	case PR_SET_NAME:
		return set_name((const char __user *)argument);
	case PR_GET_NAME:
		return copy_to_user((void __user *)argument, current->name, TASK_NAME_LEN);
	case PR_GET_TIMING:
		return TIMING_STATISTICAL;
	case PR_SET_TIMING:
		return argument == TIMING_STATISTICAL
			       ? 0
			       : refuse(EINVAL, "CPU time is counted in one way only");
	case PR_GET_SECCOMP:		  /* no process can restrict its calls */
	case PR_TASK_PERF_EVENTS_DISABLE: /* or count events of the CPU */
	case PR_TASK_PERF_EVENTS_ENABLE:
		return 0;
	case PR_GET_TSC:
		return put_user_u32(current->no_tsc ? TSC_SIGSEGV : TSC_ENABLE,
				    (void __user *)argument);
	case PR_SET_TSC:
		return set_tsc(argument);
	case PR_GET_TIMERSLACK:
		return current->timer_slack;
	case PR_SET_TIMERSLACK:
		current->timer_slack = argument ? argument : current->timer_slack_default;
		return 0;
	case PR_GET_TID_ADDRESS:
		return put_user_u32((uintptr_t)current->clear_child_tid, (void __user *)argument);
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
		return thp_disable(option, arguments);
	}
	return credentials_prctl(option, arguments);
}
