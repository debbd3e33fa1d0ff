/* Compares lib/print.c with the C library's printf. */
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#define vsnprintf k_vsnprintf
#define snprintf  k_snprintf
#include "lib/print.c"
#undef vsnprintf
#undef snprintf

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-truncation"

static int mismatches;

/*
 * Makes the same call to both, also with a buffer that is too small. The arguments are evaluated
 * twice.
 */
#define same(format, ...)                                                                         \
	do {                                                                                      \
		char _a[300], _b[300];                                                            \
		size_t _size = random_u32() % 4 ? sizeof(_a) : random_u32() % 20 + 1;             \
		int _la = k_snprintf(_a, _size, format, __VA_ARGS__);                             \
		int _lb = snprintf(_b, _size, format, __VA_ARGS__);                               \
		if (_la != _lb || strcmp(_a, _b) != 0) {                                          \
			printf("# \"%s\": \"%s\" (%d) instead of \"%s\" (%d)\n", format, _a, _la, \
			       _b, _lb);                                                          \
			must(++mismatches < 20);                                                  \
		}                                                                                 \
	} while (0)

static uint64_t random_number(void)
{
	uint64_t value = (uint64_t)random_u32() << 32 | random_u32();

	switch (random_u32() % 4) {
	case 0:
		return value;
	case 1:
		return value >> (random_u32() % 64);
	case 2:
		return random_u32() % 10;
	}
	return -(value >> (random_u32() % 64));
}

/* "%", flags, width, precision, `length`, `letter`. */
static void random_format(char *format, const char *length, char letter)
{
	char *at = format;

	*at++ = '%';
	for (const char *flag = "-0"; *flag; flag++) {
		if (random_u32() % 4 == 0)
			*at++ = *flag;
	}
	if (random_u32() % 2)
		at += sprintf(at, "%u", random_u32() % 30 + 1);
	if (random_u32() % 3 == 0)
		at += sprintf(at, ".%u", random_u32() % 25);
	sprintf(at, "%s%c", length, letter);
}

CASE(numbers)
{
	static const char *const lengths[] = { "", "l", "ll", "z" };

	for (int round = 0; round < 300000; round++) {
		char letter = "duxo"[random_u32() % 4];
		unsigned int length = random_u32() % 4;
		uint64_t value = random_number();
		char format[40];

		random_format(format, lengths[length], letter);
		if (length == 0)
			same(format, (unsigned int)value);
		else
			same(format, value);
	}
	ok(mismatches == 0, "numbers: every flag, width, precision and length as in the C library");
}

CASE(text)
{
	mismatches = 0;
	for (int round = 0; round < 50000; round++) {
		static const char *const strings[] = { "", "a", "hello", "twenty characters!!!" };
		const char *string = strings[random_u32() % 4];
		int a = random_u32() % 9, b = random_u32() % 9;
		char format[40];

		random_format(format, "", 's');
		same(format, string);
		same("%*c|%-*c", a, 'x', b - 4, 'y');
		same("%*.*s", a * 2 - 10, b - 2, string);
		same("<%s %d %%>", "two", 2);
	}
	ok(mismatches == 0, "strings and characters, `*` as width and precision");
}

CASE(own)
{
	const char *volatile no_string = NULL;
	char buf[64];

	k_snprintf(buf, sizeof(buf), "%p", (void *)0xc0de);
	ok(strcmp(buf, "0x0000c0de") == 0, "%%p has eight digits at least");
	k_snprintf(buf, sizeof(buf), "%s", no_string);
	ok(strcmp(buf, "(null)") == 0, "a NULL string");
	k_snprintf(buf, sizeof(buf), "a%-05yb%");
	ok(strcmp(buf, "a%-05yb%") == 0, "an unknown conversion is printed as it stands: %s", buf);
	k_snprintf(buf, sizeof(buf), "%lld", INT64_MIN);
	ok(strcmp(buf, "-9223372036854775808") == 0, "the smallest number");
	ok(k_snprintf(NULL, 0, "%d", 12345) == 5, "without a buffer, only the length is returned");
}

CASE(text_buffer)
{
	char buf[8];
	struct text text = { .buf = buf, .size = sizeof(buf) };

	text_printf(&text, "ab%d", 1);
	ok(!text.full && text.len == 3 && strcmp(buf, "ab1") == 0, "a text grows");
	text_printf(&text, "cdef");
	ok(!text.full && text.len == 7 && strcmp(buf, "ab1cdef") == 0,
	   "it grows up to its last byte");
	text_printf(&text, "g");
	ok(text.full && text.len == 7 && strcmp(buf, "ab1cdef") == 0, "then it is full");
	text_printf(&text, "h");
	ok(text.full && text.len == 7, "and stays full");
}

CASE(division)
{
	for (int round = 0; round < 300000; round++) {
		uint64_t n = random_number();
		uint32_t d = random_number() | 1, rest;

		must(div_u64(n, d, &rest) == n / d && rest == n % d);
		must(div_u64(n, d, NULL) == n / d);
	}
	ok(true, "div_u64");
}
