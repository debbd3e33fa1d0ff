/*
 * Signals.
 */
#ifndef KERNEL_PROCESS_SIGNAL_H
#define KERNEL_PROCESS_SIGNAL_H

#include "kernel/task.h"

#define SIG_DFL 0u
#define SIG_IGN 1u

/* sigaction flags. SA_INTERRUPT says what is the case without SA_RESTART. */
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
 * Send to a process / to one of its tasks / to every process of a group. Take no sleeping lock:
 * from interrupts too. info NULL: sent by the kernel.
 */
void signal_send_process(struct process *process, int signo, const struct signal_info *info);
void signal_send_task(struct task *task, int signo, const struct signal_info *info);
void signal_send_group(unsigned int pgid, int signo, const struct signal_info *info);
/* To a task of the process, or (task NULL) to any of them. tasks_lock is held. */
void signal_send_locked(struct process *process, struct task *task, int signo,
			const struct signal_info *info);
/* End the process with that status: every thread leaves. tasks_lock is held. */
void signal_kill_locked(struct process *process, int status);
/* Make every thread but `except` leave. tasks_lock is held. */
void signal_kill_threads_locked(struct process *process, struct task *except);

/*
 * Tell the parent (SIGCHLD, wait4) that the child stopped, went on or ended: CLD_*, and the signal
 * or status of which it did. tasks_lock is held.
 */
void process_notify_parent(struct process *child, int code, int value);

/* A fault of the current task: sent even if blocked or ignored (then the default action). */
void signal_force(int signo, int code, uint32_t address);

/* Called by the entry code before return to user mode if task->work has TASK_WORK_SIGNAL: delivers
 * a handler, performs a default action, restarts an interrupted call. */
void signal_deliver(struct trap_frame *frame);

/* Set the blocked mask of the current task. */
void signal_set_blocked(sigmask_t mask);
/* For sigsuspend, ppoll, pselect: block `mask` until the return to user mode, where a handler first
 * sees the old one saved. */
void signal_set_blocked_temporarily(sigmask_t mask);

/* Default actions. */
#define BITS_STOP    (SIG_BIT(SIGSTOP) | SIG_BIT(SIGTSTP) | SIG_BIT(SIGTTIN) | SIG_BIT(SIGTTOU))
#define BITS_IGNORED (SIG_BIT(SIGCHLD) | SIG_BIT(SIGCONT) | SIG_BIT(SIGURG) | SIG_BIT(SIGWINCH))
/* What instructions bring about. */
#define BITS_FAULT \
	(SIG_BIT(SIGSEGV) | SIG_BIT(SIGBUS) | SIG_BIT(SIGILL) | SIG_BIT(SIGFPE) | SIG_BIT(SIGTRAP))
#define BITS_UNBLOCKABLE (SIG_BIT(SIGKILL) | SIG_BIT(SIGSTOP))

/* ---- between signal.c, signal_calls.c, signal_deliver.c and signal_frame.c ---- */

/* Take the next pending signal that is not blocked: its number, 0: none. tasks_lock is held. */
int signal_dequeue(struct signal_info *info);
/* Forget what is pending out of `mask`, of the process and its threads. tasks_lock is held. */
void signal_forget(struct process *process, sigmask_t mask);
/* Threads of the process that could take one of its pending signals look again. tasks_lock is held. */
void signal_retarget_locked(struct process *process);
/* Does the action ignore the signal (by itself or by default)? tasks_lock is held. */
bool signal_action_ignores(const struct process *process, int signo);
/* Make the task look at its signals; a sleeping one, if its state lets it. tasks_lock is held. */
void signal_wake(struct task *task, bool kill);

/*
 * Code through which handlers without SA_RESTORER return: current->mm->signal_return is where it is
 * mapped when their frame is pushed.
 */
#define SIGNAL_RETURN_SIZE 15u
extern const uint8_t signal_return_code[SIGNAL_RETURN_SIZE];

/* Put the frame of a handler on the user's stack, and have the task enter it. 0 or -EFAULT. */
int signal_frame_push(struct trap_frame *frame, int signo, const struct signal_info *info,
		      const struct signal_action *action, sigmask_t old_mask);

#endif
