/*
 * Division of 64-bit numbers by 32-bit numbers. It takes two `div` instructions. For a plain `/`
 * the compiler would call a general function of its run-time library.
 */
#ifndef LIB_DIV64_H
#define LIB_DIV64_H

#include "lib/types.h"

/* Returns n / d, and stores the remainder in *remainder unless that is NULL. d must not be 0. */
static inline uint64_t div_u64(uint64_t n, uint32_t d, uint32_t *remainder)
{
	uint32_t high = n >> 32;
	uint32_t low = n;
	uint32_t quotient_high = high / d;
	uint32_t rest = high % d;

	/* rest < d, so the quotient fits into 32 bits and the instruction cannot fault. */
	__asm__("divl %4" : "=a"(low), "=d"(rest) : "0"(low), "1"(rest), "rm"(d) : "cc");
	if (remainder)
		*remainder = rest;
	return (uint64_t)quotient_high << 32 | low;
}

/* Returns n / d for a divisor that may have more than 32 bits. d must not be 0. */
static inline uint64_t div_u64_u64(uint64_t n, uint64_t d)
{
	uint64_t quotient = 0;

	if (d >> 32 == 0)
		return div_u64(n, d, NULL);
	/* Such a quotient has at most 32 bits. They are found one by one, the highest first. */
	for (int bit = 31; bit >= 0; bit--) {
		if (n >> bit < d)
			continue;
		n -= d << bit;
		quotient |= 1ull << bit;
	}
	return quotient;
}

#endif
