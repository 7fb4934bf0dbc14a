/*
 * QEMU's "pc-testdev", which test kernels drive (its source's comments are all the specification there is): a latch of 32 bits at
 * port 0xe0, a page that is "flushed" by a write of its address to 0xe4, interrupt inputs 0 to 15 raised and lowered through ports
 * 0x2000 + n, and 64 KiB of memory at 0xff000000 that behaves as RAM but is a device.
 *
 * An interrupt input that a device shares stays up while either of them raises it.
 */
#ifndef DEVICES_TESTDEV_H
#define DEVICES_TESTDEV_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"

#define TESTDEV_MMIO 0xff000000ull
#define TESTDEV_MMIO_BYTES 0x10000u
#define TESTDEV_IRQS 16u

struct testdev {
	void (*irq)(void *arg, unsigned irq, bool level);
	void *arg;
	uint32_t latch;
	uint16_t raised; /* bit n: input n */
	uint8_t memory[TESTDEV_MMIO_BYTES];
};

/* dev is the testdev: 4 ports at 0xe0, 4 at 0xe4, TESTDEV_IRQS at 0x2000, and the memory. */
extern const struct bus_ops testdev_latch_ops, testdev_flush_ops, testdev_irq_ops, testdev_mmio_ops;

void testdev_init(struct testdev *t, void (*irq)(void *arg, unsigned irq, bool level), void *arg);
/** Power-on: nothing raised, all zero. */
void testdev_reset(struct testdev *t);

#endif
