/*
 * The CPU: its registers, its features, and the per-CPU data (struct cpu).
 *
 * 1. While the kernel runs, %fs points to this CPU's struct cpu. User code has its own %fs and %gs,
 *    which the entry code saves and restores.
 * 2. Kernel code is not preempted, so the result of this_cpu() is valid until the task sleeps.
 */
#ifndef KERNEL_CPU_CPU_H
#define KERNEL_CPU_CPU_H

#include "lib/types.h"
#include "kernel/log.h"

#define MAX_CPUS 8

struct task;
struct mm;

struct cpu {
	struct cpu *self;	   /* %fs:0 */
	struct task *task;	   /* %fs:4, the task that runs on this CPU */
	unsigned int id;	   /* %fs:8, index into cpus[] */
	unsigned int need_resched; /* %fs:12, checked on return to user mode */
	unsigned int interrupts;   /* so many since boot */
	unsigned int irq_depth;	   /* nesting of interrupt handlers; 0 in task context */
	bool interrupted_user;	   /* did the interrupt that is handled interrupt a program? */
	unsigned int apic_id;
	volatile bool online;
	struct task *idle;
	struct mm *mm; /* the address space loaded in CR3 */
	struct run_queue *queue;
	struct single_pages *single_pages;   /* mm/page.c */
	uint64_t user_cycles, system_cycles; /* of tasks, as far as ticks have told them apart */
	unsigned int switches;		     /* from one task to another */
	uint32_t debug_control;	   /* the breakpoints that DR7 has on; kernel/cpu/debug.h */
	bool no_tsc;		   /* CR4.TSD is set; kernel/cpu/tsc.h */
	bool ports_open;	   /* the TSS allows some ports; kernel/cpu/ports.h */
	struct cpu_tables *tables; /* GDT, TSS; kernel/cpu/segments.c */
};

extern struct cpu cpus[MAX_CPUS];
extern unsigned int nr_cpus; /* the CPUs that have been started */

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("movl %%fs:0, %0" : "=r"(cpu));
	return cpu;
}

/*
 * The asm is not volatile. A task that moves to another CPU is still the same task, so the compiler
 * may keep the value.
 */
static inline struct task *current_task(void)
{
	struct task *task;

	__asm__("movl %%fs:4, %0" : "=r"(task));
	return task;
}
#define current current_task()

/* Optional CPU features, set at boot from CPUID. */
struct cpu_features {
	bool pge, nx, smap, apic, rdrand, sse, sysenter;
	bool pat;    /* page attribute table; kernel/cpu/smp.c sets it */
	bool lfence; /* and the rest of SSE2 */
	bool avx;    /* and XSAVE, with the registers where struct fpu_state has them */
};
extern struct cpu_features cpu_has;

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;
	__asm__ volatile("inb %w1, %b0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint16_t inw(uint16_t port)
{
	uint16_t v;
	__asm__ volatile("inw %w1, %w0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t v;
	__asm__ volatile("inl %w1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void outb(uint16_t port, uint8_t v)
{
	__asm__ volatile("outb %b0, %w1" ::"a"(v), "Nd"(port));
}
static inline void outw(uint16_t port, uint16_t v)
{
	__asm__ volatile("outw %w0, %w1" ::"a"(v), "Nd"(port));
}
static inline void outl(uint16_t port, uint32_t v)
{
	__asm__ volatile("outl %0, %w1" ::"a"(v), "Nd"(port));
}

#define EFLAGS_IF 0x200u

/* Turn interrupts off. Returns the flags for irq_restore(). */
static inline unsigned int irq_save(void)
{
	unsigned int f;
	__asm__ volatile("pushfl; popl %0; cli" : "=r"(f)::"memory");
	return f;
}
/* Turn interrupts on again if they were on before irq_save(). */
static inline void irq_restore(unsigned int flags)
{
	if (flags & EFLAGS_IF)
		__asm__ volatile("sti" ::: "memory");
}
static inline bool irqs_enabled(void)
{
	unsigned int f;
	__asm__ volatile("pushfl; popl %0" : "=r"(f));
	return f & EFLAGS_IF;
}
static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}
static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline uint64_t read_tsc(void)
{
	uint64_t t;
	__asm__ volatile("rdtsc" : "=A"(t));
	return t;
}
/* DR6 says what caused a debug trap. The CPU sets its bits and never clears them. */
static inline uint32_t read_dr6(void)
{
	uint32_t v;
	__asm__ volatile("movl %%dr6, %0" : "=r"(v));
	return v;
}
static inline void write_dr6(uint32_t v)
{
	__asm__ volatile("movl %0, %%dr6" ::"r"(v));
}
static inline uint32_t read_cr2(void)
{
	uint32_t v;
	__asm__ volatile("movl %%cr2, %0" : "=r"(v));
	return v;
}
static inline uint32_t read_cr3(void)
{
	uint32_t v;
	__asm__ volatile("movl %%cr3, %0" : "=r"(v));
	return v;
}
static inline void write_cr3(uint32_t v)
{
	__asm__ volatile("movl %0, %%cr3" ::"r"(v) : "memory");
}
static inline void invlpg(uintptr_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}
static inline uint32_t read_cr4(void)
{
	uint32_t v;
	__asm__ volatile("movl %%cr4, %0" : "=r"(v));
	return v;
}
static inline void write_cr4(uint32_t v)
{
	__asm__ volatile("movl %0, %%cr4" ::"r"(v) : "memory");
}
static inline uint64_t read_msr(uint32_t msr)
{
	uint64_t v;
	__asm__ volatile("rdmsr" : "=A"(v) : "c"(msr));
	return v;
}
static inline void write_msr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "A"(v));
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
			 : "a"(leaf), "c"(sub));
}

#endif
