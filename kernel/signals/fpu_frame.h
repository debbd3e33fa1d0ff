/*
 * The floating-point part of a signal frame: struct _fpstate_32 of Linux/i386.
 *
 * 1. The old FSAVE image comes first, then the FXSAVE image, which is what sigreturn loads.
 * 2. On a CPU with AVX, the rest of the XSAVE image follows, and a second magic number. The bytes
 *    of the FXSAVE image that the CPU leaves alone tell of it. A program that does not know them
 *    does no harm: if one of the magic numbers is gone, sigreturn loads the FXSAVE image only.
 */
#ifndef KERNEL_SIGNALS_FPU_FRAME_H
#define KERNEL_SIGNALS_FPU_FRAME_H

#include "lib/types.h"

#define USER_FPU_SIZE 624u /* without what AVX adds */

/* Returns how many bytes below sp the state takes at most. */
size_t fpu_frame_size(void);
/* Returns the user address below sp where the state has its place. */
uint32_t fpu_frame_place(uint32_t sp);
/* Save the current task's state at such a place. Returns 0 or -EFAULT. May sleep. */
int fpu_frame_push(uint32_t at);
/*
 * Load the state from a user address, or the initial state from NULL. Bits that the CPU would
 * refuse are cleared. Returns 0 or -EFAULT. May sleep.
 */
int fpu_frame_pop(const void __user *from);

#endif
