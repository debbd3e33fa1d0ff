/*
 * The system calls for signals: setting actions and masks, waiting for signals, and sending them.
 *
 * Root may send signals to all processes. Others may do so if their real or effective user is the
 * target's real or saved user. SIGCONT may also be sent within a session.
 */
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "kernel/process/timecalls.h"
#include "mm/vm/uaccess.h"

/*
 * sigaction(2) forgets all other flags. A program that reads the action back sees which ones are
 * known.
 */
#define SA_ALL                                                                              \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_RESTART | \
	 SA_NODEFER | SA_RESETHAND)
enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

_Static_assert(sizeof(struct signal_action) == 20, "struct kernel_sigaction");

static long wrong_size(void)
{
	return refuse(EINVAL, "a signal set has 8 bytes");
}

/* ---- actions ---- */

static void set_action(struct process *process, unsigned int signo,
		       const struct signal_action *wanted)
{
	*signal_action_of(process, signo) = *wanted;
	signal_action_of(process, signo)->flags &= SA_ALL;
	signal_action_of(process, signo)->mask &= ~BITS_UNBLOCKABLE;
	/* If the signal is ignored from now on, drop it where it is pending. */
	if (signal_action_ignores(process, signo))
		signal_forget(process, SIG_BIT(signo));
}

int signal_change_action(unsigned int signo, const struct signal_action *wanted,
			 struct signal_action *old)
{
	struct process *process = current->process;
	unsigned int flags;

	if (signo < 1 || signo > NR_SIGNALS || (wanted && (SIG_BIT(signo) & BITS_UNBLOCKABLE)))
		return refuse(EINVAL, "not a signal, or one whose action cannot be changed");
	flags = spin_lock_irqsave(&tasks_lock);
	*old = *signal_action_of(process, signo);
	if (wanted)
		set_action(process, signo, wanted);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

long sys_rt_sigaction(unsigned int signo, const void __user *from, void __user *to, size_t size)
{
	struct signal_action wanted, old;
	int error;

	if (size != sizeof(sigmask_t))
		return wrong_size();
	if (from && copy_from_user(&wanted, from, sizeof(wanted)) < 0)
		return -EFAULT;
	error = signal_change_action(signo, from ? &wanted : NULL, &old);
	if (error)
		return error;
	return to ? copy_to_user(to, &old, sizeof(old)) : 0;
}

/* ---- masks ---- */

long sys_rt_sigprocmask(unsigned int how, const void __user *from, void __user *to, size_t size)
{
	sigmask_t old = current->blocked, set;

	if (size != sizeof(set))
		return wrong_size();
	if (from) {
		if (copy_from_user(&set, from, sizeof(set)) < 0)
			return -EFAULT;
		if (how > SIG_SETMASK)
			return refuse(EINVAL, "neither SIG_BLOCK, SIG_UNBLOCK nor SIG_SETMASK");
		signal_set_blocked(how == SIG_BLOCK	? old | set
				   : how == SIG_UNBLOCK ? old & ~set
							: set);
	}
	return to ? copy_to_user(to, &old, sizeof(old)) : 0;
}

sigmask_t signal_blocked_and_pending(void)
{
	return (current->signals.set | current->process->signals.set) & current->blocked;
}

long sys_rt_sigpending(void __user *to, size_t size)
{
	sigmask_t pending = signal_blocked_and_pending();

	if (size > sizeof(pending))
		return wrong_size();
	return copy_to_user(to, &pending, size);
}

long sys_pause(void)
{
	(void)sleep_until(UINT64_MAX);
	return -ERESTARTNOHAND;
}

long sys_rt_sigsuspend(const void __user *from, size_t size)
{
	sigmask_t mask;

	if (size != sizeof(mask))
		return wrong_size();
	if (copy_from_user(&mask, from, sizeof(mask)) < 0)
		return -EFAULT;
	signal_set_blocked_temporarily(mask);
	return sys_pause();
}

/* ---- sending ---- */

static bool may_signal(const struct process *target, int signo)
{
	const struct credentials *me = &current->process->cred, *it = &target->cred;

	return target == current->process || capable(CAP_KILL) || me->euid == it->suid ||
	       me->euid == it->uid || me->uid == it->suid || me->uid == it->uid ||
	       (signo == SIGCONT && target->sid == current->process->sid);
}

long signal_send_checked(struct process *process, struct task *task, unsigned int signo,
			 const struct signal_info *info)
{
	lockdep_held(&tasks_lock);
	if (signo > NR_SIGNALS)
		return refuse(EINVAL, "no such signal");
	if (!may_signal(process, signo))
		return -EPERM;
	return signo ? signal_send_locked(process, task, signo, info) : 0;
}

static struct signal_info from_current(int code)
{
	struct process *process = current->process;

	return (struct signal_info){ .code = code, .pid = process->pid, .uid = process->cred.uid };
}

long sys_kill(int pid, unsigned int signo)
{
	struct signal_info info = from_current(SI_USER);
	struct process *process;
	bool sent = false;
	long result = -ESRCH, error;
	unsigned int flags;

	if (pid == INT32_MIN)
		return -ESRCH;
	flags = spin_lock_irqsave(&tasks_lock);
	/* The call succeeds if at least one process gets the signal. */
	list_for_each(process, &all_processes, all_link) {
		if (!process_is_meant(process, pid))
			continue;
		error = signal_send_checked(process, NULL, signo, &info);
		sent = sent || error == 0;
		result = sent ? 0 : error;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	/* Somebody who signals everybody does not ask about the processes of others. */
	return pid == -1 && result == -EPERM ? 0 : result;
}

/*
 * A thread that has ended is not found. Its process may be, as a zombie or because other threads
 * live on. Then the signal is dropped, as on Linux.
 */
long signal_send_thread(int tgid, int tid, unsigned int signo, const struct signal_info *info)
{
	struct task *task = task_find_locked(tid);
	struct process *process = task ? task->process : process_find_locked(tid);

	if (!process || (tgid && process->pid != tgid))
		return -ESRCH;
	return signal_send_checked(process, task, task || signo > NR_SIGNALS ? signo : 0, info);
}

static long kill_thread(int tgid, int tid, unsigned int signo)
{
	struct signal_info info = from_current(SI_TKILL);
	unsigned int flags;
	long result;

	if (tid <= 0)
		return refuse(EINVAL, "not a thread id");
	flags = spin_lock_irqsave(&tasks_lock);
	result = signal_send_thread(tgid, tid, signo, &info);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

long sys_tgkill(int tgid, int tid, unsigned int signo)
{
	return tgid <= 0 ? refuse(EINVAL, "not a process id") : kill_thread(tgid, tid, signo);
}

long sys_tkill(int tid, unsigned int signo)
{
	return kill_thread(0, tid, signo);
}
