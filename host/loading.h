/* How much of each head has come since its mode was set, and how fast the line brings it: what a status line tells. */
#ifndef HOST_LOADING_H
#define HOST_LOADING_H

#include <stdbool.h>
#include <stdint.h>

#include "stream/display.h"

#define LOADING_CELL 16 /* pixels on the side of what is counted */

struct loading_head {
	uint8_t *seen; /* a byte for each cell */
	unsigned columns, cells, left;
	uint64_t changed_us;
};

struct loading {
	struct loading_head head[DISPLAY_HEADS];
	uint64_t at_us, bytes; /* when the rate was last computed, and of what */
	uint32_t rate;	       /* bytes a second */
};

/** A rectangle of a head, whose canvas is *c, changed; resized: it has a new mode, and nothing of it has come yet. */
void loading_changed(struct loading *l, unsigned head, bool resized, const struct canvas *c, unsigned x0, unsigned y0, unsigned x1,
		     unsigned y1, uint64_t now_us);

/** The line has brought so many bytes by now_us. Call it now and then. */
void loading_bytes(struct loading *l, uint64_t bytes, uint64_t now_us);

/**
 * Cells of a head's first picture that have not come. 0 once all have, or when nothing has changed for a while: what is black is
 * not sent.
 */
unsigned loading_left(const struct loading *l, unsigned head, uint64_t now_us);

/** The same in percent of those that have come; 100 for a head that is off. */
unsigned loading_percent(const struct loading *l, unsigned head, uint64_t now_us);

void loading_free(struct loading *l);

#endif
