/*
 * ptrace(2): a task, the tracer, stops another one, the tracee, and looks at it.
 *
 * 1. A task has at most one tracer, which belongs to another process. tasks_lock guards struct
 *    ptrace of every task, and the lists of tracees. The tracer's end lets its tracees go
 *    (ptrace_exit_tracer).
 * 2. A tracee is in one of these states:
 *
 *	runs		as if nobody traced it
 *	stopped		It sleeps in stop(), with the state TASK_TRACED, and does not touch
 *			its registers or memory. The tracer has been told, with SIGCHLD and through
 *			wait4(2). ptrace_resume() lets it go on, and so do SIGKILL and the tracer's
 *			end.
 *	frozen		It is stopped, and the tracer is in a request that uses its registers or
 *			memory. Not even SIGKILL wakes it before ptrace_thaw().
 *	listening	It is stopped because its process is, and the tracer has asked to be told of
 *			SIGCONT. Other requests do not find it stopped.
 *	dead		It has left its process, whose `held` counts it. Its tracer's wait4(2), or
 *			its tracer's end, drops it. A process is not reported as ended while it
 *			holds dead threads, and its leader is reported last.
 *
 * 3. A task stops only itself, and only where it holds nothing: at the beginning and the end of a
 *    system call, on the way back to user mode, and where it begins to exit. So a tracee that
 *    sleeps in a system call is not stopped.
 * 4. `stopped` is set and cleared under tasks_lock. Whoever clears it then wakes the tracee. See
 *    stop() in ptrace_stop.c for the wakeup that could be lost.
 * 5. The registers of a frozen tracee are those of task_frame(), fpu_state, tls and debug. It
 *    reached the scheduler, which saved them, before ptrace_freeze() returned.
 * 6. Nothing that a tracer writes there can harm the kernel. Each value is checked, or masked, when
 *    it is written (ptrace_regs.c, kernel/cpu/debug.c).
 */
#ifndef KERNEL_PROCESS_PTRACE_H
#define KERNEL_PROCESS_PTRACE_H

#include "kernel/task.h"

enum { /* events, and the options that ask for them: the option of event n is bit n */
       PTRACE_EVENT_FORK = 1,
       PTRACE_EVENT_VFORK = 2,
       PTRACE_EVENT_CLONE = 3,
       PTRACE_EVENT_EXEC = 4,
       PTRACE_EVENT_VFORK_DONE = 5,
       PTRACE_EVENT_EXIT = 6,
       PTRACE_EVENT_STOP = 128,
};
#define PTRACE_O_TRACESYSGOOD 1u
#define PTRACE_O_EXITKILL     (1u << 20)
#define PTRACE_O_ALL	      (0x7fu | PTRACE_O_EXITKILL)

#define PTRACE_SYSCALL_GOOD   0x80 /* added to SIGTRAP at system calls, if the option asks for it */
#define PTRACE_MESSAGE_ENTRY  1 /* ptrace.message at the beginning and the end of a system call */
#define PTRACE_MESSAGE_EXIT   2

/* ---- kernel/process/ptrace_stop.c ---- */

/*
 * Make `tracer` trace the task, which nobody traces. Never sleeps, as all functions here unless
 * they say so. tasks_lock is held, here and where a comment says "locked".
 */
void ptrace_link(struct task *task, struct task *tracer, bool seized, unsigned int options);
/*
 * Locked. Nobody traces the task any more. If it is stopped, it goes on; with a group stop, it
 * stays stopped.
 */
void ptrace_unlink(struct task *task);
/*
 * Locked. Called for each signal that stops or continues the process of a seized task: it stops
 * once more, to tell its tracer.
 */
void ptrace_tell_group(struct task *task);
/*
 * Locked. Let a stopped tracee go on, and make it take the signal, if it is not 0 and the stop is
 * for one.
 */
void ptrace_resume(struct task *task, int signo);
/*
 * Returns the tracee of the current task with that number, stopped and frozen, and with a
 * reference. Otherwise NULL. Spins until the tracee has left its CPU. Takes tasks_lock.
 */
struct task *ptrace_freeze(unsigned int tid);
/* Undo ptrace_freeze(). If `go_on`, the tracee is resumed with the signal. Takes tasks_lock. */
void ptrace_thaw(struct task *task, bool go_on, int signo);

/*
 * Locked; releases the lock while it sleeps. Returns true if the current task, which is traced, has
 * to stop because of a group stop or PTRACE_INTERRUPT, after it has done so.
 */
bool ptrace_trap(unsigned int *flags);
/*
 * Locked; releases the lock while it sleeps. The current task has taken a signal. If it is traced,
 * it stops, and the tracer decides. Returns the signal that it gets instead and fills *info, or
 * returns 0.
 */
int ptrace_signal(int signo, struct signal_info *info, unsigned int *flags);
/* Stop the current task if its tracer has asked for this event. May sleep; takes tasks_lock. */
void ptrace_event(unsigned int event, uint32_t message);
/*
 * Is the current task to stop for this event? It is a hint without the lock, as ptrace_event()
 * checks again.
 */
bool ptrace_wants_event(unsigned int event);
/*
 * The current task has entered a signal handler by a single step: stop. May sleep; takes
 * tasks_lock.
 */
void ptrace_handler_entered(void);
/*
 * The beginning and the end of a system call of a task with TASK_WORK_PTRACE or TASK_WORK_STEP.
 * ptrace_syscall_begin() returns false if the call is to be left out. May sleep; they take
 * tasks_lock.
 */
bool ptrace_syscall_begin(struct trap_frame *frame);
void ptrace_syscall_end(struct trap_frame *frame);

/*
 * Locked. A new task, not yet running, is traced like the current one if the tracer wants that for
 * `event` (0: no event), or if `always`.
 */
void ptrace_inherit(struct task *child, unsigned int event, bool always);
/* Switch single steps on or off by the trap flag. The task is current or frozen. */
void ptrace_step(struct task *task, bool on);

/*
 * Locked. A traced task leaves its process: its tracer holds it from now on. A leader is reported
 * when its process has ended.
 */
void ptrace_hold(struct task *task);
/*
 * Locked. Take a dead tracee from its tracer. The caller drops its reference after it has released
 * the lock. The end of the process may now be told to its parent (process_tell_end).
 */
void ptrace_release(struct task *task);
/* Let all tracees of the current task go, because it ends. Takes tasks_lock. */
void ptrace_exit_tracer(void);
/*
 * After exec has ended the other threads: the current task takes over the number of its leader,
 * which may be held by its tracer, and is dropped.
 */
void ptrace_drop_leader(struct process *process);
/* Locked. Tell the tracer that a dead tracee can be waited for. */
void ptrace_tell_end(struct task *task);

/* ---- kernel/process/ptrace_regs.c. The task is frozen. ---- */

/*
 * A request about registers. Returns its result, or -EIO for other requests. May sleep in user
 * copies.
 */
long ptrace_registers(struct task *task, unsigned int request, unsigned long address,
		      unsigned long data);
/* Words of the user area, for PTRACE_PEEKUSER and PTRACE_POKEUSER. */
long ptrace_peek_user(struct task *task, unsigned long at, uint32_t *value);
long ptrace_poke_user(struct task *task, unsigned long at, uint32_t value);

#endif
