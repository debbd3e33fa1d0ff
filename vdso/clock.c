/*
 * The clocks of the vDSO: functions that programs call instead of the system calls of the same
 * names.
 *
 * 1. This is user code. It is mapped into every program (mm/vm/vdso.h) and can run at any address,
 *    so it has no data of its own. The page before it has the kernel's figures
 *    (kernel/vdso_clock.h).
 * 2. What it cannot do, the system call does: other clocks, and clocks that do not exist. The same
 *    holds for every clock on a CPU without lfence.
 * 3. Results are stored like those of any other function: a bad pointer is a SIGSEGV and not
 *    EFAULT.
 */
#include "kernel/vdso_clock.h"
#include "lib/div64.h"

#define NSEC_PER_SEC 1000000000u

enum { /* the numbers of the system calls */
       NR_TIME = 13,
       NR_GETTIMEOFDAY = 78,
       NR_CLOCK_GETTIME = 265,
       NR_CLOCK_GETRES = 266,
       NR_CLOCK_GETTIME64 = 403,
};

enum {
	CLOCK_REALTIME = 0,
	CLOCK_MONOTONIC = 1,
	CLOCK_MONOTONIC_RAW = 4,
	CLOCK_REALTIME_COARSE = 5,
	CLOCK_MONOTONIC_COARSE = 6,
	CLOCK_BOOTTIME = 7,
};

struct timespec32 {
	int32_t sec, nsec;
};
struct timespec64 {
	int64_t sec, nsec;
};
struct timeval32 {
	int32_t sec, usec;
};
struct timezone {
	int32_t minutes_west, daylight;
};

extern const struct vdso_clock vdso_clock; /* the page before the code: vdso/vdso.ld */

#define EXPORT __attribute__((visibility("default")))

EXPORT int __vdso_clock_gettime(int id, struct timespec32 *to);
EXPORT int __vdso_clock_gettime64(int id, struct timespec64 *to);
EXPORT int __vdso_clock_getres(int id, struct timespec32 *to);
EXPORT int __vdso_gettimeofday(struct timeval32 *to, struct timezone *zone);
EXPORT int32_t __vdso_time(int32_t *to);

static long system_call(int number, long first, void *second)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(number), "b"(first), "c"(second)
			 : "memory");
	return result;
}

/*
 * lfence makes the CPU finish the instructions before it, and only then read the TSC. Otherwise a
 * program could load a time that another CPU has stored, and then get an earlier one here.
 */
static uint64_t read_tsc_in_order(void)
{
	uint64_t tsc;

	__asm__ volatile("lfence; rdtsc" : "=A"(tsc)::"memory");
	return tsc;
}

static bool is_wall(int id)
{
	return id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE;
}

/* Can the clock be read here? */
static bool is_here(int id)
{
	return vdso_clock.raw_scale &&
	       (is_wall(id) || id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_RAW ||
		id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME);
}

/* Returns the seconds of a clock that is here, and stores the nanoseconds in *nsec. */
static uint64_t read_clock(int id, uint32_t *nsec)
{
	uint64_t ns = id == CLOCK_MONOTONIC_RAW ? clock_raw(&vdso_clock, read_tsc_in_order())
						: clock_now(&vdso_clock, read_tsc_in_order);

	if (is_wall(id))
		ns += clock_newest(&vdso_clock).wall_base;
	return div_u64(ns, NSEC_PER_SEC, nsec);
}

int __vdso_clock_gettime(int id, struct timespec32 *to)
{
	uint32_t nsec;

	if (!is_here(id))
		return system_call(NR_CLOCK_GETTIME, id, to);
	to->sec = (int32_t)read_clock(id, &nsec);
	to->nsec = nsec;
	return 0;
}

int __vdso_clock_gettime64(int id, struct timespec64 *to)
{
	uint32_t nsec;

	if (!is_here(id))
		return system_call(NR_CLOCK_GETTIME64, id, to);
	to->sec = read_clock(id, &nsec);
	to->nsec = nsec;
	return 0;
}

int __vdso_clock_getres(int id, struct timespec32 *to)
{
	if (!is_here(id))
		return system_call(NR_CLOCK_GETRES, id, to);
	if (to)
		*to = (struct timespec32){ 0, 1 };
	return 0;
}

static struct timezone zone_now(void)
{
	struct clock_figures figures = clock_newest(&vdso_clock);

	return (struct timezone){ figures.minutes_west, figures.daylight };
}

int __vdso_gettimeofday(struct timeval32 *to, struct timezone *zone)
{
	uint32_t nsec;

	if (!is_here(CLOCK_REALTIME))
		return system_call(NR_GETTIMEOFDAY, (long)to, zone);
	if (to) {
		to->sec = (int32_t)read_clock(CLOCK_REALTIME, &nsec);
		to->usec = nsec / 1000;
	}
	if (zone)
		*zone = zone_now();
	return 0;
}

int32_t __vdso_time(int32_t *to)
{
	uint32_t nsec;
	int32_t now;

	if (!is_here(CLOCK_REALTIME))
		return system_call(NR_TIME, (long)to, NULL);
	now = (int32_t)read_clock(CLOCK_REALTIME, &nsec);
	if (to)
		*to = now;
	return now;
}
