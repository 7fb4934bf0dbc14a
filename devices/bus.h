/*
 * The guest's buses: which device answers at which port or MMIO address. Devices see this, guest memory, clock.h and irq.h, and
 * nothing of vCPUs.
 */
#ifndef DEVICES_BUS_H
#define DEVICES_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bus_space { BUS_PIO, BUS_MMIO };

#define BUS_REGIONS 96

/*
 * addr is relative to the region's base; size is 1, 2, 4 (or 8 on MMIO). An access that runs past its region, or that a device
 * with a smaller access_max does not take, is split by the bus into smaller ones (little-endian). Values are zero-extended.
 */
struct bus_ops {
	const char *name;
	uint64_t (*read)(void *dev, uint64_t addr, unsigned size);
	void (*write)(void *dev, uint64_t addr, unsigned size, uint64_t value);
	uint8_t access_max; /* widest access the device takes at once: 1, 2, 4, 8 */
};

struct bus_region {
	enum bus_space space;
	uint64_t base, len;
	const struct bus_ops *ops;
	void *dev;
};

struct bus {
	unsigned count;
	struct bus_region region[BUS_REGIONS]; /* sorted by space, then base; never overlapping */
	uint64_t unclaimed;                    /* accesses that nobody answered */
};

/** Adds a region. Returns 0; -EEXIST where it overlaps another; -ENOSPC; -EINVAL for an empty or wrapping one. */
int bus_add(struct bus *b, enum bus_space space, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev);
/** Removes the region that begins at base. Returns 0 or -ENOENT. */
int bus_remove(struct bus *b, enum bus_space space, uint64_t base);
/** Reads size (1, 2, 4, 8) bytes at addr. Bytes that nobody claims read as ones. Ports wrap at 64 Ki. */
uint64_t bus_read(struct bus *b, enum bus_space space, uint64_t addr, unsigned size);
/** Writes; what nobody claims is dropped and counted. */
void bus_write(struct bus *b, enum bus_space space, uint64_t addr, unsigned size, uint64_t value);
/** True when a device claims the byte at addr. */
bool bus_claimed(const struct bus *b, enum bus_space space, uint64_t addr);

#endif
