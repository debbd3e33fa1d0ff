/*
 * Formatting. lib/print.h lists the conversions.
 *
 * 1. Nothing here allocates or sleeps, so it can be used from interrupts and from panic().
 * 2. Output beyond the buffer is counted but not stored.
 */
#include "lib/print.h"
#include "lib/div64.h"
#include "lib/string.h"

struct output {
	char *buf;
	size_t size, len;
};

struct conversion {
	bool left, zero;
	int width;
	int precision; /* -1 if there is none */
	size_t size;   /* of the argument, in bytes */
	char letter;
};

#define MAX_DIGITS 22 /* of a 64-bit number in octal */

static void put(struct output *out, char c)
{
	if (out->len + 1 < out->size)
		out->buf[out->len] = c;
	out->len++;
}

static void put_repeated(struct output *out, char c, int count)
{
	for (; count > 0; count--)
		put(out, c);
}

/* Put a prefix, zeros and a text, and pad them to the width of the conversion. */
static void put_field(struct output *out, const struct conversion *c, const char *prefix, int zeros,
		      const char *text, int len)
{
	int padding = c->width - (int)strlen(prefix) - zeros - len;

	if (!c->left)
		put_repeated(out, ' ', padding);
	while (*prefix != '\0')
		put(out, *prefix++);
	put_repeated(out, '0', zeros);
	while (len-- > 0)
		put(out, *text++);
	if (c->left)
		put_repeated(out, ' ', padding);
}

/* Write the digits of a number so that they end before `end`. Returns the first digit. */
static char *digits_of(uint64_t value, unsigned int base, char *end)
{
	while (value != 0) {
		uint32_t digit;

		value = div_u64(value, base, &digit);
		*--end = "0123456789abcdef"[digit];
	}
	return end;
}

static void put_number(struct output *out, const struct conversion *c, uint64_t value,
		       unsigned int base, const char *prefix)
{
	char buf[MAX_DIGITS];
	char *start = digits_of(value, base, buf + MAX_DIGITS);
	int digits = buf + MAX_DIGITS - start;
	int zeros = MAX(0, (c->precision < 0 ? 1 : c->precision) - digits);

	if (c->zero && !c->left && c->precision < 0)
		zeros = MAX(zeros, c->width - (int)strlen(prefix) - digits);
	put_field(out, c, prefix, zeros, start, digits);
}

/* Parse a width or precision. For `*` it is the next argument. */
static int parse_count(const char **format, va_list *args)
{
	int count = 0;

	if (**format == '*') {
		++*format;
		return va_arg(*args, int);
	}
	for (; **format >= '0' && **format <= '9'; ++*format) {
		if (count < 100000)
			count = count * 10 + (**format - '0');
	}
	return count;
}

/* Parse the conversion that follows a `%`, and advance *format past it. */
static struct conversion parse_conversion(const char **format, va_list *args)
{
	struct conversion c = { .precision = -1, .size = sizeof(int) };

	for (; **format == '-' || **format == '0'; ++*format) {
		c.left = c.left || **format == '-';
		c.zero = c.zero || **format == '0';
	}
	c.width = parse_count(format, args);
	if (c.width < 0) {
		c.left = true;
		c.width = -c.width;
	}
	if (**format == '.') {
		++*format;
		c.precision = parse_count(format, args);
	}
	if (**format == 'l' || **format == 'z') {
		c.size = sizeof(long);
		++*format;
	}
	if (**format == 'l') {
		c.size = sizeof(long long);
		++*format;
	}
	c.letter = **format;
	if (c.letter != '\0')
		++*format;
	return c;
}

static void put_string(struct output *out, const struct conversion *c, const char *s)
{
	if (!s)
		s = "(null)";
	put_field(out, c, "", 0, s, c->precision < 0 ? strlen(s) : strnlen(s, c->precision));
}

static void put_integer(struct output *out, const struct conversion *c, uint64_t value)
{
	unsigned int base = c->letter == 'x' ? 16 : c->letter == 'o' ? 8 : 10;

	if (c->letter == 'd' && c->size < 8)
		value = (int32_t)value;
	if (c->letter == 'd' && (int64_t)value < 0)
		put_number(out, c, -value, base, "-");
	else
		put_number(out, c, value, base, "");
}

/* Print one argument. Returns false if the letter is unknown. */
static bool put_conversion(struct output *out, struct conversion *c, va_list *args)
{
	char character;

	switch (c->letter) {
	case 'd':
	case 'u':
	case 'x':
	case 'o':
		put_integer(out, c,
			    c->size == 8 ? va_arg(*args, uint64_t) : va_arg(*args, unsigned int));
		return true;
	case 'p':
		if (c->precision < 0)
			c->precision = 8;
		put_number(out, c, (uintptr_t)va_arg(*args, void *), 16, "0x");
		return true;
	case 'c':
		character = va_arg(*args, int);
		put_field(out, c, "", 0, &character, 1);
		return true;
	case 's':
		put_string(out, c, va_arg(*args, const char *));
		return true;
	case '%':
		put(out, '%');
		return true;
	}
	return false;
}

int vsnprintf(char *buf, size_t size, const char *format, va_list args)
{
	struct output out = { buf, size, 0 };
	va_list rest;

	va_copy(rest, args); /* the address of a parameter of this type cannot be passed on */
	while (*format != '\0') {
		const char *start = format++;

		if (*start == '%') {
			struct conversion c = parse_conversion(&format, &rest);

			if (put_conversion(&out, &c, &rest))
				continue;
		}
		while (start < format)
			put(&out, *start++);
	}
	va_end(rest);
	if (size > 0)
		buf[MIN(out.len, size - 1)] = '\0';
	return out.len;
}

int snprintf(char *buf, size_t size, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(buf, size, format, args);
	va_end(args);
	return len;
}

void text_printf(struct text *text, const char *format, ...)
{
	size_t room = text->size - text->len;
	va_list args;
	size_t len;

	va_start(args, format);
	len = vsnprintf(text->buf + text->len, room, format, args);
	va_end(args);
	if (len >= room) {
		text->full = true;
		len = room > 0 ? room - 1 : 0;
	}
	text->len += len;
}
