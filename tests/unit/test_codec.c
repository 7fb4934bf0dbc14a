/* The tile codec: every size and kind of tile comes back exactly, is coded by the shortest method, and garbage is refused. */
/* links: stream/codec.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/codec.h"
#include "tests/unit/random.h"

/* colours distinct colours at most; runs: pixels repeat about so long */
static void make_tile(struct rng *r, uint32_t *px, unsigned count, unsigned colours, unsigned run)
{
	uint32_t colour[256] = { 0 };

	for (unsigned i = 0; i < colours; i++)
		colour[i] = rng_next(r) & 0xffffff;
	for (unsigned i = 0; i < count; i++)
		px[i] = i && !rng_once_in(r, run) ? px[i - 1] : colour[rng_below(r, colours)];
}

static void round_trip(const uint32_t *px, unsigned w, unsigned h, uint64_t seed)
{
	uint8_t out[CODEC_TILE_MAX];
	size_t n = codec_encode_tile(px, w, h, out);
	uint8_t *in = malloc(n);
	uint32_t *back = malloc(w * h * 4);

	memcpy(in, out, n);
	if (n > 1 + 3 * w * h)
		fail_msg("seed %llu: %ux%u takes %zu bytes", (unsigned long long)seed, w, h, n);
	if (codec_decode_tile(in, n, w, h, back) != (int)n || memcmp(px, back, w * h * 4))
		fail_msg("seed %llu: %ux%u differs", (unsigned long long)seed, w, h);
	/* Every truncation is refused. */
	for (size_t cut = 0; cut < n; cut += 1 + n / 16) {
		uint8_t *part = malloc(cut + !cut);

		memcpy(part, out, cut);
		if (codec_decode_tile(part, cut, w, h, back) != -EBADMSG)
			fail_msg("seed %llu: %ux%u taken with %zu of %zu bytes", (unsigned long long)seed, w, h, cut, n);
		free(part);
	}
	free(in);
	free(back);
}

static void test_round_trip(void **state)
{
	static const unsigned colours[] = { 1, 2, 3, 4, 5, 8, 9, 15, 16, 17, 256 }, runs[] = { 1, 2, 5, 40, 300 };
	uint32_t px[TILE * TILE];
	uint64_t seed = 0;

	(void)state;
	for (unsigned h = 1; h <= TILE; h++)
		for (unsigned w = 1; w <= TILE; w++)
			for (size_t c = 0; c < sizeof(colours) / sizeof(colours[0]); c++)
				for (size_t k = 0; k < sizeof(runs) / sizeof(runs[0]); k++) {
					struct rng r = rng_seed(++seed);

					make_tile(&r, px, w * h, colours[c], runs[k]);
					round_trip(px, w, h, seed);
				}
}

static size_t coded(const uint32_t *px, uint8_t *method)
{
	uint8_t out[CODEC_TILE_MAX];
	size_t n = codec_encode_tile(px, TILE, TILE, out);

	*method = out[0];
	return n;
}

static void test_sizes(void **state)
{
	uint32_t px[TILE * TILE];
	uint8_t method;
	struct rng r = rng_seed(1);

	(void)state;
	for (unsigned i = 0; i < TILE * TILE; i++)
		px[i] = 0x102030;
	assert_int_equal(coded(px, &method), 4);
	assert_int_equal(method, CODEC_SOLID);
	/* One pixel on a plain ground: 100, 1 and 155 pixels; a run of up to 127 takes one byte, the last takes two. */
	px[100] = 0xffffff;
	assert_int_equal(coded(px, &method), 1 + 1 + 6 + 1 + 1 + 2);
	assert_int_equal(method, CODEC_RUNS);
	for (unsigned i = 0; i < TILE * TILE; i++)
		px[i] = i & 1 ? 0xffffff : 0;
	assert_int_equal(coded(px, &method), 1 + 1 + 6 + 32);
	assert_int_equal(method, CODEC_PACKED);
	make_tile(&r, px, TILE * TILE, 256, 1);
	assert_int_equal(coded(px, &method), CODEC_TILE_MAX);
	assert_int_equal(method, CODEC_RAW);
}

/* The length of each run that the escape byte can and cannot hold. */
static void test_run_lengths(void **state)
{
	uint32_t px[TILE * TILE];

	(void)state;
	for (unsigned colours = 2; colours <= 16; colours++)
		for (unsigned run = 1; run < TILE * TILE; run++) {
			for (unsigned i = 0; i < TILE * TILE; i++)
				px[i] = i < run ? 0 : i < run + colours - 1 ? i - run + 1 : 1;
			round_trip(px, TILE, TILE, run);
		}
}

static void test_refused(void **state)
{
	static const struct {
		uint8_t len, in[16];
	} t[] = {
		{ 0, { 0 } },
		{ 4, { 4, 0, 0, 0 } }, /* no such method */
		{ 4, { 0xff, 0, 0, 0 } },
		{ 5, { CODEC_RUNS, 0, 1, 2, 3 } },		    /* one colour is no palette */
		{ 3, { CODEC_RUNS, 16, 0 } },			    /* too many */
		{ 9, { CODEC_RUNS, 1, 0, 0, 0, 1, 1, 1, 4 << 1 } }, /* five pixels of four */
		{ 9, { CODEC_RUNS, 1, 0, 0, 0, 1, 1, 1, 2 << 1 } }, /* three */
		{ 10, { CODEC_RUNS, 1, 0, 0, 0, 1, 1, 1, 0xff, 255 } },
		{ 12, { CODEC_RUNS, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3 | 3 << 2 } }, /* index past the palette */
		{ 12, { CODEC_PACKED, 2, 0, 0, 0, 1, 1, 1, 2, 2, 2, 0xff } },
		{ 9, { CODEC_PACKED, 1, 0, 0, 0, 1, 1, 1, 0x10 } }, /* an unused bit */
	};
	uint32_t px[4];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_int_equal(codec_decode_tile(t[i].in, t[i].len, 2, 2, px), -EBADMSG);
}

static void test_garbage(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 100000; seed++) {
		struct rng r = rng_seed(seed);
		unsigned w = 1 + rng_below(&r, TILE), h = 1 + rng_below(&r, TILE);
		size_t len = rng_below(&r, rng_once_in(&r, 4) ? 900 : 40);
		uint8_t *in = malloc(len + !len);
		uint32_t *px = malloc(w * h * 4);

		rng_fill(&r, in, len);
		if (len)
			in[0] &= 3;
		if (len > 1)
			in[1] &= 15;
		int n = codec_decode_tile(in, len, w, h, px);

		if (n != -EBADMSG && (n < 1 || n > (int)len))
			fail_msg("seed %llu: %d of %zu", (unsigned long long)seed, n, len);
		free(in);
		free(px);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_sizes),   cmocka_unit_test(test_run_lengths),
		cmocka_unit_test(test_refused),	   cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
