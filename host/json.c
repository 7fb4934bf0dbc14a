#include "host/json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 32

void json_string(struct text *out, const char *s, size_t len)
{
	text_add(out, "\"", 1);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			text_printf(out, "\\%c", c);
		else if (c == '\n')
			text_printf(out, "\\n");
		else if (c < 0x20 || c >= 0x7f)
			text_printf(out, "\\u%04x", c);
		else
			text_add(out, s + i, 1);
	}
	text_add(out, "\"", 1);
}

/* Where the reader is, and (for json_words) the dotted name of where it is in the tree. */
struct scan {
	const char *p, *end;
	unsigned depth;
	struct text *words; /* NULL: only check */
	struct text name;
};

static bool value(struct scan *s);

static void blanks(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool take(struct scan *s, char c)
{
	blanks(s);
	if (s->p >= s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

/* A string; *from and *len get what stands between the quotes, undecoded. */
static bool string(struct scan *s, const char **from, size_t *len)
{
	if (!take(s, '"'))
		return false;
	*from = s->p;
	while (s->p < s->end && *s->p != '"') {
		if ((unsigned char)*s->p < 0x20)
			return false;
		if (*s->p++ != '\\')
			continue;
		if (s->p >= s->end || !strchr("\"\\/bfnrtu", *s->p) || !*s->p)
			return false;
		if (*s->p++ == 'u') {
			for (int i = 0; i < 4; i++, s->p++)
				if (s->p >= s->end || !isxdigit((unsigned char)*s->p))
					return false;
		}
	}
	*len = (size_t)(s->p - *from);
	return take(s, '"');
}

static bool digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && isdigit((unsigned char)*s->p))
		s->p++;
	return s->p > from;
}

static bool number(struct scan *s)
{
	if (s->p < s->end && *s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (!digits(s))
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (!digits(s))
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		return digits(s);
	}
	return true;
}

static bool word(struct scan *s, const char *w)
{
	size_t n = strlen(w);

	if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0)
		return false;
	s->p += n;
	return true;
}

static void emit(struct scan *s, const char *from, size_t len)
{
	if (!s->words)
		return;
	text_printf(s->words, "%s%s%s", s->words->len ? " " : "", text_str(&s->name), s->name.len ? "=" : "");
	text_add(s->words, from, len);
}

/* A member's value, with its name on the path. */
static bool member(struct scan *s, const char *name, size_t len)
{
	size_t keep = s->name.len;
	bool ok;

	if (s->words) {
		if (keep)
			text_add(&s->name, ".", 1);
		text_add(&s->name, name, len);
	}
	ok = value(s);
	if (s->words) {
		s->name.len = keep;
		s->name.s[keep] = 0;
	}
	return ok;
}

static bool object(struct scan *s)
{
	const char *name;
	size_t len;

	if (take(s, '}'))
		return true;
	do {
		if (!string(s, &name, &len) || !take(s, ':') || !member(s, name, len))
			return false;
	} while (take(s, ','));
	return take(s, '}');
}

static bool array(struct scan *s)
{
	char name[16];

	if (take(s, ']'))
		return true;
	for (unsigned i = 0;; i++) {
		int n = snprintf(name, sizeof(name), "%u", i);

		if (!member(s, name, (size_t)n))
			return false;
		if (!take(s, ','))
			return take(s, ']');
	}
}

static bool value(struct scan *s)
{
	const char *from, *inner = NULL;
	size_t len = 0;
	bool ok;

	blanks(s);
	if (s->p >= s->end || s->depth >= DEPTH_MAX)
		return false;
	from = s->p;
	switch (*s->p) {
	case '{':
	case '[':
		s->depth++;
		s->p++;
		ok = *from == '{' ? object(s) : array(s);
		s->depth--;
		return ok;
	case '"': ok = string(s, &inner, &len); break;
	case 't': ok = word(s, "true"); break;
	case 'f': ok = word(s, "false"); break;
	case 'n': ok = word(s, "null"); break;
	default: ok = number(s); break;
	}
	if (ok && inner)
		emit(s, inner, len);
	else if (ok)
		emit(s, from, (size_t)(s->p - from));
	return ok;
}

bool json_valid(const char *s, size_t len)
{
	struct scan scan = { .p = s, .end = s + len };
	bool ok = value(&scan);

	blanks(&scan);
	return ok && scan.p == scan.end;
}

void json_words(struct text *out, const char *prefix, const char *s, size_t len)
{
	struct scan scan = { .p = s, .end = s + len, .words = out };

	if (!json_valid(s, len)) {
		text_printf(out, "%s", out->len ? " " : "");
		text_add(out, s, len);
		return;
	}
	text_add(&scan.name, prefix, strlen(prefix));
	value(&scan);
	text_free(&scan.name);
}

void json_lines(struct text *out, const char *s, size_t len)
{
	struct scan scan = { .p = s, .end = s + len };

	if (!json_valid(s, len) || !take(&scan, '[')) {
		json_words(out, "", s, len);
		return;
	}
	if (take(&scan, ']'))
		return;
	do {
		struct text line = { 0 };

		scan.words = &line;
		value(&scan);
		text_printf(out, "%s%s", out->len ? "\n" : "", text_str(&line));
		text_free(&line);
	} while (take(&scan, ','));
	text_free(&scan.name);
}
