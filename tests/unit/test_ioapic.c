/* The I/O APIC: registers and redirection by the 82093AA's datasheet, with a bus of APICs that refuses or takes. */
/* links: devices/ioapic.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/ioapic.h"
#include "tests/unit/random.h"

static struct bus bus;
static struct ioapic io;
static struct apic_message last;
static unsigned sent;
static bool takes;

static bool on_send(void *arg, const struct apic_message *m)
{
	assert_ptr_equal(arg, &bus);
	last = *m;
	sent += takes && m->mode != APIC_EXTINT;
	return takes && m->mode != APIC_EXTINT;
}

static void make(void)
{
	memset(&bus, 0, sizeof(bus));
	sent = 0;
	takes = true;
	ioapic_init(&io, on_send, &bus);
	assert_int_equal(bus_add(&bus, BUS_MMIO, IOAPIC_BASE, IOAPIC_BYTES, &ioapic_ops, &io), 0);
}

static uint32_t rd(uint8_t index)
{
	bus_write(&bus, BUS_MMIO, IOAPIC_BASE, 1, index);
	return (uint32_t)bus_read(&bus, BUS_MMIO, IOAPIC_BASE + 0x10, 4);
}

static void wr(uint8_t index, uint32_t value)
{
	bus_write(&bus, BUS_MMIO, IOAPIC_BASE, 4, index);
	bus_write(&bus, BUS_MMIO, IOAPIC_BASE + 0x10, 4, value);
}

static void entry(unsigned pin, uint32_t high, uint32_t low)
{
	wr((uint8_t)(0x11 + 2 * pin), high);
	wr((uint8_t)(0x10 + 2 * pin), low);
}

#define LEVEL 0x8000u
#define MASKED 0x10000u
#define REMOTE_IRR 0x4000u

static void registers(void **state)
{
	(void)state;
	make();
	assert_int_equal(rd(0), 0);
	assert_int_equal(rd(1), 0x00170020);
	assert_int_equal(rd(2), 0);
	wr(0, ~0u);
	assert_int_equal(rd(0), 0x0f000000);
	assert_int_equal(rd(2), 0x0f000000);
	wr(1, ~0u);
	wr(2, 0);
	assert_int_equal(rd(1), 0x00170020);
	for (unsigned pin = 0; pin < 24; pin++) {
		assert_int_equal(rd((uint8_t)(0x10 + 2 * pin)), MASKED);
		entry(pin, ~0u, ~0u);
		assert_int_equal(rd((uint8_t)(0x10 + 2 * pin)), 0x1afff);
		assert_int_equal(rd((uint8_t)(0x11 + 2 * pin)), 0xff000000);
	}
	for (unsigned i = 0x40; i < 0x100; i++) {
		wr((uint8_t)i, ~0u);
		assert_int_equal(rd((uint8_t)i), 0);
	}
	assert_int_equal(bus_read(&bus, BUS_MMIO, IOAPIC_BASE, 4), 0xff);
	ioapic_reset(&io);
	assert_int_equal(rd(0), 0);
	assert_int_equal(rd(0x3e), MASKED);
	assert_int_equal(sent, 0);
}

static void edges(void **state)
{
	(void)state;
	make();
	entry(4, 0x07000000, 0x41);
	ioapic_set(&io, 4, true);
	assert_int_equal(sent, 1);
	assert_true(last.dest == 7 && last.vector == 0x41 && last.mode == APIC_FIXED && !last.logical && !last.level);
	assert_int_equal(rd(0x18), 0x41);
	ioapic_set(&io, 4, true);
	ioapic_set(&io, 4, false);
	assert_int_equal(sent, 1);
	ioapic_set(&io, 4, true);
	assert_int_equal(sent, 2);
	ioapic_set(&io, 4, false);
	/* at a masked input they are forgotten */
	entry(4, 0, MASKED | 0x41);
	ioapic_set(&io, 4, true);
	entry(4, 0, 0x41);
	assert_int_equal(sent, 2);
	/* nobody takes it: sent again, once */
	ioapic_set(&io, 4, false);
	takes = false;
	ioapic_set(&io, 4, true);
	ioapic_set(&io, 4, false);
	takes = true;
	ioapic_retry(&io);
	ioapic_retry(&io);
	assert_int_equal(sent, 3);
	/* kinds of messages */
	entry(5, 0xff000000, 0x942);
	ioapic_set(&io, 5, true);
	assert_true(last.dest == APIC_EVERYONE && last.logical && last.mode == APIC_LOWEST);
	entry(6, 0, LEVEL | 0x400);
	ioapic_set(&io, 6, true);
	assert_true(last.mode == APIC_NMI && !last.level);
	ioapic_set(&io, 6, false);
	assert_int_equal(ioapic_vector(&io, 6), -1);
	assert_int_equal(ioapic_vector(&io, 5), 0x42);
	assert_int_equal(ioapic_vector(&io, 7), -1);
	/* no such input */
	ioapic_set(&io, 24, true);
	ioapic_set(&io, ~0u, true);
	assert_true(ioapic_masked(&io, 24));
}

static void levels(void **state)
{
	(void)state;
	make();
	entry(16, 0, MASKED | LEVEL | 0x55);
	ioapic_set(&io, 16, true);
	assert_int_equal(sent, 0);
	entry(16, 0, LEVEL | 0x55); /* waits behind the mask */
	assert_int_equal(sent, 1);
	assert_true(last.level);
	assert_int_equal(rd(0x30), LEVEL | REMOTE_IRR | 0x55);
	ioapic_set(&io, 16, false);
	ioapic_set(&io, 16, true);
	assert_int_equal(sent, 1);
	ioapic_eoi(&io, 0x54);
	assert_int_equal(sent, 1);
	ioapic_eoi(&io, 0x55); /* still high: again */
	assert_int_equal(sent, 2);
	ioapic_set(&io, 16, false);
	bus_write(&bus, BUS_MMIO, IOAPIC_BASE + 0x40, 4, 0x55);
	assert_int_equal(sent, 2);
	assert_int_equal(rd(0x30), LEVEL | 0x55);
	/* an edge for a moment clears the remote IRR */
	ioapic_set(&io, 16, true);
	assert_int_equal(sent, 3);
	entry(16, 0, MASKED | 0x55);
	entry(16, 0, MASKED | LEVEL | 0x55);
	assert_int_equal(rd(0x30), MASKED | LEVEL | 0x55);
	entry(16, 0, LEVEL | 0x55);
	assert_int_equal(sent, 4);
	/* nobody takes it: no remote IRR; it is sent when somebody does, if it still stands */
	ioapic_set(&io, 16, false);
	ioapic_eoi(&io, 0x55);
	takes = false;
	ioapic_set(&io, 16, true);
	assert_int_equal(rd(0x30), LEVEL | 0x55);
	takes = true;
	ioapic_retry(&io);
	assert_int_equal(sent, 5);
	ioapic_set(&io, 16, false);
	ioapic_eoi(&io, 0x55);
	ioapic_retry(&io);
	assert_int_equal(sent, 5);
	/* two inputs with one vector end together */
	entry(17, 0, LEVEL | 0x55);
	ioapic_set(&io, 16, true);
	ioapic_set(&io, 17, true);
	ioapic_set(&io, 16, false);
	assert_int_equal(sent, 7);
	ioapic_eoi(&io, 0x55);
	assert_int_equal(sent, 8);
	/* a reset knows the levels */
	ioapic_reset(&io);
	entry(17, 0, LEVEL | 0x56);
	assert_int_equal(sent, 9);
}

static void passes_8259(void **state)
{
	(void)state;
	make();
	assert_false(ioapic_passes_8259(&io));
	entry(0, 0, 0x700);
	assert_true(ioapic_passes_8259(&io));
	assert_int_equal(last.mode, APIC_EXTINT);
	last.mode = APIC_FIXED;
	ioapic_set(&io, 0, true);
	assert_int_equal(last.mode, APIC_EXTINT);
	assert_int_equal(sent, 0);
	entry(0, 0, MASKED | 0x700);
	assert_false(ioapic_passes_8259(&io));
	entry(1, 0, 0x700);
	assert_false(ioapic_passes_8259(&io));
}

/* A million accesses; remote IRR is set only while a level waits for its end, and nothing is sent for masked inputs. */
static void storm(void **state)
{
	struct rng r = rng_seed(17);

	(void)state;
	make();
	for (unsigned step = 0; step < 1000000; step++) {
		uint32_t value = rng_next(&r) & (rng_below(&r, 2) ? ~MASKED : ~0u);

		takes = rng_below(&r, 4);
		switch (rng_below(&r, 6)) {
		case 0: bus_write(&bus, BUS_MMIO, IOAPIC_BASE, 1u << rng_below(&r, 4), 0x10 + rng_below(&r, 0x38)); break;
		case 1: bus_write(&bus, BUS_MMIO, IOAPIC_BASE + 0x10, 4, value); break;
		case 2: bus_write(&bus, BUS_MMIO, IOAPIC_BASE + rng_below(&r, 0x104), 1u << rng_below(&r, 4), value); break;
		case 3: (void)bus_read(&bus, BUS_MMIO, IOAPIC_BASE + rng_below(&r, 0x104), 1u << rng_below(&r, 4)); break;
		case 4: ioapic_set(&io, rng_below(&r, 26), value & 1); break;
		default: ioapic_eoi(&io, (uint8_t)value); break;
		}
		unsigned pin = step % IOAPIC_PINS;

		assert_true(!(io.entry[pin] & REMOTE_IRR) || io.entry[pin] & LEVEL);
	}
	assert_true(sent > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers), cmocka_unit_test(edges), cmocka_unit_test(levels), cmocka_unit_test(passes_8259), cmocka_unit_test(storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
