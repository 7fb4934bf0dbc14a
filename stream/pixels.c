/* pixels.h */
#include <string.h>

#include "stream/background.h"
#include "stream/fast.h"
#include "stream/pixels.h"
#include "stream/pixels_internal.h"

static const struct mix_rule rule_hit = { .contexts = 8, .limit = 250, .rate = 8 };

#define FLAT_LIMIT 28
#define NOWHERE (~0u)
#define UNBOUNDED 32767 /* bits */

void pixels_clear(struct dense *d)
{
	struct pixels *p = &d->px;

	mix_clear_slots(p->flat, sizeof(p->flat) / sizeof(p->flat[0]));
	mix_clear_weights(p->hit_a[0], sizeof(p->hit_a) / sizeof(p->hit_a[0]), 8);
	mix_clear_weights(p->hit_b[0], sizeof(p->hit_b) / sizeof(p->hit_b[0]), 8);
	mix_clear_apm(p->hit_apm[0], PX_SOURCES);
	memset(p->table, 0, sizeof(p->table));
	memset(p->match_at, 0xff, sizeof(p->match_at));
	memset(p->mru, 0, sizeof(p->mru));
	memset(p->info, 0, sizeof(p->info));
	p->match = NOWHERE;
	p->mean = 0;
	p->unheard = 0;
	residual_clear(d);
}

/* Row y of the picture as it is now, into columns of the region with margins; outside, the nearest pixel. Above the picture: black.
 */
static void load_row(const struct dense *d, const uint32_t *from, uint32_t *to)
{
	const struct rect *r = &d->px.region;
	int32_t x0 = r->x - PX_MARGIN, x1 = r->x + r->w + PX_MARGIN, last = (int32_t)d->width - 1;
	int32_t from_x = x0 < 0 ? 0 : x0, to_x = x1 > last + 1 ? last + 1 : x1;

	if (!from) {
		memset(to, 0, (size_t)(x1 - x0) * sizeof(*to));
		return;
	}
	for (int32_t x = x0; x < from_x; x++)
		to[x - x0] = from[0];
	memcpy(to + (from_x - x0), from + from_x, (size_t)(to_x - from_x) * sizeof(*to));
	for (int32_t x = to_x; x < x1; x++)
		to[x - x0] = from[last];
}

static const uint32_t *sent_row(const struct dense *d, int32_t y)
{
	if (y >= (int32_t)d->height)
		y = (int32_t)d->height - 1;
	return y < 0 ? NULL : d->sent + (size_t)y * d->width;
}

static void begin_row(struct dense *d)
{
	struct pixels *p = &d->px;
	uint32_t *row = p->now[p->y & 3];

	load_row(d, sent_row(d, p->y), row);
	/* Left of the picture stands what is above the first pixel. */
	if (!p->region.x)
		for (unsigned i = 0; i < PX_MARGIN; i++)
			row[i] = p->now[(p->y - 1) & 3][PX_MARGIN];
	load_row(d, sent_row(d, p->y + 1), p->before[(p->y + 1) % 3]);
	p->match = NOWHERE;
}

void pixels_begin(struct dense *d, int32_t x, int32_t y, int32_t w, int32_t h, bool literal, bool texture)
{
	struct pixels *p = &d->px;
	const uint32_t *above;

	p->region = (struct rect){ x, y, w, h };
	p->x = x;
	p->y = y;
	p->literal = literal;
	p->texture = texture;
	if (literal)
		p->slack[0] = TILE_SLACK;
	if (d->mode == MODE_FAST)
		return;
	for (int32_t i = 1; i <= 3; i++)
		load_row(d, sent_row(d, y - i), p->now[(y - i) & 3]);
	above = !literal && p->old_valid[0] ? p->old_row[0] : sent_row(d, y - 1);
	load_row(d, above, p->before[(y + 2) % 3]);
	load_row(d, sent_row(d, y), p->before[y % 3]);
	begin_row(d);
}

static void look_around(const struct dense *d, struct around *a)
{
	const struct pixels *p = &d->px;
	int32_t i = p->x - p->region.x + PX_MARGIN, y = p->y;
	const uint32_t *r0 = p->now[y & 3] + i, *r1 = p->now[(y - 1) & 3] + i, *r2 = p->now[(y - 2) & 3] + i;
	const uint32_t *b0 = p->before[y % 3] + i;

	a->w = r0[-1];
	a->ww = r0[-2];
	a->www = r0[-3];
	a->n = r1[0];
	a->nw = r1[-1];
	a->nww = r1[-2];
	a->ne = r1[1];
	a->nee = r1[2];
	a->nn = r2[0];
	a->nnw = r2[-1];
	a->nne = r2[1];
	a->nnn = p->now[(y - 3) & 3][i];
	a->base = b0[0];
	a->base_w = b0[-1];
	a->base_e = b0[1];
	a->base_n = p->before[(y + 2) % 3][i];
	a->base_s = p->before[(y + 1) % 3][i];
}

static bool is_flat(const struct around *a)
{
	uint32_t w = a->w;

	return !((a->ww ^ w) | (a->nw ^ w) | (a->nww ^ w) | (a->n ^ w) | (a->ne ^ w) | (a->nee ^ w) | (a->nn ^ w) | (a->nnw ^ w) |
		 (a->nne ^ w));
}

static struct slot *flat_slot(struct dense *d, const struct around *a)
{
	struct pixels *p = &d->px;
	uint32_t w = a->w, right = p->now[(p->y - 1) & 3][p->x - p->region.x + PX_MARGIN + 4];

	return &p->flat[(a->base == w) | (a->base_e == w) << 1 | (a->base_s == w) << 2 | (a->base_n == w) << 3 |
			(a->base_w == w) << 4 | (a->bg == w) << 5 | (a->nnn == w) << 6 | (a->www == w) << 7 | (right == w) << 8 |
			p->literal << 9 | a->has_bg << 10];
}

/* The rest of what is known, where the neighbours are not all alike. */
static void look_further(const struct dense *d, struct around *a)
{
	const struct pixels *p = &d->px;
	int32_t i = p->x - p->region.x + PX_MARGIN, y = p->y, x = p->x;
	const uint32_t *r0 = p->now[y & 3] + i, *r1 = p->now[(y - 1) & 3] + i, *r2 = p->now[(y - 2) & 3] + i;
	uint32_t h;

	a->info_n = p->info[x % PX_INFO];
	a->info_ne = x + 1 < (int32_t)d->width ? p->info[(x + 1) % PX_INFO] : 0;
	a->escapes = !!(a->info_w & INFO_ESCAPED) + !!(a->info_nw & INFO_ESCAPED) + !!(a->info_n & INFO_ESCAPED) +
		     !!(a->info_ne & INFO_ESCAPED);
	h = a->h4 = hash2(hash2(a->w, a->n), hash2(a->nw, a->ne));
	a->key[2] = h;
	h = hash3(h, a->ww, a->nn);
	h = hash2(h, a->nne);
	a->key[1] = h;
	h = hash3(h, a->nww, a->nee);
	h = hash3(h, a->nnw, a->www);
	h = hash2(h, r1[3]);
	a->key[0] = h;
	h = hash3(h, r1[-3], r2[-2]);
	h = hash3(h, r2[2], r2[-3]);
	h = hash3(h, r2[3], a->nnn);
	a->match_key = hash2(h, r0[-4]);
	for (unsigned t = 0; t < 3; t++)
		a->key[t] = a->key[t] * 0x9e3779b1u >> 19;
	a->match_key = a->match_key * 0x9e3779b1u >> 19;
}

enum source {
	FROM_BG_EARLY,
	FROM_BASE_EARLY,
	FROM_MATCH,
	FROM_TABLE1,
	FROM_TABLE2,
	FROM_TABLE3,
	FROM_BG,
	FROM_BASE,
	FROM_W,
	FROM_N,
	FROM_NE,
	FROM_NW,
	FROM_WW,
	FROM_NN,
	FROM_MRU
};

struct candidates {
	uint32_t px[32];
	uint8_t source[32];
	unsigned count;
};

static void add(struct candidates *c, uint32_t px, enum source source)
{
	for (unsigned i = 0; i < c->count; i++)
		if (c->px[i] == px)
			return;
	c->px[c->count] = px;
	c->source[c->count++] = (uint8_t)source;
}

/* What the tables and the match say; NOWHERE is no colour. */
struct learnt {
	uint32_t match, table[3], confidence[3];
};

static void gather(const struct dense *d, const struct around *a, const struct learnt *l, struct candidates *c)
{
	const struct pixels *p = &d->px;

	if (l->match != NOWHERE)
		add(c, l->match, FROM_MATCH);
	for (unsigned t = 0; t < 3; t++)
		if (l->confidence[t])
			add(c, l->table[t], (enum source)(FROM_TABLE1 + t));
	if (a->has_bg)
		add(c, a->bg, FROM_BG);
	add(c, a->base, FROM_BASE);
	add(c, a->w, FROM_W);
	add(c, a->n, FROM_N);
	add(c, a->ne, FROM_NE);
	add(c, a->nw, FROM_NW);
	add(c, a->ww, FROM_WW);
	add(c, a->nn, FROM_NN);
	for (unsigned i = 0; i < PX_MRU; i++)
		add(c, p->mru[i], FROM_MRU);
}

static uint32_t confidence_class(uint32_t c)
{
	return c < 3 ? c : c < 6 ? 3 : c < 16 ? 4 : c < 64 ? 5 : 6;
}

/* One guess: is the pixel v? */
static int guess(struct dense *d, const struct around *a, const struct learnt *l, uint32_t v, unsigned source, unsigned rank,
		 int bit)
{
	struct pixels *p = &d->px;
	uint32_t agree = (v == a->w) | (v == a->n) << 1 | (v == a->nw) << 2 | (v == a->ne) << 3 | (v == a->base) << 4 |
			 (a->has_bg && v == a->bg) << 5 | (v == l->match) << 6;
	uint32_t equal = (a->w == a->n) | (a->n == a->nw) << 1 | (a->n == a->ne) << 2 | (a->w == a->nw) << 3 |
			 (a->w == a->ww) << 4 | (a->n == a->nn) << 5 | (a->w == a->base_w) << 6 | (a->n == a->base_n) << 7 |
			 (a->base == a->base_e) << 8 | (a->base == a->base_s) << 9 | (a->ne == a->nee) << 10;
	uint32_t conf = 0, ranks = rank > 3 ? 3 : rank, h[8];

	for (unsigned t = 0; t < 3; t++) {
		bool same = l->confidence[t] && v == l->table[t];

		agree |= (uint32_t)same << (7 + t);
		conf = conf * 14 + confidence_class(l->confidence[t]) * 2 + same;
	}
	uint32_t place = (source * 5 + a->escapes) * 4 + ranks;

	h[0] = hash3(0x10, agree, place);
	h[1] = hash3(0x11, equal, agree);
	h[2] = hash3(0x12, conf, p->match_length < 15 ? p->match_length : 15 + (p->match_length > 32));
	h[3] = hash3(0x13, a->h4, v);
	h[4] = hash3(0x14, hash2(a->w, a->n), v);
	h[5] = hash3(0x15, hash3(a->base, a->base_e, a->base_s), v);
	h[6] = hash3(0x16, hash3(a->w, a->base, a->has_bg ? a->bg : NOWHERE), v);
	h[7] = hash2(0x17, place);
	return mix_bit(&d->rc, &rule_hit, d->table, h, p->hit_a[place], p->hit_b[agree & 1023], p->hit_apm[source], bit);
}

static void learn_table(uint32_t *entry, uint32_t px)
{
	uint32_t confidence = *entry >> 24;

	if (!confidence) {
		*entry = px | 1u << 24;
	} else if ((*entry & 0xffffff) == px) {
		if (confidence < 255)
			*entry += 1u << 24;
	} else if (confidence == 1) {
		*entry = px | 1u << 24;
	} else {
		confidence = confidence > 4 ? confidence / 2 : confidence - 1;
		*entry = (*entry & 0xffffff) | confidence << 24;
	}
}

static void learn_mru(struct pixels *p, uint32_t px)
{
	unsigned i = 0;

	while (i < PX_MRU - 1 && p->mru[i] != px)
		i++;
	for (; i; i--)
		p->mru[i] = p->mru[i - 1];
	p->mru[0] = px;
}

/* What the picture has where it was like here before. */
static uint32_t match_px(struct dense *d, const struct around *a)
{
	struct pixels *p = &d->px;

	if (p->match == NOWHERE) {
		p->match = p->match_at[a->match_key];
		p->match_length = 0;
	}
	if (p->match == NOWHERE)
		return NOWHERE;
	uint32_t x = p->match & 0xffff, y = p->match >> 16;

	if (x >= d->width || y >= d->height)
		return NOWHERE;
	return d->sent[(size_t)y * d->width + x];
}

/* A pixel whose neighbours differ, or that differs from them (excluded: what it is not; NOWHERE: nothing). */
static uint32_t code_px(struct dense *d, struct around *a, uint32_t px, uint32_t excluded)
{
	static const uint8_t tries[5] = { 20, 8, 4, 3, 2 };
	struct pixels *p = &d->px;
	struct candidates c = { .count = 0 };
	struct learnt l;
	uint32_t info = 0;
	unsigned rank = 0;
	bool hit = false;

	l.match = match_px(d, a);
	for (unsigned t = 0; t < 3; t++) {
		uint32_t e = p->table[t][a->key[t]];

		l.table[t] = e & 0xffffff;
		l.confidence[t] = e >> 24;
	}
	bool fresh = a->w != a->base_w || a->n != a->base_n;

	if (!fresh)
		add(&c, a->base, FROM_BASE_EARLY);
	gather(d, a, &l, &c);
	for (unsigned i = 0; i < c.count && rank < tries[a->escapes] && !hit && !overdrawn(p, &d->rc, 0, 2); i++) {
		if (c.px[i] == excluded)
			continue;
		hit = guess(d, a, &l, c.px[i], c.source[i], rank++, c.px[i] == px);
		if (hit)
			px = c.px[i];
	}
	if (!hit)
		px = residual_code(d, a, px, &info);

	/* Learn. */
	for (unsigned t = 0; t < 3; t++)
		learn_table(&p->table[t][a->key[t]], px);
	learn_mru(p, px);
	p->match_at[a->match_key] = (uint32_t)p->y << 16 | (uint32_t)p->x;
	if (p->match != NOWHERE) {
		if (px == l.match) {
			p->match++;
			p->match_length++;
		} else {
			p->match = NOWHERE;
		}
	}
	a->info_w = info;
	return px;
}

bool pixels_leave_background(const struct dense *d, int32_t x, int32_t y)
{
	if (d->px.literal || d->first || d->mode == MODE_FAST)
		return false;
	for (unsigned i = 0; i < d->copies.count; i++) {
		const struct copy *c = &d->copies.now[i];

		if (rect_has(&c->to, x, y) || rect_has(&c->to, x - c->dx, y - c->dy))
			return false;
	}
	for (unsigned g = 0; g < GRIDS; g++)
		if (d->cells.used[g] && rect_has(&d->cells.covered[g], x, y))
			return false;
	return true;
}

static uint32_t code_one(struct dense *d, struct around *a, uint32_t px)
{
	struct pixels *p = &d->px;
	int32_t x = p->x, y = p->y;
	uint32_t excluded = NOWHERE;

	look_around(d, a);
	const uint8_t *bg = background_of(d, (uint32_t)y / TILE * d->cols + (uint32_t)x / TILE);

	a->has_bg = bg;
	a->bg = bg ? background_px(bg, x, y) : a->base;
	if (is_flat(a)) {
		if (slot_bit(&d->rc, flat_slot(d, a), FLAT_LIMIT, px == a->w)) {
			a->info_nw = p->info[x % PX_INFO];
			a->info_w = p->info[x % PX_INFO] = 0;
			if (p->match != NOWHERE) {
				p->match++;
			}
			return a->w;
		}
		excluded = a->w;
	}
	look_further(d, a);
	a->info_nw = a->info_n;
	px = code_px(d, a, px, excluded);
	p->info[x % PX_INFO] = a->info_w;
	return px;
}

static void put_px(struct dense *d, uint32_t px, uint32_t base)
{
	struct pixels *p = &d->px;

	p->now[p->y & 3][p->x - p->region.x + PX_MARGIN] = px;
	if (px == base)
		return;
	if (pixels_leave_background(d, p->x, p->y))
		background_keep(d, p->x, p->y, base);
	else if (!p->literal)
		background_uncover(d, p->x, p->y, px);
	d->sent[(size_t)p->y * d->width + (uint32_t)p->x] = px;
}

/* The last pixel of the picture's row stands right of it, too. */
static void end_row(struct dense *d)
{
	struct pixels *p = &d->px;
	uint32_t *row = p->now[p->y & 3] + PX_MARGIN;

	if (p->region.x + p->region.w == (int32_t)d->width)
		for (int32_t i = 0; i < PX_MARGIN; i++)
			row[p->region.w + i] = row[p->region.w - 1];
	p->x = p->region.x;
	p->y++;
}

#define SLACK_MIN 16	   /* bits; with less the model is not asked */
#define MEAN_RAW (24 * 16) /* from here on the model has nothing to say */
#define LISTEN 8	   /* then it is asked for one pixel in so many, to hear when it has */

/*
 * What decisions about the next pixel may cost: less than three quarters of the slack before the pixel, or a channel of it, goes
 * raw; and one decision no more than the fourth quarter, so that it is never overdrawn.
 */
static void set_budget(struct dense *d, int32_t slack)
{
	uint32_t least = slack >= 60 ? 0 : 65536u >> (slack / 4);

	d->rc.least = least < RC_LEAST ? RC_LEAST : least;
	d->px.budget.start = rc_bits(&d->rc);
	d->px.budget.slack = slack;
}

/* A pixel that is known goes to the model so that it learns. Returns what it would have cost. */
static uint32_t observe(struct dense *d, struct around *a, uint32_t px)
{
	struct rangecoder rc = d->rc;
	uint32_t bits;

	rc_begin_encode(&d->rc, NULL, 0);
	set_budget(d, UNBOUNDED);
	code_one(d, a, px);
	bits = rc_bits(&d->rc);
	d->rc = rc;
	return bits;
}

/* A pixel of which the model learns nothing. */
static void pass_over(struct pixels *p, struct around *a)
{
	a->info_nw = p->info[p->x % PX_INFO];
	a->info_w = p->info[p->x % PX_INFO] = INFO_ESCAPED;
	p->match = NOWHERE;
}

static void step_dense(struct dense *d, const uint32_t *px, int32_t stop)
{
	struct pixels *p = &d->px;
	int32_t unit_slack = UNIT_SLACK;
	struct around a;

	a.info_w = p->x > 0 ? p->info[(p->x - 1) % PX_INFO] : 0;
	a.info_nw = 0;
	for (; p->x < stop; p->x++) {
		uint32_t base = p->before[p->y % 3][p->x - p->region.x + PX_MARGIN], v = px ? *px++ : 0, bits;
		int16_t *tile_slack = &p->slack[p->literal ? 0 : p->x / TILE];
		int32_t slack = *tile_slack < unit_slack ? *tile_slack : unit_slack;

		if (p->mean > MEAN_RAW && ++p->unheard < LISTEN) {
			v = rc_raw(&d->rc, v, 24);
			pass_over(p, &a);
			bits = p->mean / 16;
		} else if (slack < SLACK_MIN || p->mean > MEAN_RAW) {
			v = rc_raw(&d->rc, v, 24);
			bits = observe(d, &a, v);
			p->unheard = 0;
		} else {
			set_budget(d, slack);
			v = code_one(d, &a, v);
			bits = rc_bits(&d->rc) - p->budget.start;
			*tile_slack = (int16_t)(*tile_slack + 24 - (int32_t)bits);
			unit_slack += 24 - (int32_t)bits;
		}
		p->mean += bits - p->mean / 16;
		put_px(d, v, base);
	}
	d->rc.least = RC_LEAST;
}

bool pixels_step(struct dense *d, const uint32_t *px, uint32_t stride)
{
	struct pixels *p = &d->px;
	int32_t end = p->region.x + p->region.w, stop = p->x + PX_PIECE < end ? p->x + PX_PIECE : end;

	if (d->mode == MODE_FAST)
		return fast_step(d, px, stride);
	if (px)
		px += (size_t)(p->y - p->region.y) * stride + (uint32_t)(p->x - p->region.x);
	step_dense(d, px, stop);
	if (p->x < end)
		return true;
	end_row(d);
	if (p->y == p->region.y + p->region.h)
		return false;
	begin_row(d);
	return true;
}
