/*
 * Processes: making, replacing and ending them.
 */
#ifndef KERNEL_PROCESS_PROCESS_H
#define KERNEL_PROCESS_PROCESS_H

#include "kernel/task.h"

#define PID_MAX 32768u /* process and thread ids are below */

/* The process of that id (zombies too), with a reference; NULL. */
struct process *process_find(unsigned int pid);
/* Who shows what the process is named and does; NULL: a zombie. tasks_lock is held. */
static inline struct task *process_leader(struct process *process)
{
	return process->nr_threads ? list_first(&process->threads, struct task, thread_link) : NULL;
}
/* One holder less; frees it with the last. Never sleeps. */
void process_put(struct process *process);
/* Make `task` a task of `process`; takes over the caller's reference, which goes when it is freed. */
void process_join(struct task *task, struct process *process);
/* Of that thread id, or process id; without a reference. tasks_lock is held. */
struct task *task_find_locked(unsigned int tid);
struct process *process_find_locked(unsigned int pid);
/*
 * The process with the lowest id from `from` on, without a reference; NULL: none. The time it takes
 * grows with the logarithm of their number. tasks_lock is held.
 */
struct process *process_next_locked(unsigned int from);
/*
 * The pid of kill(2) and waitpid(2): one process, 0 or negative a group, -1 all but init and
 * ourselves. tasks_lock is held.
 */
bool process_is_meant(const struct process *process, int pid);
/* CPU time of a task in nanoseconds; of one that runs on another CPU, up to its last switch. */
uint64_t task_cpu_ns(const struct task *task);
/* CPU time of its threads, dead ones included, in nanoseconds. tasks_lock is held. */
uint64_t process_cpu_ns(struct process *process);
/*
 * The same, told apart by the ticks: it lags behind by what ran since the last one. Neither part ever
 * shrinks. tasks_lock is held.
 */
struct cpu_time process_cpu_time(struct process *process);
/* The task leaves: what it has used is its process's from now on. tasks_lock is held. */
void process_keep_time(struct process *process, const struct task *task);
static inline void cpu_time_add(struct cpu_time *sum, struct cpu_time time)
{
	sum->user += time.user;
	sum->system += time.system;
}
/*
 * True if no process of the group has a parent in another group of its session: nobody could
 * continue it, so it is not to be stopped by its terminal. `leaving` (or NULL) counts as gone.
 * tasks_lock is held.
 */
bool process_group_orphaned(unsigned int pgid, const struct process *leaving);

/*
 * Replace the current program by `path` (kernel memory) with argv and envp, NULL-terminated arrays
 * of strings, of the kernel's if `kernel`, else the user's. 0: the trap frame is set to enter it.
 * Errors of execve(2). May sleep.
 */
int exec_path(const char *path, const void *argv, const void *envp, bool kernel);

/* End the whole process; status as wait4 reports it. */
void process_exit(int status) __noreturn;

/* ---- between fork.c, exec.c, exit.c and wait4.c ---- */

/* A process with one reference, for its first thread, and no place yet; NULL: no memory. */
struct process *process_create(void);
/*
 * Give the task a number and a place among the threads of its process; with its first thread a
 * process gets that number too, what it has from its parent, the current one, and is found. -EAGAIN:
 * no number left, or RLIMIT_NPROC. tasks_lock is held.
 */
int process_link(struct task *task);
/* Nobody finds it any more, its number is free; drops the tree's reference. tasks_lock is held. */
void process_unlink(struct process *process);
/*
 * Let every thread but the current one leave, and wait for it: 0, or -ERESTARTNOINTR if the process
 * ends.
 */
int process_end_other_threads(void);
/* Wake the parent that vfork put to sleep. */
void task_release_vfork(struct task *task);

/* ---- kernel/process/tls.c, futex.c, limits.c ---- */

/*
 * Set a TLS segment of `task` from the struct user_desc at `address`; with may_choose, entry number
 * -1 takes a free one and is told which. 0, -EFAULT, -EINVAL, -ESRCH (none free). May sleep.
 */
long tls_set(struct task *task, void __user *address, bool may_choose);

/*
 * The current task ends, or its program: clears and wakes clear_child_tid. In its address space;
 * may sleep.
 */
void futex_task_exit(void);

#endif
