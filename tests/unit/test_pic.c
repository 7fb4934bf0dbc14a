/* The 8259 pair against the datasheet, scene by scene. */
/* links: devices/pic8259.c devices/bus.c tests/unit/pic_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/pic_world.h"

static void firmware_state(void **state)
{
	(void)state;
	make();
	assert_int_equal(in(0x21), 0xff);
	assert_int_equal(in(0xa1), 0xff);
	set(1, true);
	set(12, true);
	assert_false(pic.level);
	assert_int_equal(in(0x20), 0x02); /* IRR is what is read first */
	out(0x21, 0xfd);
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x09);
	assert_int_equal(last_acked, 1);
	assert_true(pic8259_masked(&pic, 12));
	out(0xa1, 0xef);
	assert_true(pic8259_masked(&pic, 12));
	out(0x21, 0xf9);
	assert_false(pic8259_masked(&pic, 12));
	out(0x20, 0x20);
	assert_int_equal(pic8259_ack(&pic), 0x74);
}

static void nesting(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	assert_int_equal(in(0x21), 0); /* ICW1 clears the mask */
	set(4, true);
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x24);
	assert_int_equal(isr(0x20), 0x10);
	assert_int_equal(irr(0x20), 0x00);
	assert_false(pic.level);
	set(6, true); /* lower: waits */
	assert_false(pic.level);
	set(1, true); /* higher: interrupts */
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x21);
	assert_int_equal(isr(0x20), 0x12);
	out(0x20, 0x20); /* non-specific EOI ends level 1 */
	assert_int_equal(isr(0x20), 0x10);
	assert_false(pic.level);
	out(0x20, 0x64); /* specific EOI of 4 */
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x26);
	out(0x20, 0x66);
	assert_int_equal(isr(0x20), 0);
	/* an edge is one request, however long the line stays high */
	assert_false(pic.level);
	set(4, false);
	set(4, true);
	assert_true(pic.level);
}

static void cascade(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	set(2, true); /* nobody's input */
	assert_false(pic.level);
	set(12, true);
	assert_int_equal(irr(0x20), 0x04);
	assert_int_equal(pic8259_ack(&pic), 0x2c);
	assert_int_equal(last_acked, 12);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0x10);
	set(8, true); /* higher on the slave, but the master has its level 2 in service */
	assert_false(pic.level);
	assert_int_equal(irr(0x20), 0x04);
	out(0xa0, 0x20);
	assert_false(pic.level);
	out(0x20, 0x20);
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x28);
	set(1, true);
	assert_int_equal(pic8259_ack(&pic), 0x21);
	out(0x20, 0x20);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_int_equal(isr(0x20) | isr(0xa0), 0);
}

/* Two requests of the slave, one after the other: its INT must make a new edge for the master. */
static void cascade_back_to_back(void **state)
{
	(void)state;
	make();
	init_chips(1, 3); /* the slave ends its interrupts by itself */
	set(9, true);
	set(10, true);
	assert_int_equal(pic8259_ack(&pic), 0x29);
	assert_int_equal(isr(0xa0), 0);
	assert_int_equal(irr(0x20), 0x04);
	out(0x20, 0x20);
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x2a);
	out(0x20, 0x20);
	assert_false(pic.level);
}

static void special_fully_nested(void **state)
{
	(void)state;
	make();
	init_chips(0x11, 1);
	set(12, true);
	assert_int_equal(pic8259_ack(&pic), 0x2c);
	set(8, true);
	assert_true(pic.level); /* here the slave's higher request goes through */
	assert_int_equal(pic8259_ack(&pic), 0x28);
	set(14, true);
	assert_false(pic.level);
}

static void level_triggered(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	out(0x4d0, 0xff);
	out(0x4d1, 0xff);
	assert_int_equal(in(0x4d0), 0xf8);
	assert_int_equal(in(0x4d1), 0xde);
	set(11, true);
	assert_int_equal(pic8259_ack(&pic), 0x2b);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_true(pic.level); /* still high: asks again */
	assert_int_equal(pic8259_ack(&pic), 0x2b);
	set(11, false);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_false(pic.level);
	out(0x4d1, 0x00);
	set(11, true);
	assert_int_equal(pic8259_ack(&pic), 0x2b);
	out(0xa0, 0x20);
	out(0x20, 0x20);
	assert_false(pic.level);
}

static void spurious(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	set(3, true);
	assert_true(pic.level);
	set(3, false); /* gone before the acknowledge */
	assert_false(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x27);
	assert_int_equal(isr(0x20), 0);
	assert_int_equal(last_acked, -1);
	/* an edge before ICW1 is forgotten, the line's level is not */
	set(3, true);
	init_chips(1, 1);
	assert_false(pic.level);
	set(3, true);
	assert_false(pic.level);
	/* the slave's request goes between the master's first and second acknowledge pulse */
	set(3, false);
	pic.chip[0].latch |= 4;
	assert_int_equal(pic8259_ack(&pic), 0x2f);
	assert_int_equal(isr(0x20), 0x04);
	assert_int_equal(isr(0xa0), 0);
	assert_int_equal(last_acked, -1);
}

static void rotation(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	out(0x20, 0xc4); /* level 4 lowest: 5 is highest */
	set(4, true);
	set(5, true);
	set(0, true);
	assert_int_equal(pic8259_ack(&pic), 0x25);
	out(0x20, 0xa0); /* rotate on non-specific EOI: 5 is lowest now */
	assert_int_equal(isr(0x20), 0);
	assert_int_equal(pic8259_ack(&pic), 0x20);
	out(0x20, 0xe0); /* rotate on specific EOI of 0: 1 highest */
	assert_int_equal(pic8259_ack(&pic), 0x24);
	out(0x20, 0x40); /* no operation */
	assert_int_equal(isr(0x20), 0x10);
	out(0x20, 0x20);
	/* rotation by automatic EOI */
	init_chips(3, 1);
	out(0x20, 0x80);
	for (unsigned i = 0; i < 8; i++)
		set(i, false);
	set(6, true);
	assert_int_equal(pic8259_ack(&pic), 0x26);
	assert_int_equal(isr(0x20), 0);
	set(6, false);
	set(6, true);
	set(7, true);
	assert_int_equal(pic8259_ack(&pic), 0x27);
	out(0x20, 0x00); /* rotation off */
	set(7, false);
	set(7, true);
	assert_int_equal(pic8259_ack(&pic), 0x26);
}

static void special_mask(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	set(3, true);
	assert_int_equal(pic8259_ack(&pic), 0x23);
	set(5, true);
	assert_false(pic.level);
	out(0x21, 0x08);
	assert_false(pic.level);
	out(0x20, 0x68); /* special mask mode: masked level 3 no longer holds back 5 */
	assert_true(pic.level);
	assert_int_equal(pic8259_ack(&pic), 0x25);
	assert_int_equal(isr(0x20), 0x28);
	out(0x20, 0x20); /* non-specific EOI passes over masked level 3 */
	assert_int_equal(isr(0x20), 0x08);
	out(0x20, 0x20);
	assert_int_equal(isr(0x20), 0x08);
	out(0x20, 0x48); /* out of it again */
	out(0x20, 0x20);
	assert_int_equal(isr(0x20), 0);
}

static void polling(void **state)
{
	(void)state;
	make();
	init_chips(1, 1);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0);
	set(6, true);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0x86);
	assert_int_equal(last_acked, 6);
	assert_false(pic.level);
	assert_int_equal(isr(0x20), 0x40);
	out(0x20, 0x20);
	set(10, true);
	out(0x20, 0x0c);
	assert_int_equal(in(0x20), 0x82);
	assert_int_equal(last_acked, 6);
	out(0xa0, 0x0c);
	assert_int_equal(in(0xa0), 0x82);
	assert_int_equal(last_acked, 10);
	assert_int_equal(in(0xa1), 0); /* one read only */
}

static void icw_sequences(void **state)
{
	(void)state;
	make();
	out(0x20, 0x12); /* single, no ICW4 */
	out(0x21, 0x47);
	out(0x21, 0xa5); /* the mask again */
	assert_int_equal(in(0x21), 0xa5);
	out(0x21, 0);
	set(5, true);
	assert_int_equal(pic8259_ack(&pic), 0x45); /* low bits of ICW2 do not count */
	out(0x20, 0x10);			   /* cascaded, no ICW4 */
	out(0x21, 0x50);
	out(0x21, 0x04);
	out(0x21, 0x5a);
	assert_int_equal(in(0x21), 0x5a);
	/* without bit 2 in ICW3 the master speaks for input 2 itself */
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 0x00);
	out(0x21, 0x01);
	out(0xa1, 0);
	set(9, true);
	assert_int_equal(pic8259_ack(&pic), 0x32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(firmware_state),
		cmocka_unit_test(nesting),
		cmocka_unit_test(cascade),
		cmocka_unit_test(cascade_back_to_back),
		cmocka_unit_test(special_fully_nested),
		cmocka_unit_test(level_triggered),
		cmocka_unit_test(spurious),
		cmocka_unit_test(rotation),
		cmocka_unit_test(special_mask),
		cmocka_unit_test(polling),
		cmocka_unit_test(icw_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
