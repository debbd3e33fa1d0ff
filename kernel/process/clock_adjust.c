/*
 * adjtimex(2): the rate of the clocks, and small corrections that are spread over some time.
 *
 * 1. `tick` and `freq` say how fast the clocks run. An offset that is to be made up for changes the
 *    rate as well, for as many seconds as it takes: that of adjtime(3) by 500 microseconds a
 *    second, and that of ADJ_OFFSET by a part of what is left, if STA_PLL is set. CLOCK_MONOTONIC
 *    follows, too.
 * 2. The task `clock` looks once a second while there is an offset. It also inserts or deletes the
 *    leap second that STA_INS or STA_DEL asks for, at the end of the day (UTC).
 * 3. The frequency is what programs set. It is not learned from the offsets, and no source of
 *    pulses (PPS) is known.
 * 4. adjust_lock guards everything here. It is taken before the lock of the vDSO's page.
 */
#include "kernel/capability.h"
#include "kernel/init.h"
#include "kernel/mutex.h"
#include "kernel/process/timecalls.h"
#include "kernel/process/usage.h"
#include "kernel/syscalls.h"
#include "kernel/vdso_clock.h"
#include "kernel/wait.h"
#include "lib/div64.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vdso.h"

#define TICK_MIN     9000 /* microseconds in 1/100 s */
#define TICK_NORMAL  10000
#define TICK_MAX     11000
#define FREQ_SHIFT   16
#define FREQ_MAX     (500 << FREQ_SHIFT) /* parts in a million */
#define OFFSET_MAX   500000000ll	 /* ns */
#define SLEW_MAX     500000ll		 /* ns in a second */
#define ERROR_MAX    16000000		 /* microseconds */
#define TAI_MAX	     100000		 /* seconds */
#define CONSTANT_MAX 10
#define PLL_SHIFT    2
#define DAY	     86400u
#define SECONDS_MAX  9000000000ll

enum { /* modes */
       ADJ_OFFSET = 0x1,
       ADJ_FREQUENCY = 0x2,
       ADJ_MAXERROR = 0x4,
       ADJ_ESTERROR = 0x8,
       ADJ_STATUS = 0x10,
       ADJ_TIMECONST = 0x20,
       ADJ_TAI = 0x80,
       ADJ_SETOFFSET = 0x100,
       ADJ_MICRO = 0x1000,
       ADJ_NANO = 0x2000,
       ADJ_TICK = 0x4000,
       /* With this one, the bits for ADJ_OFFSET and ADJ_NANO mean something else. */
       ADJ_ADJTIME = 0x8000,
       ADJTIME_OFFSET = 0x1,
       ADJTIME_READ = 0x2000,
};

enum { /* status */
       STA_PLL = 0x1,
       STA_INS = 0x10,
       STA_DEL = 0x20,
       STA_UNSYNC = 0x40,
       STA_NANO = 0x2000,
       STA_READ_ONLY = 0xff00,
};

enum leap {
	TIME_OK,
	TIME_INS,   /* a second will be inserted at the end of the day */
	TIME_DEL,   /* a second will be deleted */
	TIME_OOP,   /* the inserted second is running */
	TIME_WAIT,  /* it is over; STA_INS and STA_DEL must be cleared */
	TIME_ERROR, /* not synchronised; only a result of the call */
};

/* The fields of struct timex: words for adjtimex(2), words of 8 bytes for clock_adjtime64(2). */
enum {
	MODES,
	OFFSET,
	FREQ,
	MAXERROR,
	ESTERROR,
	STATUS,
	CONSTANT,
	PRECISION,
	TOLERANCE,
	SECONDS,
	FRACTION,
	TICK,
	TAI = 20,
	NR_FIELDS,
	WORDS = 32, /* with the room at the end */
	WIDE_BYTES = 208,
};

static struct mutex adjust_lock = MUTEX_INIT(adjust_lock);
static int status = STA_UNSYNC, tick_us = TICK_NORMAL, constant = 2;
static int64_t freq, offset, adjustment; /* the latter two in ns */
static int64_t slew;			 /* ns of them that this second makes up for */
static int64_t max_error = ERROR_MAX, estimated_error = ERROR_MAX;
static uint64_t error_since; /* time_now() when max_error was set */
static enum leap leap;

static struct atomic asked; /* counts changes that the task has to look at */
static struct wait_queue clock_queue = WAIT_QUEUE_INIT(clock_queue);

/* ---- the rate ---- */

static int64_t divide(int64_t value, uint32_t by)
{
	return value < 0 ? -(int64_t)div_u64(-value, by, NULL) : (int64_t)div_u64(value, by, NULL);
}

static int64_t clamp(int64_t value, int64_t limit)
{
	return value > limit ? limit : value < -limit ? -limit : value;
}

static int set_rate(void)
{
	struct vdso_clock *programs = vdso_clock_begin();
	int64_t ppb = (tick_us - TICK_NORMAL) * 100000ll + (freq * 1000 >> FREQ_SHIFT) + slew;

	if (IS_ERR(programs))
		return PTR_ERR(programs);
	time_set_rate(programs, ppb);
	vdso_clock_end(programs);
	return 0;
}

/* A second is over, or an offset is new: decide how much the next second makes up for. */
static int next_slew(void)
{
	int64_t part = status & STA_PLL ? divide(offset, 1u << (PLL_SHIFT + constant)) : 0;
	int64_t adjtime_part = clamp(adjustment, SLEW_MAX);

	if (part == 0 && status & STA_PLL)
		part = offset;
	part = clamp(part, SLEW_MAX * 10);
	offset -= part;
	adjustment -= adjtime_part;
	if (part + adjtime_part == slew)
		return 0;
	slew = part + adjtime_part;
	return set_rate();
}

/* ---- the leap second ---- */

static int step_wall(int64_t ns)
{
	return clock_set_wall(time_wall() + ns);
}

/* A second of the wall clock has begun. */
static void next_leap(void)
{
	uint32_t second;

	(void)div_u64(time_wall_spec().sec, DAY, &second);
	if (leap == TIME_OK && status & STA_INS)
		leap = TIME_INS;
	else if (leap == TIME_OK && status & STA_DEL)
		leap = TIME_DEL;
	else if (leap == TIME_OOP)
		leap = TIME_WAIT;
	else if (leap == TIME_WAIT && !(status & (STA_INS | STA_DEL)))
		leap = TIME_OK;
	if (leap == TIME_INS && !(status & STA_INS))
		leap = TIME_OK;
	if (leap == TIME_DEL && !(status & STA_DEL))
		leap = TIME_OK;
	if (leap == TIME_INS && second == 0 && step_wall(-(int64_t)NSEC_PER_SEC) == 0) {
		leap = TIME_OOP;
		clock_tai_offset++;
	} else if (leap == TIME_DEL && second == DAY - 1 && step_wall(NSEC_PER_SEC) == 0) {
		leap = TIME_WAIT;
		clock_tai_offset -= clock_tai_offset > 0;
	}
}

/* ---- the task ---- */

static bool has_work(void)
{
	return slew || adjustment || (status & STA_PLL && offset) || leap != TIME_OK ||
	       status & (STA_INS | STA_DEL);
}

static uint64_t next_second(void)
{
	return deadline_of_wall((time_wall_spec().sec + 1) * NSEC_PER_SEC);
}

/* A kernel task is not killed, so this does not fail. */
static void lock_always(void)
{
	while (mutex_lock_killable(&adjust_lock))
		;
}

static void clock_task(void *arg)
{
	for (;;) {
		int seen = atomic_read(&asked);
		uint64_t until;

		lock_always();
		until = has_work() ? next_second() : UINT64_MAX;
		mutex_unlock(&adjust_lock);
		if (wait_event_until(&clock_queue, atomic_read(&asked) != seen, until) != -EAGAIN)
			continue;
		lock_always();
		next_leap();
		(void)next_slew();
		mutex_unlock(&adjust_lock);
	}
}

static void clock_init(void)
{
	if (IS_ERR(kernel_task_start("clock", clock_task, NULL)))
		cannot_start("too little memory for the task that corrects the clock");
}
INITCALL(4, clock_init);

/* ---- the call ---- */

/* What of a request would not be valid, before anything is changed. */
static int check(const int64_t *request)
{
	unsigned int modes = request[MODES];
	bool adjtime = modes & ADJ_ADJTIME, reads = adjtime && modes & ADJTIME_READ;

	if (adjtime && !(modes & ADJTIME_OFFSET))
		return refuse(EINVAL, "adjtime without an offset");
	if (modes && !reads && !capable(CAP_SYS_TIME))
		return refuse(EPERM, "no CAP_SYS_TIME");
	if (!adjtime && modes & ADJ_TICK && (request[TICK] < TICK_MIN || request[TICK] > TICK_MAX))
		return refuse(EINVAL, "the tick is not within a tenth of its normal length");
	if (modes & ADJ_SETOFFSET && clamp(request[SECONDS], SECONDS_MAX) != request[SECONDS])
		return refuse(EINVAL, "the clock cannot be set that far");
	if (modes & ADJ_SETOFFSET &&
	    (request[FRACTION] < 0 ||
	     request[FRACTION] >= (modes & ADJ_NANO ? (int64_t)NSEC_PER_SEC : 1000000)))
		return refuse(EINVAL, "a part of a second that is none");
	return 0;
}

static int64_t in_program_unit(int64_t ns)
{
	return status & STA_NANO ? ns : divide(ns, 1000);
}

/* An offset whose nanoseconds do not fit into 64 bits becomes the largest one. */
static int64_t from_microseconds(int64_t value)
{
	return clamp(value, INT64_MAX / 1000) * 1000;
}

static void set_status(int wanted)
{
	if (status & STA_PLL && !(wanted & STA_PLL)) {
		leap = TIME_OK;
		offset = 0;
	}
	status = (status & STA_READ_ONLY) | (wanted & ~STA_READ_ONLY);
}

static void set_constant(int64_t wanted)
{
	wanted = clamp(wanted, CONSTANT_MAX) + (status & STA_NANO ? 0 : 4);
	constant = wanted < 0 ? 0 : MIN(wanted, (int64_t)CONSTANT_MAX);
}

static void set_fields(const int64_t *request)
{
	unsigned int modes = request[MODES];

	if (modes & ADJ_STATUS)
		set_status(request[STATUS]);
	if (modes & ADJ_NANO)
		status |= STA_NANO;
	if (modes & ADJ_MICRO)
		status &= ~STA_NANO;
	if (modes & ADJ_FREQUENCY)
		freq = clamp(request[FREQ], FREQ_MAX);
	if (modes & ADJ_MAXERROR) {
		max_error = clamp(request[MAXERROR], ERROR_MAX);
		error_since = time_now();
	}
	if (modes & ADJ_ESTERROR)
		estimated_error = request[ESTERROR];
	if (modes & ADJ_TIMECONST)
		set_constant(request[CONSTANT]);
	if (modes & ADJ_TAI && request[CONSTANT] >= 0 && request[CONSTANT] <= TAI_MAX)
		clock_tai_offset = request[CONSTANT];
	if (modes & ADJ_OFFSET && status & STA_PLL)
		offset = clamp(status & STA_NANO ? request[OFFSET]
						 : from_microseconds(request[OFFSET]),
			       OFFSET_MAX);
	if (modes & ADJ_TICK)
		tick_us = request[TICK];
}

/* The error that the clock may have grows by 500 microseconds a second. */
static int64_t error_now(void)
{
	int64_t now = max_error + div_u64(time_now() - error_since, NSEC_PER_SEC, NULL) * 500;

	if (now < ERROR_MAX)
		return now;
	status |= STA_UNSYNC;
	return ERROR_MAX;
}

static int change(int64_t *fields)
{
	unsigned int modes = fields[MODES];
	int64_t unit = modes & ADJ_NANO ? 1 : 1000;
	int error = 0;

	if (modes & ADJ_SETOFFSET)
		error = step_wall(fields[SECONDS] * (int64_t)NSEC_PER_SEC +
				  fields[FRACTION] * unit);
	if (error)
		return error;
	if (modes & ADJ_ADJTIME) {
		int64_t rest = divide(adjustment, 1000);

		if (!(modes & ADJTIME_READ))
			adjustment = from_microseconds(fields[OFFSET]);
		fields[OFFSET] = rest;
	} else {
		set_fields(fields);
		fields[OFFSET] = in_program_unit(offset);
	}
	if (modes && !(modes & ADJ_ADJTIME && modes & ADJTIME_READ))
		error = set_rate();
	return error;
}

/*
 * Do what `fields` asks for, and fill it in with the state afterwards. Returns the state of the
 * leap second.
 */
static int adjust(int64_t *fields)
{
	struct timespec64 now;
	int error = mutex_lock_killable(&adjust_lock);

	if (error)
		return error;
	error = change(fields);
	fields[FREQ] = freq;
	fields[MAXERROR] = error_now();
	fields[ESTERROR] = estimated_error;
	fields[STATUS] = status;
	fields[CONSTANT] = constant;
	fields[PRECISION] = 1;
	fields[TOLERANCE] = FREQ_MAX;
	fields[TICK] = tick_us;
	fields[TAI] = clock_tai_offset;
	now = time_wall_spec();
	fields[SECONDS] = now.sec;
	fields[FRACTION] = in_program_unit(now.nsec);
	if (!error)
		error = status & STA_UNSYNC ? TIME_ERROR : leap;
	(void)atomic_add_return(&asked, 1);
	mutex_unlock(&adjust_lock);
	wake_all(&clock_queue);
	return error;
}

static long adjust_narrow(void __user *user)
{
	int32_t words[WORDS];
	int64_t fields[NR_FIELDS];
	int error, result;

	if (copy_from_user(words, user, sizeof(words)) < 0)
		return -EFAULT;
	for (unsigned int i = 0; i < NR_FIELDS; i++)
		fields[i] = words[i];
	error = check(fields);
	if (error)
		return error;
	result = adjust(fields);
	memset(words + TICK, 0, (WORDS - TICK) * sizeof(words[0]));
	for (unsigned int i = 0; i <= TICK; i++)
		words[i] = fields[i];
	words[TAI] = fields[TAI];
	return result < 0 || copy_to_user(user, words, sizeof(words)) == 0 ? result : -EFAULT;
}

static long adjust_wide(void __user *user)
{
	int64_t fields[WIDE_BYTES / sizeof(int64_t)];
	int error, result;

	if (copy_from_user(fields, user, sizeof(fields)) < 0)
		return -EFAULT;
	/* These two have 32 bits, and the other half is padding. */
	fields[MODES] = (uint32_t)fields[MODES];
	fields[STATUS] = (int32_t)fields[STATUS];
	error = check(fields);
	if (error)
		return error;
	result = adjust(fields);
	fields[STATUS] = (uint32_t)fields[STATUS];
	memset(fields + TICK + 1, 0, (TAI - TICK - 1) * sizeof(fields[0]));
	memset(fields + TAI + 1, 0, sizeof(fields) - (TAI + 1) * sizeof(fields[0]));
	return result < 0 || copy_to_user(user, fields, sizeof(fields)) == 0 ? result : -EFAULT;
}

long sys_adjtimex(void __user *user)
{
	return adjust_narrow(user);
}

long sys_clock_adjtime(int clock, void __user *user)
{
	uint64_t now;

	if (clock != CLOCK_REALTIME && clock >= 0 && clock_read(clock, &now) < 0)
		return refuse(EINVAL, "no such clock");
	if (clock != CLOCK_REALTIME)
		return refuse(EOPNOTSUPP, "that clock cannot be adjusted");
	return call_has_time64() ? adjust_wide(user) : adjust_narrow(user);
}
