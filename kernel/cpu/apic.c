/*
 * Interrupt controllers. See kernel/cpu/apic.h for the contract.
 *
 * 1. With APICs, the IO-APICs send the devices' interrupts to the first CPU. The tick comes from
 *    the timer of each CPU's local APIC.
 * 2. Without APICs, the devices' interrupts come through the two 8259s, and the tick from the PIT
 *    (100 Hz).
 * 3. Drivers ask for lines at the same time on several CPUs. lines_lock guards the list of handlers
 *    and the registers that unmask a line. An interrupt reads the list without it, because entries
 *    are only added.
 */
#include "kernel/cpu/apic.h"
#include "kernel/cpu/irq.h"
#include "kernel/spinlock.h"
#include "lib/errno.h"
#include "kernel/time.h"
#include "kernel/cpu/trap.h"
#include "mm/page.h"
#include "mm/vmalloc.h"

/* Local APIC registers, in words. */
enum {
	LAPIC_ID = 0x20 / 4,
	LAPIC_TPR = 0x80 / 4,
	LAPIC_EOI = 0xb0 / 4,
	LAPIC_SPURIOUS = 0xf0 / 4,
	LAPIC_ICR_LOW = 0x300 / 4,
	LAPIC_ICR_HIGH = 0x310 / 4,
	LAPIC_LVT_TIMER = 0x320 / 4,
	LAPIC_LVT_LINT0 = 0x350 / 4,
	LAPIC_LVT_LINT1 = 0x360 / 4,
	LAPIC_LVT_ERROR = 0x370 / 4,
	LAPIC_TIMER_INITIAL = 0x380 / 4,
	LAPIC_TIMER_CURRENT = 0x390 / 4,
	LAPIC_TIMER_DIVIDE = 0x3e0 / 4,
};
#define LAPIC_ENABLE	0x100
#define LVT_MASKED	0x10000
#define LVT_NMI		0x400
#define LVT_EXTINT	0x700
#define ICR_PENDING	0x1000
#define DIVIDE_BY_16	0x3

#define MSR_APIC_BASE	0x1b
#define APIC_BASE_ON	(1u << 11)
#define APIC_BASE_PHYS	0xfffff000u

#define IO_APIC_VERSION 1
#define IO_APIC_ENTRY	0x10
#define IO_LEVEL	0x8000
#define IO_LOW_ACTIVE	0x2000
#define IO_MASKED	0x10000

#define PIC1		0x20
#define PIC2		0xa0
#define PIC_EOI		0x20
#define PIT_CHANNEL0	0x40
#define PIT_COMMAND	0x43
#define PIT_HZ		1193182u

#define NR_ISA_IRQS	16
#define NR_IRQS		48 /* two IO-APICs of the usual size */

struct irq_action {
	unsigned int irq;
	irq_handler handler;
	void *context;
};

#define NR_ACTIONS 32
static spinlock_t lines_lock = SPINLOCK_INIT("interrupt lines");
static struct irq_action actions[NR_ACTIONS];
static unsigned int
	nr_actions; /* raised when the action is complete, before its line is unmasked */

static volatile uint32_t *lapic;

/*
 * The IO-APICs, which have the global interrupts from `base` up to `end` - 1. There are some if
 * `lapic` is set.
 */
static struct io_apic {
	volatile uint32_t *registers;
	unsigned int base, end;
} io_apics[MAX_IO_APICS];
static unsigned int nr_io_apics;

static uint16_t pic_mask = 0xfffb; /* everything except the cascade */

bool lapic_used(void)
{
	return lapic != NULL;
}

void lapic_eoi(void)
{
	if (lapic)
		lapic[LAPIC_EOI] = 0;
}

void lapic_send(uint8_t apic_id, uint32_t command)
{
	unsigned int flags = irq_save();

	while (lapic[LAPIC_ICR_LOW] & ICR_PENDING)
		cpu_relax();
	lapic[LAPIC_ICR_HIGH] = (uint32_t)apic_id << 24;
	lapic[LAPIC_ICR_LOW] = command;
	irq_restore(flags);
}

static uint32_t io_apic_read(const struct io_apic *io_apic, unsigned int reg)
{
	io_apic->registers[0] = reg;
	return io_apic->registers[4];
}

static void io_apic_write(const struct io_apic *io_apic, unsigned int reg, uint32_t value)
{
	io_apic->registers[0] = reg;
	io_apic->registers[4] = value;
}

static unsigned int irq_to_gsi(unsigned int irq)
{
	return irq < NR_ISA_IRQS ? acpi.isa_gsi[irq] : irq;
}

/* Returns the IO-APIC that has a global interrupt, or NULL. */
static const struct io_apic *io_apic_of(unsigned int gsi)
{
	for (unsigned int i = 0; i < nr_io_apics; i++)
		if (gsi >= io_apics[i].base && gsi < io_apics[i].end)
			return &io_apics[i];
	return NULL;
}

static void pic_write_mask(void)
{
	outb(PIC1 + 1, pic_mask);
	outb(PIC2 + 1, pic_mask >> 8);
}

/* Make both 8259s use the vectors from VECTOR_IRQ_BASE on, with all lines masked. */
static void pic_init(void)
{
	static const uint8_t words[][2] = {
		{ 0x11, 0x11 },
		{ VECTOR_IRQ_BASE, VECTOR_IRQ_BASE + 8 },
		{ 4, 2 },
		{ 1, 1 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		outb(PIC1 + (i > 0), words[i][0]);
		outb(PIC2 + (i > 0), words[i][1]);
	}
	pic_write_mask();
}

static void line_unmask(unsigned int irq, bool level)
{
	unsigned int gsi = irq_to_gsi(irq);
	const struct io_apic *io_apic = io_apic_of(gsi);
	uint32_t entry = VECTOR_IRQ_BASE + irq;

	lockdep_held(&lines_lock);
	if (!io_apic) {
		pic_mask &= ~(1u << irq);
		pic_write_mask();
		return;
	}
	if (level || (irq < NR_ISA_IRQS && (acpi.isa_flags[irq] & 0xc) == 0xc))
		entry |= IO_LEVEL;
	if (irq < NR_ISA_IRQS && (acpi.isa_flags[irq] & 3) == 3)
		entry |= IO_LOW_ACTIVE;
	io_apic_write(io_apic, IO_APIC_ENTRY + (gsi - io_apic->base) * 2 + 1,
		      (uint32_t)cpus[0].apic_id << 24);
	io_apic_write(io_apic, IO_APIC_ENTRY + (gsi - io_apic->base) * 2, entry);
}

bool irq_exists(unsigned int irq)
{
	if (!lapic)
		return irq < NR_ISA_IRQS;
	return irq < NR_IRQS && io_apic_of(irq_to_gsi(irq));
}

int irq_request(unsigned int irq, bool level, irq_handler handler, void *context)
{
	unsigned int flags;
	int error = 0;

	if (!irq_exists(irq))
		return -EINVAL;
	flags = spin_lock_irqsave(&lines_lock);
	if (nr_actions < NR_ACTIONS) {
		actions[nr_actions] = (struct irq_action){ irq, handler, context };
		barrier(); /* x86 keeps stores in order */
		nr_actions++;
		line_unmask(irq, level);
	} else {
		error = -ENOMEM;
	}
	spin_unlock_irqrestore(&lines_lock, flags);
	return error;
}

/*
 * Each 8259 may raise a spurious interrupt on its last line. The in-service bit of that line is
 * then clear (8259A, "spurious").
 */
static bool pic_spurious(unsigned int irq)
{
	uint16_t port = irq < 8 ? PIC1 : PIC2;

	if (irq != 7 && irq != 15)
		return false;
	outb(port, 0x0b);
	if (inb(port) & 0x80)
		return false;
	if (irq == 15)
		outb(PIC1, PIC_EOI);
	return true;
}

void irq_dispatch(unsigned int irq)
{
	if (irq >= NR_IRQS || (!lapic && pic_spurious(irq)))
		return;
	for (unsigned int i = 0; i < nr_actions; i++)
		if (actions[i].irq == irq)
			actions[i].handler(actions[i].context);
	if (lapic) {
		lapic_eoi();
		return;
	}
	if (irq >= 8)
		outb(PIC2, PIC_EOI);
	outb(PIC1, PIC_EOI);
}

void lapic_init_cpu(void)
{
	this_cpu()->apic_id = lapic[LAPIC_ID] >> 24;
	lapic[LAPIC_TPR] = 0;
	lapic[LAPIC_LVT_LINT0] = LVT_MASKED;
	lapic[LAPIC_LVT_LINT1] = LVT_NMI;
	lapic[LAPIC_LVT_ERROR] = LVT_MASKED;
	lapic[LAPIC_TIMER_DIVIDE] = DIVIDE_BY_16;
	lapic[LAPIC_LVT_TIMER] = VECTOR_TIMER;
	lapic[LAPIC_SPURIOUS] = LAPIC_ENABLE | VECTOR_SPURIOUS;
}

void lapic_timer_set(uint32_t count)
{
	if (lapic)
		lapic[LAPIC_TIMER_INITIAL] = count;
}

uint32_t lapic_timer_count(void)
{
	return lapic ? lapic[LAPIC_TIMER_CURRENT] : 0;
}

static void pit_tick(void *context)
{
	tick();
}

void pit_ticks_init(void)
{
	unsigned int count = PIT_HZ / TICK_HZ;

	if (lapic)
		return;
	outb(PIT_COMMAND, 0x34); /* channel 0, rate generator */
	outb(PIT_CHANNEL0, count);
	outb(PIT_CHANNEL0, count >> 8);
	irq_request(0, false, pit_tick, NULL);
}

/*
 * A local APIC that is not used lets the 8259's interrupts through only by its LINT0, which is
 * masked after a reset (SDM vol. 3, 11.5.1). ACPI may describe one that CPUID does not tell of, or
 * be missing while CPUID tells of one.
 */
static void lapic_pass_through(void)
{
	uint64_t base = cpu_has.apic ? read_msr(MSR_APIC_BASE) : 0;
	volatile uint32_t *unused = NULL;

	if (acpi.lapic)
		unused = ioremap(acpi.lapic, PAGE_SIZE);
	else if (base & APIC_BASE_ON)
		unused = ioremap(base & APIC_BASE_PHYS, PAGE_SIZE);
	if (!unused)
		return;
	unused[LAPIC_SPURIOUS] = LAPIC_ENABLE | VECTOR_SPURIOUS;
	unused[LAPIC_LVT_LINT0] = LVT_EXTINT;
}

/* Map an IO-APIC that ACPI has described, and mask its inputs. */
static void io_apic_add(uint32_t phys, unsigned int base)
{
	struct io_apic *io_apic = &io_apics[nr_io_apics];

	io_apic->registers = ioremap(phys, PAGE_SIZE);
	if (!io_apic->registers)
		return;
	io_apic->base = base;
	io_apic->end = base + (io_apic_read(io_apic, IO_APIC_VERSION) >> 16 & 0xff) + 1;
	for (unsigned int i = 0; i < io_apic->end - base; i++)
		io_apic_write(io_apic, IO_APIC_ENTRY + i * 2, IO_MASKED);
	nr_io_apics++;
}

void interrupts_init(void)
{
	pic_init();
	if (cpu_has.apic && acpi.lapic && acpi.nr_io_apics)
		lapic = ioremap(acpi.lapic, PAGE_SIZE);
	for (unsigned int i = 0; lapic && i < acpi.nr_io_apics; i++)
		io_apic_add(acpi.io_apics[i].phys, acpi.io_apics[i].base);
	if (!nr_io_apics) {
		lapic = NULL;
		lapic_pass_through();
		if (acpi.nr_cpus > 1)
			log_info(
				"1 of %u CPUs is used: without an APIC the others cannot be started",
				acpi.nr_cpus);
		acpi.nr_cpus = 0;
		log_info("interrupts: 8259, tick from the PIT");
		return;
	}
	lapic_init_cpu();
}
