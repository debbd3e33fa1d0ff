/*
 * The report on a system that hangs. It shows where every task sleeps. Other parts of the kernel
 * add what they wait for. It goes to the log as warnings, between two marker lines for scripts.
 */
#ifndef KERNEL_PROCESS_REPORT_H
#define KERNEL_PROCESS_REPORT_H

struct trap_frame;

/*
 * A part of the kernel that adds lines to the report. print() may run in an interrupt. It only
 * logs, and may take only irqsave locks.
 */
struct reporter {
	void (*print)(void);
	struct reporter *next;
};

/* Add a reporter. Only for initcalls, because they run one at a time. */
void report_add(struct reporter *reporter);

/*
 * Log the report. Never sleeps. Interrupts may be on or off, but the caller must not hold an
 * irqsave lock. If two CPUs call it at the same time, there is one report.
 */
void report_print(void);

/* Handle an NMI. Logs where this CPU is, and prints the report if that is safe. */
void report_nmi(struct trap_frame *frame);

#endif
