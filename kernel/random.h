/*
 * Random numbers: one generator for the kernel, /dev/random, /dev/urandom and getrandom(2).
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "lib/types.h"

/* Fill buf with n bytes that nobody can guess. Never sleeps; from interrupts too. */
void random_bytes(void *buf, size_t n);

/* Stir in what may be hard to guess; it can only help. Never sleeps; from interrupts too. */
void random_add(const void *data, size_t n);

#endif
