/* Which vectors were named most often, in a table of few places that keeps the frequent ones (Misra and Gries 1982). */
#ifndef STREAM_VOTES_H
#define STREAM_VOTES_H

#include <stdint.h>

#include "stream/mixer.h"

struct vote {
	int16_t dx, dy;
	uint32_t count; /* 0: a free place */
};

/** Counts a vector that is not zero. Where its places in the table are taken, the one with the fewest votes loses one, or gives
 * way. */
static inline void votes_add(struct vote *vote, unsigned places, int32_t dx, int32_t dy)
{
	uint32_t at = hash2((uint32_t)dx, (uint32_t)dy) % places, least = at;

	if (!dx && !dy)
		return;
	for (unsigned i = 0; i < 4; i++, at = (at + 1) % places) {
		if (vote[at].count && vote[at].dx == dx && vote[at].dy == dy) {
			vote[at].count++;
			return;
		}
		if (vote[at].count < vote[least].count)
			least = at;
	}
	if (vote[least].count)
		vote[least].count--;
	else
		vote[least] = (struct vote){ .dx = (int16_t)dx, .dy = (int16_t)dy, .count = 1 };
}

/** The place with most votes, the first of several. */
static inline struct vote *votes_best(struct vote *vote, unsigned places)
{
	struct vote *best = vote;

	for (unsigned i = 1; i < places; i++)
		if (vote[i].count > best->count)
			best = &vote[i];
	return best;
}

#endif
