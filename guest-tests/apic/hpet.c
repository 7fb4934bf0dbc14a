/* The HPET: counter, comparators, and where their interrupts go. */
#include "guest-tests/apic/apic.h"

#define ENABLE 4u
#define PERIODIC 8u
#define LEVEL 2u
#define SET 0x40u
#define BITS32 0x100u
#define ROUTE(pin) ((pin) << 9)

bool hpet_present(void)
{
	uint64_t id = hpet_read(0);

	return id != ~0ull && (id >> 16 & 0xffff) == 0x8086;
}

/* Comparators are written while it stands, so that the counter cannot have passed them. */
static void hpet_stop(void)
{
	hpet_write(HPET_CONFIG, 0);
	hpet_write(HPET_COUNTER, 0);
}

void hpet_start(void)
{
	hpet_stop();
	hpet_write(HPET_CONFIG, 1);
}

static bool absent(void)
{
	prepare();
	if (hpet_present())
		return false;
	skip("no HPET here");
	return true;
}

static uint64_t ticks_of_us(uint64_t us)
{
	return us * 1000000000 / (hpet_read(0) >> 32);
}

/* The last input that timer n can be routed to. */
static unsigned route(unsigned n)
{
	uint32_t routes = (uint32_t)(hpet_read(HPET_TIMER_CONFIG(n)) >> 32);

	return 31 - (unsigned)__builtin_clz(routes | 1);
}

static void test_counter(void)
{
	uint64_t a, b;

	if (absent())
		return;
	expect((hpet_read(0) >> 32) <= 100000000, "a period of %lu fs", hpet_read(0) >> 32);
	hpet_start();
	a = hpet_read(HPET_COUNTER);
	b = hpet_read(HPET_COUNTER);
	expect(b >= a, "it went from %lu to %lu", a, b);
	hpet_write(HPET_CONFIG, 0);
	a = hpet_read(HPET_COUNTER);
	expect_eq("it while it stands", hpet_read(HPET_COUNTER), a);
	hpet_write(HPET_COUNTER, 0x123456789abcdefull);
	expect_eq("what was written", hpet_read(HPET_COUNTER), 0x123456789abcdefull);
	expect_eq("its low half", *mmio32(HPET_BASE + HPET_COUNTER), 0x89abcdef);
	expect_eq("its high half", *mmio32(HPET_BASE + HPET_COUNTER + 4), 0x1234567);
	hpet_write(HPET_COUNTER, 0xffffffffull);
	hpet_write(HPET_CONFIG, 1);
	pit_wait(1000);
	expect_eq("the carry", hpet_read(HPET_COUNTER) >> 32, 1);
}

static void test_one_shot(void)
{
	if (absent())
		return;
	for (unsigned n = 0; n < 3; n++) {
		unsigned pin = route(n), vector = 0x81 + n;

		ioapic_entry(pin, vector);
		hpet_stop();
		hpet_write(HPET_TIMER_CONFIG(n), ENABLE | ROUTE(pin));
		hpet_write(HPET_COMPARATOR(n), ticks_of_us(3000));
		hpet_write(HPET_CONFIG, 1);
		expect(wait_taken(vector, 1, SOON), "timer %u gave no interrupt", n);
		expect(hpet_read(HPET_COUNTER) >= ticks_of_us(3000), "it came too early");
		expect(!wait_taken(vector, 2, 10000), "timer %u gave a second interrupt", n);
		hpet_write(HPET_TIMER_CONFIG(n), 0);
		ioapic_entry(pin, IOAPIC_MASKED);
	}
}

static void test_periodic(void)
{
	uint64_t now, next;
	unsigned pin;

	if (absent())
		return;
	pin = route(0);
	ioapic_entry(pin, 0x84);
	hpet_stop();
	hpet_write(HPET_TIMER_CONFIG(0), ENABLE | PERIODIC | SET | BITS32 | ROUTE(pin));
	hpet_write(HPET_COMPARATOR(0), ticks_of_us(2000));
	hpet_write(HPET_COMPARATOR(0), ticks_of_us(2000));
	hpet_write(HPET_CONFIG, 1);
	while (taken[0x84] < 50)
		wait_for_interrupt();
	/* late periods are one interrupt, and the phase stays */
	now = hpet_read(HPET_COUNTER);
	next = hpet_read(HPET_COMPARATOR(0));
	expect(now >= ticks_of_us(100000), "50 periods of 2 ms in %lu ticks", now);
	expect(next > now, "the next period is %lu at %lu", next, now);
	expect_eq("the comparator's phase", next % ticks_of_us(2000), 0);
	hpet_write(HPET_TIMER_CONFIG(0), 0);
	window();
	expect(!wait_taken(0x84, taken[0x84] + 1, 10000), "an interrupt though it is off");
}

static void test_level(void)
{
	unsigned pin;

	if (absent())
		return;
	pin = route(2);
	eoi_later = true;
	ioapic_entry(pin, IOAPIC_LEVEL | 0x85);
	hpet_stop();
	hpet_write(HPET_TIMER_CONFIG(2), ENABLE | LEVEL | ROUTE(pin));
	hpet_write(HPET_COMPARATOR(2), ticks_of_us(1000));
	hpet_write(HPET_CONFIG, 1);
	expect(wait_taken(0x85, 1, SOON), "no interrupt");
	expect_eq("status", hpet_read(HPET_STATUS), 4);
	apic_write(APIC_EOI, 0);
	window();
	expect_eq("interrupts while the status stands", taken[0x85], 2);
	hpet_write(HPET_STATUS, 4);
	expect_eq("status when it was cleared", hpet_read(HPET_STATUS), 0);
	apic_write(APIC_EOI, 0);
	window();
	expect_eq("interrupts then", taken[0x85], 2);
}

/* Timer 0 in the 8254's place, by the I/O APIC's input 2. */
static void test_replacement(void)
{
	if (absent())
		return;
	ioapic_entry(2, 0x86);
	hpet_stop();
	hpet_write(HPET_TIMER_CONFIG(0), ENABLE | PERIODIC | SET);
	hpet_write(HPET_COMPARATOR(0), ticks_of_us(1000));
	hpet_write(HPET_COMPARATOR(0), ticks_of_us(1000));
	hpet_write(HPET_CONFIG, 3);
	expect(wait_taken(0x86, 10, SOON), "%u interrupts", taken[0x86]);
	hpet_write(HPET_TIMER_CONFIG(0), 0);
	window();
	taken[0x86] = 0;
	outb(PIT_COMMAND, 0x34);
	outb(PIT_CHANNEL0, 0xa9);
	outb(PIT_CHANNEL0, 0x04); /* 1 kHz */
	expect(!wait_taken(0x86, 1, 10000), "the 8254 interrupts still");
	hpet_write(HPET_CONFIG, 1);
	expect(wait_taken(0x86, 5, SOON), "the 8254 does not interrupt any more");
	ioapic_entry(2, IOAPIC_MASKED);
	outb(PIT_COMMAND, 0x30);
}

const struct test hpet_tests[] = {
	{ "hpet-counter", test_counter }, { "hpet-one-shot", test_one_shot },	    { "hpet-periodic", test_periodic },
	{ "hpet-level", test_level },	  { "hpet-replacement", test_replacement }, { 0 },
};
