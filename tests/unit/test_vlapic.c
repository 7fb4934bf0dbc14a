/* The local APIC: priorities, destinations, modes, registers, as the manual's chapter 11 has them. */
/* links: devices/vlapic.c devices/vlapic_reg.c devices/vlapic_timer.c devices/clock.c devices/bus.c tests/unit/vlapic_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/random.h"
#include "tests/unit/vlapic_world.h"

static void reset_values(void **state)
{
	static const struct {
		uint32_t reg, value;
	} want[] = {
		{ 0x20, 0 },	    { 0x30, 0x00050014 }, { 0x80, 0 },	      { 0xa0, 0 },	  { 0xb0, 0 },
		{ 0xd0, 0 },	    { 0xe0, ~0u },	  { 0xf0, 0xff },     { 0x100, 0 },	  { 0x170, 0 },
		{ 0x180, 0 },	    { 0x200, 0 },	  { 0x280, 0 },	      { 0x300, 0 },	  { 0x310, 0 },
		{ 0x320, 0x10000 }, { 0x330, 0x10000 },	  { 0x340, 0x10000 }, { 0x350, 0x10000 }, { 0x360, 0x10000 },
		{ 0x370, 0x10000 }, { 0x380, 0 },	  { 0x390, 0 },	      { 0x3e0, 0 },
	};

	(void)state;
	power_on();
	assert_true(apic.base == 0xfee00900);
	for (unsigned i = 0; i < sizeof(want) / sizeof(want[0]); i++)
		assert_int_equal(rd(want[i].reg), want[i].value);
	assert_false(fixed(0x40)); /* disabled by software: nothing is accepted, and masks cannot be taken off */
	wr(0x320, 0x40);
	assert_int_equal(rd(0x320), 0x10040);
	assert_false(vlapic_takes_extint(&apic));
	vlapic_virtual_wire(&apic);
	assert_int_equal(rd(0xf0), 0x1ff);
	assert_int_equal(rd(0x350), 0x700);
	assert_int_equal(rd(0x360), 0x400);
	assert_true(vlapic_takes_extint(&apic));
	vlapic_lint(&apic, 1, true);
	vlapic_lint(&apic, 1, true);
	assert_int_equal(nmis, 1);
	vlapic_lint(&apic, 1, false);
	wr(0x360, 0x10400);
	vlapic_lint(&apic, 1, true);
	assert_int_equal(nmis, 1);
	/* disabling by software masks all */
	wr(0xf0, 0xff);
	for (uint32_t reg = 0x320; reg <= 0x370; reg += 0x10)
		assert_true(rd(reg) & 0x10000);
}

/* 11.8.3, 11.8.4: highest first; the priority class in service and the task priority hold back. */
static void priorities(void **state)
{
	(void)state;
	make();
	assert_true(fixed(0x41) && fixed(0x93) && fixed(0x95) && fixed(0xe0));
	assert_int_equal(rd(0x220), 1u << 1);
	assert_int_equal(rd(0x240), 1u << 0x13 | 1u << 0x15);
	assert_int_equal(vlapic_pending(&apic), 0xe0);
	wr(0x80, 0xe5);
	assert_int_equal(rd(0xa0), 0xe5);
	assert_int_equal(vlapic_pending(&apic), -1);
	assert_int_equal(vlapic_ack(&apic), 0xff); /* too late: the spurious vector, and nothing in service */
	assert_int_equal(rd(0x170), 0);
	vlapic_set_tpr(&apic, 0xd0);
	assert_int_equal(vlapic_ack(&apic), 0xe0);
	assert_int_equal(rd(0x170), 1);
	assert_int_equal(rd(0x270), 0);
	vlapic_set_tpr(&apic, 0);
	assert_int_equal(rd(0xa0), 0xe0);
	assert_int_equal(vlapic_pending(&apic), -1);
	assert_true(fixed(0xef)); /* of the same class */
	assert_int_equal(vlapic_pending(&apic), -1);
	assert_true(fixed(0xf1));
	assert_int_equal(vlapic_ack(&apic), 0xf1);
	wr(0xb0, 0);
	assert_int_equal(vlapic_pending(&apic), -1);
	wr(0xb0, 0);
	assert_int_equal(vlapic_ack(&apic), 0xef);
	wr(0xb0, 0);
	assert_int_equal(vlapic_ack(&apic), 0x95);
	assert_int_equal(vlapic_pending(&apic), -1);
	wr(0xb0, 0);
	assert_int_equal(vlapic_ack(&apic), 0x93);
	wr(0xb0, 0);
	wr(0xb0, 0); /* one too many does nothing */
	assert_int_equal(vlapic_ack(&apic), 0x41);
	wr(0xb0, 0);
	assert_int_equal(vlapic_pending(&apic), -1);
	assert_int_equal(eois, 0);
	/* a level's end is told */
	assert_true(send(0, false, APIC_LOWEST, 0x77, true));
	assert_int_equal(rd(0x1b0), 1u << 0x17);
	assert_int_equal(vlapic_ack(&apic), 0x77);
	wr(0xb0, 0);
	assert_int_equal(eois, 1);
	assert_int_equal(last_eoi, 0x77);
	assert_true(fixed(0x77));
	assert_int_equal(rd(0x1b0), 0);
}

static void destinations(void **state)
{
	(void)state;
	make();
	assert_true(send(APIC_EVERYONE, false, APIC_FIXED, 0x40, false));
	assert_false(send(1, false, APIC_FIXED, 0x41, false));
	/* flat model: a set of bits */
	assert_false(send(1, true, APIC_FIXED, 0x41, false)); /* no logical id yet */
	wr(0xd0, 0x04ffffff);
	assert_int_equal(rd(0xd0), 0x04000000);
	assert_false(send(0x0b, true, APIC_FIXED, 0x41, false));
	assert_true(send(0x0c, true, APIC_FIXED, 0x41, false));
	/* cluster model: cluster in the high half */
	wr(0xe0, 0x0fffffff);
	assert_int_equal(rd(0xe0), 0x0fffffff);
	wr(0xd0, 0x24000000);
	assert_false(send(0x14, true, APIC_FIXED, 0x41, false));
	assert_false(send(0x23, true, APIC_FIXED, 0x41, false));
	assert_true(send(0x26, true, APIC_FIXED, 0x41, false));
	assert_true(send(0xf4, true, APIC_FIXED, 0x41, false));
	/* another id */
	assert_int_equal(reachables, 4); /* SVR, LDR, DFR, LDR */
	wr(0x20, 0x05000000);
	assert_false(fixed(0x41));
	assert_true(send(5, false, APIC_FIXED, 0x41, false));
	assert_true(send(5, false, APIC_NMI, 0x00, false));
	assert_true(send(5, false, APIC_SIPI, 0x99, false));
	assert_false(send(5, false, APIC_SMI, 0, false));
	assert_true(send(5, false, APIC_INIT, 0, false));
	assert_int_equal(nmis, 1);
	assert_int_equal(inits, 1);
}

static void icr(uint32_t high, uint32_t low)
{
	wr(0x310, high);
	wr(0x300, low);
}

static void interrupt_commands(void **state)
{
	(void)state;
	make();
	icr(0, 0x40000 | 0x4000 | 0x51); /* to self */
	assert_int_equal(vlapic_ack(&apic), 0x51);
	wr(0xb0, 0);
	assert_int_equal(rd(0x300), 0x44051);
	icr(0, 0x80000 | 0x52); /* to all */
	assert_int_equal(vlapic_ack(&apic), 0x52);
	wr(0xb0, 0);
	icr(0, 0xc0000 | 0x53); /* to all others */
	icr(0x01000000, 0x54);	/* to one that is not there */
	assert_int_equal(vlapic_pending(&apic), -1);
	icr(0xff000000, 0x55);
	assert_int_equal(vlapic_ack(&apic), 0x55);
	wr(0xb0, 0);
	icr(0, 0x4400);
	assert_int_equal(nmis, 1);
	icr(0x01000000, 0x4400);
	icr(0, 0xc4400);
	assert_int_equal(nmis, 1);
	icr(0x01000000, 0xc500); /* INIT, de-assert, SIPI for an absent CPU, twice: as every kernel starts others */
	icr(0x01000000, 0x8500);
	icr(0x01000000, 0x4608);
	icr(0x01000000, 0x4608);
	icr(0, 0xc4500);
	icr(0, 0xc4608);
	icr(0, 0x4608); /* a SIPI to a CPU that runs */
	icr(0, 0x8500); /* de-assert, to all and itself: nothing any more */
	assert_int_equal(inits, 0);
	assert_int_equal(rd(0x300) & 0x1000, 0);
	icr(0, 0x4500);
	assert_int_equal(inits, 1);
	/* reserved bits are not kept */
	icr(0x00ffffff, 0xfff33040 | 0xc0000);
	assert_int_equal(rd(0x300), 0x000c0040);
	assert_int_equal(rd(0x310), 0);
}

/* 11.5.3: found, told by a write of ESR, and forgotten by the next. */
static void errors(void **state)
{
	(void)state;
	make();
	wr(0x370, 0xfe);
	icr(0, 0x40000 | 0x0f);
	assert_int_equal(rd(0x280), 0);
	assert_int_equal(vlapic_ack(&apic), 0xfe);
	wr(0xb0, 0);
	icr(0, 0x40000 | 0x0f); /* the same again: no further interrupt before ESR is written */
	assert_int_equal(vlapic_pending(&apic), -1);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x20);
	wr(0x280, 0xff);
	assert_int_equal(rd(0x280), 0);
	assert_false(fixed(0x0f));
	assert_int_equal(drain(0xfe), 1);
	assert_int_equal(rd(0x390), 0);
	(void)rd(0x3f0);
	(void)rd(0x90);
	wr(0x000, 1);
	assert_int_equal(drain(0xfe), 1);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0xc0);
	/* its own vector is illegal: noted, and no end of it */
	wr(0x370, 3);
	wr(0x280, 0);
	icr(0, 0x40000 | 0x0f);
	assert_int_equal(vlapic_pending(&apic), -1);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0x60);
	/* read-only and write-only registers are none */
	wr(0x30, 1);
	wr(0xa0, 1);
	wr(0x390, 1);
	wr(0x200, 1);
	(void)rd(0xb0);
	wr(0x280, 0);
	assert_int_equal(rd(0x280), 0);
	assert_int_equal(rd(0x30), 0x00050014);
}

static void widths(void **state)
{
	(void)state;
	make();
	assert_int_equal(bus_read(&bus, BUS_MMIO, VLAPIC_BASE + 0x30, 1), 0x14);
	assert_int_equal(bus_read(&bus, BUS_MMIO, VLAPIC_BASE + 0x32, 2), 5);
	assert_true(bus_read(&bus, BUS_MMIO, VLAPIC_BASE + 0x30, 8) == 0x00050014);
	assert_int_equal(rd(0x34), 0);
	bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0x80, 1, 0x77);
	bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0x81, 4, 0x77);
	bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0x84, 4, 0x77);
	assert_int_equal(rd(0x80), 0);
	bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0x80, 8, 0x20);
	assert_int_equal(rd(0x80), 0x20);
}

static void base(void **state)
{
	(void)state;
	make();
	vlapic_virtual_wire(&apic);
	wr(0x80, 0x30);
	assert_int_equal(vlapic_set_base(&apic, 0xfed40800), 0); /* moved; it is the BSP whatever is written */
	assert_true(apic.base == 0xfed40900);
	assert_false(bus_claimed(&bus, BUS_MMIO, VLAPIC_BASE));
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xfed40080, 4), 0x30);
	assert_int_equal(vlapic_set_base(&apic, 0xfee00900), 0);
	assert_int_equal(rd(0x80), 0x30);
	for (unsigned bit = 0; bit < 10; bit++)
		if (bit != 8)
			assert_true(vlapic_set_base(&apic, 0xfee00900 | 1u << bit) < 0);
	assert_int_equal(rd(0x80), 0x30);
	wr(0x350, 0x10700);
	assert_false(vlapic_takes_extint(&apic));
	assert_true(fixed(0x40));
	assert_int_equal(vlapic_set_base(&apic, 0xfee00100), 0);
	assert_false(vlapic_enabled(&apic));
	assert_true(vlapic_takes_extint(&apic));
	assert_false(bus_claimed(&bus, BUS_MMIO, VLAPIC_BASE));
	assert_false(fixed(0x40));
	assert_int_equal(vlapic_pending(&apic), -1);
	vlapic_lint(&apic, 1, false);
	vlapic_lint(&apic, 1, true); /* the pins are the CPU's own now */
	assert_int_equal(nmis, 1);
	assert_int_equal(vlapic_set_base(&apic, 0xfee00900), 0);
	assert_int_equal(rd(0x80), 0);
	assert_int_equal(rd(0xf0), 0xff);
	/* onto another device: that one stays */
	static const struct bus_ops none = { "none", NULL, NULL, 1 };

	assert_int_equal(bus_add(&bus, BUS_MMIO, 0xd0000000, 0x1000, &none, NULL), 0);
	assert_int_equal(vlapic_set_base(&apic, 0xd0000900), 0);
	assert_int_equal(bus.count, 1);
	assert_int_equal(vlapic_set_base(&apic, 0xfee00900), 0);
	assert_int_equal(bus.count, 2);
	assert_int_equal(rd(0x30), 0x00050014);
}

/* Figure 11-27: which changes of mode there are. */
static void modes(void **state)
{
	static const uint64_t off = 0xfee00100, x = 0xfee00900, x2 = 0xfee00d00, bad = 0xfee00500;

	(void)state;
	power_on();
	assert_true(vlapic_set_base(&apic, bad) < 0);
	assert_int_equal(vlapic_set_base(&apic, x2), 0);
	assert_true(vlapic_set_base(&apic, x) < 0);
	assert_true(vlapic_set_base(&apic, bad) < 0);
	assert_int_equal(vlapic_set_base(&apic, x2), 0);
	assert_int_equal(vlapic_set_base(&apic, off), 0);
	assert_true(vlapic_set_base(&apic, x2) < 0);
	assert_true(vlapic_set_base(&apic, bad) < 0);
	assert_int_equal(vlapic_set_base(&apic, off), 0);
	assert_int_equal(vlapic_set_base(&apic, x), 0);
	assert_int_equal(vlapic_set_base(&apic, x2), 0);
}

static uint64_t rdmsr(uint32_t msr)
{
	uint64_t value;

	assert_int_equal(vlapic_msr_read(&apic, msr, &value), 0);
	return value;
}

static bool wrmsr(uint32_t msr, uint64_t value)
{
	return !vlapic_msr_write(&apic, msr, value);
}

static void x2apic(void **state)
{
	uint64_t value;

	(void)state;
	make();
	assert_true(vlapic_msr_read(&apic, 0x802, &value) < 0); /* not in xAPIC mode */
	assert_false(wrmsr(0x80b, 0));
	wr(0x80, 0x21);
	wr(0xd0, 0x55000000);
	assert_int_equal(vlapic_set_base(&apic, 0xfee00d00), 0);
	assert_false(bus_claimed(&bus, BUS_MMIO, VLAPIC_BASE));
	assert_true(rdmsr(0x808) == 0x21);
	assert_true(rdmsr(0x802) == 0 && rdmsr(0x803) == 0x00050014 && rdmsr(0x80d) == 1 && rdmsr(0x80f) == 0x1ff);
	for (uint32_t msr = 0x800; msr <= 0x8ff; msr++) {
		bool sets = msr >= 0x810 && msr <= 0x827, lvts = msr >= 0x832 && msr <= 0x837;
		bool reads = sets || lvts || msr == 0x802 || msr == 0x803 || msr == 0x808 || msr == 0x80a || msr == 0x80d ||
			     msr == 0x80f || msr == 0x828 || msr == 0x830 || msr == 0x838 || msr == 0x839 || msr == 0x83e;
		bool writes = lvts || msr == 0x808 || msr == 0x80b || msr == 0x80f || msr == 0x828 || msr == 0x830 ||
			      msr == 0x838 || msr == 0x83e || msr == 0x83f;

		assert_int_equal(!vlapic_msr_read(&apic, msr, &value), reads);
		assert_int_equal(wrmsr(msr, msr == 0x80f ? 0x1ff : msr == 0x83f || msr == 0x830 ? 0x40 : 0), writes);
		if (msr == 0x83f || msr == 0x830) {
			assert_int_equal(vlapic_ack(&apic), 0x40);
			assert_true(wrmsr(0x80b, 0));
		}
		if (msr != 0x830)
			assert_false(wrmsr(msr, 1ull << 40));
		assert_false(wrmsr(msr, 1ull << 31 | (msr == 0x838 ? 1ull << 32 : 0)));
	}
	assert_false(wrmsr(0x80b, 1));
	assert_false(wrmsr(0x828, 1));
	assert_false(wrmsr(0x832, 0x80000));
	assert_false(wrmsr(0x80f, 0x1000));
	assert_false(wrmsr(0x830, 0x1000));
	assert_false(wrmsr(0x83e, 4));
	/* destinations have 32 bits; 0xff is just an id */
	assert_true(wrmsr(0x830, 0x41 | 0xffull << 32));
	assert_true(wrmsr(0x830, 0x41 | 1ull << 48 | 1ull << 32 | 0x800));
	assert_int_equal(vlapic_pending(&apic), -1);
	assert_true(wrmsr(0x830, 0x42 | 0xffffffffull << 32));
	assert_true(rdmsr(0x830) == (0x42 | 0xffffffffull << 32));
	assert_int_equal(vlapic_ack(&apic), 0x42);
	assert_true(wrmsr(0x80b, 0));
	assert_true(wrmsr(0x830, 0x43 | 0x800 | 3ull << 32)); /* logical: cluster 0, the first two */
	assert_int_equal(vlapic_ack(&apic), 0x43);
	assert_true(wrmsr(0x80b, 0));
	assert_true(wrmsr(0x837, 0x10000));
	assert_true(wrmsr(0x83f, 0x0f));
	assert_true(wrmsr(0x828, 0));
	assert_true(rdmsr(0x828) == 0x20);
	/* off, and on again: nothing is left */
	assert_int_equal(vlapic_set_base(&apic, 0xfee00100), 0);
	assert_int_equal(vlapic_set_base(&apic, 0xfee00900), 0);
	assert_int_equal(rd(0xd0), 0);
	assert_int_equal(rd(0xf0), 0xff);
}

/* A million accesses of every kind: nothing breaks, and what the APIC says of itself holds together. */
static void storm(void **state)
{
	struct rng r = rng_seed(41);
	unsigned acks = 0;

	(void)state;
	make();
	for (unsigned step = 0; step < 1000000; step++) {
		uint32_t reg = rng_below(&r, 2) ? rng_below(&r, 0x44) << 4 : rng_below(&r, 0x1010);
		uint64_t value = rng_below(&r, 3) ? rng_next(&r) : rng_below(&r, 0x200), got;

		switch (rng_below(&r, 12)) {
		case 0:
		case 1:
		case 2: bus_write(&bus, BUS_MMIO, VLAPIC_BASE + reg, 1u << rng_below(&r, 4), value); break;
		case 3: (void)bus_read(&bus, BUS_MMIO, VLAPIC_BASE + reg, 1u << rng_below(&r, 4)); break;
		case 4: (void)vlapic_msr_write(&apic, 0x800 + rng_below(&r, 0x110), value); break;
		case 5: (void)vlapic_msr_read(&apic, 0x7f8 + rng_below(&r, 0x110), &got); break;
		case 6:
			time_ns += rng_below(&r, rng_below(&r, 64) ? 3000000 : 2000000000);
			clock_run(&clk);
			break;
		case 7: vlapic_set_deadline(&apic, tsc(NULL) + rng_below(&r, 4000000) - 100000); break;
		case 8:
			(void)send(value & 1 ? APIC_EVERYONE : value >> 24, value & 2, (uint8_t)(value >> 8 & 7), (uint8_t)value,
				   value & 4);
			break;
		case 9: vlapic_lint(&apic, value & 1, value & 2); break;
		case 10:
			if (!rng_below(&r, 50))
				(void)vlapic_set_base(&apic,
						      (VLAPIC_BASE + (value & 0x3000) * !rng_below(&r, 4)) | (value << 8 & 0xd00));
			else if (!rng_below(&r, 10))
				bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0xf0, 4, 0x1ff);
			else
				vlapic_set_tpr(&apic, (uint8_t)(value & 0x30));
			break;
		default:
			if (vlapic_pending(&apic) >= 0) {
				int want = vlapic_pending(&apic);

				assert_true(want >= 16 && (want & 0xf0) > (vlapic_tpr(&apic) & 0xf0));
				assert_int_equal(vlapic_ack(&apic), want);
				acks++;
				if (value & 1)
					bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0xb0, 4, 0);
			}
		}
		assert_true(bus.count <= 1);
		if (step % 1000 == 999)
			vlapic_reset(&apic);
		if (step % 1000 == 0)
			bus_write(&bus, BUS_MMIO, VLAPIC_BASE + 0xf0, 4, 0x1ff);
	}
	assert_true(acks > 2000 && nmis > 100 && inits > 100 && eois > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_values), cmocka_unit_test(priorities),
		cmocka_unit_test(destinations), cmocka_unit_test(interrupt_commands),
		cmocka_unit_test(errors),	cmocka_unit_test(widths),
		cmocka_unit_test(base),		cmocka_unit_test(modes),
		cmocka_unit_test(x2apic),	cmocka_unit_test(storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
