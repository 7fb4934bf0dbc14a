/* The fast mode's choice of what is coded as glyphs, in slices. */
#ifndef STREAM_GLYPHPLAN_H
#define STREAM_GLYPHPLAN_H

#include "stream/dense_enc.h"

/** Begins to choose from the cells of the grids in use, and of those that e->plan has as fresh. */
void glyphplan_begin(struct dense_enc *e);

/** Looks at one row of cells; false at the end: then the lines are known. */
bool glyphplan_step(struct dense_enc *e);

/** For the round (dense_round.h): the next line of the grid at hand; the symbol of its cell at hand. */
const struct glyph_line *glyphplan_line(struct dense_enc *e);
unsigned glyphplan_glyph(struct dense_enc *e);

#endif
