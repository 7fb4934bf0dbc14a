/*
 * A minute by the real-time clock, told by every other clock of the machine. The host's clock is the judge (tests/time): it sees when
 * the two lines come.
 */
#include "guest-tests/apic/apic.h"
#include "guest-tests/apic/minute.h"

#define VECTOR_8254 0x42
#define VECTOR_APIC 0x43
#define TICKS_HZ 100u

static unsigned rtc_second(void)
{
	uint8_t v;

	outb(0x70, 0);
	v = inb(0x71);
	return v / 16 * 10u + v % 16;
}

/* Sleeps from tick to tick until the clock's second is another one; returns how many passed. */
static unsigned next_second(unsigned *second)
{
	unsigned last = *second;

	while (rtc_second() == last)
		wait_for_interrupt();
	*second = rtc_second();
	return (60 + *second - last) % 60;
}

static void start_ticks(void)
{
	unsigned count = PIT_HZ / TICKS_HZ;

	ioapic_entry(2, VECTOR_8254);
	outb(PIT_COMMAND, 0x34);
	outb(PIT_CHANNEL0, (uint8_t)count);
	outb(PIT_CHANNEL0, (uint8_t)(count >> 8));
	apic_write(APIC_LVT_TIMER, LVT_PERIODIC | VECTOR_APIC);
	apic_write(APIC_TIMER_INITIAL, (uint32_t)(apic_timer_hz() / TICKS_HZ));
}

void minute(unsigned seconds)
{
	uint64_t tsc, hpet, rate = tsc_rate();
	unsigned second, passed = 0;

	prepare();
	apic_timer_hz();
	if (hpet_present())
		hpet_start();
	start_ticks();
	second = rtc_second();
	next_second(&second);
	print("minute begin\n");
	tsc = rdtsc();
	hpet = hpet_present() ? hpet_read(HPET_COUNTER) : 0;
	taken[VECTOR_8254] = taken[VECTOR_APIC] = 0;
	while (passed < seconds)
		passed += next_second(&second);
	print("minute end rtc=%u tsc=%lu 8254=%lu apic=%lu hpet=%lu\n", passed * 1000, (rdtsc() - tsc) / (rate / 1000),
	      (uint64_t)taken[VECTOR_8254] * 1000 / TICKS_HZ, (uint64_t)taken[VECTOR_APIC] * 1000 / TICKS_HZ,
	      hpet_present() ? (hpet_read(HPET_COUNTER) - hpet) * (hpet_read(0) >> 32) / 1000000000000 : 0);
}
