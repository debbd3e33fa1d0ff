/*
 * How the kernel and the vDSO (vdso/clock.c) compute a time from the TSC.
 *
 * 1. While the figures are being changed, `changes` is odd, and readers wait. The writer has
 *    interrupts off, and needs only a few instructions, among them the one that reads the TSC. So
 *    the old figures are used only with an earlier TSC, and the clock never goes back. An NMI may
 *    interrupt the writer and read the clock, for the time of its messages. It would wait for ever,
 *    so a reader looks CLOCK_TRIES times at most.
 * 2. A program has a copy of struct vdso_clock in its page [vvar], which is changed together with
 *    the kernel's own. So both sides compute the same time from the same TSC, and neither runs
 *    backwards against the other.
 */
#ifndef KERNEL_VDSO_CLOCK_H
#define KERNEL_VDSO_CLOCK_H

#include "lib/types.h"

#define CLOCK_SHIFT 22

struct clock_figures {
	uint64_t tsc_base;		/* the TSC when these figures came into force */
	uint64_t base;			/* nanoseconds since boot at that moment */
	uint64_t wall_base;		/* the wall clock at boot, in nanoseconds since 1970 */
	uint32_t scale;			/* ns = cycles * scale >> CLOCK_SHIFT */
	int32_t minutes_west, daylight; /* the time zone of settimeofday(2) */
};

struct vdso_clock {
	uint64_t raw_tsc_base; /* the TSC at boot */
	/*
	 * The scale as it was measured; CLOCK_MONOTONIC_RAW keeps it. 0 in a program's copy:
	 * programs have to ask the kernel.
	 */
	uint32_t raw_scale;
	uint32_t changes; /* of the figures; odd: one is under way */
	struct clock_figures figures;
};

/* Returns the nanoseconds of a number of TSC cycles, which may be negative. */
static inline uint64_t clock_scale(uint32_t scale, uint64_t cycles)
{
	int32_t high = cycles >> 32, factor = scale; /* below 1 << 31 */

	/*
	 * The two halves are multiplied separately, because the product may have more than 64 bits.
	 */
	return ((uint64_t)((int64_t)high * factor) << (32 - CLOCK_SHIFT)) +
	       ((cycles & 0xffffffff) * scale >> CLOCK_SHIFT);
}

#define CLOCK_TRIES (1u << 20)

/*
 * Returns the figures that are in force. The CPU loads in order, and the barriers stop the compiler
 * from reordering.
 */
static inline struct clock_figures clock_newest(const volatile struct vdso_clock *clock)
{
	struct clock_figures figures;

	for (unsigned int left = CLOCK_TRIES; left > 0; left--) {
		uint32_t changes = clock->changes;

		__asm__ volatile("" ::: "memory");
		figures = *(const struct clock_figures *)&clock->figures;
		__asm__ volatile("" ::: "memory");
		if (clock->changes == changes && !(changes & 1))
			break;
	}
	return figures;
}

/*
 * Returns the nanoseconds since boot. The TSCs of two CPUs may differ a little, so one may be
 * behind the base.
 */
static inline uint64_t clock_since_boot(const struct clock_figures *figures, uint64_t tsc)
{
	return figures->base + clock_scale(figures->scale, tsc - figures->tsc_base);
}

/* Returns the nanoseconds since boot. read_tsc() is called while the figures are in force. */
static inline uint64_t clock_now(const volatile struct vdso_clock *clock,
				 uint64_t (*read_tsc)(void))
{
	unsigned int left = CLOCK_TRIES;
	uint32_t changes;
	uint64_t ns;

	do {
		changes = clock->changes;
		__asm__ volatile("" ::: "memory");
		ns = clock_since_boot((const struct clock_figures *)&clock->figures, read_tsc());
		__asm__ volatile("" ::: "memory");
	} while ((clock->changes != changes || changes & 1) && --left > 0);
	return ns;
}

/* Returns the nanoseconds since boot as the TSC alone counts them. */
static inline uint64_t clock_raw(const volatile struct vdso_clock *clock, uint64_t tsc)
{
	return clock_scale(clock->raw_scale, tsc - clock->raw_tsc_base);
}

#endif
