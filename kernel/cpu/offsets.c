/*
 * What assembly knows of C: offsets into structures, and constants. Not a part of the kernel: the
 * Makefile compiles this to assembly and turns the marked lines into
 * build/names/kernel/cpu/offsets.inc, so that the two sides cannot differ.
 */
#include "kernel/cpu/smp.h"
#include "kernel/syscall.h"
#include "kernel/task.h"
#include "mm/mm.h"

#define DEFINE(name, value)	   __asm__("# define " #name " %c0" ::"i"(value))
#define OFFSET(name, type, member) DEFINE(name, offsetof(struct type, member))

void offsets(void);
void offsets(void)
{
	OFFSET(CPU_CURRENT, cpu, task);
	OFFSET(CPU_RESCHED, cpu, need_resched);
	OFFSET(TASK_ESP, task, kernel_esp);
	OFFSET(TASK_WORK, task, work);
	DEFINE(WORK_SIGNAL, TASK_WORK_SIGNAL);
	DEFINE(WORK_TRACE, TASK_WORK_TRACE | TASK_WORK_PTRACE | TASK_WORK_STEP);

	/* The entry code pushes a whole frame, and takes these out of it. */
	OFFSET(FRAME_ESI, trap_frame, esi);
	OFFSET(FRAME_EDI, trap_frame, edi);
	OFFSET(FRAME_EBP, trap_frame, ebp);
	OFFSET(FRAME_EBX, trap_frame, ebx);
	OFFSET(FRAME_EDX, trap_frame, edx);
	OFFSET(FRAME_ECX, trap_frame, ecx);
	OFFSET(FRAME_EAX, trap_frame, eax);
	OFFSET(FRAME_CS, trap_frame, cs);
	OFFSET(FAST_RETURN, stack_top, fast_return);
	DEFINE(KERNEL_DATA, SEL_KERNEL_DATA);
	DEFINE(USER_CODE, SEL_USER_CODE);
	DEFINE(USER_DATA, SEL_USER_DATA);
	DEFINE(PERCPU, SEL_PERCPU);
	DEFINE(SYSCALL, VECTOR_SYSCALL);
	DEFINE(NR_SYSCALLS, NR_SYSCALLS);
	DEFINE(EFLAGS_IF, EFLAGS_IF);
	DEFINE(EFLAGS_AC, EFLAGS_AC);
	DEFINE(EFAULT, EFAULT);
	DEFINE(USER_END, USER_END);

	OFFSET(FIELD_CR3, trampoline_fields, cr3);
	OFFSET(FIELD_CR4, trampoline_fields, cr4);
	OFFSET(FIELD_NX, trampoline_fields, nx);
	OFFSET(FIELD_STACK, trampoline_fields, stack);
	OFFSET(FIELD_CPU, trampoline_fields, cpu);
	OFFSET(FIELD_ENTRY, trampoline_fields, entry);
	DEFINE(FIELDS_SIZE, sizeof(struct trampoline_fields));
}

/* SAVE pushes the frame in this order, and iret takes its end. */
_Static_assert(offsetof(struct trap_frame, gs) == 0, "pushed last");
_Static_assert(offsetof(struct trap_frame, ds) == 12, "gs, fs, es, ds");
_Static_assert(offsetof(struct trap_frame, edi) == 16, "pushad");
_Static_assert(offsetof(struct trap_frame, eax) == 44, "pushad");
_Static_assert(offsetof(struct trap_frame, vector) == 48, "pushed by the stub");
_Static_assert(offsetof(struct trap_frame, error) == 52, "pushed by the CPU, or the stub");
_Static_assert(offsetof(struct trap_frame, eip) == 56, "pushed by the CPU");
_Static_assert(sizeof(struct trap_frame) == 76, "eip, cs, eflags, esp, ss");
_Static_assert(offsetof(struct stack_top, fast_return) == sizeof(struct trap_frame),
	       "frames begin below");
/* this_cpu() and current_task() in kernel/cpu/cpu.h. */
_Static_assert(offsetof(struct cpu, self) == 0, "%fs:0");
_Static_assert(offsetof(struct cpu, task) == 4, "%fs:4");
