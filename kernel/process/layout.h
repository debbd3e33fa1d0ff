/*
 * Where the parts of a new program's memory stand.
 *
 * Each program gets places of its own, so that a program that is broken into cannot rely on
 * addresses that were seen in another run. The distances are as large as on Linux/i386. With
 * norandmaps, the personality ADDR_NO_RANDOMIZE, or 0 in /proc/sys/kernel/randomize_va_space, all
 * places are the highest ones, and the program's the lowest.
 */
#ifndef KERNEL_PROCESS_LAYOUT_H
#define KERNEL_PROCESS_LAYOUT_H

#include "lib/types.h"

struct layout {
	uintptr_t stack_top; /* the end of the stack's last page */
	size_t stack_gap;    /* bytes below it that stay unused; a multiple of 16 */
	uintptr_t vdso;	     /* a page above the stack, so that both have the same page table */
	uintptr_t mmap_top;  /* mappings are placed below it */
	size_t program_gap;  /* how far a relocatable program is moved up; whole pages */
	size_t brk_gap;	     /* between the program's end and its heap; whole pages */
};

#define LAYOUT_STACK_GAP_MAX 8192u

/*
 * Choose the places for a program that the current task starts. If the program may give its user
 * other rights (`privileged`), the user's personality does not count. Never sleeps.
 */
void layout_choose(struct layout *layout, bool privileged);

#endif
