/*
 * Memory and string functions.
 *
 * 1. Short copies and fills use the string instructions, four bytes at a time, because `rep movsb`
 *    is four times slower in QEMU. Long ones use SSE registers if the CPU has them.
 * 2. The same code runs in the unit tests on the host, because x86-64 has these instructions too.
 * 3. The direction flag is clear whenever C code runs. memmove sets it only for its own
 *    instructions.
 */
#include "lib/string.h"
#include "lib/wide_copy.h"

bool wide_copies;

static inline void copy_words(void *to, const void *from, size_t n)
{
	size_t count = n >> 2;

	__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count)::"memory");
	count = n & 3;
	if (count)
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count)::"memory");
}

static __attribute__((noinline)) void *copy_wide(void *dst, const void *src, size_t n)
{
	size_t whole = n & ~(size_t)(WIDE_COPY_STEP - 1);
	ssize_t at = -(ssize_t)whole;
	char saved[WIDE_COPY_STEP];

	WIDE_COPY(dst + whole, src + whole, at, saved, "");
	n -= whole;
	if (n)
		copy_words(dst + whole, src + whole, n);
	return dst;
}

void *memcpy(void *dst, const void *src, size_t n)
{
	if (n >= WIDE_COPY_MIN && wide_copies)
		return copy_wide(dst, src, n);
	copy_words(dst, src, n);
	return dst;
}

/*
 * Copy from the last byte to the first: the odd bytes at the end, and then words. This is one
 * statement, so that no code of the compiler runs with the direction flag set.
 */
static void copy_backwards(char *dst, const char *src, size_t n)
{
	char *to = dst + n - 1;
	const char *from = src + n - 1;
	size_t count = n & 3;

	__asm__ volatile("std\n\t"
			 "rep movsb\n\t"
			 "sub $3, %0\n\t"
			 "sub $3, %1\n\t"
			 "mov %3, %2\n\t"
			 "rep movsl\n\t"
			 "cld"
			 : "+D"(to), "+S"(from), "+c"(count)
			 : "r"(n >> 2)
			 : "memory", "cc");
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n) /* dst does not lie inside the source */
		return memcpy(dst, src, n);
	copy_backwards(dst, src, n);
	return dst;
}

/* Fill as many whole steps as fit into n bytes. Returns the number of bytes filled. */
static __attribute__((noinline)) size_t set_wide(void *dst, uint32_t word, size_t n)
{
	size_t whole = n & ~(size_t)(WIDE_COPY_STEP - 1);
	ssize_t at = -(ssize_t)whole;
	char saved[16];

	WIDE_SET(dst + whole, at, word, saved);
	return whole;
}

void *memset(void *dst, int byte, size_t n)
{
	void *to = dst;
	uint32_t word = (uint8_t)byte * 0x01010101u;
	size_t count;

	if (n >= WIDE_COPY_MIN && wide_copies) {
		size_t done = set_wide(to, word, n);

		to += done;
		n -= done;
	}
	count = n >> 2;

	__asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(word) : "memory");
	count = n & 3;
	if (count)
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(word) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a;
	const unsigned char *y = b;

	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const unsigned char *p = s;

	for (; n > 0; n--, p++) {
		if (*p == (unsigned char)c)
			return (void *)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end != '\0')
		end++;
	return end - s;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || *a == '\0')
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (*s == '\0')
			return NULL;
	}
	return (char *)s;
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (*s == '\0')
			return (char *)last;
	}
}

size_t strlcpy(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src);

	if (size > 0) {
		size_t n = len < size ? len : size - 1;

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return len;
}
