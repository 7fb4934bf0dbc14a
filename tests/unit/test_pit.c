/* The 8254: its modes and registers by the datasheet, its interrupts, and the late-tick policy. */
/* links: devices/pit8254.c devices/clock.c devices/bus.c tests/unit/pit_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/pit_world.h"

/* Ticks from nanoseconds agree with 128-bit arithmetic, for centuries. */
static void exact_time(void **state)
{
	(void)state;
	make();
	srand(5);
	for (unsigned i = 0; i < 100000; i++) {
		time_ns = ((uint64_t)rand() << 32 ^ (uint64_t)rand()) >> (rand() % 60);
		assert_true(pit8254_ticks(&pit) == (uint64_t)((unsigned __int128)time_ns * PIT_HZ / 1000000000u));
	}
}

static void firmware_state(void **state)
{
	(void)state;
	make();
	assert_true(pit8254_out(&pit, 0));
	assert_true(wire);
	go(1);
	assert_int_equal(latched(0), 0); /* 65,536 */
	go(10);
	assert_int_equal(latched(0), 65526);
	assert_true(clock_next(&clk) == tick_ns(pit8254_ticks(&pit) + 65526));
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_int_equal(rises, 1);
	assert_int_equal(in(3), 0xff);
}

static void mode0(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 0, 5);
	assert_false(pit8254_out(&pit, 2));
	go(5);
	assert_false(pit8254_out(&pit, 2));
	assert_int_equal(latched(2), 1);
	go(1); /* N + 1 pulses after the write */
	assert_true(pit8254_out(&pit, 2));
	assert_int_equal(latched(2), 0);
	go(1);
	assert_int_equal(latched(2), 0xffff); /* goes on below zero */
	assert_true(pit8254_out(&pit, 2));
	/* a low gate holds the count */
	program(2, 0, 100);
	go(11);
	assert_int_equal(latched(2), 90);
	pit8254_gate(&pit, 2, false);
	go(500);
	assert_int_equal(latched(2), 90);
	pit8254_gate(&pit, 2, true);
	go(40);
	assert_int_equal(latched(2), 50);
	/* the first byte of a new count stops it */
	out(2, 9);
	go(300);
	assert_int_equal(latched(2), 50);
	assert_false(pit8254_out(&pit, 2));
	out(2, 0);
	go(10);
	assert_true(pit8254_out(&pit, 2));
}

static void mode1(void **state)
{
	(void)state;
	make();
	program(2, 1, 10);
	go(100);
	assert_true(pit8254_out(&pit, 2)); /* no trigger yet */
	pit8254_gate(&pit, 2, true);
	assert_true(pit8254_out(&pit, 2));
	go(1);
	assert_false(pit8254_out(&pit, 2));
	go(8);
	pit8254_gate(&pit, 2, false); /* changes nothing */
	pit8254_gate(&pit, 2, true);  /* starts over */
	go(10);
	assert_false(pit8254_out(&pit, 2));
	go(1);
	assert_true(pit8254_out(&pit, 2));
}

static void mode2(void **state)
{
	unsigned low = 0;

	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 2, 7);
	go(1);
	for (unsigned i = 0; i < 70; i++) {
		assert_int_equal(latched(2), 7 - i % 7);
		assert_int_equal(pit8254_out(&pit, 2), i % 7 != 6);
		low += !pit8254_out(&pit, 2);
		go(1);
	}
	assert_int_equal(low, 10);
	/* a new count waits for the end of the period */
	go(3);
	out(2, 100);
	out(2, 0);
	assert_int_equal(latched(2), 4);
	out(3, 0xe8); /* read-back of channel 2's status: null count */
	assert_int_equal(in(2), 0x80 | 0x40 | 0x34);
	go(4);
	assert_int_equal(latched(2), 100);
	out(3, 0xe8);
	assert_int_equal(in(2), 0x80 | 0x34);
	/* the gate: output high and count held while low, everything from the start when it rises */
	go(99);
	assert_false(pit8254_out(&pit, 2));
	pit8254_gate(&pit, 2, false);
	assert_true(pit8254_out(&pit, 2));
	go(50);
	assert_int_equal(latched(2), 1);
	pit8254_gate(&pit, 2, true);
	go(1);
	assert_int_equal(latched(2), 100);
}

static void mode3(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 3, 8);
	go(1);
	for (unsigned i = 0; i < 80; i++) {
		assert_int_equal(latched(2), 8 - 2 * (i % 4));
		assert_int_equal(pit8254_out(&pit, 2), i % 8 < 4);
		go(1);
	}
	program(2, 3, 5);
	go(1);
	for (unsigned i = 0; i < 50; i++) { /* high for three, low for two */
		assert_int_equal(pit8254_out(&pit, 2), i % 5 < 3);
		go(1);
	}
}

static void modes4_and_5(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 4, 3);
	for (unsigned i = 0; i < 20; i++, go(1))
		assert_int_equal(pit8254_out(&pit, 2), i != 4); /* one CLK, N + 1 after the write */
	program(2, 5, 3);
	go(30);
	assert_true(pit8254_out(&pit, 2));
	pit8254_gate(&pit, 2, false);
	pit8254_gate(&pit, 2, true);
	for (unsigned i = 0; i < 20; i++, go(1))
		assert_int_equal(pit8254_out(&pit, 2), i != 4);
}

static void reading(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 2, 0x1234);
	go(1);
	out(3, 0x80);
	go(0x100);
	out(3, 0x80); /* a second latch changes nothing until the first is read */
	assert_int_equal(in16(2), 0x1234);
	assert_int_equal(in(2), 0x34);
	go(0x100);
	assert_int_equal(in(2), 0x10); /* not latched: the high byte of now */
	/* read-back of count and status: status comes first */
	out(3, 0xc8);
	assert_int_equal(in(2), 0xb4);
	assert_int_equal(in16(2), 0x1034);
	/* of all channels at once, count only */
	out(3, 0xde);
	go(7);
	assert_int_equal(in16(2), 0x1034);
	/* one byte only */
	out(3, 0x94);
	out(2, 200);
	go(1);
	assert_int_equal(in(2), 200);
	assert_int_equal(in(2), 200);
	out(3, 0xa4);
	out(2, 3);
	go(2);
	assert_int_equal(in(2), 2); /* 0x2ff */
	out(3, 0xe8);
	assert_int_equal(in(2) & 0x3f, 0x24);
}

static void bcd(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	out(3, 0xb1);
	out(2, 0x00);
	out(2, 0x10); /* 1,000 */
	go(1);
	assert_int_equal(latched(2), 0x1000);
	go(1);
	assert_int_equal(latched(2), 0x0999);
	go(1000);
	assert_int_equal(latched(2), 0x9999);
	out(3, 0xb5);
	out(2, 0);
	out(2, 0); /* 10,000 */
	go(1);
	assert_int_equal(latched(2), 0);
	go(1);
	assert_int_equal(latched(2), 0x9999);
}

/* A periodic guest that is always run in time gets every tick at its nanosecond, without drift over an hour. */
static void no_drift(void **state)
{
	(void)state;
	make();
	program(0, 2, 11932); /* 100 Hz */
	uint64_t first = pit8254_ticks(&pit) + 1;

	for (uint64_t i = 1; i <= 360000; i++) {
		assert_true(clock_next(&clk) == tick_ns(first + i * 11932));
		time_ns = clock_next(&clk);
		clock_run(&clk);
		assert_true(rises == i);
	}
	assert_int_equal(pit.dropped + pit.late, 0);
}

static void one_shot(void **state)
{
	(void)state;
	make();
	program(0, 0, 1000);
	assert_false(wire);
	assert_true(clock_next(&clk) == tick_ns(pit8254_ticks(&pit) + 1001));
	time_ns = clock_next(&clk) - 1;
	clock_run(&clk);
	assert_false(wire);
	time_ns++;
	clock_run(&clk);
	assert_true(wire);
	assert_int_equal(rises, 1);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	/* programmed anew before the end: only the new one counts */
	program(0, 0, 1000);
	go(500);
	program(0, 0, 1000);
	assert_false(wire);
	go(1000);
	clock_run(&clk);
	assert_int_equal(rises, 1);
	go(1);
	clock_run(&clk);
	assert_int_equal(rises, 2);
	/* Linux's one-shot: mode 4 */
	program(0, 4, 50);
	go(51);
	clock_run(&clk);
	assert_int_equal(rises, 2);
	go(1);
	clock_run(&clk);
	assert_int_equal(rises, 3);
}

/* A new count for a running square wave comes at the end of the half; the timer must follow. */
static void new_period(void **state)
{
	(void)state;
	make();
	program(0, 3, 1000);
	uint64_t base = pit8254_ticks(&pit) + 1;

	go(100);
	out(0, 5000 & 0xff);
	out(0, 5000 >> 8);
	assert_true(clock_next(&clk) == tick_ns(base + 500 + 2500));
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_int_equal(rises, 1);
	assert_true(clock_next(&clk) == tick_ns(base + 3000 + 5000));
	/* and for a rate generator at the end of the period */
	program(0, 2, 1000);
	base = pit8254_ticks(&pit) + 1;
	go(100);
	out(0, 300 & 0xff);
	out(0, 300 >> 8);
	assert_true(clock_next(&clk) == tick_ns(base + 1000));
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_true(clock_next(&clk) == tick_ns(base + 1300));
}

static void late_ticks(void **state)
{
	(void)state;
	make();
	program(0, 2, 1000);
	go(1 + 10500); /* ten were due */
	clock_run(&clk);
	assert_int_equal(rises, 1);
	assert_int_equal(pit.late, 9);
	assert_true(clock_next(&clk) <= tick_ns(pit8254_ticks(&pit) + 500)); /* the phase is kept */
	for (unsigned i = 0; i < 20; i++)
		pit8254_acked(&pit);
	assert_int_equal(rises, 10);
	go(500);
	clock_run(&clk);
	assert_int_equal(rises, 11);
	/* beyond the bound they are dropped and counted */
	go(200 * 1000);
	clock_run(&clk);
	assert_int_equal(pit.late, PIT_LATE_MAX);
	assert_int_equal(pit.dropped, 199 - PIT_LATE_MAX);
	for (unsigned i = 0; i < 100; i++)
		pit8254_acked(&pit);
	assert_int_equal(rises, 12 + PIT_LATE_MAX);
	/* masked: nothing is owed */
	irq_wanted = false;
	go(50 * 1000);
	clock_run(&clk);
	assert_int_equal(pit.late, 0);
	assert_int_equal(pit.dropped, 199 - PIT_LATE_MAX);
	/* programming forgets what is owed */
	irq_wanted = true;
	go(50 * 1000);
	clock_run(&clk);
	assert_int_equal(pit.late, 49);
	program(0, 2, 1000);
	assert_int_equal(pit.late, 0);
}

/* The shortest period cannot keep the VMM from everything else. */
static void storm(void **state)
{
	uint64_t runs = 0, end;

	(void)state;
	make();
	program(0, 2, 2);
	end = time_ns + 10000000;
	while (clock_next(&clk) < end) {
		assert_true(clock_next(&clk) >= time_ns);
		time_ns = clock_next(&clk);
		clock_run(&clk);
		runs++;
	}
	assert_in_range(runs, 190, 201);
	assert_true(pit.dropped > 0);
	program(0, 3, 1); /* forbidden count: harmless */
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	program(0, 2, 1);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_time),	cmocka_unit_test(firmware_state), cmocka_unit_test(mode0),
		cmocka_unit_test(mode1),	cmocka_unit_test(mode2),	  cmocka_unit_test(mode3),
		cmocka_unit_test(modes4_and_5), cmocka_unit_test(reading),	  cmocka_unit_test(bcd),
		cmocka_unit_test(no_drift),	cmocka_unit_test(one_shot),	  cmocka_unit_test(new_period),
		cmocka_unit_test(late_ticks),	cmocka_unit_test(storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
