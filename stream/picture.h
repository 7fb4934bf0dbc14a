/* A picture in memory that someone else may be writing, in any of the formats that a display head has. */
#ifndef STREAM_PICTURE_H
#define STREAM_PICTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* Words at any address: guests may put a picture where they like. */
struct picture_u32 {
	uint32_t v;
} __attribute__((packed, may_alias));

struct picture_u64 {
	uint64_t v;
} __attribute__((packed, may_alias));

#define PICTURE_TWO 0x00ffffff00ffffffu /* of a word of two pixels: the fourth byte of each is nothing */

/** At 32 bpp: the pixel at p, and that one and the next. */
static inline uint32_t picture_one(const volatile uint8_t *p)
{
	return ((const volatile struct picture_u32 *)p)->v & 0xffffff;
}

static inline uint64_t picture_two(const volatile uint8_t *p)
{
	return ((const volatile struct picture_u64 *)p)->v & PICTURE_TWO;
}

/** Reads n pixels from (x, y) on as words 0x00RRGGBB. They are a copy: what is seen of them does not change any more. */
void picture_read(const struct scanout *so, uint32_t x, uint32_t y, uint32_t n, uint32_t *px);

/** True if a rectangle of the picture differs from px, which has stride words from row to row. */
bool picture_differs(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px, uint32_t stride);

/**
 * True if n pixels of a row may differ from px: for long rows, which are cheaper to compare as bytes. At 32 bpp the byte that is
 * nothing counts, too.
 */
bool picture_may_differ(const struct scanout *so, uint32_t x, uint32_t y, uint32_t n, const uint32_t *px);

#define PICTURE_RUN 16 /* pixels that are worked on together, which compilers turn into vectors */

/** True if n pixels are the same. */
static inline bool pixels_equal(const uint32_t *a, const uint32_t *b, uint32_t n)
{
	uint64_t diff = 0, x, y;

	if (n == TILE) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < TILE; i += 2) {
			memcpy(&x, a + i, sizeof(x));
			memcpy(&y, b + i, sizeof(y));
			diff |= x ^ y;
		}
		return !diff;
	}
	for (; n >= 2; n -= 2, a += 2, b += 2) {
		memcpy(&x, a, sizeof(x));
		memcpy(&y, b, sizeof(y));
		diff |= x ^ y;
	}
	if (n)
		diff |= *a ^ *b;
	return !diff;
}

/** Makes n pixels the same. */
static inline void pixels_fill(uint32_t *to, uint32_t px, uint32_t n)
{
	uint64_t two = (uint64_t)px << 32 | px;

	for (; n >= 2; n -= 2, to += 2)
		memcpy(to, &two, sizeof(two));
	if (n)
		*to = px;
}

#endif
