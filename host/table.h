/* guest-tests/table.txt: the guests that `@name` stands for. */
#ifndef HOST_TABLE_H
#define HOST_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct guest_entry {
	char *name, *file, *kind, *needs, *options, *expect, *exceptions, *about;
};

struct guest_table {
	struct guest_entry *entry;
	size_t count;
	char *text; /* holds all strings */
};

/**
 * Reads a table's text (copied): a line an entry, '#' comments, eight fields separated by '|'.
 * Returns 0, or -EINVAL with the number of the first bad line in *line; free in both cases.
 */
int table_parse(struct guest_table *t, const char *text, unsigned *line);

/** Loads the table of this build; on failure says why and returns a negative errno. */
int table_load(struct guest_table *t);

const struct guest_entry *table_find(const struct guest_table *t, const char *name);
void table_free(struct guest_table *t);

/**
 * Splits options into words as a shell would, with '...' and "..." but no escapes or expansion.
 * Returns a NULL-terminated array (free with table_words_free), or NULL where a quote is not closed.
 */
char **table_words(const char *s, int *count);
void table_words_free(char **words);

#endif
