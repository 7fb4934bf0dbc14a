/* fast.h */
#include <string.h>

#include "stream/fast.h"
#include "stream/picture.h"
#include "stream/pixels.h"

#define RATE 5 /* of probabilities: 1/32 of the way */
#define HALF 32768
#define NO_PX (~0u)
#define QUOTIENT_MAX 4 /* longer ones are coded as eight bits */

static void clear(uint16_t *p1, unsigned n)
{
	while (n--)
		*p1++ = HALF;
}

void fast_clear(struct dense *d)
{
	struct fast *f = &d->fast;

	clear(f->piece[0], sizeof(f->piece) / sizeof(f->piece[0][0]));
	clear(f->guess[0], sizeof(f->guess) / sizeof(f->guess[0][0]));
	clear(f->run[0], sizeof(f->run) / sizeof(f->run[0][0]));
	f->mru_flag = HALF;
	memset(f->table, 0xff, sizeof(f->table));
	memset(f->kind, 0, sizeof(f->kind));
	for (unsigned kind = 0; kind < 2; kind++)
		for (unsigned c = 0; c < 3; c++)
			for (unsigned i = 0; i < 8; i++)
				f->mean[kind][c][i] = 16 * 4;
}

static inline int32_t channel(uint32_t px, unsigned c)
{
	return px >> 8 * c & 0xff;
}

/* A number below 256 with parameter k: unary quotient, 1, and k bits; with k = 8 the number itself. */
static inline uint32_t rice(struct rangecoder *rc, unsigned k, uint32_t v)
{
	rc_raw_ready(rc);
	if (!rc->decode) {
		uint32_t q = v >> k;

		if (k == 8)
			rc_raw_put(rc, v, 8);
		else if (q >= QUOTIENT_MAX)
			rc_raw_put(rc, v << QUOTIENT_MAX, QUOTIENT_MAX + 8);
		else
			rc_raw_put(rc, ((v & ((1u << k) - 1)) << 1 | 1) << q, q + 1 + k);
		return v;
	}
	uint32_t bits = (uint32_t)rc->raw, q, n;

	if (k == 8) {
		rc_raw_drop(rc, 8);
		return bits & 255;
	}
	q = (uint32_t)__builtin_ctz(bits | 1u << QUOTIENT_MAX);
	if (q == QUOTIENT_MAX) {
		v = bits >> QUOTIENT_MAX & 255;
		n = QUOTIENT_MAX + 8;
	} else {
		v = q << k | (bits >> (q + 1) & ((1u << k) - 1));
		n = q + 1 + k;
	}
	rc_raw_drop(rc, n);
	return v & 255;
}

#define MEAN_8 1600 /* residuals of such a size go as they are */

/* The logarithm of mean / 12, rounded down; 0 at least. */
static inline unsigned parameter(unsigned mean)
{
	return mean > MEAN_8 ? 8 : 31 - (unsigned)__builtin_clz(mean * 1366 >> 14 | 1);
}

/* A residual from -128 to 127, with the size that such residuals had lately. */
static inline int32_t residual(struct rangecoder *rc, uint16_t *mean, int32_t r)
{
	unsigned m = *mean, k = parameter(m);
	uint32_t v = rice(rc, k, (r < 0 ? ~((uint32_t)r << 1) : (uint32_t)r << 1) & 255);

	*mean = (uint16_t)(m + v - m / 16);
	return (int32_t)(v >> 1) ^ -(int32_t)(v & 1);
}

static inline int32_t median_edge(int32_t w, int32_t n, int32_t nw)
{
	int32_t low = w < n ? w : n, high = w < n ? n : w;

	return nw >= high ? low : nw <= low ? high : w + n - nw;
}

static inline int32_t absolute(int32_t v)
{
	return v < 0 ? -v : v;
}

/* A pixel as differences from what its neighbours promise; red's and blue's beyond what green's was. */
static inline uint32_t difference(struct dense *d, unsigned kind, uint32_t w, uint32_t n, uint32_t nw, uint32_t px)
{
	struct fast *f = &d->fast;
	int32_t gw = channel(w, 1), gn = channel(n, 1), gnw = channel(nw, 1);
	uint32_t activity = (uint32_t)(absolute(gw - gnw) + absolute(gn - gnw));
	unsigned a = activity < 128 ? activity ? (32 - (unsigned)__builtin_clz(activity)) : 0 : 7;
	int32_t p = median_edge(gw, gn, gnw), q, r;

	r = residual(&d->rc, &f->mean[kind][1][a], (int8_t)(channel(px, 1) - p));
	uint32_t out = (uint32_t)((p + r) & 255) << 8;

	q = median_edge(channel(w, 2), channel(n, 2), channel(nw, 2)) + r;
	q += residual(&d->rc, &f->mean[kind][2][a], (int8_t)(channel(px, 2) - q));
	out |= (uint32_t)(q & 255) << 16;
	q = median_edge(channel(w, 0), channel(n, 0), channel(nw, 0)) + r;
	q += residual(&d->rc, &f->mean[kind][0][a], (int8_t)(channel(px, 0) - q));
	return out | (uint32_t)(q & 255);
}

/* One decision of its own, at most as dear as rc->least allows. */
static inline int fast_bit(struct rangecoder *rc, uint16_t *p1, int bit)
{
	uint32_t p = *p1;

	bit = rc_bit(rc, bit, p < rc->least ? rc->least : p > 65536 - rc->least ? 65536 - rc->least : p);
	*p1 = (uint16_t)(bit ? p + ((65535 - p) >> RATE) : p - (p >> RATE));
	return bit;
}

/* A pixel that repeats, perhaps: what stood in such a place, left, above, before; a colour of late; or differences. */
static inline uint32_t repeat(struct dense *d, const uint32_t *row, const uint32_t *above, uint32_t base, uint32_t px,
			      uint32_t not )
{
	struct fast *f = &d->fast;
	uint32_t w = row[-1], n = above[0], nw = above[-1], ne = above[1];
	uint32_t *entry = &f->table[(w * 0x9e3779b1u + n * 0x85ebca6bu + nw * 0xc2b2ae35u + ne * 0x27d4eb2fu) >> 19];
	uint32_t t = *entry;
	unsigned context = (w == n) | (n == nw) << 1 | (n == ne) << 2 | (w == base) << 3 | (t == w) << 4 | (t == n) << 5 |
			   (t == base) << 6 | (t == NO_PX) << 7;

	if (t != NO_PX && t != not &&fast_bit(&d->rc, &f->guess[0][context], px == t))
		return t;
	if (w != t && w != not &&fast_bit(&d->rc, &f->guess[1][context], px == w))
		return *entry = w;
	if (n != t && n != w && fast_bit(&d->rc, &f->guess[2][context], px == n))
		return *entry = n;
	if (base != t && base != w && base != n && fast_bit(&d->rc, &f->guess[3][context], px == base))
		return *entry = base;
	uint32_t *mru = d->px.mru;
	unsigned at = 0;

	while (at < 4 && mru[at] != px)
		at++;
	if (fast_bit(&d->rc, &f->mru_flag, at < 4)) {
		at = rc_raw(&d->rc, at, 2);
		px = mru[at];
	} else {
		at = 3;
		px = difference(d, 0, w, n, nw, px);
	}
	for (; at; at--)
		mru[at] = mru[at - 1];
	mru[0] = px;
	return *entry = px;
}

static inline bool is_flat(const uint32_t *row, const uint32_t *above)
{
	return !((row[-1] ^ above[0]) | (row[-1] ^ above[-1]) | (row[-1] ^ above[1]));
}

/* Where all neighbours are alike: how many of the n pixels go on so; 16 at most. */
static inline int32_t run(struct dense *d, uint32_t *row, const uint32_t *px, int32_t n)
{
	struct fast *f = &d->fast;
	int32_t length = 0;

	while (px && length < n && px[length] == row[-1])
		length++;
	if (fast_bit(&d->rc, &f->run[0][n - 1], length == n))
		length = n;
	else if (n == 1 || fast_bit(&d->rc, &f->run[1][n - 1], !length))
		length = 0;
	else
		length = (int32_t)rc_raw(&d->rc, (uint32_t)length, 4);
	if (length > n)
		d->rc.bad = true;
	for (int32_t i = 0; i < length && i < n; i++)
		row[i] = row[-1];
	return length < n ? length : n;
}

enum piece { PIECE_MIXED, PIECE_BASE, PIECE_ABOVE };

/*
 * The least probability with which n decisions cost at most so many bits together. None is dearer than 12 bits (slot_bit).
 */
static inline uint32_t least_for(int32_t bits, int32_t n)
{
	return bits >= 12 * n ? RC_LEAST : 65536u >> (bits / n);
}

#define REPEAT_BITS(slack) ((slack)-12) /* for the five decisions of a pixel that repeats; its differences take 12 above 24 */
#define REPEAT_MIN 22
#define FLAGS_MIN 32

/* n pixels of one tile's row. Returns the slack that is left. */
static int32_t code_piece(struct dense *d, uint32_t *row, const uint32_t *above, const uint32_t *base, const uint32_t *px,
			  int32_t n, int32_t slack)
{
	struct fast *f = &d->fast;
	uint8_t *kind = &f->kind[d->px.x / TILE];
	unsigned context = kind[0] | (unsigned)kind[1] << 2 | (unsigned)d->px.literal << 4;
	bool as_above = px && pixels_equal(px, above, (uint32_t)n),
	     as_base = px && !as_above && pixels_equal(px, base, (uint32_t)n);
	uint32_t start = rc_bits(&d->rc);

	*kind = PIECE_MIXED;
	if (slack >= FLAGS_MIN) {
		d->rc.least = least_for(slack / 4, 2);
		if (fast_bit(&d->rc, &f->piece[0][context], as_above)) {
			memcpy(row, above, (size_t)n * sizeof(*row));
			*kind = PIECE_ABOVE;
		} else if (fast_bit(&d->rc, &f->piece[1][context], as_base)) {
			memcpy(row, base, (size_t)n * sizeof(*row));
			*kind = PIECE_BASE;
		}
	}
	uint32_t not = NO_PX;

	for (int32_t i = 0; i < n && *kind == PIECE_MIXED;) {
		int32_t left = slack + i * 24 - (int32_t)(rc_bits(&d->rc) - start);

		if (left < REPEAT_MIN) {
			row[i] = rc_raw(&d->rc, px ? px[i] : 0, 24);
			i++;
			continue;
		}
		d->rc.least = least_for(REPEAT_BITS(left), 7);
		if (not == NO_PX && is_flat(row + i, above + i)) {
			i += run(d, row + i, px ? px + i : NULL, n - i);
			not = row[i - 1];
			continue;
		}
		row[i] = repeat(d, row + i, above + i, base[i], px ? px[i] : 0, not );
		not = NO_PX;
		i++;
	}
	d->rc.least = RC_LEAST;
	return slack + n * 24 - (int32_t)(rc_bits(&d->rc) - start);
}

#define TEXTURE_MIN 12 /* bits that differences take above 24 */

/* The same for pixels that are all different. */
static int32_t code_texture(struct dense *d, uint32_t *row, const uint32_t *above, const uint32_t *px, int32_t n, int32_t slack)
{
	for (int32_t i = 0; i < n; i++) {
		uint32_t start = d->rc.raw_bits;

		if (slack >= TEXTURE_MIN)
			row[i] = difference(d, 1, row[i - 1], above[i], above[i - 1], px ? px[i] : 0);
		else
			row[i] = rc_raw(&d->rc, px ? px[i] : 0, 24);
		slack += 24 - (int32_t)(d->rc.raw_bits - start);
	}
	return slack;
}

void fast_step(struct dense *d, const uint32_t *px, int32_t stop)
{
	struct pixels *p = &d->px;
	int32_t at = p->x - p->region.x + PX_MARGIN, n = stop - p->x;
	uint32_t *row = p->now[p->y & 3] + at, *sent = d->sent + (size_t)p->y * d->width + (uint32_t)p->x;
	const uint32_t *above = p->now[(p->y - 1) & 3] + at, *base = p->before[p->y % 3] + at;

	for (int32_t done = 0, size; done < n; done += size, p->x += size) {
		int16_t *tile_slack = &p->slack[p->literal ? 0 : p->x / TILE];
		int32_t slack = *tile_slack < UNIT_SLACK / 2 ? *tile_slack : UNIT_SLACK / 2, left;

		size = n - done < TILE ? n - done : TILE;
		if (p->texture)
			left = code_texture(d, row + done, above + done, px ? px + done : NULL, size, slack);
		else
			left = code_piece(d, row + done, above + done, base + done, px ? px + done : NULL, size, slack);
		*tile_slack = (int16_t)(*tile_slack + left - slack);
	}
	memcpy(sent, row, (size_t)n * sizeof(*sent));
}
