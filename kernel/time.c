/*
 * Clocks. See kernel/time.h for the contract, and kernel/timer.c for timers.
 *
 * 1. time_now() is the scaled TSC. Its rate comes from CPUID leaf 15h if the CPU has that. (In an
 *    emulator that runs in a browser, nothing else gives a good value.) Otherwise it is measured
 *    for 10 ms against channel 2 of the PIT, or against channel 0 if the machine has no port that
 *    switches channel 2 on. The rate of the local APIC's timer is always measured so.
 * 2. The wall clock is read from the RTC (MC146818) once, at boot. From then on it follows the TSC.
 *    The RTC is never set.
 */
#include "kernel/time.h"
#include "kernel/cpu/apic.h"
#include "kernel/atomic.h"
#include "kernel/vdso_clock.h"
#include "lib/div64.h"
#include "lib/errno.h"
#include "lib/string.h"

#define PIT_CHANNEL0 0x40
#define PIT_COMMAND  0x43
#define PIT_HZ	     1193182u
#define PIT_COUNT \
	0x30 /* command: the channel's count follows, and it counts down once; channel << 6 */
#define PIT_STATUS   0xe0 /* command: the next byte read is the status; 2 << channel */
#define STATUS_OUT   0x80 /* the channel has counted to the end (55 ms) */
#define GATE	     0x61 /* port with the gate and the output of channel 2 */
#define GATE_ON	     0x01
#define GATE_SPEAKER 0x02
#define GATE_OUT     0x20
#define NO_PORT	     0xff /* what is read where there is none */
#define MEASURE_MS   10u
#define READINGS     4u
#define TRIES	     20u

/* A deadline with this bit is a time of the wall clock. */
#define OF_WALL (1ull << 63)

static struct vdso_clock clock; /* its scale is 0 until it is measured */
static uint32_t lapic_per_ms;

uint64_t time_of_cycles(uint64_t cycles)
{
	return clock_scale(clock.raw_scale, cycles);
}

uint64_t time_now(void)
{
	return clock_now(&clock, read_tsc);
}

uint64_t time_raw(void)
{
	return clock_raw(&clock, read_tsc());
}

uint64_t time_wall(void)
{
	return clock_newest(&clock).wall_base + time_now();
}

uint64_t deadline_of_wall(uint64_t ns)
{
	return ns & OF_WALL ? UINT64_MAX : ns | OF_WALL;
}

uint64_t time_due(uint64_t deadline)
{
	uint64_t wall = deadline & ~OF_WALL, wall_base;

	if (deadline == UINT64_MAX || wall == deadline)
		return deadline;
	wall_base = clock_newest(&clock).wall_base;
	return wall > wall_base ? wall - wall_base : 0;
}

bool time_reached(uint64_t deadline)
{
	return time_now() >= time_due(deadline);
}

struct timespec64 time_wall_spec(void)
{
	return timespec_from_ns(time_wall());
}

void time_delay(uint64_t ns)
{
	uint64_t end = time_now() + ns;

	while (time_now() < end)
		cpu_relax();
}

/* The values of three clocks, read within `width` TSC cycles. */
struct sample {
	uint64_t tsc, width;
	uint32_t lapic;
	uint16_t pit; /* counts down */
};

/*
 * Read the clocks several times and return the reading that took the shortest time. An emulated CPU
 * may pause between any two instructions, for longer than the whole measurement should take.
 */
static struct sample read_clocks(unsigned int channel)
{
	struct sample best = { .width = UINT64_MAX };

	for (unsigned int try = 0; try < READINGS; try++) {
		struct sample now;
		uint64_t start = read_tsc();

		now.lapic = lapic_timer_count();
		outb(PIT_COMMAND, channel << 6); /* latch */
		now.pit = inb(PIT_CHANNEL0 + channel);
		now.pit |= inb(PIT_CHANNEL0 + channel) << 8;
		now.width = read_tsc() - start;
		now.tsc = start + now.width / 2;
		if (now.width < best.width)
			best = now;
	}
	return best;
}

static bool counted_to_end(unsigned int channel)
{
	if (channel == 2)
		return inb(GATE) & GATE_OUT;
	outb(PIT_COMMAND, PIT_STATUS | 2 << channel);
	return inb(PIT_CHANNEL0 + channel) & STATUS_OUT;
}

/*
 * Measure the TSC and the local APIC's timer against a channel of the PIT. Sets lapic_per_ms, and
 * returns the TSC's rate in kHz. Returns 0 if the PIT counted to its end meanwhile.
 */
static uint64_t measure_once(unsigned int channel)
{
	struct sample start, end;
	uint64_t ticks;

	if (channel == 2)
		outb(GATE, (inb(GATE) & ~GATE_SPEAKER) | GATE_ON);
	outb(PIT_COMMAND, channel << 6 | PIT_COUNT);
	outb(PIT_CHANNEL0 + channel, 0xff);
	outb(PIT_CHANNEL0 + channel, 0xff);
	lapic_timer_set(0xffffffff);
	start = read_clocks(channel);
	do
		end = read_clocks(channel);
	while ((uint16_t)(start.pit - end.pit) < PIT_HZ * MEASURE_MS / 1000 &&
	       !counted_to_end(channel));
	if (counted_to_end(channel))
		return 0;
	ticks = (uint16_t)(start.pit - end.pit);
	lapic_timer_set(0);
	lapic_per_ms = MAX((uint64_t)(start.lapic - end.lapic) * PIT_HZ / (ticks * 1000), 1ull);
	return (end.tsc - start.tsc) * PIT_HZ / (ticks * 1000);
}

static uint64_t measure_tsc(void)
{
	/* Channel 0 does not make ticks yet: see pit_ticks_init(). */
	unsigned int channel = inb(GATE) == NO_PORT ? 0 : 2;
	uint64_t khz = 0;

	for (unsigned int try = 0; try < TRIES && !khz; try++)
		khz = measure_once(channel);
	if (!khz)
		cannot_start("the clocks cannot be measured: the PIT runs out within %u ms every "
			     "time",
			     MEASURE_MS);
	return khz;
}

/*
 * Leaf 15h: TSC rate = crystal (ecx, Hz) * ebx / eax. Returns kHz, or 0 if the CPU does not tell.
 */
static uint64_t cpuid_tsc_khz(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
	if (r[0] < 0x15)
		return 0;
	cpuid(0x15, 0, r);
	return r[0] && r[1] && r[2] ? (uint64_t)r[2] * r[1] / r[0] / 1000 : 0;
}

static uint8_t cmos(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static int64_t days_since_1970(int year, int month, int day)
{
	/* Count years from March on, so that the leap day is the last day of a year. */
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static void read_date(uint8_t date[6])
{
	static const uint8_t regs[6] = { 0, 2, 4, 7, 8, 9 };

	for (unsigned int i = 0; i < 6; i++)
		date[i] = cmos(regs[i]);
}

static uint64_t read_rtc(void)
{
	uint8_t now[6], again[6];

	do {
		read_date(now);
		read_date(again);
	} while (memcmp(now, again, sizeof(now)) != 0);
	for (unsigned int i = 0; i < 6 && !(cmos(0x0b) & 4); i++) /* the clock counts in BCD */
		now[i] = (now[i] >> 4) * 10 + (now[i] & 15);
	return (days_since_1970(2000 + now[5], now[4], now[3]) * 86400 + now[2] * 3600 +
		now[1] * 60 + now[0]) *
	       NSEC_PER_SEC;
}

void time_init(void)
{
	uint64_t measured = measure_tsc(), told = cpuid_tsc_khz();

	clock.raw_scale = (NSEC_PER_MSEC << CLOCK_SHIFT) / (told ? told : measured);
	clock.raw_tsc_base = read_tsc();
	clock.figures = (struct clock_figures){ .scale = clock.raw_scale,
						.tsc_base = clock.raw_tsc_base,
						.wall_base = read_rtc() };
}

void time_interrupt_after(uint64_t ns)
{
	lapic_timer_set(ns * lapic_per_ms / NSEC_PER_MSEC + 1);
}

uint32_t time_tick_cycles(void)
{
	return (TICK_NS << CLOCK_SHIFT) / clock.raw_scale;
}

struct vdso_clock time_for_programs(void)
{
	return clock;
}

/* ---- changing the clocks ---- */

/* Readers wait from begin_change() to end_change(). Interrupts are off. */
static void begin_change(struct vdso_clock *to)
{
	WRITE_ONCE(to->changes, to->changes | 1);
}

static void end_change(struct vdso_clock *to, const struct clock_figures *figures)
{
	uint32_t next = to->changes + 1;

	to->figures = *figures;
	barrier(); /* x86 keeps stores in order: readers see the figures before the number */
	WRITE_ONCE(to->changes, next);
}

/* Bring new figures into force: those, with `scale` for the time from now on. */
static void publish(struct vdso_clock *programs, struct clock_figures figures, uint32_t scale)
{
	unsigned int flags = irq_save();
	uint64_t tsc;

	begin_change(&clock);
	begin_change(programs);
	memory_barrier(); /* so that no reader has a later TSC and the old figures */
	if (scale != figures.scale) {
		tsc = MAX(read_tsc(), figures.tsc_base);
		figures.base = clock_since_boot(&figures, tsc);
		figures.tsc_base = tsc;
		figures.scale = scale;
	}
	end_change(&clock, &figures);
	end_change(programs, &figures);
	irq_restore(flags);
}

int time_set_wall(struct vdso_clock *programs, uint64_t ns)
{
	struct clock_figures figures = clock_newest(&clock);
	uint64_t now = time_now();

	if (ns < now || ns & OF_WALL)
		return -EINVAL;
	figures.wall_base = ns - now;
	publish(programs, figures, figures.scale);
	timers_wall_was_set();
	return 0;
}

void time_set_rate(struct vdso_clock *programs, int32_t ppb)
{
	uint64_t change = (uint64_t)clock.raw_scale * (ppb < 0 ? -ppb : ppb);
	uint32_t rounded = div_u64(change + NSEC_PER_SEC / 2, NSEC_PER_SEC, NULL);

	publish(programs, clock_newest(&clock),
		ppb < 0 ? clock.raw_scale - rounded : clock.raw_scale + rounded);
}

void time_set_zone(struct vdso_clock *programs, int32_t minutes_west, int32_t daylight)
{
	struct clock_figures figures = clock_newest(&clock);

	figures.minutes_west = minutes_west;
	figures.daylight = daylight;
	publish(programs, figures, figures.scale);
}

struct timespec64 timespec_from_ns(uint64_t ns)
{
	uint32_t rest;
	uint64_t sec = div_u64(ns, NSEC_PER_SEC, &rest);

	return (struct timespec64){ sec, rest };
}

struct timeval32 timeval_from_ns(uint64_t ns)
{
	struct timespec64 ts = timespec_from_ns(ns);

	return (struct timeval32){ (int32_t)ts.sec, ts.nsec / 1000 };
}

uint64_t deadline_after(uint64_t ns)
{
	uint64_t now = time_now();

	return ns > UINT64_MAX - now ? UINT64_MAX : now + ns;
}
