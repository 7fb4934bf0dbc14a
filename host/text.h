/* Text that grows, and text of which only the end is kept. */
#ifndef HOST_TEXT_H
#define HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing byte string, always followed by a 0 that len does not count. Begin with {0}; text_free at the end. */
struct text {
	char *s;
	size_t len, cap;
};

void text_add(struct text *t, const void *data, size_t len);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The string, "" where nothing was added. */
const char *text_str(const struct text *t);
void text_free(struct text *t);

/**
 * Reads a whole file. Returns 0, or a negative errno (-EFBIG where it is longer than max).
 */
int text_read_file(struct text *t, const char *path, size_t max);

/* The last bytes of an endless text. Begin with {.keep = N}. */
struct tail {
	struct text t;
	size_t keep;	/* bytes kept at least, where there were as many; 2 * keep at most */
	uint64_t total; /* bytes ever added */
};

void tail_add(struct tail *t, const void *data, size_t len);
void tail_free(struct tail *t);

#endif
