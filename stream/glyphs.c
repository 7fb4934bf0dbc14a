/* glyphs.h */
#include <string.h>

#include "stream/glyphs.h"
#include "stream/pixels.h"

#define NONE 0xffff
#define LIMIT 28
#define UNIT_CELLS 16

void glyphs_clear(struct dense *d)
{
	struct glyphs *s = &d->fast.glyphs;

	for (unsigned g = 0; g < GRIDS; g++)
		s->grid[g].cw = 0;
	s->g = s->hits = 0;
	s->row = s->col = s->first = s->last = 0;
	memset(s->left, 0xff, sizeof(s->left));
	mix_clear_slots(s->flag, sizeof(s->flag) / sizeof(s->flag[0]));
	mix_clear_slots(s->guess, sizeof(s->guess) / sizeof(s->guess[0]));
	mix_clear_slots(s->number[0], sizeof(s->number) / sizeof(s->number[0][0]));
}

void glyphs_begin(struct dense *d)
{
	d->fast.glyphs.g = 0;
}

/* -------- the dictionary */

static void dict_begin(struct glyph_grid *g)
{
	unsigned ids = GLYPH_ROOM / (g->cw * g->ch);

	g->ids = (uint16_t)(ids > GLYPH_IDS ? GLYPH_IDS : ids);
	g->count = g->hand = 0;
	g->evicted = 0;
	memset(g->used, 0, sizeof(g->used));
	memset(g->bucket, 0xff, sizeof(g->bucket));
	memset(g->after_two, 0xff, sizeof(g->after_two));
	memset(g->after_four, 0xff, sizeof(g->after_four));
}

uint32_t glyphs_hash(const uint32_t *px, unsigned cw, unsigned ch)
{
	px4 h = { 0 };

	for (unsigned y = 0; y < ch; y++)
		h = glyphs_mix(h, px + (size_t)y * cw, cw, px4_all(~0u));
	return glyphs_hash_end(h);
}

static uint16_t *bucket_of(struct glyph_grid *g, uint32_t hash)
{
	return &g->bucket[hash >> 8 & (GLYPH_BUCKETS - 1)];
}

static unsigned from(const struct glyph_grid *g, unsigned id, uint32_t hash)
{
	while (id != NONE && g->hash[id] != hash)
		id = g->chain[id];
	return id == NONE ? GLYPH_NEW : id;
}

unsigned glyphs_first(const struct glyph_grid *g, uint32_t hash)
{
	return from(g, g->bucket[hash >> 8 & (GLYPH_BUCKETS - 1)], hash);
}

unsigned glyphs_next(const struct glyph_grid *g, unsigned id)
{
	return from(g, g->chain[id], g->hash[id]);
}

/* The hand goes round; a number that was used since it was last there stays. */
static unsigned take_id(struct glyph_grid *g)
{
	unsigned id;

	if (g->count < g->ids)
		return g->count++;
	for (; g->used[g->hand]; g->hand = (uint16_t)((g->hand + 1u) % g->ids))
		g->used[g->hand] = 0;
	id = g->hand;
	g->hand = (uint16_t)((id + 1u) % g->ids);
	uint16_t *at = bucket_of(g, g->hash[id]);

	while (*at != id)
		at = &g->chain[*at];
	*at = g->chain[id];
	g->evicted++;
	return id;
}

/* Pixels of rows that are cw long, between a place where they lie without gaps and one in the picture. */
static inline void take(uint32_t *to, uint32_t to_stride, const uint32_t *px, uint32_t stride, const unsigned cw, unsigned ch)
{
	for (; ch; ch--, to += to_stride, px += stride) {
#pragma GCC unroll 4
		for (unsigned x = 0; x + 4 <= cw; x += 4)
			px4_store(to + x, px4_load(px + x));
		if (cw % 4)
			px4_store(to + cw - 4, px4_load(px + cw - 4));
	}
}

static void take_rows(uint32_t *to, uint32_t to_stride, const uint32_t *px, uint32_t stride, unsigned cw, unsigned ch)
{
	switch (cw) {
	case 6: take(to, to_stride, px, stride, 6, ch); break;
	case 7: take(to, to_stride, px, stride, 7, ch); break;
	case 8: take(to, to_stride, px, stride, 8, ch); break;
	case 9: take(to, to_stride, px, stride, 9, ch); break;
	case 10: take(to, to_stride, px, stride, 10, ch); break;
	default: take(to, to_stride, px, stride, cw, ch); break;
	}
}

static unsigned enter(struct glyph_grid *g, const uint32_t *sent, uint32_t stride)
{
	unsigned id = take_id(g);
	uint32_t *px = g->px + (size_t)id * g->cw * g->ch, hash;

	take_rows(px, g->cw, sent, stride, g->cw, g->ch);
	hash = glyphs_hash(px, g->cw, g->ch);
	g->solid[id] = true;
	for (unsigned i = 1; i < (unsigned)g->cw * g->ch; i++)
		g->solid[id] &= px[i] == px[0];
	g->hash[id] = hash;
	g->chain[id] = *bucket_of(g, hash);
	*bucket_of(g, hash) = (uint16_t)id;
	g->used[id] = 1;
	return id;
}

/* -------- what comes next */

static uint16_t *after_two(struct glyph_grid *g, const uint16_t *left)
{
	return &g->after_two[(left[0] * 0x9e3779b1u + left[1] * 0x85ebca6bu) >> 20];
}

static uint16_t *after_four(struct glyph_grid *g, const uint16_t *left)
{
	return &g->after_four[(left[0] * 0x9e3779b1u + left[1] * 0x85ebca6bu + left[2] * 0xc2b2ae35u + left[3] * 0x27d4eb2fu) >>
			      19];
}

_Static_assert(GLYPH_TWO == 1 << 12 && GLYPH_FOUR == 1 << 13, "the shifts above");

/* A cell's symbol is known to both ends. */
static void learn(struct glyphs *s, struct glyph_grid *g, unsigned id)
{
	uint16_t *left = s->left;

	*after_two(g, left) = *after_four(g, left) = (uint16_t)id;
	left[3] = left[2];
	left[2] = left[1];
	left[1] = left[0];
	left[0] = (uint16_t)id;
}

static unsigned code_symbol(struct dense *d, struct glyph_grid *g, unsigned id)
{
	struct glyphs *s = &d->fast.glyphs;
	unsigned four = *after_four(g, s->left), two = *after_two(g, s->left);
	struct slot *guess = s->guess + 3 * s->hits;

	if (four != NONE && slot_bit(&d->rc, &guess[0], LIMIT, id == four)) {
		s->hits += s->hits < 3;
		return four;
	}
	s->hits = 0;
	if (two != NONE && two != four && slot_bit(&d->rc, &guess[1], LIMIT, id == two))
		return two;
	if (slot_bit(&d->rc, &guess[2], LIMIT, id < GLYPH_NEW))
		return rc_raw(&d->rc, id, 10);
	return slot_bit(&d->rc, &s->flag[2 * GRIDS], LIMIT, id == GLYPH_NEW) ? GLYPH_NEW : GLYPH_LEAVE;
}

/* -------- units */

static unsigned grid_cols(const struct dense *d, const struct glyph_grid *g)
{
	return (d->width - g->ox) / g->cw;
}

static unsigned grid_rows(const struct dense *d, const struct glyph_grid *g)
{
	return (d->height - g->oy) / g->ch;
}

static struct rect cell_rect(const struct glyphs *s, const struct glyph_grid *g)
{
	return (struct rect){ g->ox + s->col * g->cw, g->oy + s->row * g->ch, g->cw, g->ch };
}

static void code_shape(struct dense *d, struct glyph_grid *g, const struct cell_plan *p)
{
	unsigned v = p ? (p->cw - 1u) << 15 | (p->ch - 1u) << 10 | (unsigned)p->ox << 5 | p->oy : 0;

	v = rc_raw(&d->rc, v, 20);
	g->cw = (uint8_t)((v >> 15) + 1);
	g->ch = (uint8_t)((v >> 10 & 31) + 1);
	g->ox = v >> 5 & 31;
	g->oy = v & 31;
	if (g->cw < CELL_MIN_W || g->cw > CELL_MAX_W || g->ch < CELL_MIN_H || g->ox >= g->cw || g->oy >= g->ch ||
	    g->ox + g->cw > (int)d->width || g->oy + g->ch > (int)d->height) {
		g->cw = 0;
		d->rc.bad = true;
		return;
	}
	dict_begin(g);
}

/* A grid: a new one in its place? Are there lines of it? */
static void unit_grid(struct dense *d, const struct cell_plan *plan)
{
	struct glyphs *s = &d->fast.glyphs;
	struct glyph_grid *g = &s->grid[s->g];

	if (slot_bit(&d->rc, &s->flag[2 * s->g], LIMIT, plan && plan->fresh))
		code_shape(d, g, plan);
	if (d->rc.bad || !g->cw || !slot_bit(&d->rc, &s->flag[2 * s->g + 1], LIMIT, plan && plan->used)) {
		s->g++;
		return;
	}
	s->row = 0;
	d->stage = DENSE_CELL_ROW;
}

/* The next line: how many rows further on, from which column, how many cells after that. Or that there is none. */
static void unit_line(struct dense *d, const struct glyph_line *line)
{
	struct glyphs *s = &d->fast.glyphs;
	struct glyph_grid *g = &s->grid[s->g];

	if (!slot_bit(&d->rc, &s->flag[2 * GRIDS + 1], LIMIT, line != NULL)) {
		s->g++;
		d->stage = DENSE_CELLS;
		return;
	}
	uint32_t row = s->row + slot_number(&d->rc, s->number[0], line ? (uint32_t)line->row - s->row : 0);
	int32_t first = s->first + slot_signed(&d->rc, s->number[1], line ? line->first - s->first : 0);
	uint32_t more = slot_number(&d->rc, s->number[2], line ? (uint32_t)line->last - line->first : 0);

	if (row >= grid_rows(d, g) || first < 0 || (uint32_t)first + more >= grid_cols(d, g)) {
		d->rc.bad = true;
		return;
	}
	s->row = (uint16_t)row;
	s->first = s->col = (uint16_t)first;
	s->last = (uint16_t)((uint32_t)first + more);
	d->stage = DENSE_CELL;
}

static void next_cell(struct dense *d)
{
	struct glyphs *s = &d->fast.glyphs;

	d->stage = DENSE_CELL;
	if (s->col++ < s->last)
		return;
	s->row++;
	d->stage = DENSE_CELL_ROW;
}

static void unit_cell(struct dense *d, const struct round_ops *ops, void *e)
{
	struct glyphs *s = &d->fast.glyphs;
	struct glyph_grid *g = &s->grid[s->g];
	unsigned id = code_symbol(d, g, ops->glyph ? ops->glyph(e) : 0);
	struct rect r = cell_rect(s, g);

	if (id == GLYPH_NEW) {
		pixels_begin(d, r.x, r.y, r.w, r.h, true, false);
		d->stage = DENSE_LITERAL;
		return;
	}
	if (id != GLYPH_LEAVE) {
		if (id >= g->count) {
			d->rc.bad = true;
			return;
		}
		rect_widen(&d->touch.all, &r);
		d->touch.tiles++;
		g->used[id] = 1;
		take_rows(d->sent + (size_t)r.y * d->width + (uint32_t)r.x, d->width, glyphs_px(g, id), g->cw, g->cw, g->ch);
	}
	learn(s, g, id);
	next_cell(d);
}

static void unit_literal(struct dense *d, const struct round_ops *ops, void *e)
{
	struct glyphs *s = &d->fast.glyphs;
	struct glyph_grid *g = &s->grid[s->g];
	struct rect r = cell_rect(s, g);
	uint32_t stride = 0;
	const uint32_t *px = ops->px ? ops->px(e, &r, &stride) : NULL;

	rect_widen(&d->touch.all, &r);
	if (pixels_step(d, px, stride))
		return;
	d->touch.tiles++;
	learn(s, g, enter(g, d->sent + (size_t)r.y * d->width + (uint32_t)r.x, d->width));
	next_cell(d);
}

void glyphs_unit(struct dense *d, const struct round_ops *ops, void *e)
{
	switch (d->stage) {
	case DENSE_CELLS: unit_grid(d, ops->cells ? ops->cells(e, d->fast.glyphs.g) : NULL); break;
	case DENSE_CELL_ROW: unit_line(d, ops->line ? ops->line(e) : NULL); break;
	case DENSE_CELL:
		for (unsigned i = 0; i < UNIT_CELLS && d->stage == DENSE_CELL && !d->rc.bad; i++)
			unit_cell(d, ops, e);
		break;
	default: unit_literal(d, ops, e); break;
	}
	if (d->stage != DENSE_CELLS || d->fast.glyphs.g < GRIDS)
		return;
	d->row = 0;
	d->stage = DENSE_ROW;
}
