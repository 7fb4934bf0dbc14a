/* cobs.h */
#include <errno.h>

#include "stream/cobs.h"

/* A code byte n: n - 1 bytes follow that are not 0, then a 0 that is left out, unless n is 255 or the frame ends there. */
#define RUN_MAX 254

size_t cobs_encode(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t code = 0, at = 1;

	for (size_t i = 0; i < len; i++) {
		if (in[i])
			out[at++] = in[i];
		if (!in[i] || (at - code == RUN_MAX + 1 && i + 1 < len)) {
			out[code] = (uint8_t)(at - code);
			code = at++;
		}
	}
	out[code] = (uint8_t)(at - code);
	return at;
}

int cobs_decode(const uint8_t *in, size_t len, uint8_t *out)
{
	size_t at = 0;

	for (size_t i = 0; i < len;) {
		size_t code = in[i++];

		if (!code || code - 1 > len - i)
			return -EBADMSG;
		for (size_t end = i + code - 1; i < end; i++) {
			if (!in[i])
				return -EBADMSG;
			out[at++] = in[i];
		}
		if (code <= RUN_MAX && i < len)
			out[at++] = 0;
	}
	return (int)at;
}
