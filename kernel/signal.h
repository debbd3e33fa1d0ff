/*
 * Signals.
 */
#ifndef KERNEL_SIGNAL_H
#define KERNEL_SIGNAL_H

#include "kernel/task.h"

enum {
	SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1,
	SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
	SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS,
	SIGRTMIN = 32,
};
#define SIG_BIT(n) (1ull << ((n) - 1))

struct signal_info {
	int signo, code, error;
	unsigned int pid, uid;
	uint32_t address;		/* of a fault; or the value */
	int status;			/* SIGCHLD */
};

/* Send to a process / to one task / to every process of a group. From interrupts too (the first
 * three take no sleeping lock). info may be NULL: sent by the kernel. 0, -ESRCH, -EAGAIN. */
int signal_send_process(struct process *process, int signo, const struct signal_info *info);
int signal_send_task(struct task *task, int signo, const struct signal_info *info);
int signal_send_group(unsigned int pgid, int signo, const struct signal_info *info);

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

#endif
