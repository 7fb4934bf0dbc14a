/*
 * The fast mode's search for what moved, in slices. Features of some tiles that differ are looked for in every sixteenth row of the
 * picture sent; the vectors that most of them name are tried on a few rows of each tile.
 */
#ifndef STREAM_MOVESEARCH_H
#define STREAM_MOVESEARCH_H

#include "stream/copysearch.h"

/** Begins to search within e->bounds. */
void movesearch_begin(struct dense_enc *e);

/** As copysearch_step; what is found is e->u.moves.found. */
enum search_result movesearch_step(struct dense_enc *e);

#endif
