/*
 * The requests of ptrace(2). See kernel/process/ptrace.h for tracees and their states.
 *
 * A request other than TRACEME, ATTACH, SEIZE, INTERRUPT and KILL wants a tracee that is stopped.
 * It is frozen while the request runs, so the functions here use its registers and its struct
 * ptrace without a lock.
 */
#include "kernel/process/credentials.h"
#include "kernel/process/process.h"
#include "kernel/process/ptrace.h"
#include "kernel/signals/signal.h"
#include "kernel/syscalls.h"
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/vm.h"

enum { /* requests; those about registers are in ptrace_regs.c */
       PTRACE_TRACEME = 0,
       PTRACE_PEEKTEXT = 1,
       PTRACE_PEEKDATA = 2,
       PTRACE_PEEKUSER = 3,
       PTRACE_POKETEXT = 4,
       PTRACE_POKEDATA = 5,
       PTRACE_POKEUSER = 6,
       PTRACE_CONT = 7,
       PTRACE_KILL = 8,
       PTRACE_SINGLESTEP = 9,
       PTRACE_ATTACH = 16,
       PTRACE_DETACH = 17,
       PTRACE_SYSCALL = 24,
       PTRACE_SYSEMU = 31,
       PTRACE_SYSEMU_SINGLESTEP = 32,
       PTRACE_SETOPTIONS = 0x4200,
       PTRACE_GETEVENTMSG = 0x4201,
       PTRACE_GETSIGINFO = 0x4202,
       PTRACE_SETSIGINFO = 0x4203,
       PTRACE_SEIZE = 0x4206,
       PTRACE_INTERRUPT = 0x4207,
       PTRACE_LISTEN = 0x4208,
       PTRACE_PEEKSIGINFO = 0x4209,
       PTRACE_GETSIGMASK = 0x420a,
       PTRACE_SETSIGMASK = 0x420b,
       PTRACE_GET_SYSCALL_INFO = 0x420e,
};

/* ---- beginning ---- */

/* The thread that made the current process traces it, or else the first thread of its parent. */
static struct task *maker_of(const struct process *process)
{
	struct process *parent = process->parent;
	struct task *task;

	if (!parent)
		return NULL;
	list_for_each(task, &parent->threads, thread_link)
		if (task->tid == process->maker)
			return task;
	return process_leader(parent);
}

static long trace_me(void)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *tracer = maker_of(current->process);
	long error = 0;

	if (current->ptrace.tracer)
		error = refuse(EPERM, "somebody traces it already");
	else if (current->process != init_process && tracer && !tracer->ends)
		ptrace_link(current, tracer, false, 0);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/* tasks_lock is held. */
static long check_attach(const struct task *task)
{
	const struct process *process = task ? task->process : NULL;

	if (!task)
		return -ESRCH;
	if (process == current->process || process == init_process)
		return refuse(EPERM, "a process cannot trace itself, and nobody traces init");
	if (!process_may_trace(process))
		return refuse(EPERM, "the process is not the caller's to trace");
	if (task->ptrace.tracer || task->ends)
		return refuse(EPERM, "somebody traces it already, or it ends");
	return 0;
}

/*
 * A task that is stopped already goes on, to stop once more for its tracer. *stops is then set to
 * it, with a reference. tasks_lock is held.
 */
static long attach_locked(struct task *task, bool seize, unsigned int options, struct task **stops)
{
	const struct signal_info kernel = { .code = SI_KERNEL };

	ptrace_link(task, current, seize, options);
	if (task->state == TASK_STOPPED) {
		task->ptrace.trapping = true;
		atomic_inc(&task->refs);
		*stops = task;
		task_wake(task);
	}
	if (!seize)
		return signal_send_locked(task->process, task, SIGSTOP, &kernel);
	return 0;
}

/* The tracee that was stopped has stopped for us, or it never will. */
static bool has_trapped(const struct task *task)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	bool trapped = !task->ptrace.trapping || task->ptrace.dead;

	spin_unlock_irqrestore(&tasks_lock, flags);
	return trapped;
}

static long attach(unsigned int tid, bool seize, unsigned int options)
{
	struct task *task, *stops = NULL;
	struct process *changing;
	unsigned int flags;
	long error;

	do {
		flags = spin_lock_irqsave(&tasks_lock);
		task = task_find_locked(tid);
		changing = task && task->process->changing ? task->process : NULL;
		if (changing)
			process_get(changing);
		error = changing ? 0 : check_attach(task);
		if (!changing && !error)
			error = attach_locked(task, seize, options, &stops);
		spin_unlock_irqrestore(&tasks_lock, flags);
		if (changing) {
			error = wait_event_interruptible(&changing->child_wait,
							 !READ_ONCE(changing->changing));
			process_put(changing);
		}
	} while (changing && !error);
	if (stops) {
		/*
		 * stop() wakes this queue after it has cleared `trapping`; so does the tracee's
		 * end.
		 */
		(void)wait_event_killable(&current->process->child_wait, has_trapped(stops));
		task_put(stops);
	}
	return error;
}

/* ---- requests to a tracee in any state ---- */

static long interrupt_or_kill(unsigned int tid, bool kill)
{
	unsigned int flags = spin_lock_irqsave(&tasks_lock);
	struct task *task, *found = NULL;
	long error = 0;

	list_for_each(task, &current->tracees, ptrace.link)
		if (task->tid == tid)
			found = task;
	if (!found || (found->ptrace.dead && !kill)) {
		error = -ESRCH;
	} else if (kill) {
		(void)signal_send_locked(found->process, found, SIGKILL, NULL);
	} else if (!found->ptrace.seized) {
		error = refuse(EIO, "the tracee was not seized");
	} else {
		found->ptrace.interrupt = true;
		if (found->ptrace.listening)
			ptrace_tell_group(found);
		else
			signal_wake(found, false);
	}
	spin_unlock_irqrestore(&tasks_lock, flags);
	return error;
}

/*
 * ---- requests to a stopped tracee. They return an error or a result, and leave the tracee
 * stopped. ----
 */

static long peek(struct task *task, unsigned long at, void __user *to)
{
	uint32_t word;

	if (mm_access(task->mm, at, &word, sizeof(word), MM_FORCE) != sizeof(word))
		return -EIO;
	return put_user_u32(word, to);
}

static long poke(struct task *task, unsigned long at, uint32_t word)
{
	return mm_access(task->mm, at, &word, sizeof(word), MM_FORCE | MM_WRITE) == sizeof(word)
		       ? 0
		       : -EIO;
}

static long peek_user(struct task *task, unsigned long at, void __user *to)
{
	uint32_t word;
	long error = ptrace_peek_user(task, at, &word);

	return error ? error : put_user_u32(word, to);
}

static long set_options(struct task *task, unsigned long options)
{
	if (options & ~PTRACE_O_ALL)
		return refuse(EINVAL, "an option that is not supported");
	task->ptrace.options = options;
	return 0;
}

static long set_siginfo(struct task *task, const void __user *from)
{
	struct ptrace *ptrace = &task->ptrace;
	uint32_t words[SIGINFO_SIZE / 4];

	if (!ptrace->has_info)
		return -EINVAL;
	if (copy_from_user(words, from, sizeof(words)) < 0)
		return -EFAULT;
	ptrace->signo = words[0] <= NR_SIGNALS ? words[0] : 0;
	ptrace->info = (struct signal_info){ .error = words[1], .code = words[2] };
	memcpy(ptrace->info.words, words + 3, sizeof(ptrace->info.words));
	return 0;
}

static long get_siginfo(struct task *task, void __user *to)
{
	const struct ptrace *ptrace = &task->ptrace;

	return ptrace->has_info ? signal_info_to_user(ptrace->signo, &ptrace->info, to) : -EINVAL;
}

/* A program that waits with another mask (sigsuspend) is to get this one when it goes on. */
static long set_mask(struct task *task, unsigned long size, const void __user *from)
{
	sigmask_t mask;
	unsigned int flags;

	if (size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, from, sizeof(mask)) < 0)
		return -EFAULT;
	flags = spin_lock_irqsave(&tasks_lock);
	task->restore_blocked = false;
	task->blocked = mask & ~BITS_UNBLOCKABLE;
	set_bits(&task->work, TASK_WORK_SIGNAL);
	signal_retarget_locked(task->process);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

static long get_mask(struct task *task, unsigned long size, void __user *to)
{
	sigmask_t mask = task->restore_blocked ? task->saved_blocked : task->blocked;

	return size == sizeof(mask) ? copy_to_user(to, &mask, sizeof(mask)) : -EINVAL;
}

/* ---- PTRACE_PEEKSIGINFO ---- */

struct peek_args { /* struct ptrace_peeksiginfo_args */
	uint64_t offset;
	uint32_t flags;
	int nr;
};
#define PEEK_SHARED 1u /* those of the process, not of the thread */

static long peek_siginfo(struct task *task, const void __user *from, char __user *to)
{
	struct signal_info info;
	struct peek_args args;
	unsigned int flags;
	int signo, done = 0;

	if (copy_from_user(&args, from, sizeof(args)) < 0)
		return -EFAULT;
	if (args.flags & ~PEEK_SHARED || args.nr < 0)
		return refuse(EINVAL, "unknown flags, or a negative number");
	while (done < args.nr && args.offset <= UINT32_MAX && !signal_pending()) {
		flags = spin_lock_irqsave(&tasks_lock);
		signo = signal_queue_peek(args.flags & PEEK_SHARED ? &task->process->signals
								   : &task->signals,
					  args.offset, &info);
		spin_unlock_irqrestore(&tasks_lock, flags);
		if (!signo)
			break;
		if (signal_info_to_user(signo, &info, to + done * SIGINFO_SIZE) < 0)
			return done ? done : -EFAULT;
		args.offset++;
		done++;
	}
	return done;
}

/* ---- PTRACE_GET_SYSCALL_INFO ---- */

#define AUDIT_ARCH_I386 0x40000003u

struct syscall_info { /* struct ptrace_syscall_info */
	uint8_t kind, unused[3];
	uint32_t arch;
	uint64_t ip, sp;
	union {
		struct {
			uint64_t number, arguments[6];
		} entry;
		struct {
			int64_t result;
			uint8_t is_error;
		} exit;
		uint64_t room[8];
	};
};
enum { INFO_NONE, INFO_ENTRY, INFO_EXIT };

_Static_assert(sizeof(struct syscall_info) == 88, "struct ptrace_syscall_info");

/* Returns how many bytes of it there are, for the caller that may have room for fewer. */
static long syscall_info(struct task *task, size_t room, void __user *to)
{
	const struct trap_frame *frame = task_frame(task);
	const struct ptrace *ptrace = &task->ptrace;
	struct syscall_info info = { .arch = AUDIT_ARCH_I386, .ip = frame->eip, .sp = frame->esp };
	size_t size = offsetof(struct syscall_info, entry);
	long result = frame->eax;

	if (ptrace->has_info && ptrace->info.code == (SIGTRAP | PTRACE_SYSCALL_GOOD)) {
		info.kind = ptrace->message == PTRACE_MESSAGE_ENTRY ? INFO_ENTRY : INFO_EXIT;
		size = info.kind == INFO_ENTRY
			       ? offsetof(struct syscall_info, entry) + sizeof(info.entry)
			       : offsetof(struct syscall_info, exit.is_error) + 1;
	}
	if (info.kind == INFO_ENTRY) {
		const uint32_t arguments[6] = { frame->ebx, frame->ecx, frame->edx,
						frame->esi, frame->edi, frame->ebp };

		info.entry.number = frame->error;
		for (unsigned int i = 0; i < ARRAY_SIZE(arguments); i++)
			info.entry.arguments[i] = arguments[i];
	} else if (info.kind == INFO_EXIT) {
		info.exit.result = result;
		info.exit.is_error = (unsigned long)result >= (unsigned long)-MAX_ERRNO;
	}
	if (copy_to_user(to, &info, MIN(size, room)) < 0)
		return -EFAULT;
	return size;
}

/* ---- going on ---- */

/*
 * Returns 1 if the tracee is to go on, with the signal `signo`, 0 if it is another request, or
 * -EIO.
 */
static long prepare_to_go_on(struct task *task, long request, unsigned long signo)
{
	bool step = request == PTRACE_SINGLESTEP || request == PTRACE_SYSEMU_SINGLESTEP;
	bool emulate = request == PTRACE_SYSEMU || request == PTRACE_SYSEMU_SINGLESTEP;

	if (!step && !emulate && request != PTRACE_CONT && request != PTRACE_SYSCALL)
		return 0;
	if (signo > NR_SIGNALS)
		return refuse(EIO, "no such signal");
	task->ptrace.emulated = emulate;
	if (emulate || request == PTRACE_SYSCALL)
		set_bits(&task->work, TASK_WORK_PTRACE);
	else
		clear_bits(&task->work, TASK_WORK_PTRACE);
	ptrace_step(task, step);
	return 1;
}

/* The reference and the freezing of the tracee end here. */
static long detach(struct task *task, unsigned long signo)
{
	unsigned int flags;

	if (signo > NR_SIGNALS) {
		ptrace_thaw(task, false, 0);
		return refuse(EIO, "no such signal");
	}
	flags = spin_lock_irqsave(&tasks_lock);
	task->ptrace.code = signo;
	ptrace_unlink(task);
	spin_unlock_irqrestore(&tasks_lock, flags);
	task_put(task);
	return 0;
}

/*
 * It stays stopped, and stops anew if its process has continued meanwhile, or if it is interrupted.
 */
static long listen(struct task *task)
{
	struct ptrace *ptrace = &task->ptrace;
	unsigned int flags;

	if (!ptrace->seized || !ptrace->has_info || ptrace->info.code >> 8 != PTRACE_EVENT_STOP)
		return -EIO;
	flags = spin_lock_irqsave(&tasks_lock);
	ptrace->listening = true;
	if (ptrace->group_news)
		ptrace_tell_group(task);
	spin_unlock_irqrestore(&tasks_lock, flags);
	return 0;
}

static long request_stopped(struct task *task, long request, unsigned long address,
			    unsigned long data)
{
	void __user *at = (void __user *)data;

	switch (request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
		return peek(task, address, at);
	case PTRACE_PEEKUSER:
		return peek_user(task, address, at);
	case PTRACE_POKETEXT:
	case PTRACE_POKEDATA:
		return poke(task, address, data);
	case PTRACE_POKEUSER:
		return ptrace_poke_user(task, address, data);
	case PTRACE_SETOPTIONS:
		return set_options(task, data);
	case PTRACE_GETEVENTMSG:
		return put_user_u32(task->ptrace.message, at);
	case PTRACE_GETSIGINFO:
		return get_siginfo(task, at);
	case PTRACE_SETSIGINFO:
		return set_siginfo(task, at);
	case PTRACE_PEEKSIGINFO:
		return peek_siginfo(task, (void __user *)address, at);
	case PTRACE_GETSIGMASK:
		return get_mask(task, address, at);
	case PTRACE_SETSIGMASK:
		return set_mask(task, address, at);
	case PTRACE_GET_SYSCALL_INFO:
		return syscall_info(task, address, at);
	case PTRACE_LISTEN:
		return listen(task);
	}
	return ptrace_registers(task, request, address, data);
}

long sys_ptrace(long request, long pid, unsigned long address, unsigned long data)
{
	struct task *task;
	long result;

	switch (request) {
	case PTRACE_TRACEME:
		return trace_me();
	case PTRACE_SEIZE:
		if (address || data & ~(unsigned long)PTRACE_O_ALL)
			return refuse(EIO, "an address, or an option that is not supported");
		return attach(pid, true, data);
	case PTRACE_ATTACH:
		return attach(pid, false, 0);
	case PTRACE_INTERRUPT:
	case PTRACE_KILL:
		return interrupt_or_kill(pid, request == PTRACE_KILL);
	}
	task = ptrace_freeze(pid);
	if (!task)
		return -ESRCH;
	if (request == PTRACE_DETACH)
		return detach(task, data);
	result = prepare_to_go_on(task, request, data);
	if (result == 0) {
		result = request_stopped(task, request, address, data);
		ptrace_thaw(task, false, 0);
		return result;
	}
	ptrace_thaw(task, result > 0, data);
	return MIN(result, 0);
}
