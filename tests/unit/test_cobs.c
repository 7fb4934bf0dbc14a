/* COBS: the paper's examples, round trips, and bytes from a bad line. */
/* links: stream/cobs.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream/cobs.h"
#include "tests/unit/random.h"

static void test_examples(void **state)
{
	static const struct {
		size_t len, coded_len;
		uint8_t plain[8], coded[9];
	} t[] = {
		{ 0, 1, { 0 }, { 1 } },
		{ 1, 2, { 0 }, { 1, 1 } },
		{ 2, 3, { 0, 0 }, { 1, 1, 1 } },
		{ 4, 5, { 0x11, 0x22, 0, 0x33 }, { 3, 0x11, 0x22, 2, 0x33 } },
		{ 4, 5, { 0x11, 0, 0, 0 }, { 2, 0x11, 1, 1, 1 } },
		{ 4, 5, { 1, 2, 3, 4 }, { 5, 1, 2, 3, 4 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t out[COBS_MAX(8)];

		assert_int_equal(cobs_encode(t[i].plain, t[i].len, out), t[i].coded_len);
		assert_memory_equal(out, t[i].coded, t[i].coded_len);
		assert_int_equal(cobs_decode(out, t[i].coded_len, out), t[i].len);
		assert_memory_equal(out, t[i].plain, t[i].len);
	}
}

/* Lengths around the longest run, without zeros: 254 bytes need one code byte, 255 need two. */
static void test_long_runs(void **state)
{
	uint8_t in[600], out[COBS_MAX(600)], back[600];

	(void)state;
	memset(in, 7, sizeof(in));
	for (size_t len = 250; len <= 600; len++) {
		size_t n = cobs_encode(in, len, out);

		assert_int_equal(n, len + (len + 253) / 254);
		assert_true(n <= COBS_MAX(len));
		assert_null(memchr(out, 0, n));
		assert_int_equal(cobs_decode(out, n, back), len);
		assert_memory_equal(back, in, len);
	}
}

static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 3000; seed++) {
		struct rng r = rng_seed(seed);
		size_t len = rng_below(&r, 1200);
		uint32_t zeros = 1 + rng_below(&r, 400);
		/* Exact allocations, so that the sanitizer sees one byte too far. */
		uint8_t *in = malloc(len + 1), *out = malloc(COBS_MAX(len));

		for (size_t i = 0; i < len; i++)
			in[i] = rng_once_in(&r, zeros) ? 0 : (uint8_t)(1 + rng_below(&r, 255));
		size_t n = cobs_encode(in, len, out);

		if (n > COBS_MAX(len) || memchr(out, 0, n))
			fail_msg("seed %llu: bad code", (unsigned long long)seed);
		if (cobs_decode(out, n, out) != (int)len || memcmp(in, out, len))
			fail_msg("seed %llu: bad round trip", (unsigned long long)seed);
		free(in);
		free(out);
	}
}

static void test_garbage(void **state)
{
	static const uint8_t past_end[] = { 5, 1, 2, 3 }, zero_code[] = { 1, 0, 1 }, zero_inside[] = { 4, 1, 0, 2 };
	uint8_t out[16];

	(void)state;
	assert_int_equal(cobs_decode(past_end, sizeof(past_end), out), -EBADMSG);
	assert_int_equal(cobs_decode(zero_code, sizeof(zero_code), out), -EBADMSG);
	assert_int_equal(cobs_decode(zero_inside, sizeof(zero_inside), out), -EBADMSG);
	for (uint64_t seed = 0; seed < 20000; seed++) {
		struct rng r = rng_seed(seed);
		size_t len = rng_below(&r, 64);
		uint8_t *in = malloc(len + !len), *back = malloc(len + !len);

		rng_fill(&r, in, len);
		int n = cobs_decode(in, len, back);

		if (n > (int)len || (n < 0 && n != -EBADMSG))
			fail_msg("seed %llu: %d of %zu", (unsigned long long)seed, n, len);
		free(in);
		free(back);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_long_runs),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
