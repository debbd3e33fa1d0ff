/*
 * select and pselect: three sets of descriptors, as bitmaps. The machinery is in fs/poll.c.
 *
 * 1. Descriptors that the file table has no room for are not looked at; one in a set that is not
 *    open is EBADF.
 * 2. The sets are written back only if the call succeeds; the time that is left always.
 */
#include "fs/file.h"
#include "fs/poll_table.h"
#include "kernel/syscalls.h"
#include "kernel/task.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/uaccess.h"

enum { SET_IN, SET_OUT, SET_EXCEPT, NR_SETS };

static const unsigned int set_events[NR_SETS] = {
	[SET_IN] = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
	[SET_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
	[SET_EXCEPT] = POLLPRI,
};

#define FEW_WORDS 8u /* sets of 256 descriptors have room on the stack */

struct sets {
	unsigned int nr;	  /* descriptors */
	unsigned int words;	  /* of one set */
	uint32_t *wanted, *ready; /* NR_SETS sets each, one behind the other */
};

static inline bool set_has(const struct sets *sets, unsigned int set, unsigned int fd)
{
	return sets->wanted[set * sets->words + fd / 32] & 1u << (fd % 32);
}

/* How many bits are set in `ready`; -EBADF. */
static int look(struct sets *sets, struct poll_table *table)
{
	int nr_ready = 0;

	memset(sets->ready, 0, NR_SETS * sets->words * sizeof(uint32_t));
	for (unsigned int fd = 0; fd < sets->nr; fd++) {
		unsigned int events;

		if (!set_has(sets, SET_IN, fd) && !set_has(sets, SET_OUT, fd) &&
		    !set_has(sets, SET_EXCEPT, fd))
			continue;
		events = poll_fd(fd, table);
		if (events & POLLNVAL)
			return -EBADF;
		for (unsigned int set = 0; set < NR_SETS; set++) {
			if (!set_has(sets, set, fd) || !(events & set_events[set]))
				continue;
			sets->ready[set * sets->words + fd / 32] |= 1u << (fd % 32);
			nr_ready++;
			table = NULL;
		}
	}
	return nr_ready;
}

static int select_until(struct sets *sets, uint64_t deadline)
{
	bool in_time = deadline != 0;
	struct poll_table table;
	int ready;

	poll_table_init(&table);
	ready = look(sets, in_time ? &table : NULL);
	while (ready == 0 && in_time) {
		ready = table.error;
		if (ready == 0 && signal_pending())
			ready = -ERESTARTNOHAND;
		if (ready)
			break;
		in_time = poll_sleep(&table, deadline);
		ready = look(sets, NULL);
	}
	poll_table_leave(&table);
	return ready;
}

static int select_user(struct sets *sets, uint32_t __user *const user[NR_SETS], uint64_t deadline)
{
	size_t bytes = sets->words * sizeof(uint32_t);
	int ready;

	memset(sets->wanted, 0, NR_SETS * bytes);
	for (unsigned int set = 0; set < NR_SETS; set++) {
		if (user[set] && copy_from_user(sets->wanted + set * sets->words, user[set], bytes))
			return -EFAULT;
	}
	ready = select_until(sets, deadline);
	for (unsigned int set = 0; set < NR_SETS && ready >= 0; set++) {
		if (user[set] && copy_to_user(user[set], sets->ready + set * sets->words, bytes))
			ready = -EFAULT;
	}
	return ready;
}

static int select_sets(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		       uint64_t deadline)
{
	uint32_t __user *const user[NR_SETS] = { in, out, except };
	uint32_t few[2 * NR_SETS * FEW_WORDS];
	struct sets sets;
	int ready;

	if (nr < 0)
		return -EINVAL;
	sets.nr = MIN((unsigned int)nr, READ_ONCE(current->files->size));
	sets.words = DIV_ROUND_UP(sets.nr, 32);
	sets.wanted = few;
	if (sets.words > FEW_WORDS) {
		sets.wanted = kmalloc(2 * NR_SETS * sets.words * sizeof(uint32_t), 0);
		if (!sets.wanted)
			return -ENOMEM;
	}
	sets.ready = sets.wanted + NR_SETS * sets.words;
	ready = select_user(&sets, user, deadline);
	if (sets.wanted != few)
		kfree(sets.wanted);
	return ready;
}

static long select_with_timeout(int nr, uint32_t __user *in, uint32_t __user *out,
				uint32_t __user *except, enum poll_time form, void __user *timeout)
{
	uint64_t deadline;
	int ready = poll_get_deadline(form, timeout, &deadline);

	if (ready)
		return ready;
	ready = select_sets(nr, in, out, except, deadline);
	poll_put_rest(form, timeout, deadline);
	return ready;
}

long sys_select(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		void __user *timeout)
{
	return select_with_timeout(nr, in, out, except, POLL_TIMEVAL, timeout);
}

/* The first form of the call had its arguments in memory. */
long sys_old_select(const uint32_t __user *arguments)
{
	uint32_t a[5];

	if (copy_from_user(a, arguments, sizeof(a)))
		return -EFAULT;
	return sys_select(a[0], (uint32_t __user *)a[1], (uint32_t __user *)a[2],
			  (uint32_t __user *)a[3], (void __user *)a[4]);
}

/* The sixth argument is the address of a mask's address and size. */
static long pselect(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		    enum poll_time form, void __user *timeout, const uint32_t __user *mask_and_size)
{
	uint32_t mask[2] = { 0, 0 };
	int error = 0;

	if (mask_and_size)
		error = copy_from_user(mask, mask_and_size, sizeof(mask));
	if (!error)
		error = poll_block_signals((const sigmask_t __user *)mask[0], mask[1]);
	if (error)
		return error;
	return select_with_timeout(nr, in, out, except, form, timeout);
}

long sys_pselect6(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		  void __user *timeout, const uint32_t __user *mask_and_size)
{
	return pselect(nr, in, out, except, POLL_TIMESPEC, timeout, mask_and_size);
}

long sys_pselect6_time64(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
			 void __user *timeout, const uint32_t __user *mask_and_size)
{
	return pselect(nr, in, out, except, POLL_TIMESPEC64, timeout, mask_and_size);
}
