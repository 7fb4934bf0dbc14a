/* A picture in memory that someone else may be writing, in any of the formats that a display head has. */
#ifndef STREAM_PICTURE_H
#define STREAM_PICTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "stream/vector.h"

#define TILE 16 /* pixels on a tile's side; at the right and bottom edges a tile is what is left */

/*
 * Where a head's picture lies in memory, as the scanout reads it. Little-endian pixels by bpp: 32 and 24 (bytes B, G, R; of 32 the
 * fourth is ignored), 16 (5 bits R, 6 G, 5 B from the top), 15 (5 each), 8 (an index into the palette).
 */
struct scanout {
	const volatile uint8_t *base; /* first byte of the first visible row; not owned */
	const uint32_t *palette;      /* of 8 bpp: 256 words 0x00RRGGBB; not owned */
	uint32_t stride;	      /* bytes from one row to the next */
	uint16_t width, height;	      /* pixels; 0 x 0: off */
	uint8_t bpp;
};

/** Bytes of one pixel; 0 for a bpp that is not known. */
static inline unsigned scanout_bytes(unsigned bpp)
{
	return bpp == 32 ? 4 : bpp == 24 ? 3 : bpp == 16 || bpp == 15 ? 2 : bpp == 8 ? 1 : 0;
}

/* A word at any address: guests may put a picture where they like. */
struct picture_u32 {
	uint32_t v;
} __attribute__((packed, may_alias));

/** At 32 bpp: the pixel at p. */
static inline uint32_t picture_one(const volatile uint8_t *p)
{
	return ((const volatile struct picture_u32 *)p)->v & 0xffffff;
}

/**
 * Reads a rectangle of pixels, or n of a row, from (x, y) on as words 0x00RRGGBB into px, which has stride words from row to row.
 * They are a copy: what is seen of them does not change any more.
 */
void picture_read_rect(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t *px, uint32_t stride);

static inline void picture_read(const struct scanout *so, uint32_t x, uint32_t y, uint32_t n, uint32_t *px)
{
	picture_read_rect(so, x, y, n, 1, px, 0);
}

/** True if a rectangle of the picture differs from px, which has stride words from row to row. */
bool picture_differs(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px, uint32_t stride);

/** Before which of h rows of w pixels none differs from px; h if none does at all. For long rows: four tiles, or more. */
uint32_t picture_first_difference(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px,
				  uint32_t stride);

#define PICTURE_RUN 16 /* pixels that are worked on together, which compilers turn into vectors */

/**
 * Bits in which two rows of n >= 4 pixels differ, somewhere: the last four may overlap those before. With `aligned`, b is aligned
 * for vectors, and n a multiple of four.
 */
static inline __attribute__((always_inline)) px4 px4_row_diff(const void *a, const void *b, const uint32_t n, const bool aligned)
{
	const uint8_t *p = a, *q = b;
	px4 diff = { 0 };

#pragma GCC unroll 16
	for (uint32_t i = 0; i + 4 <= n; i += 4)
		diff |= px4_load(p + 4 * i) ^ (aligned ? *(const px4 *)(const void *)(q + 4 * i) : px4_load(q + 4 * i));
	if (n % 4)
		diff |= px4_load(p + 4 * n - 16) ^ px4_load(q + 4 * n - 16);
	return diff;
}

/** True if n pixels are the same. */
static inline bool pixels_equal(const uint32_t *a, const uint32_t *b, uint32_t n)
{
	uint32_t diff = 0;

	if (n == TILE)
		return !px4_some(px4_row_diff(a, b, TILE, false));
	if (n >= 4)
		return !px4_some(px4_row_diff(a, b, n, false));
	while (n--)
		diff |= a[n] ^ b[n];
	return !diff;
}

/** Copies n pixels; mostly they are a tile's row. */
static inline void pixels_copy(uint32_t *to, const uint32_t *px, uint32_t n)
{
	if (n == TILE)
		memcpy(to, px, TILE * sizeof(*to));
	else
		memcpy(to, px, n * sizeof(*to));
}

/** Makes n pixels the same. */
static inline void pixels_fill(uint32_t *to, uint32_t px, uint32_t n)
{
	for (; n >= 4; n -= 4, to += 4)
		px4_store(to, px4_all(px));
	while (n--)
		*to++ = px;
}

#endif
