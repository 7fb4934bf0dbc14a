/* rangecoder.h */
#include "stream/rangecoder.h"

void rc_begin_encode(struct rangecoder *rc, uint8_t *out, size_t cap)
{
	*rc = (struct rangecoder){ .high = ~0u, .out = out, .end = cap };
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
	*rc = (struct rangecoder){ .high = ~0u, .decode = true, .in = in, .end = len };
	for (unsigned i = 0; i < 4; i++)
		rc->code = rc->code << 8 | next_byte(rc);
}

void rc_shift(struct rangecoder *rc)
{
	while (!((rc->low ^ rc->high) >> 24)) {
		if (rc->decode) {
			rc->code = rc->code << 8 | next_byte(rc);
		} else if (rc->pos < rc->end) {
			rc->out[rc->pos++] = (uint8_t)(rc->high >> 24);
		} else {
			rc->bad = true;
			rc->pos++;
		}
		rc->low <<= 8;
		rc->high = rc->high << 8 | 0xff;
	}
}

size_t rc_finish(struct rangecoder *rc)
{
	/* The highest byte of high, with zeros behind it, lies inside: low's is smaller. None is needed where 0 does. */
	if (rc->low) {
		if (rc->pos < rc->end)
			rc->out[rc->pos] = (uint8_t)(rc->high >> 24);
		else
			rc->bad = true;
		rc->pos++;
	}
	return rc->pos;
}

bool rc_ended(const struct rangecoder *rc)
{
	/* Taken: what the encoder put before its end, and four; the end is one byte or none. */
	return !rc->bad && rc->pos >= rc->end + 3;
}
