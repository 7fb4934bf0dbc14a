/*
 * Text in the fast mode: cells of a grid (gridsearch.h) that a dictionary has are coded as its numbers, which is cheap where the
 * cells to the left were followed by the same one before. A cell that it lacks is coded as pixels and entered. Two grids can be in
 * use.
 */
#ifndef STREAM_GLYPHS_H
#define STREAM_GLYPHS_H

#include "stream/dense_round.h"

#define GLYPH_LEAVE 1023 /* the cell is left as it is */
#define GLYPH_NEW 1022	 /* its pixels follow */

/** Forgets all that was learnt. */
void glyphs_clear(struct dense *d);

/** Begins a round. */
void glyphs_begin(struct dense *d);

/** Codes the next unit, in the stages of cells. */
void glyphs_unit(struct dense *d, const struct round_ops *ops, void *e);

/** A hash of a cell's pixels, which lie row by row without gaps; never 0. */
uint32_t glyphs_hash(const uint32_t *px, unsigned cw, unsigned ch);

/** What it consists of: every second row, from the second on, two pixels at a time and then one; it begins with 0. */
static inline uint64_t glyphs_mix(uint64_t h, uint64_t px)
{
	h ^= px;
	return (h << 29 | h >> 35) * 0x9e3779b97f4a7c15u;
}

static inline uint32_t glyphs_hash_end(uint64_t h)
{
	return (uint32_t)(h >> 32) | 1;
}

/** The first number that has this hash, and the next one after another; GLYPH_NEW: none. */
unsigned glyphs_first(const struct glyph_grid *g, uint32_t hash);
unsigned glyphs_next(const struct glyph_grid *g, unsigned id);

/** A cell's pixels, row by row without gaps. */
static inline const uint32_t *glyphs_px(const struct glyph_grid *g, unsigned id)
{
	return g->px + (size_t)id * g->cw * g->ch;
}

#endif
