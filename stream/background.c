/* background.h */
#include <string.h>

#include "stream/background.h"

#define HEAD POOL_TILES
#define BUCKETS (sizeof(((struct background *)0)->bucket) / sizeof(uint16_t))

void background_clear(struct dense *d)
{
	struct background *b = &d->pool;

	for (unsigned i = 0; i < BUCKETS; i++)
		b->bucket[i] = HEAD;
	b->newer[HEAD] = b->older[HEAD] = HEAD;
	b->count = 0;
	b->free = HEAD;
}

/* The tile's place in the pool, or HEAD. */
static unsigned lookup(const struct background *b, uint32_t tile)
{
	unsigned i = b->bucket[tile % BUCKETS];

	while (i != HEAD && b->tile[i] != tile)
		i = b->chain[i];
	return i;
}

const uint8_t *background_of(const struct dense *d, uint32_t tile)
{
	unsigned i = d->mode == MODE_DENSE ? lookup(&d->pool, tile) : HEAD;

	return i == HEAD ? NULL : d->pool.px[i];
}

static void name(struct background *b, unsigned i, uint32_t tile)
{
	b->tile[i] = tile;
	b->chain[i] = b->bucket[tile % BUCKETS];
	b->bucket[tile % BUCKETS] = (uint16_t)i;
}

static void unname(struct background *b, unsigned i)
{
	uint16_t *at = &b->bucket[b->tile[i] % BUCKETS];

	while (*at != i)
		at = &b->chain[*at];
	*at = b->chain[i];
}

static void unlink(struct background *b, unsigned i)
{
	b->older[b->newer[i]] = b->older[i];
	b->newer[b->older[i]] = b->newer[i];
}

/* The head's older is the newest, its newer the oldest. */
static void link_newest(struct background *b, unsigned i)
{
	unsigned was = b->older[HEAD];

	b->older[i] = (uint16_t)was;
	b->newer[i] = HEAD;
	b->newer[was] = (uint16_t)i;
	b->older[HEAD] = (uint16_t)i;
}

static unsigned take(struct background *b)
{
	unsigned i;

	if (b->free != HEAD) {
		i = b->free;
		b->free = b->newer[i];
		return i;
	}
	if (b->count < POOL_TILES)
		return b->count++;
	i = b->newer[HEAD];
	unlink(b, i);
	unname(b, i);
	return i;
}

static void put(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
}

void background_keep(struct dense *d, int32_t x, int32_t y, uint32_t old)
{
	struct background *b = &d->pool;
	uint32_t tile = (uint32_t)y / TILE * d->cols + (uint32_t)x / TILE;
	unsigned i = lookup(b, tile);

	if (i != HEAD) {
		if (b->older[HEAD] != i) {
			unlink(b, i);
			link_newest(b, i);
		}
	} else {
		uint32_t x0 = (uint32_t)x & ~(TILE - 1u), y0 = (uint32_t)y & ~(TILE - 1u);

		i = take(b);
		link_newest(b, i);
		name(b, i, tile);
		memset(b->px[i], 0, sizeof(b->px[i]));
		for (uint32_t r = 0; r < TILE && y0 + r < d->height; r++)
			for (uint32_t c = 0; c < TILE && x0 + c < d->width; c++)
				put(b->px[i] + 3 * (r * TILE + c), d->sent[(size_t)(y0 + r) * d->width + x0 + c]);
	}
	put(b->px[i] + 3 * ((y & (TILE - 1)) * TILE + (x & (TILE - 1))), old);
}

void background_uncover(struct dense *d, int32_t x, int32_t y, uint32_t px)
{
	unsigned i = lookup(&d->pool, (uint32_t)y / TILE * d->cols + (uint32_t)x / TILE);

	if (i != HEAD)
		put(d->pool.px[i] + 3 * ((y & (TILE - 1)) * TILE + (x & (TILE - 1))), px);
}

bool background_equals(const struct dense *d, uint32_t tile, const uint32_t *px, uint32_t stride, uint32_t w, uint32_t h)
{
	const uint8_t *b = background_of(d, tile);

	if (!b)
		return false;
	for (uint32_t y = 0; y < h; y++, px += stride)
		for (uint32_t x = 0; x < w; x++)
			if (px[x] != background_px(b, (int32_t)x, (int32_t)y))
				return false;
	return true;
}

void background_settle(struct dense *d, uint32_t tile)
{
	struct background *b = &d->pool;
	unsigned i = d->mode == MODE_DENSE ? lookup(b, tile) : HEAD;
	uint32_t x0 = tile % d->cols * TILE, y0 = tile / d->cols * TILE;
	uint32_t w = d->width - x0 < TILE ? d->width - x0 : TILE, h = d->height - y0 < TILE ? d->height - y0 : TILE;

	if (i == HEAD || !background_equals(d, tile, d->sent + (size_t)y0 * d->width + x0, d->width, w, h))
		return;
	unlink(b, i);
	unname(b, i);
	b->newer[i] = b->free;
	b->free = (uint16_t)i;
}
