/*
 * The end of the machine.
 */
#ifndef KERNEL_CPU_REBOOT_H
#define KERNEL_CPU_REBOOT_H

/*
 * Called before the machine restarts, stops or is switched off, by the task that asked for it. It may sleep. NULL until
 * the file systems set it at boot.
 */
extern void (*before_stop)(void);

#endif
