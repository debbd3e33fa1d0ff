/*
 * What happens when memory runs out.
 *
 * 1. Caches give way first. page_alloc() asks the shrinkers until none of them frees anything:
 *    clean cached pages, unused names, free objects. Dirty pages of files come next: they are
 *    written, and then dropped (oom_write_back).
 * 2. Then the process whose death frees most has to give way. What counts is what it holds: the
 *    pages that it has mapped, its page tables, and what the pipes and sockets that it made have in
 *    them (process->ring_pages). The processes of an ordinary user with many small ones are counted
 *    together: if they hold more than twice what the largest process holds, the largest of them is
 *    chosen. /proc/PID/oom_score_adj makes a process count for more or less, in thousandths of
 *    memory.
 * 3. It is never init, and never a bystander. If the task that asks for memory belongs to the
 *    chosen process, a system call fails with ENOMEM, and a page fault, which cannot fail, ends the
 *    process. If it belongs to another one, the chosen process is killed, and the task waits for
 *    its memory and tries again.
 * 4. The log names the victim and what it held.
 * 5. A task that asks for memory may hold locks that the victim needs in order to end. It therefore
 *    waits in page_alloc() for a limited time. A page fault waits without locks, for as long as it
 *    takes.
 *
 * Memory that outlives a process has limits instead. tmpfs has size= and nr_inodes=, pipes have
 * /proc/sys/fs/pipe-user-pages-soft, and the objects of System V IPC have a share of low memory
 * (kernel/ipc/ipc.h). RLIMIT_NPROC limits the number of a user's tasks, and
 * /proc/sys/kernel/threads-max that of all tasks, so that their stacks leave room for the rest.
 */
#ifndef KERNEL_PROCESS_OOM_H
#define KERNEL_PROCESS_OOM_H

#include "lib/types.h"

struct process;
struct task;

#define OOM_ADJUST_MAX \
	1000 /* adds all of memory to what a process holds; its negative exempts it */
/*
 * Returns how likely the process is to be chosen, from 0 to 2000: what it holds in thousandths of
 * memory, and process->oom_adjust. tasks_lock is held.
 */
unsigned int oom_score(struct process *process);

/*
 * For a page fault of the current task that found no memory. Returns when it should be tried again.
 * The task may have been killed meanwhile. Sleeps; no locks are held.
 */
void oom_fault(void);
/*
 * Adds the pages in each pipe and socket to the ring_pages of the process that made it. tasks_lock
 * is held. fs/pipe/owners.c sets it.
 */
extern void (*oom_count_rings)(void);
/*
 * Has dirty pages of files written and dropped. Returns true if that has freed pages. Sleeps, for a
 * second at most; the caller may hold locks. fs/cache/flush.c sets it.
 */
extern bool (*oom_write_back)(void);
/*
 * A kernel task with task->writes_for_memory takes part in writing these pages. Nobody is killed,
 * and nothing is written, for what it allocates, because the others may be waiting for it. It has
 * a reserve of its own.
 */
/* The current task, which is about to end, has given up its memory and its files. Never sleeps. */
void oom_released(void);

#endif
