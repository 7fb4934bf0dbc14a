/* picture.h: the one place that knows pixel formats */
#include "stream/picture.h"

/* A word at any address: guests may put a picture where they like. */
struct any_u32 {
	uint32_t v;
} __attribute__((packed, may_alias));

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

static void read_32(const volatile uint8_t *row, uint32_t n, uint32_t *px)
{
	for (; n >= PICTURE_RUN; n -= PICTURE_RUN, px += PICTURE_RUN, row += 4 * PICTURE_RUN) {
		memcpy(px, (const void *)row, 4 * PICTURE_RUN);
		__asm__ volatile("" ::: "memory"); /* what was read is not read again in its place */
		for (unsigned i = 0; i < PICTURE_RUN; i++)
			px[i] &= 0xffffff;
	}
	for (; n; n--, row += 4)
		*px++ = ((const volatile struct any_u32 *)row)->v & 0xffffff;
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
