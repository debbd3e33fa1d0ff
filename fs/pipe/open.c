/*
 * Pipes come and go: pipe(2), the last close, and how many slots a pipe may have.
 *
 * 1. A pipe lives as long as a file that is open on it (`users`). The last close finds no operation
 *    in flight, since an operation holds its file.
 * 2. pipes_lock (plain) guards the list of all pipes, `users`, and inode->pipe of FIFOs; it is
 *    taken before any pipe->lock. readers and writers are guarded by pipe->lock.
 * 3. Slots count against their user (by real user id): past pipe-user-pages-soft a pipe starts with
 *    two slots, and only root may make one larger. Nor does any but root's have more slots than
 *    pipe-max-size.
 */
#include "fs/pipe/ring.h"
#include "fs/file/file.h"
#include "kernel/init.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define PIPE_LEAST_SLOTS 2u /* so that write(all), read(all but 1), write(1) does not block */

spinlock_t pipes_lock = SPINLOCK_INIT("pipes");
struct list all_pipes = LIST_INIT(all_pipes);
unsigned int pipe_max_bytes = 1 << 20;
unsigned int pipe_user_pages_soft = 16384;

/* ---- what a user has ---- */

struct pipe_user {
	uint32_t uid;
	unsigned int pages, pipes;
	struct list link;
};

static spinlock_t users_lock = SPINLOCK_INIT("pipe users"); /* plain; the list and all counts */
static struct list users = LIST_INIT(users);

static bool current_is_root(void)
{
	return !current->process || current->process->cred.euid == 0;
}

/* The current user, with one pipe more; NULL: no memory. */
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

/* Count `pages` in place of `before`: false if the user then has too many. */
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

/* May the current user have a pipe of that many slots? */
static bool within_max_size(unsigned int nr)
{
	return nr <= READ_ONCE(pipe_max_bytes) >> PAGE_SHIFT || current_is_root();
}

/* ---- making ---- */

SLAB_CACHE(pipe_cache, "pipe", struct pipe, 0);

struct pipe *pipe_alloc(struct inode *inode)
{
	unsigned int nr = PIPE_DEFAULT_SLOTS;
	struct pipe *pipe = slab_alloc(pipe_cache, 0);

	if (!pipe)
		return NULL;
	memset(pipe, 0, offsetof(struct pipe, first_slots));
	pipe->user = user_get();
	if (!pipe->user) {
		slab_free(pipe_cache, pipe);
		return NULL;
	}
	if (!within_max_size(nr))
		nr = READ_ONCE(pipe_max_bytes) >> PAGE_SHIFT;
	if (!user_charge(pipe->user, 0, nr)) {
		user_charge(pipe->user, nr, PIPE_LEAST_SLOTS);
		nr = PIPE_LEAST_SLOTS;
	}
	pipe->slots = pipe->first_slots;
	pipe->nr_slots = pipe->user_pages = nr;
	pipe->users = 1;
	pipe->reader_opens = pipe->writer_opens = 1;
	mutex_init(&pipe->consumer, "pipe consumer");
	mutex_init(&pipe->producer, "pipe producer");
	spin_init(&pipe->lock, "pipe");
	wait_queue_init(&pipe->readable, "pipe readable");
	wait_queue_init(&pipe->writable, "pipe writable");
	pipe_arrival_init(pipe);
	pipe->inode = inode;
	spin_lock(&pipes_lock);
	list_add_tail(&all_pipes, &pipe->link);
	spin_unlock(&pipes_lock);
	return pipe;
}

static void free_slots(struct pipe *pipe, struct pipe_slot *slots)
{
	if (slots != pipe->first_slots)
		kfree(slots);
}

/* Nobody can find it any more. */
static void pipe_free(struct pipe *pipe)
{
	page_waiter_disarm(&pipe->arrival);
	while (pipe->tail != pipe->head) {
		struct pipe_slot slot = ring_pop(pipe);

		slot_release(&slot);
	}
	user_put(pipe->user, pipe->user_pages);
	free_slots(pipe, pipe->slots);
	slab_free(pipe_cache, pipe);
}

void pipe_put(struct pipe *pipe)
{
	bool last;

	spin_lock(&pipes_lock);
	last = --pipe->users == 0;
	if (last) {
		list_del(&pipe->link);
		if (pipe->inode->pipe == pipe)
			pipe->inode->pipe = NULL;
	}
	spin_unlock(&pipes_lock);
	if (last)
		pipe_free(pipe);
}

/*
 * A sleeper that joins its queue after the wakeup takes pipe->lock later than we did, and sees the
 * new counts. Our own count of users keeps the pipe until both queues are woken.
 */
void pipe_release(struct file *file)
{
	struct pipe *pipe = file->private;

	spin_lock(&pipe->lock);
	if (file->readable)
		WRITE_ONCE(pipe->readers, pipe->readers - 1);
	if (file->writable)
		WRITE_ONCE(pipe->writers, pipe->writers - 1);
	spin_unlock(&pipe->lock);
	wake_all(&pipe->readable);
	wake_all(&pipe->writable);
	pipe_put(pipe);
}

int pipe_create(struct file *ends[2], unsigned int flags)
{
	unsigned int nonblock = flags & O_NONBLOCK;
	struct inode *inode;
	struct pipe *pipe;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return refuse(EINVAL, "pipe2 knows O_CLOEXEC, O_NONBLOCK and O_DIRECT");
	inode = inode_anonymous(S_IFIFO | 0600, "pipe");
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	pipe = pipe_alloc(inode);
	if (!pipe) {
		inode_put(inode);
		return -ENOMEM;
	}
	pipe->readers = pipe->writers = 1;
	/* Through /proc/self/fd it can be opened again, as a FIFO is. */
	inode->file_ops = &fifo_file_ops;
	inode->pipe = pipe;
	/* One reference for each end. */
	inode_get(inode);
	ends[0] = file_alloc(inode, &pipe_file_ops, O_RDONLY | nonblock);
	if (IS_ERR(ends[0])) {
		pipe_put(pipe);
		inode_put(inode);
		return PTR_ERR(ends[0]);
	}
	ends[0]->private = pipe;
	ends[1] = file_alloc(inode, &pipe_file_ops, O_WRONLY | nonblock | (flags & O_DIRECT));
	if (IS_ERR(ends[1])) {
		file_put(ends[0]);
		return PTR_ERR(ends[1]);
	}
	ends[1]->private = pipe;
	pipe->users = 2;
	return 0;
}

long sys_pipe2(int32_t __user *fds, unsigned int flags)
{
	struct file *ends[2];
	int error = pipe_create(ends, flags);

	return error ? error : fd_add_pair(ends, flags & O_CLOEXEC, fds);
}

long sys_pipe(int32_t __user *fds)
{
	return sys_pipe2(fds, 0);
}

/* ---- F_GETPIPE_SZ, F_SETPIPE_SZ ---- */

long pipe_get_size(struct file *file)
{
	struct pipe *pipe = file_pipe(file);

	return pipe ? (long)(READ_ONCE(pipe->nr_slots) * PAGE_SIZE) : -EBADF;
}

/*
 * Both mutexes are held, so nobody has slots out and nobody but poll and /proc looks at the ring.
 * The array that is not needed any more comes back in *slots.
 */
static int resize(struct pipe *pipe, struct pipe_slot **slots, unsigned int nr)
{
	struct pipe_slot *fresh = *slots;
	bool fits;

	if (!user_charge(pipe->user, pipe->user_pages, nr) && nr > pipe->user_pages) {
		user_charge(pipe->user, nr, pipe->user_pages);
		return refuse(EPERM, "more than /proc/sys/fs/pipe-user-pages-soft");
	}
	spin_lock(&pipe->lock);
	fits = pipe_used(pipe) <= nr;
	if (fits) {
		*slots = pipe->slots;
		ring_resize(pipe, fresh, nr);
	}
	spin_unlock(&pipe->lock);
	if (!fits) {
		user_charge(pipe->user, nr, pipe->user_pages);
		return refuse(EBUSY, "more slots than that are in use");
	}
	pipe->user_pages = nr;
	return 0;
}

static int lock_and_resize(struct pipe *pipe, struct pipe_slot **slots, unsigned int nr)
{
	int error = mutex_lock_killable(&pipe->consumer);

	if (error)
		return error;
	error = mutex_lock_killable(&pipe->producer);
	if (!error) {
		error = resize(pipe, slots, nr);
		mutex_unlock(&pipe->producer);
	}
	mutex_unlock(&pipe->consumer);
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
		return refuse(EINVAL, "no pipe is that large");
	if (nr > READ_ONCE(pipe->nr_slots) && !within_max_size(nr))
		return refuse(EPERM, "more than /proc/sys/fs/pipe-max-size");
	slots = kmalloc(nr * sizeof(*slots), 0);
	if (!slots)
		return -ENOMEM;
	error = lock_and_resize(pipe, &slots, nr);
	free_slots(pipe, slots);
	if (error)
		return error;
	/* There may be room now, and the ring that sleepers looked at has gone. */
	wake_all(&pipe->writable);
	wake_all(&pipe->readable);
	return nr * PAGE_SIZE;
}
