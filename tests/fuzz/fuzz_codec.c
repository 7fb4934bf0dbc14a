/*
 * The codec's decoder, dense and fast: any bytes as datagrams, until one is refused. It stays within its memory.
 * Input: u8 mode and size, then datagrams: a length (fuzz.h) and the bytes.
 */
/* links: stream/background.c stream/cell*.c stream/copies.c stream/copysearch.c stream/movesearch.c stream/dense*.c stream/fast.c */
/* links: stream/gridsearch.c stream/mixer.c stream/picture.c stream/pixels.c stream/rangecoder.c */
/* links: stream/residual.c stream/glyph*.c stream/texture.c stream/tilemap.c */
#include <stdlib.h>
#include <string.h>

#include "stream/dense.h"
#include "tests/fuzz/fuzz.h"

static const struct {
	uint16_t width, height;
} sizes[] = { { 64, 48 }, { 160, 100 }, { 1, 1 }, { 17, 33 }, { 320, 16 }, { 16, 320 }, { 200, 200 }, { 1100, 20 } };

#define ROUNDS_MAX 8 /* datagrams: of few bytes, each can be a whole picture */
#define PIXELS_MAX 40000 /* in all of them */

static struct dense model, fresh[16];

/* Begins anew; a copy costs less than dense_reset. */
static void reset(enum dense_mode mode, unsigned which, uint32_t *sent)
{
	struct dense *f = &fresh[which * 2 + (mode == MODE_FAST)];

	if (!f->width)
		dense_reset(f, mode, sent, sizes[which].width, sizes[which].height);
	memcpy(&model, f, sizeof(model));
	model.sent = sent;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	enum dense_mode mode = data[0] & 1 ? MODE_FAST : MODE_DENSE;
	unsigned which = data[0] >> 1 & 7;
	size_t px = (size_t)sizes[which].width * sizes[which].height;
	/* Of just that size, so that the sanitizer sees a pixel too many. */
	uint32_t *sent = memset(malloc(px * 4), 0, px * 4);

	bool refused = false;
	unsigned rounds = 0;

	reset(mode, which, sent);
	for (size_t at = 1; at < size && !refused && rounds < ROUNDS_MAX && rounds * px < PIXELS_MAX; rounds++) {
		size_t len = fuzz_length(data, size, &at);
		uint8_t *datagram = malloc(len ? len : 1);

		memcpy(datagram, data + at, len);
		at += len;
		refused = dense_decode(&model, datagram, len);
		free(datagram);
	}
	free(sent);
	return 0;
}
