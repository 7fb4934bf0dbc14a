/* gridsearch.h: the grid */
#include <string.h>

#include "stream/gridsearch.h"

#define MULTIPLY_COL 0x85ebca6bu
#define GRID_MIN_REPEATS 60
#define GRID_MIN_KINDS 8
#define FAST_TRIES 6 /* sizes and places of rows */

/* What a cell costs, in 1/1024 bit: the background alone, one seen before, a new one. */
#define COST_SOLID 307
#define COST_REPEATED 5120
#define COST_NEW(area) (358 * (area) + 8192)
#define TRIES 8 /* grids in a slice */

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
	s->line = 0;
	s->row = s->col = s->sums = s->rows = s->cols = 0;
	memset(s->ink_x, 0, sizeof(s->ink_x));
	memset(s->ink_y, 0, sizeof(s->ink_y));
	s->best_cost = s->plain_cost = ~0u;
	s->best = (struct cell_plan){ 0 };
	s->solid = commonest(e, c);
	uint32_t p = 1, inverse = invert(MULTIPLY_COL);

	for (unsigned i = 0; i < CROP_W; i++, p *= inverse)
		s->inverse[i] = p;
}

/* How often the colour changes along n pixels. */
static unsigned changes_along(const uint32_t *px, int32_t n)
{
	px4 same = { 0 };
	int32_t x = 1;

	for (; x + 4 <= n; x += 4)
		same += (px4)(px4_load(px + x) == px4_load(px + x - 1));

	unsigned changes = (unsigned)(x - 1) + same[0] + same[1] + same[2] + same[3];

	for (; x < n; x++)
		changes += px[x] != px[x - 1];
	return changes;
}

/* Counts changes of colour in some lines of the crop: downwards by column, across by line. Where there is no ink there are none. */
static void count_ink(struct dense_enc *e)
{
	struct gridsearch *s = &e->u.grid;
	uint32_t px[2][CROP_W];

	memset(px, 0, sizeof(px));
	for (unsigned i = 0; i < 32 && s->line < (unsigned)s->crop.h; i++, s->line++) {
		const uint32_t *row = px[i & 1], *above = px[~i & 1];

		picture_read(&e->cur, (uint32_t)s->crop.x, (uint32_t)s->crop.y + s->line, (uint32_t)s->crop.w, px[i & 1]);
		for (int32_t x = 0; i && x < CROP_W; x += 4) {
			px4 same = px4_load(row + x) == px4_load(above + x);

			px4_store(s->ink_x + x, px4_load(s->ink_x + x) + same + px4_all(1));
		}
		s->ink_y[s->line] = changes_along(row, s->crop.w);
	}
}

/* Enters a size and a place, the ones with the least ink at their cuts first: 1024 is as much as elsewhere. */
static unsigned keep(struct grid_axis *axis, unsigned n, unsigned size, unsigned phase, uint32_t blank)
{
	unsigned at = n < AXIS_TRIES ? n : AXIS_TRIES - 1;

	if (n == AXIS_TRIES && axis[at].blank <= blank)
		return n;
	for (; at && axis[at - 1].blank > blank; at--)
		axis[at] = axis[at - 1];
	axis[at] = (struct grid_axis){ (uint8_t)size, (uint8_t)phase, (uint16_t)blank };
	return n < AXIS_TRIES ? n + 1 : n;
}

/* All sizes and places. */
static unsigned all_cuts(struct grid_axis *axis, unsigned min, unsigned max)
{
	unsigned n = 0;

	for (unsigned size = min; size <= max; size++)
		for (unsigned phase = 0; phase < size; phase++)
			axis[n++] = (struct grid_axis){ .size = (uint8_t)size, .phase = (uint8_t)phase };
	return n;
}

#define BLANK_MAX 700
#define LINES_MIN 3 /* with ink: fewer say nothing about their distance */

/*
 * Text leaves gaps at every cell's edge, so that ink folded by a cell's size is thin somewhere. Finds the sizes and places of
 * cuts along one axis.
 */
static unsigned find_cuts(struct grid_axis *axis, const uint32_t *ink, unsigned length, unsigned min, unsigned max)
{
	unsigned n = 0;

	for (unsigned size = min; size <= max && size * 3 <= length; size++) {
		uint32_t sum[CELL_MAX_H] = { 0 }, all = 0, lines = length / size;
		unsigned thin = 0, inked = 0;

		for (unsigned line = 0; line < lines; line++) {
			uint32_t some = 0;

			for (unsigned i = 0; i < size; i++) {
				sum[i] += ink[line * size + i];
				some |= ink[line * size + i];
			}
			inked += some != 0;
		}
		for (unsigned i = 0; i < size; i++) {
			all += sum[i];
			thin = sum[i] < sum[thin] ? i : thin;
		}
		if (inked < LINES_MIN)
			continue;
		uint32_t blank = (uint32_t)((uint64_t)sum[thin] * size * 1024 / all);

		if (blank > BLANK_MAX)
			continue;
		/* A cut anywhere in the gap is as good by this measure; the whole cost tells which is. */
		n = keep(axis, n, size, thin, blank);
		for (unsigned i = 1; i < size && sum[(thin + i - 1) % size] * 8 <= sum[thin] * 9; i++)
			n = keep(axis, n, size, (thin + i) % size, blank);
	}
	return n;
}

/* The hash of a column of a cell, pixel by pixel downwards. */
static inline px4 add_px(px4 column, px4 px)
{
	return ((column << 5) + column) ^ px;
}

/* Sums of the columns' hashes for the next row of cells of height s->ch from s->oy on; false: there is none. */
static bool add_up(struct dense_enc *e)
{
	struct gridsearch *s = &e->u.grid;
	uint32_t px[CROP_W], *sum = s->sum[s->sums], p = 1;
	px4 column[CROP_W / 4];
	int32_t y = (int32_t)(s->oy + s->sums * s->ch);

	if (y + (int32_t)s->ch > s->crop.h)
		return false;
	memset(px, 0, sizeof(px));
	for (unsigned i = 0; i < CROP_W / 4; i++)
		column[i] = px4_all(1);
	for (unsigned r = 0; r < s->ch; r++) {
		picture_read(&e->cur, (uint32_t)s->crop.x, (uint32_t)(s->crop.y + y) + r, (uint32_t)s->crop.w, px);
		for (unsigned i = 0; i < CROP_W / 4; i++)
			column[i] = add_px(column[i], px4_load(px + 4 * i));
	}
	sum[0] = 0;
	for (int32_t x = 0; x < s->crop.w; x++, p *= MULTIPLY_COL)
		sum[x + 1] = sum[x] + column[x / 4][x % 4] * p;
	s->sums++;
	return true;
}

static uint32_t solid_hash(const struct gridsearch *s)
{
	px4 column = px4_all(1);
	uint32_t h = 0, p = 1;

	for (unsigned r = 0; r < s->ch; r++)
		column = add_px(column, px4_all(s->solid));
	for (unsigned c = 0; c < s->cw; c++, p *= MULTIPLY_COL)
		h += column[0] * p;
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

	if (s->line < (unsigned)s->crop.h) {
		count_ink(e);
		if (s->line < (unsigned)s->crop.h)
			return true;
		s->cols = find_cuts(s->across, s->ink_x, (unsigned)s->crop.w, CELL_MIN_W, GRID_MAX_W);
		s->rows = find_cuts(s->down, s->ink_y, (unsigned)s->crop.h, CELL_MIN_H, GRID_MAX_H);
		if (!s->cols || !s->rows)
			return false;
		/* On a slow line there is time to look closer. */
		if (e->d.mode == MODE_FAST) {
			s->rows = s->rows < FAST_TRIES ? s->rows : FAST_TRIES;
		} else {
			s->cols = all_cuts(s->across, CELL_MIN_W, GRID_MAX_W);
			s->rows = all_cuts(s->down, CELL_MIN_H, GRID_MAX_H);
		}
	}
	if (s->down[s->row].size > s->crop.h)
		return ++s->row < s->rows;
	s->ch = s->down[s->row].size;
	s->oy = s->down[s->row].phase;
	if (!s->col && add_up(e))
		return true;
	for (unsigned i = 0; i < TRIES && s->col < s->cols; i++, s->col++) {
		s->cw = s->across[s->col].size;
		s->ox = s->across[s->col].phase;
		try_grid(s);
	}
	if (s->col < s->cols)
		return true;
	s->col = s->sums = 0;
	return ++s->row < s->rows;
}
