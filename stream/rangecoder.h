/*
 * A binary range coder without carries (Schindler 1998; the form of Mahoney's lpaq): one decision at a time with a 16-bit
 * probability. Encoder and decoder are one object, so that a model is written once: rc_bit codes the bit given to it, or
 * reads one and gives it back.
 *
 * What is coded ends with at most one byte, the decoder reads zeros past the end; where raw bits follow, it ends with as many
 * bytes as tell the number from its neighbours, whatever follows. Both ends know at any time how many bits were spent (rc_bits),
 * which lets a model act on its own cost without telling it.
 */
#ifndef STREAM_RANGECODER_H
#define STREAM_RANGECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RC_LEAST 2 /* 15 bits at most for a decision that adapts */

struct rangecoder {
	uint32_t low, high; /* the interval that is left, both ends inside */
	uint32_t code;	    /* decoder: the number that the stream spells, aligned with the interval */
	uint32_t least;	    /* of a decision that adapts: its probability's lower bound in 1/65536, and its complement's */
	bool decode;
	bool bad; /* encoder: out of room; decoder: read more than a true stream would */
	const uint8_t *in;
	uint8_t *out;
	size_t pos, end;   /* bytes put or taken, and how many there are */
	uint64_t raw;	   /* raw bits on their way */
	unsigned raw_held; /* so many */
	uint32_t raw_bits; /* coded so far */
	size_t tail;	   /* bytes of them at the stream's end */
};

/** Begins to encode into out, which has room for cap bytes. */
void rc_begin_encode(struct rangecoder *rc, uint8_t *out, size_t cap);

/** Begins to decode len untrusted bytes. */
void rc_begin_decode(struct rangecoder *rc, const uint8_t *in, size_t len);

/** Ends an encoded stream; returns its length in bytes. rc->bad tells whether all of it fitted. */
size_t rc_finish(struct rangecoder *rc);

/** The decoder's check at the end of a datagram: false if the stream was shorter or longer than what was decoded of it. */
bool rc_ended(const struct rangecoder *rc);

void rc_shift(struct rangecoder *rc);

/** A probability within what rc->least allows. */
static inline uint32_t rc_bounded(const struct rangecoder *rc, uint32_t p1)
{
	return p1 < rc->least ? rc->least : p1 > 65536 - rc->least ? 65536 - rc->least : p1;
}

/** As rc_bit, where the caller is compiled apart for decode = rc->decode and its contrary. */
static inline __attribute__((always_inline)) int rc_bit_as(struct rangecoder *rc, int bit, uint32_t p1, const bool decode)
{
	uint32_t range = rc->high - rc->low;
	uint32_t mid = rc->low + (uint32_t)((uint64_t)range * p1 >> 16);

	if (decode)
		bit = rc->code <= mid;
	if (bit)
		rc->high = mid;
	else
		rc->low = mid + 1;
	if (!((rc->low ^ rc->high) >> 24))
		rc_shift(rc);
	return bit;
}

/** Codes one bit. p1: the probability of 1 in 1/65536, from 1 to 65535. Returns the bit. */
static inline int rc_bit(struct rangecoder *rc, int bit, uint32_t p1)
{
	return rc_bit_as(rc, bit, p1, rc->decode);
}

/** Moves raw bits: the encoder's to the stream, of which fewer than 8 stay unless all must go; the decoder's from there, to 33 at
 * least. */
void rc_raw_move(struct rangecoder *rc);

/** Makes sure that 24 raw bits can be looked at or put. */
static inline void rc_raw_ready(struct rangecoder *rc)
{
	if (rc->decode ? rc->raw_held < 24 : rc->raw_held > 40)
		rc_raw_move(rc);
}

/** Drops n raw bits that were looked at in rc->raw. */
static inline void rc_raw_drop(struct rangecoder *rc, unsigned n)
{
	rc->raw >>= n;
	rc->raw_held -= n;
	rc->raw_bits += n;
}

/** Puts n raw bits; rc_raw_ready comes before. */
static inline void rc_raw_put(struct rangecoder *rc, uint32_t v, unsigned n)
{
	rc->raw |= (uint64_t)v << rc->raw_held;
	rc->raw_held += n;
	rc->raw_bits += n;
}

/**
 * Codes n <= 24 bits of v that no model predicts. They are packed from the stream's end backwards, which costs less than coding
 * them one by one.
 */
static inline uint32_t rc_raw(struct rangecoder *rc, uint32_t v, unsigned n)
{
	rc_raw_ready(rc);
	if (rc->decode) {
		v = (uint32_t)rc->raw & ((1u << n) - 1);
		rc_raw_drop(rc, n);
	} else {
		rc_raw_put(rc, v, n);
	}
	return v;
}

/** Bytes put so far, that of raw bits begun included. */
static inline size_t rc_used(const struct rangecoder *rc)
{
	return rc->pos + (rc->raw_bits + 7) / 8;
}

/** Bits spent since the beginning, rounded up to a whole number; the same on both ends after the same decisions. */
static inline uint32_t rc_bits(const struct rangecoder *rc)
{
	uint32_t range = rc->high - rc->low;

	return (uint32_t)(rc->pos - (rc->decode ? 4 : 0)) * 8 + (range ? (uint32_t)__builtin_clz(range) : 32) + rc->raw_bits;
}

#endif
