/*
 * Dispatching of traps and interrupts. They lead to the page fault handler, to a device's handler,
 * to a signal, or to a panic.
 *
 * A trap in kernel mode is an error of the kernel, unless the exception table has its address.
 * Traps call higher layers (memory, signals) through the handlers that kmain() passes to
 * traps_init().
 */
#include "kernel/cpu/trap.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/debug.h"
#include "kernel/cpu/fpu.h"
#include "kernel/cpu/smp.h"
#include "kernel/task.h"

/* si_code values of faults, as in siginfo. */
#define FPE_INTDIV 1
#define ILL_ILLOPN 2
#define BUS_ADRALN 1

struct ex_entry {
	uint32_t fault, fixup;
};
extern const struct ex_entry _ex_table_start[], _ex_table_end[];

/* For each vector its name in a panic, and the signal that a program gets. */
static const struct trap {
	const char *name;
	int signo, code;
} traps[] = {
	{ "divide error", SIGFPE, FPE_INTDIV },
	{ "debug", SIGTRAP, 0 }, /* debug_trap() tells the code */
	{ "NMI", SIGSEGV, SI_KERNEL },
	{ "breakpoint", SIGTRAP, SI_KERNEL },
	{ "overflow", SIGSEGV, SI_KERNEL },
	{ "bound", SIGSEGV, SI_KERNEL },
	{ "invalid opcode", SIGILL, ILL_ILLOPN },
	{ "no FPU", SIGILL, ILL_ILLOPN },
	{ "double fault", SIGSEGV, SI_KERNEL },
	{ "9", SIGSEGV, SI_KERNEL },
	{ "invalid TSS", SIGSEGV, SI_KERNEL },
	{ "segment not present", SIGBUS, SI_KERNEL },
	{ "stack fault", SIGBUS, SI_KERNEL },
	{ "general protection", SIGSEGV, SI_KERNEL },
	{ "page fault", SIGSEGV, SI_KERNEL },
	{ "15", SIGSEGV, SI_KERNEL },
	{ "FPU error", SIGFPE, 0 }, /* the FPU tells the code */
	{ "alignment", SIGBUS, BUS_ADRALN },
	{ "machine check", SIGSEGV, SI_KERNEL },
	{ "SIMD error", SIGFPE, 0 },
	{ "a trap", SIGSEGV, SI_KERNEL }, /* all others */
};

static const struct trap_handlers *handlers;

void traps_init(const struct trap_handlers *above)
{
	handlers = above;
}

struct stack_top *task_stack_top(const struct task *task)
{
	return (struct stack_top *)((char *)task->stack + KERNEL_STACK_SIZE) - 1;
}

struct trap_frame *task_frame(struct task *task)
{
	return &task_stack_top(task)->frame;
}

bool fixup_exception(struct trap_frame *frame)
{
	for (const struct ex_entry *entry = _ex_table_start; entry < _ex_table_end; entry++) {
		if (entry->fault == frame->eip) {
			frame->eip = entry->fixup;
			return true;
		}
	}
	return false;
}

void trap_fatal(struct trap_frame *frame, const char *what)
{
	unsigned int offset;
	const char *name = symbol_find(frame->eip, &offset);

	panic_at(frame, "%s in the kernel at %08x (%s+0x%x)", what, frame->eip, name, offset);
}

/* A program has caused a trap that is not a page fault. Interrupts are off. */
static void trap_in_program(struct trap_frame *frame, const struct trap *trap)
{
	uint32_t address = frame->eip;
	int code = trap->code;

	if (frame->vector == TRAP_DEBUG)
		code = debug_trap(frame);
	irq_enable();
	if (frame->vector == TRAP_FPU_ERROR || frame->vector == TRAP_SIMD_ERROR) {
		code = fpu_error_code(frame->vector == TRAP_SIMD_ERROR);
		if (code == 0) /* there is no error any more: the program goes on */
			return;
	}
	if (code == SI_KERNEL || frame->vector == TRAP_ALIGNMENT)
		address = 0;
	handlers->signal(trap->signo, code, address);
}

static void exception(struct trap_frame *frame)
{
	const struct trap *trap = &traps[MIN(frame->vector, ARRAY_SIZE(traps) - 1)];

	if (frame->vector == TRAP_NMI) {
		handlers->nmi(frame);
		return;
	}
	if (frame->vector == TRAP_PAGE_FAULT) {
		uint32_t va = read_cr2();

		/* Code that runs with interrupts on may sleep while its fault is resolved. */
		if (frame->eflags & EFLAGS_IF)
			irq_enable();
		handlers->page_fault(frame, va, frame->error);
		return;
	}
	if (trap_from_user(frame)) {
		trap_in_program(frame, trap);
		return;
	}
	if (frame->vector == TRAP_DEBUG)
		(void)debug_trap(frame);
	else if (!fixup_exception(frame))
		trap_fatal(frame, trap->name);
}

static void interrupt(const struct trap_frame *frame)
{
	unsigned int vector = frame->vector;
	struct cpu *cpu = this_cpu();

	cpu->irq_depth++;
	cpu->interrupts++;
	cpu->interrupted_user = trap_from_user(frame);
	switch (vector) {
	case VECTOR_TIMER:
		lapic_eoi();
		tick();
		break;
	case VECTOR_RESCHEDULE:
		lapic_eoi();
		cpu->need_resched = 1;
		break;
	case VECTOR_TLB:
		tlb_interrupt();
		lapic_eoi();
		break;
	case VECTOR_STOP:
		smp_stop_this_cpu();
	case VECTOR_SPURIOUS:
		break;
	default:
		irq_dispatch(vector - VECTOR_IRQ_BASE);
		break;
	}
	cpu->irq_depth--;
}

void trap_dispatch(struct trap_frame *frame);
void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector < 32)
		exception(frame);
	else if (frame->vector >= VECTOR_IRQ_BASE && frame->vector != VECTOR_SYSCALL)
		interrupt(frame);
}

void return_work(struct trap_frame *frame);
void return_work(struct trap_frame *frame)
{
	if (this_cpu()->need_resched)
		schedule();
	if (current->work & TASK_WORK_SIGNAL)
		handlers->return_to_user(frame);
}
