#include "host/table.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/paths.h"
#include "host/say.h"
#include "host/text.h"

#define FIELDS 8

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	return s;
}

/* Splits one line in place. False where it does not have FIELDS fields, or lacks name or file. */
static bool parse_line(char *line, struct guest_entry *e)
{
	char **field[FIELDS] = { &e->name, &e->file, &e->kind, &e->needs, &e->options, &e->expect, &e->exceptions, &e->about };
	unsigned n = 0;
	char *next;

	for (char *s = line; s; s = next) {
		next = strchr(s, '|');
		if (next)
			*next++ = 0;
		if (n == FIELDS)
			return false;
		*field[n++] = trim(s);
	}
	return n == FIELDS && *e->name && *e->file;
}

int table_parse(struct guest_table *t, const char *text, unsigned *line)
{
	char *next;

	*t = (struct guest_table){ .text = xstrdup(text) };
	*line = 0;
	for (char *s = t->text; s && *s; s = next) {
		struct guest_entry e = { 0 };

		++*line;
		next = strchr(s, '\n');
		if (next)
			*next++ = 0;
		s = trim(s);
		if (!*s || *s == '#')
			continue;
		if (!parse_line(s, &e))
			return -EINVAL;
		t->entry = xrealloc(t->entry, (t->count + 1) * sizeof(e));
		t->entry[t->count++] = e;
	}
	return 0;
}

int table_load(struct guest_table *t)
{
	struct text text = { 0 };
	char *path = paths_in_share("guest/table.txt");
	unsigned line = 0;
	int err = text_read_file(&text, path, 1 << 20);

	*t = (struct guest_table){ 0 };
	if (err) {
		say("%s: %s (run 'make guest-tests')", path, strerror(-err));
	} else {
		err = table_parse(t, text_str(&text), &line);
		if (err)
			say("%s:%u: not eight fields separated by '|'", path, line);
	}
	text_free(&text);
	free(path);
	return err;
}

const struct guest_entry *table_find(const struct guest_table *t, const char *name)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->entry[i].name, name) == 0)
			return &t->entry[i];
	return NULL;
}

void table_free(struct guest_table *t)
{
	free(t->entry);
	free(t->text);
	*t = (struct guest_table){ 0 };
}

/* Reads one word from *s into out. False where a quote is not closed. */
static bool one_word(const char **s, struct text *out)
{
	char quote = 0;

	for (; **s && (quote || !isspace((unsigned char)**s)); ++*s) {
		if (quote && **s == quote)
			quote = 0;
		else if (!quote && (**s == '\'' || **s == '"'))
			quote = **s;
		else
			text_add(out, *s, 1);
	}
	return !quote;
}

char **table_words(const char *s, int *count)
{
	char **words = xalloc(sizeof(*words));

	*count = 0;
	for (;;) {
		struct text word = { 0 };
		bool ok;

		while (isspace((unsigned char)*s))
			s++;
		if (!*s)
			return words;
		ok = one_word(&s, &word);
		words = xrealloc(words, ((size_t)*count + 2) * sizeof(*words));
		words[*count] = xstrdup(text_str(&word));
		words[++*count] = NULL;
		text_free(&word);
		if (!ok) {
			table_words_free(words);
			return NULL;
		}
	}
}

void table_words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}
