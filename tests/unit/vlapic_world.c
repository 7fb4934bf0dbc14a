#include "tests/unit/vlapic_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

struct bus bus;
struct clock clk;
struct vlapic apic;
uint64_t time_ns, tsc_offset, look_ns;
unsigned nmis, inits, intrs, reachables, eois;
uint8_t last_eoi;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns += look_ns;
}

static void intr(void *arg)
{
	assert_ptr_equal(arg, &bus);
	intrs++;
}

static void nmi(void *arg)
{
	(void)arg;
	nmis++;
}

static void init(void *arg)
{
	(void)arg;
	inits++;
}

static void eoi(void *arg, uint8_t vector)
{
	(void)arg;
	eois++;
	last_eoi = vector;
}

static void reachable(void *arg)
{
	(void)arg;
	reachables++;
}

uint64_t tsc(void *arg)
{
	(void)arg;
	return time_ns * TSC_PER_NS + tsc_offset;
}

static uint64_t tsc_time(void *arg, uint64_t value)
{
	uint64_t left = value - tsc(arg);

	return value <= tsc(arg) ? time_ns : time_ns + (left + TSC_PER_NS - 1) / TSC_PER_NS;
}

static const struct vlapic_ops ops = {
	.intr = intr, .nmi = nmi, .init = init, .eoi = eoi, .reachable = reachable, .tsc = tsc, .tsc_time = tsc_time
};

uint32_t rd(uint32_t reg)
{
	return (uint32_t)bus_read(&bus, BUS_MMIO, VLAPIC_BASE + reg, 4);
}

void wr(uint32_t reg, uint32_t value)
{
	bus_write(&bus, BUS_MMIO, VLAPIC_BASE + reg, 4, value);
}

void power_on(void)
{
	memset(&bus, 0, sizeof(bus));
	clk = (struct clock){ .now = now };
	time_ns = 1000000000;
	tsc_offset = nmis = inits = intrs = reachables = eois = 0;
	vlapic_init(&apic, &bus, &clk, &ops, &bus);
}

/* Enabled by software, as every test but that of the reset wants it. */
void make(void)
{
	power_on();
	wr(0xf0, 0x1ff);
}

void go(uint64_t ns)
{
	uint64_t end = time_ns + ns;

	while (clock_next(&clk) <= end) {
		if (clock_next(&clk) > time_ns)
			time_ns = clock_next(&clk);
		clock_run(&clk);
	}
	time_ns = end;
}

bool send(uint32_t dest, bool logical, uint8_t mode, uint8_t vector, bool level)
{
	return vlapic_message(
		&apic, &(struct apic_message){ .dest = dest, .logical = logical, .mode = mode, .vector = vector, .level = level });
}

bool fixed(uint8_t vector)
{
	return send(0, false, APIC_FIXED, vector, false);
}

/* Takes and ends all that is pending with this vector; how many there were. */
unsigned drain(uint8_t vector)
{
	unsigned n = 0;

	while (vlapic_pending(&apic) >= 0) {
		assert_int_equal(vlapic_ack(&apic), vector);
		wr(0xb0, 0);
		n++;
	}
	return n;
}
