/*
 * timerfd: a timer that is waited for and read as a file.
 *
 * 1. A read returns how often the timer has expired since the last read or setting, as a number of
 *    8 bytes, and waits while that is 0.
 * 2. The kernel's timer fires once. If the timerfd repeats, a read or timerfd_gettime counts the
 *    intervals that have passed since, and starts the timer for the next one. So a timer that
 *    nobody reads costs nothing, and wakes a poll once.
 * 3. `mutex` serialises these calls. It is never held during a wait. `lock` guards `ticks`, which
 *    the timer's function sets in an interrupt.
 * 4. Times are those of the wall clock if the timerfd was set for such a time, and otherwise those
 *    of time_now(). With TFD_TIMER_CANCEL_ON_SET it fires when somebody sets the wall clock, even
 *    if it is not set or has expired. So the kernel's timer is then armed in any case, if need be
 *    for ever. The next read returns -ECANCELED, forgets the ticks and starts the timer again.
 * 5. The function sets `ticks` before it wakes, and a reader joins the queue before it looks:
 *
 *	reader				interrupt
 *	ticks == 0
 *					ticks = 1; nobody is on `readable`: wakes nobody
 *	joins `readable`
 *	ticks == 1: does not sleep
 */
#include "fs/events/event_file.h"
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/capability.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "kernel/time.h"
#include "lib/div64.h"
#include "mm/slab.h"
#include "mm/vm/iter.h"
#include "mm/vm/uaccess.h"

#define TFD_TIMER_ABSTIME	1u
#define TFD_TIMER_CANCEL_ON_SET 2u
#define TFD_IOC_SET_TICKS	0x40085400u /* _IOW('T', 0, uint64_t) */

struct timerfd {
	unsigned int clock;
	struct mutex mutex;
	/* Guarded by mutex. */
	uint64_t expires;  /* the next time, or the one that has been counted last; 0: not set */
	uint64_t interval; /* 0: does not repeat */
	bool wall; /* `expires` is a time of the clock of the timerfd, and not of time_now() */
	uint32_t wall_sets; /* how often the wall clock had been set when the timer was started */
	struct timer timer;
	spinlock_t lock; /* irqsave */
	uint64_t ticks;	 /* guarded by lock */
	bool fired;	 /* guarded by lock; the timer is to be started for the next interval */
	bool cancelled;	 /* guarded by lock; the wall clock has been set */
	struct wait_queue readable;
};

SLAB_CACHE(timerfd_cache, "timerfd", struct timerfd, 0);

static uint64_t now_of(const struct timerfd *tfd)
{
	uint64_t now;

	return tfd->wall && clock_read(tfd->clock, &now) == 0 ? now : time_now();
}

/* Runs in the timer interrupt. */
static void fire(struct timer *timer)
{
	struct timerfd *tfd = container_of(timer, struct timerfd, timer);
	unsigned int flags = spin_lock_irqsave(&tfd->lock);

	if (timer->fires_on_set && time_wall_sets() != tfd->wall_sets) {
		WRITE_ONCE(tfd->cancelled, true);
	} else {
		tfd->ticks++;
		tfd->fired = true;
		if (timer->fires_on_set)
			timer_repeat(timer, UINT64_MAX);
	}
	spin_unlock_irqrestore(&tfd->lock, flags);
	wake_all(&tfd->readable);
}

/*
 * Start the timer for `expires`. If it is not set, or has fired for that time, it only hears of a
 * set clock. The mutex is held. Somebody may have set the wall clock after `wall_sets` was read,
 * when the timer was not in the list yet. Then it fires here.
 */
static void start(struct timerfd *tfd, bool has_fired)
{
	uint64_t when = tfd->expires;

	assert(mutex_held(&tfd->mutex));
	if (!when || has_fired)
		when = UINT64_MAX;
	else if (tfd->wall)
		when = clock_deadline(tfd->clock, when);
	if (when == UINT64_MAX && !tfd->timer.fires_on_set)
		return;
	timer_start(&tfd->timer, when);
	if (tfd->timer.fires_on_set && time_wall_sets() != tfd->wall_sets &&
	    timer_stop(&tfd->timer))
		fire(&tfd->timer);
}

static uint64_t ticks_now(struct timerfd *tfd)
{
	unsigned int flags = spin_lock_irqsave(&tfd->lock);
	uint64_t ticks = tfd->ticks;

	spin_unlock_irqrestore(&tfd->lock, flags);
	return ticks;
}

/* Has the wall clock been set since then? The timer's function runs a little later. */
static bool is_cancelled(struct timerfd *tfd)
{
	return READ_ONCE(tfd->cancelled) || (READ_ONCE(tfd->timer.fires_on_set) &&
					     time_wall_sets() != READ_ONCE(tfd->wall_sets));
}

/* Returns true if a read does not wait. */
static bool can_read(struct timerfd *tfd)
{
	return ticks_now(tfd) > 0 || is_cancelled(tfd);
}

/*
 * If the wall clock has been set, forget the ticks, start the timer again, and return true. The
 * mutex is held.
 */
static bool take_cancel(struct timerfd *tfd)
{
	unsigned int flags;
	bool has_fired;

	assert(mutex_held(&tfd->mutex));
	if (!is_cancelled(tfd))
		return false;
	timer_stop(&tfd->timer);
	WRITE_ONCE(tfd->wall_sets, time_wall_sets());
	flags = spin_lock_irqsave(&tfd->lock);
	has_fired = tfd->fired;
	WRITE_ONCE(tfd->cancelled, false);
	tfd->ticks = 0;
	spin_unlock_irqrestore(&tfd->lock, flags);
	start(tfd, has_fired);
	return true;
}

/*
 * If the timer has fired and repeats, count the intervals that have passed since, and start it for
 * the next one. The mutex is held.
 */
static void catch_up(struct timerfd *tfd)
{
	uint64_t now = now_of(tfd), passed = 0;
	unsigned int flags = spin_lock_irqsave(&tfd->lock);
	bool again = tfd->fired && tfd->interval;

	if (again) {
		passed = now > tfd->expires ? div_u64_u64(now - tfd->expires, tfd->interval) : 0;
		tfd->ticks += passed;
		tfd->fired = false;
	}
	spin_unlock_irqrestore(&tfd->lock, flags);
	if (!again)
		return;
	if (__builtin_add_overflow(tfd->expires, (passed + 1) * tfd->interval, &tfd->expires))
		tfd->expires = UINT64_MAX;
	start(tfd, false);
}

/*
 * Copy the number of ticks to the reader. Returns 0, -EAGAIN if there are none, -ECANCELED or
 * -EFAULT.
 */
static int take(struct timerfd *tfd, struct iter *to)
{
	unsigned int flags;
	uint64_t ticks;
	size_t copied;

	if (take_cancel(tfd))
		return -ECANCELED;
	catch_up(tfd);
	ticks = ticks_now(tfd);
	if (ticks == 0)
		return -EAGAIN;
	copied = iter_copy_to_nofault(to, &ticks, sizeof(ticks));
	if (copied < sizeof(ticks)) {
		iter_rewind(to, copied);
		return -EFAULT;
	}
	/* The timer may have fired once more meanwhile. */
	flags = spin_lock_irqsave(&tfd->lock);
	tfd->ticks -= ticks;
	spin_unlock_irqrestore(&tfd->lock, flags);
	return 0;
}

static ssize_t timerfd_read(struct file *file, struct iter *to, file_off_t *pos)
{
	struct timerfd *tfd = file->private;
	int error;

	if (to->left < sizeof(uint64_t))
		return refuse(EINVAL, "fewer than 8 bytes");
	do {
		error = mutex_lock_killable(&tfd->mutex);
		if (error)
			return error;
		error = take(tfd, to);
		mutex_unlock(&tfd->mutex);
		if (error == 0)
			return sizeof(uint64_t);
		if (error == -EFAULT)
			error = iter_fault_in(to, sizeof(uint64_t), true, true);
		else if (error == -EAGAIN && !(file->flags & O_NONBLOCK))
			error = wait_event_interruptible(&tfd->readable, can_read(tfd));
	} while (error == 0);
	return error;
}

static unsigned int timerfd_poll(struct file *file, struct poll_table *table)
{
	struct timerfd *tfd = file->private;

	poll_wait(table, &tfd->readable, POLLIN);
	return can_read(tfd) ? POLLIN : 0;
}

static void timerfd_release(struct file *file)
{
	struct timerfd *tfd = file->private;

	timer_stop(&tfd->timer);
	slab_free(timerfd_cache, tfd);
}

/*
 * TFD_IOC_SET_TICKS: the timer has expired so often. A program that restores a process as it was
 * uses this.
 */
static long set_ticks(struct timerfd *tfd, const void __user *from)
{
	unsigned int flags;
	uint64_t ticks;
	int error;

	if (copy_from_user(&ticks, from, sizeof(ticks)))
		return -EFAULT;
	if (ticks == 0)
		return refuse(EINVAL, "a timer that has not expired cannot be read");
	error = mutex_lock_killable(&tfd->mutex);
	if (error)
		return error;
	if (take_cancel(tfd)) {
		error = -ECANCELED;
	} else {
		flags = spin_lock_irqsave(&tfd->lock);
		tfd->ticks = ticks;
		spin_unlock_irqrestore(&tfd->lock, flags);
		wake_all(&tfd->readable);
	}
	mutex_unlock(&tfd->mutex);
	return error;
}

static long timerfd_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	return command == TFD_IOC_SET_TICKS ? set_ticks(file->private, (void __user *)argument)
					    : -ENOTTY;
}

static const struct file_ops timerfd_file_ops = {
	.ignores_seek = true,
	.ioctl = timerfd_ioctl,
	.release = timerfd_release,
	.read = timerfd_read,
	.poll = timerfd_poll,
};

/* Returns an open file, or ERR_PTR(-ENFILE, -ENOMEM). */
static struct file *timerfd_make(unsigned int clock, unsigned int flags)
{
	struct timerfd *tfd = slab_alloc(timerfd_cache, ALLOC_ZERO);
	struct file *file;

	if (!tfd)
		return ERR_PTR(-ENOMEM);
	tfd->clock = clock;
	tfd->timer.function = fire;
	mutex_init(&tfd->mutex, "timerfd");
	spin_init(&tfd->lock, "timerfd ticks");
	wait_queue_init(&tfd->readable, "timerfd readable");
	file = event_file("[timerfd]", &timerfd_file_ops, tfd, O_RDWR | flags);
	if (IS_ERR(file))
		slab_free(timerfd_cache, tfd);
	return file;
}

long sys_timerfd_create(unsigned int clock, unsigned int flags)
{
	struct file *file;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK))
		return refuse(EINVAL, "an unknown flag");
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME &&
	    clock != CLOCK_REALTIME_ALARM && clock != CLOCK_BOOTTIME_ALARM)
		return refuse(EINVAL, "no clock that a file can wait for");
	if (clock >= CLOCK_REALTIME_ALARM && !capable(CAP_WAKE_ALARM))
		return refuse(EPERM, "no CAP_WAKE_ALARM");
	file = timerfd_make(clock, flags);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & O_CLOEXEC);
}

/* ---- setting and reading a timer ---- */

struct setting { /* struct itimerspec, in nanoseconds */
	uint64_t interval, value;
};

/* What timerfd_gettime shows: the time that is left, or 0 if the timer has fired or is not set. */
static struct setting setting_now(struct timerfd *tfd)
{
	uint64_t now;

	catch_up(tfd);
	now = now_of(tfd);
	return (struct setting){ tfd->interval, tfd->expires > now ? tfd->expires - now : 0 };
}

/*
 * Stop the timer, forget its ticks, and start it anew. An expiry that is being set can lie in the
 * past: then the timer fires at once, and has passed as many intervals as fit into the time since.
 * Returns 0, or -ECANCELED if the wall clock had been set, no read has told that, and the new
 * setting asks for it too. The timer has the new setting nevertheless. The mutex is held.
 */
static int set(struct timerfd *tfd, const struct setting *new, unsigned int options)
{
	unsigned int flags;
	bool absolute = options & TFD_TIMER_ABSTIME, cancelled = is_cancelled(tfd), fires_on_set;
	uint64_t base = absolute ? 0 : time_now();

	timer_stop(&tfd->timer);
	tfd->wall = absolute && clock_is_wall(tfd->clock);
	fires_on_set = tfd->wall && options & TFD_TIMER_CANCEL_ON_SET;
	/* A poll that looks now must not take an older setting of the clock for a new one. */
	WRITE_ONCE(tfd->timer.fires_on_set, false);
	WRITE_ONCE(tfd->wall_sets, time_wall_sets());
	WRITE_ONCE(tfd->timer.fires_on_set, fires_on_set);
	cancelled &= fires_on_set;
	flags = spin_lock_irqsave(&tfd->lock);
	tfd->ticks = 0;
	tfd->fired = false;
	/* If the timer is not set now, the next read tells it. */
	WRITE_ONCE(tfd->cancelled, cancelled && new->value == 0);
	spin_unlock_irqrestore(&tfd->lock, flags);
	tfd->interval = new->interval;
	tfd->expires = 0;
	if (new->value && __builtin_add_overflow(base, new->value, &tfd->expires))
		tfd->expires = UINT64_MAX;
	start(tfd, false);
	return cancelled && new->value ? -ECANCELED : 0;
}

/* Returns the timerfd of an open file, or ERR_PTR(-EBADF, -EINVAL). */
static struct timerfd *timerfd_of(struct file *file)
{
	if (!file)
		return ERR_PTR(-EBADF);
	return file->ops == &timerfd_file_ops ? file->private
					      : ERR_PTR(refuse(EINVAL, "not a timerfd"));
}

static int setting_from_user(struct setting *setting, const char __user *from)
{
	bool wide = call_has_time64();
	int error = time_from_user(&setting->interval, from, wide);

	return error ? error : time_from_user(&setting->value, from + (wide ? 16 : 8), wide);
}

static int setting_to_user(const struct setting *setting, char __user *to)
{
	bool wide = call_has_time64();
	int error = time_to_user(setting->interval, to, wide);

	return error ? error : time_to_user(setting->value, to + (wide ? 16 : 8), wide);
}

/*
 * Set a timer with the flags of timerfd_settime(2) if `new` is not NULL. Sets *old to the setting
 * before.
 */
static int exchange(int number, const struct setting *new, unsigned int options,
		    struct setting *old)
{
	struct fd fd = fd_get(number);
	struct timerfd *tfd = timerfd_of(fd.file);
	int error = IS_ERR(tfd) ? PTR_ERR(tfd) : mutex_lock_killable(&tfd->mutex);

	if (!error) {
		*old = setting_now(tfd);
		if (new)
			error = set(tfd, new, options);
		mutex_unlock(&tfd->mutex);
	}
	fd_put(fd);
	return error;
}

long sys_timerfd_settime(int fd, unsigned int flags, const void __user *new, void __user *old)
{
	struct setting setting, before;
	int error = setting_from_user(&setting, new);

	if (error)
		return error;
	if (flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return refuse(EINVAL, "an unknown flag");
	error = exchange(fd, &setting, flags, &before);
	if (!error && old)
		error = setting_to_user(&before, old);
	return error;
}

long sys_timerfd_gettime(int fd, void __user *to)
{
	struct setting setting;
	int error = exchange(fd, NULL, 0, &setting);

	return error ? error : setting_to_user(&setting, to);
}
