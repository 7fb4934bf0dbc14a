/* fast.h */
#include <string.h>

#include "stream/fast.h"
#include "stream/glyphs.h"
#include "stream/like.h"
#include "stream/picture.h"
#include "stream/pixels.h"
#include "stream/texture.h"

#define RATE 5 /* of probabilities: 1/32 of the way */
#define HALF 32768
#define NO_PX (~0u)

static void clear(uint16_t *p1, unsigned n)
{
	while (n--)
		*p1++ = HALF;
}

void fast_clear(struct dense *d)
{
	struct fast *f = &d->fast;

	clear(f->piece[0], sizeof(f->piece) / sizeof(f->piece[0][0]));
	clear(f->guess, sizeof(f->guess) / sizeof(f->guess[0]));
	clear(f->run[0], sizeof(f->run) / sizeof(f->run[0][0]));
	f->hit = 0;
	memset(f->table, 0, sizeof(f->table));
	memset(f->mru, 0, sizeof(f->mru));
	memset(f->cache, 0, sizeof(f->cache));
	memset(f->kind, 0, sizeof(f->kind));
	texture_init();
	texture_clear(d);
	glyphs_clear(d);
}

/*
 * What follows is compiled twice, for the encoder and for the decoder: `decode` is a constant, and px is the encoder's.
 */
#define TWICE static inline __attribute__((always_inline))

/* One decision of its own, at most as dear as rc->least allows. */
TWICE int fast_bit(struct rangecoder *rc, uint16_t *p1, int bit, const bool decode)
{
	uint32_t p = *p1, bounded = p;

	/* It never learns to be surer than RC_LEAST. */
	if (rc->least > RC_LEAST)
		bounded = rc_bounded(rc, p);
	bit = rc_bit_as(rc, bit, bounded, decode);
	*p1 = (uint16_t)(bit ? p + ((65535 - p) >> RATE) : p - (p >> RATE));
	return bit;
}

static inline uint32_t median_edge(uint32_t w, uint32_t n, uint32_t nw)
{
	uint32_t low = w < n ? w : n, high = w < n ? n : w;

	return nw >= high ? low : nw <= low ? high : w + n - nw;
}

/* What the neighbours promise, channel by channel. */
static inline uint32_t likely(uint32_t w, uint32_t n, uint32_t nw)
{
	return median_edge(w & 0xff, n & 0xff, nw & 0xff) | median_edge(w & 0xff00, n & 0xff00, nw & 0xff00) |
	       median_edge(w & 0xff0000, n & 0xff0000, nw & 0xff0000);
}

/* A pixel that repeats, perhaps: what stood in such a place; left or above; a colour of late; or else differences. */
TWICE uint32_t repeat(struct dense *d, const uint32_t *row, const uint32_t *above, uint32_t base, uint32_t px, uint32_t not,
		      const bool decode)
{
	struct fast *f = &d->fast;
	uint32_t w = row[-1], n = above[0], nw = above[-1], ne = above[1];
	uint32_t *entry = &f->table[(w * 0x9e3779b1u + n * 0x85ebca6bu + nw * 0xc2b2ae35u + ne * 0x27d4eb2fu) >> 19];
	uint32_t t = *entry, other = t == w || not == w ? n : w;
	unsigned context = (unsigned)(t == w) | (unsigned)(t == n) << 1 | (unsigned)(t == base) << 2 | f->hit << 3;

	f->hit = (f->hit << 1 | 1) & 7;
	if (t != not &&fast_bit(&d->rc, &f->guess[context], px == t, decode))
		return t;
	f->hit &= 6;
	if (other != t && other != not &&fast_bit(&d->rc, &f->guess[64 + context], px == other, decode))
		return *entry = other;
	uint32_t *mru = f->mru;
	unsigned at = 0;

	while (at < 4 && mru[at] != px)
		at++;
	if (fast_bit(&d->rc, &f->guess[128 + (f->hit >> 1)], at < 4, decode)) {
		at = rc_raw(&d->rc, at, 2);
		px = mru[at];
	} else {
		uint32_t *cache = &f->cache[px * 0x9e3779b1u >> 25];

		at = 3;
		if (fast_bit(&d->rc, &f->guess[132], px == *cache, decode)) {
			px = f->cache[rc_raw(&d->rc, (uint32_t)(cache - f->cache), 7)];
		} else {
			px = texture_px(d, likely(w, n, nw), px);
			f->cache[px * 0x9e3779b1u >> 25] = px;
		}
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
TWICE int32_t run(struct dense *d, uint32_t *row, const uint32_t *px, int32_t n, const bool decode)
{
	struct fast *f = &d->fast;
	int32_t length = 0;

	while (!decode && length < n && px[length] == row[-1])
		length++;
	if (fast_bit(&d->rc, &f->run[0][n - 1], length == n, decode))
		length = n;
	else if (n == 1 || fast_bit(&d->rc, &f->run[1][n - 1], !length, decode))
		length = 0;
	else
		length = (int32_t)rc_raw(&d->rc, (uint32_t)length, 4);
	if (length > n)
		d->rc.bad = true;
	length = length < n ? length : n;
	pixels_fill(row, row[-1], (uint32_t)length);
	return length;
}

enum piece { PIECE_MIXED, PIECE_BASE, PIECE_ABOVE, PIECE_TEXTURE };

/*
 * The least probability with which n decisions cost at most so many bits together. None is dearer than 12 bits (slot_bit).
 */
static inline uint32_t least_for(int32_t bits, int32_t n)
{
	return bits >= 12 * n ? RC_LEAST : 65536u >> (bits / n);
}

#define REPEAT_MIN 22  /* bits above 24: below, a pixel goes raw */
#define REPEAT_MORE 13 /* its differences may take that much, so that the rest is for its three decisions */
#define REPEAT_SURE 64 /* what none takes, whatever was learnt */
#define FLAGS_MIN 32

static const uint32_t black[TILE + 2]; /* above the picture */

/* Pixels that are neither all as above nor all as before; they go to row, where what was before stands. */
TWICE void code_mixed(struct dense *d, uint32_t *row, const uint32_t *above, const uint32_t *px, int32_t n, int32_t slack,
		      uint32_t start, const bool decode)
{
	uint32_t not = NO_PX;
	int32_t sure = 0; /* so many may be coded before what they took is looked at */

	for (int32_t i = 0; i < n;) {
		if (!sure) {
			int32_t left = slack + i * 24 - (int32_t)(rc_bits(&d->rc) - start);

			if (left < REPEAT_MIN) {
				row[i] = rc_raw(&d->rc, decode ? 0 : px[i], 24);
				i++;
				continue;
			}
			sure = left < REPEAT_SURE ? 1 : left / REPEAT_SURE;
			d->rc.least = left < REPEAT_SURE ? least_for(left - REPEAT_MORE, 3) : RC_LEAST;
		}
		sure--;
		if (not == NO_PX && is_flat(row + i, above + i)) {
			i += run(d, row + i, decode ? NULL : px + i, n - i, decode);
			not = row[i - 1];
			continue;
		}
		row[i] = repeat(d, row + i, above + i, row[i], decode ? 0 : px[i], not, decode);
		not = NO_PX;
		i++;
	}
}

/* At the picture's left edge, where what is above the first pixel stands left of it. */
static __attribute__((noinline)) void code_mixed_first(struct dense *d, uint32_t *sent, const uint32_t *above, const uint32_t *px,
						       int32_t n, int32_t slack, uint32_t start)
{
	uint32_t up[TILE + 2], now[TILE + 1];

	memcpy(up + 1, above, ((size_t)n + 1) * sizeof(*up));
	memcpy(now + 1, sent, (size_t)n * sizeof(*now));
	up[0] = now[0] = above[0];
	if (px)
		code_mixed(d, now + 1, up + 1, px, n, slack, start, false);
	else
		code_mixed(d, now + 1, up + 1, NULL, n, slack, start, true);
	memcpy(sent, now + 1, (size_t)n * sizeof(*sent));
}

#define STRETCH 3 /* of every second pixel */

/* There is a stretch of pixels that are as none beside them, and not as before. */
static inline bool is_texture(const struct like *like, int32_t n)
{
	uint32_t unlike = ~(like->above | like->base | like->left) & 0xaaaaaaaa & ((1u << n) - 1);

	return unlike & unlike << 2 & unlike << 4;
}

_Static_assert(STRETCH == 3, "the shifts above");

/* What a piece is: as the one above it was, if that fits. */
static inline enum piece kind_of(const struct like *like, int32_t n, enum piece was, bool literal)
{
	uint32_t all = (1u << n) - 1;

	if (like->above == all || like->base == all)
		return like->above != all || (was == PIECE_BASE && like->base == all) ? PIECE_BASE : PIECE_ABOVE;
	return !literal && is_texture(like, n) ? PIECE_TEXTURE : PIECE_MIXED;
}

/* Mostly it is what the one above was; else it is one of the three others. */
TWICE enum piece code_kind(struct dense *d, unsigned context, enum piece was, enum piece kind, const bool decode)
{
	struct fast *f = &d->fast;
	enum piece first = was == PIECE_ABOVE ? PIECE_BASE : PIECE_ABOVE;
	enum piece second = was == PIECE_ABOVE || was == PIECE_BASE ? PIECE_TEXTURE : PIECE_BASE;
	enum piece third = was == PIECE_MIXED ? PIECE_TEXTURE : PIECE_MIXED;

	if (fast_bit(&d->rc, &f->piece[0][context], kind == was, decode))
		return was;
	if (fast_bit(&d->rc, &f->piece[1][context], kind == first, decode))
		return first;
	return fast_bit(&d->rc, &f->piece[2][context], kind == second, decode) ? second : third;
}

/* n pixels of one tile's row. start: rc_bits. Returns what it is then. */
TWICE uint32_t code_piece(struct dense *d, uint32_t *sent, const uint32_t *above, const uint32_t *px, int32_t n, int32_t slack,
			  uint32_t start, const bool decode)
{
	uint8_t *kind = &d->fast.kind[d->px.x / TILE];
	unsigned context = kind[0] | (unsigned)kind[1] << 2 | (unsigned)d->px.literal << 4;
	enum piece now = PIECE_MIXED, was = kind[0];

	if (slack >= FLAGS_MIN) {
		if (!decode) {
			struct like like = like_what(sent, above, px, n);

			now = kind_of(&like, n, was, d->px.literal);
		}
		d->rc.least = least_for(slack / 4, 3);
		now = code_kind(d, context, was, now, decode);
	}
	*kind = (uint8_t)now;
	switch (now) {
	case PIECE_ABOVE: pixels_copy(sent, above, (uint32_t)n); break;
	case PIECE_BASE: break;
	case PIECE_TEXTURE: texture_code(d, sent, above, px, (uint32_t)n, !d->px.x, (uint32_t)d->px.x / TILE); break;
	case PIECE_MIXED:
		if (d->px.x)
			code_mixed(d, sent, above, px, n, slack, start, decode);
		else
			code_mixed_first(d, sent, above, px, n, slack, start);
		break;
	}
	d->rc.least = RC_LEAST;
	return rc_bits(&d->rc);
}

#define STEP_PIECES 32 /* in a unit, at most: they may be all as above */
#define PIECE_BITS (24 * TILE + UNIT_SLACK / 2)

_Static_assert(TEXTURE_BITS *TILE < PIECE_BITS + 32, "a piece's bits, those that are taken back included");

/* Codes the next pieces, each the pixels of a row that are in one tile. */
TWICE bool step(struct dense *d, const uint32_t *px, uint32_t stride, const bool decode, const bool texture)
{
	struct pixels *p = &d->px;
	int32_t end = p->region.y + p->region.h, right = p->region.x + p->region.w;
	uint32_t *sent = d->sent + (size_t)p->y * d->width + (uint32_t)p->x;
	uint32_t start = texture ? d->rc.raw_bits : rc_bits(&d->rc), bits = start; /* textures have only raw ones */

	if (!decode)
		px += (size_t)(p->y - p->region.y) * stride + (uint32_t)(p->x - p->region.x);
	for (unsigned i = 0; i < STEP_PIECES && p->y < end && bits - start + PIECE_BITS < FAST_UNIT_BITS; i++) {
		int32_t n = right - p->x < TILE ? right - p->x : TILE, col = p->x / TILE;
		const uint32_t *above = p->y ? sent - d->width : black + 1;

		if (texture) {
			texture_code(d, sent, above, px, (uint32_t)n, !p->x, (uint32_t)col);
			bits = d->rc.raw_bits;
		} else {
			int16_t *tile_slack = &p->slack[p->literal ? 0 : col];
			int32_t slack = *tile_slack < UNIT_SLACK / 2 ? *tile_slack : UNIT_SLACK / 2;
			uint32_t spent = code_piece(d, sent, above, px, n, slack, bits, decode) - bits;

			*tile_slack = (int16_t)(*tile_slack + n * 24 - (int32_t)spent);
			bits += spent;
		}
		p->x += n;
		sent += n;
		px = decode ? NULL : px + n;
		if (p->x < right)
			continue;
		p->x = p->region.x;
		p->y++;
		sent += d->width - (uint32_t)p->region.w;
		px = decode ? NULL : px + stride - (uint32_t)p->region.w;
	}
	return p->y < end;
}

bool fast_step(struct dense *d, const uint32_t *px, uint32_t stride)
{
	bool texture = d->px.texture;

	if (d->rc.decode)
		return texture ? step(d, NULL, 0, true, true) : step(d, NULL, 0, true, false);
	return texture ? step(d, px, stride, false, true) : step(d, px, stride, false, false);
}
