/*
 * The dense mode of the codec: few bytes, for slow lines. A picture is kept equal on both ends by rounds; a round brings what
 * changed since the one before: copies, cells of text, then tiles. All is predicted from contexts that both ends learn, and
 * coded by one range coder.
 *
 * A datagram is any number of units (a copy, a cell, 16 tiles of the map, 32 pixels) in a row: an encoder may stop after any,
 * send what it has, and go on later. A datagram needs all before it; after a loss both ends begin anew (dense_reset).
 *
 * Datagram: u8 flags (the lower five bits are free for the display channel), then with DENSE_CUT a varint with the number
 * of units; without it the datagram goes to the end of its round. Then the range coder's bytes. DENSE_BREAK, only beside DENSE_CUT:
 * the round is given up after these units; the next datagram begins another.
 */
#ifndef STREAM_DENSE_H
#define STREAM_DENSE_H

#include "stream/dense_model.h"

#define DENSE_CUT 0x80u /* the round goes on in the next datagram */
#define DENSE_BREAK 0x40u
#define DENSE_FLAGS (DENSE_CUT | DENSE_BREAK)
#define DENSE_UNIT_MAX 176 /* bytes that one unit takes at most, with the coder's end */
#define DENSE_CAP_MIN 256  /* room for a datagram, at least */

/**
 * Begins anew: forgets all that was learnt.
 * @sent  the picture as both ends have it, width * height words; stays the caller's and is changed by what is coded
 * Returns 0, or -EINVAL for a size past DENSE_MAX_SIDE or DENSE_MAX_TILES.
 */
int dense_reset(struct dense *d, enum dense_mode mode, uint32_t *sent, uint32_t width, uint32_t height);

/** The same in steps of about 50,000 instructions: begins it, and makes one; false after the last. */
int dense_reset_begin(struct dense *d, enum dense_mode mode, uint32_t *sent, uint32_t width, uint32_t height);
bool dense_reset_step(struct dense *d);

/**
 * Decodes a datagram from an untrusted line into d->sent; d->touch grows by what changed.
 * Returns 0, or -EBADMSG: then the picture is not exact any more and nothing but a reset helps.
 */
int dense_decode(struct dense *d, const uint8_t *in, size_t len);

#endif
