/*
 * Local APIC and IO-APIC (Intel SDM vol. 3, chapter 10; 82093AA), or the 8259 and the PIT where
 * CPUID has no APIC.
 */
#ifndef KERNEL_APIC_H
#define KERNEL_APIC_H

#include "kernel/cpu.h"

/* What ACPI's MADT says; kernel/acpi.c */
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

/* The tick of this CPU comes once, `ns` from now (LAPIC); the PIT ticks on by itself. */
void tick_arm(uint64_t ns);

/*
 * For kernel/time.c, which measures all clocks together: let the timer count down without
 * interrupting, read it, and set its rate, in counts a millisecond.
 */
void lapic_timer_start_measure(void);
uint32_t lapic_timer_count(void);
void lapic_timer_end_measure(uint64_t per_ms);

/* Dispatch of VECTOR_IRQ_BASE + n; kernel/irq.c */
void irq_dispatch(unsigned int irq);

#endif
