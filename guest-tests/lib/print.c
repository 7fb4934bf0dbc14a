#include "guest-tests/lib/print.h"

#include "guest-tests/lib/cpu.h"

#define COM1 0x3f8
#define LSR_DR 0x01
#define LSR_THRE 0x20
#define THRE_POLLS 1000000u
#define EXIT_PORT 0xf4

void print_init(void)
{
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 0x80); /* DLAB */
	outb(COM1 + 0, 1);
	outb(COM1 + 1, 0);
	outb(COM1 + 3, 3); /* 8N1 */
	outb(COM1 + 2, 7); /* FIFOs on and empty */
	outb(COM1 + 4, 3); /* DTR, RTS */
}

static void put(char c)
{
	for (unsigned i = 0; i < THRE_POLLS && !(inb(COM1 + 5) & LSR_THRE); i++)
		;
	outb(COM1, (uint8_t)c);
}

void console_wait(void)
{
	while (!(inb(COM1 + 5) & LSR_DR))
		;
	inb(COM1);
}

struct out {
	char *buf; /* NULL: the console */
	unsigned size, len;
};

static void emit(struct out *o, char c)
{
	if (!o->buf) {
		if (c == '\n')
			put('\r');
		put(c);
	} else if (o->len + 1 < o->size) {
		o->buf[o->len] = c;
	} else {
		return;
	}
	o->len++;
}

struct field {
	char pad;
	unsigned width;
};

static void emit_number(struct out *o, uint64_t v, unsigned base, bool negative, bool upper, struct field f)
{
	const char *digit = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	unsigned n = 0;

	do
		text[n++] = digit[v % base];
	while (v /= base);
	if (negative)
		text[n++] = '-';
	while (f.width > n) {
		emit(o, f.pad);
		f.width--;
	}
	while (n)
		emit(o, text[--n]);
}

static void emit_string(struct out *o, const char *s, struct field f)
{
	unsigned n = 0;

	if (!s)
		s = "(null)";
	for (; *s; s++, n++)
		emit(o, *s);
	for (; n < f.width; n++)
		emit(o, ' ');
}

static void vprint(struct out *o, const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		struct field f = { ' ', 0 };
		bool wide = false;

		if (*fmt != '%') {
			emit(o, *fmt);
			continue;
		}
		fmt++;
		if (*fmt == '0')
			f.pad = *fmt++;
		while (*fmt >= '0' && *fmt <= '9')
			f.width = f.width * 10 + (unsigned)(*fmt++ - '0');
		while (*fmt == 'l') {
			wide = true;
			fmt++;
		}
		switch (*fmt) {
		case 's': emit_string(o, va_arg(ap, const char *), f); break;
		case 'c': emit(o, (char)va_arg(ap, int)); break;
		case 'd': {
			int64_t v = wide ? va_arg(ap, int64_t) : va_arg(ap, int);
			emit_number(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0, false, f);
			break;
		}
		case 'u':
		case 'x':
		case 'X':
			emit_number(o, wide ? va_arg(ap, uint64_t) : va_arg(ap, unsigned), *fmt == 'u' ? 10 : 16, false,
				    *fmt == 'X', f);
			break;
		case '\0': return;
		default: emit(o, *fmt); break;
		}
	}
}

void print(const char *fmt, ...)
{
	struct out o = { 0 };
	va_list ap;

	va_start(ap, fmt);
	vprint(&o, fmt, ap);
	va_end(ap);
}

unsigned print_to_va(char *buf, unsigned size, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = size };

	vprint(&o, fmt, ap);
	if (size)
		buf[o.len] = '\0';
	return o.len;
}

unsigned print_to(char *buf, unsigned size, const char *fmt, ...)
{
	va_list ap;
	unsigned n;

	va_start(ap, fmt);
	n = print_to_va(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

_Noreturn void guest_exit(uint32_t value)
{
	outl(EXIT_PORT, value);
	for (;;)
		__asm__ volatile("cli; hlt");
}
