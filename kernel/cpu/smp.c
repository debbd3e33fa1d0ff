/* Detecting CPU features, and starting and stopping CPUs. */
#include "kernel/cpu/smp.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/irq.h"
#include "kernel/time.h"
#include "kernel/time_limit.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/pgtable.h"

#define TRAMPOLINE 0x8000u
#define START_WAIT (500 * NSEC_PER_MSEC)

struct cpu cpus[MAX_CPUS];
unsigned int nr_cpus = 1;
struct cpu_features cpu_has;

extern char trampoline_start[], trampoline_end[], trampoline_fields[];

#define CR4_PGE	 (1u << 7)
#define CR4_UMIP (1u << 11)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)
#define MSR_EFER 0xc0000080
#define MSR_PAT	 0x277
/*
 * As after a reset (SDM vol. 3, 12.12.4), but for entry 4, which is write combining: PTE_COMBINING
 * selects it.
 */
#define PAT	 0x0007040100070406ull
#define EFER_NXE (1u << 11)

static uint32_t cr4_features;

/* The first Pentium Pros say that they have sysenter, but lack it. Intel SDM vol. 2, SYSENTER. */
static bool has_sysenter(const uint32_t leaf_1[4])
{
	uint32_t signature = leaf_1[0];
	unsigned int family = signature >> 8 & 0xf, stepping = signature & 0xf;
	unsigned int model = (signature >> 4 & 0xf) | (signature >> 12 & 0xf0);

	return (leaf_1[3] >> 11 & 1) && !(family == 6 && model < 3 && stepping < 3);
}

void cpu_detect(void)
{
	uint32_t r[4], max, max_extended;

	cpuid(0, 0, r);
	max = r[0];
	cpuid(0x80000000, 0, r);
	max_extended = r[0];
	cpuid(1, 0, r);
	if (!(r[3] >> 4 & 1) || !(r[3] >> 24 & 1))
		cannot_start("this CPU has no TSC, or no FXSAVE; in QEMU use -cpu max");
	cpu_has.apic = r[3] >> 9 & 1;
	cpu_has.sysenter = has_sysenter(r);
	cpu_has.pge = r[3] >> 13 & 1;
	cpu_has.pat = r[3] >> 16 & 1;
	cpu_has.sse = r[3] >> 25 & 1;
	cpu_has.lfence = r[3] >> 26 & 1;
	cpu_has.rdrand = r[2] >> 30 & 1;
	cpu_has.avx = fpu_finds_avx();
	cr4_features = cpu_has.pge ? CR4_PGE : 0;
	if (max >= 7) {
		cpuid(7, 0, r);
		cpu_has.smap = r[1] >> 20 & 1;
		cr4_features |= (r[1] >> 7 & 1 ? CR4_SMEP : 0) | (cpu_has.smap ? CR4_SMAP : 0) |
				(r[2] >> 2 & 1 ? CR4_UMIP : 0);
	}
	if (max_extended >= 0x80000001) {
		cpuid(0x80000001, 0, r);
		cpu_has.nx = r[3] >> 20 & 1;
	}
}

void cpu_enable_features(void)
{
	if (cpu_has.pat)
		write_msr(MSR_PAT, PAT);
	if (cpu_has.nx)
		write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_NXE);
	if (cpu_has.sysenter)
		segments_enable_sysenter(this_cpu());
	write_cr4(read_cr4() | cr4_features);
	fpu_init_cpu();
}

static void smp_cpu_entry(struct cpu *cpu)
{
	segments_init_cpu(cpu);
	sched_init_cpu(cpu, cpu->idle);
	cpu_enable_features();
	lapic_init_cpu();
	memory_barrier();
	cpu->online = true;
	sched_idle();
}

static bool start_cpu(struct cpu *cpu, uint8_t apic_id, struct trampoline_fields *fields)
{
	struct task *idle = task_alloc("idle");
	struct time_limit limit;

	if (!idle)
		return false;
	cpu->apic_id = apic_id;
	cpu->idle = idle;
	fields->stack = (uint32_t)idle->stack + KERNEL_STACK_SIZE;
	fields->cpu = (uint32_t)cpu;
	memory_barrier();
	lapic_send(apic_id, APIC_INIT);
	time_delay(NSEC_PER_MSEC);
	for (unsigned int try = 0; try < 2 && !cpu->online; try++) {
		lapic_send(apic_id, APIC_STARTUP | TRAMPOLINE >> PAGE_SHIFT);
		limit = time_limit(START_WAIT);
		while (!cpu->online && !time_limit_over(&limit))
			cpu_relax();
	}
	if (!cpu->online)
		log_warning("CPU with APIC id %u did not start; continuing without it", apic_id);
	return cpu->online;
}

void smp_start(void)
{
	struct trampoline_fields *fields =
		phys_to_virt(TRAMPOLINE + (trampoline_fields - trampoline_start));

	if (!lapic_used() || acpi.nr_cpus < 2)
		return;
	memcpy(phys_to_virt(TRAMPOLINE), trampoline_start, trampoline_end - trampoline_start);
	fields->cr3 = kernel_cr3;
	fields->cr4 = read_cr4() & ~(CR4_SMEP | CR4_SMAP);
	fields->nx = cpu_has.nx;
	fields->entry = (uint32_t)smp_cpu_entry;
	pgtable_map_low(true);
	for (unsigned int i = 0; i < acpi.nr_cpus; i++) {
		if (acpi.apic_ids[i] == cpus[0].apic_id)
			continue;
		if (!start_cpu(&cpus[nr_cpus], acpi.apic_ids[i], fields))
			break;
		nr_cpus++;
	}
	pgtable_map_low(false);
	log_info("%u CPUs", nr_cpus);
}

void smp_send_reschedule(struct cpu *cpu)
{
	lapic_send(cpu->apic_id, APIC_FIXED | VECTOR_RESCHEDULE);
}

void smp_stop_others(void)
{
	for (unsigned int i = 0; i < nr_cpus; i++)
		if (&cpus[i] != this_cpu() && cpus[i].online)
			lapic_send(cpus[i].apic_id, APIC_FIXED | VECTOR_STOP);
}

void smp_stop_this_cpu(void)
{
	this_cpu()->online = false;
	for (;;)
		__asm__ volatile("cli; hlt");
}
