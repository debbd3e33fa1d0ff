/*
 * Memory and string functions with their ISO C meaning.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);

/*
 * Copy at most size - 1 characters and a terminator. Returns strlen(src), so a result >= size means
 * that the copy was cut.
 */
size_t strlcpy(char *dst, const char *src, size_t size);

/*
 * Parse a number with an optional suffix K, M or G ("16M"). It is hexadecimal with the prefix 0x.
 * Stores the end in *end unless that is NULL. A larger number gives UINT64_MAX.
 */
uint64_t parse_size(const char *s, const char **end);

/*
 * Parse a decimal number. It must be followed by the end of the string or by a newline. Returns 0,
 * -EINVAL or -ERANGE.
 */
int parse_u32(const char *s, uint32_t *value);

#endif
