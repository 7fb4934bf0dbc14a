/* Both CRCs: published vectors, and a bitwise reference. */
/* links: stream/crc32c.c stream/crc32.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "stream/crc32.h"
#include "stream/crc32c.h"
#include "tests/unit/random.h"

typedef uint32_t crc_fn(uint32_t crc, const void *data, size_t len);

static uint32_t bitwise(uint32_t poly, const uint8_t *p, size_t len)
{
	uint32_t crc = ~0u;

	while (len--) {
		crc ^= *p++;
		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ poly : crc >> 1;
	}
	return ~crc;
}

static void test_vectors(void **state)
{
	uint8_t b[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32_ieee(0, "123456789", 9), 0xcbf43926);
	assert_int_equal(crc32c(0, "", 0), 0);
	/* RFC 3720, B.4 */
	for (int i = 0; i < 32; i++)
		b[i] = 0;
	assert_int_equal(crc32c(0, b, 32), 0x8a9136aa);
	for (int i = 0; i < 32; i++)
		b[i] = 0xff;
	assert_int_equal(crc32c(0, b, 32), 0x62a8ab43);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)i;
	assert_int_equal(crc32c(0, b, 32), 0x46dd794e);
	for (int i = 0; i < 32; i++)
		b[i] = (uint8_t)(31 - i);
	assert_int_equal(crc32c(0, b, 32), 0x113fdb5c);
}

static void test_reference(void **state)
{
	static const struct {
		crc_fn *fn;
		uint32_t poly;
	} crcs[] = { { crc32c, 0x82f63b78 }, { crc32_ieee, 0xedb88320 } };
	uint8_t b[300];

	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct rng r = rng_seed(seed);
		size_t len = rng_below(&r, sizeof(b) + 1), cut = rng_below(&r, (uint32_t)len + 1);

		rng_fill(&r, b, len);
		for (int i = 0; i < 2; i++) {
			uint32_t want = bitwise(crcs[i].poly, b, len);

			assert_int_equal(crcs[i].fn(0, b, len), want);
			assert_int_equal(crcs[i].fn(crcs[i].fn(0, b, cut), b + cut, len - cut), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_vectors), cmocka_unit_test(test_reference) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
