/* fw_cfg: each item as a guest reads it, past its end, and random traffic. */
/* links: devices/fw_cfg.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/fw_cfg.h"
#include "tests/unit/random.h"

static struct bus bus;
static struct fw_cfg f;

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	fw_cfg_init(&f, 0x123456789ull << 12, 3);
	return bus_add(&bus, BUS_PIO, 0x510, 2, &fw_cfg_ops, &f);
}

static void expect(uint16_t item, const void *bytes, unsigned n)
{
	bus_write(&bus, BUS_PIO, 0x510, 2, item);
	for (unsigned i = 0; i < n + 3; i++)
		assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), i < n ? ((const uint8_t *)bytes)[i] : 0);
}

static void test_items(void **state)
{
	uint64_t ram = 0x123456789ull << 12;

	(void)state;
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 'Q'); /* selected at power-on */
	expect(0, "QEMU", 4);
	expect(1, "\1\0\0\0", 4);
	expect(3, &ram, 8);
	expect(5, "\3\0", 2);
	expect(0x0f, "\3\0", 2);
	expect(0x19, "\0\0\0\0", 4);
	expect(0x8000, "", 0);
	expect(0xffff, "", 0);
	fw_cfg_reset(&f);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 'Q');
	bus_write(&bus, BUS_PIO, 0x511, 1, 0x55); /* changes nothing */
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 'E');
}

static void test_noise(void **state)
{
	struct rng r = rng_seed(5);

	(void)state;
	for (unsigned n = 0; n < 1000000; n++)
		if (rng_once_in(&r, 3))
			bus_write(&bus, BUS_PIO, 0x510 + rng_below(&r, 2), 1u << rng_below(&r, 3),
				  rng_next(&r) & (n & 1 ? 0x1f : ~0u));
		else
			(void)bus_read(&bus, BUS_PIO, 0x510 + rng_below(&r, 2), 1u << rng_below(&r, 3));
	expect(0, "QEMU", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_items, setup), cmocka_unit_test_setup(test_noise, setup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
