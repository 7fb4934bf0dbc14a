#define _GNU_SOURCE
#include "host/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool verbose;

static void vsay(const char *fmt, va_list ap)
{
	fflush(stdout);
	fputs("tessera: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void say_more(const char *fmt, ...)
{
	va_list ap;

	if (!verbose)
		return;
	va_start(ap, fmt);
	vsay(fmt, ap);
	va_end(ap);
}

void say_verbose(bool on)
{
	verbose = on;
}

void say_text(const char *prefix, const char *text, size_t len)
{
	bool at_start = true;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '\r')
			continue;
		if (at_start && c != '\n')
			fputs(prefix, stderr);
		if (c == '\n') {
			if (!at_start)
				fputc('\n', stderr);
			at_start = true;
			continue;
		}
		at_start = false;
		fputc((c >= 0x20 && c < 0x7f) || c == '\t' ? c : '.', stderr);
	}
	if (!at_start)
		fputc('\n', stderr);
}

static void *checked(void *p)
{
	if (!p) {
		fputs("tessera: out of memory\n", stderr);
		exit(EXIT_TOOL);
	}
	return p;
}

void *xalloc(size_t size)
{
	return checked(calloc(1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
	return checked(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
	return checked(strdup(s));
}

char *xprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return checked(s);
}

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}
