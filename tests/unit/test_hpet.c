/* The HPET by its specification: counter, comparators in both sizes and modes, outputs, legacy replacement, late matches. */
/* links: devices/hpet.c devices/clock.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/hpet.h"
#include "tests/unit/random.h"

static struct bus bus;
static struct clock clk;
static struct hpet hpet;
static uint64_t time_ns;
static bool wire[24], legacy_wire[16], legacy, wanted;
static unsigned rises[24], legacy_rises[16];

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static void on_irq(void *arg, unsigned gsi, bool level)
{
	assert_ptr_equal(arg, &bus);
	assert_true(gsi >= 20 && gsi < 24);
	rises[gsi] += level && !wire[gsi];
	wire[gsi] = level;
}

static void on_legacy(void *arg, bool on)
{
	(void)arg;
	legacy = on;
}

static void on_legacy_irq(void *arg, unsigned irq, bool level)
{
	(void)arg;
	assert_true(irq == 0 || irq == 8);
	legacy_rises[irq] += level && !legacy_wire[irq];
	legacy_wire[irq] = level;
}

static bool on_wanted(void *arg)
{
	(void)arg;
	return wanted;
}

static uint64_t rd(unsigned reg, unsigned size)
{
	return bus_read(&bus, BUS_MMIO, HPET_BASE + reg, size);
}

static void wr(unsigned reg, unsigned size, uint64_t value)
{
	bus_write(&bus, BUS_MMIO, HPET_BASE + reg, size, value);
}

static void make(void)
{
	memset(&bus, 0, sizeof(bus));
	memset(wire, 0, sizeof(wire));
	memset(legacy_wire, 0, sizeof(legacy_wire));
	memset(rises, 0, sizeof(rises));
	memset(legacy_rises, 0, sizeof(legacy_rises));
	legacy = false;
	wanted = true;
	clk = (struct clock){ .now = now };
	time_ns = 987654321;
	hpet_init(&hpet, &clk, on_irq, on_legacy, on_legacy_irq, on_wanted, &bus);
	assert_int_equal(bus_add(&bus, BUS_MMIO, HPET_BASE, HPET_BYTES, &hpet_ops, &hpet), 0);
}

static void go(uint64_t ns)
{
	uint64_t end = time_ns + ns;

	while (clock_next(&clk) <= end) {
		if (clock_next(&clk) > time_ns)
			time_ns = clock_next(&clk);
		clock_run(&clk);
	}
	time_ns = end;
}

#define CONFIG(n) (0x100u + 0x20u * (n))
#define COMPARATOR(n) (0x108u + 0x20u * (n))
#define LEVEL 2u
#define ENABLE 4u
#define PERIODIC 8u
#define SET 0x40u
#define BITS32 0x100u
#define ROUTE(n) ((n) << 9)

static void registers(void **state)
{
	(void)state;
	make();
	assert_true(rd(0, 8) == 0x009896808086a201ull);
	assert_int_equal(rd(4, 4), 10000000); /* femtoseconds */
	wr(0, 8, 0);
	assert_int_equal(rd(0, 4), HPET_ID);
	assert_int_equal(rd(2, 2), 0x8086);
	for (unsigned n = 0; n < 3; n++) {
		assert_true(rd(CONFIG(n), 8) == 0x00f0000000000030ull);
		assert_true(rd(COMPARATOR(n), 8) == UINT64_MAX);
		wr(CONFIG(n), 8, UINT64_MAX);
		assert_true(rd(CONFIG(n), 8) == 0x00f0000000003f7eull);
		assert_true(rd(CONFIG(n) + 0x10, 8) == 0); /* no FSB */
	}
	for (unsigned reg = 0x160; reg < 0x400; reg += 4)
		assert_int_equal(rd(reg, 4), 0);
	hpet_reset(&hpet);
	assert_true(rd(0x100, 8) == 0x00f0000000000030ull);
}

static void counter(void **state)
{
	(void)state;
	make();
	go(1000);
	assert_true(rd(0xf0, 8) == 0);
	wr(0xf0, 8, 0xfffffff0ull);
	wr(0x10, 4, 1);
	go(9);
	assert_true(rd(0xf0, 8) == 0xfffffff0ull);
	go(1);
	assert_true(rd(0xf0, 8) == 0xfffffff1ull);
	go(160);
	assert_true(rd(0xf0, 8) == 0x100000001ull);
	assert_int_equal(rd(0xf0, 4), 1);
	assert_int_equal(rd(0xf4, 4), 1);
	wr(0x10, 4, 0);
	go(100000);
	assert_true(rd(0xf0, 8) == 0x100000001ull);
	wr(0xf4, 4, 7);
	wr(0xf0, 4, 5);
	assert_true(rd(0xf0, 8) == 0x700000005ull);
	wr(0x10, 8, 1);
	go(3600000000000ull);
	assert_true(rd(0xf0, 8) == 0x700000005ull + 360000000000ull);
}

static void one_shot(void **state)
{
	(void)state;
	make();
	wr(0x10, 4, 1);
	wr(CONFIG(2), 4, ENABLE | ROUTE(20));
	wr(COMPARATOR(2), 8, 1000);
	assert_true(clock_next(&clk) == time_ns + 10000);
	go(9999);
	assert_int_equal(rises[20], 0);
	go(1);
	assert_int_equal(rises[20], 1);
	go(10000000000);
	assert_int_equal(rises[20], 1);
	/* what the counter has just now matches; what it has passed does not */
	wr(COMPARATOR(2), 8, rd(0xf0, 8));
	assert_int_equal(rises[20], 2);
	wr(COMPARATOR(2), 8, rd(0xf0, 8) - 1);
	go(10000000000);
	assert_int_equal(rises[20], 2);
	/* 32 bits match once in a round */
	wr(CONFIG(2), 4, ENABLE | BITS32 | ROUTE(20));
	wr(COMPARATOR(2), 8, 0xdeadbeef00000000ull | ((rd(0xf0, 8) + 100) & 0xffffffff));
	assert_int_equal(rd(COMPARATOR(2) + 4, 4), 0);
	go(1000);
	assert_int_equal(rises[20], 3);
	go(42949672960ull - 1);
	assert_int_equal(rises[20], 3);
	go(1);
	assert_int_equal(rises[20], 4);
	/* not enabled, or to where no route is */
	wr(CONFIG(2), 4, ROUTE(20));
	wr(COMPARATOR(2), 8, rd(0xf0, 8) + 100);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	go(2000);
	wr(CONFIG(2), 4, ENABLE | ROUTE(5));
	wr(COMPARATOR(2), 8, rd(0xf0, 8) + 100);
	go(2000);
	assert_int_equal(rises[20], 4);
	/* a standing counter matches nothing */
	wr(CONFIG(2), 4, ENABLE | ROUTE(20));
	wr(0x10, 4, 0);
	wr(COMPARATOR(2), 8, rd(0xf0, 8));
	go(1000);
	assert_int_equal(rises[20], 4);
	wr(0x10, 4, 1);
	assert_int_equal(rises[20], 5);
}

static void levels(void **state)
{
	(void)state;
	make();
	wr(0x10, 4, 1);
	wr(CONFIG(1), 4, ENABLE | LEVEL | ROUTE(22));
	wr(COMPARATOR(1), 4, 100);
	wr(COMPARATOR(1) + 4, 4, 0);
	go(1000);
	assert_true(wire[22]);
	assert_int_equal(rd(0x20, 4), 2);
	wr(0x20, 4, 5);
	assert_true(wire[22]);
	wr(0x20, 4, 2);
	assert_false(wire[22]);
	assert_int_equal(rd(0x20, 4), 0);
	wr(COMPARATOR(1), 8, rd(0xf0, 8) + 10);
	go(100);
	assert_true(wire[22]);
	wr(CONFIG(1), 4, LEVEL | ROUTE(22)); /* not enabled any more */
	assert_false(wire[22]);
	wr(CONFIG(1), 4, ENABLE | LEVEL | ROUTE(22));
	assert_true(wire[22]);
	wr(CONFIG(1), 4, ENABLE | LEVEL | ROUTE(23)); /* another route starts anew */
	assert_false(wire[22] || wire[23]);
	assert_int_equal(rd(0x20, 4), 0);
	wr(COMPARATOR(1), 8, rd(0xf0, 8) + 10);
	go(100);
	assert_true(wire[23]);
	hpet_reset(&hpet);
	assert_false(wire[23]);
}

static void periodic(void **state)
{
	(void)state;
	make();
	wr(0x10, 4, 1);
	go(5000);
	wr(CONFIG(0), 4, ENABLE | PERIODIC | SET | ROUTE(21));
	wr(COMPARATOR(0), 8, rd(0xf0, 8) + 100000); /* the first one */
	assert_int_equal(rd(CONFIG(0), 4) & SET, 0);
	wr(COMPARATOR(0), 8, 50000); /* then every 0.5 ms */
	assert_true(rd(COMPARATOR(0), 8) == 100500);
	go(999999);
	assert_int_equal(rises[21], 0);
	go(1);
	assert_int_equal(rises[21], 1);
	go(500000000);
	assert_int_equal(rises[21], 1001);
	assert_true(rd(COMPARATOR(0), 8) == 100500 + 1001 * 50000);
	/* late by 7.2 periods: one interrupt, and the phase is kept */
	time_ns += 3600000;
	clock_run(&clk);
	assert_int_equal(rises[21], 1002);
	go(399999);
	assert_int_equal(rises[21], 1002);
	go(1);
	assert_int_equal(rises[21], 1003);
	/* too short to be told one by one */
	wr(CONFIG(0), 4, ENABLE | PERIODIC | SET | BITS32 | ROUTE(21));
	wr(COMPARATOR(0), 4, (rd(0xf0, 8) + 1) & 0xffffffff);
	wr(COMPARATOR(0), 4, 1);
	rises[21] = 0;
	go(1000000);
	assert_in_range(rises[21], 10, 1000000 / HPET_WAKE_NS + 2);
	wr(CONFIG(0), 4, ENABLE | PERIODIC | SET | BITS32 | ROUTE(21));
	wr(COMPARATOR(0), 4, 0); /* no period: once a round */
	rises[21] = 0;
	go(42949672960ull);
	assert_in_range(rises[21], 1, 1);
}

static void replacement(void **state)
{
	(void)state;
	make();
	wr(CONFIG(0), 4, ENABLE | PERIODIC | SET | ROUTE(20));
	wr(COMPARATOR(0), 8, 100000);
	wr(CONFIG(1), 4, ENABLE | LEVEL);
	wr(COMPARATOR(1), 8, 300000);
	wr(CONFIG(2), 4, ENABLE | ROUTE(20));
	wr(COMPARATOR(2), 8, 300000);
	wr(0x10, 4, 3);
	assert_true(legacy);
	go(10000000);
	assert_int_equal(legacy_rises[0], 10);
	assert_int_equal(legacy_rises[8], 1);
	assert_int_equal(rises[20], 1);
	assert_true(legacy_wire[0] && legacy_wire[8]);
	wr(0x10, 4, 1);
	assert_false(legacy || legacy_wire[0] || legacy_wire[8]);
	go(1000000);
	assert_int_equal(legacy_rises[0], 10);
	assert_int_equal(rises[20], 2);
	wr(0x10, 4, 3);
	hpet_reset(&hpet);
	assert_false(legacy);
}

/* In the 8254's place each tick counts: what was missed follows as the guest acknowledges. */
static void caught_up(void **state)
{
	(void)state;
	make();
	wr(CONFIG(0), 4, ENABLE | PERIODIC | SET);
	wr(COMPARATOR(0), 8, 100000); /* every ms */
	wr(0x10, 4, 3);
	go(10000000);
	hpet_acked(&hpet);
	assert_int_equal(legacy_rises[0], 10); /* none was late */
	time_ns += 5400000;
	clock_run(&clk);
	assert_int_equal(legacy_rises[0], 11);
	for (unsigned i = 0; i < 3; i++)
		hpet_acked(&hpet);
	assert_int_equal(legacy_rises[0], 14);
	go(1000000); /* a tick behind one that is still owed waits too */
	for (unsigned i = 0; i < 5; i++)
		hpet_acked(&hpet);
	assert_int_equal(hpet.t[0].late, 0);
	assert_int_equal(legacy_rises[0], 17); /* 16 and the one that came in between, which merged with one that was requested */
	go(600000 - 1);
	assert_int_equal(legacy_rises[0], 17);
	go(1); /* the phase is kept */
	assert_int_equal(legacy_rises[0], 18);
	time_ns += 1000000000;
	clock_run(&clk);
	assert_int_equal(hpet.t[0].late, HPET_LATE_MAX);
	assert_int_equal(hpet.dropped, 999 - HPET_LATE_MAX);
	wr(0x10, 4, 2); /* what is programmed anew owes nothing */
	assert_int_equal(hpet.t[0].late, 0);
	wr(0x10, 4, 3);
	wanted = false;
	time_ns += 20000000;
	clock_run(&clk);
	assert_int_equal(hpet.t[0].late, 0);
}

/* A million accesses: nothing breaks, timers do not fire without end, and the counter counts. */
static void storm(void **state)
{
	struct rng r = rng_seed(23);
	uint64_t fired = 0;

	(void)state;
	make();
	for (unsigned step = 0; step < 1000000; step++) {
		unsigned reg = rng_below(&r, 4) ? rng_below(&r, 0x60) * 4 : rng_below(&r, 0x404), size = 1u << rng_below(&r, 4);
		uint64_t value = rng_next(&r), before;

		if (rng_below(&r, 2))
			value = rd(0xf0, 8) + rng_below(&r, 100000) - 1000;
		switch (rng_below(&r, 4)) {
		case 0: wr(reg, size, value); break;
		case 1: (void)rd(reg, size); break;
		case 2: /* what makes it run and interrupt */
			wr(0x10, 4, 1 | (value & 2));
			wr(CONFIG(value % 3), 4, ENABLE | (value & 0x10a) | ROUTE(20u));
			wr(COMPARATOR(value % 3), 8, rd(0xf0, 8) + rng_below(&r, 100000));
			break;
		default:
			before = rd(0xf0, 8);
			value = rng_below(&r, rng_below(&r, 64) ? 3000000 : 4000000000u);
			for (unsigned i = 0; i < 100 && clock_next(&clk) <= time_ns + value; i++, fired++) {
				uint64_t at = clock_next(&clk) > time_ns ? clock_next(&clk) : time_ns;

				value -= at - time_ns;
				time_ns = at;
				clock_run(&clk);
			}
			time_ns += value;
			clock_run(&clk);
			assert_true(clock_next(&clk) > time_ns);
			assert_true(rd(0xf0, 8) - before < 1000000000);
			break;
		}
	}
	assert_true(fired > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers), cmocka_unit_test(counter),	    cmocka_unit_test(one_shot),	 cmocka_unit_test(levels),
		cmocka_unit_test(periodic),  cmocka_unit_test(replacement), cmocka_unit_test(caught_up), cmocka_unit_test(storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
