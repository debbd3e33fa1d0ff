/*
 * select and pselect. They convert their three bitmaps of descriptors to an array for poll_until().
 *
 * 1. Descriptors beyond the size of the file table are ignored. Any other descriptor in a set that
 *    is not open is EBADF.
 * 2. The sets are written back only if the call succeeds. The time that is left is always written.
 */
#include "fs/file/file.h"
#include "fs/file/poll.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vmalloc.h"

static const unsigned int set_events[] = {
	POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
	POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR,
	POLLPRI,
};

#define NR_SETS	  ARRAY_SIZE(set_events)
#define FEW_WORDS 2u /* sets of up to 64 descriptors are kept on the stack */

/* Convert the sets to pollfds. Returns how many there are. */
static unsigned int gather(uint32_t *const sets[NR_SETS], unsigned int nr, struct pollfd *fds)
{
	unsigned int wanted = 0;

	for (unsigned int fd = 0; fd < nr; fd++) {
		unsigned int events = 0;

		for (unsigned int set = 0; set < NR_SETS; set++)
			if (sets[set][fd / 32] & 1u << fd % 32)
				events |= set_events[set];
		if (events)
			fds[wanted++] = (struct pollfd){ fd, events, 0 };
	}
	return wanted;
}

/* Set the bits of ready descriptors in the empty sets. Returns how many were set, or -EBADF. */
static int scatter(uint32_t *const sets[NR_SETS], const struct pollfd *fds, unsigned int nr)
{
	int bits = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (fds[i].revents & POLLNVAL)
			return -EBADF;
		for (unsigned int set = 0; set < NR_SETS; set++) {
			unsigned int wanted = set_events[set] & ~(POLLERR | POLLHUP);

			if (!(fds[i].events & wanted) || !(fds[i].revents & set_events[set]))
				continue;
			sets[set][fds[i].fd / 32] |= 1u << fds[i].fd % 32;
			bits++;
		}
	}
	return bits;
}

/*
 * Do the call. `buf` has room for the sets, of `words` each, and then for a pollfd per descriptor.
 */
static int select_user(uint32_t __user *const user[NR_SETS], unsigned int nr, unsigned int words,
		       uint32_t *buf, uint64_t deadline)
{
	uint32_t *sets[NR_SETS] = { buf, buf + words, buf + 2 * words };
	struct pollfd *fds = (void *)(buf + NR_SETS * words);
	size_t bytes = words * sizeof(uint32_t);
	unsigned int wanted;
	int ready;

	memset(buf, 0, NR_SETS * bytes);
	for (unsigned int set = 0; set < NR_SETS; set++)
		if (user[set] && copy_from_user(sets[set], user[set], bytes))
			return -EFAULT;
	wanted = gather(sets, nr, fds);
	ready = poll_until(fds, wanted, POLLNVAL, deadline);
	memset(buf, 0, NR_SETS * bytes);
	if (ready >= 0)
		ready = scatter(sets, fds, wanted);
	for (unsigned int set = 0; set < NR_SETS && ready >= 0; set++)
		if (user[set] && copy_to_user(user[set], sets[set], bytes))
			ready = -EFAULT;
	return ready == -EINTR ? -ERESTARTNOHAND : ready;
}

static long select_until(int nr, uint32_t __user *const user[NR_SETS], bool timeval,
			 void __user *timeout)
{
	uint32_t few[FEW_WORDS * (NR_SETS + 32 * sizeof(struct pollfd) / sizeof(uint32_t))];
	unsigned int words;
	uint32_t *buf = few;
	uint64_t deadline;
	int ready = poll_get_deadline(timeval, timeout, &deadline);

	if (ready)
		return ready;
	if (nr < 0)
		return refuse(EINVAL, "a negative number of descriptors");
	nr = MIN((unsigned int)nr, READ_ONCE(current->files->size));
	words = DIV_ROUND_UP(nr, 32);
	if (words > FEW_WORDS)
		buf = buffer_alloc(words * (sizeof(few) / FEW_WORDS), 0);
	if (!buf)
		return -ENOMEM;
	ready = select_user(user, nr, words, buf, deadline);
	if (buf != few)
		buffer_free(buf, words * (sizeof(few) / FEW_WORDS));
	poll_put_rest(timeval, timeout, deadline);
	return ready;
}

long sys_select(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		void __user *timeout)
{
	return select_until(nr, (uint32_t __user *[]){ in, out, except }, true, timeout);
}

/* The oldest form of the call, with its arguments in memory. */
long sys_old_select(const uint32_t __user *arguments)
{
	uint32_t a[5];

	if (copy_from_user(a, arguments, sizeof(a)))
		return -EFAULT;
	return sys_select(a[0], (uint32_t __user *)a[1], (uint32_t __user *)a[2],
			  (uint32_t __user *)a[3], (void __user *)a[4]);
}

/* The sixth argument points to the address and the size of the signal mask. */
long sys_pselect6(int nr, uint32_t __user *in, uint32_t __user *out, uint32_t __user *except,
		  void __user *timeout, const uint32_t __user *mask_and_size)
{
	uint32_t mask[2] = { 0, 0 };
	int error = 0;

	if (mask_and_size)
		error = copy_from_user(mask, mask_and_size, sizeof(mask));
	if (!error)
		error = poll_block_signals((const sigmask_t __user *)mask[0], mask[1]);
	if (error)
		return error;
	return select_until(nr, (uint32_t __user *[]){ in, out, except }, false, timeout);
}
