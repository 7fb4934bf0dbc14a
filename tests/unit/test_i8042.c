/* Keyboard controller, keyboard and mouse as drivers talk to them, and random traffic. */
/* links: devices/i8042.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/i8042.h"
#include "tests/unit/random.h"

static struct bus bus;
static struct i8042 k;
static bool line[16];
static unsigned edges[16], resets;

static void set(void *chip, unsigned irq, bool level)
{
	(void)chip;
	edges[irq] += level && !line[irq];
	line[irq] = level;
}

static void reset(void *arg)
{
	(void)arg;
	resets++;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	memset(line, 0, sizeof(line));
	memset(edges, 0, sizeof(edges));
	resets = 0;
	i8042_init(&k, (struct irq_line){ .set = set, .line = 1 }, (struct irq_line){ .set = set, .line = 12 }, reset, NULL);
	bus_add(&bus, BUS_PIO, 0x60, 1, &i8042_data_ops, &k);
	bus_add(&bus, BUS_PIO, 0x64, 1, &i8042_command_ops, &k);
	return 0;
}

static void out(unsigned port, uint8_t value)
{
	bus_write(&bus, BUS_PIO, port, 1, value);
}

static uint8_t in(unsigned port)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, port, 1);
}

/* The bytes that come, in order; each from the device that is told, and then no more. */
static void expect(bool aux, unsigned n, const uint8_t *bytes)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t status = in(0x64);

		assert_int_equal(status & 0x21, aux ? 0x21 : 0x01);
		assert_int_equal(in(0x60), bytes[i]);
	}
	assert_int_equal(in(0x64) & 1, 0);
}

#define EXPECT(aux, ...) expect(aux, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

static void mouse(uint8_t value)
{
	out(0x64, 0xd4);
	out(0x60, value);
}

static void test_controller(void **state)
{
	(void)state;
	out(0x64, 0xaa);
	EXPECT(false, 0x55);
	out(0x64, 0xab);
	EXPECT(false, 0x00);
	out(0x64, 0xa9);
	EXPECT(false, 0x00);
	out(0x64, 0x20);
	EXPECT(false, 0x44);
	out(0x64, 0x60);
	assert_int_equal(in(0x64) & 8, 8);
	out(0x60, 0x47);
	out(0x64, 0x20);
	EXPECT(false, 0x47);
	/* the loop that drivers find the mouse's port by */
	out(0x64, 0xd3);
	out(0x60, 0xa5);
	EXPECT(true, 0xa5);
	out(0x64, 0xa7);
	out(0x64, 0x20);
	EXPECT(false, 0x67);
	out(0x64, 0xd0);
	EXPECT(false, 0x03);
	out(0x64, 0xfe);
	assert_int_equal(resets, 1);
	out(0x64, 0xd1);
	out(0x60, 0x02);
	assert_int_equal(resets, 2);
}

static void test_keyboard(void **state)
{
	(void)state;
	out(0x60, 0xff);
	EXPECT(false, 0xfa, 0xaa);
	out(0x60, 0xf2);
	EXPECT(false, 0xfa, 0xab, 0x41);
	out(0x60, 0xed);
	EXPECT(false, 0xfa);
	out(0x60, 0x07);
	EXPECT(false, 0xfa);
	out(0x60, 0xee);
	EXPECT(false, 0xee);
	out(0x60, 0x12);
	EXPECT(false, 0xfe);
	assert_int_equal(edges[1], 0); /* its interrupt is off */
	out(0x64, 0x60);
	out(0x60, 0x45);
	i8042_key(&k, true, 0x1e);
	i8042_key(&k, false, 0x1e);
	i8042_key(&k, true, 0xe048);
	assert_true(line[1]);
	EXPECT(false, 0x1e, 0x9e, 0xe0, 0x48);
	assert_int_equal(edges[1], 4);
	assert_false(line[1]);
	/* untranslated: set 2 */
	out(0x64, 0x60);
	out(0x60, 0x05);
	i8042_key(&k, true, 0x1e);
	i8042_key(&k, false, 0x1e);
	i8042_key(&k, false, 0xe048);
	EXPECT(false, 0x1c, 0xf0, 0x1c, 0xe0, 0xf0, 0x75);
	out(0x60, 0xf0);
	EXPECT(false, 0xfa);
	out(0x60, 0x00);
	EXPECT(false, 0xfa, 2);
	out(0x60, 0xf0);
	out(0x60, 0x01);
	EXPECT(false, 0xfa, 0xfa);
	i8042_key(&k, false, 0x1e);
	EXPECT(false, 0x9e);
	/* no such keys */
	i8042_key(&k, true, 0x60);
	i8042_key(&k, true, 0xe11d);
	i8042_key(&k, true, 0);
	assert_int_equal(in(0x64) & 1, 0);
	out(0x60, 0xf5); /* silent */
	EXPECT(false, 0xfa);
	i8042_key(&k, true, 0x1e);
	assert_int_equal(in(0x64) & 1, 0);
}

/* Held back while its clock is, lost whole when there is no room. */
static void test_queue(void **state)
{
	unsigned n = 0;

	(void)state;
	out(0x64, 0xad);
	for (unsigned i = 0; i < PS2_QUEUE; i++)
		i8042_key(&k, true, 0xe048);
	assert_int_equal(in(0x64) & 1, 0);
	out(0x64, 0xae);
	while (in(0x64) & 1)
		assert_int_equal(in(0x60), n++ % 2 ? 0x48 : 0xe0);
	assert_int_equal(n, PS2_QUEUE);
}

static void test_mouse(void **state)
{
	(void)state;
	mouse(0xff);
	EXPECT(true, 0xfa, 0xaa, 0x00);
	mouse(0xf2);
	EXPECT(true, 0xfa, 0x00);
	i8042_pointer(&k, 100, 100, 0, 0);
	i8042_pointer(&k, 110, 100, 0, 0);
	assert_int_equal(in(0x64) & 1, 0); /* not enabled */
	out(0x64, 0x60);
	out(0x60, 0x47);
	mouse(0xf4);
	EXPECT(true, 0xfa);
	assert_int_equal(edges[12], 1);
	i8042_pointer(&k, 115, 90, 1, 0); /* what was before it was on does not count */
	EXPECT(true, 0x09, 5, 10);
	i8042_pointer(&k, 105, 95, 0, 0);
	EXPECT(true, 0x38, (uint8_t)-10, (uint8_t)-5);
	/* far: several packets */
	i8042_pointer(&k, 705, 95, 0, 0);
	EXPECT(true, 0x08, 255, 0, 0x08, 255, 0, 0x08, 90, 0);
	/* wheel */
	mouse(0xf3), mouse(200), mouse(0xf3), mouse(100), mouse(0xf3), mouse(80), mouse(0xf2);
	EXPECT(true, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0xfa, 0x03);
	i8042_pointer(&k, 705, 95, 4, -2);
	EXPECT(true, 0x0c, 0, 0, (uint8_t)-2);
	mouse(0xe9);
	EXPECT(true, 0xfa, 0x22, 2, 80);
	mouse(0xf5);
	EXPECT(true, 0xfa);
	i8042_pointer(&k, 700, 95, 0, 0);
	mouse(0xeb); /* asked for */
	EXPECT(true, 0xfa, 0x18, (uint8_t)-5, 0, 0);
}

static void test_noise(void **state)
{
	struct rng r = rng_seed(8);

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		unsigned port = rng_once_in(&r, 2) ? 0x60 : 0x64;

		switch (rng_below(&r, 6)) {
		case 0: i8042_key(&k, rng_once_in(&r, 2), (uint16_t)(rng_next(&r) & 0xe0ff)); break;
		case 1:
			i8042_pointer(&k, (uint16_t)rng_next(&r), (uint16_t)rng_next(&r), (uint8_t)rng_next(&r),
				      (int8_t)rng_next(&r));
			break;
		case 2:
		case 3: (void)in(port); break;
		default: out(port, (uint8_t)rng_next(&r)); break;
		}
		assert_true(k.port[0].count <= PS2_QUEUE && k.port[1].count <= PS2_QUEUE && k.port[0].head < PS2_QUEUE);
		assert_int_equal(line[1], k.full && !k.aux && (k.control & 1));
		assert_int_equal(line[12], k.full && k.aux && (k.control & 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_controller, setup), cmocka_unit_test_setup(test_keyboard, setup),
		cmocka_unit_test_setup(test_queue, setup),	cmocka_unit_test_setup(test_mouse, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
