/*
 * Text on a grid: cells that a dictionary has are coded as its ids, with contexts as for text (what stands left and above, what
 * followed such text before). A cell that it lacks is coded as pixels and entered. Two grids can be in use.
 */
#ifndef STREAM_CELLS_H
#define STREAM_CELLS_H

#include "stream/dense_model.h"

/* What an encoder wants to code of a grid in a round. */
struct cell_plan {
	bool fresh;             /* a new grid takes the place of this one */
	uint8_t cw, ch, ox, oy; /* then: its shape */
	bool used;              /* cells of it are coded; then: */
	uint16_t first_row, last_row, first_col, last_col;
	uint32_t rows[DENSE_MAX_SIDE / CELL_MIN_H / 32 + 1]; /* which rows; the first and the last are always coded */
};

/** Forgets all. */
void cells_clear(struct dense *d);

/** Begins a round. */
void cells_begin(struct dense *d);

/**
 * Codes what is to come of grid d->cells.g. plan: not read by the decoder.
 * Returns true if cells follow, row by row.
 */
bool cells_grid(struct dense *d, const struct cell_plan *plan);

/** Codes whether row d->cells.row is coded, and prepares its first cell if so. */
bool cells_row(struct dense *d, bool coded);

/** The cell at hand, in pixels. */
struct rect cells_rect(const struct dense *d);

/**
 * Codes the cell at hand. px: its pixels, for the encoder.
 * Returns true if it is drawn; false if its pixels must follow (pixels.h; begun here), and then cells_literal.
 */
bool cells_code(struct dense *d, const uint32_t *px, uint32_t stride);

/** The pixels of the cell at hand were coded: enters it. */
void cells_literal(struct dense *d);

/** Goes on to the next cell of the row; false at its end, then the next row is at hand. */
bool cells_next(struct dense *d);

#endif
