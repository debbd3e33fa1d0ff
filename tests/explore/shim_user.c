/*
 * User memory: memory of the scenario. A range of it may be absent until it is faulted in.
 */
#include "lib/string.h"
#include "mm/vm/uaccess.h"
#include "mm/vm/usercopy.h"
#include "fs/names/vfs.h"
#include "shim.h"

static uintptr_t absent_from, absent_to;
static struct mutex *watched[4];
static unsigned int nr_watched;

void ex_user_absent(void *from, size_t size)
{
	absent_from = (uintptr_t)from;
	absent_to = absent_from + size;
}

void ex_no_faults_with(struct mutex *mutex)
{
	watched[nr_watched++] = mutex;
}

static bool absent(const void *at, size_t size)
{
	uintptr_t from = (uintptr_t)at;

	return from < READ_ONCE(absent_to) && from + size > READ_ONCE(absent_from);
}

size_t user_copy_nofault(void *dst, const void *src, size_t n)
{
	if (absent(dst, n) || absent(src, n))
		return 0;
	memcpy(dst, src, n);
	return n;
}

size_t copy_from_user_nofault(void *dst, const void __user *src, size_t n)
{
	return user_copy_nofault(dst, src, n);
}

/* May read from a disk, so nothing that others need may be held. */
static void fault_in(const void *at, size_t n)
{
	if (!absent(at, n))
		return;
	for (unsigned int i = 0; i < nr_watched; i++)
		if (mutex_held(watched[i]))
			ex_fail("a page fault with a mutex held");
	WRITE_ONCE(absent_to, 0);
}

int user_fault_in(const void __user *at, size_t n, bool write)
{
	fault_in(at, n);
	return 0;
}

int copy_from_user(void *dst, const void __user *src, size_t n)
{
	fault_in(src, n);
	memcpy(dst, src, n);
	return 0;
}

int copy_to_user(void __user *dst, const void *src, size_t n)
{
	fault_in(dst, n);
	memcpy(dst, src, n);
	return 0;
}

int clear_user(void __user *dst, size_t n)
{
	fault_in(dst, n);
	memset(dst, 0, n);
	return 0;
}
