/*
 * In place of mm/vm/usercopy.h: user memory is memory of the scenario, of which a part may not be there.
 */
#ifndef MM_VM_USERCOPY_H
#define MM_VM_USERCOPY_H

#include "mm/vm/uaccess.h"

/* Bytes that were copied, up to the first page that is not there. */
size_t user_copy_nofault(void *dst, const void *src, size_t n);

#endif
