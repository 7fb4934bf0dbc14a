/* The local APIC's timer: its modes (SDM vol. 3, 11.5.4), and the late-tick policy. */
/* links: devices/vlapic.c devices/vlapic_reg.c devices/vlapic_timer.c devices/clock.c devices/bus.c tests/unit/vlapic_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/vlapic_world.h"

static void one_shot(void **state)
{
	(void)state;
	make();
	wr(0x3e0, 0xb); /* divide by 1: 10 ns */
	wr(0x320, 0x61);
	wr(0x380, 1000);
	assert_int_equal(rd(0x390), 1000);
	go(9);
	assert_int_equal(rd(0x390), 1000);
	go(1);
	assert_int_equal(rd(0x390), 999);
	go(9980);
	assert_int_equal(rd(0x390), 1);
	assert_int_equal(vlapic_pending(&apic), -1);
	go(10);
	assert_int_equal(rd(0x390), 0);
	assert_int_equal(drain(0x61), 1);
	go(100000000);
	assert_int_equal(drain(0x61), 0);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	for (unsigned shift = 0; shift < 8; shift++) { /* figure 11-10: 0 is by 2 */
		wr(0x3e0, (shift & 3) | (shift & 4) << 1);
		assert_int_equal(rd(0x3e0), (shift & 3) | (shift & 4) << 1);
		wr(0x380, 100);
		uint64_t ns = 1000ull << ((shift + 1) & 7);

		go(ns - 1);
		assert_int_equal(vlapic_pending(&apic), -1);
		go(1);
		assert_int_equal(drain(0x61), 1);
	}
	/* a new pace for what is left */
	wr(0x3e0, 0xb);
	wr(0x380, 1000);
	go(4000);
	wr(0x3e0, 0); /* by 2 */
	assert_int_equal(rd(0x390), 600);
	go(11999);
	assert_int_equal(rd(0x390), 1);
	go(1);
	assert_int_equal(drain(0x61), 1);
	/* masked: it counts, and what it raises is lost */
	wr(0x320, 0x10061);
	wr(0x380, 10);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	go(1000);
	wr(0x320, 0x61);
	assert_int_equal(rd(0x390), 0);
	assert_int_equal(drain(0x61), 0);
	/* stopped */
	wr(0x380, 1000);
	wr(0x380, 0);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	/* the longest */
	wr(0x3e0, 0xa); /* by 128 */
	wr(0x380, ~0u);
	go(5497558137600ull - 1);
	assert_int_equal(rd(0x390), 1);
	go(2);
	assert_int_equal(drain(0x61), 1);
}

static void periodic(void **state)
{
	unsigned n = 0;

	(void)state;
	make();
	wr(0x3e0, 0xb);
	wr(0x320, 0x20062);
	wr(0x380, 100000); /* 1 ms */
	for (unsigned ms = 0; ms < 1000; ms++) {
		go(1000000);
		n += drain(0x62);
	}
	assert_int_equal(n, 1000);
	/* late by 5.5 ms: five ticks, one after the other, and the phase is kept */
	time_ns += 5500000;
	clock_run(&clk);
	for (n = 0; vlapic_pending(&apic) >= 0; n++) {
		assert_int_equal(vlapic_ack(&apic), 0x62);
		assert_int_equal(vlapic_pending(&apic), -1); /* one at a time */
		wr(0xb0, 0);
	}
	assert_int_equal(n, 5);
	assert_int_equal(rd(0x390), 50000);
	go(500000);
	assert_int_equal(drain(0x62), 1);
	/* not taken by the guest: they become one */
	go(100000000);
	assert_int_equal(drain(0x62), 1);
	/* not run for long: no more than VLAPIC_LATE_MAX are owed beside the one that is due */
	time_ns += 1000000000;
	clock_run(&clk);
	assert_int_equal(drain(0x62), VLAPIC_LATE_MAX + 1);
	assert_int_equal(apic.dropped, 1000 - VLAPIC_LATE_MAX - 1);
	/* masked, nothing is owed */
	wr(0x320, 0x30062);
	go(10000000);
	assert_int_equal(drain(0x62), 0);
	wr(0x320, 0x20062);
	go(999999);
	assert_int_equal(drain(0x62), 0);
	go(1);
	assert_int_equal(drain(0x62), 1);
	/* the shortest period does not hold the VMM for ever */
	wr(0x380, 1);
	uint64_t wakes = 0, end = time_ns + 10000000;

	while (clock_next(&clk) <= end) {
		assert_true(clock_next(&clk) > time_ns || wakes == 0);
		time_ns = clock_next(&clk);
		clock_run(&clk);
		wakes++;
	}
	assert_in_range(wakes, 100, 10000000 / VLAPIC_WAKE_NS + 1);
}

/* Between the counting modes the count goes on (11.5.4). */
static void change_of_mode(void **state)
{
	(void)state;
	make();
	wr(0x3e0, 0xb);
	wr(0x320, 0x63);
	wr(0x380, 1000);
	go(6000);
	wr(0x320, 0x20063);
	assert_int_equal(rd(0x390), 400);
	go(4000);
	assert_int_equal(drain(0x63), 1);
	assert_int_equal(rd(0x390), 1000);
	go(7000);
	wr(0x320, 0x63);
	assert_int_equal(rd(0x390), 300);
	go(3000);
	assert_int_equal(drain(0x63), 1);
	wr(0x320, 0x20063); /* at 0 it stays there */
	assert_int_equal(rd(0x390), 0);
	go(1000000);
	assert_int_equal(drain(0x63), 0);
	/* to TSC-deadline mode: disarmed */
	wr(0x380, 1000);
	wr(0x320, 0x40063);
	assert_int_equal(rd(0x390), 0);
	wr(0x380, 5); /* ignored */
	assert_int_equal(rd(0x380), 1000);
	go(1000000);
	assert_int_equal(drain(0x63), 0);
	vlapic_set_deadline(&apic, tsc(NULL) + 3000);
	wr(0x320, 0x63);
	assert_true(vlapic_deadline(&apic) == 0);
	go(1000000);
	assert_int_equal(drain(0x63), 0);
	wr(0x320, 0x60063); /* reserved: nothing runs */
	wr(0x380, 1000);
	vlapic_set_deadline(&apic, 1);
	go(1000000);
	assert_int_equal(drain(0x63), 0);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
}

static void tsc_deadline(void **state)
{
	(void)state;
	make();
	vlapic_set_deadline(&apic, 5); /* ignored in another mode */
	assert_true(vlapic_deadline(&apic) == 0);
	wr(0x320, 0x40064);
	uint64_t at = tsc(NULL) + 30001;

	vlapic_set_deadline(&apic, at);
	assert_true(vlapic_deadline(&apic) == at);
	go(10000);
	assert_int_equal(drain(0x64), 0);
	go(1);
	assert_int_equal(drain(0x64), 1);
	assert_true(vlapic_deadline(&apic) == 0);
	vlapic_set_deadline(&apic, 1); /* long ago: at once */
	assert_int_equal(drain(0x64), 1);
	vlapic_set_deadline(&apic, tsc(NULL) + 30000);
	vlapic_set_deadline(&apic, 0); /* off */
	go(1000000);
	assert_int_equal(drain(0x64), 0);
	/* the TSC is set: the deadline is one of the new TSC */
	vlapic_set_deadline(&apic, tsc(NULL) + 3000000);
	tsc_offset -= 3000000;
	vlapic_tsc_changed(&apic);
	go(1999999);
	assert_int_equal(drain(0x64), 0);
	go(1);
	assert_int_equal(drain(0x64), 1);
	vlapic_set_deadline(&apic, tsc(NULL) + 3000000);
	tsc_offset += 3000000;
	vlapic_tsc_changed(&apic);
	assert_int_equal(drain(0x64), 1);
	/* masked meanwhile: it passes unseen */
	vlapic_set_deadline(&apic, tsc(NULL) + 3000);
	wr(0x320, 0x50064);
	go(2000);
	assert_true(vlapic_deadline(&apic) == 0);
	wr(0x320, 0x40064);
	assert_int_equal(drain(0x64), 0);
}

/* The machine may stop anywhere, also while the count is worked out: it is never out of its range. */
static void time_goes_on(void **state)
{
	(void)state;
	make();
	wr(0x3e0, 0xb);
	wr(0x320, 0x20065); /* periodic */
	wr(0x380, 100);
	look_ns = 37;
	for (unsigned i = 0; i < 1000; i++)
		assert_in_range(rd(0x390), 1, 100);
	look_ns = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_shot),	cmocka_unit_test(periodic),	cmocka_unit_test(change_of_mode),
		cmocka_unit_test(tsc_deadline), cmocka_unit_test(time_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
