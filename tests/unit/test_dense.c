/*
 * The dense codec, both modes: pictures come back exactly, wherever datagrams are cut and whatever changes in between; a decoder
 * that is given noise, or datagrams with bits turned, refuses or goes wrong, but stays within its memory (ASan, UBSan).
 */
/* links: stream/background.c stream/celldict.c stream/cellplan.c stream/cells.c stream/copies.c */
/* links: stream/copysearch.c stream/movesearch.c stream/dense.c stream/dense_encode.c stream/dense_round.c stream/fast.c */
/* links: stream/gridsearch.c stream/mixer.c stream/pixels.c stream/rangecoder.c stream/residual.c */
/* links: stream/picture.c stream/glyph*.c stream/texture.c stream/tilemap.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stream/dense_encode.h"
#include "stream/display.h"
#include "tests/unit/random.h"

static struct {
	uint32_t width, height, tiles;
	uint32_t *cur, *sent, *shown;
	uint8_t *flags;
	struct dense_enc *enc;
	struct dense *dec;
	struct rng rng;
	unsigned long bytes, raw, datagrams;
} t;

static void begin(uint64_t seed, enum dense_mode mode, uint32_t width, uint32_t height)
{
	size_t px = (size_t)width * height;

	memset(&t, 0, sizeof(t));
	t.rng = rng_seed(seed);
	t.width = width;
	t.height = height;
	t.tiles = ((width + TILE - 1) / TILE) * ((height + TILE - 1) / TILE);
	t.cur = calloc(px, 4);
	t.sent = calloc(px, 4);
	t.shown = calloc(px, 4);
	t.flags = calloc(t.tiles, 1);
	t.enc = calloc(1, sizeof(*t.enc));
	t.dec = calloc(1, sizeof(*t.dec));
	assert_int_equal(dense_enc_reset(t.enc, mode, t.sent, t.flags, width, height), 0);
	assert_int_equal(dense_reset(t.dec, mode, t.shown, width, height), 0);
}

static void end(void)
{
	free(t.cur);
	free(t.sent);
	free(t.shown);
	free(t.flags);
	free(t.enc);
	free(t.dec);
}

/* ---- pictures that a screen shows: boxes, text cells, gradients, noise, scrolling */

static void box(uint32_t x0, uint32_t y0, uint32_t w, uint32_t h, unsigned kind)
{
	uint32_t colour = rng_next(&t.rng) & 0xffffff, other = rng_next(&t.rng) & 0xffffff;

	for (uint32_t y = y0; y < y0 + h && y < t.height; y++)
		for (uint32_t x = x0; x < x0 + w && x < t.width; x++) {
			uint32_t *p = &t.cur[(size_t)y * t.width + x];

			switch (kind) {
			case 0: *p = colour; break;
			case 1: *p = (x / 8 * 31 + y / 16 * 17) % 7 * (x % 8) * (y % 16) % 5 ? colour : other; break;
			case 2: *p = (colour + x * 0x010203 + y * 0x030201) & 0xffffff; break;
			default: *p = rng_next(&t.rng) & 0xffffff; break;
			}
		}
}

static void change(void)
{
	uint32_t w = 1 + rng_below(&t.rng, t.width), h = 1 + rng_below(&t.rng, t.height);
	uint32_t rows = 1 + rng_below(&t.rng, 20);

	switch (rng_below(&t.rng, 6)) {
	case 0: /* scroll */
		if (rows < t.height)
			memmove(t.cur, t.cur + (size_t)rows * t.width, (size_t)(t.height - rows) * t.width * 4);
		break;
	case 1: t.cur[rng_below(&t.rng, t.width * t.height)] ^= 1 + rng_below(&t.rng, 0xffffff); break;
	default:
		box(rng_below(&t.rng, t.width), rng_below(&t.rng, t.height), w / (1 + rng_below(&t.rng, 6)) + 1,
		    h / (1 + rng_below(&t.rng, 6)) + 1, rng_below(&t.rng, 4));
		break;
	}
	for (uint32_t i = 0; i < t.tiles; i++)
		t.flags[i] |= 1;
}

/* One datagram of random room. Returns its length; 0: nothing was to be sent. */
static size_t datagram(uint8_t *out, size_t cap, enum dense_status *status)
{
	struct scanout cur = { .base = (const volatile uint8_t *)t.cur, .stride = t.width * 4, .bpp = 32 };
	size_t n;

	dense_enc_source(t.enc, &cur);
	dense_enc_begin(t.enc, out, cap);
	do
		*status = dense_enc_work(t.enc, 1 + rng_below(&t.rng, 40));
	while (*status == DENSE_WORKING);
	n = dense_enc_end(t.enc);
	assert_true(n <= cap);
	return n;
}

static void send_all(void)
{
	enum dense_status status;
	uint8_t *out;
	size_t cap, n;

	do {
		cap = DENSE_CAP_MIN + rng_below(&t.rng, 1500);
		out = malloc(cap); /* of just that size, so that the sanitizer sees a byte too many */
		n = datagram(out, cap, &status);
		if (n) {
			t.bytes += n;
			t.datagrams++;
			assert_int_equal(dense_decode(t.dec, out, n), 0);
		}
		free(out);
	} while (n && status == DENSE_FULL);
}

static void round_trips(enum dense_mode mode)
{
	static const uint16_t sizes[][2] = { { 320, 200 }, { 1, 1 }, { 17, 33 }, { 5, 300 }, { 300, 3 }, { 128, 128 } };

	for (unsigned s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
		begin(s + 1, mode, sizes[s][0], sizes[s][1]);
		for (unsigned i = 0; i < 40; i++) {
			change();
			send_all();
			assert_memory_equal(t.cur, t.shown, (size_t)t.width * t.height * 4);
			assert_memory_equal(t.sent, t.shown, (size_t)t.width * t.height * 4);
		}
		end();
	}
}

static void test_dense_round_trip(void **state)
{
	(void)state;
	round_trips(MODE_DENSE);
}

static void test_fast_round_trip(void **state)
{
	(void)state;
	round_trips(MODE_FAST);
}

/* ---- no tile takes more than raw and one percent, whatever was learnt before */

/* A tile's content: calm ones that teach the model to be sure, and ones that it cannot foresee. */
static void fill_tile(uint32_t x0, uint32_t y0, unsigned kind)
{
	uint32_t colour[16], bits = 1 + rng_below(&t.rng, 24), mask = (1u << bits) - 1, last = 0;

	for (unsigned i = 0; i < 16; i++)
		colour[i] = rng_next(&t.rng) & 0xffffff;
	for (uint32_t y = y0; y < y0 + TILE && y < t.height; y++)
		for (uint32_t x = x0; x < x0 + TILE && x < t.width; x++) {
			uint32_t *p = &t.cur[(size_t)y * t.width + x], r = rng_next(&t.rng) & 0xffffff;

			switch (kind) {
			case 0: *p = colour[0]; break;
			case 1: *p = (x ^ y) & 1 ? colour[0] : colour[1]; break;
			case 2: *p = (x * 0x050301 + y * 0x010204) & 0xffffff; break;
			case 3: *p = r; break;
			case 4: *p = colour[r & 1]; break;
			case 5: *p = colour[r & 15]; break;
			case 6: *p = (colour[0] + (r & mask)) & 0xffffff; break;
			case 7: *p ^= 1u << r % 24; break; /* never as before */
			case 8: *p = rng_once_in(&t.rng, 3) ? r : colour[0]; break;
			case 9: *p = x & 1 ? r : last; break;			     /* each colour twice */
			case 10: *p = (last ^ 0x808080) + 0x010101 * (r & 3); break; /* the farthest from the neighbour */
			default: *p = r & 0x010101 ? r : r & 0xff00ff; break;
			}
			last = *p &= 0xffffff;
		}
}

/* Sends what there is; returns the bits that the map and the pixels of tiles took. */
static uint64_t tile_bits(void)
{
	struct scanout cur = { .base = (const volatile uint8_t *)t.cur, .stride = t.width * 4, .bpp = 32 };
	enum dense_status status = DENSE_WORKING;
	uint8_t out[1024];
	uint64_t bits = 0;
	size_t n;

	dense_enc_source(t.enc, &cur);
	do {
		dense_enc_begin(t.enc, out, sizeof(out));
		do {
			bool tiles = t.enc->d.stage == DENSE_TILES || t.enc->d.stage == DENSE_PIXELS;
			uint32_t was = rc_bits(&t.enc->d.rc);

			status = dense_enc_work(t.enc, 1);
			bits += tiles ? rc_bits(&t.enc->d.rc) - was : 0;
		} while (status == DENSE_WORKING);
		n = dense_enc_end(t.enc);
		t.bytes += n;
		if (n)
			assert_int_equal(dense_decode(t.dec, out, n), 0);
	} while (n && status == DENSE_FULL);
	assert_memory_equal(t.cur, t.shown, (size_t)t.width * t.height * 4);
	return bits;
}

static void no_tile_expands(enum dense_mode mode, uint32_t width, uint32_t height, uint64_t seed)
{
	uint64_t raw = (uint64_t)width * height * 24, worst = 0;

	begin(seed, mode, width, height);
	for (unsigned i = 0; i < 200; i++) {
		/* A while of one kind, now and then something else. */
		unsigned calm = rng_below(&t.rng, 12), now = rng_once_in(&t.rng, 6) ? rng_below(&t.rng, 12) : calm;
		uint64_t bits;

		for (uint32_t y = 0; y < height; y += TILE)
			for (uint32_t x = 0; x < width; x += TILE)
				fill_tile(x, y, rng_once_in(&t.rng, 20) ? rng_below(&t.rng, 12) : i % 50 < 30 ? calm % 3 : now);
		memset(t.flags, 1, t.tiles);
		bits = tile_bits();
		worst = bits > worst ? bits : worst;
		assert_true(bits * 100 <= raw * 101);
	}
	printf("mode %u, %ux%u: at most %.2f %% above raw\n", (unsigned)mode, width, height,
	       (double)worst * 100 / (double)raw - 100);
	end();
}

static void test_no_tile_expands(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		for (uint64_t seed = 1; seed <= 2; seed++)
			no_tile_expands((enum dense_mode)mode, TILE, TILE, seed);
		no_tile_expands((enum dense_mode)mode, 4 * TILE, 3 * TILE, 9);
	}
}

/* A picture of noise, with all that a datagram has around it: nothing beyond that one percent. */
static void test_noise_does_not_expand(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		begin(99, (enum dense_mode)mode, 160, 160);
		box(0, 0, 160, 160, 3);
		memset(t.flags, 1, t.tiles);
		tile_bits();
		printf("noise, mode %u: %lu bytes for %d raw\n", mode, t.bytes, 160 * 160 * 3);
		assert_true(t.bytes <= 160 * 160 * 3 * 101 / 100);
		end();
	}
}

/* Both begin anew after a loss, from a picture that both have. */
static void test_reset(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		begin(5, (enum dense_mode)mode, 200, 100);
		for (unsigned i = 0; i < 12; i++) {
			change();
			send_all();
			assert_int_equal(dense_enc_reset(t.enc, (enum dense_mode)mode, t.sent, t.flags, t.width, t.height), 0);
			assert_int_equal(dense_reset(t.dec, (enum dense_mode)mode, t.shown, t.width, t.height), 0);
			assert_memory_equal(t.cur, t.shown, 200 * 100 * 4);
		}
		end();
	}
}

/* What a datagram changed lies in what it says that it touched. */
static void check_touch(const uint32_t *before)
{
	const struct rect *all = &t.dec->touch.all;

	for (uint32_t y = 0; y < t.height; y++)
		for (uint32_t x = 0; x < t.width; x++)
			if (before[y * t.width + x] != t.shown[y * t.width + x])
				assert_true(rect_has(all, (int32_t)x, (int32_t)y));
}

/* Rounds that are given up anywhere, in favour of what changed since: nothing is forgotten, and both ends stay equal. */
static void test_breaks(void **state)
{
	unsigned long broken = 0;

	(void)state;
	for (unsigned seed = 0; seed < 8; seed++) {
		enum dense_status status = DENSE_WORKING;
		size_t bytes = 200 * 120 * 4, n = 0;

		begin(seed, seed & 1 ? MODE_FAST : MODE_DENSE, 200, 120);
		uint32_t *before = malloc(bytes);
		struct scanout cur = { .base = (const volatile uint8_t *)t.cur, .stride = t.width * 4, .bpp = 32 };

		dense_enc_source(t.enc, &cur);
		for (unsigned i = 0; i < 400 || n || status != DENSE_READY; i++) {
			uint8_t out[1000];
			unsigned slices = rng_once_in(&t.rng, 3) ? 1000 : 1 + rng_below(&t.rng, 300);

			if (i < 400 && rng_once_in(&t.rng, 4))
				change();
			memcpy(before, t.shown, bytes);
			t.dec->touch.all = (struct rect){ 0 };
			dense_enc_begin(t.enc, out, sizeof(out));
			status = dense_enc_work(t.enc, slices);
			if (i < 400 && rng_once_in(&t.rng, 3)) {
				broken += !dense_enc_idle(t.enc);
				dense_enc_break(t.enc);
				assert_true(dense_enc_idle(t.enc));
			}
			n = dense_enc_end(t.enc);
			if (n)
				assert_int_equal(dense_decode(t.dec, out, n), 0);
			assert_memory_equal(t.sent, t.shown, bytes);
			check_touch(before);
		}
		assert_memory_equal(t.cur, t.shown, bytes);
		free(before);
		end();
	}
	printf("%lu rounds given up\n", broken);
	assert_true(broken > 100);
}

static void test_hostile_bytes(void **state)
{
	unsigned long refused = 0, taken = 0;
	enum dense_status status;

	(void)state;
	for (unsigned mode = 0; mode < 2; mode++) {
		begin(77 + mode, (enum dense_mode)mode, 96, 80);
		for (unsigned i = 0; i < 800; i++) {
			size_t cap = DENSE_CAP_MIN + rng_below(&t.rng, 600), n;
			uint8_t *out = malloc(cap), *exact;

			if (rng_once_in(&t.rng, 20)) {
				assert_int_equal(dense_enc_reset(t.enc, (enum dense_mode)mode, t.sent, t.flags, t.width, t.height),
						 0);
				assert_int_equal(dense_reset(t.dec, (enum dense_mode)mode, t.shown, t.width, t.height), 0);
			}
			change();
			n = datagram(out, cap, &status);
			if (!n || rng_once_in(&t.rng, 4)) {
				n = 1 + rng_below(&t.rng, (uint32_t)cap);
				rng_fill(&t.rng, out, n);
			}
			for (unsigned k = rng_below(&t.rng, 4); k; k--)
				out[rng_below(&t.rng, (uint32_t)n)] ^= (uint8_t)(1u << rng_below(&t.rng, 8));
			exact = malloc(n); /* of just that size, so that the sanitizer sees a byte too many */
			memcpy(exact, out, n);
			free(out);
			if (dense_decode(t.dec, exact, n))
				refused++;
			else
				taken++;
			free(exact);
		}
		end();
	}
	printf("%lu datagrams refused, %lu taken\n", refused, taken);
	assert_true(refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dense_round_trip),
		cmocka_unit_test(test_fast_round_trip),
		cmocka_unit_test(test_no_tile_expands),
		cmocka_unit_test(test_noise_does_not_expand),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_hostile_bytes),
		cmocka_unit_test(test_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
