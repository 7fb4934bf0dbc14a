/* The test device: latch, interrupts, memory, and random traffic against a model. */
/* links: devices/testdev.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/testdev.h"
#include "tests/unit/random.h"

static struct bus bus;
static struct testdev t;
static bool line[TESTDEV_IRQS];

static void irq(void *arg, unsigned n, bool level)
{
	(void)arg;
	assert_true(n < TESTDEV_IRQS);
	line[n] = level;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	memset(line, 0, sizeof(line));
	testdev_init(&t, irq, NULL);
	return bus_add(&bus, BUS_PIO, 0xe0, 4, &testdev_latch_ops, &t) || bus_add(&bus, BUS_PIO, 0xe4, 4, &testdev_flush_ops, &t) ||
	       bus_add(&bus, BUS_PIO, 0x2000, TESTDEV_IRQS, &testdev_irq_ops, &t) ||
	       bus_add(&bus, BUS_MMIO, TESTDEV_MMIO, TESTDEV_MMIO_BYTES, &testdev_mmio_ops, &t);
}

static void test_parts(void **state)
{
	(void)state;
	bus_write(&bus, BUS_PIO, 0xe0, 4, 0x12345678);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xe0, 4), 0x12345678);
	bus_write(&bus, BUS_PIO, 0xe1, 1, 0xaa);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xe0, 2), 0xaa78);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xe2, 2), 0x1234);
	bus_write(&bus, BUS_PIO, 0xe4, 4, 0x1000);
	bus_write(&bus, BUS_PIO, 0x2005, 1, 1);
	bus_write(&bus, BUS_PIO, 0x200f, 4, 0xff); /* past the last: nobody's */
	assert_true(line[5] && line[15] && !line[4]);
	bus_write(&bus, BUS_PIO, 0x2005, 1, 0);
	assert_false(line[5]);
	bus_write(&bus, BUS_MMIO, TESTDEV_MMIO + 0xfff8, 8, 0x1122334455667788);
	assert_int_equal(bus_read(&bus, BUS_MMIO, TESTDEV_MMIO + 0xfffc, 4), 0x11223344);
	testdev_reset(&t);
	assert_false(line[15]);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xe0, 4) | bus_read(&bus, BUS_MMIO, TESTDEV_MMIO + 0xfff8, 8), 0);
}

static void test_noise(void **state)
{
	static uint8_t model[TESTDEV_MMIO_BYTES];
	struct rng r = rng_seed(6);

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		unsigned size = 1u << rng_below(&r, 4), at = rng_below(&r, TESTDEV_MMIO_BYTES - 7),
			 port = rng_once_in(&r, 2) ? 0xe0 : 0x2000;
		uint64_t value = (uint64_t)rng_next(&r) << 32 | rng_next(&r), want = 0;

		switch (rng_below(&r, 3)) {
		case 0:
			bus_write(&bus, BUS_MMIO, TESTDEV_MMIO + at, size, value);
			memcpy(model + at, &value, size);
			break;
		case 1:
			memcpy(&want, model + at, size);
			assert_true(bus_read(&bus, BUS_MMIO, TESTDEV_MMIO + at, size) == want);
			break;
		default: bus_write(&bus, BUS_PIO, port + rng_below(&r, 20), size & 7 ? size & 7 : 1, value); break;
		}
	}
	for (unsigned i = 0; i < TESTDEV_IRQS; i++)
		assert_int_equal(line[i], t.raised >> i & 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(test_parts, setup), cmocka_unit_test_setup(test_noise, setup) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
