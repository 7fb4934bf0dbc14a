/* A round of the dense mode, unit by unit: the order of things, which encoder and decoder share. */
#ifndef STREAM_DENSE_ROUND_H
#define STREAM_DENSE_ROUND_H

#include "stream/cells.h"
#include "stream/dense_model.h"

#define ROUND_TILES 16 /* of the map in one unit */

/* The fast mode: cells of a row that are coded. */
struct glyph_line {
	uint16_t row, first, last;
};

/** What an encoder decides and reads; all NULL in a decoder. e: its own. */
struct round_ops {
	/* The next copy to make, or NULL for none. */
	const struct copy *(*copy)(void *e);
	const struct cell_plan *(*cells)(void *e, unsigned grid);
	/* The fast mode: the next line of the grid at hand, or NULL; and the symbol of its cell at hand. */
	const struct glyph_line *(*line)(void *e);
	unsigned (*glyph)(void *e);
	/* The pixels of a rectangle as they are to be, *stride words from row to row. */
	const uint32_t *(*px)(void *e, const struct rect *r, uint32_t *stride);
	/* How tile (d->row, d->col) is to be coded, with its pixels read for the last time but for coding. */
	enum tile_mode (*tile)(void *e);
	/* Whether any tile of row d->row may need coding. */
	bool (*row)(void *e);
};

/** Begins a round. */
void round_begin(struct dense *d);

/** Codes the next unit. Returns false at the end of the round. A decoder must look at d->rc.bad. */
bool round_unit(struct dense *d, const struct round_ops *ops, void *e);

#endif
