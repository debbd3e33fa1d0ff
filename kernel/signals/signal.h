/*
 * Signals: sending, delivering and blocking them. tasks_lock guards everything that belongs to signals.
 */
#ifndef KERNEL_SIGNALS_SIGNAL_H
#define KERNEL_SIGNALS_SIGNAL_H

#include "kernel/task.h"

#define SIG_DFL 0u
#define SIG_IGN 1u

/* sigaction flags. SA_INTERRUPT has no effect, because it only means "no SA_RESTART". */
#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO   0x00000004u
#define SA_RESTORER  0x04000000u
#define SA_ONSTACK   0x08000000u
#define SA_RESTART   0x10000000u
#define SA_INTERRUPT 0x20000000u
#define SA_NODEFER   0x40000000u
#define SA_RESETHAND 0x80000000u

enum { CLD_EXITED = 1, CLD_KILLED = 2, CLD_STOPPED = 5, CLD_CONTINUED = 6 };

#define SS_DISABLE   2u
#define SIGINFO_SIZE 128u /* sizeof(siginfo_t) */

/*
 * Send a signal to a process, to one of its tasks, or to every process of a group. If info is NULL, the
 * signal comes from the kernel. Never sleep. May be called in an interrupt, but not under tasks_lock.
 */
void signal_send_process(struct process *process, int signo, const struct signal_info *info);
void signal_send_task(struct task *task, int signo, const struct signal_info *info);
void signal_send_group(unsigned int pgid, int signo, const struct signal_info *info);
/* Send a signal to one task of the process, or to the process if task is NULL. tasks_lock is held. */
void signal_send_locked(struct process *process, struct task *task, int signo,
			const struct signal_info *info);
/* End the process with that wait4(2) status by killing all its threads. tasks_lock is held. */
void signal_kill_locked(struct process *process, int status);
/* Kill every thread except `except`, which may be NULL. tasks_lock is held. */
void signal_kill_threads_locked(struct process *process, struct task *except);

/*
 * Tell the parent, with SIGCHLD and through wait4(2), that the child has stopped, continued or ended. `code`
 * is CLD_*, and `value` is the signal that was the cause, or the exit status. tasks_lock is held.
 */
void process_notify_parent(struct process *child, int code, int value);

/*
 * Send a signal to the current task because it has caused a fault. If the signal is blocked or ignored, it
 * gets its default action and is sent all the same. Never sleeps.
 */
void signal_force(int signo, int code, uint32_t address);

/*
 * Enter a signal handler, perform a default action, or restart an interrupted call. Called before the
 * return to user mode if task->work has TASK_WORK_SIGNAL. May sleep, and may not return.
 */
void signal_deliver(struct trap_frame *frame);

/* Set the blocked signals of the current task. SIGKILL and SIGSTOP stay unblocked. Never sleeps. */
void signal_set_blocked(sigmask_t mask);
/*
 * For sigsuspend, ppoll and pselect: block `mask` until the return to user mode. The old mask is then
 * restored, after the signal's handler if one runs. Never sleeps.
 */
void signal_set_blocked_temporarily(sigmask_t mask);

/* Default actions. */
#define BITS_STOP    (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define BITS_IGNORED (SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
/* The signals that faults of an instruction cause. */
#define BITS_FAULT \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGFPE) | SIG_BIT(SIGTRAP))
#define BITS_UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

/* ---- between signal.c, calls.c, deliver.c and frame.c ---- */

/*
 * Take the current task's next unblocked pending signal and fill *info. Returns its number, or 0 if there
 * is none. tasks_lock is held.
 */
int signal_dequeue(struct signal_info *info);
/* Forget what is pending out of `mask`, of the process and its threads. tasks_lock is held. */
void signal_forget(struct process *process, sigmask_t mask);
/* Wake the threads that could handle a pending signal of the process. tasks_lock is held. */
void signal_retarget_locked(struct process *process);
/* Returns true if the action is SIG_IGN, or the default is to ignore the signal. tasks_lock is held. */
bool signal_action_ignores(const struct process *process, int signo);
/*
 * Make the task check its signals, and wake it if its sleep may be interrupted. `kill` also wakes killable
 * and stopped tasks. tasks_lock is held.
 */
void signal_wake(struct task *task, bool kill);

/*
 * The code through which handlers without SA_RESTORER return. When their frame is pushed, it is mapped at
 * current->mm->signal_return.
 */
#define SIGNAL_RETURN_SIZE 15u
extern const uint8_t signal_return_code[SIGNAL_RETURN_SIZE];

/*
 * Put the frame of a handler on the user's stack, and make `frame` enter the handler. old_mask is restored
 * when it returns. Returns 0 or -EFAULT. May sleep.
 */
int signal_frame_push(struct trap_frame *frame, int signo, const struct signal_info *info,
		      const struct signal_action *action, sigmask_t old_mask);

#endif
