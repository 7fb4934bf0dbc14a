/* The dense encoder: rounds in slices. */
#ifndef STREAM_DENSE_ENCODE_H
#define STREAM_DENSE_ENCODE_H

#include "stream/dense.h"
#include "stream/dense_enc.h"

enum dense_status {
	DENSE_WORKING, /* the slice is over: call again */
	DENSE_FULL,    /* no room for another unit: end the datagram, the round goes on in another */
	DENSE_READY,   /* the round is complete: end the datagram, if one was begun */
};

/**
 * Begins anew, as dense_reset.
 * @flags  one byte a tile, bit 0: may differ from sent. The owner sets it where something was written; the encoder clears it
 *         before it reads a tile for the last time in a round
 */
int dense_enc_reset(struct dense_enc *e, enum dense_mode mode, uint32_t *sent, uint8_t *flags, uint32_t width, uint32_t height);

/** The same in steps: begins it; dense_reset_step(&e->d) makes each, and nothing else may be asked of the encoder before the last.
 */
int dense_enc_reset_begin(struct dense_enc *e, enum dense_mode mode, uint32_t *sent, uint8_t *flags, uint32_t width,
			  uint32_t height);

/** Where the picture is read from now on. */
static inline void dense_enc_source(struct dense_enc *e, const struct scanout *cur)
{
	e->cur = *cur;
}

/** Begins a datagram in out, which has room for cap >= DENSE_CAP_MIN bytes and stays the encoder's until dense_enc_end. */
void dense_enc_begin(struct dense_enc *e, uint8_t *out, size_t cap);

/** Works at most `slices` bounded slices: looks for what changed, searches, codes. A new round begins by itself. */
enum dense_status dense_enc_work(struct dense_enc *e, unsigned slices);

/**
 * Gives the round at hand up: the datagram ends it, and the next one begins another. What was still to be coded is marked in flags,
 * as it was when the round began or is coded anew. May be called at any time.
 */
void dense_enc_break(struct dense_enc *e);

/** True between rounds: all that was marked when the last one began is brought over. */
static inline bool dense_enc_idle(const struct dense_enc *e)
{
	return e->stage == ENC_IDLE;
}

/** Ends the datagram; its length, 0 if nothing is in it. */
size_t dense_enc_end(struct dense_enc *e);

#endif
