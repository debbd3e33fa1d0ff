/*
 * Formatting into buffers. The conversions are %d %u %x %o %c %s %p %%, with the flags 0 and -,
 * width, precision, `*`, and the lengths l, ll and z (l and z have the size of a pointer). An
 * unknown conversion is printed unchanged.
 */
#ifndef LIB_PRINT_H
#define LIB_PRINT_H

#include <stdarg.h>
#include "lib/types.h"

/* As in ISO C: store at most `size` bytes including the terminator, and return the full length. */
int vsnprintf(char *buf, size_t size, const char *format, va_list args) __printf(3, 0);
int snprintf(char *buf, size_t size, const char *format, ...) __printf(3, 4);

/* A text that grows in a fixed buffer. `full` is set when something did not fit. */
struct text {
	char *buf;
	size_t size, len;
	bool full;
	/*
	 * If the text is printed in parts: where this part begins, in a measure of the printer's
	 * own, and when it has been printed, whether there is another one, and where.
	 */
	size_t next;
	bool more;
};

/* Append to a text, and cut off what does not fit. Never sleeps. */
void text_printf(struct text *text, const char *format, ...) __printf(2, 3);

#endif
