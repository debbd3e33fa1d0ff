/*
 * The kernel's own function names, from the table that tools/ksyms makes at link time.
 */
#ifndef KERNEL_KSYMS_H
#define KERNEL_KSYMS_H

#include "lib/types.h"

/* The function that holds `address` and the distance from its start; NULL if none does. */
const char *ksyms_find(uintptr_t address, unsigned int *offset);

#endif
