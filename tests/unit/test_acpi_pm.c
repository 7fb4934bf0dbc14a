/* ACPI's fixed hardware and PCI hot-plug: each register, the SCI, the timer's carry, power-off, hostile traffic with a model. */
/* links: devices/acpi_pm.c devices/acpi_pcihp.c devices/clock.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/acpi_pcihp.h"
#include "devices/acpi_pm.h"
#include "tests/unit/random.h"

#define STS 0x600u
#define EN 0x602u
#define CNT 0x604u
#define TMR 0x608u
#define GPE_STS 0xafe0u
#define GPE_EN 0xafe2u
#define UP 0xae00u
#define DOWN 0xae04u
#define EJECT 0xae08u
#define REMOVABLE 0xae0cu
#define BUS_SELECT 0xae10u
#define SECOND 1000000000ull

static struct bus bus;
static struct clock clk;
static struct acpi_pm pm;
static struct acpi_pcihp hp;
static uint64_t time_ns;
static unsigned offs;
static bool sci;
static uint32_t cards, ejected; /* slots with a card; that the guest emptied */

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static void on_sci(void *chip, unsigned line, bool level)
{
	assert_ptr_equal(chip, &sci);
	assert_int_equal(line, 9);
	sci = level;
}

static void on_off(void *arg)
{
	assert_ptr_equal(arg, &offs);
	offs++;
}

static void on_eject(void *arg, unsigned slot)
{
	assert_ptr_equal(arg, &cards);
	assert_true(slot < 32 && (cards >> slot & 1));
	cards &= ~(1u << slot);
	ejected |= 1u << slot;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	clk = (struct clock){ .now = now };
	time_ns = 7 * SECOND + 3;
	offs = 0;
	cards = ejected = 0;
	acpi_pm_init(&pm, &clk, (struct irq_line){ .set = on_sci, .chip = &sci, .line = 9 }, on_off, &offs);
	acpi_pm_reset(&pm);
	acpi_pcihp_init(&hp, &pm, on_eject, &cards);
	return bus_add(&bus, BUS_PIO, STS, ACPI_PM_PORTS, &acpi_pm_ops, &pm) ||
	       bus_add(&bus, BUS_PIO, GPE_STS, ACPI_GPE_PORTS, &acpi_gpe_ops, &pm) ||
	       bus_add(&bus, BUS_PIO, UP, ACPI_PCIHP_PORTS, &acpi_pcihp_ops, &hp);
}

static void out(unsigned port, unsigned size, uint32_t v)
{
	bus_write(&bus, BUS_PIO, port, size, v);
}

static uint32_t in(unsigned port, unsigned size)
{
	return (uint32_t)bus_read(&bus, BUS_PIO, port, size);
}

/* 4.8.3.3: 3.579545 MHz, 24 bits. */
static void test_timer(void **state)
{
	struct rng r = rng_seed(1);

	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint32_t want;

		time_ns += rng_next(&r);
		if (i == 50000)
			time_ns += 3000000000000000000ull;
		want = (uint32_t)((unsigned __int128)time_ns * 3579545 / SECOND) & 0xffffff;
		assert_int_equal(in(TMR, 4), want);
		assert_int_equal(in(TMR, 1), want & 0xff);
		assert_int_equal(in(TMR + 1, 2), want >> 8 & 0xffff);
		out(TMR, 4, rng_next(&r)); /* can't be set */
	}
}

static void expire(void)
{
	uint64_t next = clock_next(&clk);

	assert_true(next != CLOCK_NEVER && next > time_ns);
	time_ns = next - 1;
	clock_run(&clk);
	assert_false(sci);
	time_ns = next;
	clock_run(&clk);
}

/* The timer's highest bit changes: the status bit is set, and with it the SCI where that is enabled. */
static void test_carry(void **state)
{
	uint32_t before;

	(void)state;
	out(STS, 2, 1);
	assert_int_equal(in(STS, 2), 0);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	out(EN, 2, 1);
	for (unsigned i = 0; i < 5; i++) {
		before = in(TMR, 4) & 0x800000;
		expire();
		assert_true(sci);
		assert_int_equal(in(STS, 2), 1);
		assert_int_equal(in(TMR, 4) & 0x7fffff, 0);
		assert_int_not_equal(in(TMR, 4) & 0x800000, before);
		assert_true(clock_next(&clk) == CLOCK_NEVER); /* once, until it is cleared */
		out(STS, 1, 1);
		assert_false(sci);
		assert_int_equal(in(STS, 2), 0);
	}
	out(EN, 1, 0);
	time_ns += 3 * SECOND; /* unheard, but the bit is there */
	clock_run(&clk);
	assert_int_equal(in(STS, 2), 1);
	assert_false(sci);
	out(EN, 1, 1);
	assert_true(sci);
	acpi_pm_reset(&pm);
	assert_false(sci);
	assert_int_equal(in(STS, 4), 0);
}

static void test_button(void **state)
{
	(void)state;
	acpi_pm_power_button(&pm);
	assert_false(sci);
	assert_false(acpi_pm_button_listened(&pm));
	assert_int_equal(in(STS, 2), 0x100);
	out(EN, 2, 0x100);
	assert_true(acpi_pm_button_listened(&pm));
	assert_true(sci);
	out(STS, 2, 0xfeff);
	assert_true(sci);
	out(STS + 1, 1, 1);
	assert_false(sci);
	assert_int_equal(in(STS, 4), 0x01000000);
	out(EN, 2, 0xffff);
	assert_int_equal(in(EN, 2), 0x0521); /* timer, global, power button, RTC */
}

/* S5 is type 0; nothing else sleeps. SCI_EN can't be cleared, SLP_EN reads as 0. */
static void test_off(void **state)
{
	(void)state;
	assert_int_equal(in(CNT, 2), 1);
	out(CNT, 2, 0);
	assert_int_equal(in(CNT, 2), 1);
	for (unsigned type = 1; type < 8; type++) {
		out(CNT, 2, type << 10);
		assert_int_equal(in(CNT, 2), type << 10 | 1);
		out(CNT, 2, 0x2000 | type << 10);
		assert_int_equal(in(CNT, 2), type << 10 | 1);
	}
	assert_int_equal(offs, 0);
	out(CNT, 2, 0);
	assert_int_equal(offs, 0);
	out(CNT, 2, 0x2001);
	assert_int_equal(offs, 1);
	out(CNT + 1, 1, 0x20); /* by the byte too */
	assert_int_equal(offs, 2);
}

static void test_gpe(void **state)
{
	(void)state;
	assert_false(acpi_pm_gpe_listened(&pm, 1));
	acpi_pm_gpe(&pm, 1);
	acpi_pm_gpe(&pm, 15);
	assert_int_equal(in(GPE_STS, 2), 0x8002);
	assert_false(sci);
	out(GPE_EN, 1, 2);
	assert_true(sci && acpi_pm_gpe_listened(&pm, 1) && !acpi_pm_gpe_listened(&pm, 15));
	out(GPE_STS, 1, 2);
	assert_false(sci);
	out(GPE_EN, 1, 0);
	assert_true(acpi_pm_gpe_listened(&pm, 1)); /* off while it is handled */
	out(GPE_EN + 1, 1, 0x80);
	assert_true(sci);
	assert_int_equal(in(GPE_STS, 4), 0x80008000);
	out(GPE_STS, 2, 0x8000);
	assert_false(sci);
	acpi_pm_reset(&pm);
	assert_int_equal(in(GPE_STS, 4), 0);
	assert_false(acpi_pm_gpe_listened(&pm, 1));
}

static void plug(unsigned slot, bool announce)
{
	cards |= 1u << slot;
	acpi_pcihp_plug(&hp, slot, announce);
}

static void test_hotplug(void **state)
{
	(void)state;
	plug(3, false);
	assert_int_equal(in(UP, 4), 0);
	assert_int_equal(in(GPE_STS, 2), 0);
	assert_int_equal(in(REMOVABLE, 4), 8);
	out(GPE_EN, 2, 2);
	plug(17, true);
	assert_true(sci);
	out(GPE_STS, 2, 2);
	assert_int_equal(in(REMOVABLE, 4), 0x20008);
	assert_int_equal(in(UP + 2, 2), 2);
	assert_int_equal(in(UP, 4), 0); /* taken */
	acpi_pcihp_ask(&hp, 3);
	assert_true(sci);
	assert_int_equal(in(DOWN, 4), 8);
	assert_int_equal(in(DOWN, 4), 8); /* until it is given */
	out(EJECT, 4, 1u << 4);		  /* none there */
	assert_int_equal(ejected, 0);
	out(EJECT, 4, 8);
	assert_int_equal(ejected, 8);
	assert_int_equal(in(DOWN, 4), 0);
	assert_int_equal(in(REMOVABLE, 4), 0x20000);
	out(EJECT, 4, 8);
	out(EJECT + 2, 1, 2); /* not asked for: the guest's wish */
	assert_int_equal(ejected, 0x20008);
	assert_int_equal(in(EJECT, 4), 0);
	plug(5, true);
	out(BUS_SELECT, 4, 1);
	assert_int_equal(in(UP, 4) | in(DOWN, 4) | in(REMOVABLE, 4), 0);
	out(EJECT, 4, UINT32_MAX);
	assert_int_equal(cards, 0x20);
	out(BUS_SELECT, 4, 0);
	assert_int_equal(in(UP, 4), 0x20);
	acpi_pcihp_ask(&hp, 5);
	acpi_pcihp_unask(&hp, 5);
	assert_int_equal(in(DOWN, 4), 0);
	plug(6, true);
	acpi_pcihp_reset(&hp);
	assert_int_equal(in(UP, 4), 0);
	assert_int_equal(in(REMOVABLE, 4), 0x60);
}

/* Whatever is done, in any width: only cards that are there go, each once, and the SCI is what the registers say. */
static void test_noise(void **state)
{
	static const uint16_t base[] = { STS, GPE_STS, UP };
	static const uint8_t ports[] = { ACPI_PM_PORTS, ACPI_GPE_PORTS, ACPI_PCIHP_PORTS };
	struct rng r = rng_seed(3);

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		unsigned block = rng_below(&r, 3), port = base[block] + rng_below(&r, ports[block]), size = 1u << rng_below(&r, 3);
		uint32_t shown = cards;

		if (rng_once_in(&r, 10)) {
			unsigned slot = rng_below(&r, 32);

			if (!(cards >> slot & 1))
				plug(slot, rng_next(&r) & 1);
			else
				acpi_pcihp_ask(&hp, slot);
		}
		if (rng_once_in(&r, 50))
			time_ns += rng_next(&r);
		clock_run(&clk);
		if (rng_next(&r) & 1)
			out(port, size, rng_next(&r) & rng_next(&r));
		else
			(void)in(port, size);
		if (block != 2 || port + size <= EJECT)
			assert_int_equal(cards, shown | cards);
		out(BUS_SELECT, 4, rng_once_in(&r, 4));
		if (!in(BUS_SELECT, 4))
			assert_int_equal(in(REMOVABLE, 4), cards);
		assert_int_equal(sci, ((in(STS, 2) & in(EN, 2)) || (in(GPE_STS, 2) & in(GPE_EN, 2))));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_timer, setup),  cmocka_unit_test_setup(test_carry, setup),
		cmocka_unit_test_setup(test_button, setup), cmocka_unit_test_setup(test_off, setup),
		cmocka_unit_test_setup(test_gpe, setup),    cmocka_unit_test_setup(test_hotplug, setup),
		cmocka_unit_test_setup(test_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
