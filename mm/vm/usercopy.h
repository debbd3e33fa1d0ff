/*
 * The instructions that copy from and to user memory, for mm/vm/uaccess.c and for the iterators,
 * which inline them to make short copies fast. The contract is in mm/vm/uaccess.h.
 */
#ifndef MM_VM_USERCOPY_H
#define MM_VM_USERCOPY_H

#include "lib/wide_copy.h"
#include "mm/vm/uaccess.h"

#define SMAP_SITE(opcode)                                         \
	"661:	.byte 0x8d, 0x76, 0x00\n" /* lea 0(%esi), %esi */ \
	"	.pushsection __smap_sites, \"a\"\n"                     \
	"	.long 661b, " opcode "\n"                         \
	"	.popsection\n"

#define EX_TABLE(fault, fixup)                \
	"	.pushsection __ex_table, \"a\"\n"   \
	"	.long " fault ", " fixup "\n" \
	"	.popsection\n"

static inline void user_access_begin(void)
{
	__asm__ volatile(SMAP_SITE("0xcb")::: "memory");
}

static inline void user_access_end(void)
{
	__asm__ volatile(SMAP_SITE("0xca")::: "memory");
}

/* Copy the whole steps of n bytes, up to a step that faults. Returns the number of bytes copied. */
size_t user_copy_steps(void *dst, const void *src, size_t n);

/* Returns the number of bytes that were not copied. */
static inline size_t user_copy(void *dst, const void *src, size_t n)
{
	size_t words;

	user_access_begin();
	if (n >= WIDE_COPY_MIN && wide_copies) {
		size_t done = user_copy_steps(dst, src, n);

		dst += done;
		src += done;
		n -= done;
	}
	words = n / 4;
	__asm__ volatile("1:	rep movsl\n"
			 "	movl %3, %0\n"
			 "2:	rep movsb\n"
			 "3:\n"
			 "	.pushsection .text.fixup, \"ax\"\n"
			 "4:	leal (%3, %0, 4), %0\n"
			 "	jmp 2b\n"
			 "	.popsection\n" EX_TABLE("1b", "4b") EX_TABLE("2b", "3b")
			 : "+c"(words), "+D"(dst), "+S"(src)
			 : "r"(n % 4)
			 : "memory");
	user_access_end();
	return words;
}

/* Return the number of bytes copied. The caller has checked the range of user memory. */
static inline size_t user_copy_nofault(void *dst, const void *src, size_t n)
{
	size_t left;

	pagefault_disable();
	left = user_copy(dst, src, n);
	pagefault_enable();
	return n - left;
}

#endif
