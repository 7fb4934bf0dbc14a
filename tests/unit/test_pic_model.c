/* The 8259 pair beside a model that follows the datasheet's words level by level: a million operations. */
/* links: devices/pic8259.c devices/bus.c tests/unit/pic_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/pic_world.h"

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
	static const uint8_t often[] = { 0x20, 0x20, 0x60, 0x63, 0x0a, 0x0b, 0x0c, 0xa0,
					 0xe2, 0xc1, 0x68, 0x48, 0x80, 0x00, 0x11, 0x10 };

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
		case 1: assert_int_equal(in((uint16_t)((chip ? 0xa0 : 0x20) + port)), m_read(chip, port)); break;
		case 2:
			if (rand() % 50 == 0) {
				out((uint16_t)(0x4d0 + chip), v);
				for (unsigned i = 0; i < 8; i++)
					mc[chip].level[i] = (v & (chip ? 0xde : 0xf8)) >> i & 1;
				m_update();
			}
			break;
		case 3:
		case 4:
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
		cmocka_unit_test(against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
