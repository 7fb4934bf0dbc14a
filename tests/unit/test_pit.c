/* The 8254: scenes from the datasheet, its interrupts and their late-tick policy, and a run beside a model that counts every CLK. */
/* links: devices/pit8254.c devices/clock.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devices/pit8254.h"

static struct clock clk;
static struct bus bus;
static struct pit8254 pit;
static uint64_t time_ns;
static bool wire, irq_wanted;
static uint64_t rises;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static void on_irq(void *chip, unsigned line, bool level)
{
	assert_ptr_equal(chip, &pit);
	assert_int_equal(line, 0);
	rises += level && !wire;
	wire = level;
}

static bool wanted(void *arg)
{
	(void)arg;
	return irq_wanted;
}

/* The first nanosecond of a tick, by 128-bit arithmetic. */
static uint64_t tick_ns(uint64_t tick)
{
	return (uint64_t)(((unsigned __int128)tick * 1000000000u + PIT_HZ - 1) / PIT_HZ);
}

static void go(uint64_t ticks)
{
	time_ns = tick_ns(pit8254_ticks(&pit) + ticks);
}

static void out(unsigned port, uint8_t v)
{
	bus_write(&bus, BUS_PIO, 0x40 + port, 1, v);
}

static uint8_t in(unsigned port)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, 0x40 + port, 1);
}

static unsigned in16(unsigned port)
{
	unsigned low = in(port);

	return low | (unsigned)in(port) << 8;
}

static unsigned latched(unsigned channel)
{
	out(3, (uint8_t)(channel << 6));
	return in16(channel);
}

static void program(unsigned channel, unsigned mode, unsigned count)
{
	out(3, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out(channel, (uint8_t)count);
	out(channel, (uint8_t)(count >> 8));
}

static void make(void)
{
	clk = (struct clock){ .now = now };
	memset(&bus, 0, sizeof(bus));
	time_ns = 12345678901ull;
	wire = false;
	irq_wanted = true;
	pit8254_init(&pit, &clk, (struct irq_line){ .set = on_irq, .chip = &pit, .line = 0 }, wanted, NULL);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x40, 4, &pit8254_ops, &pit), 0);
	rises = 0;
}

/* Ticks from nanoseconds agree with 128-bit arithmetic, for centuries. */
static void exact_time(void **state)
{
	(void)state;
	make();
	srand(5);
	for (unsigned i = 0; i < 100000; i++) {
		time_ns = ((uint64_t)rand() << 32 ^ (uint64_t)rand()) >> (rand() % 60);
		assert_true(pit8254_ticks(&pit) == (uint64_t)((unsigned __int128)time_ns * PIT_HZ / 1000000000u));
	}
}

static void firmware_state(void **state)
{
	(void)state;
	make();
	assert_true(pit8254_out(&pit, 0));
	assert_true(wire);
	go(1);
	assert_int_equal(latched(0), 0); /* 65,536 */
	go(10);
	assert_int_equal(latched(0), 65526);
	assert_true(clock_next(&clk) == tick_ns(pit8254_ticks(&pit) + 65526));
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_int_equal(rises, 1);
	assert_int_equal(in(3), 0xff);
}

static void mode0(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 0, 5);
	assert_false(pit8254_out(&pit, 2));
	go(5);
	assert_false(pit8254_out(&pit, 2));
	assert_int_equal(latched(2), 1);
	go(1); /* N + 1 pulses after the write */
	assert_true(pit8254_out(&pit, 2));
	assert_int_equal(latched(2), 0);
	go(1);
	assert_int_equal(latched(2), 0xffff); /* goes on below zero */
	assert_true(pit8254_out(&pit, 2));
	/* a low gate holds the count */
	program(2, 0, 100);
	go(11);
	assert_int_equal(latched(2), 90);
	pit8254_gate(&pit, 2, false);
	go(500);
	assert_int_equal(latched(2), 90);
	pit8254_gate(&pit, 2, true);
	go(40);
	assert_int_equal(latched(2), 50);
	/* the first byte of a new count stops it */
	out(2, 9);
	go(300);
	assert_int_equal(latched(2), 50);
	assert_false(pit8254_out(&pit, 2));
	out(2, 0);
	go(10);
	assert_true(pit8254_out(&pit, 2));
}

static void mode1(void **state)
{
	(void)state;
	make();
	program(2, 1, 10);
	go(100);
	assert_true(pit8254_out(&pit, 2)); /* no trigger yet */
	pit8254_gate(&pit, 2, true);
	assert_true(pit8254_out(&pit, 2));
	go(1);
	assert_false(pit8254_out(&pit, 2));
	go(8);
	pit8254_gate(&pit, 2, false); /* changes nothing */
	pit8254_gate(&pit, 2, true);  /* starts over */
	go(10);
	assert_false(pit8254_out(&pit, 2));
	go(1);
	assert_true(pit8254_out(&pit, 2));
}

static void mode2(void **state)
{
	unsigned low = 0;

	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 2, 7);
	go(1);
	for (unsigned i = 0; i < 70; i++) {
		assert_int_equal(latched(2), 7 - i % 7);
		assert_int_equal(pit8254_out(&pit, 2), i % 7 != 6);
		low += !pit8254_out(&pit, 2);
		go(1);
	}
	assert_int_equal(low, 10);
	/* a new count waits for the end of the period */
	go(3);
	out(2, 100);
	out(2, 0);
	assert_int_equal(latched(2), 4);
	out(3, 0xe8); /* read-back of channel 2's status: null count */
	assert_int_equal(in(2), 0x80 | 0x40 | 0x34);
	go(4);
	assert_int_equal(latched(2), 100);
	out(3, 0xe8);
	assert_int_equal(in(2), 0x80 | 0x34);
	/* the gate: output high and count held while low, everything from the start when it rises */
	go(99);
	assert_false(pit8254_out(&pit, 2));
	pit8254_gate(&pit, 2, false);
	assert_true(pit8254_out(&pit, 2));
	go(50);
	assert_int_equal(latched(2), 1);
	pit8254_gate(&pit, 2, true);
	go(1);
	assert_int_equal(latched(2), 100);
}

static void mode3(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 3, 8);
	go(1);
	for (unsigned i = 0; i < 80; i++) {
		assert_int_equal(latched(2), 8 - 2 * (i % 4));
		assert_int_equal(pit8254_out(&pit, 2), i % 8 < 4);
		go(1);
	}
	program(2, 3, 5);
	go(1);
	for (unsigned i = 0; i < 50; i++) { /* high for three, low for two */
		assert_int_equal(pit8254_out(&pit, 2), i % 5 < 3);
		go(1);
	}
}

static void modes4_and_5(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 4, 3);
	for (unsigned i = 0; i < 20; i++, go(1))
		assert_int_equal(pit8254_out(&pit, 2), i != 4); /* one CLK, N + 1 after the write */
	program(2, 5, 3);
	go(30);
	assert_true(pit8254_out(&pit, 2));
	pit8254_gate(&pit, 2, false);
	pit8254_gate(&pit, 2, true);
	for (unsigned i = 0; i < 20; i++, go(1))
		assert_int_equal(pit8254_out(&pit, 2), i != 4);
}

static void reading(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	program(2, 2, 0x1234);
	go(1);
	out(3, 0x80);
	go(0x100);
	out(3, 0x80); /* a second latch changes nothing until the first is read */
	assert_int_equal(in16(2), 0x1234);
	assert_int_equal(in(2), 0x34);
	go(0x100);
	assert_int_equal(in(2), 0x10); /* not latched: the high byte of now */
	/* read-back of count and status: status comes first */
	out(3, 0xc8);
	assert_int_equal(in(2), 0xb4);
	assert_int_equal(in16(2), 0x1034);
	/* of all channels at once, count only */
	out(3, 0xde);
	go(7);
	assert_int_equal(in16(2), 0x1034);
	/* one byte only */
	out(3, 0x94);
	out(2, 200);
	go(1);
	assert_int_equal(in(2), 200);
	assert_int_equal(in(2), 200);
	out(3, 0xa4);
	out(2, 3);
	go(2);
	assert_int_equal(in(2), 2); /* 0x2ff */
	out(3, 0xe8);
	assert_int_equal(in(2) & 0x3f, 0x24);
}

static void bcd(void **state)
{
	(void)state;
	make();
	pit8254_gate(&pit, 2, true);
	out(3, 0xb1);
	out(2, 0x00);
	out(2, 0x10); /* 1,000 */
	go(1);
	assert_int_equal(latched(2), 0x1000);
	go(1);
	assert_int_equal(latched(2), 0x0999);
	go(1000);
	assert_int_equal(latched(2), 0x9999);
	out(3, 0xb5);
	out(2, 0);
	out(2, 0); /* 10,000 */
	go(1);
	assert_int_equal(latched(2), 0);
	go(1);
	assert_int_equal(latched(2), 0x9999);
}

/* A periodic guest that is always run in time gets every tick at its nanosecond, without drift over an hour. */
static void no_drift(void **state)
{
	(void)state;
	make();
	program(0, 2, 11932); /* 100 Hz */
	uint64_t first = pit8254_ticks(&pit) + 1;

	for (uint64_t i = 1; i <= 360000; i++) {
		assert_true(clock_next(&clk) == tick_ns(first + i * 11932));
		time_ns = clock_next(&clk);
		clock_run(&clk);
		assert_true(rises == i);
	}
	assert_int_equal(pit.dropped + pit.late, 0);
}

static void one_shot(void **state)
{
	(void)state;
	make();
	program(0, 0, 1000);
	assert_false(wire);
	assert_true(clock_next(&clk) == tick_ns(pit8254_ticks(&pit) + 1001));
	time_ns = clock_next(&clk) - 1;
	clock_run(&clk);
	assert_false(wire);
	time_ns++;
	clock_run(&clk);
	assert_true(wire);
	assert_int_equal(rises, 1);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	/* programmed anew before the end: only the new one counts */
	program(0, 0, 1000);
	go(500);
	program(0, 0, 1000);
	assert_false(wire);
	go(1000);
	clock_run(&clk);
	assert_int_equal(rises, 1);
	go(1);
	clock_run(&clk);
	assert_int_equal(rises, 2);
	/* Linux's one-shot: mode 4 */
	program(0, 4, 50);
	go(51);
	clock_run(&clk);
	assert_int_equal(rises, 2);
	go(1);
	clock_run(&clk);
	assert_int_equal(rises, 3);
}

static void late_ticks(void **state)
{
	(void)state;
	make();
	program(0, 2, 1000);
	go(1 + 10500); /* ten were due */
	clock_run(&clk);
	assert_int_equal(rises, 1);
	assert_int_equal(pit.late, 9);
	assert_true(clock_next(&clk) <= tick_ns(pit8254_ticks(&pit) + 500)); /* the phase is kept */
	for (unsigned i = 0; i < 20; i++)
		pit8254_acked(&pit);
	assert_int_equal(rises, 10);
	go(500);
	clock_run(&clk);
	assert_int_equal(rises, 11);
	/* beyond the bound they are dropped and counted */
	go(200 * 1000);
	clock_run(&clk);
	assert_int_equal(pit.late, PIT_LATE_MAX);
	assert_int_equal(pit.dropped, 199 - PIT_LATE_MAX);
	for (unsigned i = 0; i < 100; i++)
		pit8254_acked(&pit);
	assert_int_equal(rises, 12 + PIT_LATE_MAX);
	/* masked: nothing is owed */
	irq_wanted = false;
	go(50 * 1000);
	clock_run(&clk);
	assert_int_equal(pit.late, 0);
	assert_int_equal(pit.dropped, 199 - PIT_LATE_MAX);
	/* programming forgets what is owed */
	irq_wanted = true;
	go(50 * 1000);
	clock_run(&clk);
	assert_int_equal(pit.late, 49);
	program(0, 2, 1000);
	assert_int_equal(pit.late, 0);
}

/* The shortest period cannot keep the VMM from everything else. */
static void storm(void **state)
{
	uint64_t runs = 0, end;

	(void)state;
	make();
	program(0, 2, 2);
	end = time_ns + 10000000;
	while (clock_next(&clk) < end) {
		assert_true(clock_next(&clk) >= time_ns);
		time_ns = clock_next(&clk);
		clock_run(&clk);
		runs++;
	}
	assert_in_range(runs, 190, 201);
	assert_true(pit.dropped > 0);
	program(0, 3, 1); /* forbidden count: harmless */
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	program(0, 2, 1);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
}

/* ------------------------------------------------- a model that counts every CLK, from the datasheet's mode definitions */

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
	case 0: case 1:
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
	unsigned want = m->bcd ? m->ce / 1000 % 10 << 12 | m->ce / 100 % 10 << 8 | m->ce / 10 % 10 << 4 | m->ce % 10 : m->ce & 0xffff;
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
		case 2: case 3:
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
		cmocka_unit_test(exact_time),
		cmocka_unit_test(firmware_state),
		cmocka_unit_test(mode0),
		cmocka_unit_test(mode1),
		cmocka_unit_test(mode2),
		cmocka_unit_test(mode3),
		cmocka_unit_test(modes4_and_5),
		cmocka_unit_test(reading),
		cmocka_unit_test(bcd),
		cmocka_unit_test(no_drift),
		cmocka_unit_test(one_shot),
		cmocka_unit_test(late_ticks),
		cmocka_unit_test(storm),
		cmocka_unit_test(against_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
