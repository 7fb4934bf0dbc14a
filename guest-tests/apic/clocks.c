/* All clocks of the machine tell one time. */
#include "guest-tests/apic/apic.h"

#define RTC_INDEX 0x70
#define RTC_DATA 0x71

static uint8_t rtc(uint8_t reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}

/* Waits for the clock's second to change: to which, and between which TSC values it did. */
struct edge {
	uint8_t second; /* BCD */
	struct span at;
};

static struct edge next_second(void)
{
	uint64_t before = rdtsc(), now;
	uint8_t second = rtc(0), later;

	for (;;) {
		now = rdtsc();
		later = rtc(0);
		if (later != second)
			return (struct edge){ later, { before, rdtsc() } };
		before = now;
	}
}

static unsigned from_bcd(uint8_t v)
{
	return v / 16 * 10u + v % 16;
}

/* Counts of the others, and between which TSC values each was read. */
struct moment {
	struct span apic_at, hpet_at;
	uint64_t apic, hpet;
};

static struct moment moment(void)
{
	struct moment m = { .hpet = 0 };

	m.apic_at.low = rdtsc();
	m.apic = ~0u - apic_read(APIC_TIMER_CURRENT);
	m.apic_at.high = m.hpet_at.low = rdtsc();
	if (hpet_present())
		m.hpet = hpet_read(HPET_COUNTER);
	m.hpet_at.high = rdtsc();
	return m;
}

/* Microseconds from a to b. */
static struct span passed(struct span a, struct span b)
{
	struct span rate = tsc_span();

	return (struct span){ (b.low - a.high) * 1000 / (rate.high / 1000 + 1), (b.high - a.low) * 1000 / (rate.low / 1000) };
}

/* A second of the clock, told by all others: to within 1 part in 200. */
static void test_agree(void)
{
	struct edge first, second;
	unsigned seconds;
	struct moment a, b;

	prepare();
	apic_write(APIC_LVT_TIMER, LVT_MASKED | 0x40);
	apic_write(APIC_TIMER_INITIAL, ~0u);
	if (hpet_present())
		hpet_start();
	first = next_second();
	a = moment();
	second = next_second();
	b = moment();
	seconds = (60 + from_bcd(second.second) - from_bcd(first.second)) % 60; /* one, if nothing came between */
	expect_span("us of the clock, by the TSC and the 8254,", passed(first.at, second.at), seconds * 1000000ull, 200);
	expect_span("us of the local APIC, by the TSC,", passed(a.apic_at, b.apic_at),
		    (b.apic - a.apic) * 1000 / (apic_timer_hz() / 1000), 200);
	if (hpet_present())
		expect_span("us of the HPET, by the TSC,", passed(a.hpet_at, b.hpet_at),
			    (b.hpet - a.hpet) * (hpet_read(0) >> 32) / 1000000000, 200);
	if (hyper_present() && cpuid(0, 0).eax >= 0x15) {
		struct regs4 r = cpuid(0x15, 0);

		expect((uint64_t)r.ecx / 1000 * r.ebx <= ~0u, "numerator %u: Linux multiplies in 32 bits", r.ebx);
		expect_span("TSC ticks a second", tsc_span(), (uint64_t)r.ecx * r.ebx / r.eax, 200);
		expect_span("the local APIC's a second", apic_timer_span(), r.ecx, 200);
	}
}

/* The HPET against the TSC, step by step: it never goes back, and never jumps. */
static void test_order(void)
{
	struct moment last, m;

	prepare();
	if (!hpet_present()) {
		skip("no HPET here");
		return;
	}
	hpet_start();
	last = moment();
	for (unsigned i = 0; i < 2000; i++) {
		struct span us;
		uint64_t told;

		m = moment();
		us = passed(last.hpet_at, m.hpet_at);
		told = (m.hpet - last.hpet) * (hpet_read(0) >> 32) / 1000000000;
		if (!expect(m.hpet >= last.hpet, "it went back from %lu to %lu", last.hpet, m.hpet) ||
		    !expect(told + told / 200 + 2 >= us.low && told <= us.high + us.high / 200 + 2,
			    "it went on by %lu us in %lu to %lu us", told, us.low, us.high))
			return;
		last = m;
	}
}

#define TICK_MS 5u
#define OWED 64u

/*
 * A guest that counts ticks gets those for which it was not run in time, up to 64 (devices/pit8254.h, devices/vlapic.h), and never
 * one too many. A machine below that takes the CPU away from VMM and guest together may merge some.
 */
static void count_ticks(const char *what, unsigned vector, void (*start)(void))
{
	uint64_t begin = rdtsc(), ms, want;

	start();
	(void)wait_taken(vector, ~0u, 200000);
	ms = (rdtsc() - begin) / (tsc_rate() / 1000);
	window();
	want = ms / TICK_MS < OWED ? ms / TICK_MS : OWED;
	expect(taken[vector] + 2 >= want / 2 && taken[vector] <= ms / TICK_MS + 2, "%s: %u ticks of %u ms in %lu ms", what,
	       taken[vector], TICK_MS, ms);
}

static void start_apic(void)
{
	apic_write(APIC_TIMER_INITIAL, (uint32_t)(apic_timer_hz() / 1000 * TICK_MS));
}

static void start_8254(void)
{
	unsigned count = PIT_HZ / 1000 * TICK_MS;

	outb(PIT_COMMAND, 0x34);
	outb(PIT_CHANNEL0, (uint8_t)count);
	outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
}

static void test_ticks(void)
{
	prepare();
	if (!hyper_present()) {
		skip("hardware forgets late ticks");
		return;
	}
	apic_timer_hz();
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | 0x41);
	count_ticks("local APIC", 0x41, start_apic);
	apic_write(APIC_TIMER_INITIAL, 0);
	ioapic_entry(2, 0x42);
	count_ticks("8254", 0x42, start_8254);
	ioapic_entry(2, IOAPIC_MASKED);
	outb(PIT_COMMAND, 0x30);
}

const struct test clock_tests[] = {
	{ "clocks-agree", test_agree },
	{ "clocks-order", test_order },
	{ "clocks-ticks", test_ticks },
	{ 0 },
};
