/*
 * The vDSO: a small shared library that the kernel maps into every program (vdso/).
 *
 * It has two pages, which all programs share. The first, [vvar], has the figures of the kernel's
 * clock (kernel/vdso_clock.h). It can only be read. The second, [vdso], is the library itself. A
 * program gets a copy of its own when it, or its debugger, writes there. A program may also move
 * the pages, or unmap them.
 *
 * mm->vdso is the address of the library. Handlers without a restorer return to its code, and so do
 * system calls by sysenter. The latter find the place at the top of their kernel stack (struct
 * stack_top in kernel/cpu/trap.h).
 */
#ifndef MM_VM_VDSO_H
#define MM_VM_VDSO_H

#include "mm/mm.h"

struct task;
struct vma;
struct vdso_clock;

#define VDSO_SIZE (2 * PAGE_SIZE)

/*
 * Map the vDSO at a page-aligned address of a new address space, where nothing is mapped. Sets
 * mm->vdso. Returns 0, -ENOMEM or -EINTR. May sleep; takes mm->lock.
 */
int vdso_map(struct mm *mm, uintptr_t at);

/*
 * Get the figures in [vvar] in order to change them. No other task gets them before
 * vdso_clock_end(), which must follow. If the page was lent to a pipe, the pipe keeps the old one.
 * Returns ERR_PTR(-ENOMEM, -ERESTARTSYS). May sleep.
 */
struct vdso_clock *vdso_clock_begin(void);
void vdso_clock_end(struct vdso_clock *clock);

/*
 * The program has moved its library to another address. mm->lock is held for writing; takes
 * tasks_lock.
 */
void vdso_move(struct mm *mm, uintptr_t at);
/* Tell a task with an address space where its calls by sysenter return to. tasks_lock is held. */
void vdso_set_return(struct task *task);

/* Returns the name of the page that is mapped by the VMA, or NULL if it is no page of the vDSO. */
const char *vdso_name(const struct vma *vma);

#endif
