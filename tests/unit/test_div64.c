/* Compares lib/div64.c with the compiler's own division. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"
#include "lib/div64.c"

/* Returns numbers of all sizes, and sometimes a power of two or a number next to one. */
static uint64_t random_number(void)
{
	uint64_t value = (uint64_t)random_u32() << 32 | random_u32();
	unsigned int bits = random_u32() % 64;

	switch (random_u32() % 4) {
	case 0:
		return value;
	case 1:
		return value >> bits;
	case 2:
		return UINT64_MAX >> bits;
	}
	return (1ull << bits) + random_u32() % 3 - 1;
}

CASE(all_sizes)
{
	for (int round = 0; round < 3000000; round++) {
		uint64_t n = random_number(), d = random_number(), rest;

		if (d == 0)
			continue;
		must(__udivmoddi4(n, d, &rest) == n / d && rest == n % d);
		must(__udivdi3(n, d) == n / d && __umoddi3(n, d) == n % d);
		if (n == 1ull << 63)
			continue; /* the quotient by -1 has no representation */
		must(__divdi3(n, d) == (int64_t)n / (int64_t)d);
		must(__moddi3(n, d) == (int64_t)n % (int64_t)d);
	}
	ok(true, "quotients and remainders, with and without sign");
}
