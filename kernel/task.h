/*
 * Tasks and processes.
 *
 * 1. A task is what the scheduler runs: a thread with its kernel stack. A process is a group of
 *    tasks that share a process id, parent, children, signal actions and limits (clone with
 *    CLONE_THREAD adds a task to it; fork makes a process with one task). Kernel tasks have process
 *    == NULL, mm == NULL.
 * 2. tasks_lock (irqsave: the keyboard and timers send signals) guards the tree of processes, groups,
 *    sessions, the lists of threads, and the signals of all of them. task->mm of another task is
 *    looked at under it.
 * 3. Fields without a lock named belong to the task itself.
 */
#ifndef KERNEL_TASK_H
#define KERNEL_TASK_H

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
struct fs_context; /* fs/names/vfs.h: cwd, root, umask */
struct mm;	   /* mm/vm/vm.h */
struct tty;	   /* drivers/tty/tty.h */
struct page;

struct segment_descriptor { /* as the CPU wants it in the GDT */
	uint32_t low, high;
};

/* ---- signals: their numbers, and what waits of them; see kernel/process/signal.h ---- */

enum { /* those that mean something to the kernel */
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
       SIGXFSZ = 25,
       SIGWINCH = 28,
};
#define SIG_BIT(n) (1ull << ((n)-1))

/* si_code: who sent it. Positive codes are the kernel's own. */
#define SI_USER	  0
#define SI_KERNEL 0x80
#define SI_TKILL  (-6)

struct signal_info {	       /* what is known of a signal, see siginfo_t */
	int code;	       /* SI_*, CLD_*, or of a fault */
	unsigned int pid, uid; /* who sent it */
	uint32_t value;	       /* the address of a fault, or a child's status */
};

struct signal_queue {
	sigmask_t set; /* what is pending */
	struct signal_info info[NR_SIGNALS];
};

struct task {
	/* Known to kernel/cpu/entry.asm and switch.asm by offset. */
	uint32_t kernel_esp; /* 0: saved while not running */
	uint32_t work;	     /* 4: TASK_WORK_*: look before return to user */

	volatile enum task_state state;
	unsigned int tid;
	char name[TASK_NAME_LEN];
	void *stack;			    /* lowest byte of the kernel stack */
	struct process *process;	    /* NULL: kernel task */
	void (*before_free)(struct task *); /* lets its process go; NULL: kernel task */
	struct mm *mm;			    /* NULL: kernel task, or dead */

	/* scheduler; guarded by the run queue's lock */
	struct list run_link;
	struct cpu *cpu; /* where it runs or ran last */
	/* Its stack is in use. No bool: who waits for a mutex reads it of an owner that may be gone. */
	volatile uint8_t on_cpu;
	bool on_queue;
	unsigned int slice;		 /* ticks left */
	uint64_t run_cycles, started_ns; /* CPU time used, of the TSC; boot time of creation */
	/* Of run_cycles: told apart by ticks so far, and those of them in the kernel. */
	uint64_t told_cycles, system_cycles;
	uint64_t last_run;

	struct lock_holds mutexes; /* empty but in the debug build */

	/* mm */
	unsigned int faults_off; /* depth of pagefault_disable() */
	unsigned int kmap_depth; /* kmap_local mappings that it owns */
	struct page *kmap_pages[KMAP_LOCAL_MAX];

	/* files */
	struct file_table *files;
	struct fs_context *fs;
	struct list *closing; /* files from messages that it has yet to close: net/passing.h */

	/* signals; tasks_lock */
	sigmask_t blocked;
	sigmask_t saved_blocked; /* to restore after sigsuspend, ppoll */
	bool restore_blocked;
	struct signal_queue signals; /* for this task */

	/* threads */
	struct list thread_link; /* process->threads; tasks_lock */
	struct atomic refs;
	void __user *clear_child_tid;
	struct segment_descriptor tls[NR_TLS];
	struct wait_queue *vfork_done;	/* parent that waits for exec or exit */
	long (*restart)(struct task *); /* restart_syscall */
	uint64_t restart_deadline;
	void __user *restart_arg;
	uint32_t restart_value, restart_bits;
	void __user *set_child_tid; /* clone: where it writes its tid, first of all */
	const char *refused;	    /* trace=syscalls: what refuse() said last */
	char *trace_text;	    /* the call that runs, as text; NULL: none */
	unsigned char fpu_state[512] __attribute__((aligned(16))); /* FXSAVE */
};

#define TASK_WORK_SIGNAL 1u /* a signal may be deliverable */
#define TASK_WORK_TRACE	 2u /* trace=syscalls is on for this task */

struct credentials {
	uint32_t uid, euid, suid;
	uint32_t gid, egid, sgid;
	unsigned int nr_groups;
	uint32_t groups[32];
};

/* struct kernel_sigaction, as rt_sigaction takes it. */
struct signal_action {
	uint32_t handler; /* user address, or SIG_DFL 0, SIG_IGN 1 */
	uint32_t flags;	  /* SA_* */
	uint32_t restorer;
	sigmask_t mask;
};

enum { /* those that are enforced, or told apart */
       RLIMIT_CPU = 0,
       RLIMIT_FSIZE = 1,
       RLIMIT_DATA = 2,
       RLIMIT_STACK = 3,
       RLIMIT_CORE = 4,
       RLIMIT_RSS = 5,
       RLIMIT_NPROC = 6,
       RLIMIT_NOFILE = 7,
       RLIMIT_AS = 9,
       NR_RLIMITS = 16,
};
#define RLIM_INFINITY UINT64_MAX
struct rlimit {
	uint64_t soft, hard;
};

struct cpu_time { /* CPU time in nanoseconds */
	uint64_t user, system;
};

struct process {
	unsigned int pid;
	struct atomic refs;
	struct list threads;	 /* of struct task, the first one first; tasks_lock */
	unsigned int nr_threads; /* live ones, 0: a zombie; tasks_lock */
	unsigned int nr_running; /* those that have not begun to exit; tasks_lock */
	struct task *execer;	 /* exec: this one stays, the others leave; tasks_lock */
	struct process *parent;	 /* NULL: reaped, or init; tasks_lock, this and the next five */
	struct list children, sibling;
	unsigned int parent_pid; /* parent->pid, readable without the lock */
	unsigned int pgid, sid;
	struct tty *tty;	    /* controlling terminal */
	struct list all_link;	    /* all_processes */
	struct tree_node by_number; /* of which pid is the key */
	/*
	 * Others (but root) may not look into it: it runs a program that its user may not read, it has
	 * changed its user since exec, or it has asked for that (prctl).
	 */
	bool undumpable;
	bool execed;		      /* has called exec: setpgid by the parent is EACCES */
	int exit_status;	      /* as wait4 gives it */
	bool exiting;		      /* exit_group or fatal signal: all threads leave */
	struct wait_queue child_wait; /* wait4 sleeps here */

	/* signals; tasks_lock */
	struct signal_action actions[NR_SIGNALS];
	struct signal_queue signals; /* for the process as a whole */
	bool stopped, stop_reported, continued;
	int stop_signal;
	struct timer alarm;

	struct credentials cred; /* changed by its own calls only */
	struct rlimit limits[NR_RLIMITS];
	struct cpu_time children_time; /* of children that were waited for */
	struct cpu_time dead_time;     /* of threads that have left */
	char name[TASK_NAME_LEN];      /* of the thread that left last */

	/* kernel/process/oom.h */
	struct atomic ring_pages; /* in the pipes and sockets that it made */
	bool oom_victim;	  /* killed for its memory, which it still has; tasks_lock */
};

extern spinlock_t tasks_lock;
extern struct list all_processes;
extern struct process *init_process;

#define KERNEL_STACK_SIZE 8192

/* ---- kernel/sched.c ---- */

/* Put a new or woken task on a run queue. Never sleeps. */
void sched_start(struct task *task);
/* The CPU's queue, and `idle` as its current task. */
void sched_init_cpu(struct cpu *cpu, struct task *idle);
/* The end of each CPU's start: halts while there is nothing to do. */
void sched_idle(void) __noreturn;
/* On the new task's stack, after the switch from prev; entry.asm calls it too. */
void sched_finish_switch(struct task *prev);
/* entry.asm */
struct task *switch_context(struct task *prev, struct task *next);
/* Number of tasks that exist (leak checks, /proc). */
extern struct atomic nr_tasks;

/* ---- kernel/task.c ---- */

/* Once at boot, after the slabs. */
void task_init(void);

/* A task with a kernel stack (guard page below), not yet on a queue; NULL: no memory. */
struct task *task_alloc(const char *name);
/* One reference less; with the last one, when it is dead, stack and task are freed. */
void task_put(struct task *task);
/* A kernel task that runs function(arg); starts at once. ERR_PTR(-ENOMEM). */
struct task *kernel_task_start(const char *name, void (*function)(void *), void *arg);
/* Prepare `task` so that it first runs ret_from_fork and returns to user mode by its trap frame. */
void task_prepare_user(struct task *task);

/* ---- kernel/process/fork.c, exec.c, exit.c, signal.c: see kernel/process/process.h and kernel/process/signal.h ---- */

#endif
