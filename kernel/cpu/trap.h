/*
 * The registers that the entry code saves, the trap vectors, and the handlers of traps.
 */
#ifndef KERNEL_CPU_TRAP_H
#define KERNEL_CPU_TRAP_H

#include "lib/types.h"

struct cpu;
struct segment_descriptor;
struct task;

/*
 * The saved registers. kernel/cpu/entry.asm knows the layout. It is also the beginning of the
 * context that a signal handler finds on its stack.
 */
struct trap_frame {
	uint32_t gs, fs, es, ds; /* the upper halves are padding */
	uint32_t edi, esi, ebp;
	uint32_t kernel_esp; /* pushed by pushad, and not used */
	uint32_t ebx, edx, ecx, eax;
	uint32_t vector; /* trap number, or 0x80 for a system call */
	uint32_t error;	 /* the CPU's error code; for a system call the original eax */
	uint32_t eip, cs, eflags;
	uint32_t esp, ss; /* valid only if the trap came from user mode */
};

/*
 * What lies at the top of a task's kernel stack. Each entry from user mode pushes a frame downwards
 * from the same place.
 */
struct stack_top {
	struct trap_frame frame;
	uint32_t fast_return; /* where a call by sysenter returns to, in the vDSO: mm/vm/vdso.h */
};

/* Bits of the saved eflags. EFLAGS_IF is in kernel/cpu/cpu.h. */
#define EFLAGS_TF	0x100u	 /* trap after each instruction */
#define EFLAGS_RF	0x10000u /* no breakpoint at the next instruction */
#define EFLAGS_AC	0x40000u /* alignment check; in the kernel: access to user memory, with SMAP */
#define EFLAGS_USER	0x50dd5u /* what a program may change: AC RF OF DF TF SF ZF AF PF CF */

#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_USER_CODE	0x1b
#define SEL_USER_DATA	0x23
#define SEL_PERCPU	0x28
#define SEL_TSS		0x30
#define SEL_DF_TSS	0x38
#define SEL_TLS_FIRST	8 /* GDT entries 8..10: the three TLS segments */
#define NR_TLS		3

static inline bool trap_from_user(const struct trap_frame *frame)
{
	return (frame->cs & 3) == 3;
}

/* Returns the top of the task's kernel stack. */
struct stack_top *task_stack_top(const struct task *task);
/* The frame with which `task` entered the kernel from user mode, at the top of its kernel stack. */
struct trap_frame *task_frame(struct task *task);

enum trap_vector {
	TRAP_DEBUG = 1,
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_PAGE_FAULT = 14,
	TRAP_FPU_ERROR = 16,
	TRAP_ALIGNMENT = 17,
	TRAP_SIMD_ERROR = 19,
	VECTOR_IRQ_BASE = 0x30, /* external interrupt n arrives as VECTOR_IRQ_BASE + n */
	VECTOR_SYSCALL = 0x80,
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_TLB = 0xf2,
	VECTOR_STOP = 0xf3,
	VECTOR_SPURIOUS = 0xff,
};

/*
 * The functions of higher layers that traps call. None may be NULL. Except for nmi, they run with
 * interrupts on, unless the interrupted code had them off.
 */
struct trap_handlers {
	/* A page fault at address va, in user mode or in the kernel. See mm/vm/vm.h. */
	void (*page_fault)(struct trap_frame *frame, uintptr_t va, unsigned int error);
	/* A program has caused a fault. See signal_force(). */
	void (*signal)(int signo, int code, uint32_t address);
	/* The task returns to user mode with TASK_WORK_SIGNAL set. See signal_deliver(). */
	void (*return_to_user)(struct trap_frame *frame);
	/*
	 * An NMI. It may come between any two instructions of the kernel. The handler must not
	 * sleep or turn interrupts on.
	 */
	void (*nmi)(struct trap_frame *frame);
};
/* Set the handlers. Called once, before the first trap. */
void traps_init(const struct trap_handlers *above);

/*
 * If the exception table has an entry for the trapped instruction, make the frame continue at the
 * entry's fixup and return true.
 */
bool fixup_exception(struct trap_frame *frame);

/* Panic because of a trap that the kernel itself has caused. */
void trap_fatal(struct trap_frame *frame, const char *what) __noreturn;

/* ---- kernel/cpu/segments.c: GDT, TSS, IDT, the double fault's task ---- */

/*
 * Load this CPU's GDT, its TSS and the common IDT, and make %fs point to `cpu`. The first function
 * that each CPU calls.
 */
void segments_init_cpu(struct cpu *cpu);
/* Let the next entry from user mode on this CPU use the task's kernel stack. */
void segments_set_stack(struct cpu *cpu, const struct task *task);
/* Let programs use sysenter. The CPU has it (cpu_has.sysenter). Called once on each CPU. */
void segments_enable_sysenter(const struct cpu *cpu);
/* Set the page tables that the double fault's hardware task uses, on all CPUs. */
void segments_set_fault_cr3(uint32_t cr3);
/*
 * Let this CPU forbid all ports of IO to programs, or allow those whose bits in `denied` (8 KiB)
 * are 0. NULL allows all. Interrupts are off. For kernel/cpu/ports.c.
 */
void segments_forbid_ports(struct cpu *cpu);
void segments_allow_ports(struct cpu *cpu, const uint8_t *denied);
/* Load the task's TLS segments into this CPU's GDT. */
void segments_load_tls(struct task *task);
/* Returns a descriptor for a program's thread-local storage. The limit is in pages, minus one. */
struct segment_descriptor segment_for_tls(uint32_t base, uint32_t limit);

#endif
