/* Messages: made, cut anywhere, put together again; bad lengths stop the reader for good. */
/* links: stream/proto.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/proto.h"
#include "tests/unit/random.h"

struct log {
	uint8_t bytes[64 * 1024];
	size_t len, count;
};

/* Writes what came in the same form as it went in. */
static void take(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	struct log *log = arg;

	log->len += proto_make(log->bytes + log->len, sizeof(log->bytes) - log->len, type, body, len);
	log->count++;
}

static void test_make(void **state)
{
	uint8_t out[16], big[3 + PROTO_MAX] = { 0 };

	(void)state;
	assert_int_equal(proto_make(out, sizeof(out), MSG_KEY, "\x01\x1c\x00", 3), 6);
	assert_memory_equal(out, "\x04\x00\x60\x01\x1c\x00", 6);
	assert_int_equal(proto_make(out, sizeof(out), 5, NULL, 0), 3);
	assert_int_equal(proto_make(out, 6, 5, "1234", 4), 0);
	assert_int_equal(proto_make(out, 7, 5, "1234", 4), 7);
	assert_int_equal(proto_make(big, sizeof(big), 5, big, PROTO_MAX), 0);
	assert_int_equal(proto_make(big, sizeof(big), 5, out, 0), 3);
}

static void test_any_pieces(void **state)
{
	static struct proto_reader reader;
	static struct log log;
	static uint8_t line[64 * 1024], body[PROTO_MAX];

	(void)state;
	for (uint64_t seed = 0; seed < 300; seed++) {
		struct rng r = rng_seed(seed);
		size_t len = 0, count = 0;

		rng_fill(&r, body, 100);
		while (len < sizeof(line) - PROTO_MAX - 3 && !rng_once_in(&r, 30)) {
			size_t n = rng_once_in(&r, 9) ? rng_below(&r, PROTO_MAX) : rng_below(&r, 60);

			len += proto_make(line + len, sizeof(line) - len, (uint8_t)rng_next(&r), body, n);
			count++;
		}
		reader.len = log.len = log.count = 0;
		for (size_t at = 0; at < len;) {
			size_t n = 1 + rng_below(&r, rng_once_in(&r, 2) ? 5 : 5000);

			n = n < len - at ? n : len - at;
			assert_int_equal(proto_feed(&reader, line + at, n, take, &log), 0);
			at += n;
		}
		if (log.count != count || log.len != len || memcmp(log.bytes, line, len))
			fail_msg("seed %llu: messages differ", (unsigned long long)seed);
	}
}

static void test_bad_length(void **state)
{
	static const uint8_t bad[][2] = { { 0, 0 }, { (PROTO_MAX + 1) & 0xff, (PROTO_MAX + 1) >> 8 }, { 0xff, 0xff } };
	static struct log log;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct proto_reader *reader = calloc(1, sizeof(*reader));

		log.count = 0;
		assert_int_equal(proto_feed(reader, (const uint8_t *)"\1\0\7", 3, take, &log), 0);
		assert_int_equal(proto_feed(reader, bad[i], 1, take, &log), 0);
		assert_int_equal(proto_feed(reader, bad[i] + 1, 1, take, &log), -EBADMSG);
		assert_int_equal(proto_feed(reader, (const uint8_t *)"\1\0\7", 3, take, &log), -EBADMSG);
		assert_int_equal(log.count, 1);
		memset(reader, 0, sizeof(*reader));
		assert_int_equal(proto_feed(reader, (const uint8_t *)"\1\0\7", 3, take, &log), 0);
		assert_int_equal(log.count, 2);
		free(reader);
	}
}

static void test_garbage(void **state)
{
	static struct log log;

	(void)state;
	for (uint64_t seed = 0; seed < 2000; seed++) {
		struct rng r = rng_seed(seed);
		struct proto_reader *reader = calloc(1, sizeof(*reader));

		for (int i = 0; i < 20; i++) {
			uint8_t b[200];
			size_t n = rng_below(&r, sizeof(b));

			rng_fill(&r, b, n);
			for (size_t k = 1; k < n; k += 2)
				b[k] &= rng_once_in(&r, 40) ? 0xff : 0;
			log.len = 0;
			proto_feed(reader, b, n, take, &log);
		}
		free(reader);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),
		cmocka_unit_test(test_any_pieces),
		cmocka_unit_test(test_bad_length),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
