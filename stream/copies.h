/*
 * Copies: rectangles of the picture that moved (scrolling, windows). They come first in a round, one after the other, each on
 * the picture that the one before left.
 */
#ifndef STREAM_COPIES_H
#define STREAM_COPIES_H

#include "stream/dense_model.h"

/** Forgets all that was learnt. */
void copies_clear(struct dense *d);

/** Begins a round. */
void copies_begin(struct dense *d);

/**
 * Codes one copy, or that there is none more, and makes it in d->sent.
 * @copy  encoder: what to code, NULL for the end; not read by the decoder
 * Returns false at the end of the copies. A decoder sets d->rc.bad for a rectangle that does not lie in the picture.
 */
bool copies_step(struct dense *d, const struct copy *copy);

#endif
