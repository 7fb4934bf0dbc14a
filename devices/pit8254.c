#include "devices/pit8254.h"

#include <string.h>

#define NS_PER_S 1000000000ull

/* ---- time: exact in both directions, without a product that could overflow */

uint64_t pit8254_ticks(const struct pit8254 *p)
{
	uint64_t ns = clock_now(p->clock);

	return ns / NS_PER_S * PIT_HZ + ns % NS_PER_S * PIT_HZ / NS_PER_S;
}

/* The first nanosecond at which pit8254_ticks() gives tick. */
static uint64_t tick_time(uint64_t tick)
{
	return tick / PIT_HZ * NS_PER_S + (tick % PIT_HZ * NS_PER_S + PIT_HZ - 1) / PIT_HZ;
}

/* ---- the counting element */

#define CONTROL_BCD 0x01u

static uint32_t modulus(const struct pit8254_channel *c)
{
	return c->control & CONTROL_BCD ? 10000 : 65536;
}

static bool periodic(const struct pit8254_channel *c)
{
	return c->mode == 2 || c->mode == 3;
}

/* Steps done since the element was loaded. */
static uint64_t steps(const struct pit8254_channel *c, uint64_t t)
{
	return c->elapsed + (c->running && t > c->base ? t - c->base : 0);
}

/* Length of mode 3's high phase: the longer one of an odd count. */
static uint32_t high_half(uint32_t n)
{
	return (n + 1) / 2;
}

static uint32_t count_at(const struct pit8254_channel *c, uint64_t t)
{
	if (!c->loaded || (c->running && t < c->base))
		return c->held;
	uint64_t s = steps(c, t);

	if (c->mode == 2)
		return c->n - (uint32_t)(s % c->n);
	if (c->mode == 3) { /* counts down by two, from an even number, once in each half */
		uint32_t pos = (uint32_t)(s % c->n);

		if (pos >= high_half(c->n))
			pos -= high_half(c->n);
		return (c->n & ~1u) - 2 * pos;
	}
	uint32_t m = modulus(c);

	return (c->n + m - (uint32_t)(s % m)) % m;
}

static bool out_at(const struct pit8254_channel *c, uint64_t t)
{
	uint64_t s = steps(c, t);
	bool waits = c->running && t < c->base;

	if (!c->loaded)
		return c->mode != 0;
	switch (c->mode) {
	case 0: return s >= c->n;
	case 1: return waits ? c->held_out : s >= c->n;
	case 2: return !c->gate || s % c->n != c->n - 1;
	case 3: return !c->gate || s % c->n < high_half(c->n);
	default: /* a strobe of one CLK; a count that goes on after a pause does not strobe again */
		return s != c->n || c->elapsed >= c->n;
	}
}

/* Modes 2 and 3: the new count is loaded at the end of the period or half-period that runs now. */
static uint64_t boundary(const struct pit8254_channel *c, uint64_t t)
{
	uint32_t pos = (uint32_t)(steps(c, t) % c->n), end = c->n;

	if (c->mode == 3 && pos < high_half(c->n))
		end = high_half(c->n);
	return (t > c->base ? t : c->base) + (end - pos);
}

static void do_reload(struct pit8254_channel *c)
{
	bool falls = c->mode == 3 && steps(c, c->reload_at) % c->n == high_half(c->n);

	c->reload = false;
	c->n = c->cr;
	c->base = c->reload_at;
	c->elapsed = falls ? high_half(c->n) : 0;
	c->null = false;
}

static void sync(struct pit8254_channel *c, uint64_t t)
{
	if (c->reload && t >= c->reload_at)
		do_reload(c);
}

/* Loads the count register into the counting element with the next CLK pulse. */
static void load(struct pit8254_channel *c, uint64_t t, bool run)
{
	c->held = count_at(c, t);
	c->held_out = out_at(c, t);
	c->n = c->cr;
	c->elapsed = 0;
	c->base = t + 1;
	c->loaded = true;
	c->running = run;
	c->reload = c->null = false;
}

/* ---- rising edges of the output, for the interrupt */

static uint64_t edge_step(const struct pit8254_channel *c)
{
	return c->mode >= 4 ? c->n + 1ull : c->n; /* the end of the strobe; the terminal count */
}

/* Rising edges in (a, b], as long as nothing is reloaded between. */
static uint64_t edges_plain(const struct pit8254_channel *c, uint64_t a, uint64_t b)
{
	if (!c->running)
		return 0;
	if (periodic(c))
		return c->n < 2 ? 0 : steps(c, b) / c->n - steps(c, a) / c->n;
	return steps(c, a) < edge_step(c) && steps(c, b) >= edge_step(c);
}

static uint64_t next_plain(const struct pit8254_channel *c, uint64_t a)
{
	uint64_t s = steps(c, a), from = a > c->base ? a : c->base;

	if (!c->running)
		return CLOCK_NEVER;
	if (periodic(c))
		return c->n < 2 ? CLOCK_NEVER : from + (c->n - s % c->n);
	return s < edge_step(c) ? from + (edge_step(c) - s) : CLOCK_NEVER;
}

static uint64_t edges(struct pit8254_channel *c, uint64_t a, uint64_t b)
{
	uint64_t n = 0;

	if (c->reload && b >= c->reload_at) {
		n = edges_plain(c, a, c->reload_at);
		a = c->reload_at;
		do_reload(c);
	}
	return n + edges_plain(c, a, b);
}

static uint64_t next_edge(const struct pit8254_channel *c, uint64_t a)
{
	uint64_t e = next_plain(c, a);

	if (!c->reload || e <= c->reload_at)
		return e;
	struct pit8254_channel later = *c;

	do_reload(&later);
	return next_plain(&later, c->reload_at);
}

static void request(struct pit8254 *p)
{
	irq_set(&p->irq, false);
	irq_set(&p->irq, true);
}

static void arm(struct pit8254 *p)
{
	uint64_t tick = next_edge(&p->ch[0], p->seen), at = CLOCK_NEVER;

	if (tick != CLOCK_NEVER) {
		at = tick_time(tick);
		if (periodic(&p->ch[0]) && at < p->woke + PIT_WAKE_NS)
			at = p->woke + PIT_WAKE_NS;
	}
	clock_set(p->clock, &p->timer, at);
}

/* Delivers channel 0's edges up to now. */
static void deliver(struct pit8254 *p)
{
	uint64_t t = pit8254_ticks(p);
	uint64_t n = edges(&p->ch[0], p->seen, t);

	p->seen = t;
	if (n == 0)
		return;
	p->woke = clock_now(p->clock);
	if ((n > 1 || p->late) && (!p->wanted || p->wanted(p->arg))) {
		uint64_t owed = p->late ? p->late + n : n - 1; /* behind others, the first one waits too */

		p->late = owed < PIT_LATE_MAX ? (uint32_t)owed : PIT_LATE_MAX;
		p->dropped += owed - p->late;
	}
	request(p);
}

static void on_timer(void *arg)
{
	struct pit8254 *p = arg;

	deliver(p);
	arm(p);
}

void pit8254_acked(struct pit8254 *p)
{
	if (p->late == 0)
		return;
	p->late--;
	request(p);
}

/* ---- programming */

/*
 * Channel 0 was programmed: its output may have changed from what it was, and with it the wire. The wire is high since the last
 * tick even if the output fell, so a rise is made to be one.
 */
static void wire(struct pit8254 *p, bool was, uint64_t t)
{
	bool level = out_at(&p->ch[0], t);

	p->late = 0;
	if (level && !was)
		irq_set(&p->irq, false);
	irq_set(&p->irq, level);
}

static uint32_t from_bcd(uint16_t v)
{
	return (v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u + (v & 15);
}

static uint16_t to_bcd(uint32_t v)
{
	return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static void write_count(struct pit8254 *p, struct pit8254_channel *c, uint16_t raw, uint64_t t)
{
	uint32_t m = modulus(c), count = (c->control & CONTROL_BCD ? from_bcd(raw) : raw) % m;
	bool fresh = !c->cr_valid || !periodic(c), was = out_at(c, t);

	c->cr = count ? count : m; /* 0 stands for the highest count */
	c->cr_valid = true;
	if (c->running && t < c->base) {
		c->n = c->cr; /* the CLK that loads is still to come */
	} else if (c->mode == 1 || c->mode == 5) {
		c->null = true; /* waits for a trigger */
	} else if (fresh) {
		load(c, t, c->gate);
	} else if (c->running) {
		if (!c->reload)
			c->reload_at = boundary(c, t);
		c->reload = c->null = true;
	} else {
		c->null = true; /* the gate is low: its rise loads */
	}
	if (fresh && c == &p->ch[0])
		wire(p, was, t);
}

static void write_channel(struct pit8254 *p, struct pit8254_channel *c, uint8_t v, uint64_t t)
{
	switch (c->control >> 4 & 3) {
	case 1: write_count(p, c, v, t); return;
	case 2: write_count(p, c, (uint16_t)(v << 8), t); return;
	}
	c->write_high_next = !c->write_high_next;
	if (!c->write_high_next) {
		write_count(p, c, (uint16_t)(v << 8 | c->write_low), t);
		return;
	}
	c->write_low = v;
	if (c->mode == 0) { /* the first byte stops the count and sets the output low at once */
		bool was = out_at(c, t);

		c->held = count_at(c, t);
		c->loaded = c->running = false;
		if (c == &p->ch[0])
			wire(p, was, t);
	}
}

static void latch_count(struct pit8254_channel *c, uint64_t t)
{
	if (c->count_latched)
		return;
	uint32_t v = count_at(c, t);

	c->latch = c->control & CONTROL_BCD ? to_bcd(v) : (uint16_t)v;
	c->count_latched = true;
	c->read_high_next = false;
}

static void latch_status(struct pit8254_channel *c, uint64_t t)
{
	if (c->status_latched)
		return;
	bool null = c->null || (c->running && t < c->base);

	c->status = (uint8_t)(out_at(c, t) << 7 | null << 6 | c->control);
	c->status_latched = true;
}

static void control_word(struct pit8254 *p, struct pit8254_channel *c, uint8_t v, uint64_t t)
{
	static const uint8_t modes[8] = { 0, 1, 2, 3, 4, 5, 2, 3 };
	uint32_t held = count_at(c, t);
	bool gate = c->gate, was = out_at(c, t);

	*c = (struct pit8254_channel){
		.control = v & 0x3f,
		.mode = modes[v >> 1 & 7],
		.gate = gate,
		.null = true,
		.held = held,
	};
	if (c == &p->ch[0])
		wire(p, was, t);
}

static void write_control(struct pit8254 *p, uint8_t v, uint64_t t)
{
	unsigned select = v >> 6;

	if (select != 3) {
		struct pit8254_channel *c = &p->ch[select];

		if (v & 0x30)
			control_word(p, c, v, t);
		else
			latch_count(c, t);
		return;
	}
	for (unsigned i = 0; i < 3; i++) { /* read-back: bits that are 0 latch */
		if (!(v & 2u << i))
			continue;
		if (!(v & 0x20))
			latch_count(&p->ch[i], t);
		if (!(v & 0x10))
			latch_status(&p->ch[i], t);
	}
}

static void pit_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pit8254 *p = dev;
	uint8_t v = (uint8_t)value;

	(void)size;
	deliver(p); /* what was due before the change belongs to the old program */
	uint64_t t = p->seen;

	for (unsigned i = 0; i < 3; i++)
		sync(&p->ch[i], t);
	if (addr == 3)
		write_control(p, v, t);
	else
		write_channel(p, &p->ch[addr], v, t);
	arm(p);
}

static uint8_t read_channel(struct pit8254_channel *c, uint64_t t)
{
	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	uint32_t v = count_at(c, t);
	uint16_t count = c->count_latched ? c->latch : c->control & CONTROL_BCD ? to_bcd(v) : (uint16_t)v;

	switch (c->control >> 4 & 3) {
	case 1: c->count_latched = false; return (uint8_t)count;
	case 2: c->count_latched = false; return count >> 8;
	}
	c->read_high_next = !c->read_high_next;
	if (c->read_high_next)
		return (uint8_t)count;
	c->count_latched = false;
	return count >> 8;
}

static uint64_t pit_read(void *dev, uint64_t addr, unsigned size)
{
	struct pit8254 *p = dev;

	(void)size;
	if (addr == 3)
		return 0xff; /* no operation: the chip leaves the bus alone */
	struct pit8254_channel *c = &p->ch[addr];

	/* Channel 0 takes its new count where its edges are counted, so the due ones come first. */
	deliver(p);
	arm(p);
	sync(c, p->seen);
	return read_channel(c, p->seen);
}

const struct bus_ops pit8254_ops = { .name = "8254", .read = pit_read, .write = pit_write, .access_max = 1 };

bool pit8254_out(struct pit8254 *p, unsigned channel)
{
	struct pit8254_channel c = p->ch[channel];
	uint64_t t = pit8254_ticks(p);

	sync(&c, t);
	return out_at(&c, t);
}

void pit8254_gate(struct pit8254 *p, unsigned channel, bool level)
{
	struct pit8254_channel *c = &p->ch[channel];

	if (c->gate == level)
		return;
	deliver(p);
	uint64_t t = p->seen;

	sync(c, t);
	bool was = out_at(c, t);

	if (!level && c->mode != 1 && c->mode != 5) { /* low stops the count */
		c->elapsed = steps(c, t);
		c->base = t > c->base ? t : c->base;
		c->running = false;
		c->reload = false;
	} else if (level && (c->mode == 0 || c->mode == 4)) { /* and goes on from where it stood */
		c->base = t > c->base ? t : c->base;
		c->running = c->loaded;
	} else if (level && c->cr_valid) { /* a rise triggers */
		load(c, t, true);
	}
	c->gate = level;
	if (channel == 0)
		wire(p, was, t);
	arm(p);
}

void pit8254_reset(struct pit8254 *p)
{
	static const struct {
		uint8_t control;
		uint16_t count;
	} firmware[3] = { { 0x34, 0 }, { 0x54, 18 }, { 0xb6, 0 } };
	uint64_t t = pit8254_ticks(p);

	p->seen = t;
	p->late = 0;
	p->woke = 0;
	for (unsigned i = 0; i < 3; i++) {
		p->ch[i].gate = i != 2;
		control_word(p, &p->ch[i], firmware[i].control & 0x3f, t);
		write_count(p, &p->ch[i], firmware[i].count, t);
	}
	arm(p);
}

void pit8254_init(struct pit8254 *p, struct clock *clock, struct irq_line irq, bool (*wanted)(void *arg), void *arg)
{
	memset(p, 0, sizeof(*p));
	p->clock = clock;
	p->irq = irq;
	p->wanted = wanted;
	p->arg = arg;
	p->timer = (struct dev_timer){ .fire = on_timer, .arg = p };
	clock_add(clock, &p->timer);
	pit8254_reset(p);
}
