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
	uint16_t bits;
	uint8_t length;
} code[PARAMETERS][256];
static uint16_t decoded[PARAMETERS][1 << AHEAD];

static void make(unsigned k, unsigned v)
{
	/* 0, -1, 1, -2, ... */
	uint8_t r = (uint8_t)(v & 1 ? ~(v >> 1) : v >> 1);
	unsigned q = v >> k, n = q < QUOTIENT_MAX ? q + 1 + k : QUOTIENT_MAX + 8;
	uint32_t bits = q < QUOTIENT_MAX ? ((v & ((1u << k) - 1)) << 1 | 1) << q : v << QUOTIENT_MAX;

	code[k][r] = (struct code){ (uint16_t)bits, (uint8_t)n };
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

/* How much the three channels differ from those above: green, and red and blue less that. Modulo 256. */
struct rise {
	uint32_t g, r, b;
};

static inline struct rise rise_of(uint32_t px, uint32_t above)
{
	struct rise v;

	v.g = (px >> 8) - (above >> 8);
	v.r = (px >> 16) - (above >> 16) - v.g;
	v.b = px - above - v.g;
	return v;
}

static inline uint32_t risen(uint32_t above, const struct rise *v)
{
	uint8_t r = (uint8_t)((above >> 16) + v->r + v->g), g = (uint8_t)((above >> 8) + v->g), b = (uint8_t)(above + v->b + v->g);

	return (uint32_t)r << 16 | (uint32_t)g << 8 | b;
}

/* Leaves fewer than 32 bits on their way. */
static inline void put(struct rangecoder *rc, uint64_t *raw, uint32_t *held)
{
	while (*held >= 32) {
		uint32_t four = __builtin_bswap32((uint32_t)*raw);

		if (rc->pos + rc->tail + 4 <= rc->end)
			memcpy(rc->out + rc->end - rc->tail - 4, &four, 4);
		else
			rc->bad = true;
		rc->tail += 4;
		*raw >>= 32;
		*held -= 32;
	}
}

/* A code goes to the bits on their way. Returns its length. */
static inline uint32_t put_code(const struct code *k, uint32_t residual, uint64_t *raw, uint32_t *held)
{
	const struct code *c = &k[(uint8_t)residual];
	uint32_t n = c->length;

	*raw |= (uint64_t)c->bits << *held;
	*held += n;
	return n;
}

static void encode(struct rangecoder *rc, const uint8_t *k, const uint32_t *above, const uint32_t *px, uint32_t n, struct rise was,
		   uint32_t *bits)
{
	const struct code *k_g = code[k[0]], *k_rb = code[k[1]];
	uint64_t raw = rc->raw;
	uint32_t held = rc->raw_held, start = held + 8 * (uint32_t)rc->tail, g = 0;

	for (const uint32_t *end = px + n; px < end; px++, above++) {
		struct rise v = rise_of(*px, *above);

		g += put_code(k_g, v.g - was.g, &raw, &held);
		put_code(k_rb, v.r - was.r, &raw, &held);
		put_code(k_rb, v.b - was.b, &raw, &held);
		put(rc, &raw, &held);
		was = v;
	}
	rc->raw = raw;
	rc->raw_held = held;
	bits[0] = g;
	bits[1] = held + 8 * (uint32_t)rc->tail - start - g;
	rc->raw_bits += g + bits[1];
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

static void decode(struct rangecoder *rc, const uint8_t *k, uint32_t *row, const uint32_t *above, uint32_t n, struct rise v,
		   uint32_t *bits)
{
	const uint16_t *k_g = decoded[k[0]], *k_rb = decoded[k[1]];
	uint64_t raw = rc->raw;
	uint32_t held = rc->raw_held, start = 8 * (uint32_t)rc->tail - held, g = 0;

	for (const uint32_t *end = row + n; row < end; row++, above++) {
		refill(rc, &raw, &held);
		g += held;
		v.g += get(k_g, &raw, &held);
		g -= held;
		v.r += get(k_rb, &raw, &held);
		v.b += get(k_rb, &raw, &held);
		*row = risen(*above, &v);
	}
	rc->raw = raw;
	rc->raw_held = held;
	bits[0] = g;
	bits[1] = 8 * (uint32_t)rc->tail - held - start - g;
	rc->raw_bits += g + bits[1];
}

static void code_raw(struct rangecoder *rc, uint32_t *row, const uint32_t *px, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		row[i] = rc_raw(rc, px ? px[i] : 0, 24);
}

void texture_code(struct dense *d, uint32_t *row, const uint32_t *above, const uint32_t *px, uint32_t n, bool first, uint32_t col)
{
	struct rangecoder *rc = &d->rc;
	struct rise was = { 0 };
	uint8_t *k = d->fast.parameter[col];
	uint32_t bits[2];

	if (!first)
		was = rise_of(row[-1], above[-1]);
	if (rc->decode) {
		if (rc_raw(rc, 0, 1)) {
			code_raw(rc, row, NULL, n);
			return;
		}
		decode(rc, k, row, above, n, was, bits);
	} else {
		uint64_t raw = rc->raw;
		uint32_t held = rc->raw_held, coded = rc->raw_bits;
		size_t tail = rc->tail;
		bool bad = rc->bad;

		rc_raw(rc, 0, 1);
		while (rc->raw_held >= 32)
			rc_raw_move(rc);
		encode(rc, k, above, px, n, was, bits);
		if (bits[0] + bits[1] > 24 * n) {
			rc->raw = raw;
			rc->raw_held = held;
			rc->raw_bits = coded;
			rc->tail = tail;
			rc->bad = bad;
			rc_raw(rc, 1, 1);
			code_raw(rc, row, px, n);
			return;
		}
		memcpy(row, px, n * sizeof(*row));
	}
	adapt(&k[0], bits[0], n);
	adapt(&k[1], bits[1], 2 * n);
}

#define LONE 8 /* so many are looked at before their parameters change */

uint32_t texture_px(struct dense *d, uint32_t likely, uint32_t px)
{
	struct rangecoder *rc = &d->rc;
	static const struct rise none;
	uint8_t *k = d->fast.lone.k;
	uint32_t bits[2], *sum = d->fast.lone.bits;

	if (rc->decode) {
		decode(rc, k, &px, &likely, 1, none, bits);
	} else {
		while (rc->raw_held >= 32)
			rc_raw_move(rc);
		encode(rc, k, &likely, &px, 1, none, bits);
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
