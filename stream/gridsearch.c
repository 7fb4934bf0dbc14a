/* gridsearch.h: the grid */
#include <string.h>

#include "stream/gridsearch.h"

#define MULTIPLY_ROW 0x9e3779b1u
#define MULTIPLY_COL 0x85ebca6bu
#define GRID_MAX_W 12 /* widths and heights that are tried */
#define GRID_MAX_H 24
#define GRID_MIN_REPEATS 60
#define GRID_MIN_KINDS 8

/* What a cell costs, in 1/1024 bit: the background alone, one seen before, a new one. */
#define COST_SOLID 307
#define COST_REPEATED 5120
#define COST_NEW(area) (358 * (area) + 8192)

/* The inverse modulo 2^32 of an odd number (Newton). */
static uint32_t invert(uint32_t a)
{
	uint32_t x = a;

	for (unsigned i = 0; i < 5; i++)
		x *= 2 - a * x;
	return x;
}

static uint32_t commonest(const struct dense_enc *e, const struct rect *r)
{
	uint32_t px[CROP_W], best = 0, count = 0;

	/* Majority vote (Boyer and Moore) over some rows. */
	for (int32_t y = r->y; y < r->y + r->h; y += 7) {
		picture_read(&e->cur, (uint32_t)r->x, (uint32_t)y, (uint32_t)r->w, px);
		for (int32_t i = 0; i < r->w; i++) {
			if (px[i] == best)
				count++;
			else if (count)
				count--;
			else
				best = px[i];
		}
	}
	return best;
}

void gridsearch_begin(struct dense_enc *e)
{
	struct gridsearch *s = &e->u.grid;
	struct rect *c = &s->crop, *b = &e->bounds;
	int32_t w = (int32_t)e->d.width, h = (int32_t)e->d.height;

	c->w = w < CROP_W ? w : CROP_W;
	c->h = h < CROP_H ? h : CROP_H;
	/* Within the bounds, or around them where they are smaller. */
	c->x = b->w >= c->w ? b->x : b->x + b->w / 2 - c->w / 2;
	c->y = b->h >= c->h ? b->y : b->y + b->h / 2 - c->h / 2;
	c->x = c->x < 0 ? 0 : c->x > w - c->w ? w - c->w : c->x;
	c->y = c->y < 0 ? 0 : c->y > h - c->h ? h - c->h : c->y;
	s->cw = 0;
	s->ch = CELL_MIN_H;
	s->oy = 0;
	s->best_cost = s->plain_cost = ~0u;
	s->best = (struct cell_plan){ 0 };
	s->solid = commonest(e, c);
	uint32_t p = 1, inverse = invert(MULTIPLY_COL);

	for (unsigned i = 0; i < CROP_W; i++, p *= inverse)
		s->inverse[i] = p;
}

/* Sums of the columns' hashes for rows of cells of height s->ch from s->oy on. */
static void add_up(struct dense_enc *e)
{
	struct gridsearch *s = &e->u.grid;
	uint32_t px[CROP_W], column[CROP_W];
	unsigned row = 0;

	for (int32_t y = (int32_t)s->oy; y + (int32_t)s->ch <= s->crop.h; y += (int32_t)s->ch, row++) {
		uint32_t p = 1;

		memset(column, 0, sizeof(column));
		for (unsigned r = 0; r < s->ch; r++) {
			picture_read(&e->cur, (uint32_t)s->crop.x, (uint32_t)(s->crop.y + y) + r, (uint32_t)s->crop.w, px);
			for (int32_t x = 0; x < s->crop.w; x++)
				column[x] = column[x] * MULTIPLY_ROW + px[x] + 1;
		}
		s->sum[row][0] = 0;
		for (int32_t x = 0; x < s->crop.w; x++, p *= MULTIPLY_COL)
			s->sum[row][x + 1] = s->sum[row][x] + column[x] * p;
	}
}

static uint32_t solid_hash(const struct gridsearch *s)
{
	uint32_t column = 0, h = 0, p = 1;

	for (unsigned r = 0; r < s->ch; r++)
		column = column * MULTIPLY_ROW + s->solid + 1;
	for (unsigned c = 0; c < s->cw; c++, p *= MULTIPLY_COL)
		h += column * p;
	return h;
}

/* The cost of the grid at hand; ~0 if it is none. */
static uint32_t grid_cost(struct gridsearch *s)
{
	uint32_t solid = solid_hash(s), cells = 0, solids = 0, repeated = 0, kinds = 0, area = s->cw * s->ch;

	memset(s->seen, 0, sizeof(s->seen));
	for (unsigned row = 0; s->oy + (row + 1) * s->ch <= (unsigned)s->crop.h; row++) {
		for (unsigned x = s->ox; x + s->cw <= (unsigned)s->crop.w; x += s->cw) {
			uint32_t h = (s->sum[row][x + s->cw] - s->sum[row][x]) * s->inverse[x];
			uint32_t at = h * 0xc2b2ae35u >> 21;

			cells++;
			if (h == solid) {
				solids++;
				continue;
			}
			if (s->seen[at] == h) {
				repeated++;
			} else {
				kinds++;
				s->seen[at] = h;
			}
		}
	}
	if (repeated < GRID_MIN_REPEATS || kinds < GRID_MIN_KINDS || repeated * 5 < (repeated + kinds) * 3)
		return ~0u;
	return (uint32_t)(((uint64_t)solids * COST_SOLID + (uint64_t)repeated * COST_REPEATED + (uint64_t)kinds * COST_NEW(area)) /
			  (cells * area));
}

static void try_grid(struct gridsearch *s)
{
	uint32_t cost = grid_cost(s);
	/* In the picture's coordinates: the first cell's place modulo its size. */
	unsigned ox = (unsigned)(s->crop.x + (int32_t)s->ox) % s->cw, oy = (unsigned)(s->crop.y + (int32_t)s->oy) % s->ch;

	if (cost == ~0u)
		return;
	/* A grid that begins in the picture's corner is a console's, and a little worse for chance only. */
	if (!ox && !oy)
		cost = cost * 85 / 100;
	if (cost >= s->best_cost)
		return;
	s->best_cost = cost;
	s->best.fresh = true;
	s->best.cw = (uint8_t)s->cw;
	s->best.ch = (uint8_t)s->ch;
	s->best.ox = (uint8_t)ox;
	s->best.oy = (uint8_t)oy;
}

bool gridsearch_step(struct dense_enc *e)
{
	struct gridsearch *s = &e->u.grid;

	if (!s->cw) {
		add_up(e);
		s->cw = CELL_MIN_W;
		return true;
	}
	for (s->ox = 0; s->ox < s->cw; s->ox++)
		try_grid(s);
	if (++s->cw <= GRID_MAX_W)
		return true;
	s->cw = 0;
	if (++s->oy < s->ch)
		return true;
	s->oy = 0;
	return ++s->ch <= GRID_MAX_H && s->ch <= (unsigned)s->crop.h;
}
