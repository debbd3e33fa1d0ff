/*
 * Random numbers: one generator for the kernel, /dev/random, /dev/urandom and getrandom(2).
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "lib/types.h"

/* Fill buf with n bytes that nobody can predict. Never sleeps. May be called in an interrupt. */
void random_bytes(void *buf, size_t n);

/*
 * Stir n bytes into the generator's state. Predictable bytes do no harm. Never sleeps. May be
 * called in an interrupt.
 */
void random_add(const void *data, size_t n);

#endif
