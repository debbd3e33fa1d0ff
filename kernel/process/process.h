/*
 * Processes: finding, creating and ending them, and replacing their program.
 */
#ifndef KERNEL_PROCESS_PROCESS_H
#define KERNEL_PROCESS_PROCESS_H

#include "kernel/task.h"

#define PID_MAX 32768u /* process and thread ids are below */
/*
 * There may be so many tasks in all, whoever has them: /proc/sys/kernel/threads-max. A process that
 * has ended counts as one until it has been waited for, and kernel tasks do not count.
 */
extern uint32_t threads_max;

/*
 * Find a process, which may be a zombie. Returns it with a reference, or NULL if there is none.
 * Never sleeps.
 */
struct process *process_find(unsigned int pid);
/* Returns the oldest thread, or NULL if the process is a zombie. tasks_lock is held. */
static inline struct task *process_leader(struct process *process)
{
	return process->nr_threads ? list_first(&process->threads, struct task, thread_link) : NULL;
}
/*
 * Returns true if the process has been waited for, so that its number may have another one.
 * tasks_lock is held.
 */
static inline bool process_is_reaped(const struct process *process)
{
	return list_empty(&process->all_link);
}
/* Take one more reference. The caller has one, or the process is its own. */
static inline void process_get(struct process *process)
{
	atomic_inc(&process->refs);
}
/* Drop a reference. The last one frees the process. Never sleeps. */
void process_put(struct process *process);
/* Make `task` belong to `process`. The task takes over the caller's reference until it is freed. */
void process_join(struct task *task, struct process *process);
/*
 * Find a task or process by its id, without a reference. NULL if there is none. tasks_lock is held.
 */
struct task *task_find_locked(unsigned int tid);
struct process *process_find_locked(unsigned int pid);
/*
 * Returns the process with the lowest id >= `from`, without a reference, or NULL if there is none.
 * The time grows with the logarithm of the number of processes. tasks_lock is held.
 */
struct process *process_next_locked(unsigned int from);
/*
 * Returns true if the pid of kill(2) or waitpid(2) includes the process. A positive pid is one
 * process, 0 or a negative one is a group, and -1 is all except init and the current process.
 * tasks_lock is held.
 */
bool process_is_meant(const struct process *process, int pid);
/*
 * Returns true if no process of the group has a parent in another group of the same session. The
 * terminal must not stop such a group, because no shell would continue it. `leaving`, if not NULL,
 * counts as gone. tasks_lock is held.
 */
bool process_group_orphaned(unsigned int pgid, const struct process *leaving);

/*
 * Replace the current program by `path`, a string in kernel memory. argv and envp are
 * NULL-terminated arrays of strings, in kernel memory if `kernel` is set, else in user memory.
 * Returns 0 if the trap frame is set to start the program, or an error of execve(2). May sleep.
 */
int exec_path(const char *path, const void *argv, const void *envp, bool kernel);

/* End the current process with all its threads. `status` is the one that wait4(2) reports. */
void process_exit(int status) __noreturn;

/* ---- for fork.c, exec.c, exit.c and wait4.c ---- */

/*
 * Create a process, which is not in the tree yet. Its reference is for the first thread. It uses
 * the handlers `shared`, or handlers of its own if that is NULL. Returns NULL if there is no
 * memory. May sleep.
 */
struct process *process_create(struct signal_handlers *shared);
/*
 * Returns handlers for one process, all of them SIG_DFL, or NULL if there is no memory. May sleep.
 */
struct signal_handlers *signal_handlers_create(void);
/* A process does not use the handlers any more. The last one frees them. Never sleeps. */
void signal_handlers_put(struct signal_handlers *handlers);
/*
 * Give the task a number, and add it to the threads of its process. With its first thread, a
 * process gets the same number, inherits from the current process, and can be found from now on.
 * `wanted` is the number that it must have, or 0. Returns 0, or -EAGAIN if no number is free, or
 * threads_max or RLIMIT_NPROC is reached, or the errors of a number that cannot be wanted: -EINVAL,
 * -EPERM, -EEXIST. tasks_lock is held.
 */
int process_link(struct task *task, unsigned int wanted);
/*
 * A thread has left a process that still has others. The last one counts for threads_max until the
 * process is removed. tasks_lock is held.
 */
void process_lost_thread(void);
/*
 * Remove a process from the tree, free its number, and drop the tree's reference. tasks_lock is
 * held.
 */
void process_unlink(struct process *process);
/*
 * Make all other threads of the current process exit, and wait until they have. Returns 0, or
 * -ERESTARTNOINTR if the process ends or another thread calls exec. May sleep.
 */
int process_end_other_threads(void);
/*
 * The process may have ended: it has no threads, and no dead one is held by a tracer
 * (kernel/process/ptrace.h). Then tell the parent, or first the tracer of its leader. If the parent
 * ignores SIGCHLD, the zombie is removed. tasks_lock is held.
 */
void process_tell_end(struct process *process);
/* Wake the parent if it sleeps in vfork(2) because of `task`. Never sleeps. */
void task_release_vfork(struct task *task);

/* ---- kernel/process/limits.c ---- */

/*
 * How many descriptors a process may have: no RLIMIT_NOFILE is set to more, and no file table grows
 * beyond that (/proc/sys/fs/nr_open).
 */
extern uint32_t most_descriptors;
#define MOST_DESCRIPTORS_MAX 65536u /* /proc and epoll keep a descriptor in 16 bits */

/* Returns true if the process has a limit on CPU time, so that its ticks have to look at it. */
bool limits_measure(const struct process *process);
/*
 * Send the signals of RLIMIT_CPU and RLIMIT_RTTIME that are due for the current task. Returns true
 * if it has such a limit. tasks_lock is held.
 */
bool limits_check_time(void);

/* ---- kernel/process/tls.c, futex_exit.c ---- */

/*
 * Set a TLS segment of `task` from the struct user_desc at `address`. With may_choose, entry number
 * -1 means any free segment, and its number is written back. Returns 0, -EFAULT, -EINVAL, or -ESRCH
 * if no segment is free. May sleep.
 */
long tls_set(struct task *task, void __user *address, bool may_choose);
/* Copy the struct user_desc of a GDT entry to `to`. Returns 0, -EFAULT or -EINVAL. May sleep. */
long tls_get(const struct task *task, unsigned int entry, void __user *to);
#define TLS_DESC_SIZE 16u /* sizeof(struct user_desc) */

/*
 * Clear the word at clear_child_tid, wake its futex, and give up robust locks and those with
 * priority inheritance, because the current task or, unless `ends`, its program ends. The task must
 * still have its address space. May sleep.
 */
void futex_task_exit(bool ends);

#endif
