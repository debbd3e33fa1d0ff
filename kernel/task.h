/*
 * Tasks and processes.
 *
 * 1. A task is a thread with its kernel stack. It is the unit that the scheduler runs.
 * 2. A process is a group of tasks that share a process id, parent, children, signal actions and
 *    limits. fork() makes a process with one task. clone() with CLONE_THREAD adds a task to one.
 * 3. Kernel tasks have no process and no address space: process and mm are NULL.
 * 4. tasks_lock guards the tree of processes, groups and sessions, the lists of threads, and all
 *    pending signals. It is taken irqsave, because the keyboard and timers send signals. To look at
 *    task->mm of another task, hold it, too.
 * 5. A field for which no lock is named is used only by the task itself.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

#include "kernel/cpu/debug_state.h"
#include "kernel/cpu/fpu_state.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "kernel/atomic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/lockorder.h"
#include "kernel/mutex.h"
#include "kernel/spinlock.h"
#include "kernel/task_state.h"
#include "kernel/time.h"
#include "kernel/cpu/trap.h"
#include "kernel/wait.h"

#define NR_SIGNALS     64
#define KMAP_LOCAL_MAX 16
#define TASK_NAME_LEN  16

struct file;
struct file_table; /* fs/file/file.h */
struct sem_undo_list;
struct fs_context; /* fs/names/lookup.h: cwd, root, umask */
struct mm;	   /* mm/vm/vm.h */
struct lender;	   /* kernel/process/inherit.h */
struct tty;	   /* drivers/tty/tty.h */
struct page;

struct segment_descriptor { /* in the format of the GDT */
	uint32_t low, high;
};

/* ---- signals: numbers and pending sets. See also kernel/signals/signal.h. ---- */

enum { /* the signals that the kernel itself sends or treats specially */
       SIGHUP = 1,
       SIGINT = 2,
       SIGQUIT = 3,
       SIGILL = 4,
       SIGTRAP = 5,
       SIGBUS = 7,
       SIGFPE = 8,
       SIGKILL = 9,
       SIGSEGV = 11,
       SIGPIPE = 13,
       SIGALRM = 14,
       SIGCHLD = 17,
       SIGCONT = 18,
       SIGSTOP = 19,
       SIGTSTP = 20,
       SIGTTIN = 21,
       SIGTTOU = 22,
       SIGURG = 23,
       SIGXCPU = 24,
       SIGXFSZ = 25,
       SIGVTALRM = 26,
       SIGPROF = 27,
       SIGWINCH = 28,
       SIGIO = 29,
       SIGSYS = 31,
};
#define SIG_BIT(n)  (1ull << ((n)-1))

#define SIGRTMIN    32 /* from here on, signals are queued */
#define NR_STANDARD (SIGRTMIN - 1)

/* si_code: where the signal comes from. The kernel's own codes are positive. */
#define SI_USER	  0
#define SI_KERNEL 0x80
#define SI_TIMER  (-2)
#define SI_SIGIO  (-5)
#define SI_TKILL  (-6)

/* Details of a signal. From `error` on, the words have the order that they have in siginfo_t. */
struct signal_info {
	/*
	 * Which setting of a POSIX timer has sent it; 0: it comes from no timer. Programs don't see
	 * it.
	 */
	unsigned int setting;
	int error, code; /* si_errno; SI_*, CLD_*, or the code of a fault */
	union {
		struct {
			unsigned int pid, uid; /* of the sender, or of the child */
			uint32_t value;	       /* si_value, or the child's status */
			uint32_t user, system; /* the child's times, in ticks of 10 ms */
		};
		uint32_t address; /* of a fault */
		struct {
			int timer_id, overrun; /* `value` has the same place here */
		};
		uint32_t words[5];
	};
};

struct signal_queue {
	sigmask_t set;	       /* the pending signals */
	uint32_t standard_set; /* those of them that have details in `standard` */
	struct signal_info standard[NR_STANDARD];
	struct list
		queued; /* of struct queued_signal, oldest first: real-time signals, and timers' */
};

/* What ptrace(2) keeps of a tracee: kernel/process/ptrace.h. tasks_lock guards it. */
struct ptrace {
	struct task *tracer;  /* NULL: nobody traces the task, and all else is zero */
	struct list link;     /* tracer->tracees */
	unsigned int options; /* PTRACE_O_* */
	bool seized;
	bool privileged; /* the tracer may trace everything, so exec may give the tracee more rights */
	bool interrupt;	 /* PTRACE_INTERRUPT: to stop soon */
	bool group_news; /* its process has stopped or continued; for a seized task */
	bool passes;	 /* it was resumed, although its process is stopped */
	bool trapping;	 /* its tracer waits until it has stopped */
	bool continued;	 /* SIGCONT came while it was stopped for a signal */
	bool emulated;	 /* PTRACE_SYSEMU: system calls are left out */
	bool stepping;	 /* the trap flag is the tracer's */
	bool dead;
	int exit_status; /* of a dead one */
	/* the stop */
	bool stopped, frozen, listening;
	bool has_info; /* a group stop has none */
	int code;      /* what wait4 tells. Then it is 0, and at last the signal to go on with. */
	int why;       /* CLD_TRAPPED or CLD_STOPPED */
	int signo;
	struct signal_info info;
	uint32_t message;
};

struct altstack { /* sigaltstack(2) */
	uint32_t base, size, flags;
};

/* What calls have moved; index 0 is for reading, index 1 for writing. */
struct io_counts {
	unsigned int calls[2]; /* of read, write and their relatives */
	uint64_t moved[2];     /* bytes that these calls moved, from and to whatever kind of file */
	uint64_t stored[2];    /* bytes read from disks, and bytes of pages that became dirty */
};

struct task {
	/* kernel/cpu/entry.asm knows the offsets of these two. */
	uint32_t kernel_esp; /* offset 0: the stack pointer while the task does not run */
	uint32_t work;	     /* offset 4: TASK_WORK_*, checked on return to user mode */

	volatile enum task_state state;
	unsigned int tid;
	char name[TASK_NAME_LEN];
	void *stack;			    /* lowest byte of the kernel stack */
	struct process *process;	    /* NULL: kernel task */
	void (*before_free)(struct task *); /* drops its process; NULL: kernel task */
	struct mm *mm;			    /* NULL: kernel task, or dead */

	/* scheduler; guarded by the run queue's lock */
	struct list run_link;
	struct cpu *cpu; /* where it runs or ran last */
	/*
	 * Its stack is in use. Not a bool: a task that waits for a mutex reads this field of the
	 * owner, which may be freed already, so that the byte may have any value.
	 */
	volatile uint8_t on_cpu;
	bool on_queue;	      /* runs, or is on a run queue */
	uint16_t io_priority; /* of ioprio_set(2): class and level; tasks_lock */
	bool reset_on_fork;   /* its children start with SCHED_OTHER; tasks_lock */
	bool leaves;	      /* must not go on on the CPU that it has just left */
	bool finishing;	      /* its own: what it does has to be completed, even after a SIGKILL */
	uint32_t allowed;     /* the CPUs on which it may run: bit i is cpus[i] */
	int policy, nice;     /* SCHED_*, and -20 to 19 */
	/*
	 * Its own with SCHED_FIFO and SCHED_RR, 1 to 99; that of tasks that wait for it; the higher
	 * one.
	 */
	unsigned int own_urgency, inherited, urgency;
#define WEIGHT_NICE_0 1024
	int weight, credit;	   /* see kernel/sched.c */
	unsigned int asleep_since; /* the round in which it fell asleep */
	unsigned int slice;	   /* ticks left of its turn */
	/*
	 * Ticks for which it was urgent since it slept, and how often it had slept then. Only for
	 * its ticks.
	 */
	unsigned int urgent_ticks, urgent_since;
	unsigned int
		switches[2]; /* how often it left the CPU: to sleep, and although it could run on */
	uint64_t run_cycles,
		started_ns; /* CPU time used, in TSC cycles; time_now() at its creation */
	/*
	 * Parts of run_cycles: those that ticks have split so far, and of these those in the
	 * kernel.
	 */
	uint64_t told_cycles, system_cycles;
	uint64_t last_run,   /* TSC when it last began to run */
		paid_cycles; /* the part of its run_cycles that it has paid for */

	unsigned int minor_faults,
		major_faults; /* page faults; those that had to wait for a disk */
	struct io_counts io;

	struct lock_holds mutexes; /* empty except in the debug build */

	/* mm */
	unsigned int faults_off; /* depth of pagefault_disable() */
	unsigned int kmap_depth; /* number of its kmap_local mappings */
	int oom_seen;		 /* kernel/process/oom.c: 4 */
	bool writes_for_memory;	 /* kernel/process/oom.h */
	struct page *kmap_pages[KMAP_LOCAL_MAX];

	/* files */
	struct file_table *files;
	struct fs_context *fs;
	struct sem_undo_list *sem_undo; /* kernel/ipc/sem.h; NULL: nothing to undo */
	struct list *closing; /* files from messages that it has yet to close: net/passing.h */

	/* signals; tasks_lock */
	sigmask_t blocked;
	sigmask_t
		awaited; /* what sigtimedwait(2) waits for: these wake the task although they are blocked */
	sigmask_t saved_blocked; /* to restore after sigsuspend, ppoll */
	bool restore_blocked;
	struct signal_queue signals; /* for this task */
	struct altstack altstack;
	int death_signal; /* for its process when the parent ends, see prctl(2); 0: none */

	/* ptrace(2); tasks_lock */
	struct ptrace ptrace;
	struct list tracees; /* of struct task, by ptrace.link */
	bool ends;	     /* it has let its tracees go, and takes no more */
	struct debug_state
		debug; /* kernel/cpu/debug.h; changed by the task itself, or while it is frozen */

	/* threads */
	struct list thread_link; /* process->threads; tasks_lock */
	struct atomic refs;
	void __user *clear_child_tid;
	void __user *robust_list;  /* kernel/process/futex_exit.c */
	uint32_t personality;	   /* kernel/process/personality.h */
	bool no_tsc;		   /* reading the TSC is a SIGSEGV: prctl(PR_SET_TSC) */
	struct port_rights *ports; /* kernel/cpu/ports.h; NULL: none */
	unsigned int io_level;	   /* of iopl(2); 3 allows all ports */
	/*
	 * Nanoseconds by which its timers may be late: prctl(PR_SET_TIMERSLACK), and what 0 stands
	 * for there.
	 */
	unsigned long timer_slack, timer_slack_default;
	/* kernel/process/inherit.c */
	struct list lenders;	/* of struct lender: the tasks that wait for this one */
	struct lender *lending; /* its own wait for another one, or NULL */
	bool locks_left;	/* it ends, and no lock can be waited for that it has; futex_lock */

	struct segment_descriptor tls[NR_TLS];
	struct wait_queue vfork_wait; /* with `vforked`: a parent waits here for exec or exit */
	bool vforked;
	long (*restart)(struct task *); /* what restart_syscall(2) calls; it uses the next four */
	uint64_t restart_deadline;
	void __user *restart_arg;
	uint32_t restart_value, restart_bits;
	void __user *set_child_tid; /* clone: a new task first writes its tid here */
	const char *refused;	    /* trace=syscalls: the last text given to refuse() */
	char *trace_text;	    /* the running call as text; NULL: none */
	struct fpu_state fpu_state;
};

#define TASK_WORK_SIGNAL 1u /* a signal may be deliverable */
#define TASK_WORK_TRACE	 2u /* trace=syscalls applies to this task */
#define TASK_WORK_PTRACE 4u /* its tracer stops it at system calls */
#define TASK_WORK_STEP	 8u /* its tracer makes it take single steps */

#define NR_GROUPS	 32

struct credentials {
	uint32_t uid, euid, suid, fsuid; /* real, effective, saved, and the one for files */
	uint32_t gid, egid, sgid, fsgid;
	uint64_t permitted, effective, inheritable, bounding, ambient; /* kernel/capability.h */
	unsigned int securebits;
	bool no_new_privileges; /* exec gives no rights that the caller does not have */
	unsigned int nr_groups;
	uint32_t groups[NR_GROUPS];
};

/* The layout is that of rt_sigaction(2)'s argument. */
struct signal_action {
	uint32_t handler; /* user address, or SIG_DFL (0), or SIG_IGN (1) */
	uint32_t flags;	  /* SA_* */
	uint32_t restorer;
	sigmask_t mask;
};

/* The actions of a process. Processes that clone(2) has made with CLONE_SIGHAND share them. */
struct signal_handlers {
	struct atomic refs;			  /* processes */
	struct signal_action actions[NR_SIGNALS]; /* tasks_lock */
};

enum {
	RLIMIT_CPU = 0,
	RLIMIT_FSIZE = 1,
	RLIMIT_DATA = 2,
	RLIMIT_STACK = 3,
	RLIMIT_CORE = 4,
	RLIMIT_RSS = 5,
	RLIMIT_NPROC = 6,
	RLIMIT_NOFILE = 7,
	RLIMIT_MEMLOCK = 8,
	RLIMIT_AS = 9,
	RLIMIT_LOCKS = 10,
	RLIMIT_SIGPENDING = 11,
	RLIMIT_MSGQUEUE = 12,
	RLIMIT_NICE = 13,
	RLIMIT_RTPRIO = 14,
	RLIMIT_RTTIME = 15,
	NR_RLIMITS = 16,
};
#define RLIM_INFINITY UINT64_MAX
struct rlimit {
	uint64_t soft, hard;
};

struct usage {		       /* kernel/process/usage.h */
	uint64_t user, system; /* CPU time in nanoseconds */
	struct io_counts io;
	unsigned int minor_faults, major_faults;
	unsigned int voluntary, involuntary; /* switches to other tasks */
	unsigned int most_pages;	     /* resident at one time */
};

struct cpu_alarm {		    /* in CPU time of the process, nanoseconds */
	uint64_t expires, interval; /* 0: not armed; 0: it fires once */
};

struct process {
	unsigned int pid;
	struct atomic refs;
	struct list threads;	 /* of struct task, oldest first; tasks_lock */
	unsigned int nr_threads; /* live ones; 0: a zombie; tasks_lock */
	unsigned int nr_running; /* threads that have not begun to exit; tasks_lock */
	struct task *execer;	 /* the thread that calls exec: the others exit; tasks_lock */

	/* the tree of processes; tasks_lock */
	struct process *parent; /* NULL: reaped, or init */
	struct list children, sibling;
	unsigned int parent_pid; /* parent->pid, readable without the lock */
	unsigned int maker;	 /* the parent's thread that made it or inherited it; tasks_lock */
	/* How often it has called exec, and how often its parent had when that made it. */
	unsigned int execs, parent_execs;
	uint64_t started_ns;	  /* time_now() when it was made */
	unsigned int exit_signal; /* tells the parent of its end; no such signal: nothing does */
	unsigned int held; /* dead threads that their tracers have not waited for; tasks_lock */
	struct task *held_leader; /* the first thread, if it is one of them */
	unsigned int pgid, sid;
	struct tty *tty;	    /* controlling terminal */
	unsigned int hung_up_group; /* in the foreground when the terminal of this leader hung up */
	struct list all_link;	    /* all_processes */
	struct tree_node by_number; /* its key is pid */
	/*
	 * Only root may inspect the process. It runs a program that its user may not read, or it
	 * has changed its user since exec, or it has asked for this with prctl(2).
	 */
	bool undumpable;
	bool privileged;   /* it has used a capability: acct(2) */
	bool thp_disabled; /* what prctl(PR_SET_THP_DISABLE) has set */
	bool subreaper;	   /* adopts orphans among its descendants; tasks_lock */
	bool changing;	   /* exec is between two programs: not to be inspected; tasks_lock */
	int exit_status;   /* in the encoding of wait4(2) */
	bool exiting;	   /* exit_group or a fatal signal: all threads exit */
	struct wait_queue child_wait; /* wait4 sleeps here */
	struct wait_queue end_wait;   /* woken when the process has ended */

	/* signals; tasks_lock */
	struct signal_handlers *handlers;
	struct signal_queue signals;   /* for the process as a whole */
	unsigned int nr_queued;	       /* entries in `queued` of its queues, and its timers */
	struct wait_queue signal_wait; /* woken when a signal arrives for it or a thread */
	bool stopped, stop_reported, continued;
	int stop_signal;

	/* interval timers, see kernel/signals/timers.h; tasks_lock */
	struct timer alarm;
	uint64_t alarm_interval;
	struct cpu_alarm cpu_alarms[2]; /* ITIMER_VIRTUAL, ITIMER_PROF */
	bool measured;	    /* a timer of its CPU time is armed, or that time is limited */
	struct list timers; /* of struct posix_timer */
	int next_timer_id;

	struct credentials cred; /* changed only by the process's own calls */
	struct rlimit limits[NR_RLIMITS];
	struct usage children_usage; /* of children that were waited for */
	struct usage dead_usage;     /* of threads that have exited */
	char name[TASK_NAME_LEN];    /* of the thread that exited last */

	/* kernel/process/oom.h */
	unsigned int ring_pages; /* in the pipes and sockets that it made; tasks_lock */
	bool oom_victim;	 /* killed for its memory, which it still has; tasks_lock */
	int oom_adjust;		 /* -1000 to 1000, see /proc/PID/oom_score_adj; tasks_lock */
};

/* What the process does with a signal. tasks_lock is held. */
static inline struct signal_action *signal_action_of(const struct process *process, int signo)
{
	return &process->handlers->actions[signo - 1];
}

extern spinlock_t tasks_lock;
extern struct list all_processes;
extern struct process *init_process;

#define KERNEL_STACK_SIZE 8192

/* ---- kernel/sched.c ---- */

enum { /* policies, as in sched_setscheduler(2) */
       SCHED_OTHER = 0,
       SCHED_FIFO = 1,
       SCHED_RR = 2,
       SCHED_BATCH = 3, /* SCHED_OTHER, but such a task waits for its turn when it wakes */
       SCHED_IDLE = 5,
};
#define NICE_MIN    (-20)
#define NICE_MAX    19
#define URGENCY_MAX 99

struct scheduling {
	int policy, nice;
	unsigned int urgency;
};
/* Change how a task is scheduled. The values are valid. Never sleeps. */
void sched_set(struct task *task, const struct scheduling *wanted);
/*
 * Make a task as urgent as the tasks that wait for it, 0 to 99, if it is not so by itself. Never
 * sleeps.
 */
void sched_inherit(struct task *task, unsigned int urgency);
/*
 * Change the CPUs on which the task may run, of which at least one exists. A task that runs on
 * another CPU goes on there until its next tick at most. Never sleeps.
 */
void sched_set_allowed(struct task *task, uint32_t allowed);
/* Returns how long the task's turn lasts if others wait, in nanoseconds. 0: it has no end. */
uint64_t sched_slice_ns(const struct task *task);
/*
 * Returns the number of tasks that run or wait for a CPU. It may be out of date at once.
 */
unsigned int sched_runnable(void);
/* Let the other runnable tasks of this CPU run first. */
void sched_yield(void);

/* Start a new task: put it on a run queue. Never sleeps. */
void sched_start(struct task *task);
/* Set up a CPU's run queue, and make `idle` its current task. Once for each CPU, at boot. */
void sched_init_cpu(struct cpu *cpu, struct task *idle);
/* The loop of each CPU's idle task. It halts the CPU while no task is runnable. */
void sched_idle(void) __noreturn;
/* For how many cycles of the TSC a CPU that is online has been idle, up to now. Never sleeps. */
uint64_t sched_idle_cycles(struct cpu *cpu);
/*
 * Finish the switch from `prev`, on the new task's stack: release the run queue's lock, and free
 * prev if it is dead. A new task calls it from entry.asm.
 */
void sched_finish_switch(struct task *prev);
/*
 * Switch from prev's stack to next's. Returns on next's stack, with the task that ran there before.
 * kernel/cpu/entry.asm
 */
struct task *switch_context(struct task *prev, struct task *next);
/* Number of existing tasks, for leak checks and /proc. */
extern struct atomic nr_tasks;
/* Number of tasks that have been made since boot. */
extern struct atomic tasks_made;

/* ---- kernel/load.c ---- */

#define NR_LOADS 3
#define LOAD_ONE 65536u
/*
 * The average number of tasks that run or wait for a CPU, over 1, 5 and 15 minutes, times LOAD_ONE.
 */
extern uint32_t sched_loads[NR_LOADS];
/* Bring the averages up to date. The tick of the first CPU calls it, every second at least. */
void load_tick(void);

/* ---- kernel/task.c ---- */

/* Called once at boot, after slab_init(). */
void task_init(void);

/*
 * Allocate a task with a kernel stack. It does not run before sched_start(). Returns NULL if there
 * is no memory. May sleep.
 */
struct task *task_alloc(const char *name);
/* Drop a reference. The last one frees the task, which must not run any more, and its stack. */
void task_put(struct task *task);
/*
 * Start a kernel task that runs function(arg) and then ends. Returns it, or ERR_PTR(-ENOMEM). May
 * sleep.
 */
struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg);
/*
 * Returns true if the task of a process has to stop before it returns to user mode. Without
 * tasks_lock, the answer may be out of date.
 */
bool task_must_stop(const struct task *task);
/* Prepare a new task so that it starts in user mode, with the registers in task_frame(task). */
void task_prepare_user(struct task *task);

#endif
