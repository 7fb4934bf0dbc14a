#include "devices/hpet.h"

#include <string.h>

/* Registers (specification, 2.3.1), and a timer's own from TIMERS + 32 * n on. */
enum { CAPABILITIES = 0, CONFIG = 0x10, STATUS = 0x20, COUNTER = 0xf0, TIMERS = 0x100 };
enum { TIMER_CONFIG = 0, TIMER_COMPARATOR = 8, TIMER_BYTES = 32 };

#define CONFIG_ENABLE (1u << 0)
#define CONFIG_LEGACY (1u << 1)
#define CONFIG_WRITABLE (CONFIG_ENABLE | CONFIG_LEGACY)

/* Timer configuration (2.3.8). */
#define TIMER_LEVEL (1u << 1)
#define TIMER_INTERRUPT (1u << 2)
#define TIMER_PERIODIC (1u << 3)
#define TIMER_SET_VALUE (1u << 6)
#define TIMER_32 (1u << 8)
#define TIMER_ROUTE(config) ((unsigned)(config) >> 9 & 31)
#define TIMER_WRITABLE 0x3f4eull /* with TIMER_LEVEL .. TIMER_PERIODIC, TIMER_SET_VALUE, TIMER_32 and the route; no FSB */
#define TIMER_CAPABILITIES (1ull << 4 | 1ull << 5 | (uint64_t)HPET_ROUTES << 32) /* periodic, 64 bits */

/* Counts that no clock lives to see: no timer is set for them. */
#define TOO_FAR (1ull << 56)

static bool enabled(const struct hpet *h)
{
	return h->config & CONFIG_ENABLE;
}

static uint64_t counter(const struct hpet *h)
{
	return enabled(h) ? h->offset + (clock_now(h->clock) - h->started) / HPET_TICK_NS : h->offset;
}

static unsigned number(const struct hpet_timer *t)
{
	return (unsigned)(t - t->hpet->t);
}

/* ---- outputs */

static void drive(struct hpet_timer *t, bool level)
{
	struct hpet *h = t->hpet;
	unsigned n = number(t), route = TIMER_ROUTE(t->config);

	if (level == t->level)
		return;
	t->level = level;
	if (h->config & CONFIG_LEGACY && n < 2)
		h->legacy_irq(h->arg, n ? 8 : 0, level);
	else if (HPET_ROUTES >> route & 1)
		h->irq(h->arg, route, level);
}

/* What a level-triggered output shows of the status; edges leave it as it is. */
static void drive_status(struct hpet_timer *t)
{
	if (t->config & TIMER_LEVEL)
		drive(t, t->config & TIMER_INTERRUPT && t->hpet->status >> number(t) & 1);
	else if (!(t->config & TIMER_INTERRUPT))
		drive(t, false);
}

/* An edge stays high until the next one, so that an 8259 still sees it when it is acknowledged. */
static void interrupt(struct hpet_timer *t)
{
	if (!(t->config & TIMER_INTERRUPT))
		return;
	if (t->config & TIMER_LEVEL) {
		t->hpet->status |= 1u << number(t);
		drive_status(t);
	} else {
		drive(t, false);
		drive(t, true);
	}
}

/* ---- matches */

static uint64_t mask(const struct hpet_timer *t)
{
	return t->config & TIMER_32 ? UINT32_MAX : UINT64_MAX;
}

/* Counts from `since` to the next match; 0: further than 64 bits tell. */
static uint64_t distance(const struct hpet_timer *t)
{
	uint64_t d = (t->comparator - t->since) & mask(t);

	return d ? d : mask(t) + 1;
}

/* Timer 0 ticks in the 8254's place: its late ticks are caught up as that one's are. */
static bool ticks(const struct hpet_timer *t)
{
	return number(t) == 0 && t->hpet->config & CONFIG_LEGACY && (t->config & (TIMER_PERIODIC | TIMER_LEVEL)) == TIMER_PERIODIC;
}

/* So many matches are due, of which one is delivered now. */
static void owe(struct hpet_timer *t, uint64_t matches)
{
	struct hpet *h = t->hpet;
	uint64_t owed = t->late ? t->late + matches : matches - 1; /* behind others, the first one waits too */

	if (!owed || !ticks(t) || !h->wanted(h->arg))
		return;
	t->late = owed < HPET_LATE_MAX ? (uint32_t)owed : HPET_LATE_MAX;
	h->dropped += owed - t->late;
}

/* Brings a timer's matches up to now. */
static void settle(struct hpet_timer *t)
{
	uint64_t now = counter(t->hpet), d = distance(t), passed = now - t->since, period = t->period & mask(t), matches = 1;

	if (!enabled(t->hpet))
		return;
	t->since = now;
	if (!d || passed < d)
		return;
	if (t->config & TIMER_PERIODIC && period) {
		matches += (passed - d) / period;
		t->comparator = (t->comparator + matches * period) & mask(t);
	}
	t->woke = clock_now(t->hpet->clock);
	owe(t, matches);
	interrupt(t);
}

void hpet_acked(struct hpet *h)
{
	struct hpet_timer *t = &h->t[0];

	if (!t->late)
		return;
	t->late--;
	interrupt(t);
}

static void arm(struct hpet_timer *t)
{
	const struct hpet *h = t->hpet;
	uint64_t d = distance(t), at = CLOCK_NEVER;

	if (enabled(h) && t->config & TIMER_INTERRUPT && d && d < TOO_FAR) {
		at = h->started + (t->since + d - h->offset) * HPET_TICK_NS;
		if (t->config & TIMER_PERIODIC && at < t->woke + HPET_WAKE_NS)
			at = t->woke + HPET_WAKE_NS;
	}
	if (at != t->timer.deadline)
		clock_set(h->clock, &t->timer, at);
}

static void fire(void *arg)
{
	struct hpet_timer *t = arg;

	settle(t);
	arm(t);
}

/* ---- registers */

static void write_config(struct hpet *h, uint64_t value)
{
	uint64_t now = counter(h), changed = (h->config ^ value) & CONFIG_WRITABLE;

	if (changed)
		h->t[0].late = 0;
	if (changed & CONFIG_ENABLE) {
		h->offset = now;
		h->started = clock_now(h->clock);
	}
	if (changed & CONFIG_LEGACY) /* outputs leave by the way that they came */
		for (unsigned i = 0; i < HPET_TIMERS; i++)
			drive(&h->t[i], false);
	h->config ^= changed;
	if (changed & CONFIG_LEGACY)
		h->legacy(h->arg, h->config & CONFIG_LEGACY);
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		drive_status(&h->t[i]);
}

static void write_status(struct hpet *h, uint64_t clear)
{
	h->status &= ~clear;
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		drive_status(&h->t[i]);
}

static void write_counter(struct hpet *h, uint64_t value)
{
	h->offset = value;
	h->started = clock_now(h->clock);
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		h->t[i].since = value;
}

static void write_timer_config(struct hpet_timer *t, uint64_t value)
{
	uint64_t config = value & TIMER_WRITABLE;

	if (config == t->config)
		return;
	t->late = 0;
	if ((config ^ t->config) & (TIMER_LEVEL | 31u << 9)) {
		drive(t, false);
		t->hpet->status &= ~(1ull << number(t));
	}
	t->config = config;
	if (config & TIMER_32) { /* 2.3.8: only 32 bits are left */
		t->comparator &= UINT32_MAX;
		t->period &= UINT32_MAX;
	}
	drive_status(t);
}

/*
 * In periodic mode the comparator itself is written with TIMER_SET_VALUE only; the period always (2.3.9.2.2). A value that the
 * counter has just now matches.
 */
static void write_comparator(struct hpet_timer *t, uint64_t bits, uint64_t value)
{
	bool periodic = t->config & TIMER_PERIODIC;

	if (t->config & TIMER_32)
		bits &= UINT32_MAX;
	if (!periodic || t->config & TIMER_SET_VALUE)
		t->comparator = (t->comparator & ~bits) | (value & bits);
	if (periodic)
		t->period = (t->period & ~bits) | (value & bits);
	t->config &= ~(uint64_t)TIMER_SET_VALUE;
	t->late = 0;
	t->since = counter(t->hpet) - 1;
}

/* The timer whose registers lie at reg, or NULL. */
static struct hpet_timer *timer_at(struct hpet *h, unsigned reg)
{
	return reg >= TIMERS && reg < TIMERS + HPET_TIMERS * TIMER_BYTES ? &h->t[(reg - TIMERS) / TIMER_BYTES] : NULL;
}

static uint64_t read_register(struct hpet *h, unsigned reg)
{
	const struct hpet_timer *t = timer_at(h, reg);

	switch (reg) {
	case CAPABILITIES: return (uint64_t)HPET_PERIOD_FS << 32 | HPET_ID;
	case CONFIG: return h->config;
	case STATUS: return h->status;
	case COUNTER: return counter(h);
	}
	if (!t)
		return 0;
	switch (reg % TIMER_BYTES) {
	case TIMER_CONFIG: return t->config | TIMER_CAPABILITIES;
	case TIMER_COMPARATOR: return t->comparator;
	default: return 0; /* FSB routes */
	}
}

/* Writes the given bits of a register. */
static void write_register(struct hpet *h, unsigned reg, uint64_t bits, uint64_t value)
{
	uint64_t whole = (read_register(h, reg) & ~bits) | (value & bits);
	struct hpet_timer *t = timer_at(h, reg);

	switch (reg) {
	case CONFIG: write_config(h, whole); return;
	case STATUS: write_status(h, value & bits); return;
	case COUNTER: write_counter(h, whole); return;
	}
	if (t && reg % TIMER_BYTES == TIMER_CONFIG)
		write_timer_config(t, whole);
	else if (t && reg % TIMER_BYTES == TIMER_COMPARATOR)
		write_comparator(t, bits, value);
}

static void settle_all(struct hpet *h)
{
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		settle(&h->t[i]);
}

static void arm_all(struct hpet *h)
{
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		arm(&h->t[i]);
}

static uint64_t mmio_read(void *dev, uint64_t addr, unsigned size)
{
	struct hpet *h = dev;
	unsigned reg = (unsigned)addr & ~7u;

	(void)size;	      /* the bus takes what it needs of it */
	if (reg != COUNTER) { /* what a periodic comparator has come to, and the status */
		settle_all(h);
		arm_all(h);
	}
	return read_register(h, reg) >> 8 * (addr & 7);
}

/* Registers are written as 64 bits or as one of their halves (2.3.2). */
static void mmio_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct hpet *h = dev;
	unsigned shift = 8 * (addr & 7);

	if (size < 4 || addr % size)
		return;
	settle_all(h);
	write_register(h, (unsigned)addr & ~7u, size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift, value << shift);
	settle_all(h);
	arm_all(h);
}

const struct bus_ops hpet_ops = { .name = "HPET", .read = mmio_read, .write = mmio_write, .access_max = 8 };

void hpet_reset(struct hpet *h)
{
	for (unsigned i = 0; i < HPET_TIMERS; i++)
		drive(&h->t[i], false);
	if (h->config & CONFIG_LEGACY)
		h->legacy(h->arg, false);
	h->config = h->status = h->offset = 0;
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		struct hpet_timer *t = &h->t[i];

		t->config = t->period = t->since = t->woke = 0;
		t->late = 0;
		t->comparator = UINT64_MAX;
		arm(t);
	}
}

void hpet_init(struct hpet *h, struct clock *clock, void (*irq)(void *arg, unsigned gsi, bool level),
	       void (*legacy)(void *arg, bool on), void (*legacy_irq)(void *arg, unsigned irq, bool level),
	       bool (*wanted)(void *arg), void *arg)
{
	memset(h, 0, sizeof(*h));
	h->clock = clock;
	h->irq = irq;
	h->legacy = legacy;
	h->legacy_irq = legacy_irq;
	h->wanted = wanted;
	h->arg = arg;
	for (unsigned i = 0; i < HPET_TIMERS; i++) {
		h->t[i].hpet = h;
		h->t[i].timer = (struct dev_timer){ .fire = fire, .arg = &h->t[i] };
		clock_add(clock, &h->t[i].timer);
	}
	hpet_reset(h);
}
