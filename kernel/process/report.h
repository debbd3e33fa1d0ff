/*
 * The report on a system that hangs: where every task sleeps, and what every part that has something
 * to say still waits for. It goes to the log as warnings, between two lines that scripts can find.
 */
#ifndef KERNEL_PROCESS_REPORT_H
#define KERNEL_PROCESS_REPORT_H

struct trap_frame;

/* A part of the kernel that adds lines to the report. `print` only logs: it may run in an interrupt,
 * and takes no lock but one that is always taken with interrupts off. */
struct reporter {
	void (*print)(void);
	struct reporter *next;
};

/* Adds a reporter. For initcalls, which run one after the other. */
void report_add(struct reporter *reporter);

/* Logs the report. Never sleeps. Interrupts may be on or off, but this CPU holds no lock that is
 * taken with interrupts off. Two CPUs that want it at once get one report. */
void report_print(void);

/* The NMI: logs where this CPU is, and the report where that is safe. The CPU then goes on. */
void report_nmi(struct trap_frame *frame);

#endif
