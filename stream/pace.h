/*
 * How much of the CPU's time the encoder may have: a share of a busy guest's, all of an idle one's. Time is earned while the guest
 * has work, the encoder's own included, and paid for when it is used; so the share holds however long the slices are: a piece of
 * work that took longer than was allowed is paid off before the next. Nanoseconds of any clock.
 */
#ifndef STREAM_PACE_H
#define STREAM_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_SHARE 25		  /* percent, unless told */
#define PACE_SLICE_NS 250000	  /* a busy guest is kept waiting for this long at once, and not for less */
#define PACE_IDLE_SLICE_NS 500000 /* an idle one, which something may wake */

struct pace {
	unsigned share; /* percent of a busy guest's time, 1 to 100 */
	bool idle;	/* the guest was, since `last` */
	int64_t credit; /* earned and not used, in 1/100 ns */
	uint64_t last;	/* until when it was earned */
	/* counters: the encoder's time in all, and while the guest was busy; for how long it was busy */
	uint64_t used, used_busy, busy;
};

/** Begins with nothing earned and an idle guest. */
void pace_init(struct pace *p, unsigned share, uint64_t now);

/** How long the encoder may work from now on; 0: not yet, see pace_next. idle: the guest waits for something, from now on. */
uint64_t pace_allow(struct pace *p, uint64_t now, bool idle);

/** It worked for so long, since pace_allow. */
void pace_use(struct pace *p, uint64_t spent);

/** When pace_allow will say yes, if the guest stays as it is. */
uint64_t pace_next(const struct pace *p, uint64_t now);

/** What was taken of a busy guest's time until now, in 1/1000. */
unsigned pace_taken(const struct pace *p);

#endif
