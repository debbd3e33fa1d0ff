/*
 * What exec puts on the stack of a new program (System V ABI, i386 supplement, 3-31).
 *
 * The strings of argv and envp, and the data to which the auxiliary vector points, are first
 * collected in one buffer, while the old program can still go on. From there they are copied to the
 * new stack.
 */
#ifndef KERNEL_PROCESS_EXEC_STACK_H
#define KERNEL_PROCESS_EXEC_STACK_H

#include "kernel/process/program.h"

/* It starts as all zeros. The caller frees `text` with vfree(). */
struct exec_strings {
	char *text;
	size_t room, used; /* bytes of text */
	unsigned int argc, envc;
	size_t env_at, name_at, platform_at, random_at; /* where in the text these stand */
};

/*
 * Collect the strings of argv and envp for a program that will be found by `path`. They are
 * NULL-terminated arrays of strings, in kernel memory if `kernel` is set, else in user memory. This
 * comes before the program is looked for, so that a bad pointer is what a caller hears of first.
 * Returns 0, -EFAULT, -ENOMEM, or -E2BIG. May sleep.
 */
int exec_collect(struct exec_strings *strings, const char *path, const void *argv, const void *envp,
		 bool kernel);
/*
 * Add what else a program gets, which is the interpreter of `scripts` if there are any. Returns 0
 * or -ENOMEM. May sleep.
 */
int exec_complete(struct exec_strings *strings, const struct scripts *scripts, const char *path);
/* Returns how many bytes of the stack the strings and the vectors take, without alignment. */
size_t exec_stack_size(const struct exec_strings *strings);
/*
 * Fill the stack of the current address space, from the address `top` down: a zero word, the
 * strings, the vectors. `secure` is for AT_SECURE. Returns the stack pointer, or 0 if the stack
 * cannot be written. May sleep.
 */
uint32_t exec_fill_stack(const struct exec_strings *strings, const struct program *program,
			 const struct program *loader, uint32_t top, bool secure);

#endif
