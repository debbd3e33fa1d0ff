/*
 * The system calls that send signals with a value, and that wait for signals without a handler:
 * rt_sigqueueinfo, rt_tgsigqueueinfo, rt_sigtimedwait.
 */
#include "kernel/process/process.h"
#include "kernel/process/timecalls.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "mm/vm/uaccess.h"

#define SI_DETHREAD (-7) /* the lowest code of those in a row that Linux has given a meaning */
#define SI_ASYNCNL  (-60)

/* ---- sending ---- */

int signal_info_from_user(struct signal_info *info, const void __user *from, int to,
			  unsigned int *signo)
{
	uint32_t words[SIGINFO_SIZE / 4];
	const unsigned int kept = 3 + ARRAY_SIZE(info->words);

	if (copy_from_user(words, from, sizeof(words)) < 0)
		return -EFAULT;
	/* In the layouts that are known, nothing follows. */
	for (unsigned int i = kept; i < ARRAY_SIZE(words); i++)
		if (words[i] && (int)words[2] < SI_DETHREAD && (int)words[2] != SI_ASYNCNL)
			return refuse(E2BIG, "details that the kernel does not keep");
	if (signo)
		*signo = words[0];
	*info = (struct signal_info){ .error = words[1], .code = words[2] };
	for (unsigned int i = 0; i < ARRAY_SIZE(info->words); i++)
		info->words[i] = words[3 + i];
	if ((info->code >= 0 || info->code == SI_TKILL) && to != (int)current->tid)
		return refuse(EPERM, "a code that only the kernel uses");
	return 0;
}

long sys_rt_sigqueueinfo(int pid, unsigned int signo, const void __user *from)
{
	struct signal_info info;
	struct process *process;
	unsigned int flags;
	long result = signal_info_from_user(&info, from, pid, NULL);

	if (result < 0)
		return result;
	flags = spin_lock_irqsave(&tasks_lock);
	process = process_find_locked(pid);
	result = process ? signal_send_checked(process, NULL, signo, &info) : -ESRCH;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

long sys_rt_tgsigqueueinfo(int tgid, int tid, unsigned int signo, const void __user *from)
{
	struct signal_info info;
	unsigned int flags;
	long result = signal_info_from_user(&info, from, tid, NULL);

	if (result < 0 && result != -EPERM)
		return result;
	if (tid <= 0 || tgid <= 0)
		return refuse(EINVAL, "not a process and a thread id");
	if (result < 0)
		return result;
	flags = spin_lock_irqsave(&tasks_lock);
	result = signal_send_thread(tgid, tid, signo, &info);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return result;
}

/* ---- waiting ---- */

/*
 * Sleep until a signal of `mask` could be taken. Returns its number, -EAGAIN if the deadline has
 * passed, or -EINTR if another signal came, or the process was stopped.
 *
 *	waiter					sender
 *	awaited = mask
 *	takes: nothing				queues the signal
 *	state = INTERRUPTIBLE			awaited: this thread takes it
 *	full barrier				work |= signal, full barrier
 *	signal_pending()? no: sleeps		state is INTERRUPTIBLE? no: no wakeup
 *
 * The barriers are those of sleep_until() and signal_wake(). If `awaited` were set after the last
 * look, a sender in between would find that no thread wants the signal, and wake none.
 */
static int take_or_sleep(sigmask_t mask, uint64_t deadline, struct signal_info *info)
{
	int signo, error;

	do {
		error = time_now() >= deadline ? -EAGAIN : sleep_until(deadline);
		signo = signal_take(mask, info);
		if (signo)
			return signo;
		if (error == -EINTR && !signal_pending())
			error = 0; /* another thread has taken the signal */
	} while (error == 0);
	return error;
}

/*
 * A signal that came too late for this call may be one that another thread does not block. When
 * this thread ceases to await it, signal_set_blocked() wakes that thread.
 */
//BOOK: signal-awaited
static int wait_for_signal(sigmask_t mask, uint64_t deadline, struct signal_info *info)
{
	int signo;

	signal_set_awaited(mask);
	signo = signal_take(mask, info);
	if (!signo)
		signo = take_or_sleep(mask, deadline, info);
	signal_set_blocked(current->blocked);
	return signo;
}

long sys_rt_sigtimedwait(const void __user *from, void __user *to, const void __user *timeout,
			 size_t size)
{
	uint64_t deadline = UINT64_MAX;
	struct signal_info info;
	sigmask_t mask;
	int signo, error;

	if (size != sizeof(mask))
		return refuse(EINVAL, "a signal set has 8 bytes");
	if (copy_from_user(&mask, from, sizeof(mask)) < 0)
		return -EFAULT;
	if (timeout) {
		error = time_from_user(&deadline, timeout, call_has_time64());
		if (error < 0)
			return error;
		deadline = deadline_after(deadline);
	}
	signo = wait_for_signal(mask, deadline, &info);
	if (signo > 0 && to && signal_info_to_user(signo, &info, to) < 0)
		return -EFAULT;
	return signo;
}
