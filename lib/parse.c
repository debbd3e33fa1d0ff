/*
 * Parsing numbers, for kernel parameters and files in /proc. The contract is in lib/string.h.
 */
#include "lib/errno.h"
#include "lib/string.h"

/* Returns the value of a digit in bases up to 16, or at least 16 if it is not a digit. */
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

/* Parse digits, and advance *s past them. Returns UINT64_MAX if the number is too large. */
static uint64_t parse_digits(const char **s, unsigned int base)
{
	uint64_t value = 0;

	for (; digit_value(**s) < base; ++*s) {
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit_value(**s), &value))
			value = UINT64_MAX;
	}
	return value;
}

uint64_t parse_size(const char *s, const char **end)
{
	static const char suffixes[] = "kKmMgG"; /* each pair is another 10 bits */
	const char *suffix;
	unsigned int base = 10;
	uint64_t value;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit_value(s[2]) < 16) {
		base = 16;
		s += 2;
	}
	value = parse_digits(&s, base);
	suffix = *s ? strchr(suffixes, *s) : NULL;
	if (suffix) {
		unsigned int bits = ((suffix - suffixes) / 2 + 1) * 10;

		value = value > UINT64_MAX >> bits ? UINT64_MAX : value << bits;
		s++;
	}
	if (end)
		*end = s;
	return value;
}

int parse_u32(const char *s, uint32_t *value)
{
	const char *start = s;
	uint64_t result = parse_digits(&s, 10);

	if (s == start)
		return -EINVAL;
	if (result > UINT32_MAX)
		return -ERANGE;
	if (*s == '\n')
		s++;
	if (*s != '\0')
		return -EINVAL;
	*value = result;
	return 0;
}
