/*
 * How the kernel and the vDSO (vdso/clock.c) make a time of the TSC.
 *
 * The figures are set once, at boot, and never change. A program has a copy of them in its page [vvar]. So both sides
 * compute the same time from the same TSC, and neither clock runs backwards against the other.
 */
#ifndef KERNEL_VDSO_CLOCK_H
#define KERNEL_VDSO_CLOCK_H

#include "lib/types.h"

#define CLOCK_SHIFT 22

struct vdso_clock {
	uint64_t tsc_base;  /* the TSC at boot */
	uint64_t wall_base; /* the wall clock at boot, in nanoseconds since 1970 */
	/* ns = cycles * scale >> CLOCK_SHIFT. 0 in a program's copy: programs have to ask the kernel. */
	uint32_t scale;
};

/* Returns the nanoseconds of a number of TSC cycles. */
static inline uint64_t clock_scale(uint32_t scale, uint64_t cycles)
{
	/* The two halves are multiplied separately, because the product may have more than 64 bits. */
	return ((cycles >> 32) * scale << (32 - CLOCK_SHIFT)) +
	       ((cycles & 0xffffffff) * scale >> CLOCK_SHIFT);
}

#endif
