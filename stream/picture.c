/* picture.h: the one place that knows pixel formats */
#include "stream/picture.h"

/* A word at any address: guests may put a picture where they like. */
struct any_u16 {
	uint16_t v;
} __attribute__((packed, may_alias));

/* Widens a field of bits to eight, so that all ones become 255. */
static uint32_t widen(uint32_t v, unsigned bits)
{
	v &= (1u << bits) - 1;
	return v << (8 - bits) | v >> (2 * bits - 8);
}

static uint32_t read_one(const struct scanout *so, const volatile uint8_t *p)
{
	uint32_t v;

	switch (so->bpp) {
	case 24: return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	case 16: v = ((const volatile struct any_u16 *)p)->v; return widen(v >> 11, 5) << 16 | widen(v >> 5, 6) << 8 | widen(v, 5);
	case 15: v = ((const volatile struct any_u16 *)p)->v; return widen(v >> 10, 5) << 16 | widen(v >> 5, 5) << 8 | widen(v, 5);
	default: return so->palette[*p];
	}
}

static inline void read_32(const uint8_t *from, uint32_t n, uint32_t *px)
{
	const px4 colour = px4_all(0xffffff);

#pragma GCC unroll 4
	for (; n >= 4; n -= 4, px += 4, from += 16)
		px4_store(px, px4_load(from) & colour);
	while (n--)
		px[n] = ((const struct picture_u32 *)from)[n].v & 0xffffff;
}

/* A rectangle at 32 bpp, of which `rows` rows are looked at together. */
static inline __attribute__((always_inline)) bool differs_32(const uint8_t *row, uint64_t so_stride, const uint32_t *px,
							     uint64_t stride, const uint32_t w, uint32_t h, const unsigned rows,
							     const bool aligned)
{
	const px4 colour = px4_all(0xffffff);
	px4 diff = { 0 };

	for (; h >= rows; h -= rows) {
#pragma GCC unroll 4
		for (unsigned i = 0; i < rows; i++, row += so_stride, px += stride)
			diff |= px4_row_diff(row, px, w, aligned);
		if (px4_some(diff & colour))
			return true;
	}
	if (rows == 1 || !h)
		return false;
	for (; h; h--, row += so_stride, px += stride)
		diff |= px4_row_diff(row, px, w, aligned);
	return px4_some(diff & colour);
}

/* The widths of a tile, whose place may be known to be aligned, and of common glyphs; what is narrower than a vector. */
#define APART __attribute__((noinline))
#define DIFFERS(name, width, rows, aligned)                                                                                        \
	APART static bool name(const uint8_t *row, uint64_t so_stride, const uint32_t *px, uint64_t stride, uint32_t h)            \
	{                                                                                                                          \
		bool differs = differs_32(row, so_stride, px, stride, width, h, rows, aligned);                                    \
                                                                                                                                   \
		__asm__ volatile("" ::: "memory");                                                                                 \
		return differs;                                                                                                    \
	}
DIFFERS(differs_tile, TILE, 4, false)
DIFFERS(differs_aligned_tile, TILE, 4, true)
DIFFERS(differs_6, 6, 4, false)
DIFFERS(differs_7, 7, 4, false)
DIFFERS(differs_8, 8, 4, false)
DIFFERS(differs_aligned_8, 8, 4, true)
DIFFERS(differs_9, 9, 4, false)
DIFFERS(differs_10, 10, 4, false)

APART static bool differs_narrow(const uint8_t *row, uint64_t so_stride, const uint32_t *px, uint64_t stride, uint32_t w,
				 uint32_t h)
{
	uint32_t diff = 0;

	for (; h; h--, row += so_stride, px += stride)
		for (uint32_t i = 0; i < w; i++)
			diff |= ((const struct picture_u32 *)row)[i].v ^ px[i];
	__asm__ volatile("" ::: "memory");
	return diff & 0xffffff;
}

APART static bool differs_wide(const uint8_t *row, uint64_t so_stride, const uint32_t *px, uint64_t stride, uint32_t w, uint32_t h)
{
	bool differs = differs_32(row, so_stride, px, stride, w, h, 1, false);

	__asm__ volatile("" ::: "memory");
	return differs;
}

/* In the other formats. */
APART static bool differs_read(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px,
			       uint32_t stride)
{
	uint32_t copy[TILE];

	for (; h; h--, y++, px += stride)
		for (uint32_t i = 0, n; i < w; i += n) {
			n = w - i < TILE ? w - i : TILE;
			picture_read(so, x + i, y, n, copy);
			if (!pixels_equal(copy, px + i, n))
				return true;
		}
	return false;
}

bool picture_differs(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px, uint32_t stride)
{
	uint64_t so_stride = so->stride;
	const uint8_t *row = (const uint8_t *)(uintptr_t)so->base + y * so_stride + x * 4;
	bool aligned = !(((uintptr_t)px | stride * 4) % sizeof(px4));

	if (w == TILE && aligned && so->bpp == 32)
		return differs_aligned_tile(row, so_stride, px, stride, h);
	switch (so->bpp == 32 ? w : 0) {
	case 0: return differs_read(so, x, y, w, h, px, stride);
	case 1:
	case 2:
	case 3: return differs_narrow(row, so_stride, px, stride, w, h);
	case 6: return differs_6(row, so_stride, px, stride, h);
	case 7: return differs_7(row, so_stride, px, stride, h);
	case 8: return aligned ? differs_aligned_8(row, so_stride, px, stride, h) : differs_8(row, so_stride, px, stride, h);
	case 9: return differs_9(row, so_stride, px, stride, h);
	case 10: return differs_10(row, so_stride, px, stride, h);
	case TILE: return differs_tile(row, so_stride, px, stride, h);
	default: return differs_wide(row, so_stride, px, stride, w, h);
	}
}

void picture_read_rect(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, uint32_t *px, uint32_t stride)
{
	unsigned bytes = scanout_bytes(so->bpp);
	const volatile uint8_t *row = so->base + (uint64_t)y * so->stride + x * bytes;
	const uint8_t *from = (const uint8_t *)(uintptr_t)row;

	if (so->bpp == 32 && w == TILE)
		for (; h; h--, from += so->stride, px += stride)
			read_32(from, TILE, px);
	else if (so->bpp == 32)
		for (; h; h--, from += so->stride, px += stride)
			read_32(from, w, px);
	else
		for (; h; h--, row += so->stride, px += stride)
			for (uint32_t i = 0; i < w; i++)
				px[i] = read_one(so, row + i * bytes);
	__asm__ volatile("" ::: "memory"); /* what was read is not read again in its place */
}

/* A row of any length. */
static inline __attribute__((always_inline)) px4 row_diff(const uint8_t *row, const uint32_t *px, uint32_t w, const bool aligned)
{
	px4 diff = { 0 };

	for (; w >= 4 * TILE; w -= 4 * TILE, row += 16 * TILE, px += 4 * TILE)
		diff |= px4_row_diff(row, px, 4 * TILE, aligned);
	for (; w >= TILE; w -= TILE, row += 4 * TILE, px += TILE)
		diff |= px4_row_diff(row, px, TILE, aligned);
	for (; w; w--, row += 4, px++)
		diff |= px4_all(((const struct picture_u32 *)row)->v ^ *px);
	return diff;
}

/* Some rows are looked at together, as long as there are so many. */
static inline __attribute__((always_inline)) uint32_t first_difference_32(const uint8_t *row, uint64_t so_stride, const uint32_t w,
									  uint32_t h, const uint32_t *px, uint64_t stride,
									  const uint32_t rows, const bool aligned)
{
	const px4 colour = px4_all(0xffffff);
	uint32_t r = 0;
	bool same = true;

	for (; same && h - r >= rows; r += same ? rows : 0) {
		px4 diff = { 0 };

#pragma GCC unroll 4
		for (uint32_t i = 0; i < rows; i++, row += so_stride, px += stride)
			diff |= row_diff(row, px, w, aligned);
		same = !px4_some(diff & colour);
	}
	for (; same && r < h; r += same, row += so_stride, px += stride)
		same = !px4_some(row_diff(row, px, w, aligned) & colour);
	__asm__ volatile("" ::: "memory");
	return r;
}

uint32_t picture_first_difference(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px,
				  uint32_t stride)
{
	const uint8_t *row = (const uint8_t *)(uintptr_t)so->base + (uint64_t)y * so->stride + x * 4;
	uint32_t r = 0;

	if (so->bpp == 32 && ((uintptr_t)px | stride * 4) % sizeof(px4))
		return first_difference_32(row, so->stride, w, h, px, stride, 1, false);
	if (so->bpp == 32 && w == 4 * TILE)
		return first_difference_32(row, so->stride, 4 * TILE, h, px, stride, 4, true);
	if (so->bpp == 32)
		return first_difference_32(row, so->stride, w, h, px, stride, 1, true);
	while (r < h && !picture_differs(so, x, y + r, w, 1, px + (size_t)r * stride, 0))
		r++;
	return r;
}
