/*
 * GDT, IDT and TSS.
 *
 * 1. Every CPU has its own GDT and TSS. All CPUs share one IDT.
 * 2. The double fault runs as a separate hardware task with its own stack. It can therefore print a
 *    message even if the kernel stack has overflowed into its guard page.
 * 3. A call by sysenter begins on a stack for one instruction, the entry stack. Only a debug trap
 *    or an NMI can come then, and they stay on it.
 * 4. The three segments for thread-local storage are loaded anew for each task.
 * Intel SDM vol. 3, chapters 3, 5.8.7, 6 and 7.
 */
#include "kernel/task.h"
#include "lib/string.h"

struct tss {
	uint32_t back_link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, io_map;
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t zero, type;
	uint16_t offset_high;
};

#define GDT_ENTRIES	 11
#define IO_MAP_BYTES	 (65536 / 8 + 1) /* with the byte of ones that ends it */
#define IO_MAP_NONE	 0xffff		 /* beyond the TSS */
#define FAULT_STACK	 2048
#define ENTRY_STACK	 2048 /* enough for the report that an NMI writes */

#define MSR_SYSENTER_CS	 0x174 /* ss is the descriptor after it */
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

/* Descriptor types and flags. */
#define SEG_CODE	    0x9a /* present, code, readable */
#define SEG_DATA	    0x92 /* present, data, writable */
#define SEG_USER	    0x60 /* privilege level 3 */
#define SEG_TSS		    0x89 /* present, 32-bit TSS */
#define SEG_FLAT	    0xc	 /* 32-bit, limit in pages */
#define SEG_BYTES	    0x4	 /* 32-bit, limit in bytes */
#define GATE_INTERRUPT	    0x8e
#define GATE_TRAP_USER	    0xef
#define GATE_INTERRUPT_USER 0xee
#define GATE_TASK	    0x85

struct entry_stack {
	char stack[ENTRY_STACK];
	uint32_t task_stack; /* sysenter loads its address, and the first instruction its value */
};

struct cpu_tables {
	struct segment_descriptor gdt[GDT_ENTRIES];
	struct entry_stack entry;
	struct tss tss;
	uint8_t denied_ports[IO_MAP_BYTES]; /* part of the TSS; see kernel/cpu/ports.h */
	struct tss fault_tss;
	char fault_stack[FAULT_STACK] __attribute__((aligned(16)));
};

static struct cpu_tables tables[MAX_CPUS];
static struct gate idt[256] __attribute__((aligned(8)));

extern const uint32_t trap_stubs[256];
void syscall_entry(void);
void sysenter_entry(void);
void double_fault_entry(void);

static struct segment_descriptor descriptor(uint32_t base, uint32_t limit, uint8_t type,
					    uint8_t flags)
{
	return (struct segment_descriptor){
		.low = (base & 0xffff) << 16 | (limit & 0xffff),
		.high = (base & 0xff000000) | (uint32_t)flags << 20 | (limit & 0xf0000) |
			(uint32_t)type << 8 | (base >> 16 & 0xff),
	};
}

struct segment_descriptor segment_for_tls(uint32_t base, uint32_t limit)
{
	return descriptor(base, limit, SEG_DATA | SEG_USER, SEG_FLAT);
}

static void set_gate(unsigned int vector, uint32_t handler, uint16_t selector, uint8_t type)
{
	idt[vector] = (struct gate){ handler, selector, 0, type, handler >> 16 };
}

static void idt_fill(void)
{
	for (unsigned int v = 0; v < 256; v++)
		set_gate(v, trap_stubs[v], SEL_KERNEL_CODE, GATE_INTERRUPT);
	set_gate(TRAP_BREAKPOINT, trap_stubs[TRAP_BREAKPOINT], SEL_KERNEL_CODE,
		 GATE_INTERRUPT_USER);
	set_gate(TRAP_OVERFLOW, trap_stubs[TRAP_OVERFLOW], SEL_KERNEL_CODE, GATE_INTERRUPT_USER);
	set_gate(VECTOR_SYSCALL, (uint32_t)syscall_entry, SEL_KERNEL_CODE, GATE_TRAP_USER);
	set_gate(TRAP_DOUBLE_FAULT, 0, SEL_DF_TSS, GATE_TASK);
}

void segments_init_cpu(struct cpu *cpu)
{
	struct cpu_tables *t = &tables[cpu - cpus];
	struct segment_descriptor *gdt = t->gdt;
	struct {
		uint16_t limit;
		uint32_t base;
	} __packed pointer;

	if (cpu == &cpus[0])
		idt_fill();
	cpu->self = cpu;
	cpu->id = cpu - cpus;
	cpu->tables = t;
	gdt[SEL_KERNEL_CODE >> 3] = descriptor(0, 0xfffff, SEG_CODE, SEG_FLAT);
	gdt[SEL_KERNEL_DATA >> 3] = descriptor(0, 0xfffff, SEG_DATA, SEG_FLAT);
	gdt[SEL_USER_CODE >> 3] = descriptor(0, 0xfffff, SEG_CODE | SEG_USER, SEG_FLAT);
	gdt[SEL_USER_DATA >> 3] = descriptor(0, 0xfffff, SEG_DATA | SEG_USER, SEG_FLAT);
	gdt[SEL_PERCPU >> 3] = descriptor((uint32_t)cpu, sizeof(*cpu) - 1, SEG_DATA, SEG_BYTES);
	gdt[SEL_TSS >> 3] =
		descriptor((uint32_t)&t->tss, sizeof(t->tss) + IO_MAP_BYTES - 1, SEG_TSS, 0);
	gdt[SEL_DF_TSS >> 3] =
		descriptor((uint32_t)&t->fault_tss, sizeof(t->fault_tss) - 1, SEG_TSS, 0);
	t->tss = (struct tss){ .ss0 = SEL_KERNEL_DATA, .io_map = IO_MAP_NONE };
	t->fault_tss = (struct tss){
		.esp = (uint32_t)t->fault_stack + FAULT_STACK,
		.eip = (uint32_t)double_fault_entry,
		.eflags = 2,
		.cs = SEL_KERNEL_CODE,
		.ss = SEL_KERNEL_DATA,
		.ds = SEL_KERNEL_DATA,
		.es = SEL_KERNEL_DATA,
		.fs = SEL_PERCPU,
		.cr3 = read_cr3(),
		.io_map = sizeof(t->fault_tss),
	};

	pointer.limit = sizeof(t->gdt) - 1;
	pointer.base = (uint32_t)gdt;
	__asm__ volatile("lgdt %0" ::"m"(pointer));
	__asm__ volatile(
		"ljmp %0, $1f\n1:\n\t"
		"movl %1, %%ds; movl %1, %%es; movl %1, %%ss; movl %2, %%fs; movl %3, %%gs" ::"i"(
			SEL_KERNEL_CODE),
		"r"(SEL_KERNEL_DATA), "r"(SEL_PERCPU), "r"(0)
		: "memory");
	__asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
	__asm__ volatile("lldt %w0" ::"r"(0));
	pointer.limit = sizeof(idt) - 1;
	pointer.base = (uint32_t)idt;
	__asm__ volatile("lidt %0" ::"m"(pointer));
}

void segments_enable_sysenter(const struct cpu *cpu)
{
	write_msr(MSR_SYSENTER_CS, SEL_KERNEL_CODE);
	write_msr(MSR_SYSENTER_ESP, (uint32_t)&cpu->tables->entry.task_stack);
	write_msr(MSR_SYSENTER_EIP, (uint32_t)sysenter_entry);
}

void segments_set_stack(struct cpu *cpu, const struct task *task)
{
	uint32_t top = (uint32_t)&task_stack_top(task)->fast_return;

	cpu->tables->tss.esp0 = top;
	cpu->tables->entry.task_stack = top;
}

void segments_set_fault_cr3(uint32_t cr3)
{
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		tables[i].fault_tss.cr3 = cr3;
}

void segments_forbid_ports(struct cpu *cpu)
{
	cpu->tables->tss.io_map = IO_MAP_NONE;
}

void segments_allow_ports(struct cpu *cpu, const uint8_t *denied)
{
	uint8_t *map = cpu->tables->denied_ports;

	if (denied)
		memcpy(map, denied, IO_MAP_BYTES - 1);
	else
		memset(map, 0, IO_MAP_BYTES - 1);
	map[IO_MAP_BYTES - 1] = 0xff;
	cpu->tables->tss.io_map =
		offsetof(struct cpu_tables, denied_ports) - offsetof(struct cpu_tables, tss);
}

void segments_load_tls(struct task *task)
{
	struct segment_descriptor *to = &this_cpu()->tables->gdt[SEL_TLS_FIRST];

	for (unsigned int i = 0; i < NR_TLS; i++)
		to[i] = task->tls[i];
}

/* ---- the double fault ---- */

void double_fault(void);
/* Panic. The stack pointer usually lies on the guard page below a kernel stack. */
void double_fault(void)
{
	const struct tss *tss = &this_cpu()->tables->tss;
	struct trap_frame at = {
		.eip = tss->eip,
		.cs = tss->cs,
		.eflags = tss->eflags,
		.eax = tss->eax,
		.ebx = tss->ebx,
		.ecx = tss->ecx,
		.edx = tss->edx,
		.esi = tss->esi,
		.edi = tss->edi,
		.ebp = tss->ebp,
	};

	/*
	 * The hardware task switch has set CR0.TS. Wide copies, which scroll the screen, would
	 * fault.
	 */
	__asm__ volatile("clts");
	panic_at(&at, "double fault%s",
		 tss->esp - (uint32_t)current->stack + PAGE_SIZE < 2 * PAGE_SIZE
			 ? ": the kernel stack has overflowed"
			 : "");
}
