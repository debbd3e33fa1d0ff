/*
 * syslog(2): reading the kernel's log, and what of it the console shows.
 *
 * 1. Everybody may read the log as a whole and ask for the size of its buffer. The rest takes
 *    CAP_SYSLOG or CAP_SYS_ADMIN.
 * 2. There is one reader of new lines (SYSLOG_READ), whose place all processes share. The log wakes
 *    nobody, because lines are logged anywhere, so this reader looks ten times a second.
 */
#include "kernel/capability.h"
#include "kernel/log.h"
#include "kernel/mutex.h"
#include "kernel/process/timecalls.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

enum {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_UNREAD,
	SYSLOG_BUFFER,
};

#define LEVEL_MIN 1
#define LEVEL_MAX 8
#define LOOK_NS	  (100 * NSEC_PER_MSEC)

static struct mutex place_lock = MUTEX_INIT(place_lock);
static unsigned int read_place;	 /* of SYSLOG_READ; place_lock */
static unsigned int clear_place; /* SYSLOG_READ_ALL begins here; place_lock */
static int level_before_off;	 /* of the console; 0: it was not switched off; place_lock */

unsigned int syslog_cleared(void)
{
	return READ_ONCE(clear_place);
}

static int check_buffer(const char __user *to, int len)
{
	return !to || len < 0 ? refuse(EINVAL, "the buffer is NULL or its length is negative") : 0;
}

/*
 * Copy the newest len bytes since the last clearing, from the start of a line on. place_lock is
 * held.
 */
static long copy_newest(char __user *to, int len, bool clear)
{
	unsigned int place = clear_place;
	char *copy = kmalloc(LOG_RING_SIZE, 0), *start = copy;
	size_t got;
	long done;

	if (!copy)
		return -ENOMEM;
	got = log_read(&place, copy, LOG_RING_SIZE);
	if (got > len) {
		start = memchr(copy + got - len - 1, '\n', len + 1);
		start = start ? start + 1 : copy + got;
	}
	done = copy + got - start;
	if (copy_to_user(to, start, done) < 0)
		done = -EFAULT;
	else if (clear)
		clear_place = place;
	kfree(copy);
	return done;
}

static long read_newest(char __user *to, int len, bool clear)
{
	long result = check_buffer(to, len);

	if (result || len == 0)
		return result;
	if (mutex_lock_killable(&place_lock))
		return -ERESTARTSYS;
	result = copy_newest(to, len, clear);
	mutex_unlock(&place_lock);
	return result;
}

/* Copy what has not been read yet. Returns 0 if there is nothing. */
static long copy_unread(char __user *to, int len)
{
	char some[256];
	unsigned int place;
	size_t got;

	if (mutex_lock_killable(&place_lock))
		return -ERESTARTSYS;
	place = read_place;
	got = log_read(&place, some, MIN((size_t)len, sizeof(some)));
	if (copy_to_user(to, some, got) == 0)
		read_place = place;
	else
		got = -EFAULT;
	mutex_unlock(&place_lock);
	return got;
}

static long read_unread(char __user *to, int len)
{
	long result = check_buffer(to, len);

	if (result || len == 0)
		return result;
	while ((result = copy_unread(to, len)) == 0)
		if (sleep_until(time_now() + LOOK_NS) < 0)
			return -ERESTARTSYS;
	return result;
}

static long count_unread(void)
{
	char some[256];
	unsigned int place;
	size_t got;
	long sum = 0;

	if (mutex_lock_killable(&place_lock))
		return -ERESTARTSYS;
	place = read_place;
	while ((got = log_read(&place, some, sizeof(some))) > 0)
		sum += got;
	mutex_unlock(&place_lock);
	return sum;
}

static long change_console(int action, int level)
{
	if (action == SYSLOG_CONSOLE_LEVEL && (level < LEVEL_MIN || level > LEVEL_MAX))
		return refuse(EINVAL, "a level is from 1 to 8");
	if (mutex_lock_killable(&place_lock))
		return -ERESTARTSYS;
	if (action == SYSLOG_CONSOLE_OFF && level_before_off == 0) {
		level_before_off = log_set_console(LEVEL_MIN);
	} else if (action == SYSLOG_CONSOLE_ON && level_before_off) {
		(void)log_set_console(level_before_off);
		level_before_off = 0;
	} else if (action == SYSLOG_CONSOLE_LEVEL) {
		(void)log_set_console(level);
		level_before_off = 0;
	}
	mutex_unlock(&place_lock);
	return 0;
}

static long clear(void)
{
	char some[256];

	if (mutex_lock_killable(&place_lock))
		return -ERESTARTSYS;
	while (log_read(&clear_place, some, sizeof(some)) > 0)
		;
	mutex_unlock(&place_lock);
	return 0;
}

long sys_syslog(int action, char __user *buf, int len)
{
	bool for_all = action == SYSLOG_READ_ALL || action == SYSLOG_BUFFER;

	if (!for_all && !capable(CAP_SYSLOG) && !capable(CAP_SYS_ADMIN))
		return refuse(EPERM, "no CAP_SYSLOG");
	switch (action) {
	case SYSLOG_CLOSE:
	case SYSLOG_OPEN:
		return 0;
	case SYSLOG_READ:
		return read_unread(buf, len);
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		return read_newest(buf, len, action == SYSLOG_READ_CLEAR);
	case SYSLOG_CLEAR:
		return clear();
	case SYSLOG_CONSOLE_OFF:
	case SYSLOG_CONSOLE_ON:
	case SYSLOG_CONSOLE_LEVEL:
		return change_console(action, len);
	case SYSLOG_UNREAD:
		return count_unread();
	case SYSLOG_BUFFER:
		return LOG_RING_SIZE;
	}
	return refuse(EINVAL, "no such action");
}
