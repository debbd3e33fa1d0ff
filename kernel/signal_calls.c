/*
 * The system calls about signals: actions, masks, waiting for signals, sending them.
 *
 * Permission to send: root, or the sender's real or effective user is the target's real or saved
 * one; SIGCONT within one session.
 */
#include "kernel/process.h"
#include "kernel/signal.h"
#include "kernel/syscalls.h"
#include "kernel/timespec.h"
#include "mm/uaccess.h"

#define SA_ALL                                                                              \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | \
	 SA_INTERRUPT | SA_NODEFER | SA_RESETHAND)
enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

struct old_sigaction {
	uint32_t handler, mask, flags, restorer;
};

struct user_sigaction {
	uint32_t handler, flags, restorer, mask[2];
};

static sigmask_t mask_of(const uint32_t words[2])
{
	return words[0] | (sigmask_t)words[1] << 32;
}

static long mask_from_user(sigmask_t *mask, const void __user *from, unsigned long size)
{
	uint32_t words[2];

	if (size != sizeof(words))
		return refuse(EINVAL, "a signal set has 8 bytes");
	if (copy_from_user(words, from, sizeof(words)) < 0)
		return -EFAULT;
	*mask = mask_of(words);
	return 0;
}

static int mask_to_user(sigmask_t mask, void __user *to)
{
	uint32_t words[2] = { (uint32_t)mask, mask >> 32 };

	return copy_to_user(to, words, sizeof(words));
}

/* ---- actions ---- */

static bool signo_ok(unsigned long signo)
{
	return signo >= 1 && signo <= NR_SIGNALS;
}

/* Set (wanted not NULL) and return (old not NULL) an action. */
static long change_action(unsigned long signo, const struct signal_action *wanted,
			  struct signal_action *old)
{
	struct process *process = current->process;
	struct task *task;
	unsigned int flags;

	if (!signo_ok(signo) || (wanted && (SIG_BIT(signo) & BITS_UNBLOCKABLE)))
		return refuse(EINVAL, "no signal, or one whose action is fixed");
	if (wanted && (wanted->flags & ~SA_ALL))
		return refuse(EINVAL, "unknown sa_flags");
	flags = spin_lock_irqsave(&tasks_lock);
	spin_lock(&process->signal_lock);
	if (old)
		*old = process->actions[signo - 1];
	if (wanted) {
		process->actions[signo - 1] = *wanted;
		process->actions[signo - 1].mask &= ~BITS_UNBLOCKABLE;
	}
	/* What is pending already is forgotten if it is to be ignored from now on. */
	if (wanted && signal_action_ignores(process, signo)) {
		signal_flush(process, NULL, SIG_BIT(signo));
		list_for_each(task, &process->threads, thread_link)
			signal_flush(process, task, SIG_BIT(signo));
	}
	spin_unlock(&process->signal_lock);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

long sys_rt_sigaction(unsigned long signo, unsigned long new_address, unsigned long old_address,
		      unsigned long mask_size)
{
	struct user_sigaction user;
	struct signal_action wanted, old;
	long error;

	if (mask_size != 8)
		return refuse(EINVAL, "a signal set has 8 bytes");
	if (new_address) {
		if (copy_from_user(&user, (void __user *)new_address, sizeof(user)) < 0)
			return -EFAULT;
		wanted = (struct signal_action){ user.handler, user.flags, user.restorer,
						 mask_of(user.mask) };
	}
	error = change_action(signo, new_address ? &wanted : NULL, &old);
	if (error < 0 || !old_address)
		return error;
	user = (struct user_sigaction){
		old.handler, old.flags, old.restorer, { (uint32_t)old.mask, old.mask >> 32 }
	};
	return copy_to_user((void __user *)old_address, &user, sizeof(user));
}

long sys_sigaction(unsigned long signo, unsigned long new_address, unsigned long old_address)
{
	struct old_sigaction user;
	struct signal_action wanted, old;
	long error;

	if (new_address) {
		if (copy_from_user(&user, (void __user *)new_address, sizeof(user)) < 0)
			return -EFAULT;
		wanted = (struct signal_action){ user.handler, user.flags, user.restorer,
						 user.mask };
	}
	error = change_action(signo, new_address ? &wanted : NULL, &old);
	if (error < 0 || !old_address)
		return error;
	user = (struct old_sigaction){ old.handler, (uint32_t)old.mask, old.flags, old.restorer };
	return copy_to_user((void __user *)old_address, &user, sizeof(user));
}

long sys_signal(unsigned long signo, unsigned long handler)
{
	struct signal_action wanted = { .handler = handler, .flags = SA_RESETHAND | SA_NODEFER },
			     old;
	long error = change_action(signo, &wanted, &old);

	return error < 0 ? error : (long)old.handler;
}

/* ---- masks ---- */

static long change_mask(unsigned long how, sigmask_t set)
{
	sigmask_t blocked = current->blocked;

	switch (how) {
	case SIG_BLOCK:
		blocked |= set;
		break;
	case SIG_UNBLOCK:
		blocked &= ~set;
		break;
	case SIG_SETMASK:
		blocked = set;
		break;
	default:
		return refuse(EINVAL, "how is none of SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK");
	}
	signal_set_blocked(blocked);
	return 0;
}

long sys_rt_sigprocmask(unsigned long how, unsigned long set, unsigned long old_set,
			unsigned long size)
{
	sigmask_t old = current->blocked, mask;
	long error;

	if (size != 8)
		return refuse(EINVAL, "a signal set has 8 bytes");
	if (set) {
		error = mask_from_user(&mask, (void __user *)set, size);
		if (error == 0)
			error = change_mask(how, mask);
		if (error < 0)
			return error;
	}
	return old_set ? mask_to_user(old, (void __user *)old_set) : 0;
}

/* The old form knows the first 32 signals; the others stay as they are. */
long sys_sigprocmask(unsigned long how, unsigned long set, unsigned long old_set)
{
	sigmask_t old = current->blocked;
	uint32_t mask;
	long error;

	if (set) {
		if (get_user_u32(&mask, (void __user *)set) < 0)
			return -EFAULT;
		error = change_mask(how, how == SIG_SETMASK ? mask | (old >> 32 << 32) : mask);
		if (error < 0)
			return error;
	}
	return old_set ? put_user_u32((uint32_t)old, (void __user *)old_set) : 0;
}

static sigmask_t pending_and_blocked(void)
{
	return (current->pending | current->process->pending) & current->blocked;
}

long sys_rt_sigpending(unsigned long set, unsigned long size)
{
	sigmask_t pending = pending_and_blocked();
	uint32_t words[2] = { (uint32_t)pending, pending >> 32 };

	if (size > sizeof(words))
		return refuse(EINVAL, "a signal set has 8 bytes");
	return copy_to_user((void __user *)set, words, size);
}

long sys_sigpending(unsigned long set)
{
	return put_user_u32((uint32_t)pending_and_blocked(), (void __user *)set);
}

/* ---- waiting ---- */

/* Sleep until a signal is there to be delivered; see signal_wake() for why none is missed. */
static long wait_for_signal(void)
{
	for (;;) {
		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		if (signal_pending())
			break;
		schedule();
	}
	current->state = TASK_RUNNING;
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	return wait_for_signal();
}

long sys_rt_sigsuspend(unsigned long set, unsigned long size)
{
	sigmask_t mask = 0;
	long error = mask_from_user(&mask, (void __user *)set, size);

	if (error != 0)
		return error;
	signal_set_blocked_temporarily(mask);
	return wait_for_signal();
}

/* The first two arguments are of no use any more. */
long sys_sigsuspend(unsigned long unused1, unsigned long unused2, unsigned long mask)
{
	signal_set_blocked_temporarily((uint32_t)mask);
	return wait_for_signal();
}

/*
 * One of `set` that is pending; else what is awaited from now on wakes us although it is blocked.
 */
static int take_awaited(sigmask_t set, struct signal_info *info)
{
	struct task *task = current;
	unsigned int flags = spin_lock_irqsave(&task->process->signal_lock);
	int signo = signal_dequeue(set, info);

	task->awaited = signo ? 0 : set;
	spin_unlock_irqrestore(&task->process->signal_lock, flags);
	return signo;
}

static void await_nothing(void)
{
	struct task *task = current;
	unsigned int flags = spin_lock_irqsave(&task->process->signal_lock);

	task->awaited = 0;
	spin_unlock_irqrestore(&task->process->signal_lock, flags);
}

static long wait_awaited(sigmask_t set, uint64_t deadline, struct signal_info *info)
{
	for (;;) {
		bool passed = time_now() >= deadline;
		int signo;

		current->state = TASK_INTERRUPTIBLE;
		memory_barrier();
		signo = take_awaited(set, info);
		if (signo) {
			current->state = TASK_RUNNING;
			return signo;
		}
		if (signal_pending() || passed) {
			current->state = TASK_RUNNING;
			await_nothing();
			return passed ? -EAGAIN : -EINTR;
		}
		schedule_until(deadline);
	}
}

static long sigtimedwait(unsigned long set_address, unsigned long info_address,
			 const struct timespec64 *timeout, unsigned long size)
{
	uint32_t words[SIGINFO_SIZE / 4];
	struct signal_info info;
	sigmask_t set = 0;
	uint64_t deadline = UINT64_MAX;
	long signo = mask_from_user(&set, (void __user *)set_address, size);

	if (signo != 0)
		return signo;
	if (timeout && !timespec_valid(timeout))
		return refuse(EINVAL, "the timeout is no time");
	if (timeout)
		deadline = deadline_after(timespec_to_ns(timeout));
	signo = wait_awaited(set & ~BITS_UNBLOCKABLE, deadline, &info);
	if (signo > 0 && info_address) {
		signal_info_to_user_form(&info, words);
		if (copy_to_user((void __user *)info_address, words, sizeof(words)) < 0)
			return -EFAULT;
	}
	return signo;
}

long sys_rt_sigtimedwait(unsigned long set, unsigned long info, unsigned long timeout,
			 unsigned long size)
{
	struct timespec64 ts;

	if (timeout && timespec_from_user32(&ts, (void __user *)timeout) < 0)
		return -EFAULT;
	return sigtimedwait(set, info, timeout ? &ts : NULL, size);
}

long sys_rt_sigtimedwait_time64(unsigned long set, unsigned long info, unsigned long timeout,
				unsigned long size)
{
	struct timespec64 ts;

	if (timeout && timespec_from_user64(&ts, (void __user *)timeout) < 0)
		return -EFAULT;
	return sigtimedwait(set, info, timeout ? &ts : NULL, size);
}

/* ---- sending ---- */

static bool may_signal(const struct process *target, int signo)
{
	const struct credentials *me = &current->process->cred, *it = &target->cred;

	if (target == current->process || me->euid == 0)
		return true;
	if (me->euid == it->suid || me->euid == it->uid || me->uid == it->suid ||
	    me->uid == it->uid)
		return true;
	return signo == SIGCONT && target->sid == current->process->sid;
}

static struct signal_info info_from_me(int code)
{
	return (struct signal_info){ .code = code,
				     .pid = current->process->pid,
				     .uid = current->process->cred.uid };
}

/* Signal 0 only asks. tasks_lock is held. */
static long send_checked(struct process *process, int signo, const struct signal_info *info)
{
	if (!may_signal(process, signo))
		return -EPERM;
	return signo ? signal_send_process_locked(process, signo, info) : 0;
}

/* kill to a group, or (pgid 0) to all but init and ourselves. tasks_lock is held. */
static long send_to_many(unsigned int pgid, int signo, const struct signal_info *info)
{
	struct process *process;
	long result = -ESRCH;

	list_for_each(process, &all_processes, all_link) {
		long error;

		if (pgid ? process->pgid != pgid
			 : process == init_process || process == current->process)
			continue;
		error = send_checked(process, signo, info);
		/* One that got it makes the call a success. */
		if (result != 0)
			result = error;
	}
	return result;
}

long sys_kill(unsigned long pid, unsigned long signo)
{
	struct signal_info info = info_from_me(SI_USER);
	struct process *process;
	unsigned int flags;
	long result;
	int target = pid;

	if (signo && !signo_ok(signo))
		return refuse(EINVAL, "no such signal");
	if (target == INT32_MIN)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	if (target > 0) {
		process = process_find_locked(target);
		result = process ? send_checked(process, signo, &info) : -ESRCH;
	} else if (target == -1) {
		result = send_to_many(0, signo, &info);
	} else {
		result = send_to_many(target ? (unsigned int)-target : current->process->pgid,
				      signo, &info);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

/* tgid 0: whatever process the thread is in. */
static long send_to_thread(int tgid, int tid, int signo, const struct signal_info *info)
{
	unsigned int flags;
	struct task *task;
	long result = -ESRCH;

	if (signo && !signo_ok(signo))
		return refuse(EINVAL, "no such signal");
	flags = spin_lock_irqsave(&tasks_lock);
	task = task_find_locked(tid);
	if (task && (tgid == 0 || (int)task->process->pid == tgid)) {
		if (!may_signal(task->process, signo))
			result = -EPERM;
		else
			result = signo ? signal_send_task_locked(task, signo, info) : 0;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

long sys_tkill(unsigned long tid, unsigned long signo)
{
	struct signal_info info = info_from_me(SI_TKILL);

	if ((int)tid <= 0)
		return refuse(EINVAL, "no thread id");
	return send_to_thread(0, tid, signo, &info);
}

long sys_tgkill(unsigned long tgid, unsigned long tid, unsigned long signo)
{
	struct signal_info info = info_from_me(SI_TKILL);

	if ((int)tid <= 0 || (int)tgid <= 0)
		return refuse(EINVAL, "no thread id");
	return send_to_thread(tgid, tid, signo, &info);
}

/* Codes of the kernel's own, and kill's, can be made up only for oneself. */
static long queued_info(struct signal_info *info, unsigned long address, bool self)
{
	uint32_t words[6];

	if (copy_from_user(words, (void __user *)address, sizeof(words)) < 0)
		return -EFAULT;
	*info = (struct signal_info){ .error = words[1],
				      .code = words[2],
				      .pid = words[3],
				      .uid = words[4],
				      .address = words[5] };
	if (!self && (info->code >= 0 || info->code == SI_TKILL))
		return refuse(EPERM, "si_code is the kernel's");
	return 0;
}

long sys_rt_sigqueueinfo(unsigned long pid, unsigned long signo, unsigned long info_address)
{
	struct signal_info info;
	struct process *process;
	unsigned int flags;
	long error = queued_info(&info, info_address, pid == current->process->pid);

	if (error < 0)
		return error;
	if (signo && !signo_ok(signo))
		return refuse(EINVAL, "no such signal");
	flags = spin_lock_irqsave(&tasks_lock);
	process = process_find_locked(pid);
	error = process ? send_checked(process, signo, &info) : -ESRCH;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

long sys_rt_tgsigqueueinfo(unsigned long tgid, unsigned long tid, unsigned long signo,
			   unsigned long info_address)
{
	struct signal_info info;
	long error = queued_info(&info, info_address, tgid == current->process->pid);

	if (error < 0)
		return error;
	if ((int)tid <= 0 || (int)tgid <= 0)
		return refuse(EINVAL, "no thread id");
	return send_to_thread(tgid, tid, signo, &info);
}

/* ---- the alternate stack ---- */

int signal_restore_altstack(uint32_t base, uint32_t flags, uint32_t size)
{
	struct task *task = current;

	if (signal_on_altstack(task, task_frame(task)->esp))
		return -EPERM;
	if (flags & SS_DISABLE) {
		task->altstack_base = task->altstack_size = 0;
		return 0;
	}
	if (size < MINSIGSTKSZ)
		return -ENOMEM;
	task->altstack_base = base;
	task->altstack_size = size;
	return 0;
}

long sys_sigaltstack(unsigned long new_address, unsigned long old_address)
{
	struct task *task = current;
	uint32_t wanted[3], old[3]; /* base, flags, size */
	uint32_t esp = task_frame(task)->esp;
	int error;

	old[0] = task->altstack_base;
	old[1] = task->altstack_size == 0	 ? SS_DISABLE
		 : signal_on_altstack(task, esp) ? SS_ONSTACK
						 : 0;
	old[2] = task->altstack_size;
	if (new_address) {
		if (copy_from_user(wanted, (void __user *)new_address, sizeof(wanted)) < 0)
			return -EFAULT;
		if (wanted[1] != 0 && wanted[1] != SS_DISABLE && wanted[1] != SS_ONSTACK)
			return refuse(EINVAL, "unknown ss_flags");
		error = signal_restore_altstack(wanted[0], wanted[1], wanted[2]);
		if (error == -EPERM)
			return refuse(EPERM, "the alternate stack is in use");
		if (error < 0)
			return refuse(-error, "the alternate stack is smaller than MINSIGSTKSZ");
	}
	return old_address ? copy_to_user((void __user *)old_address, old, sizeof(old)) : 0;
}
