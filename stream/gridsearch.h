/* The search for the grid on which text stands, in slices; and the choice of what is coded as cells. */
#ifndef STREAM_GRIDSEARCH_H
#define STREAM_GRIDSEARCH_H

#include "stream/dense_enc.h"

/** Begins to look for a grid near e->bounds. */
void gridsearch_begin(struct dense_enc *e);

/** Does a bounded part of it; false at the end: then e->u.grid.best is a grid (its fresh is set) or not. */
bool gridsearch_step(struct dense_enc *e);

/** Begins to choose what is coded as cells of the grids in use and those that e->plan has as fresh. */
void cellplan_begin(struct dense_enc *e);

/** Looks at one row of cells; false at the end: then e->plan is complete. */
bool cellplan_step(struct dense_enc *e);

#endif
