/*
 * User memory. Nothing else in the kernel dereferences a user pointer.
 *
 * 1. The plain forms may sleep (page fault) and return 0 or -EFAULT; they may have copied a part.
 * 2. The _nofault forms neither sleep nor fault pages in: they return how many bytes they copied,
 *    and stop at the first page that is not there. They are for callers that hold something. After
 *    a short one: drop what is held, user_fault_in(), start over.
 * 3. Range checks against USER_END are part of every function.
 */
#ifndef MM_VM_UACCESS_H
#define MM_VM_UACCESS_H

#include "lib/types.h"
#include "lib/errno.h"

/*
 * Patches the SMAP instructions in where the CPU has it: before the kernel's text becomes
 * read-only.
 */
void uaccess_init(void);

int copy_from_user(void *dst, const void __user *src, size_t n);
int copy_to_user(void __user *dst, const void *src, size_t n);
int clear_user(void __user *dst, size_t n);
/* Bytes copied. */
size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n);

/* One 32-bit word. 0 or -EFAULT. */
static inline int get_user_u32(uint32_t *value, const void __user *src)
{
	return copy_from_user(value, src, sizeof(*value));
}
static inline int put_user_u32(uint32_t value, void __user *dst)
{
	return copy_to_user(dst, &value, sizeof(value));
}

/*
 * A string: its length without the terminator; -EFAULT; -ENAMETOOLONG if it does not end in size.
 */
ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size);

/*
 * mm/vm/fault.c: make the page(s) of [addr, addr+n) present, at least the first 16 of them. 0, -EFAULT,
 * -ERESTARTSYS (killed).
 */
int user_fault_in(const void __user *addr, size_t n, bool write);

/*
 * For the page fault handler: a copy was interrupted; close user memory (SMAP) while the fault is
 * resolved.
 */
void user_access_stop(void);

/* True if [addr, addr+n) lies below USER_END. */
static inline bool user_range_ok(const void __user *addr, size_t n)
{
	return (uintptr_t)addr < 0xc0000000u && n <= 0xc0000000u - (uintptr_t)addr;
}

/* Page faults of this task go to the fixup until the matching enable; nests. */
static inline void pagefault_disable(void);
static inline void pagefault_enable(void);

#include "kernel/task.h"
static inline void pagefault_disable(void)
{
	current->faults_off++;
	barrier();
}
static inline void pagefault_enable(void)
{
	barrier();
	current->faults_off--;
}

#endif
