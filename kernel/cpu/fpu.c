/* Setting up the FPU and SSE (Intel SDM vol. 1, 10.5; vol. 3, 2.5). */
#include "kernel/cpu/fpu.h"
#include "lib/string.h"
#include "lib/wide_copy.h"

#define CR0_MP	       (1u << 1)
#define CR0_EM	       (1u << 2)
#define CR0_TS	       (1u << 3)
#define CR0_NE	       (1u << 5)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)

#define FCW_DEFAULT    0x037f
#define MXCSR_DEFAULT  0x1f80
#define FXSAVE_MXCSR   24 /* offset in the FXSAVE area */

void fpu_init_cpu(void)
{
	uint32_t cr0;

	__asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE;
	__asm__ volatile("movl %0, %%cr0" ::"r"(cr0));
	write_cr4(read_cr4() | CR4_OSFXSR | (cpu_has.sse ? CR4_OSXMMEXCPT : 0));
	/* Every other CPU calls this before its first long copy. */
	wide_copies = cpu_has.sse;
}

void fpu_reset(void)
{
	struct task *task = current;
	uint32_t mxcsr = MXCSR_DEFAULT;
	uint16_t fcw = FCW_DEFAULT;

	memset(task->fpu_state, 0, sizeof(task->fpu_state));
	memcpy(task->fpu_state, &fcw, sizeof(fcw));
	memcpy(task->fpu_state + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	fpu_restore(task);
}

int fpu_error_code(bool sse)
{
	/* The exceptions in the order of their bits (SDM vol. 1, 8.1.3.3 and 10.2.3), and si_code for each. */
	enum { FLTDIV = 3, FLTOVF, FLTUND, FLTRES, FLTINV };
	static const uint8_t codes[] = { FLTINV, FLTUND, FLTDIV, FLTOVF, FLTUND, FLTRES };
	static const uint8_t first_asked[] = { 0, 2, 3, 1, 4, 5 };
	uint16_t control, status;
	uint32_t mxcsr, errors;

	if (sse) {
		__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
		errors = mxcsr & ~(mxcsr >> 7);
	} else {
		__asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
		errors = status & ~control;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(first_asked); i++)
		if (errors & 1u << first_asked[i])
			return codes[first_asked[i]];
	return 0;
}
