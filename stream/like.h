/* The fast mode's look at a tile's row of pixels: what is the same beside it. */
#ifndef STREAM_LIKE_H
#define STREAM_LIKE_H

#include "stream/picture.h"

/** What the pixels of a tile's row are like; bit i is pixel i, of which the first has nothing to its left. */
struct like {
	uint32_t above, base, left;
};

/** Of n <= TILE pixels px: which are as those above, as those sent before, as their left neighbours. */
static inline struct like like_what(const uint32_t *sent, const uint32_t *above, const uint32_t *px, int32_t n)
{
	struct like like = { 0 };

	if (n == TILE) {
#pragma GCC unroll 4
		for (unsigned i = 0; i < TILE; i += 4) {
			px4 four = px4_load(px + i);

			like.above |= px4_same(four, px4_load(above + i)) << i;
			like.base |= px4_same(four, px4_load(sent + i)) << i;
			like.left |= px4_same(four, i ? px4_load(px + i - 1) : px4_right(four)) << i;
		}
		return like;
	}
	for (int32_t i = 0; i < n; i++) {
		like.above |= (uint32_t)(px[i] == above[i]) << i;
		like.base |= (uint32_t)(px[i] == sent[i]) << i;
		like.left |= (uint32_t)(i && px[i] == px[i - 1]) << i;
	}
	return like;
}

/** How many of pixels 1, 3, 5, ... are in a set. */
static inline int32_t like_odd(uint32_t set)
{
	uint32_t pairs = set >> 1 & 0x5555;

	pairs = (pairs & 0x3333) + (pairs >> 2 & 0x3333);
	return (int32_t)(pairs * 0x1111 >> 12 & 15);
}

#endif
