/* The search for what moved, in slices: blocks of the new picture are looked for in the one sent, vectors are counted. */
#ifndef STREAM_COPYSEARCH_H
#define STREAM_COPYSEARCH_H

#include "stream/dense_enc.h"

enum search_result { SEARCH_MORE, SEARCH_FOUND, SEARCH_NONE };

/** Begins to search within e->bounds. */
void copysearch_begin(struct dense_enc *e);

/**
 * Does a bounded part of the search. SEARCH_FOUND: e->u.search.found is worth making; the search goes on when that was done.
 * SEARCH_NONE: the end.
 */
enum search_result copysearch_step(struct dense_enc *e);

#endif
