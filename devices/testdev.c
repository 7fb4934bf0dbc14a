#include "devices/testdev.h"

#include <string.h>

static uint64_t latch_read(void *dev, uint64_t addr, unsigned size)
{
	const struct testdev *t = dev;

	(void)size;
	return t->latch >> 8 * addr;
}

static void latch_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct testdev *t = dev;

	memcpy((uint8_t *)&t->latch + addr, &value, size);
}

/* QEMU takes the page out of the guest's memory for a moment, so that it faults in anew; a guest cannot tell. */
static void flush_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	(void)dev, (void)addr, (void)size, (void)value;
}

static uint64_t zero_read(void *dev, uint64_t addr, unsigned size)
{
	(void)dev, (void)addr, (void)size;
	return 0;
}

static void irq_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct testdev *t = dev;
	uint16_t bit = (uint16_t)(1u << addr);

	(void)size;
	t->raised = value ? t->raised | bit : t->raised & ~bit;
	t->irq(t->arg, (unsigned)addr, value != 0);
}

static uint64_t mmio_read(void *dev, uint64_t addr, unsigned size)
{
	const struct testdev *t = dev;
	uint64_t value = 0;

	memcpy(&value, t->memory + addr, size);
	return value;
}

static void mmio_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct testdev *t = dev;

	memcpy(t->memory + addr, &value, size);
}

const struct bus_ops testdev_latch_ops = { .name = "test latch", .read = latch_read, .write = latch_write, .access_max = 4 };
const struct bus_ops testdev_flush_ops = { .name = "test flush", .read = zero_read, .write = flush_write, .access_max = 4 };
const struct bus_ops testdev_irq_ops = { .name = "test interrupts", .read = zero_read, .write = irq_write, .access_max = 1 };
const struct bus_ops testdev_mmio_ops = { .name = "test memory", .read = mmio_read, .write = mmio_write, .access_max = 8 };

void testdev_reset(struct testdev *t)
{
	for (unsigned i = 0; i < TESTDEV_IRQS; i++)
		if (t->raised >> i & 1)
			t->irq(t->arg, i, false);
	t->latch = 0;
	t->raised = 0;
	memset(t->memory, 0, sizeof(t->memory));
}

void testdev_init(struct testdev *t, void (*irq)(void *arg, unsigned irq, bool level), void *arg)
{
	memset(t, 0, sizeof(*t));
	t->irq = irq;
	t->arg = arg;
}
