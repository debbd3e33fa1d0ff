/* timerfd: reads and polls while the timer fires, is set, or the wall clock is set. */
#include "fs/file/file.h"
#include "kernel/process/timecalls.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "files.h"
#include "shim.h"

#define ABSOLUTE      1u /* of timerfd_settime(2) */
#define CANCEL_ON_SET 2u
#define READER	      0 /* the first task of each scenario */

static int working; /* tasks that may wake the reader */

static struct file *timer_file(void)
{
	return current->files->slots[FD_MADE].file;
}

/* What is set has two times of 16 bytes, of which the shim reads the first 8. */
static void set(uint64_t value, unsigned int flags)
{
	const uint64_t setting[4] = { 0, 0, value, 0 };
	long error = sys_timerfd_settime(FD_MADE, flags, setting, NULL);

	must(error == 0 || (error == -ECANCELED && flags & CANCEL_ON_SET));
}

static void open_timer(int tasks)
{
	working = tasks;
	files_open(NULL);
	must(sys_timerfd_create(CLOCK_REALTIME, 0) == FD_MADE);
}

static ssize_t read_ticks(uint64_t *ticks)
{
	struct file *file = timer_file();
	struct iter to;

	iter_init_user(&to, ticks, sizeof(*ticks));
	return file->ops->read(file, &to, NULL);
}

static bool is_readable(void)
{
	struct file *file = timer_file();

	return file->ops->poll(file, NULL) & POLLIN;
}

/* The wall clock has been set, but before anybody asked to be told. */
static void set_before(void)
{
	open_timer(2);
	timers_wall_was_set();
}

static void one_shot(void)
{
	open_timer(2);
	set(1, 0);
}

static void far(void)
{
	open_timer(2);
	set(UINT64_MAX, ABSOLUTE);
}

static void not_set(void)
{
	open_timer(1);
	set(0, ABSOLUTE | CANCEL_ON_SET);
}

/* It has expired once, and a read has told so. */
static void expired(void)
{
	uint64_t ticks;

	open_timer(1);
	set(1, ABSOLUTE | CANCEL_ON_SET);
	ex_tick();
	must(read_ticks(&ticks) == sizeof(ticks) && ticks == 1);
}

static void poll_and_read(int unused)
{
	struct pollfd fd = { FD_MADE, POLLIN, 0 };
	uint64_t ticks;

	must(poll_until(&fd, 1, POLLERR, UINT64_MAX) == 1);
	must(fd.revents == POLLIN);
	must(read_ticks(&ticks) == sizeof(ticks) && ticks == 1);
}

/*
 * A task that can wake the reader ends. If it is the last one and there is nothing to read, a
 * signal ends the wait.
 */
static void work_ends(void)
{
	if (__atomic_sub_fetch(&working, 1, __ATOMIC_SEQ_CST) == 0 && !is_readable())
		ex_signal(READER);
}

static void read_any(int unused)
{
	uint64_t ticks;
	ssize_t n = read_ticks(&ticks);

	must((n == sizeof(ticks) && ticks == 1) || n == -ERESTARTSYS);
}

static void read_cancelled(int unused)
{
	uint64_t ticks;
	ssize_t n = read_ticks(&ticks);

	must(n == -ECANCELED || n == -ERESTARTSYS);
}

static void tick_once(int unused)
{
	ex_tick();
	work_ends();
}

static void set_clock(int unused)
{
	timers_wall_was_set();
	ex_tick();
	work_ends();
}

static void set_cancelled(int unused)
{
	set(UINT64_MAX, ABSOLUTE | CANCEL_ON_SET);
	work_ends();
}

static void poll_nothing(int unused)
{
	must(!is_readable());
}

static void unset(int unused)
{
	set(0, 0);
	work_ends();
}

static void close_timer(void)
{
	files_close_made(FD_MADE);
	ex_must_have_freed();
}

/* A tick that comes after the timer was stopped changes nothing. */
static void nothing_is_left(void)
{
	must(!is_readable());
	close_timer();
}

SCENARIO(timerfd_once, "poll and read a timer that fires once", one_shot, close_timer,
	 { "reader", poll_and_read, 0 }, { "tick", tick_once, 0 });

SCENARIO(timerfd_unset, "a timer is stopped while it fires and is read", one_shot, nothing_is_left,
	 { "reader", read_any, 0 }, { "tick", tick_once, 0 }, { "setter", unset, 0 });

SCENARIO(timerfd_set_clock, "a timer is set while a task sets the wall clock, and another reads",
	 far, close_timer, { "reader", read_cancelled, 0 }, { "setter", set_cancelled, 0 },
	 { "clock", set_clock, 0 });

SCENARIO(timerfd_not_set, "the wall clock is set while a timer that is not armed is read", not_set,
	 close_timer, { "reader", read_cancelled, 0 }, { "clock", set_clock, 0 });

SCENARIO(timerfd_expired, "the same with a timer that has expired, which a read has told", expired,
	 close_timer, { "reader", read_cancelled, 0 }, { "clock", set_clock, 0 });

SCENARIO(timerfd_set_before, "a poll while a timer is set that is to tell of later settings only",
	 set_before, close_timer, { "poller", poll_nothing, 0 }, { "setter", set_cancelled, 0 });
