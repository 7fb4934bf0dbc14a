/* copysearch.h */
#include <string.h>

#include "stream/copysearch.h"

#define BLOCK 8
#define MULTIPLY_ROW 0x9e3779b1u
#define MULTIPLY_COL 0x85ebca6bu
#define GAIN_MIN 200 /* pixels: below this a copy is not worth its bits */
#define REFINE 12    /* pixels that a side may move */

void copysearch_begin(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	s->stage = SEARCH_HASH;
	s->bounds = e->bounds;
	s->y = s->bounds.y;
	s->tries = s->vectors = 0;
	s->best_gain = 0;
	s->shift = 3;
	while (((e->d.width >> s->shift) + 1) * ((e->d.height >> s->shift) + 1) > SEARCH_GAINS)
		s->shift++;
	memset(s->block, 0, sizeof(s->block));
	memset(s->filter, 0, sizeof(s->filter));
	memset(s->vote, 0, sizeof(s->vote));
}

static bool differs(const struct dense_enc *e, uint32_t x, uint32_t y)
{
	uint32_t tile = y / TILE * e->d.cols + x / TILE;

	return e->diff[tile / 32] >> (tile % 32) & 1;
}

static uint32_t power(uint32_t base, unsigned n)
{
	uint32_t p = 1;

	while (n--)
		p *= base;
	return p;
}

/* Enters the blocks of one row of blocks; a block of one colour, or with rows all alike, says nothing. */
static void hash_blocks(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;
	uint32_t px[BLOCK][BLOCK];

	if ((uint32_t)s->y + BLOCK > e->d.height)
		return;
	for (int32_t x = s->bounds.x; x + BLOCK <= s->bounds.x + s->bounds.w; x += BLOCK) {
		uint32_t h = 0, first = 0;
		bool changed = false, across = false, down = false;

		if (!differs(e, (uint32_t)x, (uint32_t)s->y))
			continue;
		for (unsigned r = 0; r < BLOCK; r++) {
			picture_read(&e->cur, (uint32_t)x, (uint32_t)s->y + r, BLOCK, px[r]);
			changed |= memcmp(px[r], e->d.sent + (size_t)(s->y + (int32_t)r) * e->d.width + x, sizeof(px[r])) != 0;
			down |= r && memcmp(px[r], px[0], sizeof(px[r]));
		}
		for (unsigned c = 0; c < BLOCK; c++) {
			uint32_t column = 0;

			for (unsigned r = 0; r < BLOCK; r++)
				column = column * MULTIPLY_ROW + px[r][c];
			across |= c && column != first;
			first = c ? first : column;
			h = h * MULTIPLY_COL + column;
		}
		if (!changed || !across || !down)
			continue;
		uint32_t at = h * 0xc2b2ae35u >> 20;

		if (s->block[at].hash) {
			s->block[at].twins += s->block[at].hash == h;
			continue;
		}
		s->block[at].hash = h;
		s->block[at].x = (uint16_t)x;
		s->block[at].y = (uint16_t)s->y;
		s->filter[h >> 19] |= (uint8_t)(1 << (h >> 16 & 7));
	}
}

/* Counts a vector. Where its places in the table are taken, the one with the fewest votes loses one, or gives way. */
static void vote(struct copysearch *s, int32_t dx, int32_t dy)
{
	uint32_t at = hash2((uint32_t)dx, (uint32_t)dy) % SEARCH_VECTORS, least = at;

	if (!dx && !dy)
		return;
	for (unsigned i = 0; i < 4; i++, at = (at + 1) % SEARCH_VECTORS) {
		if (s->vote[at].count && s->vote[at].dx == dx && s->vote[at].dy == dy) {
			s->vote[at].count++;
			return;
		}
		if (s->vote[at].count < s->vote[least].count)
			least = at;
	}
	if (s->vote[least].count) {
		s->vote[least].count--;
		return;
	}
	s->vote[least].dx = (int16_t)dx;
	s->vote[least].dy = (int16_t)dy;
	s->vote[least].count = 1;
}

/* Looks for the blocks whose lowest row is y. */
static void scan_row(struct dense_enc *e, int32_t y)
{
	struct copysearch *s = &e->u.search;
	const uint32_t *row = e->d.sent + (size_t)y * e->d.width;
	int32_t x0 = s->bounds.x, x1 = x0 + s->bounds.w;
	bool full = y >= s->bounds.y + BLOCK;
	uint32_t out_row = power(MULTIPLY_ROW, BLOCK), out_col = power(MULTIPLY_COL, BLOCK), h = 0;

	for (int32_t x = x0; x < x1; x++) {
		uint32_t c = s->column[x] * MULTIPLY_ROW + row[x];

		if (full)
			c -= e->d.sent[(size_t)(y - BLOCK) * e->d.width + (size_t)x] * out_row;
		h = h * MULTIPLY_COL + c;
		if (x >= x0 + BLOCK)
			h -= s->column[x - BLOCK] * out_col;
		s->column[x] = c;
		if (y < s->bounds.y + BLOCK - 1 || x < x0 + BLOCK - 1 || !(s->filter[h >> 19] >> (h >> 16 & 7) & 1))
			continue;
		uint32_t at = h * 0xc2b2ae35u >> 20;

		if (s->block[at].hash != h)
			continue;
		int32_t dx = x - (BLOCK - 1) - s->block[at].x, dy = y - (BLOCK - 1) - s->block[at].y;

		if (!s->block[at].places++) {
			s->block[at].dx = (int16_t)dx;
			s->block[at].dy = (int16_t)dy;
		}
		vote(s, dx, dy);
	}
}

static void add_vector(struct copysearch *s, int32_t dx, int32_t dy)
{
	for (unsigned i = 0; i < s->vectors; i++)
		if (s->vector[i].dx == dx && s->vector[i].dy == dy)
			return;
	s->vector[s->vectors].dx = (int16_t)dx;
	s->vector[s->vectors].dy = (int16_t)dy;
	s->vector[s->vectors++].gain = -1;
}

/* The n vectors with most votes, of two at least. */
static void add_best(struct copysearch *s, unsigned n)
{
	while (n-- && s->vectors < SEARCH_TRIES) {
		unsigned best = 0;

		for (unsigned i = 1; i < SEARCH_VECTORS; i++)
			if (s->vote[i].count > s->vote[best].count)
				best = i;
		if (s->vote[best].count < 2)
			break;
		add_vector(s, s->vote[best].dx, s->vote[best].dy);
		s->vote[best].count = 0;
	}
}

/* What moved last time, what all blocks say, and what those say that are the only ones of their kind in both pictures. */
static void pick_vectors(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	for (unsigned i = 0; i < e->d.copies.last_count && i < 2; i++)
		add_vector(s, e->d.copies.last[i].dx, e->d.copies.last[i].dy);
	add_best(s, 2);
	memset(s->vote, 0, sizeof(s->vote));
	for (unsigned i = 0; i < SEARCH_BLOCKS; i++)
		if (s->block[i].places == 1 && !s->block[i].twins)
			vote(s, s->block[i].dx, s->block[i].dy);
	add_best(s, SEARCH_TRIES);
}

/* What making a copy at one pixel is worth. */
static inline int32_t px_gain(uint32_t cur, uint32_t is, uint32_t would)
{
	if (is == cur)
		return would == cur ? 0 : -2;
	return would == cur;
}

/* The gain of a line of pixels of the copy at hand. */
static int32_t line_gain(struct dense_enc *e, int32_t x, int32_t y, int32_t n, int32_t step_x)
{
	const struct copy *c = &e->u.search.found;
	int32_t gain = 0;

	for (int32_t i = 0; i < n; i++) {
		uint32_t cur;
		size_t at = (size_t)y * e->d.width + (size_t)x;

		picture_read(&e->cur, (uint32_t)x, (uint32_t)y, 1, &cur);
		gain += px_gain(cur, e->d.sent[at], e->d.sent[at + (size_t)((int64_t)c->dy * e->d.width + c->dx)]);
		if (step_x)
			x++;
		else
			y++;
	}
	return gain;
}

/* The gains of one row of blocks; those whose source is outside count as broken. */
static void gain_row(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;
	int32_t size = 1 << s->shift, row = (s->y - s->bounds.y) >> s->shift, dx = s->found.dx, dy = s->found.dy;
	int32_t x0 = s->bounds.x, x1 = x0 + s->bounds.w;
	int16_t *gains = s->gains + row * s->block_cols;

	memset(gains, 0, (size_t)s->block_cols * sizeof(*gains));
	for (int32_t y = s->y; y < s->y + size && y < s->bounds.y + s->bounds.h; y++) {
		const uint32_t *is = e->d.sent + (size_t)y * e->d.width, *from = is + (int64_t)dy * e->d.width + dx;
		bool outside = y + dy < 0 || y + dy >= (int32_t)e->d.height;

		picture_read(&e->cur, (uint32_t)x0, (uint32_t)y, (uint32_t)(x1 - x0), s->line);
		for (int32_t x = x0; x < x1; x++) {
			int16_t *g = &gains[(x - x0) >> s->shift];

			if (outside || x + dx < 0 || x + dx >= (int32_t)e->d.width)
				*g = -8192;
			else if (*g > -8000)
				*g = (int16_t)(*g + px_gain(s->line[x - x0], is[x], from[x]));
		}
	}
}

/* The best rectangle of blocks whose first row is s->top: for each last row the best run of columns (Kadane). */
static void rect_from(struct copysearch *s)
{
	memset(s->sum, 0, (size_t)s->block_cols * sizeof(s->sum[0]));
	for (int32_t bottom = s->top; bottom < s->block_rows; bottom++) {
		int32_t run = 0, left = 0;

		for (int32_t c = 0; c < s->block_cols; c++) {
			s->sum[c] += s->gains[bottom * s->block_cols + c];
			if (run <= 0) {
				run = 0;
				left = c;
			}
			run += s->sum[c];
			if (run > s->gain) {
				s->gain = run;
				s->found.to = (struct rect){ left, s->top, c - left + 1, bottom - s->top + 1 };
			}
		}
	}
}

/* Blocks to pixels. */
static void rect_to_pixels(struct copysearch *s)
{
	struct rect *r = &s->found.to;
	int32_t x1 = s->bounds.x + ((r->x + r->w) << s->shift), y1 = s->bounds.y + ((r->y + r->h) << s->shift);

	x1 = x1 > s->bounds.x + s->bounds.w ? s->bounds.x + s->bounds.w : x1;
	y1 = y1 > s->bounds.y + s->bounds.h ? s->bounds.y + s->bounds.h : y1;
	r->x = s->bounds.x + (r->x << s->shift);
	r->y = s->bounds.y + (r->y << s->shift);
	r->w = x1 - r->x;
	r->h = y1 - r->y;
}

static bool possible(const struct dense_enc *e, const struct rect *r)
{
	const struct copy *c = &e->u.search.found;
	int32_t w = (int32_t)e->d.width, h = (int32_t)e->d.height;

	return r->w > 0 && r->h > 0 && r->x >= 0 && r->y >= 0 && r->x + r->w <= w && r->y + r->h <= h && r->x + c->dx >= 0 &&
	       r->y + c->dy >= 0 && r->x + r->w + c->dx <= w && r->y + r->h + c->dy <= h;
}

/* Moves one side, out or in, to where the gain is greatest. */
static void refine(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;
	struct rect r = s->found.to, best = r;
	int32_t gain = 0, best_gain = 0;
	bool across = s->side < 2; /* 0: top, 1: bottom, 2: left, 3: right */

	for (int32_t out = 1; out >= 0; out--) {
		struct rect now = r;

		gain = 0;
		for (int32_t i = 0; i < REFINE; i++) {
			struct rect line = now;

			/* The line that is added outside, or taken away inside. */
			if (s->side == 0)
				line.y = out ? now.y - 1 : now.y;
			else if (s->side == 1)
				line.y = out ? now.y + now.h : now.y + now.h - 1;
			else if (s->side == 2)
				line.x = out ? now.x - 1 : now.x;
			else
				line.x = out ? now.x + now.w : now.x + now.w - 1;
			*(across ? &line.h : &line.w) = 1;
			if (out && !possible(e, &line))
				break;
			int32_t g = line_gain(e, line.x, line.y, across ? line.w : line.h, across);

			gain += out ? g : -g;
			if (s->side == 0)
				now.y -= out ? 1 : -1;
			if (s->side == 2)
				now.x -= out ? 1 : -1;
			*(across ? &now.h : &now.w) += out ? 1 : -1;
			if (now.w <= 0 || now.h <= 0)
				break;
			if (gain > best_gain) {
				best_gain = gain;
				best = now;
			}
		}
	}
	s->found.to = best;
	s->gain += best_gain;
}

/*
 * Goes on with the next vector that may be worth it. When all were tried, the best copy is found; it changes what the others
 * gain, and can only lessen it, so that of those the promising ones are tried again.
 */
static enum search_result next_vector(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	while (s->tries < s->vectors && s->vector[s->tries].gain >= 0 && s->vector[s->tries].gain < GAIN_MIN)
		s->tries++;
	if (s->tries == s->vectors) {
		if (s->best_gain < GAIN_MIN)
			return SEARCH_NONE;
		s->found = s->best;
		s->tries = 0;
		s->best_gain = 0;
		s->stage = SEARCH_END;
		return SEARCH_FOUND;
	}
	s->found.dx = s->vector[s->tries].dx;
	s->found.dy = s->vector[s->tries].dy;
	s->y = s->bounds.y;
	s->block_cols = (s->bounds.w + (1 << s->shift) - 1) >> s->shift;
	s->block_rows = (s->bounds.h + (1 << s->shift) - 1) >> s->shift;
	s->stage = SEARCH_GAIN;
	return SEARCH_MORE;
}

/* A vector was tried. */
static enum search_result end_vector(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	if (s->gain > s->best_gain) {
		s->best_gain = s->gain;
		s->best = s->found;
	}
	s->vector[s->tries++].gain = s->gain;
	return next_vector(e);
}

enum search_result copysearch_step(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;
	int32_t end = s->bounds.y + s->bounds.h;

	switch (s->stage) {
	case SEARCH_HASH:
		hash_blocks(e);
		s->y += BLOCK;
		if (s->y >= end) {
			s->y = s->bounds.y;
			memset(s->column, 0, sizeof(s->column));
			s->stage = SEARCH_SCAN;
		}
		break;
	case SEARCH_SCAN:
		for (unsigned i = 0; i < BLOCK && s->y < end; i++)
			scan_row(e, s->y++);
		if (s->y >= end)
			s->stage = SEARCH_PICK;
		break;
	case SEARCH_PICK:
		pick_vectors(e);
		return next_vector(e);
	case SEARCH_GAIN:
		gain_row(e);
		s->y += 1 << s->shift;
		if (s->y >= end) {
			s->top = 0;
			s->gain = 0;
			s->stage = SEARCH_RECT;
		}
		break;
	case SEARCH_RECT:
		rect_from(s);
		if (++s->top < s->block_rows)
			break;
		if (s->gain < GAIN_MIN / 2)
			return end_vector(e);
		rect_to_pixels(s);
		s->side = 0;
		s->stage = SEARCH_REFINE;
		break;
	case SEARCH_REFINE:
		refine(e);
		if (++s->side == 4)
			return end_vector(e);
		break;
	case SEARCH_END:
		return next_vector(e);
	}
	return SEARCH_MORE;
}
