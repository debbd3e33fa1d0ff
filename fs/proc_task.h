/*
 * What /proc/PID/... says of a process: fs/proc_task.c.
 */
#ifndef FS_PROC_TASK_H
#define FS_PROC_TASK_H

#include "lib/print.h"

struct process;

/* Each prints one file: 0, -ENOMEM, or -ESRCH if there is nothing left to tell of. They may sleep.
 * */
int proc_show_cmdline(struct process *process, struct text *text);
int proc_show_comm(struct process *process, struct text *text);
int proc_show_maps(struct process *process, struct text *text);
int proc_show_mounts(struct process *process, struct text *text);
int proc_show_stat(struct process *process, struct text *text);
int proc_show_statm(struct process *process, struct text *text);
int proc_show_status(struct process *process, struct text *text);

/* A copy of the path of its program, to be kfree'd; "" if it has none. ERR_PTR(-ENOMEM). */
char *proc_executable(struct process *process);

#endif
