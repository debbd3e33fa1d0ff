/*
 * Formatting into buffers: %d %u %x %o %c %s %p %% with flags 0 and -, width, precision, `*`, and
 * lengths l ll z (a pointer's size, as l). Nothing else; an unknown conversion is printed as it
 * stands.
 */
#ifndef LIB_PRINT_H
#define LIB_PRINT_H

#include <stdarg.h>
#include "lib/types.h"

/* As in ISO C: at most size bytes are stored, terminator included; returns the full length. */
int vsnprintf(char *buf, size_t size, const char *format, va_list args) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *format, ...) __printf(3, 4);

/* A text that grows in a fixed buffer; `full` is set once something did not fit. */
struct text {
	char *buf;
	size_t size, len;
	bool full;
};

/* Append to a text. What does not fit is cut. Never sleeps. */
void text_printf(struct text *text, const char *format, ...) __printf(2, 3);

#endif
