/*
 * The interrupt controllers: local APIC and IO-APIC (Intel SDM vol. 3, chapter 10; 82093AA). On a
 * machine without them, the 8259 and the PIT are used.
 */
#ifndef KERNEL_CPU_APIC_H
#define KERNEL_CPU_APIC_H

#include "kernel/cpu/cpu.h"

#define MAX_IO_APICS	  4
#define MAX_VIRTIO_PLACES 32

/* The machine as ACPI describes it. kernel/cpu/acpi.c */
struct acpi_machine {
	unsigned int nr_cpus;
	uint8_t apic_ids[MAX_CPUS];
	uint32_t lapic; /* physical; 0: none */
	unsigned int nr_io_apics;
	struct {
		uint32_t phys;
		unsigned int base; /* its first global interrupt */
	} io_apics[MAX_IO_APICS];
	uint8_t isa_gsi[16];	/* where ISA interrupt n arrives */
	uint8_t isa_flags[16];	/* MADT polarity (bits 0-1) and trigger (bits 2-3) */
	uint16_t pm1a_control;	/* port of the power switch; 0: unknown */
	uint64_t sleep_control; /* power switch of reduced ACPI: port or address; 0: none */
	bool sleep_in_memory;	/* it is an address */
	uint16_t sleep_type;	/* SLP_TYP of S5 */
	unsigned int nr_virtio;
	struct
	{ /* virtio devices that are on no bus: their registers, and their global interrupt */
		uint32_t phys, size, gsi;
	} virtio[MAX_VIRTIO_PLACES];
};
extern struct acpi_machine acpi;
/* Read the ACPI tables. Called once at boot, when ioremap() works. */
void acpi_init(void);

/* Choose and set up the interrupt controllers. Called once at boot. */
void interrupts_init(void);
/*
 * Have the PIT tick if the machine's APICs are not used. Called once at boot, when time_init() has
 * measured the clocks, for which it may have used the same channel of the PIT.
 */
void pit_ticks_init(void);
/* Set up this CPU's local APIC. */
void lapic_init_cpu(void);
/* Returns true if the machine's APICs are used, and not the 8259. */
bool lapic_used(void);
/* Tell the local APIC that this interrupt has been handled. */
void lapic_eoi(void);
/* Send APIC_* to another CPU. Never sleeps. May be called in an interrupt. */
void lapic_send(uint8_t apic_id, uint32_t command);
#define APIC_FIXED   0x00004000 /* an interrupt; the vector is added in the low byte */
#define APIC_INIT    0x00004500
#define APIC_STARTUP 0x00004600

/*
 * Start this CPU's timer. VECTOR_TIMER comes once, when it has counted down from `count`, or never
 * if that is 0. lapic_timer_count() returns the current count. Without a local APIC both do
 * nothing, and the PIT ticks by itself.
 */
void lapic_timer_set(uint32_t count);
uint32_t lapic_timer_count(void);

/* Call the handlers of interrupt `irq`, which has arrived as VECTOR_IRQ_BASE + irq. */
void irq_dispatch(unsigned int irq);

#endif
