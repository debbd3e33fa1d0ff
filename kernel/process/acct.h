/* acct(2): a record of each process that has ended. The contract is in kernel/process/acct.c. */
#ifndef KERNEL_PROCESS_ACCT_H
#define KERNEL_PROCESS_ACCT_H

struct process;

/*
 * The current task, the last one of the process, ends. Append the record of the process if
 * accounting is on. `memory_kib` is the size of its address space. May sleep, whatever signals are
 * pending.
 */
void acct_process(struct process *process, unsigned int memory_kib);

#endif
