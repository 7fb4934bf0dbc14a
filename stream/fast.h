/*
 * The pixel coder of the fast mode, for lines that are not slow: a few adaptive decisions a pixel where pixels repeat, Golomb-
 * Rice codes of differences where they do not. All else is as in the dense mode.
 */
#ifndef STREAM_FAST_H
#define STREAM_FAST_H

#include "stream/dense_model.h"

/** Forgets all that was learnt. */
void fast_clear(struct dense *d);

/** Codes pixels of the region's row from d->px.x up to stop, and puts them into d->sent. px: them, for the encoder. */
void fast_step(struct dense *d, const uint32_t *px, int32_t stop);

#endif
