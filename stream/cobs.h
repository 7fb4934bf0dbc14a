/* Consistent Overhead Byte Stuffing (Cheshire and Baker 1999): frames in which no byte is 0, so that 0 can end them. */
#ifndef STREAM_COBS_H
#define STREAM_COBS_H

#include <stddef.h>
#include <stdint.h>

/* The most that n bytes become: one code byte for each run of up to 254. */
#define COBS_MAX(n) ((n) + (n) / 254 + 1)

/**
 * Stuffs len bytes of in into out (room for COBS_MAX(len)); no zero byte comes out and no delimiter is added.
 * Returns the number of bytes written. in and out must not overlap.
 */
size_t cobs_encode(const uint8_t *in, size_t len, uint8_t *out);

/**
 * Undoes cobs_encode. in: len bytes without delimiter, from an untrusted line; out: room for len bytes, may be equal to in.
 * Returns the number of bytes written, or -EBADMSG where a code byte points past the end or a zero byte stands inside.
 */
int cobs_decode(const uint8_t *in, size_t len, uint8_t *out);

#endif
