#include "devices/pic8259.h"

#include <string.h>

#define CASCADE 2u

#define ICW1_IC4 0x01u
#define ICW1_SNGL 0x02u
#define ICW1 0x10u
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u
#define OCW3 0x08u
#define OCW3_RIS 0x01u
#define OCW3_RR 0x02u
#define OCW3_POLL 0x04u
#define OCW3_SMM 0x20u
#define OCW3_ESMM 0x40u

static bool is_master(const struct pic8259_chip *c)
{
	return c == &c->pic->chip[0];
}

static uint8_t irr(const struct pic8259_chip *c)
{
	return (c->latch & ~c->elcr) | (c->lines & c->elcr);
}

/* How far below the highest priority the best of these levels stands (0 highest); bits must not be 0. */
static unsigned rank(const struct pic8259_chip *c, uint8_t bits)
{
	unsigned by = (c->lowest + 1u) & 7;

	return (unsigned)__builtin_ctz(bits >> by | bits << (8 - by));
}

static unsigned level_of(const struct pic8259_chip *c, unsigned r)
{
	return (c->lowest + 1u + r) & 7;
}

/* In-service bits that hold back others: in special mask mode, masked ones do not (datasheet, "Special Mask Mode"). */
static uint8_t holding(const struct pic8259_chip *c)
{
	return c->special_mask ? c->isr & ~c->imr : c->isr;
}

/* The level whose request the chip passes on now, or -1. */
static int pending(const struct pic8259_chip *c)
{
	uint8_t request = irr(c) & ~c->imr;

	if (!request)
		return -1;
	uint8_t block = holding(c);

	/* Special fully nested: a slave in service does not lock out its own further requests. */
	if (c->special_nested && is_master(c))
		block &= ~(1u << CASCADE);
	unsigned r = rank(c, request);

	if (block && rank(c, block) <= r)
		return -1;
	return (int)level_of(c, r);
}

static void chip_line(struct pic8259_chip *c, unsigned n, bool level)
{
	uint8_t bit = 1u << n;

	if (level) {
		c->latch |= bit & ~c->lines;
		c->lines |= bit;
	} else {
		c->latch &= ~bit;
		c->lines &= ~bit;
	}
}

static void update(struct pic8259 *p)
{
	chip_line(&p->chip[0], CASCADE, pending(&p->chip[1]) >= 0);
	bool level = pending(&p->chip[0]) >= 0;

	if (level != p->level) {
		p->level = level;
		p->intr(p->arg, level);
	}
}

/* The chip's part of an acknowledge cycle or a poll. With AEOI the in-service bit is gone when the cycle ends. */
static void accept(struct pic8259_chip *c, unsigned level)
{
	c->latch &= ~(1u << level);
	if (!c->auto_eoi)
		c->isr |= 1u << level;
	else if (c->rotate_auto_eoi)
		c->lowest = level;
	/* INT falls during the cycle, so that a further request of the slave is a new edge for the master. */
	if (!is_master(c))
		chip_line(&c->pic->chip[0], CASCADE, false);
}

uint8_t pic8259_ack(struct pic8259 *p)
{
	struct pic8259_chip *master = &p->chip[0], *slave = &p->chip[1];
	int level = pending(master);

	if (level < 0)
		return master->base | 7;
	accept(master, (unsigned)level);
	unsigned irq = (unsigned)level;
	uint8_t vector = master->base | irq;
	bool real = true;

	if (irq == CASCADE && !master->single && (master->icw3 & 1u << CASCADE)) {
		int second = pending(slave);

		real = second >= 0;
		if (real)
			accept(slave, (unsigned)second);
		irq = 8 + (real ? (unsigned)second : 7);
		vector = slave->base | (irq & 7);
	}
	update(p);
	if (real)
		p->acked(p->arg, irq);
	return vector;
}

void pic8259_set(void *pic, unsigned irq, bool level)
{
	struct pic8259 *p = pic;

	if (irq > 15 || irq == CASCADE)
		return;
	struct pic8259_chip *c = &p->chip[irq / 8];

	if (!(c->lines >> (irq & 7) & 1) == !level)
		return;
	chip_line(c, irq & 7, level);
	update(p);
}

bool pic8259_masked(const struct pic8259 *p, unsigned irq)
{
	if (irq > 15)
		return true;
	if (irq >= 8 && (p->chip[0].imr & 1u << CASCADE))
		return true;
	return p->chip[irq / 8].imr >> (irq & 7) & 1;
}

/* ICW1 (datasheet, "Initialization Command Words"): edge sense, mask, priorities, special mask, status register start over. */
static void write_icw1(struct pic8259_chip *c, uint8_t v)
{
	c->latch = 0;
	c->imr = 0;
	c->isr = 0;
	c->lowest = 7;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->auto_eoi = c->rotate_auto_eoi = c->special_nested = false;
	c->single = v & ICW1_SNGL;
	c->need_icw4 = v & ICW1_IC4;
	c->expect = 2;
}

static void write_icw(struct pic8259_chip *c, uint8_t v)
{
	switch (c->expect) {
	case 2:
		c->base = v & 0xf8;
		c->expect = !c->single ? 3 : c->need_icw4 ? 4 : 0;
		break;
	case 3:
		c->icw3 = v;
		c->expect = c->need_icw4 ? 4 : 0;
		break;
	default:
		c->auto_eoi = v & ICW4_AEOI;
		c->special_nested = v & ICW4_SFNM;
		c->expect = 0;
		break;
	}
}

/* OCW2: R, SL and EOI in bits 7..5, a level in bits 2..0. */
enum { ROTATE_AUTO_OFF, EOI, NO_OPERATION, EOI_LEVEL, ROTATE_AUTO_ON, EOI_ROTATE, SET_PRIORITY, EOI_LEVEL_ROTATE };

static void end_of_interrupt(struct pic8259_chip *c, unsigned level, bool rotate)
{
	c->isr &= ~(1u << level);
	if (rotate)
		c->lowest = level;
}

static void write_ocw2(struct pic8259_chip *c, uint8_t v)
{
	unsigned command = v >> 5, level = v & 7;
	uint8_t serving = holding(c); /* a non-specific EOI passes over what is masked in special mask mode */

	switch (command) {
	case ROTATE_AUTO_OFF:
	case ROTATE_AUTO_ON: c->rotate_auto_eoi = command == ROTATE_AUTO_ON; break;
	case EOI:
	case EOI_ROTATE:
		if (serving)
			end_of_interrupt(c, level_of(c, rank(c, serving)), command == EOI_ROTATE);
		break;
	case EOI_LEVEL:
	case EOI_LEVEL_ROTATE: end_of_interrupt(c, level, command == EOI_LEVEL_ROTATE); break;
	case SET_PRIORITY: c->lowest = level; break;
	case NO_OPERATION: break;
	}
}

static void write_ocw3(struct pic8259_chip *c, uint8_t v)
{
	if (v & OCW3_ESMM)
		c->special_mask = v & OCW3_SMM;
	if (v & OCW3_RR)
		c->read_isr = v & OCW3_RIS;
	c->poll = v & OCW3_POLL;
}

static void chip_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pic8259_chip *c = dev;
	uint8_t v = (uint8_t)value;

	(void)size;
	if (addr == 0 && (v & ICW1))
		write_icw1(c, v);
	else if (addr == 0 && (v & OCW3))
		write_ocw3(c, v);
	else if (addr == 0)
		write_ocw2(c, v);
	else if (c->expect)
		write_icw(c, v);
	else
		c->imr = v;
	update(c->pic);
}

/* The read after a poll command acts as the acknowledge: bit 7 tells of a request, bits 2..0 its level. */
static uint8_t poll_read(struct pic8259_chip *c)
{
	int level = pending(c);

	c->poll = false;
	if (level < 0)
		return 0;
	accept(c, (unsigned)level);
	update(c->pic);
	/* The cascade's own request is no device's: its device is known when the slave is polled. */
	if (!is_master(c))
		c->pic->acked(c->pic->arg, 8 + (unsigned)level);
	else if (level != CASCADE)
		c->pic->acked(c->pic->arg, (unsigned)level);
	return 0x80 | (uint8_t)level;
}

static uint64_t chip_read(void *dev, uint64_t addr, unsigned size)
{
	struct pic8259_chip *c = dev;

	(void)size;
	if (c->poll)
		return poll_read(c);
	if (addr == 1)
		return c->imr;
	return c->read_isr ? c->isr : irr(c);
}

const struct bus_ops pic8259_chip_ops = { .name = "8259", .read = chip_read, .write = chip_write, .access_max = 1 };

static uint64_t elcr_read(void *dev, uint64_t addr, unsigned size)
{
	struct pic8259 *p = dev;

	(void)size;
	return p->chip[addr & 1].elcr;
}

static void elcr_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pic8259 *p = dev;
	struct pic8259_chip *c = &p->chip[addr & 1];

	(void)size;
	c->elcr = (uint8_t)value & c->elcr_mask;
	update(p);
}

const struct bus_ops pic8259_elcr_ops = { .name = "ELCR", .read = elcr_read, .write = elcr_write, .access_max = 1 };

void pic8259_reset(struct pic8259 *p)
{
	static const struct {
		uint8_t base, icw3, elcr_mask;
	} firmware[2] = {
		/* IRQ 0, 1, 2, 8 and 13 are edge-triggered for good (Intel 82371SB datasheet, ELCR1 and ELCR2). */
		{ .base = 0x08, .icw3 = 1u << CASCADE, .elcr_mask = 0xf8 },
		{ .base = 0x70, .icw3 = CASCADE, .elcr_mask = 0xde },
	};

	for (unsigned i = 0; i < 2; i++) {
		struct pic8259_chip *c = &p->chip[i];

		*c = (struct pic8259_chip){
			.pic = p,
			.lines = c->lines,
			.elcr_mask = firmware[i].elcr_mask,
			.imr = 0xff,
			.base = firmware[i].base,
			.lowest = 7,
			.icw3 = firmware[i].icw3,
		};
	}
	update(p);
}

void pic8259_init(struct pic8259 *p, void (*intr)(void *arg, bool level), void (*acked)(void *arg, unsigned irq), void *arg)
{
	memset(p, 0, sizeof(*p));
	p->intr = intr;
	p->acked = acked;
	p->arg = arg;
	pic8259_reset(p);
}
