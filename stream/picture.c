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

/* Two pixels at a time; SSE is not for the VMM. */
static void read_32(const volatile uint8_t *row, uint32_t n, uint32_t *px)
{
	if (n == TILE) {
		const struct picture_u64 *from = (const void *)(uintptr_t)row;

#pragma GCC unroll 8
		for (unsigned i = 0; i < TILE / 2; i++)
			((struct picture_u64 *)px)[i].v = from[i].v & PICTURE_TWO;
		__asm__ volatile("" ::: "memory"); /* what was read is not read again in its place */
		return;
	}
	for (; n >= 2; n -= 2, px += 2, row += 8)
		((struct picture_u64 *)px)->v = ((const volatile struct picture_u64 *)row)->v & PICTURE_TWO;
	if (n)
		*px = ((const volatile struct picture_u32 *)row)->v & 0xffffff;
}

static inline uint64_t row_diff_32(const uint8_t *row, const uint32_t *px, uint32_t n)
{
	const struct picture_u64 *a = (const void *)row, *b = (const void *)px;
	uint64_t diff = 0;

#pragma GCC unroll 8
	for (uint32_t i = 0; i < n / 2; i++)
		diff |= a[i].v ^ b[i].v;
	if (n & 1)
		diff |= ((const struct picture_u32 *)row)[n - 1].v ^ px[n - 1];
	return diff;
}

/* Some rows are looked at together. */
static inline bool differs_32(const uint8_t *row, uint32_t so_stride, const uint32_t *px, uint32_t stride, const uint32_t w,
			      uint32_t h, const unsigned rows)
{
	uint64_t diff = 0;

	for (; h >= rows && !(diff & PICTURE_TWO); h -= rows)
#pragma GCC unroll 4
		for (unsigned i = 0; i < rows; i++, row += so_stride, px += stride)
			diff |= row_diff_32(row, px, w);
	for (; h && !(diff & PICTURE_TWO); h--, row += so_stride, px += stride)
		diff |= row_diff_32(row, px, w);
	__asm__ volatile("" ::: "memory");
	return diff & PICTURE_TWO;
}

bool picture_differs(const struct scanout *so, uint32_t x, uint32_t y, uint32_t w, uint32_t h, const uint32_t *px, uint32_t stride)
{
	uint32_t copy[TILE];

	if (so->bpp == 32) {
		const uint8_t *row = (const uint8_t *)(uintptr_t)so->base + (uint64_t)y * so->stride + x * 4;

		/* The widths of a tile and of common glyphs. */
		switch (w) {
		case TILE: return differs_32(row, so->stride, px, stride, TILE, h, 4);
		case 6: return differs_32(row, so->stride, px, stride, 6, h, 2);
		case 7: return differs_32(row, so->stride, px, stride, 7, h, 2);
		case 8: return differs_32(row, so->stride, px, stride, 8, h, 2);
		case 9: return differs_32(row, so->stride, px, stride, 9, h, 2);
		case 10: return differs_32(row, so->stride, px, stride, 10, h, 2);
		default: return differs_32(row, so->stride, px, stride, w, h, 1);
		}
	}
	for (; h; h--, y++, px += stride)
		for (uint32_t i = 0, n; i < w; i += n) {
			n = w - i < TILE ? w - i : TILE;
			picture_read(so, x + i, y, n, copy);
			if (!pixels_equal(copy, px + i, n))
				return true;
		}
	return false;
}

void picture_read(const struct scanout *so, uint32_t x, uint32_t y, uint32_t n, uint32_t *px)
{
	unsigned bytes = scanout_bytes(so->bpp);
	const volatile uint8_t *row = so->base + (uint64_t)y * so->stride + x * bytes;

	if (so->bpp == 32)
		read_32(row, n, px);
	else
		for (uint32_t i = 0; i < n; i++)
			px[i] = read_one(so, row + i * bytes);
}

bool picture_may_differ(const struct scanout *so, uint32_t x, uint32_t y, uint32_t n, const uint32_t *px)
{
	if (so->bpp != 32)
		return picture_differs(so, x, y, n, 1, px, 0);

	bool differs = memcmp((const uint8_t *)(uintptr_t)so->base + (uint64_t)y * so->stride + x * 4, px, n * sizeof(*px)) != 0;

	__asm__ volatile("" ::: "memory");
	return differs;
}
