/*
 * The 64-bit divisions that the compiler calls by name. The compiler's own library cannot serve: it
 * takes its arguments on the stack, and the kernel is built with -mregparm=3.
 */
#include "lib/div64.h"

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *remainder);
uint64_t __udivdi3(uint64_t n, uint64_t d);
uint64_t __umoddi3(uint64_t n, uint64_t d);
int64_t __divdi3(int64_t n, int64_t d);
int64_t __moddi3(int64_t n, int64_t d);

/*
 * d has more than 32 bits, so the quotient has at most 32: shift and subtract from the first useful
 * bit on.
 */
static uint64_t divide_wide(uint64_t n, uint64_t d, uint64_t *remainder)
{
	uint64_t quotient = 0;
	int shift = __builtin_clz((uint32_t)(d >> 32)) -
		    (n >> 32 ? __builtin_clz((uint32_t)(n >> 32)) : 32);

	for (; shift >= 0; shift--) {
		if (n >= d << shift) {
			n -= d << shift;
			quotient |= 1ull << shift;
		}
	}
	*remainder = n;
	return quotient;
}

uint64_t __udivmoddi4(uint64_t n, uint64_t d, uint64_t *remainder)
{
	uint64_t rest, quotient;

	if (d >> 32) {
		quotient = divide_wide(n, d, &rest);
	} else {
		uint32_t rest32;

		quotient = div_u64(n, d, &rest32);
		rest = rest32;
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
