/* Time: the TSC, measured against a clock whose rate is known. */
#include <errno.h>
#include <stddef.h>

#include "mm/map.h"
#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/timer.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

#define PIT_HZ 1193182u /* 14.31818 MHz / 12 */
#define PIT_CHANNEL2 0x42
#define PIT_CONTROL 0x43
#define PIT_CHANNEL2_MODE0 0xb0 /* low and high byte, interrupt on terminal count (Intel 8254 data sheet) */
#define PORT_B 0x61
#define PORT_B_GATE2 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUT2 0x20

#define PM_TIMER_HZ 3579545u
#define HPET_PERIOD_MAX 100000000u /* femtoseconds (IA-PC HPET 1.0a 2.3.4) */

#define PARTS 100 /* a measurement takes 1/PARTS of a second at least */
#define PIT_COUNT (PIT_HZ / PARTS)
#define SPIN_MAX 5000000 /* reads of the PIT in that time, by far */
#define ROUNDS_MAX 200
#define EXACT 4000 /* known to 1 part in this is well known */
#define TSC_HZ_MIN 100000u
#define TSC_HZ_MAX 100000000000ull

static uint64_t hz, start_tsc;
static uint64_t ns_per_tick; /* 32.32 fixed point */

uint64_t tsc_hz(void)
{
	return hz;
}

uint64_t time_ns(void)
{
	return (uint64_t)((unsigned __int128)(rdtsc() - start_tsc) * ns_per_tick >> 32);
}

uint64_t time_of_ticks(uint64_t ticks)
{
	unsigned __int128 ns = (unsigned __int128)ticks * ns_per_tick >> 32;

	return ns >> 62 ? UINT64_MAX : (uint64_t)ns;
}

/*
 * The TSC is read now and then only, and PAUSE is left out: where time is a count of instructions (QEMU's icount), each of the two
 * stops the translated code, and a hundredth of a second took seconds.
 */
void tsc_pass(uint64_t from, uint64_t ticks)
{
	while (rdtsc() - from < ticks)
		for (unsigned i = 0; i < 64; i++)
			__asm__ volatile("");
}

/*
 * One measurement, between two limits. When a clock is read, something may come between (SMM, a host that runs someone else, for longer
 * than the measurement itself): the TSC is read on both sides of both ends. Of several measurements, what lies in all of them is true.
 */
struct span {
	uint64_t low, high; /* Hz; high 0: the clock does not work */
};

static struct span span(uint64_t start, uint64_t started, uint64_t before_end, uint64_t end, uint64_t clock_hz, uint64_t counts)
{
	return (struct span){ (before_end - started) * clock_hz / counts, (end - start) * clock_hz / counts + 1 };
}

static struct span measure_pit(void)
{
	struct span s = { 0 };
	uint8_t saved = inb(PORT_B);
	outb(PORT_B, (saved & ~PORT_B_SPEAKER) | PORT_B_GATE2);
	outb(PIT_CONTROL, PIT_CHANNEL2_MODE0);
	outb(PIT_CHANNEL2, PIT_COUNT & 0xff);
	uint64_t start = rdtsc();
	outb(PIT_CHANNEL2, PIT_COUNT >> 8);
	uint64_t started = rdtsc(), last = started;
	if (!(inb(PORT_B) & PORT_B_OUT2)) {
		for (unsigned i = 0; i < SPIN_MAX && !s.high; i++) {
			uint64_t now = rdtsc();
			if (inb(PORT_B) & PORT_B_OUT2)
				s = span(start, started, last, rdtsc(), PIT_HZ, PIT_COUNT);
			last = now;
		}
	}
	outb(PORT_B, saved);
	return s;
}

struct counter {
	uint64_t (*read)(void);
	uint64_t hz, mask;
};

/* Between two readings that are so many ticks of the TSC apart. Nothing is known where the counter has not moved enough. */
static struct span measure_counter(const struct counter *c, uint64_t ticks)
{
	uint64_t start = rdtsc(), first = c->read(), started = rdtsc();
	tsc_pass(started, ticks);
	uint64_t before = rdtsc(), passed = (c->read() - first) & c->mask, after = rdtsc();
	if (passed < c->hz / PARTS)
		return (struct span){ 0, UINT64_MAX };
	/* Give or take one: it was read between two of its own ticks, twice. */
	return (struct span){ (before - started) * c->hz / (passed + 1), (after - start) * c->hz / (passed - 1) };
}

static uint16_t pm_port;

static uint64_t pm_read(void)
{
	return inl(pm_port);
}

static volatile uint64_t *hpet;

static uint64_t hpet_read(void)
{
	return *(volatile uint32_t *)&hpet[0xf0 / 8]; /* the low half: atomic for 32-bit HPETs too */
}

static uint64_t hpet_start(uint64_t base)
{
	if (!base || map_mmio(base, 0x400))
		return 0;
	hpet = (volatile uint64_t *)(uintptr_t)base;
	uint32_t period = (uint32_t)(hpet[0] >> 32);
	if (!period || period > HPET_PERIOD_MAX)
		return 0;
	hpet[0x10 / 8] |= 1; /* ENABLE_CNF */
	return 1000000000000000ull / period;
}

static bool exact(struct span s)
{
	return s.high - s.low <= s.high / EXACT;
}

static void narrow(struct span *all, struct span s)
{
	if (s.low > all->high || s.high < all->low) /* one of them is wrong, as when a counter wraps unseen */
		*all = (struct span){ 0, UINT64_MAX };
	all->low = s.low > all->low ? s.low : all->low;
	all->high = s.high < all->high ? s.high : all->high;
}

static uint64_t middle(struct span s)
{
	uint64_t best = s.low + (s.high - s.low) / 2;
	return best >= TSC_HZ_MIN && best <= TSC_HZ_MAX ? best : 0;
}

/*
 * Twice as long each time, up to a second: what a reading takes matters the less. It takes long where a hypervisor below emulates
 * the counter; the counter is read twice for each measurement and not all along, for that alone would be most of what a boot costs
 * there.
 */
static uint64_t counter_gives_hz(const struct counter *c)
{
	struct span all = { 0, UINT64_MAX };
	for (uint64_t ticks = TSC_HZ_MIN / PARTS; !exact(all); ticks *= 2) {
		if (ticks > (all.high == UINT64_MAX ? TSC_HZ_MAX / PARTS : all.high))
			break;
		narrow(&all, measure_counter(c, ticks));
	}
	return middle(all);
}

static uint64_t pit_gives_hz(void)
{
	struct span all = { 0, UINT64_MAX };
	for (unsigned i = 0; i < ROUNDS_MAX && !exact(all); i++) {
		struct span s = measure_pit();
		if (!s.high)
			return 0;
		narrow(&all, s);
	}
	return middle(all);
}

/* Counters first: to read one takes an instant, and anything may come between two readings. The PIT must be watched as it ends. */
static const char *measure(const struct boot_info *bi)
{
	struct counter c = { pm_read, PM_TIMER_HZ, bi->pm_timer_32 ? 0xffffffff : 0xffffff };
	pm_port = bi->pm_timer_port;
	hz = pm_port ? counter_gives_hz(&c) : 0;
	if (hz)
		return "ACPI timer";
	c = (struct counter){ hpet_read, hpet_start(bi->hpet_base), 0xffffffff };
	hz = c.hz ? counter_gives_hz(&c) : 0;
	if (hz)
		return "HPET";
	hz = pit_gives_hz();
	return hz ? "PIT" : NULL;
}

int time_init(const struct boot_info *bi)
{
	const char *clock = measure(bi);
	if (!clock)
		return -ENODEV;
	ns_per_tick = (1000000000ull << 32) / hz;
	start_tsc = rdtsc();
	this_cpu()->tsc_hz = hz;
	log_info("time: TSC of %llu kHz, measured by the %s", (unsigned long long)(hz / 1000), clock);
	return timer_init(this_cpu()->features.tsc_deadline);
}
