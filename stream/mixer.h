/*
 * Adaptive bit prediction: what a context has seen (a slot), and the mixing of several contexts into one probability with
 * weights that learn (logistic mixing: Mahoney, "Adaptive Weighing of Context Models for Lossless Data Compression", 2005).
 *
 * Two weight sets, chosen by two small contexts, each learn on their own error; the mean of what they say is refined by an
 * adaptive map (APM) and coded. All is integer arithmetic, so both ends always agree.
 */
#ifndef STREAM_MIXER_H
#define STREAM_MIXER_H

#include <stdint.h>

#include "stream/rangecoder.h"

/* What one context has seen: the probability of a 1 in 1/65536, and how many bits it rests on. */
struct slot {
	uint16_t p1;
	uint8_t seen;
	uint8_t check; /* in the hash table: which context it belongs to */
};

#define MIX_SLOTS (144 * 1024) /* of the hash table */
#define MIX_CONTEXTS 12        /* in one prediction, at most */
#define MIX_INPUTS(contexts) (2 * (contexts) + 1)
#define MIX_APM 33             /* cells of an adaptive map */

#define MIX_RATE_MAX 8

/* How a kind of decision is mixed. */
struct mix_rule {
	unsigned contexts;
	unsigned limit; /* a slot counts no more bits than this: it forgets faster, the lower */
	int32_t rate;   /* of the weights, at most MIX_RATE_MAX */
};

/** Makes the shared tables; must be called before anything else here, costs little and may be called again. */
void mix_init(void);

/** Forgets all that n slots have learnt. */
void mix_clear_slots(struct slot *slot, unsigned n);

/** Puts n weight sets for rule's number of contexts into their first state: MIX_INPUTS(contexts) words each. */
void mix_clear_weights(int32_t *weights, unsigned n, unsigned contexts);

/** Puts n adaptive maps of MIX_APM cells into their first state. */
void mix_clear_apm(uint16_t *apm, unsigned n);

/**
 * Codes one bit from rule->contexts hashed contexts.
 * @table    MIX_SLOTS slots
 * @context  a hash for each context: all that it consists of, and which decision this is
 * @a, @b    the two weight sets
 * @apm      the adaptive map
 * Returns the bit.
 */
int mix_bit(struct rangecoder *rc, const struct mix_rule *rule, struct slot *table, const uint32_t *context, int32_t *a,
	    int32_t *b, uint16_t *apm, int bit);

extern uint16_t slot_rate[256]; /* 65536 / (n + 1.5) */

/** What a slot learns of a bit. Rounded away from where it is, so that what never changes becomes certain. */
static inline void slot_learn(struct slot *s, unsigned limit, int bit)
{
	uint32_t rate = slot_rate[s->seen];

	if (bit)
		s->p1 = (uint16_t)(s->p1 + (((65535u - s->p1) * rate + 65535) >> 16));
	else
		s->p1 = (uint16_t)(s->p1 - ((s->p1 * rate + 65535) >> 16));
	if (s->seen < limit)
		s->seen++;
}

/** Codes one bit with a slot of its own; limit as in a rule. */
static inline int slot_bit(struct rangecoder *rc, struct slot *slot, unsigned limit, int bit)
{
	uint32_t p = slot->p1;

	p = p < 16 ? 16 : p > 65520 ? 65520 : p;
	bit = rc_bit(rc, bit, rc_bounded(rc, p));
	slot_learn(slot, limit, bit);
	return bit;
}

/** Codes a number below 2^14 as an Exp-Golomb code with adaptive bits, in SLOT_NUMBER slots. */
uint32_t slot_number(struct rangecoder *rc, struct slot *slot, uint32_t v);

/** The same for a number in -(2^13) .. 2^13: sign and size. */
int32_t slot_signed(struct rangecoder *rc, struct slot *slot, int32_t v);
#define SLOT_NUMBER 64

/** Mixes two words into a hash. */
static inline uint32_t hash2(uint32_t a, uint32_t b)
{
	uint32_t h = (a ^ 0x9e3779b9u) * 0x85ebca6bu + b * 0xc2b2ae35u;

	return h ^ h >> 15;
}

static inline uint32_t hash3(uint32_t a, uint32_t b, uint32_t c)
{
	return hash2(hash2(a, b), c);
}

#endif
