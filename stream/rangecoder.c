/* rangecoder.h */
#include <string.h>

#include "stream/rangecoder.h"

void rc_begin_encode(struct rangecoder *rc, uint8_t *out, size_t cap)
{
	*rc = (struct rangecoder){ .high = ~0u, .least = RC_LEAST, .out = out, .end = cap };
}

/* The next byte, or 0 past the end: the interval never holds more than four bytes that were not yet decided. */
static uint8_t next_byte(struct rangecoder *rc)
{
	uint8_t byte = rc->pos < rc->end ? rc->in[rc->pos] : 0;

	rc->pos++;
	if (rc->pos > rc->end + 4)
		rc->bad = true;
	return byte;
}

void rc_begin_decode(struct rangecoder *rc, const uint8_t *in, size_t len)
{
	*rc = (struct rangecoder){ .high = ~0u, .least = RC_LEAST, .decode = true, .in = in, .end = len };
	for (unsigned i = 0; i < 4; i++)
		rc->code = rc->code << 8 | next_byte(rc);
}

void rc_shift(struct rangecoder *rc)
{
	while (!((rc->low ^ rc->high) >> 24)) {
		if (rc->decode) {
			rc->code = rc->code << 8 | next_byte(rc);
		} else if (rc->pos + rc->tail < rc->end) {
			rc->out[rc->pos++] = (uint8_t)(rc->high >> 24);
		} else {
			rc->bad = true;
			rc->pos++;
		}
		rc->low <<= 8;
		rc->high = rc->high << 8 | 0xff;
	}
}

static void raw_byte(struct rangecoder *rc)
{
	bool room = rc->decode ? rc->tail < rc->end : rc->pos + rc->tail < rc->end;

	rc->tail++;
	if (rc->decode) {
		/* A look ahead may go further than what is then used: rc_ended counts. */
		rc->raw |= (uint64_t)(room ? rc->in[rc->end - rc->tail] : 0) << rc->raw_held;
		rc->raw_held += 8;
	} else {
		if (room)
			rc->out[rc->end - rc->tail] = (uint8_t)rc->raw;
		else
			rc->bad = true;
		rc->raw >>= 8;
		rc->raw_held = rc->raw_held > 8 ? rc->raw_held - 8 : 0;
	}
}

/* Four bytes at once where there is room: the first of them, the lowest, comes last in the stream. */
void rc_raw_move(struct rangecoder *rc)
{
	uint32_t four;

	if ((rc->decode ? 0 : rc->pos) + rc->tail + 4 > rc->end) {
		while (rc->decode ? rc->raw_held <= 32 : rc->raw_held >= 8)
			raw_byte(rc);
	} else if (rc->decode) {
		memcpy(&four, rc->in + rc->end - rc->tail - 4, 4);
		rc->raw |= (uint64_t)__builtin_bswap32(four) << rc->raw_held;
		rc->raw_held += 32;
		rc->tail += 4;
	} else {
		four = __builtin_bswap32((uint32_t)rc->raw);
		memcpy(rc->out + rc->end - rc->tail - 4, &four, 4);
		rc->raw >>= 32;
		rc->raw_held -= 32;
		rc->tail += 4;
	}
}

static void put_byte(struct rangecoder *rc, uint32_t byte)
{
	if (rc->pos + rc->tail < rc->end)
		rc->out[rc->pos] = (uint8_t)byte;
	else
		rc->bad = true;
	rc->pos++;
}

/* How many bytes name a number in the interval whatever bytes follow them, and the number with zeros behind. */
static unsigned end_bytes(const struct rangecoder *rc, uint32_t *value)
{
	for (unsigned n = 0; n < 4; n++) {
		uint64_t step = (uint64_t)1 << (32 - 8 * n), above = ((uint64_t)rc->high + 1) / step * step;

		if (above >= step && above - step >= rc->low) {
			*value = (uint32_t)(above - step);
			return n;
		}
	}
	*value = rc->high;
	return 4;
}

size_t rc_finish(struct rangecoder *rc)
{
	if (!rc->raw_bits) {
		/* The highest byte of high, with zeros behind it, lies inside: low's is smaller. None is needed where 0 does. */
		if (rc->low)
			put_byte(rc, rc->high >> 24);
		return rc->pos;
	}
	while (rc->raw_held)
		raw_byte(rc);
	uint32_t value;

	for (unsigned n = end_bytes(rc, &value); n; n--, value <<= 8)
		put_byte(rc, value >> 24);
	if (rc->bad)
		return rc->pos + rc->tail;
	/* The raw bits move up to the rest. */
	memmove(rc->out + rc->pos, rc->out + rc->end - rc->tail, rc->tail);
	return rc->pos + rc->tail;
}

bool rc_ended(const struct rangecoder *rc)
{
	if (rc->bad)
		return false;
	if (rc->raw_bits) {
		uint32_t value;

		/* Taken, too: four bytes that the encoder had not put yet, of which its end has so many. */
		return rc_used(rc) - 4 + end_bytes(rc, &value) == rc->end;
	}
	/* Taken: what the encoder put before its end, and four; the end is one byte or none. */
	return rc->pos >= rc->end + 3;
}
