/*
 * User memory. Addresses below EX_USER_END belong to the address space of the task, and are found
 * by its page tables. All others are memory of the scenario, which is always there.
 */
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/usercopy.h"
#include "mm/vm/vm.h"
#include "fs/names/vfs.h"
#include "shim.h"

static struct mutex *watched[4];
static unsigned int nr_watched;

void ex_no_faults_with(struct mutex *mutex)
{
	watched[nr_watched++] = mutex;
}

static bool is_user(const void *at)
{
	return (uintptr_t)at < EX_USER_END;
}

/* Copy bytes from or to an address space, up to the first one that the CPU faults at. */
static size_t copy_user_bytes(void *dst, const void *src, size_t n)
{
	bool write = is_user(dst);
	uintptr_t va = (uintptr_t)(write ? dst : src);
	unsigned char *kernel = write ? (unsigned char *)src : dst;
	size_t done = 0;

	while (done < n && ex_user_byte(va + done, kernel + done, write))
		done++;
	return done;
}

size_t user_copy_nofault(void *dst, const void *src, size_t n)
{
	if (is_user(dst) || is_user(src))
		return copy_user_bytes(dst, src, n);
	memcpy(dst, src, n);
	return n;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	/* A futex's word, which programs change at any time. */
	if (n == sizeof(uint32_t) && !is_user(src)) {
		*(uint32_t *)dst = READ_ONCE(*(const uint32_t *)src);
		return n;
	}
	return user_copy_nofault(dst, src, n);
}

/* Of the scenario's memory only. */
int user_exchange_nofault(uint32_t __user *at, uint32_t *old, uint32_t new)
{
	must(!is_user(at));
	__atomic_compare_exchange_n(at, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return 0;
}

/* A page fault may read from a disk, so nothing that others need may be held. */
static void must_hold_nothing(void)
{
	for (unsigned int i = 0; i < nr_watched; i++)
		if (mutex_held(watched[i]))
			ex_fail("a page fault with a mutex held");
}

#undef user_fault_in
int ex_user_fault_in(const void __user *at, size_t n, bool write)
{
	must_hold_nothing();
	return user_fault_in(at, n, write);
}

/* A page fault in a copy. */
static int fault_in_copy(uintptr_t va, bool write)
{
	if (current->faults_off)
		return -EFAULT;
	must_hold_nothing();
	return mm_fault_in(current->mm, va & PAGE_MASK, write);
}

static int copy(void *dst, const void *src, size_t n)
{
	uintptr_t va = (uintptr_t)(is_user(dst) ? dst : src);
	size_t done = 0;

	while ((done += user_copy_nofault(dst + done, src + done, n - done)) < n)
		if (fault_in_copy(va + done, is_user(dst)))
			return -EFAULT;
	return 0;
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	if (!is_user(src) && copy_from_user_nofault(dst, src, n) == n)
		return 0;
	return copy(dst, src, n);
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	return copy(dst, src, n);
}

/* Of the scenario's memory only. */
int clear_user(void __user *dst, size_t n)
{
	must(!is_user(dst));
	memset(dst, 0, n);
	return 0;
}
