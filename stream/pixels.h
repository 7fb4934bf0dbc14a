/*
 * The pixel coder of the dense mode: a rectangle of the picture, pixel by pixel in raster order. A pixel is guessed from
 * candidates (neighbours, the picture before, tables of what followed such neighbours); each guess is one mixed decision. What
 * no candidate has is coded as a difference from a prediction, channel by channel.
 */
#ifndef STREAM_PIXELS_H
#define STREAM_PIXELS_H

#include "stream/dense_model.h"

#define PX_PIECE 32 /* pixels in one call, at most */

/*
 * A tile takes no more than raw and one percent, whatever stands in it and was learnt before: 6144 and 61 bits. Both ends know
 * what was spent (rc_bits); no decision may cost more than a part of what is left, and where too little is, the pixel goes raw.
 */
#define TILE_SLACK 60  /* bits, less what the tile's mode took */
#define UNIT_SLACK 360 /* bits that a call may take above 24 a pixel */

/** Forgets all that was learnt. */
void pixels_clear(struct dense *d);

/**
 * Begins a region of d->sent, at most PX_WIDE wide.
 * @literal  the region is a cell of text, else it consists of whole tiles of one row of tiles
 * @texture  of tiles of mode TILE_TEXTURE
 */
void pixels_begin(struct dense *d, int32_t x, int32_t y, int32_t w, int32_t h, bool literal, bool texture);

/**
 * Codes the region's next pixels, at most PX_PIECE of one row, and puts them into d->sent.
 * @px  encoder: where the region's pixels are, stride words from row to row; not read by the decoder
 * Returns false when the region is complete.
 */
bool pixels_step(struct dense *d, const uint32_t *px, uint32_t stride);

/** True if a change of this pixel leaves a background behind: what moved away by copy, and text, do not. */
bool pixels_leave_background(const struct dense *d, int32_t x, int32_t y);

#endif
