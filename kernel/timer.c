/*
 * Timers. See kernel/time.h for the contract.
 *
 * 1. They are in one list, sorted by time and guarded by timer_lock (irqsave).
 * 2. Each tick runs the timers that are due with the lock held, so a timer cannot run after it was
 *    stopped.
 */
#include "kernel/time.h"
#include "kernel/atomic.h"
#include "kernel/spinlock.h"

#define LONG_AGO 1 /* a time at which a timer is due now. 0 would be one that is not armed */

static spinlock_t timer_lock = SPINLOCK_INIT("timers");
static struct timer *timers; /* earliest first */
static uint32_t wall_sets;   /* changed under timer_lock */

static bool unlink_timer(struct timer *timer)
{
	struct timer **at = &timers;

	while (*at && *at != timer)
		at = &(*at)->next;
	if (!*at)
		return false;
	*at = timer->next;
	return true;
}

/* Like tick_arm(). timer_lock is held, here and in the other static functions. */
static void arm(uint64_t most)
{
	uint64_t now = time_now(), due;

	if (timers) {
		due = time_due(timers->expires);
		most = due <= now ? 1 : MIN(most, due - now);
	}
	time_interrupt_after(most);
}

void tick_arm(uint64_t most)
{
	unsigned int flags = spin_lock_irqsave(&timer_lock);

	arm(most);
	spin_unlock_irqrestore(&timer_lock, flags);
}

static void link_timer(struct timer *timer, uint64_t expires)
{
	struct timer **at = &timers;

	timer->expires = expires;
	while (*at && time_due((*at)->expires) <= time_due(expires))
		at = &(*at)->next;
	timer->next = *at;
	*at = timer;
}

/* tick() holds the lock. */
void timer_repeat(struct timer *timer, uint64_t expires)
{
	lockdep_held(&timer_lock);
	link_timer(timer, expires);
}

void timer_start(struct timer *timer, uint64_t expires)
{
	unsigned int flags = spin_lock_irqsave(&timer_lock);

	(void)unlink_timer(timer);
	link_timer(timer, expires);
	/*
	 * The first timer may be due before this CPU's next tick. tick() arms for the later ones.
	 */
	if (timers == timer)
		arm(TICK_NS);
	spin_unlock_irqrestore(&timer_lock, flags);
}

uint64_t timer_stop(struct timer *timer)
{
	unsigned int flags = spin_lock_irqsave(&timer_lock);
	uint64_t expires = unlink_timer(timer) ? timer->expires : 0;

	spin_unlock_irqrestore(&timer_lock, flags);
	return expires;
}

void tick(void)
{
	struct timer *timer;

	spin_lock(&timer_lock);
	while ((timer = timers) != NULL && time_reached(timer->expires)) {
		timers = timer->next;
		timer->function(timer);
	}
	arm(TICK_NS);
	spin_unlock(&timer_lock);
	sched_tick();
}

/*
 * Timers that wait for a time of the wall clock have other places in the list now. The count
 * changes under the lock, so that no timer that was started with the new one fires for it:
 *
 *	sets the clock				starts a timer
 *	wall_sets = 1
 *						wall_sets == 1: a later setting is waited for
 *						starts the timer
 *	lets it fire
 */
void timers_wall_was_set(void)
{
	unsigned int flags = spin_lock_irqsave(&timer_lock);
	struct timer *timer, *next = timers;

	WRITE_ONCE(wall_sets, wall_sets + 1);
	timers = NULL;
	while ((timer = next) != NULL) {
		next = timer->next;
		link_timer(timer, timer->fires_on_set ? LONG_AGO : timer->expires);
	}
	arm(TICK_NS);
	spin_unlock_irqrestore(&timer_lock, flags);
}

uint32_t time_wall_sets(void)
{
	return READ_ONCE(wall_sets);
}
