/*
 * A task's debug registers (Intel SDM vol. 3, 17.2).
 */
#ifndef KERNEL_CPU_DEBUG_STATE_H
#define KERNEL_CPU_DEBUG_STATE_H

#include "lib/types.h"

#define NR_BREAKPOINTS 4

struct debug_state {
	uint32_t address[NR_BREAKPOINTS]; /* DR0 to DR3 */
	uint32_t status;  /* what has happened: the bits of DR6 that matter, 0 if nothing has */
	uint32_t control; /* DR7, as it was written */
	uint32_t loaded; /* the DR7 that the CPU gets while the task runs; 0: no breakpoint is on */
};

#endif
