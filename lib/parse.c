/*
 * Numbers from text: kernel parameters and what is written to /proc. See lib/string.h.
 */
#include "lib/errno.h"
#include "lib/string.h"

/* The value of a digit in the bases up to 16; 16 and more: not a digit. */
static unsigned int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static uint64_t multiply_saturated(uint64_t value, unsigned int factor)
{
	uint64_t result;

	return __builtin_mul_overflow(value, factor, &result) ? UINT64_MAX : result;
}

static uint64_t add_saturated(uint64_t value, unsigned int addend)
{
	return value > UINT64_MAX - addend ? UINT64_MAX : value + addend;
}

static unsigned int suffix_factor(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 1u << 10;
	case 'm':
	case 'M':
		return 1u << 20;
	case 'g':
	case 'G':
		return 1u << 30;
	}
	return 1;
}

uint64_t parse_size(const char *s, const char **end)
{
	unsigned int base = 10;
	uint64_t value = 0;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
		base = 16;
		s += 2;
	}
	for (; digit_value(*s) < base; s++)
		value = add_saturated(multiply_saturated(value, base), digit_value(*s));
	if (suffix_factor(*s) != 1)
		value = multiply_saturated(value, suffix_factor(*s++));
	if (end)
		*end = s;
	return value;
}

int parse_u32(const char *s, uint32_t *value)
{
	uint32_t result = 0;

	if (digit_value(*s) >= 10)
		return -EINVAL;
	for (; digit_value(*s) < 10; s++) {
		if (__builtin_mul_overflow(result, 10u, &result) ||
		    __builtin_add_overflow(result, digit_value(*s), &result))
			return -ERANGE;
	}
	if (*s == '\n')
		s++;
	if (*s != '\0')
		return -EINVAL;
	*value = result;
	return 0;
}
