/*
 * The memory image of the FPU, SSE and AVX registers, as FXSAVE and XSAVE write it (Intel SDM vol.
 * 1, 10.5.1 and 13.4).
 */
#ifndef KERNEL_CPU_FPU_STATE_H
#define KERNEL_CPU_FPU_STATE_H

#include "lib/types.h"

struct fxsave {
	uint16_t control, status;
	uint8_t x87[20];
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[432];
	uint8_t software[48]; /* the CPU neither writes nor reads these */
};

struct fpu_state {
	struct fxsave fx;
	/* From here on only with AVX. A component that is not present has its initial value. */
	uint64_t present; /* FPU_* */
	uint64_t zeros[7];
	uint8_t ymm_high[256];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct fxsave) == 512, "FXSAVE area");
_Static_assert(sizeof(struct fpu_state) == 832, "XSAVE area with AVX");

/* The initial values of two registers. All others begin with zero. */
#define FPU_CONTROL_DEFAULT 0x037f
#define FPU_MXCSR_DEFAULT   0x1f80

/* The components, as in XCR0 and in fpu_state.present. */
#define FPU_X87 1u
#define FPU_SSE 2u
#define FPU_AVX 4u
#define FPU_ALL (FPU_X87 | FPU_SSE | FPU_AVX)

#endif
