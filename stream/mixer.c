/* mixer.h */
#include "stream/mixer.h"

#define LIMIT 2047	    /* of a stretched probability */
#define FIRST_STRETCH 14000 /* weights at first, in 1/65536: of what a slot predicts */
#define FIRST_TRUST 3000    /* and of how much it was seen */
#define BIAS 256

static uint16_t squash_of[2 * LIMIT + 1]; /* 65536 / (1 + e^-(d / 170.6)) */
static int16_t stretch_of[4096];	  /* its inverse, for the upper 12 bits of a probability */
uint16_t slot_rate[256];

static inline uint32_t squash(int32_t d)
{
	return squash_of[(d > LIMIT ? LIMIT : d < -LIMIT ? -LIMIT : d) + LIMIT];
}

void mix_init(void)
{
	uint64_t e = 1u << 30; /* e^(-d / 170.6) in 1/2^30 */
	int32_t d = -LIMIT;

	if (slot_rate[0]) /* made last, and by all alike */
		return;

	for (int32_t i = 0; i <= LIMIT; i++) {
		uint32_t p = (uint32_t)(((uint64_t)1 << 46) / ((1u << 30) + e));

		p = p > 65535 ? 65535 : p;
		squash_of[LIMIT + i] = (uint16_t)p;
		squash_of[LIMIT - i] = (uint16_t)(65536 - p);
		e = e * 1067466320 >> 30; /* e^(-1 / 170.6) */
	}
	for (uint32_t p = 0; p < 4096; p++) {
		while (d < LIMIT && squash(d) < p * 16 + 8)
			d++;
		stretch_of[p] = (int16_t)d;
	}
	for (uint32_t n = 256; n--;)
		slot_rate[n] = (uint16_t)(131072 / (2 * n + 3));
}

void mix_clear_slots(struct slot *slot, unsigned n)
{
	const struct slot fresh = { .p1 = 32768 };

	for (unsigned i = 0; i < n; i++)
		__builtin_memcpy(&slot[i], &fresh, sizeof(fresh)); /* one word, not three members */
}

void mix_clear_weights(int32_t *weights, unsigned n, unsigned contexts)
{
	while (n--) {
		for (unsigned i = 0; i < contexts; i++) {
			*weights++ = FIRST_STRETCH;
			*weights++ = FIRST_TRUST;
		}
		*weights++ = 0;
	}
}

void mix_clear_apm(uint16_t *apm, unsigned n)
{
	while (n--)
		for (int32_t i = 0; i < MIX_APM; i++)
			*apm++ = (uint16_t)squash((i - MIX_APM / 2) * 128);
}

#define WAYS 4 /* slots that may be a context's */

/* The slot of a context: its own, or else the least used of some, which becomes its own. */
static inline struct slot *find(struct slot *table, uint32_t context)
{
	uint32_t i = (uint32_t)((uint64_t)(context * 0x9e3779b1u) * MIX_SLOTS >> 32);
	uint8_t check = (uint8_t)(context >> 3 ^ context >> 19);
	struct slot *least = &table[i];

	if (least->check == check)
		return least;
	for (uint32_t k = 1; k < WAYS; k++) {
		struct slot *s = &table[i ^ k];

		if (s->check == check)
			return s;
		least = s->seen < least->seen ? s : least;
	}
	*least = (struct slot){ .p1 = 32768, .check = check };
	return least;
}

static inline int32_t bounded(int64_t sum)
{
	sum >>= 16;
	return sum > LIMIT ? LIMIT : sum < -LIMIT ? -LIMIT : (int32_t)sum;
}

/* What the contexts say that have seen something; the others say nothing, and their weights learn nothing. */
struct inputs {
	struct slot *slot[MIX_CONTEXTS];
	unsigned n;		  /* so many say something */
	uint8_t at[MIX_CONTEXTS]; /* which those are */
	int32_t in[2 * MIX_CONTEXTS];
	int64_t a, b; /* the sums with each weight set */
};

static inline void gather(struct inputs *q, struct slot *table, const uint32_t *context, unsigned contexts, const int32_t *a,
			  const int32_t *b)
{
	q->a = (int64_t)BIAS * a[2 * contexts];
	q->b = (int64_t)BIAS * b[2 * contexts];
	q->n = 0;
	for (unsigned i = 0; i < contexts; i++) {
		struct slot *s = q->slot[i] = find(table, context[i]);
		int32_t off = s->p1 - 32768, stretch, trust;

		if (!s->seen)
			continue;
		stretch = stretch_of[s->p1 >> 4];
		trust = s->seen > 3 ? off / 24 : s->seen > 1 ? off / 40 : off / 64;
		q->a += (int64_t)stretch * a[2 * i] + (int64_t)trust * a[2 * i + 1];
		q->b += (int64_t)stretch * b[2 * i] + (int64_t)trust * b[2 * i + 1];
		q->in[2 * q->n] = stretch;
		q->in[2 * q->n + 1] = trust;
		q->at[q->n++] = (uint8_t)i;
	}
}

_Static_assert((int64_t)LIMIT * 65536 * MIX_RATE_MAX + (1 << 17) <= INT32_MAX, "a step of a weight is worked out in 32 bits");

static inline int32_t step(int32_t in, int32_t error)
{
	return (in * error + (1 << 17)) >> 18;
}

/* error: times the rule's rate */
static inline void train(const struct inputs *q, int32_t *w, unsigned contexts, int32_t error)
{
	for (unsigned k = 0; k < q->n; k++) {
		int32_t *to = &w[2 * q->at[k]];

		to[0] += step(q->in[2 * k], error);
		to[1] += step(q->in[2 * k + 1], error);
	}
	w[2 * contexts] += step(BIAS, error);
}

int mix_bit(struct rangecoder *rc, const struct mix_rule *rule, struct slot *table, const uint32_t *context, int32_t *a, int32_t *b,
	    uint16_t *apm, int bit)
{
	struct inputs q;

	gather(&q, table, context, rule->contexts, a, b);

	int32_t da = bounded(q.a), db = bounded(q.b), d = (da + db) / 2;
	uint32_t at = (uint32_t)(d + 2048) >> 7, part = (uint32_t)(d + 2048) & 127;
	uint32_t refined = (apm[at] * (128 - part) + apm[at + 1] * part) >> 7;
	uint32_t p = (squash(d) + refined) / 2;

	bit = rc_bit(rc, bit, rc_bounded(rc, p));

	int32_t target = bit ? 65535 : 0;

	train(&q, a, rule->contexts, (target - (int32_t)squash(da)) * rule->rate);
	train(&q, b, rule->contexts, (target - (int32_t)squash(db)) * rule->rate);
	at += part >> 6;
	apm[at] = (uint16_t)(apm[at] + (target - apm[at]) / 64);
	for (unsigned i = 0; i < rule->contexts; i++)
		slot_learn(q.slot[i], rule->limit, bit);
	return bit;
}

#define NUMBER_LIMIT 28

uint32_t slot_number(struct rangecoder *rc, struct slot *slot, uint32_t v)
{
	unsigned size = 31 - (unsigned)__builtin_clz(v + 1), n = 0;
	uint32_t got = 1;

	while (n < 14 && slot_bit(rc, slot + n, NUMBER_LIMIT, n < size))
		n++;
	/* Of the bits below the highest, the first two follow a model. */
	for (unsigned i = n; i--;) {
		int bit = (v + 1) >> i & 1;

		if (n - i <= 2)
			bit = slot_bit(rc, slot + 15 + n * 3 + (got & ((1u << (n - i - 1)) - 1)) + (n - i - 1), NUMBER_LIMIT, bit);
		else
			bit = (int)rc_bit(rc, bit, 32768);
		got = got << 1 | (uint32_t)bit;
	}
	return got - 1;
}

int32_t slot_signed(struct rangecoder *rc, struct slot *slot, int32_t v)
{
	uint32_t size = slot_number(rc, slot, (uint32_t)(v < 0 ? -v : v));

	if (!size)
		return 0;
	return slot_bit(rc, slot + SLOT_NUMBER - 1, NUMBER_LIMIT, v < 0) ? -(int32_t)size : (int32_t)size;
}
