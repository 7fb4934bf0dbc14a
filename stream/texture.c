/* texture.h */
#include <string.h>

#include "stream/texture.h"

#define PARAMETERS 8   /* bits of a code that are not its quotient: 0 to 7 */
#define QUOTIENT_MAX 3 /* longer ones are coded as eight bits */
_Static_assert(3 * (QUOTIENT_MAX + 8) <= TEXTURE_BITS && 31 + TEXTURE_BITS <= 64, "a pixel fits beside what is on its way");

#define AHEAD (QUOTIENT_MAX + 8) /* bits of a code, at most: the decoder looks all of them up at once */

/* By parameter and residual modulo 256: unary quotient, 1, and the parameter's bits. By parameter and bits: residual, length << 8.
 */
static struct code {
	uint32_t bits, length;
} code[PARAMETERS][256];
static uint16_t decoded[PARAMETERS][1 << AHEAD];

static void make(unsigned k, unsigned v)
{
	/* 0, -1, 1, -2, ... */
	uint8_t r = (uint8_t)(v & 1 ? ~(v >> 1) : v >> 1);
	unsigned q = v >> k, n = q < QUOTIENT_MAX ? q + 1 + k : QUOTIENT_MAX + 8;
	uint32_t bits = q < QUOTIENT_MAX ? ((v & ((1u << k) - 1)) << 1 | 1) << q : v << QUOTIENT_MAX;

	code[k][r] = (struct code){ bits, n };
	for (uint32_t i = bits; i < 1 << AHEAD; i += 1u << n)
		decoded[k][i] = (uint16_t)(r | n << 8);
}

void texture_init(void)
{
	if (code[0][0].length)
		return;
	for (unsigned k = PARAMETERS; k--;)
		for (unsigned v = 256; v--;)
			make(k, v);
}

void texture_clear(struct dense *d)
{
	memset(d->fast.parameter, 3, sizeof(d->fast.parameter));
	memset(d->fast.lone.k, 3, sizeof(d->fast.lone.k));
	memset(d->fast.lone.bits, 0, sizeof(d->fast.lone.bits));
	d->fast.lone.count = 0;
}

/* The parameter for the next row, by what this one's n codes took. */
static inline void adapt(uint8_t *k, uint32_t bits, uint32_t n)
{
	uint32_t quotients = bits - n * (*k + 1u);

	if (quotients > 2 * n && *k < PARAMETERS - 2)
		*k += 2;
	else if (quotients * 8 > 7 * n && *k < PARAMETERS - 1)
		*k += 1;
	else if (quotients * 4 < n && *k)
		*k -= 1;
}

/*
 * What is coded of a pixel, as a pixel: its channels modulo 256, red and blue less green. Of `more`, how much more it differs from
 * the one above than its left neighbour did; and back.
 */
static inline px4 residual_of(px4 more)
{
	px4 green = more & px4_all(0xff00);

	return px4_minus(more, green << 8 | green >> 8);
}

static inline px4 more_of(px4 residual)
{
	px4 green = residual & px4_all(0xff00);

	return px4_plus(residual, green << 8 | green >> 8);
}

/* The residuals of a row of TILE pixels. left: how much the pixel to the left differs from the one above it. */
static inline void to_residuals(const uint32_t *px, const uint32_t *above, uint32_t left, uint32_t residual[TILE])
{
	uint32_t differs[4 + TILE];

	differs[3] = left;
#pragma GCC unroll 4
	for (unsigned i = 0; i < TILE; i += 4) {
		px4 d = px4_minus(px4_load(px + i), px4_load(above + i));

		px4_store(differs + 4 + i, d);
		px4_store(residual + i, residual_of(px4_minus(d, px4_load(differs + 3 + i))));
	}
}

static inline void from_residuals(uint32_t *px, const uint32_t *above, uint32_t left, const uint32_t residual[TILE])
{
	px4 before = px4_all(left);

#pragma GCC unroll 4
	for (unsigned i = 0; i < TILE; i += 4) {
		px4 d = more_of(px4_load(residual + i));

		/* Summed up from the left. */
		d = px4_plus(d, px4_right(d));
		d = px4_plus(px4_plus(d, px4_right_two(d)), before);
		px4_store(px + i, px4_plus(px4_load(above + i), d));
		before = (px4)__builtin_shufflevector(d, d, 3, 3, 3, 3);
	}
}

/* Bits on their way, and where they go: words before `at`, as long as it is not below `last`. */
struct way {
	uint64_t raw, held;
	uint8_t *at, *last;
	bool bad;
};

static inline void put_word(struct way *w)
{
	uint32_t four = __builtin_bswap32((uint32_t)w->raw);

	w->at -= 4;
	if (w->at >= w->last)
		memcpy(w->at, &four, 4);
	else
		w->bad = true;
	w->raw >>= 32;
	w->held -= 32;
}

/* Leaves fewer than 32 of 64 bits on their way. */
static inline void put(struct way *w)
{
	if (w->held < 32)
		return;
	put_word(w);
	if (w->held >= 32)
		put_word(w);
}

static inline struct way way_of(const struct rangecoder *rc)
{
	struct way w = { rc->raw, rc->raw_held, rc->out + rc->end - rc->tail, rc->out + rc->pos, rc->bad };

	put(&w);
	return w;
}

/* What was put counts. */
static inline void way_taken(struct rangecoder *rc, const struct way *w, uint32_t bits)
{
	rc->raw = w->raw;
	rc->raw_held = (unsigned)w->held;
	rc->tail = (size_t)(rc->out + rc->end - w->at);
	rc->bad = w->bad;
	rc->raw_bits += bits;
}

/* A code goes to the bits on their way. Returns its length. */
static inline uint32_t put_code(const struct code *k, uint64_t residual, struct way *w)
{
	const struct code *c = &k[residual & 0xff];

	w->raw |= (uint64_t)c->bits << (w->held & 63);
	w->held += c->length;
	return c->length;
}

/* A pixel's residuals. Returns how much green took. */
static inline uint32_t put_px(const struct code *k_g, const struct code *k_rb, uint64_t residual, struct way *w)
{
	uint32_t g = put_code(k_g, residual >> 8, w);

	put_code(k_rb, residual >> 16, w);
	put_code(k_rb, residual, w);
	put(w);
	return g;
}

static inline uint32_t bits_of(const struct way *w)
{
	return (uint32_t)w->held + 8 * (uint32_t)(w->last - w->at);
}

/* One code; its residual modulo 256. */
static inline uint32_t get(const uint16_t *k, uint64_t *raw, uint32_t *held)
{
	uint32_t e = k[*raw & ((1 << AHEAD) - 1)], n = e >> 8;

	*raw >>= n;
	*held -= n;
	return e;
}

/* Makes sure of the bits of a pixel, TEXTURE_BITS. */
static inline void refill(struct rangecoder *rc, uint64_t *raw, uint32_t *held)
{
	uint32_t four;

	while (*held < TEXTURE_BITS) {
		if (rc->tail + 4 <= rc->end) {
			memcpy(&four, rc->in + rc->end - rc->tail - 4, 4);
			*raw |= (uint64_t)__builtin_bswap32(four) << *held;
			*held += 32;
			rc->tail += 4;
			continue;
		}
		rc->raw = *raw;
		rc->raw_held = *held;
		rc_raw_move(rc);
		*raw = rc->raw;
		*held = rc->raw_held;
	}
}

/* n residuals. bits receives how much green took, and red and blue. */
static inline void get_residuals(struct rangecoder *rc, const uint8_t *k, uint32_t *residual, uint32_t n, uint32_t *bits)
{
	const uint16_t *k_g = decoded[k[0]], *k_rb = decoded[k[1]];
	uint64_t raw = rc->raw;
	uint32_t held = rc->raw_held, start = 8 * (uint32_t)rc->tail - held, g = 0;

	__asm__("" : "+r"(k_g), "+r"(k_rb)); /* pointers, and not places in the table */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t green, red, blue;

		refill(rc, &raw, &held);
		g += held;
		green = get(k_g, &raw, &held);
		g -= held;
		red = get(k_rb, &raw, &held);
		blue = get(k_rb, &raw, &held);
		residual[i] = (red & 0xff) << 16 | (green & 0xff) << 8 | (blue & 0xff);
	}
	rc->raw = raw;
	rc->raw_held = held;
	bits[0] = g;
	bits[1] = 8 * (uint32_t)rc->tail - held - start - g;
	rc->raw_bits += g + bits[1];
}

/* A row's piece. left: as in to_residuals. */
static void decode(struct rangecoder *rc, const uint8_t *k, uint32_t *row, const uint32_t *above, uint32_t n, uint32_t left,
		   uint32_t *bits)
{
	uint32_t residual[TILE], some[2][TILE];

	if (n == TILE) {
		get_residuals(rc, k, residual, TILE, bits);
		from_residuals(row, above, left, residual);
		return;
	}
	memset(residual, 0, sizeof(residual));
	memset(some, 0, sizeof(some));
	memcpy(some[1], above, n * sizeof(*above));
	get_residuals(rc, k, residual, n, bits);
	from_residuals(some[0], some[1], left, residual);
	memcpy(row, some[0], n * sizeof(*row));
}

static void code_raw(struct rangecoder *rc, uint32_t *row, const uint32_t *px, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		row[i] = rc_raw(rc, px ? px[i] : 0, 24);
}

/* A row's piece; false: as differences it takes more than raw, and nothing was put. */
static inline bool encode(struct rangecoder *rc, const uint8_t *k, const uint32_t *above, const uint32_t *px, uint32_t n,
			  uint32_t left, uint32_t *bits)
{
	const struct code *k_g = code[k[0]], *k_rb = code[k[1]];
	uint32_t residual[TILE], some[2][TILE], start, g = 0;
	struct way w = way_of(rc);

	if (n < TILE) {
		memset(some, 0, sizeof(some));
		px = memcpy(some[0], px, n * sizeof(*px));
		above = memcpy(some[1], above, n * sizeof(*above));
	}
	to_residuals(px, above, left, residual);
	__asm__("" : "+r"(k_g), "+r"(k_rb)); /* pointers, and not places in the table */
	w.held++;			     /* a zero: differences */
	put(&w);
	start = bits_of(&w);
#pragma GCC unroll 4
	for (uint32_t i = 0; i < n; i++)
		g += put_px(k_g, k_rb, residual[i], &w);
	bits[0] = g;
	bits[1] = bits_of(&w) - start - g;
	if (bits[0] + bits[1] > 24 * n)
		return false;
	way_taken(rc, &w, 1 + bits[0] + bits[1]);
	return true;
}

void texture_code(struct dense *d, uint32_t *row, const uint32_t *above, const uint32_t *px, uint32_t n, bool first, uint32_t col)
{
	struct rangecoder *rc = &d->rc;
	uint8_t *k = d->fast.parameter[col];
	uint32_t bits[2], left = first ? 0 : px4_minus(px4_all(row[-1]), px4_all(above[-1]))[0];

	if (rc->decode) {
		if (rc_raw(rc, 0, 1)) {
			code_raw(rc, row, NULL, n);
			return;
		}
		decode(rc, k, row, above, n, left, bits);
	} else {
		if (!encode(rc, k, above, px, n, left, bits)) {
			rc_raw(rc, 1, 1);
			code_raw(rc, row, px, n);
			return;
		}
		pixels_copy(row, px, n);
	}
	adapt(&k[0], bits[0], n);
	adapt(&k[1], bits[1], 2 * n);
}

#define LONE 8 /* so many are looked at before their parameters change */

uint32_t texture_px(struct dense *d, uint32_t likely, uint32_t px)
{
	struct rangecoder *rc = &d->rc;
	uint8_t *k = d->fast.lone.k;
	uint32_t bits[2], *sum = d->fast.lone.bits;

	if (rc->decode) {
		uint32_t residual;

		get_residuals(rc, k, &residual, 1, bits);
		px = px4_plus(px4_all(likely), more_of(px4_all(residual)))[0];
	} else {
		uint32_t v = residual_of(px4_minus(px4_all(px), px4_all(likely)))[0];
		const struct code *g = &code[k[0]][v >> 8 & 0xff], *r = &code[k[1]][v >> 16], *b = &code[k[1]][v & 0xff];

		while (rc->raw_held >= 32)
			rc_raw_move(rc);
		bits[0] = g->length;
		bits[1] = r->length + b->length;
		rc->raw |= (g->bits | (uint64_t)r->bits << g->length | (uint64_t)b->bits << (g->length + r->length))
			   << rc->raw_held;
		rc->raw_held += bits[0] + bits[1];
		rc->raw_bits += bits[0] + bits[1];
	}
	sum[0] += bits[0];
	sum[1] += bits[1];
	if (++d->fast.lone.count < LONE)
		return px;
	adapt(&k[0], sum[0], LONE);
	adapt(&k[1], sum[1], 2 * LONE);
	sum[0] = sum[1] = d->fast.lone.count = 0;
	return px;
}
