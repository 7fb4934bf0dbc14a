/* copysearch.h */
#include <string.h>

#include "stream/copysearch.h"

/*
 * Places that both pictures can be compared by: where a row's colour changes and a hash of the last changes (colours and the
 * lengths between them) happens to have zeros, so that the same content has them at the same places. All of the old picture's
 * are looked up among some of the new one's.
 */
#define ANCHOR(s, roll) (!((roll) >> 29) || (s)->fine)
#define FEW 64	      /* tiles that differ: up to so many, wherever a colour changes is an anchor */
#define MARGIN_LEFT 1 /* pixels around an anchor that its hash covers */
#define MARGIN_RIGHT 2
#define MARGIN_DOWN 5
#define ROWS_FINE 1024 /* tiles that differ: up to so many, anchors are taken from every row */

#define GAIN_MIN 150 /* pixels: below this a copy is not worth its bits */
#define GAIN_PART 16
#define REFINE 12	/* pixels that a side may move */
#define OUTSIDE (-8192) /* a block's gain where there is no source */

void copysearch_begin(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	s->stage = SEARCH_LAST;
	s->bounds = e->bounds;
	s->y = s->bounds.y;
	s->tries = s->vectors = s->anchors = 0;
	s->scanned = false;
	s->fine = e->diffs <= FEW;
	s->best_gain = 0;
	s->shift = 3;
	while (((e->d.width >> s->shift) + 1) * ((e->d.height >> s->shift) + 1) > SEARCH_GAINS)
		s->shift++;
}

static bool differs(const struct dense_enc *e, uint32_t x, uint32_t y)
{
	uint32_t tile = y / TILE * e->d.cols + x / TILE;

	return e->diff[tile / 32] >> (tile % 32) & 1;
}

/* What stands around an anchor; 0 is none. */
static uint32_t anchor_hash(const uint32_t *upper, const uint32_t *middle, const uint32_t *lower)
{
	uint32_t h = 0;

	for (int32_t i = -MARGIN_LEFT; i <= MARGIN_RIGHT; i++)
		h = ((h ^ upper[i]) * 0x9e3779b1u ^ middle[i]) * 0x85ebca6bu + (lower[i] ^ h >> 15);
	return h | 1;
}

static uint32_t rolled(uint32_t roll, uint32_t px, int32_t run)
{
	return (roll << 5) + (px + (uint32_t)run * 0x632be5abu) * 0x9e3779b1u;
}

static void enter_anchor(struct copysearch *s, uint32_t h, int32_t x, int32_t y)
{
	uint32_t at = h * 0xc2b2ae35u >> 21;

	if (s->block[at].hash) {
		s->block[at].twins += s->block[at].hash == h;
		return;
	}
	s->block[at].hash = h;
	s->block[at].x = (uint16_t)x;
	s->block[at].y = (uint16_t)y;
	s->anchors++;
}

/* Enters the anchors of a row of the new picture, in tiles that differ. */
static void enter_row(struct dense_enc *e, int32_t y)
{
	struct copysearch *s = &e->u.search;
	int32_t x0 = s->bounds.x, n = s->bounds.w, last = 0;
	uint32_t roll = 0;

	if (y + MARGIN_DOWN >= (int32_t)e->d.height)
		return;
	picture_read(&e->cur, (uint32_t)x0, (uint32_t)y, (uint32_t)n, s->line);
	for (int32_t x = 1; x < n - MARGIN_RIGHT; x++) {
		uint32_t around[2][MARGIN_LEFT + 1 + MARGIN_RIGHT];

		if (s->line[x] == s->line[x - 1])
			continue;
		roll = rolled(roll, s->line[x], x - last);
		last = x;
		if (!ANCHOR(s, roll) || !differs(e, (uint32_t)(x0 + x), (uint32_t)y))
			continue;
		picture_read(&e->cur, (uint32_t)(x0 + x - MARGIN_LEFT), (uint32_t)y + 2, MARGIN_LEFT + 1 + MARGIN_RIGHT, around[0]);
		picture_read(&e->cur, (uint32_t)(x0 + x - MARGIN_LEFT), (uint32_t)y + MARGIN_DOWN, MARGIN_LEFT + 1 + MARGIN_RIGHT,
			     around[1]);
		enter_anchor(s, anchor_hash(s->line + x, around[0] + MARGIN_LEFT, around[1] + MARGIN_LEFT), x0 + x, y);
	}
}

/* Looks up the anchors of a row of the old picture. */
static void scan_row(struct dense_enc *e, int32_t y)
{
	struct copysearch *s = &e->u.search;
	int32_t x0 = s->bounds.x, n = s->bounds.w, last = 0;
	size_t width = e->d.width;
	const uint32_t *row = e->d.sent + (size_t)y * width + (uint32_t)x0;
	uint32_t roll = 0;

	if (y + MARGIN_DOWN >= (int32_t)e->d.height)
		return;
	for (int32_t x = 1; x < n - MARGIN_RIGHT; x++) {
		if (row[x] == row[x - 1])
			continue;
		roll = rolled(roll, row[x], x - last);
		last = x;
		if (!ANCHOR(s, roll))
			continue;
		uint32_t h = anchor_hash(row + x, row + x + 2 * width, row + x + MARGIN_DOWN * width), at = h * 0xc2b2ae35u >> 21;

		if (s->block[at].hash != h)
			continue;
		int32_t dx = x0 + x - s->block[at].x, dy = y - s->block[at].y;

		if (!s->block[at].places++) {
			s->block[at].dx = (int16_t)dx;
			s->block[at].dy = (int16_t)dy;
		}
		votes_add(s->vote, SEARCH_VECTORS, dx, dy);
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
		struct vote *best = votes_best(s->vote, SEARCH_VECTORS);

		if (best->count < 2)
			break;
		add_vector(s, best->dx, best->dy);
		best->count = 0;
	}
}

/* What all anchors say, and what those say that are the only ones of their kind in both pictures. */
static void pick_vectors(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	add_best(s, 2);
	memset(s->vote, 0, sizeof(s->vote));
	for (unsigned i = 0; i < SEARCH_BLOCKS; i++)
		if (s->block[i].places == 1 && !s->block[i].twins)
			votes_add(s->vote, SEARCH_VECTORS, s->block[i].dx, s->block[i].dy);
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
static int32_t line_gain(struct dense_enc *e, int32_t x, int32_t y, int32_t n, bool across)
{
	const struct copy *c = &e->u.search.found;
	int32_t gain = 0;
	int64_t from = (int64_t)c->dy * e->d.width + c->dx;

	for (int32_t i = 0; i < n; i++) {
		uint32_t cur;
		size_t at = (size_t)y * e->d.width + (size_t)x;

		picture_read(&e->cur, (uint32_t)x, (uint32_t)y, 1, &cur);
		gain += px_gain(cur, e->d.sent[at], e->d.sent[(size_t)((int64_t)at + from)]);
		++*(across ? &x : &y);
	}
	return gain;
}

/* The gain of n <= 16 pixels in a row. Counts those that changed. */
static int32_t run_gain(const uint32_t *cur, const uint32_t *is, const uint32_t *would, int32_t n, int32_t *changed)
{
	int32_t right = 0, same = 0, both = 0;

	if (n == PICTURE_RUN)
		for (int32_t i = 0; i < PICTURE_RUN; i++) {
			right += would[i] == cur[i];
			same += is[i] == cur[i];
			both += ((would[i] ^ cur[i]) | (is[i] ^ cur[i])) == 0;
		}
	else
		for (int32_t i = 0; i < n; i++) {
			right += would[i] == cur[i];
			same += is[i] == cur[i];
			both += would[i] == cur[i] && is[i] == cur[i];
		}
	*changed += n - same;
	return right - 2 * same + both;
}

/* The gains of one row of blocks; those whose source is outside count as broken. */
static void gain_row(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;
	int32_t size = 1 << s->shift, row = (s->y - s->bounds.y) >> s->shift, dx = s->found.dx, dy = s->found.dy;
	int32_t x0 = s->bounds.x, w = s->bounds.w;
	int16_t *gains = s->gains + row * s->block_cols;
	int32_t changed = 0;

	memset(gains, 0, (size_t)s->block_cols * sizeof(*gains));
	for (int32_t y = s->y; y < s->y + size && y < s->bounds.y + s->bounds.h; y++) {
		const uint32_t *is = e->d.sent + (size_t)y * e->d.width + (uint32_t)x0;
		bool outside = y + dy < 0 || y + dy >= (int32_t)e->d.height;

		if (!outside)
			picture_read(&e->cur, (uint32_t)x0, (uint32_t)y, (uint32_t)w, s->line);
		for (int32_t x = 0, n; x < w; x += n) {
			int16_t *g = &gains[x >> s->shift];

			n = size - (x & (size - 1)) < PICTURE_RUN ? size - (x & (size - 1)) : PICTURE_RUN;
			n = w - x < n ? w - x : n;
			if (outside || x0 + x + dx < 0 || x0 + x + n + dx > (int32_t)e->d.width)
				*g = OUTSIDE;
			else if (*g > OUTSIDE / 2)
				*g = (int16_t)(*g +
					       run_gain(s->line + x, is + x, is + x + (int64_t)dy * e->d.width + dx, n, &changed));
		}
	}
	s->changed += changed;
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

static int32_t least_of(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

/* Blocks to pixels, as far as there is a source. */
static void rect_to_pixels(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;
	struct rect *r = &s->found.to;
	int32_t x = s->bounds.x + (r->x << s->shift), y = s->bounds.y + (r->y << s->shift);
	int32_t x1 = least_of(x + (r->w << s->shift), s->bounds.x + s->bounds.w);
	int32_t y1 = least_of(y + (r->h << s->shift), s->bounds.y + s->bounds.h);

	x = x + s->found.dx < 0 ? -s->found.dx : x;
	y = y + s->found.dy < 0 ? -s->found.dy : y;
	x1 = least_of(x1, (int32_t)e->d.width - s->found.dx);
	y1 = least_of(y1, (int32_t)e->d.height - s->found.dy);
	*r = (struct rect){ x, y, x1 - x, y1 - y };
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

/* The gain from which on a copy is worth its bits, and what it does to the picture's other parts: some of all that changed. */
static int32_t gain_min(const struct copysearch *s)
{
	return s->changed / GAIN_PART > GAIN_MIN ? s->changed / GAIN_PART : GAIN_MIN;
}

/*
 * Goes on with the next vector that may be worth it. When all were tried, the best copy is found; it changes what the others
 * gain, and can only lessen it, so that of those the promising ones are tried again.
 */
static enum search_result next_vector(struct dense_enc *e)
{
	struct copysearch *s = &e->u.search;

	while (s->tries < s->vectors && s->vector[s->tries].gain >= 0 && s->vector[s->tries].gain < gain_min(s))
		s->tries++;
	if (s->tries == s->vectors && !s->scanned && s->best_gain * 4 <= s->changed * 3) {
		s->y = s->bounds.y;
		memset(s->block, 0, sizeof(s->block));
		s->stage = SEARCH_ENTER;
		return SEARCH_MORE;
	}
	if (s->tries == s->vectors) {
		if (s->best_gain < gain_min(s))
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
	s->changed = 0;
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
	case SEARCH_LAST:
		for (unsigned i = 0; i < e->d.copies.last_count && i < 2; i++)
			add_vector(s, e->d.copies.last[i].dx, e->d.copies.last[i].dy);
		return next_vector(e);
	case SEARCH_ENTER:
		for (unsigned i = 0; i < 8 && s->y < end; i++) {
			enter_row(e, s->y);
			s->y += e->diffs <= ROWS_FINE ? 1 : 4;
		}
		if (s->y < end)
			break;
		s->scanned = true;
		if (s->anchors < 2)
			return next_vector(e);
		s->y = s->bounds.y;
		memset(s->vote, 0, sizeof(s->vote));
		s->stage = SEARCH_SCAN;
		break;
	case SEARCH_SCAN:
		for (unsigned i = 0; i < 8 && s->y < end; i++)
			scan_row(e, s->y++);
		if (s->y >= end)
			s->stage = SEARCH_PICK;
		break;
	case SEARCH_PICK: pick_vectors(e); return next_vector(e);
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
		if (s->gain < gain_min(s) / 2) {
			s->gain = 0;
			return end_vector(e);
		}
		rect_to_pixels(e);
		if (s->found.to.w <= 0 || s->found.to.h <= 0) {
			s->gain = 0;
			return end_vector(e);
		}
		s->side = 0;
		s->stage = SEARCH_REFINE;
		break;
	case SEARCH_REFINE:
		refine(e);
		if (++s->side == 4)
			return end_vector(e);
		break;
	case SEARCH_END: return next_vector(e);
	}
	return SEARCH_MORE;
}
