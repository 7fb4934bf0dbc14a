/* Between the files of the display channel's sender. Nothing of it is for others. */
#ifndef STREAM_DISPLAY_INTERNAL_H
#define STREAM_DISPLAY_INTERNAL_H

#include "stream/dense_encode.h"
#include "stream/display.h"

_Static_assert(DISPLAY_MAX_SIDE <= DENSE_MAX_SIDE && DTX_CAP_MIN >= DENSE_CAP_MIN + 8, "the codec's limits");

static inline bool dtx_is_on(const struct dtx_head *h)
{
	return h->so.width != 0;
}

static inline uint32_t dtx_tiles(const struct dtx_head *h)
{
	return (uint32_t)h->cols * h->rows;
}

/* There is something to look at, to code, or to tell. */
static inline bool dtx_has_work(const struct dtx_head *h)
{
	return h->begin != DTX_GO_ON || h->marked || h->open || (dtx_is_on(h) && !dense_enc_idle(h->enc));
}

#endif
