/*
 * Formatting. See lib/print.h for what is understood.
 *
 * 1. Nothing is allocated, nothing sleeps: usable from interrupts and from panic.
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
	bool left, zero, plus, space, alternate;
	int width;
	int precision; /* -1: none given */
	int length;    /* -2 hh, -1 h, 0, 1 l, 2 ll, 3 z */
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

static void put_bytes(struct output *out, const char *bytes, size_t len)
{
	for (; len > 0; len--)
		put(out, *bytes++);
}

/* Text between its padding. */
static void put_text(struct output *out, const struct conversion *c, const char *s, size_t len)
{
	int padding = c->width - (int)len;

	if (!c->left)
		put_repeated(out, ' ', padding);
	put_bytes(out, s, len);
	if (c->left)
		put_repeated(out, ' ', padding);
}

/* The digits of value, last one at end[-1]; returns the first. */
static char *digits_of(uint64_t value, unsigned int base, bool upper, char *end)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

	while (value != 0) {
		uint32_t digit;

		value = div_u64(value, base, &digit);
		*--end = digits[digit];
	}
	return end;
}

static const char *sign_of(const struct conversion *c, bool negative, bool is_signed)
{
	if (negative)
		return "-";
	if (is_signed && c->plus)
		return "+";
	return is_signed && c->space ? " " : "";
}

static void put_number(struct output *out, const struct conversion *c, uint64_t value,
		       const char *sign)
{
	unsigned int base = 10;
	char buf[MAX_DIGITS];
	char *start;
	int digits, zeros, padding;
	const char *prefix = sign;

	if (c->letter == 'x' || c->letter == 'X' || c->letter == 'p')
		base = 16;
	else if (c->letter == 'o')
		base = 8;
	start = digits_of(value, base, c->letter == 'X', buf + MAX_DIGITS);
	digits = buf + MAX_DIGITS - start;

	if (c->letter == 'p' || (c->alternate && base == 16 && value != 0))
		prefix = c->letter == 'X' ? "0X" : "0x";
	zeros = MAX(0, (c->precision < 0 ? 1 : c->precision) - digits);
	if (c->alternate && base == 8 && zeros == 0 && (value != 0 || c->precision == 0))
		zeros = 1;
	padding = c->width - (int)strlen(prefix) - zeros - digits;
	if (c->zero && !c->left && c->precision < 0) {
		zeros += MAX(0, padding);
		padding = 0;
	}
	if (!c->left)
		put_repeated(out, ' ', padding);
	put_bytes(out, prefix, strlen(prefix));
	put_repeated(out, '0', zeros);
	put_bytes(out, start, digits);
	if (c->left)
		put_repeated(out, ' ', padding);
}

/* A number after `%` or `.`, or `*`: taken from the arguments. */
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

static bool parse_flag(struct conversion *c, char flag)
{
	switch (flag) {
	case '-':
		c->left = true;
		return true;
	case '0':
		c->zero = true;
		return true;
	case '+':
		c->plus = true;
		return true;
	case ' ':
		c->space = true;
		return true;
	case '#':
		c->alternate = true;
		return true;
	}
	return false;
}

/* What stands behind a `%`; *format is moved behind it. */
static struct conversion parse_conversion(const char **format, va_list *args)
{
	struct conversion c = { .precision = -1 };

	while (parse_flag(&c, **format))
		++*format;
	c.width = parse_count(format, args);
	if (c.width < 0) {
		c.left = true;
		c.width = -c.width;
	}
	if (**format == '.') {
		++*format;
		c.precision = parse_count(format, args);
	}
	for (; **format == 'h' || **format == 'l' || **format == 'z'; ++*format) {
		if (**format == 'z')
			c.length = 3;
		else
			c.length += **format == 'l' ? 1 : -1;
	}
	c.letter = **format;
	if (c.letter != '\0')
		++*format;
	return c;
}

static int64_t signed_argument(const struct conversion *c, va_list *args)
{
	switch (c->length) {
	case -2:
		return (signed char)va_arg(*args, int);
	case -1:
		return (short)va_arg(*args, int);
	case 1:
		return va_arg(*args, long);
	case 2:
		return va_arg(*args, long long);
	case 3:
		return va_arg(*args, ssize_t);
	}
	return va_arg(*args, int);
}

static uint64_t unsigned_argument(const struct conversion *c, va_list *args)
{
	switch (c->length) {
	case -2:
		return (unsigned char)va_arg(*args, int);
	case -1:
		return (unsigned short)va_arg(*args, int);
	case 1:
		return va_arg(*args, unsigned long);
	case 2:
		return va_arg(*args, unsigned long long);
	case 3:
		return va_arg(*args, size_t);
	}
	return va_arg(*args, unsigned int);
}

static void put_string(struct output *out, const struct conversion *c, const char *s)
{
	if (!s)
		s = "(null)";
	put_text(out, c, s, c->precision < 0 ? strlen(s) : strnlen(s, c->precision));
}

/* False: the letter means nothing. */
static bool put_conversion(struct output *out, struct conversion *c, va_list *args)
{
	int64_t value;
	char character;

	switch (c->letter) {
	case 'd':
	case 'i':
		value = signed_argument(c, args);
		put_number(out, c, value < 0 ? -(uint64_t)value : (uint64_t)value,
			   sign_of(c, value < 0, true));
		return true;
	case 'u':
	case 'x':
	case 'X':
	case 'o':
		put_number(out, c, unsigned_argument(c, args), "");
		return true;
	case 'p':
		if (c->precision < 0)
			c->precision = 8;
		put_number(out, c, (uintptr_t)va_arg(*args, void *), "");
		return true;
	case 'c':
		character = va_arg(*args, int);
		put_text(out, c, &character, 1);
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

	va_copy(rest, args); /* so that its address can be passed on */
	while (*format != '\0') {
		const char *start = format;
		struct conversion c;

		if (*format++ != '%') {
			put(&out, *start);
			continue;
		}
		c = parse_conversion(&format, &rest);
		if (!put_conversion(&out, &c, &rest))
			put_bytes(&out, start, format - start);
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
