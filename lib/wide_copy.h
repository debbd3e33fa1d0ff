/*
 * Copies and fills in steps of 64 bytes, through four 16-byte SSE registers. They need a third
 * fewer instructions than `rep movsl`, and are faster in QEMU.
 *
 * 1. The SSE registers belong to the user program, because the kernel does not save them on entry.
 *    A wide copy saves the registers that it uses on its stack, and restores them afterwards. It
 *    may therefore be interrupted, nested, and sleep in a page fault like any other code.
 * 2. wide_copies is true if the CPUs have SSE. It is set at boot, when SSE is enabled.
 */
#ifndef LIB_WIDE_COPY_H
#define LIB_WIDE_COPY_H

#include "lib/types.h"

#define WIDE_COPY_STEP 64u
#define WIDE_COPY_MIN  256u /* shorter copies do not gain as much as the saving costs */

extern bool wide_copies; /* lib/string.c; set at boot */

//BOOK: wide-copy
/*
 * Copy `-at` bytes, a multiple of 64, that end at `to` and `from`. `at` (ssize_t) counts up to 0.
 * `save` is a buffer of 64 bytes. The instructions that access the bytes have the labels 10 to 17.
 * A fault in one of them may continue at label 18, and then `-at` bytes have not been copied.
 */
#define WIDE_COPY(to, from, at, save, faults)                   \
	__asm__ volatile("	movups %%xmm0, (%3)\n"               \
			 "	movups %%xmm1, 16(%3)\n"             \
			 "	movups %%xmm2, 32(%3)\n"             \
			 "	movups %%xmm3, 48(%3)\n"             \
			 "10:	movups (%2, %0), %%xmm0\n"        \
			 "11:	movups 16(%2, %0), %%xmm1\n"      \
			 "12:	movups 32(%2, %0), %%xmm2\n"      \
			 "13:	movups 48(%2, %0), %%xmm3\n"      \
			 "14:	movups %%xmm0, (%1, %0)\n"        \
			 "15:	movups %%xmm1, 16(%1, %0)\n"      \
			 "16:	movups %%xmm2, 32(%1, %0)\n"      \
			 "17:	movups %%xmm3, 48(%1, %0)\n"      \
			 "	add $64, %0\n"                       \
			 "	jnz 10b\n"                           \
			 "18:	movups (%3), %%xmm0\n"            \
			 "	movups 16(%3), %%xmm1\n"             \
			 "	movups 32(%3), %%xmm2\n"             \
			 "	movups 48(%3), %%xmm3\n" faults \
			 : "+r"(at)                             \
			 : "r"(to), "r"(from), "r"(save)        \
			 : "memory", "cc")

/*
 * The same, but fill the bytes with a word. `word` is in memory, and `save` is a buffer of 16
 * bytes.
 */
#define WIDE_SET(to, at, word, save)                     \
	__asm__ volatile("	movups %%xmm0, (%2)\n"        \
			 "	movss %3, %%xmm0\n"           \
			 "	shufps $0, %%xmm0, %%xmm0\n"  \
			 "1:	movups %%xmm0, (%1, %0)\n"  \
			 "	movups %%xmm0, 16(%1, %0)\n"  \
			 "	movups %%xmm0, 32(%1, %0)\n"  \
			 "	movups %%xmm0, 48(%1, %0)\n"  \
			 "	add $64, %0\n"                \
			 "	jnz 1b\n"                     \
			 "	movups (%2), %%xmm0\n"        \
			 : "+r"(at)                      \
			 : "r"(to), "r"(save), "m"(word) \
			 : "memory", "cc")

#endif
