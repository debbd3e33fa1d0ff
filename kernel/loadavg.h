/*
 * The load average: how many tasks ran or waited for a disk, over the last 1, 5 and 15 minutes.
 */
#ifndef KERNEL_LOADAVG_H
#define KERNEL_LOADAVG_H

#define LOAD_SHIFT 16 /* fixed point, as sysinfo(2) has it */

/* The three averages, each times 2^LOAD_SHIFT. */
void load_averages(unsigned int loads[3]);

struct task_counts {
	unsigned int tasks;    /* threads of processes */
	unsigned int running;  /* of them: on a CPU or waiting for one */
	unsigned int blocked;  /* of them: asleep where no signal wakes them */
	unsigned int last_pid; /* the newest process */
};
void tasks_count(struct task_counts *counts);

#endif
