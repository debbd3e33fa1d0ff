/*
 * Between exec.c and exec_args.c: the arguments and environment of a program that is being started.
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include "kernel/elf.h"
#include "kernel/trap.h"

#define EXEC_ARG_PAGES 512u /* strings of argv and envp: 2 MiB at most */
#define EXEC_AUX_MAX   24u

struct exec_args {
	char *pages[EXEC_ARG_PAGES]; /* the strings, one behind the other */
	size_t used, limit;	     /* bytes; limit counts the pointers to them, too */
	unsigned int argc, envc;
	size_t env_at, env_end; /* where in the strings the environment stands */
};

struct exec_aux { /* an entry of the auxiliary vector */
	uint32_t type, value;
};

/*
 * Append a string of the kernel's, or the strings of a NULL-terminated array of the user's (kernel:
 * of the kernel's), but for the first `skip`; *count grows. 0, -E2BIG, -EFAULT, -ENOMEM,
 * -ERESTARTNOINTR (killed).
 */
int exec_args_add(struct exec_args *args, const char *string);
int exec_args_add_array(struct exec_args *args, const void *array, bool kernel, unsigned int skip,
			unsigned int *count);
void exec_args_free(struct exec_args *args);
/* Bytes of stack that they take. */
size_t exec_args_stack(const struct exec_args *args);
/*
 * Build the first stack of the program below `top` in the current address space: the stack pointer,
 * or -EFAULT. The strings stand at *strings.
 */
long exec_args_push(const struct exec_args *args, uint32_t top, const struct exec_aux *aux,
		    unsigned int nr_aux, uint32_t *strings);

#endif
