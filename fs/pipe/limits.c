/* Limits on the number of slots of a pipe. The contract is in fs/pipe/limits.h. */
#include "fs/pipe/limits.h"
#include "fs/pipe/pipe.h"
#include "kernel/capability.h"
#include "kernel/process/process.h"
#include "kernel/syscall.h"
#include "mm/slab.h"

#define PIPE_LEAST_SLOTS 2u /* so that write(all), read(all but 1), write(1) does not block */

unsigned int pipe_max_bytes = 1 << 20;
unsigned int pipe_user_pages_soft = 16384;

/* ---- the pages of a user ---- */

struct pipe_user {
	uint32_t uid;
	unsigned int pages, pipes;
	struct list link;
};

static spinlock_t users_lock = SPINLOCK_INIT("pipe users"); /* guards the list and all counts */
static struct list users = LIST_INIT(users);

static bool current_is_root(void)
{
	return capable(CAP_SYS_RESOURCE);
}

/* Returns the current user, and counts one more pipe, or NULL if there is no memory. */
static struct pipe_user *user_get(void)
{
	uint32_t uid = current->process ? current->process->cred.uid : 0;
	struct pipe_user *user, *fresh = NULL;

	for (;;) {
		spin_lock(&users_lock);
		list_for_each(user, &users, link) {
			if (user->uid == uid)
				goto found;
		}
		if (fresh) {
			user = fresh;
			fresh = NULL;
			list_add(&users, &user->link);
			goto found;
		}
		spin_unlock(&users_lock);
		fresh = kzalloc(sizeof(*fresh), 0);
		if (!fresh)
			return NULL;
		fresh->uid = uid;
	}
found:
	user->pipes++;
	spin_unlock(&users_lock);
	kfree(fresh);
	return user;
}

static void user_put(struct pipe_user *user, unsigned int pages)
{
	bool last;

	spin_lock(&users_lock);
	user->pages -= pages;
	last = --user->pipes == 0;
	if (last)
		list_del(&user->link);
	spin_unlock(&users_lock);
	if (last)
		kfree(user);
}

bool pipe_shown_to_current(const struct pipe *pipe)
{
	return current_is_root() || pipe->user->uid == current->process->cred.uid;
}

/* Count `pages` instead of `before`. Returns false if the user has too many then. */
static bool user_charge(struct pipe_user *user, unsigned int before, unsigned int pages)
{
	unsigned int soft = READ_ONCE(pipe_user_pages_soft);
	bool fits;

	spin_lock(&users_lock);
	user->pages += pages - before;
	fits = soft == 0 || user->pages <= soft || current_is_root();
	spin_unlock(&users_lock);
	return fits;
}

/* May the current user make a pipe of that many slots? */
static bool within_max_size(unsigned int nr)
{
	return nr <= READ_ONCE(pipe_max_bytes) >> PAGE_SHIFT || current_is_root();
}

unsigned int pipe_user_attach(struct pipe *pipe, unsigned int wanted)
{
	unsigned int nr = wanted;

	pipe->user = user_get();
	if (!pipe->user)
		return 0;
	if (!within_max_size(nr))
		nr = READ_ONCE(pipe_max_bytes) >> PAGE_SHIFT;
	if (!user_charge(pipe->user, 0, nr)) {
		user_charge(pipe->user, nr, PIPE_LEAST_SLOTS);
		nr = PIPE_LEAST_SLOTS;
	}
	return nr;
}

void pipe_user_detach(struct pipe *pipe)
{
	user_put(pipe->user, pipe->ring.nr_slots);
}

void pipe_free_slots(struct pipe *pipe, struct pipe_slot *slots)
{
	if (slots != pipe->first_slots)
		kfree(slots);
}

/* ---- F_GETPIPE_SZ, F_SETPIPE_SZ ---- */

long pipe_get_size(struct file *file)
{
	struct pipe *pipe = file_pipe(file);

	return pipe ? (long)(READ_ONCE(pipe->ring.nr_slots) * PAGE_SIZE) : -EBADF;
}

/*
 * Resize with both mutexes held, so that no splice has slots out, and only poll and /proc look at
 * the ring. Sets *slots to the array that is no longer needed. Returns 0 or an error.
 */
static int resize(struct pipe *pipe, struct pipe_slot **slots, unsigned int nr)
{
	struct pipe_slot *fresh = *slots;
	struct ring *ring = &pipe->ring;
	bool fits;

	if (!user_charge(pipe->user, ring->nr_slots, nr) && nr > ring->nr_slots) {
		user_charge(pipe->user, nr, ring->nr_slots);
		return refuse(EPERM, "more than /proc/sys/fs/pipe-user-pages-soft");
	}
	spin_lock(&ring->lock);
	fits = ring_used(ring) <= nr;
	if (fits) {
		*slots = ring->slots;
		ring_resize(ring, fresh, nr);
	}
	spin_unlock(&ring->lock);
	if (!fits) {
		user_charge(pipe->user, nr, ring->nr_slots);
		return refuse(EBUSY, "more slots than that are in use");
	}
	return 0;
}

static int lock_and_resize(struct pipe *pipe, struct pipe_slot **slots, unsigned int nr)
{
	struct ring *ring = &pipe->ring;
	int error = mutex_lock_killable(&ring->consumer);

	if (error)
		return error;
	error = mutex_lock_killable(&ring->producer);
	if (!error) {
		error = resize(pipe, slots, nr);
		mutex_unlock(&ring->producer);
	}
	mutex_unlock(&ring->consumer);
	return error;
}

long pipe_set_size(struct file *file, unsigned long bytes)
{
	struct pipe *pipe = file_pipe(file);
	unsigned int nr = ring_slots_for(bytes);
	struct pipe_slot *slots;
	int error;

	if (!pipe)
		return -EBADF;
	if (nr == 0)
		return refuse(EINVAL, "a pipe cannot be that large");
	if (nr > READ_ONCE(pipe->ring.nr_slots) && !within_max_size(nr))
		return refuse(EPERM, "more than /proc/sys/fs/pipe-max-size");
	slots = kmalloc(nr * sizeof(*slots), 0);
	if (!slots)
		return -ENOMEM;
	error = lock_and_resize(pipe, &slots, nr);
	pipe_free_slots(pipe, slots);
	if (error)
		return error;
	/* There may be room now, and sleepers have looked at the old ring. */
	wake_all(&pipe->ring.writable);
	wake_all(&pipe->ring.readable);
	return nr * PAGE_SIZE;
}
