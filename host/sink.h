/* Where text goes: stdout, stderr, a file, or nowhere. Writes never block the loop for long; what the reader cannot take waits. */
#ifndef HOST_SINK_H
#define HOST_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "host/pollset.h"
#include "host/text.h"

struct sink {
	int fd; /* -1: nowhere */
	bool owned;
	struct text wait; /* not yet written, from `done` on */
	size_t done;
};

/**
 * Opens a file for writing. Returns 0, or -1 having said why.
 */
int sink_open(struct sink *s, const char *path);

void sink_add(struct sink *s, const void *data, size_t len);

/** True while so much waits that its source should be held up. */
bool sink_full(const struct sink *s);
void sink_prepare(const struct sink *s, struct pollset *p);
void sink_pump(struct sink *s, const struct pollset *p);

/** Writes what waits, for at most limit_us, and closes what sink_open opened. */
void sink_close(struct sink *s, uint64_t limit_us);

#endif
