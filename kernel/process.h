/*
 * Processes: making, replacing and ending them.
 */
#ifndef KERNEL_PROCESS_H
#define KERNEL_PROCESS_H

#include "kernel/task.h"

/* The task of that thread id, with a reference; NULL. */
struct task *task_find(unsigned int tid);
/* The process of that id (zombies too), with a reference; NULL. */
struct process *process_find(unsigned int pid);
void process_put(struct process *process);

/*
 * Replace the current program by `path` (kernel memory) with argv and envp (NULL-terminated arrays
 * of kernel strings when from the kernel, user arrays for sys_execve). 0: the trap frame is set to
 * enter it. Errors of execve(2). May sleep.
 */
int exec_kernel(const char *path, const char *const *argv, const char *const *envp);

/* End the current task (and its process, if it is the last one). status as wait4 reports it. */
void task_exit(int status) __noreturn;
/* End the whole process. */
void process_exit(int status) __noreturn;

/* The first user process: called by the first kernel task; tries init= or the usual places, panics
 * with a clear message if there is none. */
void start_init(void *unused);

#endif
