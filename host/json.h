/* The little JSON that the tool needs: to write strings, to check what the VMM sent, and to show it as words. */
#ifndef HOST_JSON_H
#define HOST_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "host/text.h"

/** Adds s (len bytes) as a JSON string with its quotes; bytes past ASCII are shown as \u00xx, so that the result is always valid.
 */
void json_string(struct text *out, const char *s, size_t len);

/** True when the text is exactly one JSON value (RFC 8259), nested at most 32 deep, with white space around it. */
bool json_valid(const char *s, size_t len);

/**
 * Shows a valid JSON value as `a.b=1 c=2` words, arrays as a.0=..., prefix before each name. Text that is not valid is added as it
 * is.
 */
void json_words(struct text *out, const char *prefix, const char *s, size_t len);

/** The same with the elements of an array each on a line of its own. */
void json_lines(struct text *out, const char *s, size_t len);

#endif
