/*
 * The states of a task, apart from struct task so that wait queues need not know it.
 */
#ifndef KERNEL_TASK_STATE_H
#define KERNEL_TASK_STATE_H

enum task_state {
	TASK_RUNNING,	      /* runs or is on a run queue */
	TASK_INTERRUPTIBLE,   /* sleeps; any unblocked signal wakes it */
	TASK_KILLABLE,	      /* sleeps; SIGKILL wakes it */
	TASK_UNINTERRUPTIBLE, /* sleeps; only its waker wakes it */
	TASK_STOPPED,	      /* by SIGSTOP and relatives; SIGCONT and SIGKILL wake it */
	TASK_DEAD,	      /* never runs again */
};

#endif
