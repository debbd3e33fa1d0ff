/* lib/string.c and lib/parse.c, against the C library and by example. */
#include <stdio.h>
#include <stdlib.h>

/* The kernel's functions under names of their own beside those of the C library. */
#define memcpy	k_memcpy
#define memmove k_memmove
#define memset	k_memset
#define memcmp	k_memcmp
#define memchr	k_memchr
#define strlen	k_strlen
#define strnlen k_strnlen
#define strcmp	k_strcmp
#define strncmp k_strncmp
#define strchr	k_strchr
#define strrchr k_strrchr
#define strlcpy k_strlcpy
#include "lib/string.c"
#include "lib/parse.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strlcpy
#include "tests/unit/shim.h"
#include "tests/unit/cases.h"

#define AREA 300

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void fill_random(unsigned char *bytes, size_t n, unsigned int kinds)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = random_u32() % kinds;
}

CASE(copies)
{
	unsigned char a[AREA], b[AREA];

	for (int round = 0; round < 200000; round++) {
		size_t n = random_u32() % 100, from = random_u32() % 100, to = random_u32() % 100;
		void *result;

		fill_random(a, AREA, 256);
		memcpy(b, a, AREA);
		if (round % 3 == 0) {
			result = k_memmove(a + to, a + from, n);
			memmove(b + to, b + from, n);
		} else if (round % 3 == 1) {
			result = k_memcpy(a + to, a + 200, n);
			memcpy(b + to, b + 200, n);
		} else {
			int byte = random_u32();

			result = k_memset(a + to, byte, n);
			memset(b + to, byte, n);
		}
		must(result == a + to);
		must(memcmp(a, b, AREA) == 0);
	}
	ok(true, "memcpy, memmove and memset change exactly the bytes that they should");
}

/* Long ones, which take the wide way, between bytes that must stay as they were. */
CASE(wide_copies)
{
	enum { ROOM = 2000 };
	unsigned char a[ROOM], b[ROOM];

	wide_copies = true;
	for (int round = 0; round < 20000; round++) {
		size_t n = random_u32() % 1000, from = random_u32() % 1000,
		       to = random_u32() % 1000;

		fill_random(a, ROOM, 256);
		memcpy(b, a, ROOM);
		must(k_memmove(a + to, a + from, n) == a + to);
		memmove(b + to, b + from, n);
		must(memcmp(a, b, ROOM) == 0);
	}
	wide_copies = false;
	ok(true, "wide copies change exactly the bytes that they should");
}

CASE(searches)
{
	char a[40], b[40];

	for (int round = 0; round < 200000; round++) {
		size_t n = random_u32() % 40;
		int c = random_u32() % 4;

		fill_random((unsigned char *)a, sizeof(a), 3);
		fill_random((unsigned char *)b, sizeof(b), 3);
		a[39] = b[39] = '\0';
		if (round % 2)
			memcpy(b, a, random_u32() % 39);
		must(sign(k_memcmp(a, b, n)) == sign(memcmp(a, b, n)));
		must(k_memchr(a, c, n) == memchr(a, c, n));
		must(k_strlen(a) == strlen(a));
		must(k_strnlen(a, n) == strnlen(a, n));
		must(sign(k_strcmp(a, b)) == sign(strcmp(a, b)));
		must(sign(k_strncmp(a, b, n)) == sign(strncmp(a, b, n)));
		must(k_strchr(a, c) == strchr(a, c));
		must(k_strrchr(a, c) == strrchr(a, c));
	}
	ok(k_strcmp("\x80", "a") > 0,
	   "comparisons and searches agree with the C library; bytes are unsigned");
}

CASE(strlcpy)
{
	char buf[4] = "zzz";

	ok(k_strlcpy(buf, "ab", 4) == 2 && strcmp(buf, "ab") == 0, "strlcpy: what fits");
	ok(k_strlcpy(buf, "abcd", 4) == 4 && strcmp(buf, "abc") == 0, "strlcpy: what is cut");
	ok(k_strlcpy(buf, "xyz", 0) == 3 && strcmp(buf, "abc") == 0, "strlcpy: no room at all");
}

static bool parses_size(const char *text, uint64_t value, const char *rest)
{
	const char *end;

	return parse_size(text, &end) == value && strcmp(end, rest) == 0 &&
	       parse_size(text, NULL) == value;
}

CASE(parse)
{
	uint32_t v = 7;

	ok(parses_size("16M", 16u << 20, "") && parses_size("3k,", 3072, ",") &&
		   parses_size("2G", 2ull << 30, "") &&
		   parses_size("12345678901", 12345678901ull, ""),
	   "parse_size: suffixes");
	ok(parses_size("0x10K", 16384, "") && parses_size("0xFfg", 255ull << 30, ""),
	   "parse_size: hexadecimal");
	ok(parses_size("", 0, "") && parses_size("M", 0, "") && parses_size("0x", 0, "x") &&
		   parses_size("-1", 0, "-1"),
	   "parse_size: no number");
	ok(parses_size("18446744073709551615", UINT64_MAX, "") &&
		   parses_size("18446744073709551616", UINT64_MAX, "") &&
		   parses_size("99999999999999999999999", UINT64_MAX, "") &&
		   parses_size("18446744073709551615k", UINT64_MAX, ""),
	   "parse_size: saturates");
	ok(parse_u32("0", &v) == 0 && v == 0, "parse_u32: zero");
	ok(parse_u32("4294967295\n", &v) == 0 && v == UINT32_MAX,
	   "parse_u32: the largest, and a newline");
	ok(parse_u32("4294967296", &v) == -ERANGE && parse_u32("99999999999", &v) == -ERANGE &&
		   v == UINT32_MAX,
	   "parse_u32: too large, and the value stays");
	ok(parse_u32("", &v) == -EINVAL && parse_u32("\n", &v) == -EINVAL &&
		   parse_u32("12x", &v) == -EINVAL && parse_u32("1\n\n", &v) == -EINVAL &&
		   parse_u32("-1", &v) == -EINVAL && parse_u32(" 1", &v) == -EINVAL,
	   "parse_u32: no number");
}
