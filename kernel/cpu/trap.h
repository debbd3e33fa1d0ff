/*
 * What the entry code saves of the interrupted context, and how traps are handled.
 */
#ifndef KERNEL_CPU_TRAP_H
#define KERNEL_CPU_TRAP_H

#include "lib/types.h"

struct cpu;
struct segment_descriptor;
struct task;

/* The layout is known to kernel/cpu/entry.asm; it begins what a signal handler finds on its stack. */
struct trap_frame {
	uint32_t gs, fs, es, ds; /* the upper halves are padding */
	uint32_t edi, esi, ebp;
	uint32_t kernel_esp; /* of pushad: means nothing */
	uint32_t ebx, edx, ecx, eax;
	uint32_t vector; /* trap number, or 0x80 for a system call */
	uint32_t error;	 /* the CPU's error code; for a system call the original eax */
	uint32_t eip, cs, eflags;
	uint32_t esp, ss; /* valid only if the trap came from user mode */
};

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

/* The frame with which the current task entered the kernel, at the top of its kernel stack. */
struct trap_frame *task_frame(struct task *task);

enum trap_vector {
	TRAP_NMI = 2,
	TRAP_BREAKPOINT = 3,
	TRAP_OVERFLOW = 4,
	TRAP_DOUBLE_FAULT = 8,
	TRAP_PAGE_FAULT = 14,
	VECTOR_IRQ_BASE = 0x30, /* external interrupt n arrives as VECTOR_IRQ_BASE + n */
	VECTOR_SYSCALL = 0x80,
	VECTOR_TIMER = 0xf0,
	VECTOR_RESCHEDULE = 0xf1,
	VECTOR_TLB = 0xf2,
	VECTOR_STOP = 0xf3,
	VECTOR_SPURIOUS = 0xff,
};

/*
 * What traps lead to above them, all of it with interrupts on unless the trap had them off.
 * page_fault: mm/vm/vm.h; also of the kernel, and before any other call here. signal: a fault of a
 * program, see signal_force(). return_to_user: TASK_WORK_SIGNAL is set, see signal_deliver(). nmi:
 * may have come between any two instructions of the kernel, and must not sleep or turn interrupts on.
 */
struct trap_handlers {
	void (*page_fault)(struct trap_frame *frame, uintptr_t va, unsigned int error);
	void (*signal)(int signo, int code, uint32_t address);
	void (*return_to_user)(struct trap_frame *frame);
	void (*nmi)(struct trap_frame *frame);
};
/* Once, before the first trap. */
void traps_init(const struct trap_handlers *above);

/* A trap in kernel mode at an address of the exception table continues at its fixup: true then. */
bool fixup_exception(struct trap_frame *frame);

/* Registers, backtrace and panic: a trap that the kernel brought about itself. */
void trap_fatal(struct trap_frame *frame, const char *what) __noreturn;

/* ---- kernel/cpu/segments.c: GDT, TSS, IDT, the double fault's task ---- */

/*
 * Load this CPU's GDT (with %fs on `cpu`), TSS and the common IDT. The first thing a CPU does in C.
 */
void segments_init_cpu(struct cpu *cpu);
/* The stack for the next entry from user mode. */
void segments_set_stack(struct cpu *cpu, void *top);
/* The page tables that the double fault's task uses. */
void segments_set_fault_cr3(uint32_t cr3);
/* Load the current task's TLS segments into this CPU's GDT. */
void segments_load_tls(struct task *task);
/* A segment for the thread-local storage of a program; limit in pages. */
struct segment_descriptor segment_for_tls(uint32_t base, uint32_t limit);

#endif
