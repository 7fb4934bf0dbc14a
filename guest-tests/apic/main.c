/* Interrupt controllers and clocks, each mode seen from inside. Runs on a bare machine too, where that is the reference. */
#include "guest-tests/apic/apic.h"
#include "guest-tests/apic/minute.h"

int main(void);

volatile unsigned taken[256], order[ORDER], order_count, nmis;
volatile bool eoi_later;

static bool on_interrupt(struct trap_frame *f)
{
	unsigned vector = (unsigned)f->vector & 255;

	taken[vector]++;
	if (order_count < ORDER)
		order[order_count++] = vector;
	if (!eoi_later && vector != 0xff)
		apic_write(APIC_EOI, 0);
	return true;
}

static bool on_nmi(struct trap_frame *f)
{
	(void)f;
	nmis++;
	return true;
}

static void quiet_local(void)
{
	uint64_t base;

	base = rdmsr(MSR_APIC_BASE);
	if (base & BASE_X2APIC)
		wrmsr(MSR_APIC_BASE, base & 0x100);
	wrmsr(MSR_APIC_BASE, APIC_BASE | BASE_ENABLE | (base & 0x100));
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_DFR, ~0u);
	apic_write(APIC_LDR, 1u << 24);
	apic_write(APIC_TIMER_INITIAL, 0);
	for (uint32_t reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += 0x10)
		apic_write(reg, LVT_MASKED);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
}

static void quiet_inputs(void)
{
	pic_mask(0xffff);
	if (hpet_present()) {
		hpet_write(HPET_CONFIG, 0);
		for (unsigned n = 0; n < 3; n++)
			hpet_write(HPET_TIMER_CONFIG(n), 0);
		hpet_write(HPET_STATUS, 7);
	}
	for (unsigned pin = 0; pin < 24; pin++)
		ioapic_entry(pin, IOAPIC_MASKED);
	for (unsigned irq = 3; irq < 16; irq++)
		raise_irq(irq, false);
}

void prepare(void)
{
	interrupts_off();
	for (unsigned v = 0x30; v < 256; v++)
		trap_handler(v, on_interrupt);
	trap_handler(VEC_NMI, on_nmi);
	quiet_local();
	quiet_inputs();
	eoi_later = false;
	for (unsigned i = 0; i < 16; i++) { /* what earlier tests left */
		window();
		apic_write(APIC_EOI, 0);
	}
	apic_write(APIC_ESR, 0);
	apic_write(APIC_ESR, 0);
	for (unsigned v = 0; v < 256; v++)
		taken[v] = 0;
	order_count = nmis = 0;
}

void apic_command(uint32_t dest, uint32_t low)
{
	apic_write(APIC_ICR_HIGH, dest << 24);
	apic_write(APIC_ICR, low);
	for (unsigned i = 0; i < 1000 && apic_read(APIC_ICR) & 0x1000; i++)
		;
}

bool apic_bit(uint32_t set, unsigned vector)
{
	return apic_read(set + (vector / 32 << 4)) >> (vector & 31) & 1;
}

uint32_t ioapic_read(unsigned index)
{
	*mmio32(IOAPIC_BASE) = index;
	return *mmio32(IOAPIC_BASE + 0x10);
}

void ioapic_write(unsigned index, uint32_t value)
{
	*mmio32(IOAPIC_BASE) = index;
	*mmio32(IOAPIC_BASE + 0x10) = value;
}

void ioapic_entry(unsigned pin, uint32_t low)
{
	ioapic_write(0x11 + 2 * pin, apic_read(APIC_ID) & 0xff000000);
	ioapic_write(0x10 + 2 * pin, low);
}

uint32_t ioapic_entry_low(unsigned pin)
{
	return ioapic_read(0x10 + 2 * pin);
}

/* Mode 0 of channel 2, with its output polled (Intel 8254 data sheet). */
static struct span pit_ticks(unsigned us)
{
	unsigned count = (unsigned)((uint64_t)us * PIT_HZ / 1000000);
	uint64_t before, started, undone, now;

	outb(0x61, 1);
	outb(PIT_COMMAND, 0xb0);
	outb(PIT_CHANNEL2, (uint8_t)count);
	before = rdtsc();
	outb(PIT_CHANNEL2, (uint8_t)(count >> 8));
	started = undone = now = rdtsc();
	while (!(inb(0x61) & 0x20)) {
		undone = now;
		now = rdtsc();
	}
	return (struct span){ undone - started, rdtsc() - before };
}

void pit_wait(unsigned us)
{
	pit_ticks(us);
}

void span_meet(struct span *s, struct span with)
{
	if (with.low > s->low)
		s->low = with.low;
	if (!s->high || with.high < s->high)
		s->high = with.high;
}

/* Until it is known to 1 part in 2,000, or it was tried often: much may come between. */
struct span tsc_span(void)
{
	static struct span rate;
	static unsigned rounds;

	for (; rounds < 20 && (!rate.high || rate.high - rate.low > rate.high / 2000); rounds++) {
		struct span ticks = pit_ticks(50000);

		span_meet(&rate, (struct span){ ticks.low * 20, ticks.high * 20 });
	}
	return rate;
}

uint64_t tsc_rate(void)
{
	struct span rate = tsc_span();

	return (rate.low + rate.high) / 2;
}

bool wait_taken(unsigned vector, unsigned n, uint64_t us)
{
	uint64_t ticks = tsc_rate() / 1000000 * us, start = rdtsc();

	while (taken[vector] < n && rdtsc() - start < ticks)
		window();
	return taken[vector] >= n;
}

bool expect_span(const char *what, struct span got, uint64_t want, uint64_t part)
{
	return expect(got.low <= want + want / part && got.high >= want - want / part, "%s are between %lu and %lu, not %lu", what,
		      got.low, got.high, want);
}

/* All subjects, or those that the command line names; with minute=SECONDS that instead. */
int main(void)
{
	static const struct subject {
		const char *name;
		const struct test *tests;
	} subjects[] = {
		{ "local", local_tests },   { "base", base_tests }, { "timer", timer_tests },
		{ "ioapic", ioapic_tests }, { "hpet", hpet_tests }, { "clocks", clock_tests },
	};
	unsigned count = sizeof(subjects) / sizeof(subjects[0]);
	bool some = false;

	guest_init();
	if (boot_number("minute", 0)) {
		minute((unsigned)boot_number("minute", 0));
		return 0;
	}
	for (unsigned i = 0; i < count; i++)
		some |= boot_option(subjects[i].name);
	for (unsigned i = 0; i < count; i++)
		if (!some || boot_option(subjects[i].name))
			tests_run(subjects[i].tests);
	print("%u failed\n", tests_failed());
	return tests_failed() ? 1 : 0;
}
