/*
 * The calls for signals of the first Linux, whose sets have 32 bits.
 *
 * A set of theirs has no signal above 32. sigprocmask leaves the others as they are; ssetmask and
 * sigsuspend do not block them.
 */
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

struct old_sigaction {
	uint32_t handler, mask, flags, restorer;
};

long sys_sigaction(unsigned int signo, const void __user *from, void __user *to)
{
	struct signal_action wanted = { 0 }, old;
	struct old_sigaction action;
	int error;

	if (from && copy_from_user(&action, from, sizeof(action)) < 0)
		return -EFAULT;
	if (from) {
		wanted.handler = action.handler;
		wanted.mask = action.mask;
		wanted.flags = action.flags;
		wanted.restorer = action.restorer;
	}
	error = signal_change_action(signo, from ? &wanted : NULL, &old);
	if (error || !to)
		return error;
	action = (struct old_sigaction){ old.handler, (uint32_t)old.mask, old.flags, old.restorer };
	return copy_to_user(to, &action, sizeof(action));
}

/* The handler is called once, and can be interrupted by its own signal. */
long sys_signal(unsigned int signo, uint32_t handler)
{
	const struct signal_action wanted = { .handler = handler,
					      .flags = SA_RESETHAND | SA_NODEFER };
	struct signal_action old;
	int error = signal_change_action(signo, &wanted, &old);

	return error ? error : (long)old.handler;
}

long sys_sgetmask(void)
{
	return (long)(uint32_t)current->blocked;
}

long sys_ssetmask(uint32_t mask)
{
	long old = sys_sgetmask();

	signal_set_blocked(mask);
	return old;
}

long sys_sigprocmask(unsigned int how, const void __user *from, void __user *to)
{
	sigmask_t old = current->blocked;
	uint32_t set;

	if (from) {
		if (get_user_u32(&set, from) < 0)
			return -EFAULT;
		if (how > SIG_SETMASK)
			return refuse(EINVAL, "neither SIG_BLOCK, SIG_UNBLOCK nor SIG_SETMASK");
		signal_set_blocked(how == SIG_BLOCK	? old | set
				   : how == SIG_UNBLOCK ? old & ~(sigmask_t)set
							: (old >> 32 << 32 | set));
	}
	return to ? put_user_u32((uint32_t)old, to) : 0;
}

long sys_sigpending(void __user *to)
{
	return put_user_u32((uint32_t)signal_blocked_and_pending(), to);
}

/* The first two arguments have no meaning. */
long sys_sigsuspend(long first, long second, uint32_t mask)
{
	signal_set_blocked_temporarily(mask);
	return sys_pause();
}
