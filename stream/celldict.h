/*
 * The dictionary of a grid: cells (glyphs in their colours) that were seen, by an id. The one used longest ago gives way, and
 * so do colours that no cell has any more.
 */
#ifndef STREAM_CELLDICT_H
#define STREAM_CELLDICT_H

#include "stream/dense_model.h"

#define CELL_PX_MAX (CELL_MAX_W * CELL_MAX_H)

/** Makes an empty dictionary for cells of cw x ch pixels, of which the first stands at (ox, oy). */
void celldict_begin(struct grid *g, unsigned cw, unsigned ch, unsigned ox, unsigned oy);

/** A hash of a cell's pixels; never 0. */
uint32_t celldict_hash(unsigned cw, unsigned ch, const uint32_t *px, uint32_t stride);

/** True if a cell has this hash. */
bool celldict_has_hash(const struct grid *g, uint32_t hash);

/** The id of a cell with these pixels (stride words from row to row), or CELL_NONE. */
unsigned celldict_find(const struct grid *g, const uint32_t *px, uint32_t stride);

/** Enters a cell that is not there; its id, or CELL_NONE where it has more colours than fit. */
unsigned celldict_enter(struct grid *g, const uint32_t *px, uint32_t stride);

/** True if a cell has this id. */
bool celldict_has(const struct grid *g, unsigned id);

/** Notes that a cell was used. */
void celldict_touch(struct grid *g, unsigned id);

/** Draws a cell. */
void celldict_draw(const struct grid *g, unsigned id, uint32_t *px, uint32_t stride);

#endif
