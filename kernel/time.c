/*
 * 1. The time is the TSC, scaled: its rate comes from CPUID leaf 15h where that tells, else it is
 *    measured against the PIT's second channel for 10 ms, and so is the local APIC's timer.
 * 2. The wall clock is read once from the RTC (MC146818) and goes on with the TSC.
 * 3. Timers stand in one list sorted by time, under timer_lock (irqsave). Every tick runs what is
 *    due.
 */
#include "kernel/time.h"
#include "kernel/apic.h"
#include "kernel/spinlock.h"
#include "kernel/task.h"
#include "kernel/tick.h"

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_GATE     0x61
#define PIT_HZ	     1193182u
#define PIT_OUT	     0x20 /* of the gate's port: channel 2 has counted to the end (55 ms) */
#define MEASURE_MS   10u
#define READINGS     4u
#define TRIES	     20u
#define SCALE_SHIFT  22

static uint64_t tsc_base;
static uint32_t ns_scale;  /* ns = tsc * ns_scale >> SCALE_SHIFT; 0: not measured yet */
static uint64_t wall_base; /* wall clock at boot */

static spinlock_t timer_lock = SPINLOCK_INIT("timers");
static struct timer *timers; /* earliest first */
static struct timer *volatile running[MAX_CPUS];

uint64_t time_of_cycles(uint64_t cycles)
{
	/* 32 x 64 bits: the low and the high half apart, so that nothing overflows. */
	return ((cycles >> 32) * ns_scale << (32 - SCALE_SHIFT)) +
	       ((cycles & 0xffffffff) * ns_scale >> SCALE_SHIFT);
}

uint64_t time_now(void)
{
	return time_of_cycles(read_tsc() - tsc_base);
}

uint64_t time_wall(void)
{
	return wall_base + time_now();
}

struct timespec64 time_wall_spec(void)
{
	uint64_t now = time_wall();
	struct timespec64 spec = { now / NSEC_PER_SEC, now % NSEC_PER_SEC };

	return spec;
}

void time_delay(uint64_t ns)
{
	uint64_t end = time_now() + ns;

	while (time_now() < end)
		cpu_relax();
}

/* Three clocks read at one moment: between two looks at the TSC, `width` cycles apart. */
struct sample {
	uint64_t tsc, width;
	uint32_t lapic;
	uint16_t pit; /* counts down */
};

/*
 * An emulated CPU may stand still between any two instructions for longer than the whole
 * measurement takes; the tightest of a few readings is one where it did not.
 */
static struct sample read_clocks(void)
{
	struct sample best = { .width = UINT64_MAX };

	for (unsigned int try = 0; try < READINGS; try++) {
		struct sample now;
		uint64_t start = read_tsc();

		now.lapic = lapic_timer_count();
		outb(PIT_COMMAND, 0x80); /* latch channel 2 */
		now.pit = inb(PIT_CHANNEL2);
		now.pit |= inb(PIT_CHANNEL2) << 8;
		now.width = read_tsc() - start;
		now.tsc = start + now.width / 2;
		if (now.width < best.width)
			best = now;
	}
	return best;
}

/* The TSC's rate against the PIT's, in kHz, and the local APIC's; 0: the PIT ran out meanwhile. */
static uint64_t measure_once(void)
{
	struct sample start, end;
	uint64_t ticks;

	outb(PIT_GATE, (inb(PIT_GATE) & ~2) | 1); /* gate on, speaker off */
	outb(PIT_COMMAND, 0xb0);		  /* channel 2, interrupt on terminal count */
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
	lapic_timer_start_measure();
	start = read_clocks();
	do
		end = read_clocks();
	while ((uint16_t)(start.pit - end.pit) < PIT_HZ * MEASURE_MS / 1000 &&
	       !(inb(PIT_GATE) & PIT_OUT));
	if (inb(PIT_GATE) & PIT_OUT)
		return 0;
	ticks = (uint16_t)(start.pit - end.pit);
	lapic_timer_end_measure((uint64_t)(start.lapic - end.lapic) * PIT_HZ / (ticks * 1000));
	return (end.tsc - start.tsc) * PIT_HZ / (ticks * 1000);
}

static uint64_t measure_tsc(void)
{
	uint64_t khz = 0;

	for (unsigned int try = 0; try < TRIES && !khz; try++)
		khz = measure_once();
	if (!khz)
		panic("the clocks cannot be measured: the PIT runs out within %u ms every time",
		      MEASURE_MS);
	return khz;
}

/* Leaf 15h: TSC rate = crystal (ecx, Hz) * ebx / eax. */
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

static unsigned int from_bcd(uint8_t value, bool binary)
{
	return binary ? value : (value >> 4) * 10 + (value & 15);
}

static int64_t days_since_1970(int year, int month, int day)
{
	/* Years start in March, so that the leap day is the last one. */
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static uint64_t read_rtc(void)
{
	uint8_t now[6], again[6];
	static const uint8_t regs[6] = { 0, 2, 4, 7, 8, 9 };
	bool binary, same;

	do {
		same = true;
		for (unsigned int i = 0; i < 6; i++)
			now[i] = cmos(regs[i]);
		for (unsigned int i = 0; i < 6; i++) {
			again[i] = cmos(regs[i]);
			same = same && again[i] == now[i];
		}
	} while (!same);
	binary = cmos(0x0b) & 4;
	for (unsigned int i = 0; i < 6; i++)
		now[i] = from_bcd(now[i], binary);
	return (days_since_1970(2000 + now[5], now[4], now[3]) * 86400 + now[2] * 3600 +
		now[1] * 60 + now[0]) *
	       NSEC_PER_SEC;
}

void time_init(void)
{
	uint64_t measured = measure_tsc(), khz = cpuid_tsc_khz();

	khz = khz ? khz : measured;
	ns_scale = (NSEC_PER_MSEC << SCALE_SHIFT) / khz;
	tsc_base = read_tsc();
	wall_base = read_rtc();
}

static void unlink_timer(struct timer *timer)
{
	*timer->pprev = timer->next;
	if (timer->next)
		timer->next->pprev = timer->pprev;
	timer->pprev = NULL;
}

void timer_start(struct timer *timer, uint64_t expires)
{
	unsigned int flags = spin_lock_irqsave(&timer_lock);
	struct timer **at = &timers;

	if (timer->pprev)
		unlink_timer(timer);
	timer->expires = expires;
	while (*at && (*at)->expires <= expires)
		at = &(*at)->next;
	timer->next = *at;
	timer->pprev = at;
	if (timer->next)
		timer->next->pprev = &timer->next;
	*at = timer;
	/* An armed tick comes within 10 ms on this CPU; sooner wants are armed exactly. */
	if (timers == timer) {
		uint64_t now = time_now();

		tick_arm(MIN(expires > now ? expires - now : 1, NSEC_PER_SEC / TICK_HZ));
	}
	spin_unlock_irqrestore(&timer_lock, flags);
}

bool timer_stop(struct timer *timer)
{
	unsigned int flags;
	bool pending;

	for (;;) {
		bool busy = false;

		flags = spin_lock_irqsave(&timer_lock);
		pending = timer->pprev != NULL;
		if (pending)
			unlink_timer(timer);
		for (unsigned int i = 0; i < MAX_CPUS; i++)
			busy = busy || running[i] == timer;
		spin_unlock_irqrestore(&timer_lock, flags);
		if (!busy)
			return pending;
		cpu_relax();
	}
}

static void run_timers(void)
{
	struct cpu *cpu = this_cpu();

	spin_lock(&timer_lock);
	while (timers && timers->expires <= time_now()) {
		struct timer *timer = timers;

		unlink_timer(timer);
		running[cpu->id] = timer;
		spin_unlock(&timer_lock);
		timer->function(timer);
		spin_lock(&timer_lock);
		running[cpu->id] = NULL;
	}
	spin_unlock(&timer_lock);
}

/* Nanoseconds until the first timer, at most `limit`. */
static uint64_t next_timer(uint64_t limit)
{
	unsigned int flags = spin_lock_irqsave(&timer_lock);
	uint64_t now = time_now();
	uint64_t wait = !timers ? limit : timers->expires <= now ? 1 : timers->expires - now;

	spin_unlock_irqrestore(&timer_lock, flags);
	return MIN(wait, limit);
}

void tick(void)
{
	run_timers();
	sched_tick();
	tick_arm(next_timer(NSEC_PER_SEC / TICK_HZ));
}

void tick_idle(void)
{
	tick_arm(next_timer(NSEC_PER_SEC));
}

void tick_busy(void)
{
	tick_arm(next_timer(NSEC_PER_SEC / TICK_HZ));
}
