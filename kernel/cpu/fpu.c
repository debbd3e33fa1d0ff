/* Setting up the FPU, SSE and AVX (Intel SDM vol. 1, 10.5, chapter 13 and 14.3; vol. 3, 2.5). */
#include "kernel/cpu/fpu.h"
#include "lib/string.h"
#include "lib/wide_copy.h"

#define CR0_MP	       (1u << 1)
#define CR0_EM	       (1u << 2)
#define CR0_TS	       (1u << 3)
#define CR0_NE	       (1u << 5)
#define CR4_OSFXSR     (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_OSXSAVE    (1u << 18)

#define CPUID_XSAVE    (1u << 26) /* leaf 1, ecx */
#define CPUID_AVX      (1u << 28)
#define LEAF_XSAVE     0xdu

bool fpu_finds_avx(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	if ((r[2] & (CPUID_XSAVE | CPUID_AVX)) != (CPUID_XSAVE | CPUID_AVX))
		return false;
	cpuid(LEAF_XSAVE, 2, r); /* of component 2: its size and place */
	return r[0] == sizeof(current->fpu_state.ymm_high) &&
	       r[1] == offsetof(struct fpu_state, ymm_high);
}

void fpu_init_cpu(void)
{
	uint32_t cr0;

	__asm__ volatile("movl %%cr0, %0" : "=r"(cr0));
	cr0 = (cr0 & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE;
	__asm__ volatile("movl %0, %%cr0" ::"r"(cr0));
	write_cr4(read_cr4() | CR4_OSFXSR | (cpu_has.sse ? CR4_OSXMMEXCPT : 0));
	if (cpu_has.avx) {
		write_cr4(read_cr4() | CR4_OSXSAVE);
		__asm__ volatile("xsetbv" ::"c"(0), "a"(FPU_ALL), "d"(0));
	}
	/* Every other CPU calls this before its first long copy. */
	wide_copies = cpu_has.sse;
}

void fpu_reset(void)
{
	struct task *task = current;

	memset(&task->fpu_state, 0, sizeof(task->fpu_state));
	task->fpu_state.fx.control = FPU_CONTROL_DEFAULT;
	task->fpu_state.fx.mxcsr = FPU_MXCSR_DEFAULT; /* loaded even if no component is present */
	fpu_restore(task);
}

int fpu_error_code(bool sse)
{
	/*
	 * The exceptions in the order of their bits (SDM vol. 1, 8.1.3.3 and 10.2.3), and si_code
	 * for each.
	 */
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
