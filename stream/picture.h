/* A picture in memory that someone else may be writing, in any of the formats that a display head has. */
#ifndef STREAM_PICTURE_H
#define STREAM_PICTURE_H

#include <stdint.h>

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

/** Reads n pixels from (x, y) on as words 0x00RRGGBB, each once. */
void picture_read(const struct scanout *so, uint32_t x, uint32_t y, uint32_t n, uint32_t *px);

#endif
