/* tilemap.h */
#include <string.h>

#include "stream/pixels.h"
#include "stream/tilemap.h"

#define FAST_LIMIT 60

static const struct mix_rule rule_map = { .contexts = 7, .limit = 60, .rate = 8 };

void tilemap_clear(struct dense *d)
{
	struct tile_map *m = &d->map;

	memset(m->mode, 0, d->cols * d->rows);
	memset(m->any, 0, d->rows);
	mix_clear_slots(m->row, sizeof(m->row) / sizeof(m->row[0]));
	mix_clear_slots(m->fast[0], 5 * 5 * 5 * 3);
	mix_clear_weights(m->a[0], sizeof(m->a) / sizeof(m->a[0]), 7);
	mix_clear_weights(m->b[0], sizeof(m->b) / sizeof(m->b[0]), 7);
	mix_clear_apm(m->apm[0], 3);
}

bool tilemap_row(struct dense *d, bool any)
{
	struct tile_map *m = &d->map;
	uint8_t *row = m->mode + d->row * d->cols, *now = &m->any[d->row];
	unsigned had = *now & 1, above = d->row ? now[-1] & 1 : 0;

	/* Only a row in which something stands moves. */
	for (uint32_t i = 0; *now && i < d->cols; i++)
		row[i] = (uint8_t)(row[i] << 4);
	*now = (uint8_t)(*now << 1 & 2);
	return slot_bit(&d->rc, &m->row[had + 2 * above + 4 * (d->copies.count != 0)], 60, any);
}

/* This round's mode of a tile, or the one before's; outside the picture TILE_SAME. */
static unsigned mode_at(const struct dense *d, uint32_t row, uint32_t col, unsigned shift)
{
	return row < d->rows && col < d->cols ? d->map.mode[row * d->cols + col] >> shift & 15 : 0;
}

/* Which edges of copied rectangles the tile touches. */
static uint32_t copy_edges(const struct dense *d)
{
	int32_t x = (int32_t)d->col * TILE, y = (int32_t)d->row * TILE;
	uint32_t bits = 0;

	for (unsigned i = 0; i < d->copies.count; i++) {
		struct rect r = d->copies.now[i].to;
		struct rect s = { r.x + d->copies.now[i].dx, r.y + d->copies.now[i].dy, r.w, r.h };
		unsigned to = 0, from = 0;

		for (unsigned k = 0; k < 4; k++) {
			int32_t cx = x + (k & 1 ? TILE - 1 : 0), cy = y + (k & 2 ? TILE - 1 : 0);

			to += rect_has(&r, cx, cy);
			from += rect_has(&s, cx, cy);
		}
		bits |= (to == 4 ? 2u : to ? 1u : 0u) | (from == 4 ? 8u : from ? 4u : 0u);
	}
	return bits;
}

static uint32_t cell_cover(const struct dense *d)
{
	int32_t x = (int32_t)d->col * TILE + TILE / 2, y = (int32_t)d->row * TILE + TILE / 2;

	for (unsigned g = 0; g < GRIDS; g++)
		if (d->cells.used[g] && rect_has(&d->cells.covered[g], x, y))
			return 1;
	return 0;
}

/* The fast mode has no background, but texture, and needs no mixing. */
static unsigned code_fast(struct dense *d, enum tile_mode mode)
{
	unsigned l = mode_at(d, d->row, d->col - 1, 0), t = mode_at(d, d->row - 1, d->col, 0);
	unsigned was = mode_at(d, d->row, d->col, 4);
	struct slot *slot = d->map.fast[(l * 5 + t) * 5 + was];

	if (!slot_bit(&d->rc, &slot[0], FAST_LIMIT, mode != TILE_SAME))
		return TILE_SAME;
	if (slot_bit(&d->rc, &slot[1], FAST_LIMIT, mode == TILE_CODED))
		return TILE_CODED;
	return slot_bit(&d->rc, &slot[2], FAST_LIMIT, mode == TILE_TEXTURE) ? TILE_TEXTURE : TILE_SOLID;
}

static unsigned code_dense(struct dense *d, bool background, enum tile_mode mode)
{
	struct tile_map *m = &d->map;
	uint32_t r = d->row, c = d->col, h[7];
	unsigned l = mode_at(d, r, c - 1, 0), t = mode_at(d, r - 1, c, 0), tl = mode_at(d, r - 1, c - 1, 0);
	unsigned tr = mode_at(d, r - 1, c + 1, 0), ll = mode_at(d, r, c - 2, 0), tt = mode_at(d, r - 2, c, 0);
	unsigned was = mode_at(d, r, c, 4), was_e = mode_at(d, r, c + 1, 0), was_s = mode_at(d, r + 1, c, 0);
	unsigned was_w = mode_at(d, r, c - 1, 4), was_n = mode_at(d, r - 1, c, 4);
	uint32_t edges = copy_edges(d) | cell_cover(d) << 4 | (uint32_t)background << 5;
	uint32_t context[7] = {
		hash3(1, l | t << 2 | tl << 4 | tr << 6, (uint32_t)background),
		hash3(2, l | ll << 2 | t << 4 | tt << 6, was),
		hash3(3, was | was_e << 2 | was_s << 4 | was_w << 6 | was_n << 8, l | t << 2),
		hash3(4, r * d->cols + c, was),
		hash3(5, c, l),
		hash3(6, r, t | l << 2),
		hash3(7, edges, l | t << 2),
	};
	unsigned got = 0;

	/* Unchanged? Then: coded? Then: background or solid? */
	for (unsigned step = 0; step < 3; step++) {
		int bit = step == 0 ? mode != TILE_SAME : step == 1 ? mode != TILE_CODED : mode == TILE_BACKGROUND;

		if (step == 2 && !background) {
			got = TILE_SOLID;
			break;
		}
		for (unsigned i = 0; i < 7; i++)
			h[i] = hash2(context[i], 0x100 + step);
		bit = mix_bit(&d->rc, &rule_map, d->table, h, m->a[step * 32 + (l ? 1 : 0) + (t ? 2 : 0) + (was ? 4 : 0)],
			      m->b[step * 32 + (edges & 31)], m->apm[step], bit);
		if (step == 0 && !bit)
			break;
		if (step == 1 && !bit) {
			got = TILE_CODED;
			break;
		}
		if (step == 2)
			got = bit ? TILE_BACKGROUND : TILE_SOLID;
	}
	return got;
}

enum tile_mode tilemap_code(struct dense *d, bool background, enum tile_mode mode)
{
	uint32_t start = rc_bits(&d->rc);
	unsigned got = d->mode == MODE_FAST ? code_fast(d, mode) : code_dense(d, background, mode);

	if (got == TILE_SAME)
		return TILE_SAME;
	d->px.slack[d->col] = (int16_t)(TILE_SLACK - (int32_t)(rc_bits(&d->rc) - start));
	d->map.mode[d->row * d->cols + d->col] |= (uint8_t)got;
	d->map.any[d->row] |= 1;
	return (enum tile_mode)got;
}
