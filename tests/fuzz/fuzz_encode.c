/*
 * The codec from end to end: pictures that the input paints are encoded in datagrams of changing room, and decoded; what arrives is
 * what was painted, and nothing takes more room than there is.
 * Input: u8 mode and size, then strokes of 8 bytes; one whose kind is high sends what there is. The picture is as small as two rows
 * and columns of tiles with odd edges allow, and is sent SENDS_MAX times at most: with sanitizers a pixel takes tens of microseconds.
 */
/* links: stream/background.c stream/cell*.c stream/copies.c stream/copysearch.c stream/movesearch.c stream/dense*.c stream/fast.c */
/* links: stream/gridsearch.c stream/mixer.c stream/picture.c stream/pixels.c stream/rangecoder.c */
/* links: stream/residual.c stream/glyph*.c stream/texture.c stream/tilemap.c */
#include <stdlib.h>
#include <string.h>

#include "stream/dense_encode.h"
#include "tests/fuzz/fuzz.h"

#define WIDTH 45
#define HEIGHT 35
#define TILES (((WIDTH + TILE - 1) / TILE) * ((HEIGHT + TILE - 1) / TILE))
#define STROKES_MAX 12
#define SENDS_MAX 4 /* with the last one */

static struct dense_enc encoder, fresh_encoder[2];
static struct dense decoder, fresh_decoder[2];
static uint32_t now[WIDTH * HEIGHT], sent[WIDTH * HEIGHT], shown[WIDTH * HEIGHT];
static uint8_t flags[TILES];

static void send_all(uint8_t room)
{
	struct scanout source = { .base = (const uint8_t *)now, .stride = WIDTH * 4, .width = WIDTH, .height = HEIGHT, .bpp = 32 };
	enum dense_status status;
	size_t cap = DENSE_CAP_MIN + room * 4u, n;

	memset(flags, 1, sizeof(flags));
	dense_enc_source(&encoder, &source);
	do {
		uint8_t *out = malloc(cap);

		dense_enc_begin(&encoder, out, cap);
		do
			status = dense_enc_work(&encoder, 1 + room);
		while (status == DENSE_WORKING);
		n = dense_enc_end(&encoder);
		if (n > cap || (n && dense_decode(&decoder, out, n)))
			abort();
		free(out);
	} while (n && status == DENSE_FULL);
	if (memcmp(now, shown, sizeof(now)) || memcmp(now, sent, sizeof(now)))
		abort();
}

static uint32_t colour_at(const uint8_t *s, uint32_t x, uint32_t y, uint32_t seed)
{
	uint32_t c = s[5] * 0x010305u & 0xffffff;

	switch (s[0] & 7) {
	case 0: return c;
	case 1: return (x / 7 * 31 + y / 11 * 17) % 9 * (x % 7) * (y % 11) % 5 ? c : ~c & 0xffffff;
	case 2: return (c + x * 0x010203 + y * 0x030201) & 0xffffff;
	case 3: return (seed + x * 2654435761u + y * 40503u) * 2246822519u >> 8;
	case 4: return now[(y * 3 + x) % (WIDTH * HEIGHT)];
	default: return (x ^ y) & s[6] ? c : 0;
	}
}

static void stroke(const uint8_t *s)
{
	uint32_t x0 = s[1] % WIDTH, y0 = s[2] % HEIGHT, w = s[3], h = s[4];

	if ((s[0] & 7) == 7) {
		/* A move by rows. */
		memmove(now, now + s[7] % HEIGHT * WIDTH, sizeof(now) - s[7] % HEIGHT * WIDTH * 4);
		return;
	}
	for (uint32_t y = y0; y < y0 + h && y < HEIGHT; y++)
		for (uint32_t x = x0; x < x0 + w && x < WIDTH; x++)
			now[y * WIDTH + x] = colour_at(s, x, y, s[7] * 7919u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	enum dense_mode mode = data[0] & 1 ? MODE_FAST : MODE_DENSE;

	memset(now, 0, sizeof(now));
	memset(sent, 0, sizeof(sent));
	memset(shown, 0, sizeof(shown));
	if (!fresh_decoder[mode].width) {
		dense_enc_reset(&fresh_encoder[mode], mode, sent, flags, WIDTH, HEIGHT);
		dense_reset(&fresh_decoder[mode], mode, shown, WIDTH, HEIGHT);
	}
	memcpy(&encoder, &fresh_encoder[mode], sizeof(encoder));
	memcpy(&decoder, &fresh_decoder[mode], sizeof(decoder));
	for (size_t at = 1, n = 0, sends = 1; at + 8 <= size && n < STROKES_MAX; at += 8, n++) {
		stroke(data + at);
		if (data[at] & 0x80 && sends++ < SENDS_MAX)
			send_all(data[at + 7]);
	}
	send_all(data[0]);
	return 0;
}
