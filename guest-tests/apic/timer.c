/* The local APIC's timer: one-shot, periodic, TSC-deadline, and changes between them (SDM vol. 3, 11.5.4). */
#include "guest-tests/apic/apic.h"

#define VECTOR 0x71

struct span apic_timer_span(void)
{
	static struct span hz;
	static unsigned rounds;
	struct span rate = tsc_span();

	for (; rounds < 20 && (!hz.high || hz.high - hz.low > hz.high / 1000); rounds++) {
		uint64_t before, started, end, counts;

		apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
		before = rdtsc();
		apic_write(APIC_TIMER_INITIAL, ~0u);
		started = rdtsc();
		pit_wait(20000);
		end = rdtsc();
		counts = (uint64_t)(~0u - apic_read(APIC_TIMER_CURRENT)) * 1000;
		span_meet(&hz, (struct span){ counts * (rate.low / 1000) / (rdtsc() - before),
					      counts * (rate.high / 1000 + 1) / (end - started) });
		apic_write(APIC_TIMER_INITIAL, 0);
	}
	return hz;
}

uint64_t apic_timer_hz(void)
{
	struct span hz = apic_timer_span();

	return (hz.low + hz.high) / 2;
}

static void test_one_shot(void)
{
	uint32_t ms = (uint32_t)(apic_timer_hz() / 1000), left;
	uint64_t start;

	prepare();
	apic_write(APIC_LVT_TIMER, VECTOR);
	apic_write(APIC_TIMER_INITIAL, ~0u);
	left = apic_read(APIC_TIMER_CURRENT);
	expect(left, "the count is 0 at once");
	expect(apic_read(APIC_TIMER_CURRENT) <= left, "it does not count down");
	start = rdtsc();
	apic_write(APIC_TIMER_INITIAL, 5 * ms);
	expect(wait_taken(VECTOR, 1, SOON), "no interrupt");
	expect((rdtsc() - start) / (tsc_rate() / 1000000) >= 4900, "5 ms passed in %lu us",
	       (rdtsc() - start) / (tsc_rate() / 1000000));
	expect_eq("the count then", apic_read(APIC_TIMER_CURRENT), 0);
	expect(!wait_taken(VECTOR, 2, 20000), "a second interrupt");
	/* masked, and stopped */
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
	apic_write(APIC_TIMER_INITIAL, ms);
	pit_wait(3000);
	expect_eq("the count when masked", apic_read(APIC_TIMER_CURRENT), 0);
	window();
	expect_eq("interrupts when masked", taken[VECTOR], 1);
	apic_write(APIC_LVT_TIMER, VECTOR);
	apic_write(APIC_TIMER_INITIAL, 5 * ms);
	apic_write(APIC_TIMER_INITIAL, 0);
	expect(!wait_taken(VECTOR, 2, 20000), "an interrupt though it was stopped");
}

static void test_divide(void)
{
	static const uint8_t code[8] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa }; /* by 1, 2, 4 ... 128 */
	uint64_t rate = tsc_rate() / 1000000;

	prepare();
	for (unsigned i = 0; i < 8; i++) {
		uint64_t before, started, end, counts;

		apic_write(APIC_TIMER_DIVIDE, code[i]);
		expect_eq("divide", apic_read(APIC_TIMER_DIVIDE), code[i]);
		before = rdtsc();
		apic_write(APIC_TIMER_INITIAL, ~0u);
		started = rdtsc();
		pit_wait(4000);
		end = rdtsc();
		counts = ~0u - apic_read(APIC_TIMER_CURRENT);
		expect_span("us", (struct span){ (end - started) / rate, (rdtsc() - before) / rate },
			    (counts << i) * 1000000 / apic_timer_hz(), 50);
		apic_write(APIC_TIMER_INITIAL, 0);
	}
}

/* No tick comes before its time. How many come after it is clocks.c's. */
static void test_periodic(void)
{
	uint32_t ms = (uint32_t)(apic_timer_hz() / 1000);
	uint64_t start, us;

	prepare();
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR);
	start = rdtsc();
	apic_write(APIC_TIMER_INITIAL, 2 * ms);
	while (taken[VECTOR] < 50)
		wait_for_interrupt();
	us = (rdtsc() - start) / (tsc_rate() / 1000000);
	expect(us >= 99000, "50 ticks of 2 ms in %lu us", us);
	apic_write(APIC_TIMER_INITIAL, 0);
	window();
	expect(!wait_taken(VECTOR, taken[VECTOR] + 1, 20000), "an interrupt though it was stopped");
}

static void count_down(void)
{
	uint64_t end = rdtsc() + tsc_rate() / 1000000 * SOON;

	while (apic_read(APIC_TIMER_CURRENT) && rdtsc() < end)
		;
}

static void test_modes(void)
{
	uint32_t left;

	prepare();
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
	apic_write(APIC_TIMER_INITIAL, ~0u);
	pit_wait(20000);
	left = apic_read(APIC_TIMER_CURRENT);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | VECTOR);
	expect(apic_read(APIC_TIMER_CURRENT) <= left, "a change to periodic mode set it anew");
	left = apic_read(APIC_TIMER_CURRENT);
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
	expect(apic_read(APIC_TIMER_CURRENT) <= left, "a change to one-shot mode set it anew");
	/* changed on the way, it is periodic: it never stands at 0 */
	apic_write(APIC_TIMER_INITIAL, (uint32_t)(apic_timer_hz() / 100));
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | VECTOR);
	if (apic_read(APIC_TIMER_CURRENT)) { /* else the change came too late */
		pit_wait(25000);
		left = apic_read(APIC_TIMER_CURRENT);
		expect(left && left <= apic_timer_hz() / 100, "periodic, it is at %u", left);
	}
	apic_write(APIC_LVT_TIMER, LVT_MASKED | VECTOR);
	count_down();
	expect_eq("one-shot, it ends", apic_read(APIC_TIMER_CURRENT), 0);
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | LVT_MASKED | VECTOR);
	expect_eq("periodic, when the count is at its end,", apic_read(APIC_TIMER_CURRENT), 0);
}

static void test_deadline(void)
{
	uint64_t at, told;

	prepare();
	if (!(cpuid(1, 0).ecx >> 24 & 1)) {
		skip("CPUID offers no TSC deadline");
		return;
	}
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_rate());
	expect_eq("the deadline in another mode", rdmsr(MSR_TSC_DEADLINE), 0);
	apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR);
	__asm__ volatile("mfence");
	apic_write(APIC_TIMER_INITIAL, 1000);
	expect_eq("the count", apic_read(APIC_TIMER_CURRENT), 0);
	for (unsigned i = 1; i <= 20; i++) {
		at = rdtsc() + tsc_rate() / 1000 * i / 2;
		wrmsr(MSR_TSC_DEADLINE, at);
		told = rdmsr(MSR_TSC_DEADLINE);
		expect(told == at || (!told && rdtsc() >= at), "the deadline is %lu, not %lu", told, at);
		expect(wait_taken(VECTOR, i, SOON), "no interrupt");
		expect(rdtsc() >= at, "%lu ticks before its time", at - rdtsc());
		expect_eq("the deadline when it has passed", rdmsr(MSR_TSC_DEADLINE), 0);
	}
	wrmsr(MSR_TSC_DEADLINE, 1); /* long ago */
	window();
	expect_eq("interrupts with a deadline that has passed", taken[VECTOR], 21);
	at = rdtsc() + tsc_rate() / 50;
	wrmsr(MSR_TSC_DEADLINE, at);
	wrmsr(MSR_TSC_DEADLINE, 0);
	if (rdtsc() < at) /* else it has passed, and rightly so */
		expect(!wait_taken(VECTOR, 22, 30000), "an interrupt though it was disarmed");
	window();
	taken[VECTOR] = 0;
	at = rdtsc() + tsc_rate() / 50;
	wrmsr(MSR_TSC_DEADLINE, at);
	apic_write(APIC_LVT_TIMER, VECTOR);
	expect_eq("the deadline in one-shot mode", rdmsr(MSR_TSC_DEADLINE), 0);
	if (rdtsc() < at)
		expect(!wait_taken(VECTOR, 1, 30000), "an interrupt though the mode changed");
}

/* When the TSC is set, a deadline is one of the new TSC. */
static void test_deadline_tsc(void)
{
	uint64_t tsc;

	prepare();
	if (!(cpuid(1, 0).ecx >> 24 & 1) || bare_tcg()) {
		skip("CPUID offers no TSC deadline, or the TSC cannot be set");
		return;
	}
	apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR);
	__asm__ volatile("mfence");
	tsc = rdtsc();
	wrmsr(MSR_TSC_DEADLINE, tsc + 100 * tsc_rate());
	wrmsr(MSR_TSC, tsc + 101 * tsc_rate());
	expect(wait_taken(VECTOR, 1, SOON), "a jump of the TSC passed the deadline without an interrupt");
	wrmsr(MSR_TSC, tsc);
}

const struct test timer_tests[] = {
	{ "timer-one-shot", test_one_shot },
	{ "timer-divide", test_divide },
	{ "timer-periodic", test_periodic },
	{ "timer-modes", test_modes },
	{ "timer-deadline", test_deadline },
	{ "timer-deadline-tsc", test_deadline_tsc },
	{ 0 },
};
