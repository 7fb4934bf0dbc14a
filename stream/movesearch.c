/* movesearch.h */
#include <string.h>

#include "stream/movesearch.h"

#define FEATURE 16     /* pixels of a row, from the one before a change of colour on */
#define PROBE_TILES 24 /* tiles whose features are looked for */
#define PROBE_SLICE 8  /* of them in a slice */
#define SCAN_STEP 8    /* of the rows that are looked through: each probe tile has two of them, wherever it moved to */
#define VOTES_MIN 3
#define GAIN_MIN 16  /* of a copy that is worth its bits, in quarters of a sample */
#define GAIN_PART 16 /* and this part of all that could be gained */
#define SAMPLE_A 4   /* the row of a tile that is looked at: this one or that */
#define SAMPLE_B 11
#define FIT_PASSES 3
#define MANY 1200 /* tiles */
#define REFINE 15 /* lines that a side may move */
#define LINE_SAMPLES 24

static uint64_t two(const uint32_t *px)
{
	uint64_t v;

	memcpy(&v, px, sizeof(v));
	return v;
}

/* A feature's first pixels, which tell most places that have none. */
static unsigned first_of(const uint32_t *px)
{
	return (unsigned)((two(px) ^ two(px + 2) * 5) * 0x9e3779b97f4a7c15u >> 52);
}

static uint32_t feature(const uint32_t *px)
{
	uint64_t h = 0;

#pragma GCC unroll 8
	for (unsigned i = 0; i < FEATURE; i += 2)
		h = (h ^ two(px + i)) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32) | 1;
}

void movesearch_begin(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;
	const struct rect *b = &e->bounds;

	s->stage = MOVE_PROBE;
	s->tile = (uint32_t)(b->y / TILE) * e->d.cols;
	s->seen = s->next = s->picked = s->probes = 0;
	s->vectors = s->tries = 0;
	s->cols = (b->w + TILE - 1) / TILE;
	s->rows = (b->h + TILE - 1) / TILE;
	memset(s->probe, 0, sizeof(s->probe));
	memset(s->first, 0, sizeof(s->first));
	memset(s->vote, 0, sizeof(s->vote));
}

/* Bit i: of 16 pixels, the one i is as the one to its left. */
static inline unsigned same_as_left(const uint32_t *px)
{
	unsigned same = 0;

#pragma GCC unroll 4
	for (unsigned i = 0; i < 16; i += 4)
		same |= px4_same(px4_load(px + i), px4_load(px + i - 1)) << i;
	return same;
}

/* -------- which vectors */

/* The first feature of each of a tile's rows. */
static void probe_tile(struct dense_enc *e, uint32_t tile)
{
	struct movesearch *s = &e->u.moves;
	uint32_t x0 = tile % e->d.cols * TILE, y0 = tile / e->d.cols * TILE, px[1 + TILE + FEATURE] = { 0 };
	uint32_t from = x0 ? x0 - 1 : 0, n = e->d.width - from < TILE + FEATURE ? e->d.width - from : TILE + FEATURE;

	for (uint32_t y = y0; y < y0 + TILE && y < e->d.height; y++) {
		picture_read(&e->cur, from, y, n, px);

		unsigned changes = ~same_as_left(px + 1) & 0xffff;
		uint32_t x = changes ? 1 + (uint32_t)__builtin_ctz(changes) : n;

		if (x + FEATURE - 1 > n)
			continue;
		uint32_t h = feature(px + x - 1), at = h >> 8 & (MOVE_PROBES - 1);

		if (s->probe[at].hash)
			continue;
		s->probe[at].hash = h;
		s->probe[at].x = (uint16_t)(from + x);
		s->probe[at].y = (uint16_t)y;
		s->first[first_of(px + x - 1)] = true;
		s->probes++;
	}
}

/* Some of the tiles that differ, spread over all. */
static bool step_probe(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;
	uint32_t end = (uint32_t)((e->bounds.y + e->bounds.h + TILE - 1) / TILE) * e->d.cols, stride = e->diffs / PROBE_TILES + 1;

	for (unsigned slice = 0; slice < PROBE_SLICE && s->tile < end;) {
		uint32_t word = e->diff[s->tile / 32] >> (s->tile % 32);

		if (!word) {
			s->tile = (s->tile | 31) + 1;
			continue;
		}
		s->tile += (uint32_t)__builtin_ctz(word);
		if (s->tile >= end)
			break;
		if (s->seen++ == s->next) {
			probe_tile(e, s->tile);
			slice++;
			/* Not the same column each time. */
			s->picked++;
			s->next = s->picked * stride + (s->picked * 0x9e3779b1u >> 16) % stride;
		}
		s->tile++;
	}
	return s->tile < end;
}

/* A change of colour at row[x]: whether a feature that is looked for begins there. */
static inline __attribute__((always_inline)) void scan_at(struct movesearch *s, const uint32_t *row, int32_t x, int32_t y)
{
	if (!s->first[first_of(row + x - 1)])
		return;
	uint32_t h = feature(row + x - 1), at = h >> 8 & (MOVE_PROBES - 1);

	if (s->probe[at].hash == h)
		votes_add(s->vote, MOVE_VOTES, x - s->probe[at].x, y - s->probe[at].y);
}

/* Looks a row of the picture sent through for features. */
static void scan_row(struct dense_enc *e, int32_t y)
{
	struct movesearch *s = &e->u.moves;
	const uint32_t *row = e->d.sent + (size_t)y * e->d.width;
	int32_t end = e->bounds.x + e->bounds.w, x = e->bounds.x + 1;

	end = end + FEATURE - 1 < (int32_t)e->d.width ? end : (int32_t)e->d.width - FEATURE + 1;
	for (; x + 16 <= end; x += 16)
		for (unsigned changes = ~same_as_left(row + x) & 0xffff; changes; changes &= changes - 1)
			scan_at(s, row, x + __builtin_ctz(changes), y);
	for (; x < end; x++)
		if (row[x] != row[x - 1])
			scan_at(s, row, x, y);
}

/* Those with most votes. */
static void pick_vectors(struct movesearch *s)
{
	uint32_t most = 0;

	while (s->vectors < MOVE_TRIES) {
		struct vote *best = votes_best(s->vote, MOVE_VOTES);

		most = s->vectors ? most : best->count;
		if (best->count < VOTES_MIN || best->count * 4 < most)
			return;
		s->vector[s->vectors].dx = best->dx;
		s->vector[s->vectors].dy = best->dy;
		s->vector[s->vectors++].gain = GAIN_MIN;
		best->count = 0;
	}
}

/* -------- what a vector is worth */

/* A row's piece of n pixels: what the copy at hand would do to it. */
static int32_t sample(const struct dense_enc *e, int32_t x, int32_t y, int32_t n, bool flagged, int32_t *changed)
{
	const struct copy *c = &e->u.moves.found;
	const uint32_t *sent = e->d.sent + (size_t)y * e->d.width + (uint32_t)x;
	bool is = !flagged || !picture_differs(&e->cur, (uint32_t)x, (uint32_t)y, (uint32_t)n, 1, sent, 0);

	*changed += !is;
	if (x + c->dx < 0 || x + c->dx + n > (int32_t)e->d.width || y + c->dy < 0 || y + c->dy >= (int32_t)e->d.height)
		return is ? -4 : -1;
	if (picture_differs(&e->cur, (uint32_t)x, (uint32_t)y, (uint32_t)n, 1, sent + (int64_t)c->dy * e->d.width + c->dx, 0))
		return is ? -4 : 0;
	return is ? 0 : 2;
}

static void score_row(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;
	int8_t *score = s->score + s->row * s->cols;
	int32_t y = e->bounds.y + s->row * TILE, end = e->bounds.x + e->bounds.w;
	uint32_t tile = (uint32_t)(y / TILE) * e->d.cols + (uint32_t)(e->bounds.x / TILE);

	for (int32_t c = 0, x = e->bounds.x; c < s->cols; c++, x += TILE, tile++) {
		int32_t n = end - x < TILE ? end - x : TILE, sum = 0;
		bool flagged = e->diff[tile / 32] >> (tile % 32) & 1;

		int32_t at = y + ((c ^ s->row) & 2 ? SAMPLE_A : SAMPLE_B);

		/* Of many tiles every second one is looked at. */
		if (c && (c ^ s->row) & 1 && s->rows * s->cols > MANY)
			sum = score[c - 1];
		else if (at < (int32_t)e->d.height)
			sum = 2 * sample(e, x, at, n, flagged, &s->changed);
		score[c] = (int8_t)sum;
	}
}

/* The run with the greatest sum (Kadane). */
static int32_t best_run(const int32_t *v, int32_t n, int32_t *from, int32_t *length)
{
	int32_t best = 0, run = 0, left = 0;

	*from = *length = 0;
	for (int32_t i = 0; i < n; i++) {
		if (run <= 0) {
			run = 0;
			left = i;
		}
		run += v[i];
		if (run > best) {
			best = run;
			*from = left;
			*length = i - left + 1;
		}
	}
	return best;
}

/* The columns that are best for the rectangle's rows, then the rows that are best for these. True if it changed. */
static bool fit(struct movesearch *s)
{
	struct rect *r = &s->found.to, was = *r;

	memset(s->sum, 0, (size_t)s->cols * sizeof(s->sum[0]));
	for (int32_t y = r->y; y < r->y + r->h; y++)
		for (int32_t c = 0; c < s->cols; c++)
			s->sum[c] += s->score[y * s->cols + c];
	best_run(s->sum, s->cols, &r->x, &r->w);
	for (int32_t y = 0; y < s->rows; y++) {
		const int8_t *score = s->score + y * s->cols + r->x;
		int32_t sum = 0;

		for (int32_t c = 0; c < r->w; c++)
			sum += score[c];
		s->sum[y] = sum;
	}
	s->gain = best_run(s->sum, s->rows, &r->y, &r->h);
	return r->x != was.x || r->y != was.y || r->w != was.w || r->h != was.h;
}

static int32_t gain_min(const struct movesearch *s)
{
	int32_t part = 4 * s->changed / GAIN_PART;

	return part > GAIN_MIN ? part : GAIN_MIN;
}

/* -------- where it ends */

static int32_t least_of(int32_t a, int32_t b)
{
	return a < b ? a : b;
}

/* Tiles to pixels, as far as there is a source: not every row was looked at. */
static void rect_to_pixels(struct dense_enc *e)
{
	struct copy *c = &e->u.moves.found;
	struct rect *r = &c->to;
	int32_t x = e->bounds.x + r->x * TILE, y = e->bounds.y + r->y * TILE;
	int32_t x1 = least_of(x + r->w * TILE, e->bounds.x + e->bounds.w);
	int32_t y1 = least_of(y + r->h * TILE, e->bounds.y + e->bounds.h);

	x = x + c->dx < 0 ? -c->dx : x;
	y = y + c->dy < 0 ? -c->dy : y;
	x1 = least_of(x1, (int32_t)e->d.width - c->dx);
	y1 = least_of(y1, (int32_t)e->d.height - c->dy);
	*r = (struct rect){ x, y, x1 - x, y1 - y };
}

static bool possible(const struct dense_enc *e, const struct rect *r)
{
	const struct copy *c = &e->u.moves.found;
	int32_t w = (int32_t)e->d.width, h = (int32_t)e->d.height;

	return r->w > 0 && r->h > 0 && r->x >= 0 && r->y >= 0 && r->x + r->w <= w && r->y + r->h <= h && r->x + c->dx >= 0 &&
	       r->y + c->dy >= 0 && r->x + r->w + c->dx <= w && r->y + r->h + c->dy <= h;
}

/* What making the copy is worth on a line of pixels, of which some are looked at. */
static int32_t line_gain(const struct dense_enc *e, const struct rect *line)
{
	const struct copy *c = &e->u.moves.found;
	int32_t n = line->w > line->h ? line->w : line->h, step = n / LINE_SAMPLES + 1, gain = 0;
	int64_t from = (int64_t)c->dy * e->d.width + c->dx;
	uint32_t x = (uint32_t)line->x, y = (uint32_t)line->y;
	uint32_t x_step = line->w > line->h ? (uint32_t)step : 0, y_step = line->w > line->h ? 0 : (uint32_t)step;
	const uint32_t *sent = e->d.sent + (size_t)y * e->d.width + x;
	size_t sent_step = (size_t)y_step * e->d.width + x_step;

	for (int32_t i = 0; i < n; i += step, sent += sent_step, x += x_step, y += y_step) {
		uint32_t cur;

		if (e->cur.bpp == 32)
			cur = picture_one(e->cur.base + (uint64_t)y * e->cur.stride + x * 4);
		else
			picture_read(&e->cur, x, y, 1, &cur);
		if (*sent != cur)
			gain += sent[from] == cur;
		else if (sent[from] != cur)
			gain -= 2;
	}
	return gain * step;
}

/* The line that comes next when a side (0: top, 1: bottom, 2: left, 3: right) moves out or in. */
static struct rect next_line(struct rect r, unsigned side, bool out)
{
	if (side == 0)
		r.y -= out ? 1 : 0;
	else if (side == 1)
		r.y += r.h - (out ? 0 : 1);
	else if (side == 2)
		r.x -= out ? 1 : 0;
	else
		r.x += r.w - (out ? 0 : 1);
	*(side < 2 ? &r.h : &r.w) = 1;
	return r;
}

/* Moves one side to where the gain is greatest. */
static void refine(struct dense_enc *e, unsigned side)
{
	struct movesearch *s = &e->u.moves;
	struct rect best = s->found.to;
	int32_t best_gain = 0;

	for (int out = 1; out >= 0; out--) {
		struct rect now = s->found.to;
		int32_t gain = 0;

		for (unsigned i = 0; i < REFINE; i++) {
			struct rect line = next_line(now, side, out);

			if (!possible(e, &line))
				break;
			gain += out ? line_gain(e, &line) : -line_gain(e, &line);
			if (side == 0)
				now.y -= out ? 1 : -1;
			if (side == 2)
				now.x -= out ? 1 : -1;
			*(side < 2 ? &now.h : &now.w) += out ? 1 : -1;
			if (now.w <= 0 || now.h <= 0)
				break;
			if (gain > best_gain) {
				best_gain = gain;
				best = now;
			}
		}
	}
	s->found.to = best;
}

/* -------- in order */

/* Goes on with the next vector that may be worth it; when all were tried, with the best. */
static enum search_result next_vector(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;

	while (s->tries < s->vectors && s->vector[s->tries].gain < gain_min(s))
		s->tries++;
	if (s->tries == s->vectors || s->best_gain > s->changed * 3) {
		if (s->best_gain < gain_min(s))
			return SEARCH_NONE;
		s->found = s->best;
		s->side = 0;
		s->stage = MOVE_REFINE;
		rect_to_pixels(e);
		return possible(e, &s->found.to) ? SEARCH_MORE : SEARCH_NONE;
	}
	s->found.dx = s->vector[s->tries].dx;
	s->found.dy = s->vector[s->tries].dy;
	s->row = 0;
	s->changed = 0;
	s->stage = MOVE_SCORE;
	return SEARCH_MORE;
}

static enum search_result end_vector(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;

	if (s->gain > s->best_gain) {
		s->best_gain = s->gain;
		s->best = s->found;
	}
	s->vector[s->tries++].gain = s->gain;
	return next_vector(e);
}

/* A copy was made: the vectors that promised something are tried again, unless little is left. */
static enum search_result again(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;

	if (s->best_gain > s->changed * 3)
		return SEARCH_NONE;
	s->tries = 0;
	s->best_gain = 0;
	return next_vector(e);
}

enum search_result movesearch_step(struct dense_enc *e)
{
	struct movesearch *s = &e->u.moves;

	switch (s->stage) {
	case MOVE_PROBE:
		if (step_probe(e))
			break;
		if (s->probes < VOTES_MIN)
			return SEARCH_NONE;
		s->row = e->bounds.y + SCAN_STEP / 2;
		s->stage = MOVE_SCAN;
		break;
	case MOVE_SCAN:
		if (s->row < e->bounds.y + e->bounds.h) {
			scan_row(e, s->row);
			s->row += SCAN_STEP;
			break;
		}
		pick_vectors(s);
		s->changed = s->best_gain = 0;
		return next_vector(e);
	case MOVE_SCORE:
		score_row(e);
		if (++s->row < s->rows)
			break;
		s->found.to = (struct rect){ 0, 0, s->cols, s->rows };
		s->passes = 0;
		s->stage = MOVE_FIT;
		break;
	case MOVE_FIT:
		if (fit(s) && ++s->passes < FIT_PASSES)
			break;
		return end_vector(e);
	case MOVE_REFINE:
		refine(e, s->side);
		if (++s->side < 4)
			break;
		s->stage = MOVE_AGAIN;
		return SEARCH_FOUND;
	case MOVE_AGAIN: return again(e);
	}
	return SEARCH_MORE;
}
