/*
 * The pixel coder of the fast mode, for lines that are not slow. A tile's row of pixels is all as above, all as before, a texture
 * (texture.h), or else pixel by pixel: runs where the neighbours are alike, three adaptive decisions a pixel where they are not.
 * What the fast mode has besides: movesearch.h finds copies, glyphs.h codes text. Rounds, units and datagrams are as in the dense
 * mode.
 */
#ifndef STREAM_FAST_H
#define STREAM_FAST_H

#include "stream/dense_model.h"

/** Forgets all that was learnt. */
void fast_clear(struct dense *d);

#define FAST_UNIT_BITS 1300 /* in one call, at most */

/**
 * Codes the region's next pixels, and puts them into d->sent.
 * @px  encoder: where the region's pixels are, stride words from row to row; NULL in the decoder
 * Returns false when the region is complete.
 */
bool fast_step(struct dense *d, const uint32_t *px, uint32_t stride);

#endif
