/*
 * Owners of open files, and the signals that they get (O_ASYNC).
 *
 * 1. A file gets its struct file_owner when a program first asks for something that is kept there.
 *    Files without one pay nothing.
 * 2. While O_ASYNC is set, the owner is on the wait queues of its file, like a poll that does not
 *    end. A wakeup calls woken(), which sends the signal. A file without O_ASYNC is on no queue.
 * 3. tasks_lock guards whom to signal, and with what. `mutex` guards the places on the queues. Its
 *    order is mutex < a queue's lock < tasks_lock.
 * 4. The queues of terminals are also woken while tty->lock is held, which is below tasks_lock.
 *    Their signals are therefore sent by a timer, at the next tick.
 * 5. A process is remembered by a reference, so that a later one with its number gets nothing. The
 *    rights to send the signal are those of the user who named the process. They are checked for
 *    each signal.
 */
#include "fs/file/owner.h"
#include "fs/file/poll.h"
#include "kernel/process/process.h"
#include "kernel/signals/signal.h"
#include "kernel/syscall.h"
#include "mm/slab.h"
#include "mm/vm/uaccess.h"

#define SIGNALS_OF_CODES (BITS_FAULT | SIG_BIT(SIGCHLD) | SIG_BIT(SIGIO) | SIG_BIT(SIGSYS))
#define QUEUES		 2u

enum { OWNER_THREAD, OWNER_PROCESS, OWNER_GROUP }; /* F_OWNER_* */
enum { POLL_IN = 1, POLL_OUT = 2, POLL_MSG = 3 };  /* codes of SIGIO */

struct async_join { /* a place on a wait queue */
	struct waiter waiter;
	struct file_owner *owner;
	struct wait_queue *queue;
	int code; /* POLL_IN or POLL_OUT: what is announced there */
};

struct file_owner {
	/* tasks_lock */
	int type;
	unsigned int number;	 /* of a thread, process or group; 0: nobody */
	struct process *process; /* a reference to the process, or to the thread's; or NULL */
	uint32_t uid, euid;	 /* of the task that set the owner */
	int signo;		 /* F_SETSIG; 0: SIGIO without details */
	int fd;

	struct mutex mutex;
	unsigned int nr_joins; /* mutex */
	struct async_join joins[QUEUES];

	unsigned int late; /* codes that the timer has yet to send, a bit for each */
	struct timer timer;
};

/* ---- sending. tasks_lock is held. ---- */

static bool may_signal(const struct file_owner *owner, const struct process *process)
{
	const struct credentials *it = &process->cred;

	return owner->euid == 0 || owner->euid == it->suid || owner->euid == it->uid ||
	       owner->uid == it->suid || owner->uid == it->uid;
}

/*
 * Linux sends SIGIO if a real-time signal cannot be queued, so that the program knows that it
 * missed one.
 */
static void send_to(const struct file_owner *owner, struct process *process, struct task *task,
		    int code)
{
	static const unsigned int bands[] = {
		[POLL_IN] = POLLIN | POLLRDNORM,
		[POLL_OUT] = POLLOUT | POLLWRNORM | POLLWRBAND,
		[POLL_MSG] = POLLIN | POLLRDNORM | POLLMSG,
	};
	struct signal_info info = { .code = code };

	if (!may_signal(owner, process))
		return;
	if (owner->signo && owner->signo != SIGIO && SIG_BIT(owner->signo) & SIGNALS_OF_CODES)
		info.code = SI_SIGIO;
	info.words[0] = bands[code];
	info.words[1] = owner->fd;
	if (!owner->signo || signal_send_locked(process, task, owner->signo, &info) < 0)
		(void)signal_send_locked(process, task, SIGIO, NULL);
}

static void send_to_group(const struct file_owner *owner, int code)
{
	struct process *process;

	list_for_each(process, &all_processes, all_link)
		if (process->pgid == owner->number)
			send_to(owner, process, NULL, code);
}

static void send(const struct file_owner *owner, int code)
{
	struct task *task;

	lockdep_held(&tasks_lock);
	if (!owner->number)
		return;
	if (owner->type == OWNER_GROUP)
		send_to_group(owner, code);
	else if (owner->process && owner->type == OWNER_PROCESS)
		send_to(owner, owner->process, NULL, code);
	else if (owner->process)
		list_for_each(task, &owner->process->threads, thread_link)
			if (task->tid == owner->number)
				send_to(owner, owner->process, task, code);
}

static void send_late(struct timer *timer)
{
	struct file_owner *owner = container_of(timer, struct file_owner, timer);
	unsigned int codes = __atomic_exchange_n(&owner->late, 0, __ATOMIC_SEQ_CST);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	for (int code = POLL_IN; code <= POLL_OUT; code++)
		if (codes & 1u << code)
			send(owner, code);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* The queue's lock is held, and interrupts are off. */
static bool woken(struct waiter *waiter, enum wake_reason reason)
{
	struct async_join *join = container_of(waiter, struct async_join, waiter);
	struct file_owner *owner = join->owner;
	unsigned int flags;

	if (reason == WAKE_CHANGE)
		return false;
	if (owner->timer.function) {
		set_bits(&owner->late, 1u << join->code);
		timer_start(&owner->timer, time_now());
		return false;
	}
	flags = spin_lock_irqsave(&tasks_lock);
	send(owner, join->code);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return false;
}

/* ---- the place on the queues ---- */

struct async_table {
	struct poll_table table;
	struct file_owner *owner;
};

static void join_queue(struct poll_table *table, struct wait_queue *queue, unsigned int events)
{
	struct file_owner *owner = container_of(table, struct async_table, table)->owner;
	struct async_join *join = &owner->joins[owner->nr_joins];

	assert(owner->nr_joins < QUEUES);
	owner->nr_joins++;
	*join = (struct async_join){ .waiter.wake = woken,
				     .owner = owner,
				     .queue = queue,
				     .code = events & POLLIN ? POLL_IN : POLL_OUT };
	wait_add(queue, &join->waiter);
}

static void leave_queues(struct file_owner *owner)
{
	while (owner->nr_joins > 0) {
		struct async_join *join = &owner->joins[--owner->nr_joins];

		wait_remove(join->queue, &join->waiter);
	}
	if (owner->timer.function)
		(void)timer_stop(&owner->timer);
}

/* ---- making and freeing ---- */

/*
 * Returns the file's owner, which is made if there is none, or NULL if there is no memory. May
 * sleep.
 */
static struct file_owner *owner_of(struct file *file)
{
	struct file_owner *owner = READ_ONCE(file->owner), *first = NULL;

	if (owner)
		return owner;
	owner = kzalloc(sizeof(*owner), 0);
	if (!owner)
		return NULL;
	mutex_init(&owner->mutex, "file owner");
	if (file->ops->async == ASYNC_TIMER)
		owner->timer.function = send_late;
	/* Another thread may have been faster. */
	if (__atomic_compare_exchange_n(&file->owner, &first, owner, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		return owner;
	kfree(owner);
	return first;
}

void file_owner_free(struct file *file)
{
	struct file_owner *owner = file->owner;

	leave_queues(owner);
	if (owner->process)
		process_put(owner->process);
	kfree(owner);
	file->owner = NULL;
}

/* ---- who ---- */

static bool group_exists(unsigned int pgid)
{
	struct process *process;

	list_for_each(process, &all_processes, all_link)
		if (process->pgid == pgid)
			return true;
	return false;
}

/* Returns 0, -ESRCH if there is nobody with the number, or -ENOMEM. 0 means nobody. */
static long set_owner(struct file *file, int type, unsigned int number)
{
	struct file_owner *owner = owner_of(file);
	struct process *process = NULL, *old = NULL;
	unsigned int flags;
	struct task *task;
	bool exists;

	if (!owner)
		return -ENOMEM;
	flags = spin_lock_irqsave(&tasks_lock);
	task = number && type == OWNER_THREAD ? task_find_locked(number) : NULL;
	if (number && type == OWNER_PROCESS)
		process = process_find_locked(number);
	else if (task)
		process = task->process;
	exists = process || !number || (type == OWNER_GROUP && group_exists(number));
	if (exists) {
		if (process)
			process_get(process);
		old = owner->process;
		owner->process = process;
		owner->type = type;
		owner->number = number;
		owner->uid = current->process->cred.uid;
		owner->euid = current->process->cred.euid;
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	if (old)
		process_put(old);
	return exists ? 0 : -ESRCH;
}

/* The number of the owner, or 0 if it has gone, and its type. */
static unsigned int get_owner(struct file *file, int *type)
{
	const struct file_owner *owner = READ_ONCE(file->owner);
	unsigned int flags, number;
	const struct task *task;

	*type = OWNER_THREAD;
	if (!owner)
		return 0;
	flags = spin_lock_irqsave(&tasks_lock);
	number = owner->number;
	*type = owner->type;
	task = number && owner->type == OWNER_THREAD ? task_find_locked(number) : NULL;
	if ((owner->type == OWNER_GROUP && !group_exists(number)) ||
	    (owner->type == OWNER_PROCESS && owner->process && process_is_reaped(owner->process)) ||
	    (owner->type == OWNER_THREAD && !task))
		number = 0;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return number;
}

/* A negative number is that of a group. */
static long set_owner_number(struct file *file, int number)
{
	if (number == INT32_MIN)
		return refuse(EINVAL, "not a number of a process or group");
	return set_owner(file, number < 0 ? OWNER_GROUP : OWNER_PROCESS,
			 number < 0 ? -number : number);
}

static int get_owner_number(struct file *file)
{
	int type, number = get_owner(file, &type);

	return type == OWNER_GROUP ? -number : number;
}

long file_owner_from_user(struct file *file, const void __user *from)
{
	uint32_t number;

	if (get_user_u32(&number, from) < 0)
		return -EFAULT;
	return set_owner_number(file, number);
}

long file_owner_to_user(struct file *file, void __user *to)
{
	return put_user_u32(get_owner_number(file), to);
}

/* struct f_owner_ex has a type and a number. */
static long set_owner_ex(struct file *file, const void __user *from)
{
	int words[2];

	if (copy_from_user(words, from, sizeof(words)) < 0)
		return -EFAULT;
	if (words[0] < OWNER_THREAD || words[0] > OWNER_GROUP)
		return refuse(EINVAL, "neither a thread, nor a process, nor a group");
	return set_owner(file, words[0], words[1]);
}

static long get_owner_ex(struct file *file, void __user *to)
{
	int words[2];

	words[1] = get_owner(file, &words[0]);
	return copy_to_user(to, words, sizeof(words));
}

static long set_signal(struct file *file, unsigned long signo)
{
	struct file_owner *owner;
	unsigned int flags;

	if (signo > NR_SIGNALS)
		return refuse(EINVAL, "no such signal");
	owner = owner_of(file);
	if (!owner)
		return -ENOMEM;
	flags = spin_lock_irqsave(&tasks_lock);
	owner->signo = signo;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

long file_owner_fcntl(struct file *file, unsigned int command, unsigned long argument)
{
	switch (command) {
	case F_SETOWN:
		return set_owner_number(file, argument);
	case F_GETOWN:
		return get_owner_number(file);
	case F_SETSIG:
		return set_signal(file, argument);
	case F_GETSIG:
		return file->owner ? READ_ONCE(file->owner)->signo : 0;
	case F_SETOWN_EX:
		return set_owner_ex(file, (void __user *)argument);
	}
	return get_owner_ex(file, (void __user *)argument);
}

/* ---- signals that no queue announces ---- */

long file_owner_default(struct file *file, unsigned int fd)
{
	struct file_owner *owner = owner_of(file);
	unsigned int flags;
	bool nobody;

	if (!owner)
		return -ENOMEM;
	flags = spin_lock_irqsave(&tasks_lock);
	owner->fd = fd;
	nobody = !owner->number;
	spin_unlock_irqrestore(&tasks_lock, flags);
	return nobody ? set_owner(file, OWNER_PROCESS, current->process->pid) : 0;
}

void file_owner_tell(struct file *file)
{
	const struct file_owner *owner = READ_ONCE(file->owner);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	send(owner, POLL_MSG);
	spin_unlock_irqrestore(&tasks_lock, flags);
}

void file_owner_forget(struct file *file)
{
	struct file_owner *owner = READ_ONCE(file->owner);
	unsigned int flags = spin_lock_irqsave(&tasks_lock);

	owner->number = 0;
	owner->signo = 0;
	spin_unlock_irqrestore(&tasks_lock, flags);
}

/* ---- when ---- */

long file_set_async(struct file *file, unsigned int fd, bool on)
{
	struct file_owner *owner;
	struct async_table table = { .table.join = join_queue, .table.own = true };
	long error;

	if (file->ops->async == ASYNC_NEVER || (!on && !file->owner))
		return 0;
	owner = owner_of(file);
	if (!owner)
		return -ENOMEM;
	/* As on Linux, a terminal has an owner even if nobody has named one. */
	if (on && file->ops->async == ASYNC_TIMER && !owner->number)
		set_owner(file, OWNER_GROUP, current->process->pgid);
	error = mutex_lock_killable(&owner->mutex);
	if (error)
		return error;
	leave_queues(owner);
	if (on) {
		owner->fd = fd;
		table.owner = owner;
		file->ops->poll(file, &table.table);
	}
	mutex_unlock(&owner->mutex);
	return 0;
}
