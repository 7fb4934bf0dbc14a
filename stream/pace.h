/*
 * How much of the CPU's time the encoder may have: a share of a busy guest's, all of an idle one's. Time is earned while it goes by
 * and paid for when it is used, so the share holds however long the slices are. Nanoseconds of any clock.
 */
#ifndef STREAM_PACE_H
#define STREAM_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_SHARE 25		  /* percent, unless told */
#define PACE_SLICE_NS 250000	  /* a busy guest is kept waiting for this long at once, and not for less */
#define PACE_IDLE_SLICE_NS 500000 /* an idle one, which something may wake */

struct pace {
	unsigned share;		  /* percent of a busy guest's time, 1 to 100 */
	int64_t credit;		  /* earned and not used */
	uint64_t last;		  /* until when it was earned */
	uint64_t used, used_busy; /* in all, and while the guest was busy */
};

/** Begins with nothing earned. */
void pace_init(struct pace *p, unsigned share, uint64_t now);

/** How long the encoder may work from now on; 0: not yet, see pace_next. idle: the guest waits for something. */
uint64_t pace_allow(struct pace *p, uint64_t now, bool idle);

/** It worked for so long. */
void pace_use(struct pace *p, uint64_t spent, bool idle);

/** When pace_allow will say yes, for a busy guest. */
uint64_t pace_next(const struct pace *p, uint64_t now);

#endif
