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
/* Was the current task killed? */
bool ex_killed(void);

/* ---- shim_memory.c ---- */

/* Pages that nobody holds. */
unsigned int ex_free_pages(void);
/* As many pages and objects are free as before setup, or as when memory was counted last. */
void ex_must_have_freed(void);
void ex_count_memory(void);

/* ---- shim_user.c ---- */

/* The user memory at `from` is not there before somebody faults it in. */
void ex_user_absent(void *from, size_t size);
/* Nobody may fault memory in who holds the mutex. At most four. */
void ex_no_faults_with(struct mutex *mutex);

#endif
