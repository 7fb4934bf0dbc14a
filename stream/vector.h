/*
 * Four pixels at a time: vectors that the compiler makes SSE2 of where it may (in the VMM, the codec's sources; see fpu_lend), and
 * words where not.
 */
#ifndef STREAM_VECTOR_H
#define STREAM_VECTOR_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t px4 __attribute__((vector_size(16), may_alias));
typedef uint8_t bytes16 __attribute__((vector_size(16), may_alias));
#ifdef __SSE2__
typedef char px4_chars __attribute__((vector_size(16)));
typedef float px4_floats __attribute__((vector_size(16)));
#else
typedef uint64_t px4_words __attribute__((vector_size(16)));
#endif

/* At any address. */
struct px4_any {
	px4 v;
} __attribute__((packed, may_alias));

static inline px4 px4_load(const void *p)
{
	return ((const struct px4_any *)p)->v;
}

static inline void px4_store(void *p, px4 v)
{
	((struct px4_any *)p)->v = v;
}

static inline px4 px4_all(uint32_t px)
{
	return (px4){ px, px, px, px };
}

/** True if any bit is set. */
static inline bool px4_some(px4 v)
{
#ifdef __SSE2__
	return __builtin_ia32_pmovmskb128((px4_chars)((bytes16)v == (bytes16){ 0 })) != 0xffff;
#else
	return ((px4_words)v)[0] | ((px4_words)v)[1];
#endif
}

/** Bit i: pixels i of a and b are the same. */
static inline unsigned px4_same(px4 a, px4 b)
{
#ifdef __SSE2__
	return (unsigned)__builtin_ia32_movmskps((px4_floats)(a == b));
#else
	return (unsigned)(a[0] == b[0]) | (unsigned)(a[1] == b[1]) << 1 | (unsigned)(a[2] == b[2]) << 2 |
	       (unsigned)(a[3] == b[3]) << 3;
#endif
}

/** Each pixel moves one place, or two, to the right; zeros come from the left. */
static inline px4 px4_right(px4 v)
{
	return (px4)__builtin_shufflevector((px4){ 0 }, v, 0, 4, 5, 6);
}

static inline px4 px4_right_two(px4 v)
{
	return (px4)__builtin_shufflevector((px4){ 0 }, v, 0, 1, 4, 5);
}

/** Channel by channel, modulo 256. */
static inline px4 px4_plus(px4 a, px4 b)
{
	return (px4)((bytes16)a + (bytes16)b);
}

static inline px4 px4_minus(px4 a, px4 b)
{
	return (px4)((bytes16)a - (bytes16)b);
}

#endif
