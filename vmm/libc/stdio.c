/* snprintf as far as the VMM needs it (stdio.h names the subset). */
#include <stdio.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct out {
	char *buf;
	size_t size, len; /* len: what would have been written */
};

struct spec {
	bool left, zero, plus, space, alt;
	int width, precision; /* -1: no precision */
	int size;	      /* -2 hh, -1 h, 0 int, 1 l, 2 ll, 3 z */
};

static void put(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_text(struct out *o, const struct spec *s, const char *text)
{
	if (!text)
		text = "(null)";
	size_t n = s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision);
	if (!s->left)
		pad(o, ' ', s->width - (int)n);
	for (size_t i = 0; i < n; i++)
		put(o, text[i]);
	if (s->left)
		pad(o, ' ', s->width - (int)n);
}

/* sign is 0, '-', '+' or ' '; prefix is "" or "0x". */
static void put_number(struct out *o, const struct spec *s, uint64_t v, unsigned base, bool upper, char sign, const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int n = 0;
	for (; v; v /= base)
		text[n++] = digits[v % base];
	int zeros = (s->precision < 0 ? 1 : s->precision) - n;
	if (zeros < 0)
		zeros = 0;
	int fixed = n + (sign ? 1 : 0) + (int)strlen(prefix);
	if (s->zero && !s->left && s->precision < 0 && s->width - fixed > zeros)
		zeros = s->width - fixed;
	int blanks = s->width - fixed - zeros;

	if (!s->left)
		pad(o, ' ', blanks);
	if (sign)
		put(o, sign);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	while (n)
		put(o, text[--n]);
	if (s->left)
		pad(o, ' ', blanks);
}

static int parse_number(const char **fmt)
{
	int n = 0;
	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++) {
		if (n < 100000)
			n = n * 10 + (**fmt - '0');
	}
	return n;
}

/* A `*` or digits. */
static int parse_count(const char **fmt, va_list *ap)
{
	if (**fmt != '*')
		return parse_number(fmt);
	(*fmt)++;
	return va_arg(*ap, int);
}

static void parse_spec(struct spec *s, const char **fmt, va_list *ap)
{
	*s = (struct spec){ .precision = -1 };
	for (;; (*fmt)++) {
		if (**fmt == '-')
			s->left = true;
		else if (**fmt == '0')
			s->zero = true;
		else if (**fmt == '+')
			s->plus = true;
		else if (**fmt == ' ')
			s->space = true;
		else if (**fmt == '#')
			s->alt = true;
		else
			break;
	}
	s->width = parse_count(fmt, ap);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	if (**fmt == '.') {
		(*fmt)++;
		s->precision = parse_count(fmt, ap);
	}
	for (;; (*fmt)++) {
		if (**fmt == 'h')
			s->size--;
		else if (**fmt == 'l')
			s->size++;
		else if (**fmt == 'z' || **fmt == 'j' || **fmt == 't')
			s->size = 3;
		else
			break;
	}
}

static uint64_t take_unsigned(const struct spec *s, va_list *ap)
{
	if (s->size > 0)
		return va_arg(*ap, uint64_t);
	unsigned v = va_arg(*ap, unsigned);
	return s->size == -1 ? (uint16_t)v : s->size == -2 ? (uint8_t)v : v;
}

static int64_t take_signed(const struct spec *s, va_list *ap)
{
	if (s->size > 0)
		return va_arg(*ap, int64_t);
	int v = va_arg(*ap, int);
	return s->size == -1 ? (int16_t)v : s->size == -2 ? (int8_t)v : v;
}

static void put_signed(struct out *o, const struct spec *s, va_list *ap)
{
	int64_t v = take_signed(s, ap);
	char sign = v < 0 ? '-' : s->plus ? '+' : s->space ? ' ' : 0;
	put_number(o, s, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, false, sign, "");
}

static void put_hex(struct out *o, const struct spec *s, uint64_t v, bool upper)
{
	put_number(o, s, v, 16, upper, 0, !s->alt || !v ? "" : upper ? "0X" : "0x");
}

static void put_char(struct out *o, const struct spec *s, char c)
{
	if (!s->left)
		pad(o, ' ', s->width - 1);
	put(o, c);
	if (s->left)
		pad(o, ' ', s->width - 1);
}

/* One conversion, fmt behind its %. */
static const char *convert(struct out *o, const char *fmt, va_list *ap)
{
	struct spec s;
	parse_spec(&s, &fmt, ap);
	switch (*fmt) {
	case 'c': put_char(o, &s, (char)va_arg(*ap, int)); break;
	case 's': put_text(o, &s, va_arg(*ap, const char *)); break;
	case 'd':
	case 'i': put_signed(o, &s, ap); break;
	case 'u': put_number(o, &s, take_unsigned(&s, ap), 10, false, 0, ""); break;
	case 'x': put_hex(o, &s, take_unsigned(&s, ap), false); break;
	case 'X': put_hex(o, &s, take_unsigned(&s, ap), true); break;
	case 'p': put_number(o, &s, (uintptr_t)va_arg(*ap, void *), 16, false, 0, "0x"); break;
	case '%': put(o, '%'); break;
	case 0: return fmt;
	default: put(o, *fmt); break;
	}
	return fmt + 1;
}

int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = size };
	va_list args;
	va_copy(args, ap);
	while (*fmt) {
		if (*fmt == '%')
			fmt = convert(&o, fmt + 1, &args);
		else
			put(&o, *fmt++);
	}
	va_end(args);
	if (size)
		buf[o.len < size ? o.len : size - 1] = 0;
	return (int)o.len;
}

int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
