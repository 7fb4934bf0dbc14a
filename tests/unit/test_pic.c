/* The 8259 pair against the datasheet: scenes one by one, then a million operations beside a plain model of it. */
/* links: devices/pic8259.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devices/pic8259.h"

static struct pic8259 pic;
static struct bus bus;
static unsigned intr_calls, acked_mask;
static int last_acked;

static void on_intr(void *arg, bool level)
{
	assert_ptr_equal(arg, &pic);
	assert_int_equal(level, pic.level);
	intr_calls++;
}

static void on_acked(void *arg, unsigned irq)
{
	assert_ptr_equal(arg, &pic);
	last_acked = (int)irq;
	acked_mask |= 1u << irq;
}

static void out(uint16_t port, uint8_t v)
{
	bus_write(&bus, BUS_PIO, port, 1, v);
}

static uint8_t in(uint16_t port)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, port, 1);
}

static void make(void)
{
	memset(&bus, 0, sizeof(bus));
	pic8259_init(&pic, on_intr, on_acked, &pic);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x20, 2, &pic8259_chip_ops, &pic.chip[0]), 0);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0xa0, 2, &pic8259_chip_ops, &pic.chip[1]), 0);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x4d0, 2, &pic8259_elcr_ops, &pic), 0);
	last_acked = -1;
	intr_calls = acked_mask = 0;
}

/* As every PC operating system does it: vectors 0x20 and 0x28. */
static void init_chips(uint8_t icw4_master, uint8_t icw4_slave)
{
	out(0x20, 0x11);
	out(0x21, 0x20);
	out(0x21, 0x04);
	out(0x21, icw4_master);
	out(0xa0, 0x11);
	out(0xa1, 0x28);
	out(0xa1, 0x02);
	out(0xa1, icw4_slave);
}

static void set(unsigned irq, bool level)
{
	pic8259_set(&pic, irq, level);
}

static uint8_t isr(uint16_t port)
{
	out(port, 0x0b);
	return in(port);
}

static uint8_t irr(uint16_t port)
{
	out(port, 0x0a);
	return in(port);
}

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
	out(0x20, 0x10); /* cascaded, no ICW4 */
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

/* ------------------------------------------------- a model that follows the datasheet's words, level by level */

struct model_chip {
	bool line[8], edge[8], level[8], mask[8], serving[8];
	unsigned lowest, base, expect;
	bool single, ic4, aeoi, rotate_aeoi, smm, sfnm, read_isr, poll;
	uint8_t icw3;
};
static struct model_chip mc[2];

static bool m_request(const struct model_chip *c, unsigned n)
{
	return (c->level[n] ? c->line[n] : c->edge[n]) && !c->mask[n];
}

static int m_pending(unsigned chip)
{
	const struct model_chip *c = &mc[chip];

	for (unsigned i = 1; i <= 8; i++) { /* from the highest priority down */
		unsigned n = (c->lowest + i) % 8;
		bool slave = chip == 0 && n == 2 && c->sfnm;

		if (c->serving[n] && !(c->smm && c->mask[n]) && !slave)
			return -1;
		if (m_request(c, n))
			return (int)n;
	}
	return -1;
}

static void m_line(struct model_chip *c, unsigned n, bool v)
{
	if (v && !c->line[n])
		c->edge[n] = true;
	if (!v)
		c->edge[n] = false;
	c->line[n] = v;
}

static bool m_update(void)
{
	m_line(&mc[0], 2, m_pending(1) >= 0);
	return m_pending(0) >= 0;
}

static void m_accept(unsigned chip, unsigned n)
{
	mc[chip].edge[n] = false;
	if (!mc[chip].aeoi)
		mc[chip].serving[n] = true;
	else if (mc[chip].rotate_aeoi)
		mc[chip].lowest = n;
	if (chip == 1)
		m_line(&mc[0], 2, false);
}

static uint8_t m_ack(void)
{
	int n = m_pending(0), s;
	uint8_t v = (uint8_t)(mc[0].base + 7);

	if (n < 0)
		return v;
	m_accept(0, (unsigned)n);
	v = (uint8_t)(mc[0].base + (unsigned)n);
	if (n == 2 && !mc[0].single && (mc[0].icw3 & 4)) {
		s = m_pending(1);
		if (s >= 0)
			m_accept(1, (unsigned)s);
		v = (uint8_t)(mc[1].base + (unsigned)(s < 0 ? 7 : s));
	}
	m_update();
	return v;
}

static void m_eoi(struct model_chip *c, uint8_t v)
{
	unsigned n = v & 7;

	if (!(v & 0x40)) { /* non-specific */
		unsigned i;

		for (i = 1; i <= 8; i++) {
			n = (c->lowest + i) % 8;
			if (c->serving[n] && !(c->smm && c->mask[n]))
				break;
		}
		if (i > 8)
			return;
	}
	c->serving[n] = false;
	if (v & 0x80)
		c->lowest = n;
}

static void m_write(unsigned chip, unsigned port, uint8_t v)
{
	struct model_chip *c = &mc[chip];

	if (port == 0 && (v & 0x10)) {
		struct model_chip n = { .lowest = 7, .base = c->base, .icw3 = c->icw3, .expect = 2, .single = v & 2, .ic4 = v & 1 };

		memcpy(n.line, c->line, sizeof(n.line));
		memcpy(n.level, c->level, sizeof(n.level));
		*c = n;
	} else if (port == 0 && (v & 8)) {
		c->poll = v & 4;
		if (v & 2)
			c->read_isr = v & 1;
		if (v & 0x40)
			c->smm = v & 0x20;
	} else if (port == 0) {
		if (v & 0x20)
			m_eoi(c, v);
		else if ((v & 0xe0) == 0xc0)
			c->lowest = v & 7;
		else if (!(v & 0x40))
			c->rotate_aeoi = v & 0x80;
	} else if (c->expect == 2) {
		c->base = v & 0xf8;
		c->expect = c->single ? (c->ic4 ? 4 : 0) : 3;
	} else if (c->expect == 3) {
		c->icw3 = v;
		c->expect = c->ic4 ? 4 : 0;
	} else if (c->expect == 4) {
		c->aeoi = v & 2;
		c->sfnm = v & 0x10;
		c->expect = 0;
	} else {
		for (unsigned i = 0; i < 8; i++)
			c->mask[i] = v >> i & 1;
	}
	m_update();
}

static uint8_t m_read(unsigned chip, unsigned port)
{
	struct model_chip *c = &mc[chip];
	uint8_t v = 0;

	if (c->poll) {
		int n = m_pending(chip);

		c->poll = false;
		if (n < 0)
			return 0;
		m_accept(chip, (unsigned)n);
		m_update();
		return (uint8_t)(0x80 | n);
	}
	for (unsigned i = 0; i < 8; i++)
		v |= (uint8_t)((port ? c->mask[i] : c->read_isr ? c->serving[i] : c->level[i] ? c->line[i] : c->edge[i]) << i);
	return v;
}

static uint8_t random_command(void)
{
	static const uint8_t often[] = { 0x20, 0x20, 0x60, 0x63, 0x0a, 0x0b, 0x0c, 0xa0, 0xe2, 0xc1, 0x68, 0x48, 0x80, 0x00, 0x11, 0x10 };

	return rand() % 3 ? often[(unsigned)rand() % sizeof(often)] : (uint8_t)rand();
}

static void against_model(void **state)
{
	unsigned interrupts = 0;

	(void)state;
	make();
	memset(mc, 0, sizeof(mc));
	for (unsigned i = 0; i < 8; i++)
		mc[0].mask[i] = mc[1].mask[i] = true;
	mc[0].base = 8, mc[1].base = 0x70;
	mc[0].lowest = mc[1].lowest = 7;
	mc[0].icw3 = 4, mc[1].icw3 = 2;
	srand(4);
	for (unsigned step = 0; step < 1000000; step++) {
		unsigned chip = (unsigned)rand() & 1, port = (unsigned)rand() & 1, irq = (unsigned)rand() & 15;
		uint8_t v = random_command();
		bool level = rand() & 1;

		switch (rand() % 8) {
		case 0:
			if (port)
				v = rand() % 3 ? (uint8_t)(rand() & rand() & rand()) : (uint8_t)rand();
			if (!port && (v & 0x10) && rand() % 8)
				break;
			out((uint16_t)((chip ? 0xa0 : 0x20) + port), v);
			m_write(chip, port, v);
			break;
		case 1:
			assert_int_equal(in((uint16_t)((chip ? 0xa0 : 0x20) + port)), m_read(chip, port));
			break;
		case 2:
			if (rand() % 50 == 0) {
				out((uint16_t)(0x4d0 + chip), v);
				for (unsigned i = 0; i < 8; i++)
					mc[chip].level[i] = (v & (chip ? 0xde : 0xf8)) >> i & 1;
				m_update();
			}
			break;
		case 3: case 4:
			if (pic.level || rand() % 10 == 0) {
				interrupts += pic.level;
				assert_int_equal(pic8259_ack(&pic), m_ack());
			}
			break;
		default:
			set(irq, level);
			if (irq != 2)
				m_line(&mc[irq / 8], irq % 8, level);
			m_update();
			break;
		}
		if (pic.level != (m_pending(0) >= 0))
			fail_msg("step %u: INTR is %d", step, pic.level);
	}
	assert_true(interrupts > 10000);
	assert_int_equal(acked_mask & ~4u, 0xfffb);
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
		cmocka_unit_test(against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
