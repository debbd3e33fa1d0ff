/*
 * fork, vfork and clone: create a task, in a new process or in the current one.
 *
 * 1. The child is complete before other tasks can find it. First it gets memory, files and
 *    registers, then its number and its place in the tree. Then it runs.
 * 2. If a signal is pending for the parent when the child is about to be linked, the call is
 *    started over. A signal to a group therefore reaches either the parent before the fork, or both
 *    processes.
 * 3. After vfork, the parent sleeps until the child clears its `vforked` (in exec or exit), or
 *    until the parent is killed. It waits on a queue of the child's own, because there may be
 *    thousands of such parents.
 */
#include "kernel/cpu/fpu.h"
#include "kernel/ipc/sem.h"
#include "kernel/cpu/ports.h"
#include "kernel/process/namespaces.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "fs/file/file.h"
#include "fs/proc/pidfd.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vdso.h"
#include "mm/vm/vm.h"
#include "fs/names/lookup.h"

#define CLONE_SIGNAL_MASK    0x000000ffu
#define CLONE_VM	     0x00000100u
#define CLONE_FS	     0x00000200u
#define CLONE_FILES	     0x00000400u
#define CLONE_SIGHAND	     0x00000800u
#define CLONE_PIDFD	     0x00001000u
#define CLONE_PTRACE	     0x00002000u /* the tracer of the parent gets the child, too */
#define CLONE_VFORK	     0x00004000u
#define CLONE_PARENT	     0x00008000u
#define CLONE_THREAD	     0x00010000u
#define CLONE_SYSVSEM	     0x00040000u
#define CLONE_SETTLS	     0x00080000u
#define CLONE_PARENT_SETTID  0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_DETACHED	     0x00400000u /* without meaning since Linux 2.6; musl sets it */
#define CLONE_UNTRACED	     0x00800000u /* a tracer does not get the child by itself */
#define CLONE_CHILD_SETTID   0x01000000u
#define CLONE_IO	     0x80000000u /* disks serve all tasks alike, so there is nothing to share */
#define CLONE_CLEAR_SIGHAND  0x100000000ull /* of clone3(2) alone */
#define CLONE_ALL                                                                              \
	(CLONE_SIGNAL_MASK | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK | \
	 CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |                   \
	 CLONE_CHILD_CLEARTID | CLONE_DETACHED | CLONE_UNTRACED | CLONE_CHILD_SETTID |         \
	 CLONE_PIDFD | CLONE_PARENT | CLONE_IO | CLONE_PTRACE)

struct clone_args {
	unsigned int flags;
	uint32_t stack; /* 0: the parent's stack pointer */
	void __user *parent_tid, *tls, *child_tid, *pidfd;
	bool clear_handlers; /* the child starts with the default action for every signal it handles */
	unsigned int tid;    /* the number that the child gets; 0: any */
};

static long check_flags(unsigned int flags)
{
	if (flags & ~(CLONE_ALL | CLONE_NAMESPACES))
		return refuse(EINVAL, "a clone flag that is not supported");
	if (flags & CLONE_PIDFD && flags & (CLONE_THREAD | CLONE_DETACHED))
		return refuse(EINVAL, "a thread has no descriptor");
	if (flags & CLONE_PARENT && current->process == init_process)
		return refuse(EINVAL, "init has no parent");
	if (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND))
		return refuse(EINVAL, "CLONE_THREAD without CLONE_SIGHAND");
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return refuse(EINVAL, "CLONE_SIGHAND without CLONE_VM");
	if (flags & CLONE_FS && flags & (CLONE_NEWNS | CLONE_NEWUSER))
		return refuse(EINVAL, "a new namespace with a directory of the old one");
	return flags & CLONE_NAMESPACES ? namespace_refused(flags) : 0;
}

/* ---- what the child has ---- */

/*
 * Share or copy memory, files and working directory. After an error, drop_all() releases those that
 * the child has already.
 */
static int copy_resources(struct task *child, unsigned int flags)
{
	struct task *parent = current;
	struct mm *mm = parent->mm;
	struct file_table *files = parent->files;
	struct process *process = parent->process;

	if (flags & CLONE_VM)
		mm_get(mm);
	else
		mm = mm_fork(mm);
	if (IS_ERR(mm))
		return PTR_ERR(mm);
	child->mm = mm;
	if (flags & CLONE_FILES)
		atomic_inc(&files->users);
	else
		files = file_table_copy(files);
	if (IS_ERR(files))
		return PTR_ERR(files);
	child->files = files;
	if (flags & CLONE_FS)
		atomic_inc(&parent->fs->refs);
	child->fs = flags & CLONE_FS ? parent->fs : fs_context_copy();
	if (sem_fork(child, flags & CLONE_SYSVSEM) < 0)
		return -ENOMEM;
	if (flags & CLONE_THREAD)
		process_get(process);
	else
		process = process_create(flags & CLONE_SIGHAND ? process->handlers : NULL);
	if (process)
		process_join(child, process);
	return child->fs && process ? 0 : -ENOMEM;
}

/*
 * The child is scheduled as its parent, unless that has asked for less. It has no credit before the
 * next round, so that programs that start one short task after the other leave time for those that
 * wait.
 */
static void copy_scheduling(struct task *child)
{
	const struct task *parent = current;
	struct scheduling own = { parent->policy, parent->nice, parent->own_urgency };

	child->allowed = parent->allowed;
	child->io_priority = parent->io_priority;
	child->credit = MIN(parent->credit, -1);
	if (parent->reset_on_fork) {
		if (own.urgency)
			own.policy = SCHED_OTHER;
		own.urgency = 0;
		own.nice = MAX(own.nice, 0);
	}
	sched_set(child, &own);
}

static long copy_state(struct task *child, const struct clone_args *args)
{
	struct task *parent = current;
	struct trap_frame *frame = task_frame(child);

	*frame = *task_frame(parent);
	frame->eax = 0;
	if (parent->ptrace.stepping)
		frame->eflags &= ~EFLAGS_TF;
	if (args->stack)
		frame->esp = args->stack;
	fpu_save(child);
	child->blocked = parent->blocked;
	child->altstack = parent->altstack;
	/* Two tasks that run in the same memory must not use the same stack. */
	if ((args->flags & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
		altstack_reset(child);
	child->personality = parent->personality;
	child->no_tsc = parent->no_tsc;
	ports_inherit(child);
	child->timer_slack = child->timer_slack_default = parent->timer_slack;
	copy_scheduling(child);
	if (args->flags & CLONE_CHILD_CLEARTID)
		child->clear_child_tid = args->child_tid;
	if (args->flags & CLONE_CHILD_SETTID) {
		/* The child writes it to its own memory before it returns to user mode. */
		child->set_child_tid = args->child_tid;
		child->work |= TASK_WORK_SIGNAL;
	}
	if (args->flags & CLONE_VFORK) {
		wait_queue_init(&child->vfork_wait, "vfork");
		child->vforked = true;
	}
	task_prepare_user(child);
	memcpy(child->tls, parent->tls, sizeof(child->tls));
	return args->flags & CLONE_SETTLS ? tls_set(child, args->tls, false) : 0;
}

static void drop_all(struct task *child)
{
	sem_exit(child);
	if (child->fs)
		fs_context_put(child->fs);
	if (child->files)
		file_table_put(child->files);
	if (child->mm)
		mm_put(child->mm);
	task_put(child);
}

/* ---- its place ---- */

static void reset_handlers(struct process *process)
{
	for (int signo = 1; signo <= NR_SIGNALS; signo++)
		if (signal_action_of(process, signo)->handler != SIG_IGN)
			*signal_action_of(process, signo) = (struct signal_action){ 0 };
}

/* Make the process a sibling of the current one, with the same exit signal. tasks_lock is held. */
static void become_sibling(struct process *process)
{
	const struct process *caller = current->process;
	struct process *parent = caller->parent;

	list_del(&process->sibling);
	process->parent = parent;
	process->parent_pid = parent->pid;
	process->maker = caller->maker;
	process->parent_execs = caller->parent_execs;
	process->exit_signal = caller->exit_signal;
	list_add_tail(&parent->children, &process->sibling);
}

/* Which event a tracer of the caller may have asked for. 0: none */
static unsigned int event_of(unsigned int flags)
{
	if (flags & CLONE_UNTRACED)
		return 0;
	if (flags & CLONE_VFORK)
		return PTRACE_EVENT_VFORK;
	return (flags & CLONE_SIGNAL_MASK) == SIGCHLD ? PTRACE_EVENT_FORK : PTRACE_EVENT_CLONE;
}

static long link_child(struct task *child, const struct clone_args *args, unsigned int event)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	long error;

	error = signal_pending() ? -ERESTARTNOINTR : process_link(child, args->tid);
	if (error == 0 && args->clear_handlers)
		reset_handlers(child->process);
	if (error == 0 && !(args->flags & CLONE_THREAD))
		child->process->exit_signal = args->flags & CLONE_SIGNAL_MASK;
	if (error == 0 && (args->flags & (CLONE_PARENT | CLONE_THREAD)) == CLONE_PARENT)
		become_sibling(child->process);
	/*
	 * Only now does it get to know where its vDSO is: a thread of its parent may have moved
	 * that.
	 */
	if (error == 0)
		vdso_set_return(child);
	/*
	 * A linked child may be killed, but it cannot run, and therefore not end, before
	 * sched_start().
	 */
	if (error == 0) {
		atomic_inc(&child->refs);
		ptrace_inherit(child, event, args->flags & CLONE_PTRACE);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/*
 * wake_all() checks without the lock whether the queue is empty. The barriers make sure that at
 * least one side sees the other:
 *
 *	parent					child
 *	joins the queue				vforked = false
 *	full barrier				full barrier
 *	vforked still set: sleeps		queue not empty: wakes
 */
void task_release_vfork(struct task *task)
{
	if (!task->vforked)
		return;
	WRITE_ONCE(task->vforked, false);
	memory_barrier();
	wake_all(&task->vfork_wait);
}

/* The descriptor of the child, which the parent gets when all has succeeded. */
struct child_file {
	struct file *file; /* NULL: none is wanted */
	int fd;
};

/* Make the file, reserve its descriptor, and tell the program. Returns 0 or an error. May sleep. */
static long reserve_pidfd(struct child_file *pidfd, struct process *process,
			  const struct clone_args *args)
{
	struct file *file;
	long error;

	if (!(args->flags & CLONE_PIDFD))
		return 0;
	file = pidfd_file(process, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	pidfd->fd = fd_reserve(0, true);
	error = MIN(pidfd->fd, 0);
	if (error == 0) {
		error = put_user_u32(pidfd->fd, args->pidfd);
		if (error)
			fd_unreserve(pidfd->fd);
	}
	if (error)
		file_put(file);
	else
		pidfd->file = file;
	return error;
}

static void drop_pidfd(const struct child_file *pidfd)
{
	if (!pidfd->file)
		return;
	fd_unreserve(pidfd->fd);
	file_put(pidfd->file);
}

static long do_clone(const struct clone_args *args)
{
	long error = check_flags(args->flags), tid;
	struct child_file pidfd = { NULL, -1 };
	unsigned int event = event_of(args->flags);
	struct task *child;

	if (error < 0)
		return error;
	child = task_alloc(current->name);
	if (!child)
		return -ENOMEM;
	error = copy_resources(child, args->flags);
	if (error == 0)
		error = copy_state(child, args);
	if (error == 0)
		error = reserve_pidfd(&pidfd, child->process, args);
	if (error == 0)
		error = link_child(child, args, event);
	if (error < 0) {
		drop_pidfd(&pidfd);
		drop_all(child);
		return error;
	}
	tid = child->tid;
	if (pidfd.file)
		fd_install(pidfd.fd, pidfd.file);
	if (args->flags & CLONE_PARENT_SETTID)
		put_user_u32(tid, args->parent_tid);
	sched_start(child);
	if (event && ptrace_wants_event(event))
		ptrace_event(event, tid);
	if (args->flags & CLONE_VFORK) {
		(void)wait_event_killable(&child->vfork_wait, !READ_ONCE(child->vforked));
		if (ptrace_wants_event(PTRACE_EVENT_VFORK_DONE))
			ptrace_event(PTRACE_EVENT_VFORK_DONE, tid);
	}
	task_put(child);
	return tid;
}

long sys_fork(void)
{
	return do_clone(&(struct clone_args){ .flags = SIGCHLD });
}

long sys_vfork(void)
{
	return do_clone(&(struct clone_args){ .flags = CLONE_VM | CLONE_VFORK | SIGCHLD });
}

long sys_clone(unsigned int flags, uint32_t stack, void __user *parent_tid, void __user *tls,
	       void __user *child_tid)
{
	if (flags & CLONE_PIDFD && flags & CLONE_PARENT_SETTID)
		return refuse(EINVAL, "the number and the descriptor would go to the same place");
	return do_clone(&(struct clone_args){ flags, stack, parent_tid, tls, child_tid, parent_tid,
					      false, 0 });
}

/* struct clone_args of clone3(2). There are no control groups. */
struct clone3_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	uint64_t set_tid, nr_set_tid, cgroup;
};
#define CLONE3_ARGS_FIRST 64u /* size of the first version */

/* Copy the structure. A shorter one ends with zeros, and a longer one must. May sleep. */
static long clone3_from_user(struct clone3_args *args, const char __user *from, size_t size)
{
	uint8_t byte;

	if (size < CLONE3_ARGS_FIRST)
		return refuse(EINVAL, "the structure is too small");
	if (size > PAGE_SIZE)
		return -E2BIG;
	memset(args, 0, sizeof(*args));
	if (copy_from_user(args, from, MIN(size, sizeof(*args))) < 0)
		return -EFAULT;
	for (size_t i = sizeof(*args); i < size; i++) {
		if (copy_from_user(&byte, from + i, 1) < 0)
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

static long check_clone3(const struct clone3_args *args)
{
	const uint64_t known = (CLONE_ALL & ~(CLONE_SIGNAL_MASK | CLONE_DETACHED)) |
			       CLONE_NAMESPACES | CLONE_CLEAR_SIGHAND;

	if (args->flags & ~known)
		return refuse(EINVAL, "a clone3 flag that is not supported");
	/* A task has one number, because there is one namespace of them. */
	if (!args->set_tid != !args->nr_set_tid || args->nr_set_tid > 1 ||
	    args->set_tid > UINT32_MAX)
		return refuse(EINVAL, "more numbers than a task has, or an address without any");
	if (args->exit_signal > NR_SIGNALS ||
	    (args->flags & (CLONE_THREAD | CLONE_PARENT) && args->exit_signal))
		return refuse(EINVAL, "a wrong exit signal");
	if (args->flags & CLONE_PIDFD && args->flags & CLONE_PARENT_SETTID &&
	    args->pidfd == args->parent_tid)
		return refuse(EINVAL, "the number and the descriptor would go to the same place");
	if (!args->stack != !args->stack_size || args->stack + args->stack_size > USER_END ||
	    args->stack > USER_END || args->stack_size > USER_END)
		return refuse(EINVAL, "a stack needs an address and a size");
	if (args->flags & CLONE_SIGHAND && args->flags & CLONE_CLEAR_SIGHAND)
		return refuse(EINVAL, "handlers cannot be both shared and cleared");
	return 0;
}

long sys_clone3(const void __user *from, size_t size)
{
	struct clone3_args args;
	uint32_t tid = 0;
	long error = clone3_from_user(&args, from, size);

	if (error == 0)
		error = check_clone3(&args);
	if (error == 0 && args.set_tid)
		error = get_user_u32(&tid, (void __user *)(uintptr_t)args.set_tid);
	if (error == 0 && args.set_tid && (int32_t)tid <= 0)
		error = refuse(EINVAL, "no process has such a number");
	if (error)
		return error;
	return do_clone(&(struct clone_args){
		.flags = (uint32_t)args.flags | (uint32_t)args.exit_signal,
		.stack = args.stack + args.stack_size,
		.parent_tid = (void __user *)(uintptr_t)args.parent_tid,
		.tls = (void __user *)(uintptr_t)args.tls,
		.child_tid = (void __user *)(uintptr_t)args.child_tid,
		.pidfd = (void __user *)(uintptr_t)args.pidfd,
		.clear_handlers = args.flags & CLONE_CLEAR_SIGHAND,
		.tid = tid,
	});
}
