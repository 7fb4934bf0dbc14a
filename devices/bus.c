#include "devices/bus.h"

#include <errno.h>
#include <string.h>

#define PIO_SPACE 0x10000ull

/* Index of the first region that is not wholly below addr: the one that holds addr, or where a region at addr would go. */
static unsigned find(const struct bus *b, enum bus_space space, uint64_t addr)
{
	unsigned lo = 0, hi = b->count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;
		const struct bus_region *r = &b->region[mid];

		if (r->space < space || (r->space == space && r->base + (r->len - 1) < addr))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The region that holds addr, or NULL. */
static const struct bus_region *lookup(const struct bus *b, enum bus_space space, uint64_t addr)
{
	unsigned i = find(b, space, addr);

	if (i == b->count || b->region[i].space != space || b->region[i].base > addr)
		return NULL;
	return &b->region[i];
}

int bus_add(struct bus *b, enum bus_space space, uint64_t base, uint64_t len, const struct bus_ops *ops, void *dev)
{
	if (len == 0 || base + (len - 1) < base)
		return -EINVAL;
	if (space == BUS_PIO && base + (len - 1) >= PIO_SPACE)
		return -EINVAL;
	unsigned i = find(b, space, base);

	if (i < b->count && b->region[i].space == space && b->region[i].base <= base + (len - 1))
		return -EEXIST;
	if (b->count == BUS_REGIONS)
		return -ENOSPC;
	memmove(&b->region[i + 1], &b->region[i], (b->count - i) * sizeof(b->region[0]));
	b->region[i] = (struct bus_region){ .space = space, .base = base, .len = len, .ops = ops, .dev = dev };
	b->count++;
	return 0;
}

int bus_remove(struct bus *b, enum bus_space space, uint64_t base)
{
	unsigned i = find(b, space, base);

	if (i == b->count || b->region[i].space != space || b->region[i].base != base)
		return -ENOENT;
	b->count--;
	memmove(&b->region[i], &b->region[i + 1], (b->count - i) * sizeof(b->region[0]));
	return 0;
}

static uint64_t ones(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (1ull << (size * 8)) - 1;
}

/* The widest access at addr that the region takes of the left bytes: a power of two. */
static unsigned chunk(const struct bus_region *r, uint64_t addr, unsigned left)
{
	uint64_t inside = r->len - (addr - r->base);
	unsigned n = 8;

	while (n > left || n > inside || n > r->ops->access_max)
		n /= 2;
	return n ? n : 1;
}

static uint64_t wrap(enum bus_space space, uint64_t addr)
{
	return space == BUS_PIO ? addr & (PIO_SPACE - 1) : addr;
}

/*
 * The region is looked up again for every part: a device's handler may add and remove regions (a PCI BAR that moves), so no
 * pointer into the table outlives a call.
 */
uint64_t bus_read(struct bus *b, enum bus_space space, uint64_t addr, unsigned size)
{
	uint64_t value = 0;
	bool unclaimed = false;

	for (unsigned done = 0, n; done < size && done < 8; done += n) {
		uint64_t at = wrap(space, addr + done), part = 0xff;
		const struct bus_region *r = lookup(b, space, at);

		n = r ? chunk(r, at, size - done) : 1;
		if (r)
			part = r->ops->read(r->dev, at - r->base, n) & ones(n);
		else
			unclaimed = true;
		value |= part << (done * 8);
	}
	b->unclaimed += unclaimed;
	return value;
}

void bus_write(struct bus *b, enum bus_space space, uint64_t addr, unsigned size, uint64_t value)
{
	bool unclaimed = false;

	for (unsigned done = 0, n; done < size && done < 8; done += n) {
		uint64_t at = wrap(space, addr + done);
		const struct bus_region *r = lookup(b, space, at);

		n = r ? chunk(r, at, size - done) : 1;
		if (r)
			r->ops->write(r->dev, at - r->base, n, value >> (done * 8) & ones(n));
		else
			unclaimed = true;
	}
	b->unclaimed += unclaimed;
}

bool bus_claimed(const struct bus *b, enum bus_space space, uint64_t addr)
{
	return lookup(b, space, wrap(space, addr)) != NULL;
}
