/*
 * The states of a task. They have their own header so that wait queues need not know struct task.
 */
#ifndef KERNEL_TASK_STATE_H
#define KERNEL_TASK_STATE_H

enum task_state {
	TASK_RUNNING,	      /* runs, or is on a run queue */
	TASK_INTERRUPTIBLE,   /* sleeps; any unblocked signal wakes it, too */
	TASK_KILLABLE,	      /* sleeps; SIGKILL wakes it, too */
	TASK_UNINTERRUPTIBLE, /* sleeps; signals do not wake it */
	TASK_STOPPED,	      /* stopped by a signal; SIGCONT or SIGKILL wakes it */
	TASK_TRACED,	      /* stopped for its tracer; the tracer or SIGKILL wakes it */
	TASK_DEAD,	      /* never runs again */
};

#endif
