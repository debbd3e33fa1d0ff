/*
 * User memory. Nothing else in the kernel dereferences a user pointer.
 *
 * 1. The plain functions may sleep in a page fault. They return 0 or -EFAULT. If they fail, they
 *    may have copied a part.
 * 2. The _nofault functions neither sleep nor bring pages in. They stop at the first page that is
 *    not there, and return how many bytes they have copied. Callers that hold a lock use them.
 *    After a short copy, such a caller releases what it holds, calls user_fault_in(), and starts
 *    over.
 * 3. Every function checks its range against USER_END.
 */
#ifndef MM_VM_UACCESS_H
#define MM_VM_UACCESS_H

#include "lib/types.h"
#include "lib/errno.h"

/*
 * Patch the SMAP instructions into the kernel's text if the CPU supports SMAP. Called at boot,
 * before the text becomes read-only.
 */
void uaccess_init(void);

int copy_from_user(void *dst, const void __user *src, size_t n);
int copy_to_user(void __user *dst, const void *src, size_t n);
int clear_user(void __user *dst, size_t n);
/* Returns the number of bytes copied. Never sleeps. */
size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n);

/*
 * Replace the word if it is *old, in one step. Otherwise store what it is in *old. Returns 0, or
 * -EFAULT if the page is not there for writing. Never sleeps.
 */
int user_exchange_nofault(uint32_t __user *at, uint32_t *old, uint32_t new);

/* Copy one 32-bit word. Return 0 or -EFAULT. */
static inline int get_user_u32(uint32_t *value, const void __user *src)
{
	return copy_from_user(value, src, sizeof(*value));
}
static inline int put_user_u32(uint32_t value, void __user *dst)
{
	return copy_to_user(dst, &value, sizeof(value));
}

/* Copy one 64-bit word. Return 0 or -EFAULT. */
int get_user_u64(uint64_t *value, const void __user *src);
int put_user_u64(uint64_t value, void __user *dst);

/*
 * Copy a string. Returns its length without the terminator, -EFAULT, or -ENAMETOOLONG if it does
 * not end within `size` bytes.
 */
ssize_t strncpy_from_user(char *dst, const char __user *src, size_t size);

/*
 * Make the pages of [addr, addr+n) present, or the first 16 of them if there are more. Returns 0,
 * -EFAULT, or -ERESTARTSYS if the task is killed. May sleep. mm/vm/fault.c
 */
int user_fault_in(const void __user *addr, size_t n, bool write);

/*
 * For the page fault handler: forbid access to user memory (SMAP) again, because the fault may have
 * interrupted a copy.
 */
void user_access_stop(void);

/* Returns true if [addr, addr+n) is below USER_END. */
static inline bool user_range_ok(const void __user *addr, size_t n)
{
	return n <= 0xc0000000u && (uintptr_t)addr <= 0xc0000000u - n;
}

/*
 * Until the matching pagefault_enable(), a page fault of this task in a copy ends the copy instead
 * of bringing the page in. Calls may be nested.
 */
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
