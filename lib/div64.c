/*
 * The functions that the compiler calls for 64-bit divisions. The compiler's own library cannot be
 * used, because it takes arguments on the stack, and the kernel is built with -mregparm=3.
 */
#include "lib/div64.h"

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *remainder);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *remainder)
{
	uint64_t quotient, rest;

	if (likely(!(d >> 32))) {
		uint32_t rest32;

		quotient = div_u64(n, d, &rest32);
		rest = rest32;
	} else {
		unsigned int shift = 32 - __builtin_clz(d >> 32);

		/*
		 * The lowest bits of d are missing, so the quotient may be too large, but by 2 at
		 * most.
		 */
		quotient = div_u64(n >> shift, d >> shift, NULL);
		quotient -= MIN(quotient, 2u);
		for (rest = n - quotient * d; rest >= d; rest -= d)
			quotient++;
	}
	if (remainder)
		*remainder = rest;
	return quotient;
}

uint64_t __udivdi3(uint64_t n, uint64_t d)
{
	return __udivmoddi4(n, d, NULL);
}

uint64_t __umoddi3(uint64_t n, uint64_t d)
{
	uint64_t rest;

	__udivmoddi4(n, d, &rest);
	return rest;
}

int64_t __divdi3(int64_t n, int64_t d)
{
	uint64_t quotient = __udivmoddi4(n < 0 ? -(uint64_t)n : n, d < 0 ? -(uint64_t)d : d, NULL);

	return (n < 0) != (d < 0) ? -quotient : quotient;
}

int64_t __moddi3(int64_t n, int64_t d)
{
	uint64_t rest;

	__udivmoddi4(n < 0 ? -(uint64_t)n : n, d < 0 ? -(uint64_t)d : d, &rest);
	return n < 0 ? -rest : rest;
}
