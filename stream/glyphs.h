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

/** What it consists of: row by row, cw >= CELL_MIN_W pixels, less what mask has not. It begins with 0. */
static inline __attribute__((always_inline)) px4 glyphs_mix(px4 h, const void *row, const unsigned cw, px4 mask)
{
	const uint8_t *px = row;
	unsigned i = 0;

	/* Eight at a time: of a pixel's byte that is nothing, nothing is left by the shift. */
#pragma GCC unroll 2
	for (; i + 8 <= cw; i += 8)
		h = ((h << 5) + h) ^ (px4_load(px + 4 * i) & mask) ^ (px4_load(px + 4 * i + 16) << 8);
	if (i + 4 <= cw) {
		h = ((h << 5) + h) ^ (px4_load(px + 4 * i) & mask);
		i += 4;
	}
	if (i < cw)
		h = ((h << 5) + h) ^ (px4_load(px + 4 * cw - 16) & mask);
	return h;
}

static inline uint32_t glyphs_hash_end(px4 h)
{
	return ((h[0] * 0x9e3779b1u + h[1]) * 0x9e3779b1u + (h[2] * 0x85ebca6bu + h[3]) * 0xc2b2ae35u) * 0x27d4eb2fu | 1;
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
