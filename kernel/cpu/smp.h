/*
 * Starting, stopping and interrupting the other CPUs.
 */
#ifndef KERNEL_CPU_SMP_H
#define KERNEL_CPU_SMP_H

#include "kernel/cpu/cpu.h"

struct trampoline_fields { /* what the trampoline reads: the end of boot/trampoline.asm */
	uint32_t cr3, cr4, nx, stack, cpu, entry;
};

/* Start every CPU that ACPI lists, up to MAX_CPUS, and wait until they run. Called once at boot. */
void smp_start(void);
/* Interrupt all other CPUs and make them stop for good (panic, halt). Does not wait for them. */
void smp_stop_others(void);
void smp_stop_this_cpu(void) __noreturn;
/* Handle VECTOR_TLB, another CPU's request to flush this CPU's TLB. kernel/cpu/tlb.c */
void tlb_interrupt(void);

/* Set cpu_has from CPUID. Panics if the CPU lacks a feature that is needed. Called once at boot. */
void cpu_detect(void);
/* Turn on the detected features. Called once on each CPU. */
void cpu_enable_features(void);

#endif
