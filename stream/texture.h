/*
 * The fast mode's coder of textures: pixels that are like none beside them. What is coded is how much more, or less, a pixel
 * differs from the one above than its left neighbour did, red and blue beyond green, in Golomb-Rice codes from tables.
 */
#ifndef STREAM_TEXTURE_H
#define STREAM_TEXTURE_H

#include "stream/dense_model.h"

#define TEXTURE_BITS 33 /* a pixel takes at most, before it is seen that its piece goes raw */

/** Makes the tables. */
void texture_init(void);

/** Forgets all that was learnt. */
void texture_clear(struct dense *d);

/**
 * Codes n <= TILE pixels of a row in column `col` of tiles, in 24 bits a pixel and one more at most.
 * @row    where they go; row[-1] and above[-1] are read unless `first`, which says that nothing stands left of them
 * @px     encoder: them; else NULL
 */
void texture_code(struct dense *d, uint32_t *row, const uint32_t *above, const uint32_t *px, uint32_t n, bool first, uint32_t col);

/** Codes one pixel, of which is known what it may be like. */
uint32_t texture_px(struct dense *d, uint32_t likely, uint32_t px);

#endif
