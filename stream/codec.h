/*
 * The tile codec: one tile of pixels to bytes and back, without loss. A tile is up to TILE x TILE pixels; at the right and
 * bottom edges of a head it is what is left. Pixels are 0x00RRGGBB words (bytes B, G, R, 0 in memory); the top byte is
 * always 0 here.
 *
 * Coded tile: one byte that names the method, then its data. The length is not stored: the decoder knows where it ends.
 *   SOLID   3 bytes: B G R
 *   RUNS    palette, then runs, row by row, until the tile is full: one byte with the colour's index in its low bits and
 *           length - 1 in the rest; where the rest is all ones, a second byte adds 0 to 255 to the length
 *   PACKED  palette, then every pixel's index, row by row, the first pixel in the lowest bits of the first byte; unused bits at
 *           the end are 0
 *   RAW     3 bytes a pixel
 * A palette is a byte n-1 (n from 2 to CODEC_COLOURS) and n colours of 3 bytes. An index takes 1, 2, 3 or 4 bits, the fewest
 * that hold n-1. The encoder takes the shortest method; RAW bounds it, so a tile never costs more than CODEC_TILE_MAX bytes.
 */
#ifndef STREAM_CODEC_H
#define STREAM_CODEC_H

#include <stddef.h>
#include <stdint.h>

#define TILE 16				     /* pixels on a tile's side */
#define CODEC_TILE_MAX (1 + 3 * TILE * TILE) /* bytes of the longest coded tile */
#define CODEC_COLOURS 16		     /* in a palette, at most */

enum codec_method { CODEC_SOLID = 0, CODEC_RUNS, CODEC_PACKED, CODEC_RAW };

/**
 * Codes a tile.
 * @px      w * h pixels, row by row, no padding; top bytes 0
 * @w, @h   1..TILE
 * @out     room for CODEC_TILE_MAX bytes
 * Returns the number of bytes written, at most 1 + 3 * w * h.
 */
size_t codec_encode_tile(const uint32_t *px, unsigned w, unsigned h, uint8_t *out);

/**
 * Decodes one tile from untrusted bytes.
 * @in, @len  what is left of the frame
 * @px        receives w * h pixels
 * Returns the number of bytes used, or -EBADMSG for an unknown method, runs that do not fill the tile exactly, an index past
 * the palette, unused bits that are not 0, or data that ends too soon; then px holds nothing of use.
 */
int codec_decode_tile(const uint8_t *in, size_t len, unsigned w, unsigned h, uint32_t *px);

#endif
