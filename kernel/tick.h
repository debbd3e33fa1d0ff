/*
 * The tick: 100 times a second on a CPU that works, when the next timer wants it on an idle one.
 */
#ifndef KERNEL_TICK_H
#define KERNEL_TICK_H

#include "lib/types.h"

/* From the timer's interrupt, on each CPU. */
void tick(void);
/* The idle loop: arm the next interrupt for the earliest timer only. Interrupts are off. */
void tick_idle(void);
/* Back from idle: the regular tick. */
void tick_busy(void);
/* For the scheduler: the slice of the current task runs. Interrupts are off. */
void sched_tick(void);

void time_init(void);

#endif
