/*
 * In place of mm/vm/usercopy.h: user memory is memory of the scenario, of which a part may not be
 * there.
 */
#ifndef MM_VM_USERCOPY_H
#define MM_VM_USERCOPY_H

#include "mm/vm/uaccess.h"

/* Bytes that were copied, up to the first page that is not there. */
size_t user_copy_nofault(void *dst, const void *src, size_t n);

/* The iterators' faults: user_fault_in(), if no mutex is held that must not be. */
int ex_user_fault_in(const void __user *at, size_t n, bool write);
#define user_fault_in ex_user_fault_in

#endif
