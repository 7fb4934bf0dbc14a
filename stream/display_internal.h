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
	return h->begin != DTX_GO_ON || h->fresh || h->later || h->open || (dtx_is_on(h) && !dense_enc_idle(h->enc));
}

/* ---- display_pick.c */

#define DTX_HOLD 4 /* datagrams of a round before it may be given up; what takes more is not little */

/* The head to work on, or, of those with a complete datagram, the one to send; DISPLAY_HEADS: none. */
unsigned dtx_pick(const struct display_tx *tx, bool complete);
/* A datagram of a head is sent. */
void dtx_took(struct display_tx *tx, unsigned head, size_t len);
/* The head's round must be given up for something that is new. Then: what it had still to code is put off. */
bool dtx_must_break(const struct display_tx *tx, const struct dtx_head *h);
void dtx_put_off(struct dtx_head *h);
/* Much that is new waits for the round at hand to end, so that little that comes after it is seen to be little. */
void dtx_put_off_new(struct dtx_head *h);
/* Of a first picture, textures in the next row of tiles are put off. */
void dtx_sort_row(struct dtx_head *h);
/* A round is to begin: the tiles that it will look at. */
void dtx_select(struct dtx_head *h);

#endif
