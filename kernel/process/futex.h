/*
 * Futexes, for tasks that end.
 */
#ifndef KERNEL_PROCESS_FUTEX_H
#define KERNEL_PROCESS_FUTEX_H

/*
 * Wake one waiter of the word at `address`, which has just been written. Works in a task that has been
 * killed, too. May sleep; takes mm->lock.
 */
void futex_wake_at_exit(unsigned long address);

#endif
