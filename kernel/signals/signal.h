/*
 * Signals: sending, delivering and blocking them. tasks_lock guards everything that belongs to
 * signals.
 */
#ifndef KERNEL_SIGNALS_SIGNAL_H
#define KERNEL_SIGNALS_SIGNAL_H

#include "kernel/task.h"

struct queued_signal;

#define SIG_DFL 0u
#define SIG_IGN 1u

/* sigaction flags */
#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO   0x00000004u
#define SA_RESTORER  0x04000000u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

enum { CLD_EXITED = 1, CLD_KILLED = 2, CLD_TRAPPED = 4, CLD_STOPPED = 5, CLD_CONTINUED = 6 };

#define SIGINFO_SIZE 128u /* sizeof(siginfo_t) */

/*
 * Send a signal to a process, to one of its tasks, or to every process of a group. If info is NULL,
 * the signal comes from the kernel. Never sleep. May be called in an interrupt, but not under
 * tasks_lock.
 */
void signal_send_process(struct process *process, int signo, const struct signal_info *info);
void signal_send_task(struct task *task, int signo, const struct signal_info *info);
void signal_send_group(unsigned int pgid, int signo, const struct signal_info *info);
/*
 * Send a signal to the current task in its own name, as Linux does for SIGPIPE and SIGXFSZ. Never
 * sleeps.
 */
void signal_send_self(int signo);
/*
 * Send a signal to one task of the process, or to the process if task is NULL. Returns 0, or
 * -EAGAIN if it is a real-time signal that cannot be queued with its details. tasks_lock is held.
 */
int signal_send_locked(struct process *process, struct task *task, int signo,
		       const struct signal_info *info);
/* End the process with that wait4(2) status by killing all its threads. tasks_lock is held. */
void signal_kill_locked(struct process *process, int status);
/* Kill every thread except `except`, which may be NULL. tasks_lock is held. */
void signal_kill_threads_locked(struct process *process, struct task *except);

/*
 * Returns the signal that tells the parent of the child's end, or 0 if there is none. It is the one
 * that clone(2) chose, unless the parent has called exec since then. tasks_lock is held.
 */
int process_exit_signal(const struct process *child);
/*
 * Tell the parent, with the signal `signo` (0: none) and through wait4(2), that the child has
 * stopped, continued or ended. `code` is CLD_*, and `value` is the signal that was the cause, or
 * the exit status. tasks_lock is held.
 */
void process_notify_parent(struct process *child, int signo, int code, int value);

/*
 * Send a signal to the current task because it has caused a fault. If the signal is blocked or
 * ignored, it gets its default action and is sent all the same. Never sleeps.
 */
void signal_force(int signo, int code, uint32_t address);

/*
 * Enter a signal handler, perform a default action, or restart an interrupted call. Called before
 * the return to user mode if task->work has TASK_WORK_SIGNAL. May sleep, and may not return.
 */
void signal_deliver(struct trap_frame *frame);

/*
 * Set *old to the action of a signal, and set the action unless `wanted` is NULL, as sigaction(2).
 * Returns 0, or -EINVAL if there is no such signal, or its action cannot be changed. Never sleeps.
 */
int signal_change_action(unsigned int signo, const struct signal_action *wanted,
			 struct signal_action *old);
/* Returns the signals that are blocked and pending, for the current task. Never sleeps. */
sigmask_t signal_blocked_and_pending(void);

/* Set the blocked signals of the current task. SIGKILL and SIGSTOP stay unblocked. Never sleeps. */
void signal_set_blocked(sigmask_t mask);
/*
 * For sigtimedwait: a signal of `mask` wakes the current task although it is blocked. It stays so
 * until the next signal_set_blocked(). Never sleeps.
 */
void signal_set_awaited(sigmask_t mask);
/*
 * For sigsuspend, ppoll and pselect: block `mask` until the return to user mode. The old mask is
 * then restored, after the signal's handler if one runs. Never sleeps.
 */
void signal_set_blocked_temporarily(sigmask_t mask);

/* Default actions. */
#define BITS_STOP    (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define BITS_IGNORED (SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
/* The signals that faults of an instruction cause. */
#define BITS_FAULT \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGFPE) | SIG_BIT(SIGTRAP))
#define BITS_UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

/* ---- taking signals without a handler: sigtimedwait(2), signalfd(2) ---- */

/*
 * Take the current task's or its process's next pending signal out of `mask`, whether it is blocked
 * or not, and fill *info. Never takes SIGKILL or SIGSTOP. Returns the signal's number, or 0 if none
 * is pending. Never sleeps. process->signal_wait is woken whenever a signal becomes pending for the
 * process or for one of its threads. A caller that sleeps there checks with signal_is_pending().
 */
int signal_take(sigmask_t mask, struct signal_info *info);
/* Returns true if signal_take() would find a signal now. Never sleeps. */
bool signal_is_pending(sigmask_t mask);
/* Copy *info to a siginfo_t of the program. Returns 0 or -EFAULT. May sleep. */
int signal_info_to_user(int signo, const struct signal_info *info, void __user *to);

/* ---- kernel/signals/queue.c. tasks_lock is held in all of these. ---- */

struct queued_signal {
	struct list link; /* in a queue's `queued`, or alone */
	int signo;
	bool kept; /* a timer keeps it when it has been taken */
	struct signal_info info;
};

/*
 * Returns how many entries the user's processes have in their queues and timers. The time grows
 * with the number of processes.
 */
unsigned int signal_entries_of(uint32_t uid);
/*
 * Allocate an entry, which counts against RLIMIT_SIGPENDING of the process's user. Returns NULL if
 * that is reached, or if there is no memory.
 */
struct queued_signal *signal_entry_alloc(struct process *process);
/* The timer that kept the entry is gone. If the entry is queued, it is freed when it is taken. */
void signal_entry_drop(struct process *process, struct queued_signal *entry);
/*
 * Make the signal of an entry, which is not queued, pending. `queue` belongs to the process or a
 * thread.
 */
void signal_queue_entry(struct process *process, struct signal_queue *queue,
			struct queued_signal *entry);
/* Make a signal pending. Returns 0, or -EAGAIN if it needs an entry and there is none. */
int signal_queue_add(struct process *process, struct signal_queue *queue, int signo,
		     const struct signal_info *info);
/*
 * Look at a pending signal without taking it: the one number `index`, in the order of their
 * numbers. Fills *info. Returns the signal's number, or 0 if there are not so many.
 */
int signal_queue_peek(const struct signal_queue *queue, unsigned int index,
		      struct signal_info *info);
/* Forget the pending signals out of `mask`. */
void signal_queue_forget(struct process *process, struct signal_queue *queue, sigmask_t mask);
/*
 * Take the current task's next pending signal out of `mask` and fill *info. Returns its number, or
 * 0 if there is none. Without the lock, the caller then tells timers_signal_taken().
 */
int signal_dequeue(sigmask_t mask, struct signal_info *info);

/* ---- kernel/signals/altstack.c, for the current task. Only altstack_set() may sleep. ---- */

#define SS_ONSTACK    1u
#define SS_DISABLE    2u
#define SS_AUTODISARM 0x80000000u

/* Forget the alternate stack. */
void altstack_reset(struct task *task);
/*
 * Set the alternate stack, as sigaltstack(2) does when the stack pointer is `sp`. Returns 0, -EPERM
 * if the task runs on its alternate stack, -EINVAL for unknown flags, or -ENOMEM if the new one is
 * too small.
 */
int altstack_set(const struct altstack *wanted, uint32_t sp);
/*
 * Returns the address below which the frame of a handler goes. It is the top of the alternate stack
 * if the action wants that and the task is not on it, and else `sp`.
 */
uint32_t altstack_top(uint32_t sp, const struct signal_action *action);
/*
 * Returns true if a frame at `at`, pushed below altstack_top() of `sp`, would leave the alternate
 * stack.
 */
bool altstack_overflows(uint32_t at, uint32_t sp, const struct signal_action *action);

/* ---- for the files in kernel/signals ---- */

/*
 * The two halves of sending, for those who have the entry already. signal_begin_send() returns
 * false if nothing is to be queued, because the signal was dropped or has ended the process.
 * Otherwise the caller queues it, and signal_end_send() wakes the thread that will take it.
 * tasks_lock is held.
 */
bool signal_begin_send(struct process *process, struct task *task, int signo,
		       const struct signal_info *info);
void signal_end_send(struct process *process, struct task *task, int signo);
/*
 * Send on behalf of the current process, if it may: to one task, or to the process if task is NULL.
 * Signal 0 only checks. Returns 0, -EINVAL if there is no such signal, -EPERM, or -EAGAIN.
 * tasks_lock is held.
 */
long signal_send_checked(struct process *process, struct task *task, unsigned int signo,
			 const struct signal_info *info);
/*
 * The same to a thread. With tgid 0, it may belong to any process. Returns -ESRCH if there is none.
 */
long signal_send_thread(int tgid, int tid, unsigned int signo, const struct signal_info *info);
/*
 * Copy the details that a program sends with a signal, and store the number in them if signo is not
 * NULL. `to` is the process or thread that gets it. To others than itself a task may not pass for
 * the kernel or for kill(2). Returns 0, -EFAULT, -EPERM, or -E2BIG if there is something after the
 * words that the kernel keeps. May sleep.
 */
int signal_info_from_user(struct signal_info *info, const void __user *from, int to,
			  unsigned int *signo);
/* Forget what is pending out of `mask`, of the process and its threads. tasks_lock is held. */
void signal_forget(struct process *process, sigmask_t mask);
/* Wake the threads that could handle a pending signal of the process. tasks_lock is held. */
void signal_retarget_locked(struct process *process);
/*
 * Returns true if the action is SIG_IGN, or the default is to ignore the signal. tasks_lock is
 * held.
 */
bool signal_action_ignores(const struct process *process, int signo);
/*
 * Make the task check its signals, and wake it if its sleep may be interrupted. `kill` also wakes
 * killable and stopped tasks. tasks_lock is held.
 */
void signal_wake(struct task *task, bool kill);

/* Returns how many bytes of a stack a handler's frame takes at most, for AT_MINSIGSTKSZ. */
size_t signal_frame_size(void);
/*
 * Put the frame of a handler on the user's stack, and make `frame` enter the handler. old_mask is
 * restored when it returns. Returns 0 or -EFAULT. May sleep.
 */
int signal_frame_push(struct trap_frame *frame, int signo, const struct signal_info *info,
		      const struct signal_action *action, sigmask_t old_mask);

#endif
