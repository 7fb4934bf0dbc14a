/* A small seeded generator (xorshift64*, Marsaglia and Vigna): the same pictures on every run. */
#ifndef GUEST_PRNG_H
#define GUEST_PRNG_H

#include <stdint.h>

struct prng {
	uint64_t state; /* not 0 */
};

static inline uint32_t prng_next(struct prng *p)
{
	p->state ^= p->state >> 12;
	p->state ^= p->state << 25;
	p->state ^= p->state >> 27;
	return (uint32_t)(p->state * 0x2545f4914f6cdd1dull >> 32);
}

/** A number below n. */
static inline uint32_t prng_below(struct prng *p, uint32_t n)
{
	return (uint32_t)((uint64_t)prng_next(p) * n >> 32);
}

#endif
