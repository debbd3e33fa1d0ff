/*
 * Local APIC and IO-APIC (Intel SDM vol. 3, chapter 10; 82093AA), or the 8259 and the PIT where
 * CPUID has no APIC.
 */
#ifndef KERNEL_CPU_APIC_H
#define KERNEL_CPU_APIC_H

#include "kernel/cpu/cpu.h"

/* What ACPI's MADT says; kernel/cpu/acpi.c */
struct acpi_machine {
	unsigned int nr_cpus;
	uint8_t apic_ids[MAX_CPUS];
	uint32_t lapic, io_apic;   /* physical; 0: none */
	unsigned int io_apic_base; /* its first global interrupt */
	uint8_t isa_gsi[16];	   /* where ISA interrupt n arrives */
	uint8_t isa_flags[16];	   /* MADT polarity (bits 0-1) and trigger (bits 2-3) */
	uint16_t pm1a_control;	   /* port for the power switch; 0: unknown */
	uint16_t sleep_type;	   /* SLP_TYP of S5 */
};
extern struct acpi_machine acpi;
void acpi_init(void);

/* Choose and set up the controllers; registers the tick. */
void interrupts_init(void);
/* This CPU's local APIC. */
void lapic_init_cpu(void);
bool lapic_used(void);
void lapic_eoi(void);
void lapic_send(uint8_t apic_id, uint32_t command);
#define APIC_FIXED   0x00004000 /* a plain interrupt, vector in the low byte */
#define APIC_INIT    0x00004500
#define APIC_STARTUP 0x00004600

/*
 * This CPU's timer: VECTOR_TIMER comes once, when it has counted down from `count` (0: never), and
 * how far it is. Without a local APIC nothing: the PIT ticks by itself.
 */
void lapic_timer_set(uint32_t count);
uint32_t lapic_timer_count(void);

/* Dispatch of VECTOR_IRQ_BASE + n; kernel/irq.c */
void irq_dispatch(unsigned int irq);

#endif
