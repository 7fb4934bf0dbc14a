/* The MC146818: time in every format against the C library's calendar, setting it, and its three interrupts. */
/* links: devices/rtc_mc146818.c devices/calendar.c devices/clock.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/calendar.h"
#include "devices/rtc_mc146818.h"

#define S 1000000000ull
#define EPOCH 1700000000ull /* 2023-11-14 22:13:20, a Tuesday */

static struct clock clk;
static struct bus bus;
static struct rtc rtc;
static uint64_t time_ns;
static bool wire;
static unsigned rises;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static void on_irq(void *chip, unsigned line, bool level)
{
	(void)chip;
	assert_int_equal(line, 8);
	rises += level && !wire;
	wire = level;
}

static uint8_t get(unsigned reg)
{
	bus_write(&bus, BUS_PIO, 0x70, 1, reg);
	return (uint8_t)bus_read(&bus, BUS_PIO, 0x71, 1);
}

static void put(unsigned reg, uint8_t v)
{
	bus_write(&bus, BUS_PIO, 0x70, 1, reg);
	bus_write(&bus, BUS_PIO, 0x71, 1, v);
}

static void make(uint64_t ram)
{
	clk = (struct clock){ .now = now, .epoch = EPOCH };
	memset(&bus, 0, sizeof(bus));
	time_ns = 0;
	wire = false;
	rises = 0;
	rtc_init(&rtc, &clk, (struct irq_line){ .set = on_irq, .line = 8 }, ram);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x70, 2, &rtc_ops, &rtc), 0);
}

/* Runs guest time on, with every timer at its moment. */
static void run_until(uint64_t end)
{
	while (clock_next(&clk) <= end) {
		assert_true(clock_next(&clk) >= time_ns);
		time_ns = clock_next(&clk);
		clock_run(&clk);
	}
	time_ns = end;
}

static unsigned plain(unsigned v, bool binary)
{
	return binary ? v : (v >> 4) * 10 + (v & 15);
}

/* The registers must show the second t (of the C library's time). */
static void expect_time(time_t t)
{
	uint8_t b = get(0x0b);
	bool binary = b & 4;
	struct tm tm;
	unsigned hour = get(4), want = 0;

	gmtime_r(&t, &tm);
	if (!(b & 2)) {
		want = tm.tm_hour >= 12 ? 0x80 : 0;
		assert_int_equal(hour & 0x80, want);
		assert_int_equal(plain(hour & 0x7f, binary), tm.tm_hour % 12 ? tm.tm_hour % 12 : 12);
	} else {
		assert_int_equal(plain(hour, binary), tm.tm_hour);
	}
	assert_int_equal(plain(get(0), binary), tm.tm_sec);
	assert_int_equal(plain(get(2), binary), tm.tm_min);
	assert_int_equal(plain(get(6), binary), tm.tm_wday + 1);
	assert_int_equal(plain(get(7), binary), tm.tm_mday);
	assert_int_equal(plain(get(8), binary), tm.tm_mon + 1);
	assert_int_equal(plain(get(9), binary), tm.tm_year % 100);
	assert_int_equal(plain(get(0x32), binary), (tm.tm_year + 1900) / 100);
}

static void calendar(void **state)
{
	(void)state;
	for (int64_t days = -150000; days < 150000; days++) {
		struct date d = calendar_date(days);
		time_t t = days * 86400;
		struct tm tm;

		gmtime_r(&t, &tm);
		assert_int_equal(d.year, tm.tm_year + 1900);
		assert_int_equal(d.month, tm.tm_mon + 1);
		assert_int_equal(d.day, tm.tm_mday);
		assert_int_equal(calendar_weekday(days), tm.tm_wday + 1);
		assert_int_equal(calendar_days(d.year, d.month, d.day), days);
	}
	assert_int_equal(calendar_days(2023, 2, 30), calendar_days(2023, 3, 2));
	assert_int_equal(calendar_days(2023, 14, 1), calendar_days(2024, 2, 1));
	assert_int_equal(calendar_days(2023, 0, 1), calendar_days(2022, 12, 1));
	assert_int_equal(calendar_days(2024, 3, 0), calendar_days(2024, 2, 29));
}

static void time_of_day(void **state)
{
	(void)state;
	make(128 << 20);
	assert_int_equal(get(0x0b), 0x02);
	assert_int_equal(get(0x0d), 0x80);
	srand(7);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t seconds = ((uint64_t)rand() << 8 ^ (uint64_t)rand()) % (70ull * 365 * 86400);

		put(0x0b, (uint8_t)(rand() & 0x06));
		time_ns = (seconds > time_ns / S ? seconds : time_ns / S) * S + (uint64_t)rand() % S;
		if (i % 1000 == 0)
			time_ns = 0;
		expect_time((time_t)(EPOCH + time_ns / S));
	}
	/* the second changes at its nanosecond */
	make(128 << 20);
	time_ns = 40 * S - 1;
	expect_time(EPOCH + 39);
	time_ns++;
	expect_time(EPOCH + 40);
}

static void set_time(time_t t)
{
	struct tm tm;
	uint8_t b = get(0x0b);
	bool binary = b & 4;

	gmtime_r(&t, &tm);
	put(0x0b, b | 0x80);
	const struct {
		unsigned reg, v;
	} regs[] = { { 0, (unsigned)tm.tm_sec },
		     { 2, (unsigned)tm.tm_min },
		     { 6, (unsigned)tm.tm_wday + 1 },
		     { 7, (unsigned)tm.tm_mday },
		     { 8, (unsigned)tm.tm_mon + 1 },
		     { 9, (unsigned)tm.tm_year % 100 },
		     { 0x32, (unsigned)(tm.tm_year + 1900) / 100 } };

	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		put(regs[i].reg, (uint8_t)(binary ? regs[i].v : regs[i].v / 10 << 4 | regs[i].v % 10));
	unsigned hour = (unsigned)tm.tm_hour, pm = 0;

	if (!(b & 2)) {
		pm = hour >= 12 ? 0x80 : 0;
		hour = hour % 12 ? hour % 12 : 12;
	}
	put(4, (uint8_t)(pm | (binary ? hour : hour / 10 << 4 | hour % 10)));
	put(0x0b, b);
}

static void setting(void **state)
{
	(void)state;
	make(128 << 20);
	srand(8);
	for (unsigned i = 0; i < 2000; i++) {
		time_t t = (time_t)((uint64_t)rand() * 3 % 4000000000u);

		put(0x0b, (uint8_t)(rand() & 0x06));
		set_time(t);
		expect_time(t);
		uint64_t more = (uint64_t)rand() % 100000;

		time_ns += more * S;
		expect_time(t + (time_t)more);
		/* also after a change of format */
		put(0x0b, (uint8_t)(rand() & 0x06));
		expect_time(t + (time_t)more);
	}
	/* frozen while SET is on: what is written stands, nothing counts, UIP stays clear */
	put(0x0b, 0x82);
	put(0, 0x77);
	time_ns += 90 * S - 1;
	assert_int_equal(get(0), 0x77);
	assert_int_equal(get(0x0a) & 0x80, 0);
	/* what cannot be goes on into the next unit: 30 February is 1 or 2 March */
	put(0, 0x59), put(2, 0x59), put(4, 0x23), put(7, 0x30), put(8, 0x02), put(9, 0x24), put(0x32, 0x20);
	put(0x0b, 0x02);
	assert_int_equal(get(8), 3);
	assert_int_equal(get(7), 1);
	/* one register while the clock runs */
	set_time(EPOCH);
	put(2, 0x00);
	expect_time(EPOCH - 13 * 60);
	/* a day of the week of the guest's own goes on from there */
	put(6, 7);
	assert_int_equal(get(6), 7);
	time_ns += 86400 * S;
	assert_int_equal(get(6), 1);
	/* read-only registers */
	put(0x0c, 0xff);
	put(0x0d, 0x00);
	assert_int_equal(get(0x0d), 0x80);
	assert_int_equal(get(0x0c) & 0x0f, 0);
}

/* Every byte of every register, with all that follows from it, breaks nothing: the time stays one that can be shown. */
static void absurd_times(void **state)
{
	(void)state;
	make(128 << 20);
	srand(9);
	for (unsigned i = 0; i < 300000; i++) {
		unsigned reg = (unsigned)rand() % 0x40;

		put(reg, (uint8_t)rand());
		if (rand() & 1)
			time_ns += (uint64_t)rand() % (rand() & 1 ? 100000 : 100 * S);
		if (rand() % 100 == 0)
			time_ns += 1000 * 86400 * S;
		if (rand() % 4 == 0)
			clock_run(&clk);
		if (rand() % 16 == 0)
			rtc_reset(&rtc);
		(void)get((unsigned)rand() % 0x80);
		if (!rtc.frozen && !(get(0x0b) & 4)) {
			assert_in_range(plain(get(8), false), 1, 12);
			assert_in_range(plain(get(7), false), 1, 31);
			assert_in_range(plain(get(0), false), 0, 59);
		}
	}
}

static void update_in_progress(void **state)
{
	(void)state;
	make(128 << 20);
	time_ns = 5 * S;
	assert_int_equal(get(0x0a), 0x26);
	time_ns = 6 * S - 2228001;
	assert_int_equal(get(0x0a), 0x26);
	time_ns = 6 * S - 2228000;
	assert_int_equal(get(0x0a), 0xa6);
	time_ns = 6 * S - 1;
	assert_int_equal(get(0x0a), 0xa6);
	time_ns = 6 * S;
	assert_int_equal(get(0x0a), 0x26);
	/* the divider's reset stops the clock; the first update comes half a second after it */
	put(0x0a, 0x76);
	time_ns += 100 * S + 123;
	expect_time(EPOCH + 6);
	put(0x0a, 0x26);
	time_ns += S / 2 - 1;
	expect_time(EPOCH + 6);
	time_ns++;
	expect_time(EPOCH + 7);
	time_ns += S - 1;
	expect_time(EPOCH + 7);
	time_ns++;
	expect_time(EPOCH + 8);
}

static void periodic(void **state)
{
	(void)state;
	make(128 << 20);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	assert_int_equal(get(0x0c), 0);
	time_ns = S;
	assert_int_equal(get(0x0c), 0x50); /* flags without their enables: no IRQF */
	assert_false(wire);
	put(0x0b, 0x42);
	for (unsigned rate = 1; rate < 16; rate++) {
		unsigned hz = rate == 1 ? 256 : rate == 2 ? 128 : 65536u >> rate, count = 0;

		put(0x0a, (uint8_t)(0x20 | rate));
		run_until((time_ns / S + 1) * S);
		(void)get(0x0c);
		uint64_t end = time_ns + S;

		while (clock_next(&clk) <= end) {
			time_ns = clock_next(&clk);
			clock_run(&clk);
			assert_true(wire);
			assert_true(clock_next(&clk) == CLOCK_NEVER); /* no more until this one is fetched */
			assert_int_equal(get(0x0c) & 0xc0, 0xc0);
			assert_false(wire);
			assert_int_equal(get(0x0c) & 0xc0, 0);
			count++;
		}
		assert_int_equal(count, hz);
		time_ns = end;
	}
	put(0x0a, 0x20);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	/* not fetched: coalesced */
	put(0x0a, 0x26);
	rises = 0;
	run_until(time_ns + 10 * S);
	assert_int_equal(rises, 1);
	assert_int_equal(get(0x0c) & 0xc0, 0xc0);
	assert_int_equal(get(0x0c), 0);
	assert_true(clock_next(&clk) <= time_ns + S / 1024 + 1);
}

static void update_ended(void **state)
{
	(void)state;
	make(128 << 20);
	time_ns = 10 * S + 500;
	put(0x0b, 0x12);
	assert_true(wire); /* the flag was set before: its enable tells it at once */
	(void)get(0x0c);
	for (unsigned i = 11; i < 20; i++) {
		assert_true(clock_next(&clk) == i * S);
		run_until(i * S);
		assert_true(wire);
		expect_time((time_t)(EPOCH + i));
		assert_int_equal(get(0x0c) & 0x90, 0x90);
	}
	put(0x0b, 0x92); /* SET clears UIE */
	assert_int_equal(get(0x0b), 0x82);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
}

static void alarm_once(uint8_t b, uint8_t h, uint8_t m, uint8_t s, uint64_t from, uint64_t want)
{
	make(128 << 20);
	time_ns = from * S;
	put(0x0b, b);
	put(5, h), put(3, m), put(1, s);
	(void)get(0x0c);
	put(0x0b, b | 0x20);
	if (want == UINT64_MAX) {
		assert_true(clock_next(&clk) == CLOCK_NEVER);
		return;
	}
	assert_true(clock_next(&clk) == want * S);
	run_until(want * S - 1);
	assert_false(wire);
	run_until(want * S);
	assert_true(wire);
	assert_int_equal(get(0x0c) & 0xa0, 0xa0);
}

static void alarms(void **state)
{
	/* EPOCH is 22:13:20 */
	(void)state;
	alarm_once(2, 0x22, 0x13, 0x30, 0, 10);
	alarm_once(2, 0x22, 0x13, 0x20, 0, 86400); /* now is past: tomorrow */
	alarm_once(2, 0x22, 0x13, 0x19, 0, 86399);
	alarm_once(2, 0x23, 0x00, 0x00, 0, 46 * 60 + 40);
	alarm_once(2, 0xff, 0xff, 0xff, 0, 1);
	alarm_once(2, 0xff, 0xff, 0x00, 0, 40);
	alarm_once(2, 0xc0, 0x00, 0x00, 0, 46 * 60 + 40);
	alarm_once(2, 0x21, 0xff, 0xff, 0, 86400 - 73 * 60 - 20);
	alarm_once(2, 0x22, 0xff, 0x10, 0, 50);
	alarm_once(2, 0x22, 0x12, 0xff, 0, 86400 - 80);
	alarm_once(0, 0x90, 0x13, 0x30, 0, 10);	    /* 10 p.m. */
	alarm_once(0, 0x10, 0x13, 0x30, 0, 43210);  /* 10 a.m. */
	alarm_once(6, 22, 13, 30, 0, 10);	    /* binary */
	alarm_once(6, 0x22, 13, 30, 0, UINT64_MAX); /* 34 o'clock never comes */
	alarm_once(2, 0xff, 0x60, 0xff, 0, UINT64_MAX);
	alarm_once(2, 0xff, 0xff, 0x1a, 0, UINT64_MAX);
	alarm_once(2, 0x22, 0x13, 0x30, 1000000, 1036810);
	/* found late, after days without a look */
	make(128 << 20);
	put(5, 0x03), put(3, 0xff), put(1, 0x07);
	(void)get(0x0c);
	time_ns = 40 * 86400 * S;
	assert_int_equal(get(0x0c) & 0x20, 0x20);
	time_ns += 3600 * S;
	assert_int_equal(get(0x0c) & 0x20, 0);
}

static void cmos(void **state)
{
	static const struct {
		uint64_t ram;
		unsigned base, ext, above16, above4g;
	} cases[] = {
		{ 512 << 10, 512, 0, 0, 0 },
		{ 4 << 20, 640, 3072, 0, 0 },
		{ 128 << 20, 640, 65535, 1792, 0 },
		{ 3ull << 30, 640, 65535, 48896, 0 },
		{ 6ull << 30, 640, 65535, 48896, 49152 },
		{ 1ull << 41, 640, 65535, 48896, 0xffffff },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned sum = 0;

		make(cases[i].ram);
		assert_int_equal(get(0x15) | get(0x16) << 8, cases[i].base);
		assert_int_equal(get(0x17) | get(0x18) << 8, cases[i].ext);
		assert_int_equal(get(0x30) | get(0x31) << 8, cases[i].ext);
		assert_int_equal(get(0x34) | get(0x35) << 8, cases[i].above16);
		assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, cases[i].above4g);
		for (unsigned r = 0x10; r <= 0x2d; r++)
			sum += get(r);
		assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
	}
	put(0x7f, 0xa5);
	assert_int_equal(get(0x7f), 0xa5);
	assert_int_equal(get(0xff), 0xa5); /* bit 7 of the index is the NMI mask */
	assert_true(rtc_nmi_masked(&rtc));
	(void)get(0);
	assert_false(rtc_nmi_masked(&rtc));
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x70, 1), 0xff);
	put(0x0b, 0x7a);
	rtc_reset(&rtc);
	assert_int_equal(get(0x0b), 0x02);
	assert_int_equal(get(0x7f), 0xa5);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar),
		cmocka_unit_test(time_of_day),
		cmocka_unit_test(setting),
		cmocka_unit_test(absurd_times),
		cmocka_unit_test(update_in_progress),
		cmocka_unit_test(periodic),
		cmocka_unit_test(update_ended),
		cmocka_unit_test(alarms),
		cmocka_unit_test(cmos),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
