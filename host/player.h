/* Plays a recording into a session, as if its frames came over a line now. */
#ifndef HOST_PLAYER_H
#define HOST_PLAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pollset.h"
#include "host/record.h"
#include "host/session.h"

struct player {
	struct recording recording;
	struct record next; /* the record that is due next */
	bool over;	    /* there is none: the end was reached, or what is broken (recording.why) */
	double speed;	    /* 1: as it was; 0: as fast as can be */
	uint64_t start_us;  /* when its beginning was, on now_us's clock */
};

/** Opens a recording and begins to play at once. Returns 0, or -1 having said why. */
int player_open(struct player *p, const char *path, double speed);
void player_close(struct player *p);

/** When the next record is due; UINT64_MAX where there is none. */
uint64_t player_deadline(const struct player *p);

/** Feeds the session what is due at now, for a few milliseconds at most. */
void player_pump(struct player *p, struct session *s, uint64_t now);

/** Feeds the session the next record, whatever its time. The player is not over. */
void player_step(struct player *p, struct session *s);

#endif
