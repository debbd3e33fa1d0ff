/*
 * What the shim has for scenarios, besides the kernel's own headers.
 */
#ifndef EXPLORE_SHIM_H
#define EXPLORE_SHIM_H

#include "explore.h"
#include "kernel/task.h"

/* ---- shim_task.c ---- */

extern struct task ex_tasks[MAX_TASKS + 1]; /* the last one is setup's and check's */
/* SIGKILL, and a signal with a handler, for task number `task`. */
void ex_kill(int task);
void ex_signal(int task);
/*
 * In setup: make the task a thread of the process, so that kernel/signals sends it signals. Without
 * threads, the process gets none. SIGPIPE is then dropped: the scenarios of pipes look at the
 * errors that go with it.
 */
void ex_add_thread(int task, sigmask_t blocked);
/* The first timer that is armed fires (shim_signals.c). */
void ex_tick(void);
/* Was the current task killed? */
bool ex_killed(void);
/* The function of the kernel task that was started last. A task of the scenario calls it. */
extern void (*ex_kernel_task)(void *);

/*
 * A task that holds the mutex may not sleep, neither on a queue nor for another mutex. At most two.
 */
void ex_no_sleep_with(struct mutex *mutex);

/* ---- shim_memory.c ---- */

/* Pages that nobody holds. */
unsigned int ex_free_pages(void);
/* As many pages and objects are free as before setup, or as when memory was counted last. */
void ex_must_have_freed(void);
void ex_count_memory(void);

/* ---- shim_user.c ---- */

/* Nobody may fault memory in who holds the mutex. At most four. */
void ex_no_faults_with(struct mutex *mutex);

/* ---- shim_vm.c ---- */

/* Addresses below this one belong to the address spaces of the tasks. */
#define EX_USER_END 0x00100000u

/* One instruction that loads or stores a byte. False: the CPU faults, and nothing has happened. */
bool ex_user_byte(uintptr_t va, unsigned char *byte, bool write);
/*
 * A program's load or store, with its page faults. They return the byte or 0, or a negative error:
 * -EIO stands for SIGBUS.
 */
int ex_load(uintptr_t va);
int ex_store(uintptr_t va, unsigned char byte);
/* The current task goes on in another address space. */
void ex_run_in(struct mm *mm);

#endif
