/*
 * Comparing and reading pictures: every width, depth and alignment against pixel by pixel. This file is compiled twice: vectors are
 * SSE2 in test_picture, and words, as on other hosts, in test_picture_words.
 */
/* links: stream/picture.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream/like.h"
#include "stream/picture.h"
#include "tests/unit/random.h"

#define SIDE 96

static uint8_t memory[SIDE * (SIDE * 4 + 64) + 64] __attribute__((aligned(16)));
static uint32_t sent[SIDE * SIDE + 64] __attribute__((aligned(16)));
static uint32_t palette[256];
static struct rng rng = { 20261126 };

static struct scanout picture(unsigned bpp, unsigned offset, unsigned spare)
{
	return (struct scanout){ .base = memory + offset,
				 .palette = palette,
				 .stride = SIDE * scanout_bytes(bpp) + spare,
				 .width = SIDE,
				 .height = SIDE,
				 .bpp = (uint8_t)bpp };
}

static uint32_t widened(uint32_t v, unsigned bits)
{
	v &= (1u << bits) - 1;
	return v << (8 - bits) | v >> (2 * bits - 8);
}

/* The pixel as bytes say it. */
static uint32_t model(const struct scanout *so, uint32_t x, uint32_t y)
{
	const volatile uint8_t *p = so->base + y * so->stride + x * scanout_bytes(so->bpp);
	uint32_t v = p[0] | (so->bpp > 8 ? (uint32_t)p[1] << 8 : 0);

	switch (so->bpp) {
	case 8: return palette[v];
	case 15: return widened(v >> 10, 5) << 16 | widened(v >> 5, 5) << 8 | widened(v, 5);
	case 16: return widened(v >> 11, 5) << 16 | widened(v >> 5, 6) << 8 | widened(v, 5);
	default: return v | (uint32_t)p[2] << 16;
	}
}

static void fill(void)
{
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)rng_next(&rng);
	for (unsigned i = 0; i < 256; i++)
		palette[i] = (uint32_t)rng_next(&rng) & 0xffffff;
}

static const unsigned depths[] = { 32, 24, 16, 15, 8 };

static void test_read(void **state)
{
	(void)state;
	fill();
	for (unsigned i = 0; i < 400; i++) {
		struct scanout so = picture(depths[i % 5], i / 5 % 4, i % 3);
		uint32_t w = i % SIDE + 1, h = i % 7 + 1, x = (uint32_t)rng_next(&rng) % (SIDE - w + 1), y = i % (SIDE - h);
		uint32_t px[8 * 128 + 1], stride = w + i % 4;

		px[h * stride - stride + w] = 0xdeadbeef;
		picture_read_rect(&so, x, y, w, h, px, stride);
		assert_int_equal(px[h * stride - stride + w], 0xdeadbeef);
		for (uint32_t r = 0; r < h; r++)
			for (uint32_t c = 0; c < w; c++)
				assert_int_equal(px[r * stride + c], model(&so, x + c, y + r));
	}
}

/* Each pixel in turn is the only one that differs, in one bit; at 32 bpp the fourth byte is nothing. */
static void compare(unsigned bpp, unsigned offset, unsigned lead, uint32_t w, uint32_t h)
{
	struct scanout so = picture(bpp, offset, offset);
	uint32_t *px = sent + lead, stride = SIDE - 8 * (lead & 1);

	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++)
			px[y * stride + x] = model(&so, x, y);
	assert_false(picture_differs(&so, 0, 0, w, h, px, stride));
	assert_int_equal(picture_first_difference(&so, 0, 0, w, h, px, stride), h);
	for (uint32_t y = 0; y < h; y++)
		for (uint32_t x = 0; x < w; x++) {
			uint32_t *at = px + y * stride + x, bit = 1u << rng_next(&rng) % 24, first;

			*at ^= bit;
			assert_true(picture_differs(&so, 0, 0, w, h, px, stride));
			first = picture_first_difference(&so, 0, 0, w, h, px, stride);
			assert_true(first <= y && first + 4 > y); /* before it none differs, and it is not far */
			*at ^= bit;
		}
	/* What stands right of it and below is not looked at. */
	px[(h - 1) * stride + w] ^= 1;
	px[h * stride] ^= 1;
	assert_false(picture_differs(&so, 0, 0, w, h, px, stride));
	assert_int_equal(picture_first_difference(&so, 0, 0, w, h, px, stride), h);
}

static void test_differs(void **state)
{
	(void)state;
	fill();
	for (uint32_t w = 1; w <= 80; w++)
		for (unsigned i = 0; i < 8; i++)
			compare(i < 4 ? 32 : depths[1 + (w + i) % 4], i & 1 ? w % 4 : 0, i % 4, w,
				w <= 20 ? w % 5 + 13 : w % 5 + 1);
	compare(32, 0, 0, 4 * TILE, 16);
	compare(32, 0, 0, 4 * TILE, 15);
}

static void test_equal(void **state)
{
	uint32_t a[80], b[80];

	(void)state;
	for (uint32_t n = 1; n < 80; n++) {
		for (uint32_t i = 0; i <= n; i++)
			a[i] = b[i] = (uint32_t)rng_next(&rng);
		b[n] ^= 1;
		assert_true(pixels_equal(a, b, n));
		for (uint32_t i = 0; i < n; i++) {
			b[i] ^= 1u << i % 32;
			assert_false(pixels_equal(a, b, n));
			b[i] ^= 1u << i % 32;
		}
		pixels_fill(a, 0x123456, n);
		pixels_copy(b, a, n);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(b[i], 0x123456);
		assert_int_not_equal(a[n], 0x123456);
		assert_int_not_equal(b[n], 0x123456);
	}
}

static void test_like(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t row[3][TILE];
		int32_t n = round % TILE + 1, odd = 0;

		for (unsigned i = 0; i < 3 * TILE; i++)
			row[i / TILE][i % TILE] = (uint32_t)rng_next(&rng) & 0x000101;

		struct like like = like_what(row[0], row[1], row[2], n);

		for (int32_t i = 0; i < n; i++) {
			assert_int_equal(like.base >> i & 1, row[2][i] == row[0][i]);
			assert_int_equal(like.above >> i & 1, row[2][i] == row[1][i]);
			if (i)
				assert_int_equal(like.left >> i & 1, row[2][i] == row[2][i - 1]);
			odd += (i & 1) && row[2][i] == row[0][i];
		}
		assert_int_equal(like_odd(like.base), odd);
	}
}

/* What the textures' sums are made of. */
static void test_vectors(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t a[4], b[4], out[4];

		for (unsigned i = 0; i < 4; i++) {
			a[i] = (uint32_t)rng_next(&rng);
			b[i] = rng_next(&rng) & 1 ? a[i] : (uint32_t)rng_next(&rng);
		}
		px4 x = px4_load(a), y = px4_load(b);

		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(px4_same(x, y) >> i & 1, a[i] == b[i]);
		assert_int_equal(px4_some(x ^ y), px4_same(x, y) != 15);
		px4_store(out, px4_right(x));
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(out[i], i ? a[i - 1] : 0);
		px4_store(out, px4_right_two(x));
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(out[i], i > 1 ? a[i - 2] : 0);
		px4_store(out, px4_minus(px4_plus(x, y), y));
		assert_memory_equal(out, a, sizeof(a));
		px4_store(out, px4_plus(x, y));
		for (unsigned i = 0; i < 16; i++)
			assert_int_equal(((uint8_t *)out)[i], (uint8_t)(((uint8_t *)a)[i] + ((uint8_t *)b)[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read), cmocka_unit_test(test_differs), cmocka_unit_test(test_equal),
		cmocka_unit_test(test_like), cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
