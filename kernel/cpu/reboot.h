/*
 * The end of the machine.
 */
#ifndef KERNEL_CPU_REBOOT_H
#define KERNEL_CPU_REBOOT_H

#include "lib/types.h"

/*
 * Called before the machine restarts, stops or is switched off, by the task that asked for it. It
 * may sleep. NULL until the file systems set it at boot.
 */
extern void (*before_stop)(void);

/*
 * Ctrl-Alt-Delete restarts the machine at once, and the file systems are as after a crash.
 * Otherwise the first process gets a SIGINT. Set by reboot(2).
 */
extern bool reboot_on_keys;
/* Restart the machine. Never sleeps, and never returns. */
void reboot_now(void) __noreturn;

#endif
