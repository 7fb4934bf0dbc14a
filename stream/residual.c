/* pixels_internal.h: pixels that nothing foretold exactly */
#include <string.h>

#include "stream/pixels_internal.h"

#define LMS_ONE 65536
#define LMS_RATE 72 /* 256: at once to what fits the last pixel */

static const struct mix_rule rule_residual = { .contexts = 12, .limit = 100, .rate = 5 };

void residual_clear(struct dense *d)
{
	struct pixels *p = &d->px;

	mix_clear_weights(p->res_a[0], sizeof(p->res_a) / sizeof(p->res_a[0]), 12);
	mix_clear_weights(p->res_b[0], sizeof(p->res_b) / sizeof(p->res_b[0]), 12);
	mix_clear_apm(p->res_apm[0], sizeof(p->res_apm) / sizeof(p->res_apm[0]));
	memset(p->lms, 0, sizeof(p->lms));
	for (unsigned c = 0; c < 3; c++) {
		/* At first the gradient of n, and for red and blue what green did. */
		p->lms[c][0] = LMS_ONE / 2;
		p->lms[c][11] = c == 1 ? 0 : LMS_ONE / 2;
		p->energy[c] = 0;
	}
}

static int32_t clamp_byte(int32_t v)
{
	return v < 0 ? 0 : v > 255 ? 255 : v;
}

static int32_t absolute(int32_t v)
{
	return v < 0 ? -v : v;
}

/* The median of w, n and w + n - nw (LOCO-I). */
static int32_t median_edge(int32_t w, int32_t n, int32_t nw)
{
	int32_t low = w < n ? w : n, high = w < n ? n : w;

	return nw >= high ? low : nw <= low ? high : w + n - nw;
}

/* 0 .. 11, steps that grow */
static uint32_t magnitude(uint32_t v)
{
	return v < 3	 ? v
	       : v < 5	 ? 3
	       : v < 8	 ? 4
	       : v < 12	 ? 5
	       : v < 18	 ? 6
	       : v < 28	 ? 7
	       : v < 44	 ? 8
	       : v < 70	 ? 9
	       : v < 120 ? 10
			 : 11;
}

/* A difference of bytes, coarse: -5 .. 5 as 0 .. 10 */
static uint32_t coarse(int32_t v)
{
	uint32_t m = magnitude((uint32_t)absolute(v)) / 2;

	return v < 0 ? 5 - m : 5 + m;
}

/* A residual's bits: each with the contexts of its channel and its place among the bits. */
struct residual_bits {
	struct dense *d;
	const uint32_t *context; /* 12 hashes */
	unsigned c;
	uint32_t second; /* chooses the second weight set */
	uint32_t had;	 /* bits of the pixel's 24 that are through */
};

static int residual_bit(const struct residual_bits *r, unsigned place, unsigned node, int bit)
{
	struct pixels *p = &r->d->px;
	uint32_t hash[12];

	for (unsigned i = 0; i < 12; i++)
		hash[i] = hash2(r->context[i], node * 3 + r->c);
	return mix_bit(&r->d->rc, &rule_residual, r->d->table, hash, p->res_a[r->c * 16 + place], p->res_b[r->c * 16 + r->second],
		       p->res_apm[r->c * 16 + place], bit);
}

#define UNARY 6

/* Too dear by now: the channel goes raw. */
static bool too_dear(const struct residual_bits *r)
{
	return overdrawn(&r->d->px, &r->d->rc, r->had, 3);
}

/* A number from -128 to 127; false where it became too dear first. */
static bool residual_number(const struct residual_bits *r, int32_t *v)
{
	uint32_t m = (uint32_t)absolute(*v), got, n, bucket = 0;
	int negative;

	if (too_dear(r))
		return false;
	if (residual_bit(r, 0, 1, m == 0)) {
		*v = 0;
		return true;
	}
	if (too_dear(r))
		return false;
	negative = residual_bit(r, 1, 2, *v < 0);
	for (n = 1; n < UNARY + 1; n++) {
		if (too_dear(r))
			return false;
		if (residual_bit(r, 1 + n, 2 + 2 * n + (unsigned)negative, m == n)) {
			*v = negative ? -(int32_t)n : (int32_t)n;
			return true;
		}
	}
	/* m > UNARY: m - UNARY has its highest bit at `bucket`, 0 .. 6 */
	uint32_t rest = m - UNARY;
	unsigned size = m > UNARY ? 31 - (unsigned)__builtin_clz(rest) : 0;

	for (; bucket < 6; bucket++) {
		if (too_dear(r))
			return false;
		if (residual_bit(r, 8 + bucket, 32 + 2 * bucket + (unsigned)negative, bucket == size))
			break;
	}
	got = 1;
	for (unsigned i = bucket; i--;) {
		int bit = rest >> i & 1;

		if (i + 2 >= bucket && !too_dear(r))
			bit = residual_bit(r, 14, 64 + bucket * 4 + (bucket - i) * 32 + (got & 3), bit);
		else
			bit = rc_bit(&r->d->rc, bit, 32768);
		got = got << 1 | (uint32_t)bit;
	}
	n = (UNARY + got) & 255;
	*v = negative ? -(int32_t)n : (int32_t)n;
	return true;
}

/* What a channel is predicted from. */
struct prediction {
	int32_t in[LMS_INPUTS]; /* differences from w */
	unsigned n;
	int32_t slope; /* what the linear predictor adds to w, in 1/256 */
	int32_t value; /* 0 .. 255 */
	uint32_t fraction;
};

static void predict(const struct pixels *p, const struct around *a, unsigned c, uint32_t done, struct prediction *q)
{
	int32_t w = channel(a->w, c), n = channel(a->n, c), nw = channel(a->nw, c), ne = channel(a->ne, c);
	int32_t *in = q->in; /* cppcheck-suppress ctuuninitvar; the address of what is filled in here */

	in[0] = n - w;
	in[1] = nw - w;
	in[2] = ne - w;
	in[3] = channel(a->ww, c) - w;
	in[4] = channel(a->nn, c) - w;
	in[5] = channel(a->nne, c) - w;
	in[6] = channel(a->nww, c) - w;
	in[7] = channel(a->base, c) - w;
	in[8] = channel(a->nee, c) - w;
	in[9] = channel(a->www, c) - w;
	in[10] = channel(a->nnn, c) - w;
	q->n = 11;
	if (c != 1) {
		int32_t g = channel(a->w, 1);

		in[11] = channel(done, 1) - g;
		in[12] = channel(a->n, 1) - g;
		in[13] = channel(a->nw, 1) - g;
		in[14] = channel(a->ne, 1) - g;
		q->n = 15;
	}
	if (c == 0) {
		int32_t r = channel(a->w, 2);

		in[15] = channel(done, 2) - r;
		in[16] = channel(a->n, 2) - r;
		q->n = 17;
	}
	int64_t sum = 0;

	for (unsigned i = 0; i < q->n; i++)
		sum += (int64_t)p->lms[c][i] * in[i];
	q->slope = (int32_t)(sum >> 8);
	int32_t fine = w * 8 + q->slope / 32;

	fine = fine < 0 ? 0 : fine > 255 * 8 ? 255 * 8 : fine;
	if (a->escapes > 2) {
		q->value = (fine + 4) >> 3;
		q->value = q->value > 255 ? 255 : q->value;
		q->fraction = (uint32_t)fine & 7;
	} else {
		int32_t shift = c == 1 ? 0 : channel(done, 1);

		/* Red and blue move as green did, where they did before. */
		if (c == 1)
			q->value = median_edge(w, n, nw);
		else
			q->value =
				clamp_byte(shift + median_edge(w - channel(a->w, 1), n - channel(a->n, 1), nw - channel(a->nw, 1)));
		q->fraction = 0;
	}
}

static void lms_learn(struct pixels *p, unsigned c, const struct prediction *q, int32_t w, int32_t value)
{
	int32_t power = 16, error = (value - w) * 256 - q->slope;

	for (unsigned i = 0; i < q->n; i++)
		power += q->in[i] * q->in[i];
	int64_t step = (int64_t)error * 512 / power;

	for (unsigned i = 0; i < q->n; i++)
		p->lms[c][i] += (int32_t)(step * q->in[i] * LMS_RATE >> 8);
}

static void make_contexts(const struct pixels *p, const struct around *a, unsigned c, uint32_t done, uint32_t info,
			  const struct prediction *q, uint32_t *h)
{
	int32_t w = channel(a->w, c), n = channel(a->n, c), nw = channel(a->nw, c), ne = channel(a->ne, c);
	uint32_t activity = magnitude((uint32_t)(absolute(w - nw) + absolute(n - nw) + absolute(n - ne)));
	uint32_t res_w = magnitude((uint32_t)absolute((int8_t)(a->info_w >> 8 * c)));
	uint32_t res_n = magnitude((uint32_t)absolute((int8_t)(a->info_n >> 8 * c)));
	int32_t earlier1 = c == 1 ? 0 : (int8_t)(info >> 8), earlier2 = c ? 0 : (int8_t)(info >> 16);
	uint32_t channels = coarse(earlier1) * 16 + coarse(earlier2);
	int32_t v = q->value;

	h[0] = hash2(1, activity * 16 + (a->escapes > 2));
	h[1] = hash3(2, (uint32_t)(median_edge(w, n, nw) - v + 512), res_w * 16 + res_n);
	h[2] = hash3(3, (uint32_t)earlier1 & 255, (uint32_t)earlier2 & 255);
	h[3] = hash3(4, (uint32_t)v >> 1, (uint32_t)(earlier1 / 4) & 255);
	h[4] = hash3(5, (uint32_t)(clamp_byte(w + n - nw) - v + 512) << 3 | q->fraction,
		     (uint32_t)(clamp_byte(w + ne - n) - v + 512) / 2);
	h[5] = hash3(6, coarse(w - v) * 16 + coarse(n - v), (uint32_t)(w - v + 256) << 9 | (uint32_t)(n - v + 256));
	h[6] = hash3(7, (uint32_t)(channel(a->base, c) - v + 512), (uint32_t)(channel(a->bg, c) - v + 512));
	h[7] = hash3(8, activity * 8 + q->fraction, channels);
	h[8] = hash3(9, hash2(a->w, a->n), done);
	h[9] = hash3(10, magnitude(p->energy[c] >> 4) * 16 + magnitude(p->energy[c] >> 2), res_w + res_n);
	h[10] = hash3(11, (uint32_t)(channel(a->base, c) - v + 512), channels);
	h[11] = hash3(12, coarse(channel(a->nn, c) - v) * 256 + coarse(channel(a->ww, c) - v) * 16 + coarse(ne - v), channels);
}

uint32_t residual_code(struct dense *d, const struct around *a, uint32_t px, uint32_t *info)
{
	static const unsigned order[3] = { 1, 2, 0 };
	struct pixels *p = &d->px;
	uint32_t done = 0;
	struct prediction q;

	*info = INFO_ESCAPED;
	for (unsigned i = 0; i < 3; i++) {
		unsigned c = order[i];
		uint32_t context[12];

		predict(p, a, c, done, &q);
		make_contexts(p, a, c, done, *info, &q, context);
		struct residual_bits bits = { .d = d, .context = context, .c = c, .had = 8 * i };

		bits.second = magnitude(p->energy[c] >> 3);
		int32_t r = (int8_t)(channel(px, c) - q.value);

		if (!residual_number(&bits, &r))
			r = (int8_t)rc_raw(&d->rc, (uint32_t)r & 255, 8);
		r = (int8_t)r;
		int32_t value = (q.value + r) & 255;

		lms_learn(p, c, &q, channel(a->w, c), value);
		p->energy[c] += ((uint32_t)absolute(r) * 64 - p->energy[c]) / 8 + 0;
		*info |= (uint32_t)(r & 255) << 8 * c;
		done |= (uint32_t)value << 8 * c;
	}
	return done;
}
