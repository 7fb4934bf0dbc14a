/* A small seeded generator for property tests (xorshift64*): the same numbers on every machine. */
#ifndef TESTS_UNIT_RANDOM_H
#define TESTS_UNIT_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct rng {
	uint64_t s;
};

static inline struct rng rng_seed(uint64_t seed)
{
	return (struct rng){ .s = seed * 0x9e3779b97f4a7c15u + 0x1234567 };
}

static inline uint32_t rng_next(struct rng *r)
{
	r->s ^= r->s >> 12;
	r->s ^= r->s << 25;
	r->s ^= r->s >> 27;
	return (uint32_t)((r->s * 0x2545f4914f6cdd1du) >> 32);
}

/* 0 .. n-1 */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)((uint64_t)rng_next(r) * n >> 32);
}

/* True once in n. */
static inline int rng_once_in(struct rng *r, uint32_t n)
{
	return rng_below(r, n) == 0;
}

static inline void rng_fill(struct rng *r, void *p, size_t n)
{
	uint8_t *b = p;

	while (n--)
		*b++ = (uint8_t)rng_next(r);
}

#endif
