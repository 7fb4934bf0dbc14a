/*
 * The background pool: for tiles in which something was overwritten, what it was. A window that moves on uncovers it again; a
 * cursor that blinks toggles it. At most POOL_TILES tiles, the one used longest ago gives way.
 */
#ifndef STREAM_BACKGROUND_H
#define STREAM_BACKGROUND_H

#include "stream/dense_model.h"

/** Forgets all. */
void background_clear(struct dense *d);

/** The background of the tile with this number, TILE * TILE pixels of three bytes B, G, R; NULL if there is none. */
const uint8_t *background_of(const struct dense *d, uint32_t tile);

static inline uint32_t background_px(const uint8_t *tile, int32_t x, int32_t y)
{
	const uint8_t *p = tile + 3 * ((y & (TILE - 1)) * TILE + (x & (TILE - 1)));

	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/** Pixel (x, y) of d->sent is about to change from old: keeps it. All others of its tile are as yet in d->sent. */
void background_keep(struct dense *d, int32_t x, int32_t y, uint32_t old);

/** Pixel (x, y) became px, and what left it was no background (a window that moved on): then px is, where the tile has one. */
void background_uncover(struct dense *d, int32_t x, int32_t y, uint32_t px);

/** A tile was coded: gives its background up where nothing covers it any more. */
void background_settle(struct dense *d, uint32_t tile);

/** True if the tile has a background and pixels (width w, height h, row by row) equal it. */
bool background_equals(const struct dense *d, uint32_t tile, const uint32_t *px, uint32_t stride, uint32_t w, uint32_t h);

#endif
