#include "host/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/say.h"

static void reserve(struct text *t, size_t more)
{
	size_t need = t->len + more + 1;

	if (need <= t->cap)
		return;
	t->cap = need + need / 2 + 64;
	t->s = xrealloc(t->s, t->cap);
}

void text_add(struct text *t, const void *data, size_t len)
{
	reserve(t, len);
	if (len)
		memcpy(t->s + t->len, data, len);
	t->len += len;
	t->s[t->len] = 0;
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		reserve(t, (size_t)n);
		vsnprintf(t->s + t->len, (size_t)n + 1, fmt, again);
		t->len += (size_t)n;
	}
	va_end(again);
}

const char *text_str(const struct text *t)
{
	return t->s ? t->s : "";
}

void text_free(struct text *t)
{
	free(t->s);
	*t = (struct text){ 0 };
}

int text_read_file(struct text *t, const char *path, size_t max)
{
	char buf[16384];
	size_t got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int err = n < 0 ? -errno : 0;

			close(fd);
			return err;
		}
		got += (size_t)n;
		if (got > max) {
			close(fd);
			return -EFBIG;
		}
		text_add(t, buf, (size_t)n);
	}
}

void tail_add(struct tail *t, const void *data, size_t len)
{
	const char *bytes = data;

	t->total += len;
	if (len > t->keep) {
		bytes += len - t->keep;
		len = t->keep;
	}
	if (t->t.len + len > 2 * t->keep) {
		size_t old = t->t.len < t->keep ? t->t.len : t->keep;

		memmove(t->t.s, t->t.s + t->t.len - old, old);
		t->t.len = old;
	}
	text_add(&t->t, bytes, len);
}

void tail_free(struct tail *t)
{
	text_free(&t->t);
	t->total = 0;
}
