/* The 8254 beside a model that counts every CLK, made from the datasheet's mode definitions: a million CLKs at random. */
/* links: devices/pit8254.c devices/clock.c devices/bus.c tests/unit/pit_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include "tests/unit/pit_world.h"

struct model {
	unsigned mode, rw;
	bool bcd, gate, out, load_next, loaded, armed, null, high_phase_odd, second_byte;
	uint32_t cr, ce; /* counts 1..modulus; ce as a number 0..modulus */
	uint8_t low;
	bool cr_valid;
	uint64_t rises;
};

static uint32_t m_mod(const struct model *m)
{
	return m->bcd ? 10000 : 65536;
}

static void m_out(struct model *m, bool v)
{
	m->rises += v && !m->out;
	m->out = v;
}

static void m_load(struct model *m)
{
	m->load_next = false;
	m->loaded = m->armed = true;
	m->null = false;
	m->ce = m->mode == 3 ? m->cr & ~1u : m->cr;
	m->high_phase_odd = m->mode == 3 && (m->cr & 1);
}

static void m_down(struct model *m)
{
	m->ce = (m->ce + m_mod(m) - 1) % m_mod(m);
}

static void m_clk(struct model *m)
{
	if (m->load_next) {
		m_load(m);
		if (m->mode == 1)
			m_out(m, false);
		else if (m->mode != 0)
			m_out(m, true);
		return;
	}
	if (m->mode >= 4)
		m_out(m, true);
	if (!m->loaded || (!m->gate && m->mode != 1 && m->mode != 5))
		return;
	switch (m->mode) {
	case 0:
	case 1:
		m_down(m);
		if (m->ce == 0)
			m_out(m, true);
		break;
	case 2:
		m_down(m);
		if (m->ce == 1)
			m_out(m, false);
		if (m->ce == 0) {
			m_load(m);
			m_out(m, true);
		}
		break;
	case 3:
		if (m->out && m->high_phase_odd && m->ce == 0) {
			m_load(m);
			m_out(m, false);
			break;
		}
		m->ce -= m->ce ? 2 : 0;
		if (m->ce == 0 && !(m->out && m->high_phase_odd)) {
			bool level = !m->out;

			m_load(m);
			m_out(m, level);
		}
		break;
	default:
		m_down(m);
		if (m->ce == 0 && m->armed) {
			m->armed = false;
			m_out(m, false);
		}
		break;
	}
}

static void m_control(struct model *m, unsigned v)
{
	bool gate = m->gate, level = m->out;
	uint64_t seen = m->rises;

	*m = (struct model){ .gate = gate, .out = level, .rises = seen, .rw = v >> 4 & 3, .bcd = v & 1, .null = true };
	m->mode = v >> 1 & 7;
	m->mode -= m->mode > 5 ? 4 : 0;
	m_out(m, m->mode != 0);
}

static void m_count(struct model *m, unsigned raw)
{
	unsigned v = m->bcd ? (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15) : raw;

	v %= m_mod(m);
	m->cr = v ? v : m_mod(m);
	m->null = true;
	if (m->mode == 0 || m->mode == 4 || ((m->mode == 2 || m->mode == 3) && !m->cr_valid))
		m->load_next = true;
	if (m->mode == 0)
		m_out(m, false);
	m->cr_valid = true;
}

static void m_write(struct model *m, unsigned v)
{
	if (m->rw == 1) {
		m_count(m, v);
	} else if (m->rw == 2) {
		m_count(m, v << 8);
	} else if (m->second_byte) {
		m->second_byte = false;
		m_count(m, m->low | v << 8);
	} else {
		m->second_byte = true;
		m->low = (uint8_t)v;
		if (m->mode == 0) {
			m->loaded = m->load_next = false;
			m_out(m, false);
		}
	}
}

static void m_gate(struct model *m, bool v)
{
	if (v && !m->gate && m->cr_valid && (m->mode == 1 || m->mode == 5 || ((m->mode == 2 || m->mode == 3))))
		m->load_next = true;
	if (!v && (m->mode == 2 || m->mode == 3))
		m_out(m, true);
	m->gate = v;
}

static void check(struct model *m, unsigned channel, unsigned step)
{
	unsigned want =
		m->bcd ? m->ce / 1000 % 10 << 12 | m->ce / 100 % 10 << 8 | m->ce / 10 % 10 << 4 | m->ce % 10 : m->ce & 0xffff;
	unsigned got;

	if (pit8254_out(&pit, channel) != m->out)
		fail_msg("step %u: channel %u mode %u output is %d", step, channel, m->mode, !m->out);
	if (!m->loaded || m->load_next)
		return;
	out(3, (uint8_t)(0xc0 | 2 << channel));
	unsigned status = in(channel);

	if ((status >> 6 & 1) != m->null)
		fail_msg("step %u: channel %u mode %u null count is %u", step, channel, m->mode, status >> 6 & 1);
	assert_int_equal(status >> 7, m->out);
	assert_int_equal(status & 1, m->bcd);
	if (m->rw == 1)
		got = in(channel), want &= 0xff;
	else if (m->rw == 2)
		got = in(channel), want >>= 8;
	else
		got = in16(channel);
	if (got != want)
		fail_msg("step %u: channel %u mode %u count is 0x%x, not 0x%x", step, channel, m->mode, got, want);
}

/* What a channel is set to, so that small counts and their ends are met often. */
static void random_count(struct model *m, unsigned channel)
{
	static const unsigned counts[] = { 2, 3, 4, 5, 8, 9, 16, 17, 99, 100, 1001, 0, 0x8000, 0x9999 };
	unsigned count = counts[(unsigned)rand() % (sizeof(counts) / sizeof(counts[0]))];

	if (m->rw == 1 && (count & 0xff) < 2)
		count = 16;
	if (m->rw == 2)
		count |= 0x300;
	if (m->rw & 1) {
		out(channel, (uint8_t)count);
		m_write(m, count & 0xff);
	}
	if (m->rw & 2) {
		if (m->rw == 3 && rand() % 8 == 0)
			return; /* half a count */
		out(channel, (uint8_t)(count >> 8));
		m_write(m, count >> 8);
	}
}

static void against_model(void **state)
{
	static struct model m[3];
	uint64_t ticks = 0, owed_before;

	(void)state;
	make();
	srand(6);
	for (unsigned i = 0; i < 3; i++) {
		m[i] = (struct model){ .gate = i != 2 };
		out(3, (uint8_t)(i << 6 | 0x30));
		m_control(&m[i], 0x30);
	}
	rises = 0;
	m[0].rises = 0;
	for (unsigned step = 0; step < 60000; step++) {
		unsigned ch = (unsigned)rand() % 3, dt = rand() % 4 ? (unsigned)rand() % 12 : (unsigned)rand() % 300, v;

		switch (rand() % 8) {
		case 0:
			v = ch << 6 | (1u + (unsigned)rand() % 3) << 4 | ((unsigned)rand() & 15);
			out(3, (uint8_t)v);
			m_control(&m[ch], v);
			random_count(&m[ch], ch);
			break;
		case 1:
			if (!m[ch].second_byte) {
				random_count(&m[ch], ch);
				break;
			}
			out(ch, 1); /* the other half */
			m_write(&m[ch], 1);
			break;
		case 2:
		case 3:
			v = (unsigned)rand() & 1;
			pit8254_gate(&pit, 2, v);
			m_gate(&m[2], v);
			break;
		}
		/* two at least: a pause shortens mode 4's strobe by less than a CLK, which the model does not */
		dt += 2;
		ticks += dt;
		go(dt);
		for (unsigned i = 0; i < 3; i++)
			for (unsigned t = 0; t < dt; t++)
				m_clk(&m[i]);
		if (rand() & 1)
			clock_run(&clk);
		for (unsigned i = 0; i < 3; i++)
			check(&m[i], i, step);
		/* the guest takes every tick at once, so none is forgotten when the channel is programmed */
		do {
			owed_before = rises;
			pit8254_acked(&pit);
		} while (rises != owed_before);
		/* the wire has seen every rise of channel 0's output, no more and no less */
		if (rises + pit.dropped != m[0].rises)
			fail_msg("step %u: mode %u, %u rises, not %u", step, m[0].mode, (unsigned)rises, (unsigned)m[0].rises);
	}
	assert_true(ticks > 1000000);
	assert_true(m[0].rises > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
